"""What happened, read from frames: gaps, missing numbers, resends, silences, flights."""

from fixlab.analysis._flights import flights
from fixlab.analysis._gaps import gaps
from fixlab.analysis._intervals import intervals
from fixlab.analysis._ledger import ledger
from fixlab.analysis._resends import resends

__all__ = ["flights", "gaps", "intervals", "ledger", "resends"]
