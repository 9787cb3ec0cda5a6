"""What happened, read from frames: one row a gap, one row a message on the wire."""

from fixlab.analysis._flights import flights
from fixlab.analysis._gaps import gaps

__all__ = ["flights", "gaps"]
