import tempfile, pathlib, sys, traceback
from tests.analysis.planted import *
from tests.analysis.logged import *
from fixlab.analysis._reconstruct import reconstruct
want=sys.argv[1:]
for p in (*PLANTS,*CONTROLS):
    if want and not any(w in str(p) for w in want): continue
    print("=====",p)
    try:
        logs=p.make()
    except Exception as e:
        traceback.print_exc(); continue
    for k in p.keepers[:1]:
        with tempfile.TemporaryDirectory() as d:
            log=read(pathlib.Path(d),logs[k],"prefixed",ours=k)
            print(k,len(log), log.frame.direction.value_counts().to_dict())
            if want:
                for l in logs[k]: print("   ", l.out, l.data.replace(b"\x01",b"|"))
            r=reconstruct(log)
            for e in r.events:
                if e.kind in("CONNECTED","LOGON","LOGOUT","PROBED","PROBE_ANSWERED") and not want: continue
                print("  ",e.kind.value,e.row,e.sender,e.begin,e.end,"n",e.count,"exp",e.expected,"gap",e.gap,"req",e.request,"of",e.of_request,"ans",e.answered,"live",e.live,e.cause)
