"""The FIX session test cases, played against any counterparty.

```python
from fixlab import SessionConfig, conformance

config = SessionConfig(sender_comp_id="VENUE", target_comp_id="ME", dictionary=dictionary)
report = conformance.run(conformance.SessionTarget(config, "acceptor"))  # in memory

target = conformance.LiveTarget("127.0.0.1", 9880, identities=("ME", "VENUE"))
report = conformance.run(target, cases=["2b", "10a"], resume="venue.jsonl")
report.table
```

`CASES` has the 85 reference ids of the FIX session test cases and 30 supplementary ones;
`parse_cases()` reads your own. A target is the system under test: `SessionTarget`, a fixlab
session in this process; `LiveTarget`, an acceptor that the runner connects to;
`ListeningTarget`, initiators that connect to the runner.

How a target is driven. `run()` asks nothing of a target but who it is (`role`,
`begin_string`), which `HOOKS` it has, and to play one case: `play(case, profile)` in memory,
`await play_live(case, profile)` behind a socket, up to `parallel` cases at once. Whatever the
counterparty does, the answer is a `CaseResult`; only the caller's mistakes raise. Hooks do what
an operator would do by hand: they are called with the `Identity` that is meant and a number.
Before a case of an initiator the hook `connect` is called, when there is one, and before each
case the hook `reset`, when that is how numbers start over.
"""

from fixlab.conformance._run import arun, dry_run, run
from fixlab.conformance.catalogue import CASES, parse_cases
from fixlab.conformance.comparison import Comparison, acompare, compare
from fixlab.conformance.engine_target import EngineTarget
from fixlab.conformance.live import ListeningTarget, LiveTarget
from fixlab.conformance.memory import SessionTarget
from fixlab.conformance.model import Case, CaseResult, Entry, Level, Need, Verdict
from fixlab.conformance.profile import Profile
from fixlab.conformance.report import Report
from fixlab.conformance.targets import HOOKS, Hook, Identity, Target

__all__ = [
    "CASES",
    "HOOKS",
    "Case",
    "CaseResult",
    "Comparison",
    "EngineTarget",
    "Entry",
    "Hook",
    "Identity",
    "Level",
    "ListeningTarget",
    "LiveTarget",
    "Need",
    "Profile",
    "Report",
    "SessionTarget",
    "Target",
    "Verdict",
    "acompare",
    "arun",
    "compare",
    "dry_run",
    "parse_cases",
    "run",
]
