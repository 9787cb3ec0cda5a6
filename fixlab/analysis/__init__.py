"""What happened, from frames and logs: gaps, resends, findings, replays, two logs as one."""

from fixlab.analysis._flights import flights
from fixlab.analysis._gaps import gaps
from fixlab.analysis._intervals import intervals
from fixlab.analysis._ledger import ledger
from fixlab.analysis._reconcile import reconcile
from fixlab.analysis._replay import replay
from fixlab.analysis._resends import resends
from fixlab.analysis.findings import Findings, analyze

__all__ = [
    "Findings",
    "analyze",
    "flights",
    "gaps",
    "intervals",
    "ledger",
    "reconcile",
    "replay",
    "resends",
]
