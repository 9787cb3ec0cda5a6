"""Plots of frames: frame in, Axes or figure out (and a ladder in plain text)."""

from __future__ import annotations

from fixlab.plots._gaps import gaps
from fixlab.plots._intervals import intervals
from fixlab.plots._ladder import ladder
from fixlab.plots._ladder_text import ladder_text
from fixlab.plots._resends import resends
from fixlab.plots._sequence import sequence

__all__ = ["gaps", "intervals", "ladder", "ladder_text", "resends", "sequence"]
