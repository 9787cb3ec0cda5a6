"""A small report made by hand: every verdict, and hostile text where a peer could put it."""

from __future__ import annotations

from fixlab.conformance import CaseResult, Entry, Report, Verdict, parse_cases
from fixlab.session.transitions import Role

CASES = parse_cases("""\
ref: 1S-a   level: M   role: A   versions: all   rules: LGN-05, LGN-09   pre: CONNECT
title: Valid Logon, number too high
> 35=A|34=5|98=0|108=30
ref: 2b   level: M   role: any   versions: all   rules: SEQ-05, RRQ-01   pre: LOGON
title: Number higher than expected
> 35=0|34=5
< 35=2|34=2|7=2|16={0,4,999999} 5s
ref: 2g   level: M   role: any   versions: all   rules: HDR-08   pre: LOGON
title: PossDup without OrigSendingTime
> 35=D|34=2|43=Y|$order
< 35=3|45=2|371=122|373=1 5s
ref: 12   level: M   role: any   versions: all   rules: LGO-01, LGO-08   pre: LOGON
title: The session is told to log out
! OPERATOR stop
ref: 14l   level: M   role: any   versions: 4.2+   rules: REJ-15   pre: LOGON
title: Application not available
! OPERATOR app-down
ref: X-12   level: R   role: any   versions: all   rules: LGN-29   pre: LOGON
title: Second Logon without reset
> 35=A|34=2|98=0|108=30
ref: MINE-1   level: O   role: any   versions: all   rules: SEQ-05   pre: LOGON
title: <b>A case</b> of somebody's own
> 35=0|34=2
""")

LOGON = (
    Entry(0.0, 1, "!", "connected"),
    Entry(0.001, 1, ">", "8=FIX.4.4|9=80|35=A|34=1|49=ME|52=20261125-09:00:00.000|56=VENUE|"
          "98=0|108=30|553=me|554=***|10=017|"),
    Entry(0.004, 1, "<", "8=FIX.4.4|9=62|35=A|34=1|49=VENUE|52=20261125-09:00:00.003|56=ME|"
          "98=0|108=30|10=201|"),
)  # fmt: skip
ORDER = (
    "8=FIX.4.4|9=140|35=D|34=2|49=ME|52=20261125-09:00:00.010|56=VENUE|43=Y|"
    "11=2g-1|21=1|38=100|40=1|54=1|55=INTC|60=20261125-09:00:00.010|10=044|"
)


def result(ref: str, verdict: Verdict, **more: object) -> CaseResult:
    return CaseResult(
        ref=ref,
        verdict=verdict,
        begin_string="FIX.4.4",
        role=Role.ACCEPTOR,
        **more,  # type: ignore[arg-type]
    )


def report(target: str = "FIX.4.4:ME->VENUE at 192.0.2.7:9880") -> Report:
    hostile = "8=FIX.4.4|9=99|35=3|34=2|45=2|58=<script>alert(1)</script>\\x1b[31m|554=hunter2|"
    results = (
        result("1S-a", Verdict.PASS, transcript=LOGON),
        result("2b", Verdict.PASS, transcript=LOGON),
        result(
            "2g",
            Verdict.FAIL,
            rule="HDR-08",
            line=2,
            script="< 35=3|45=2|371=122|373=1 5s",
            expected="Reject with 45=2, 371=122, 373=1 within 5 s",
            found=f"instead {hostile}",
            transcript=(
                *LOGON,
                Entry(0.01, 1, ">", ORDER),
                Entry(0.012, 1, "<", hostile),
                Entry(5.012, 1, "!", "closed by the tests"),
            ),
        ),
        result(
            "12",
            Verdict.BLOCKED,
            found="no Logon came within 10 s",
            transcript=(Entry(0.0, 1, "!", "connected"),),
        ),
        result("14l", Verdict.SKIP, found="needs the hook app-down"),
        result(
            "X-12",
            Verdict.LENIENT,
            rule="LGN-29",
            line=2,
            script="<? 35=5 5s",
            expected="a Logout, then the end of the connection",
            found="the end of the connection without a Logout",
            transcript=LOGON,
        ),
        result("MINE-1", Verdict.PASS),
    )
    return Report(results, CASES, target=target)
