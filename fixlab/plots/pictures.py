"""The plots of an analysis as PNG, for a page: the same bytes each time, whatever is set up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from io import BytesIO

import pandas as pd
from matplotlib import style as looks
from matplotlib.figure import Figure

from fixlab.plots._gaps import sheet_of_gaps
from fixlab.plots._given import Given
from fixlab.plots._intervals import sheet_of_intervals
from fixlab.plots._resends import sheet_of_resends
from fixlab.plots._sheet import Sheet

_DOTS_PER_INCH = 150  # so that it is sharp in print as well


def pictures(
    span: tuple[int, int] | None,
    sessions: Sequence[str],
    *,
    gaps: pd.DataFrame,
    resends: pd.DataFrame,
    intervals: pd.DataFrame,
) -> Iterator[tuple[str, bytes]]:
    """Title and PNG of each plot that has anything to draw, from first to last time (ns)."""
    kinds = (
        ("What was missing, and how it ended", gaps, sheet_of_gaps),
        ("What was asked for again, and how it was answered", resends, sheet_of_resends),
        ("How long each side was silent", intervals, sheet_of_intervals),
    )
    for title, table, sheet_of in kinds:
        if len(table):
            found = Given(table, span, tuple(sessions), recorded=False)
            yield title, png(partial(sheet_of, found))


def png(make: Callable[[], Sheet]) -> bytes:
    """A sheet as a picture, unseen by pyplot and without regard to its settings."""
    with looks.context("default"):
        sheet = make()
        figure = Figure(figsize=(sheet.width, sheet.height))
        figure.patch.set_alpha(0.0)
        sheet.draw(figure)
        written = BytesIO()
        figure.savefig(written, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return written.getvalue()
