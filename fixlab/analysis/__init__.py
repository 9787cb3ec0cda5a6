"""What happened, read from frames and logs: gaps, flights, replays, two logs side by side."""

from fixlab.analysis._flights import flights
from fixlab.analysis._gaps import gaps
from fixlab.analysis._reconcile import reconcile
from fixlab.analysis._replay import replay

__all__ = ["flights", "gaps", "reconcile", "replay"]
