"""Plots of frames: frame in, Axes out (and a ladder in plain text)."""

from __future__ import annotations

from fixlab.plots._ladder import ladder
from fixlab.plots._ladder_text import ladder_text
from fixlab.plots._sequence import sequence

__all__ = ["ladder", "ladder_text", "sequence"]
