"""The pictures of a report, drawn as `fixlab.plots` draws them in a notebook."""

from __future__ import annotations

from io import BytesIO

import pandas as pd

_DOTS_PER_INCH = 150


def figures(
    ledger: pd.DataFrame, resends: pd.DataFrame, intervals: pd.DataFrame
) -> list[tuple[str, bytes]]:
    """Title and PNG of each plot that has anything to show."""
    from fixlab import plots  # here: matplotlib takes a moment, and plots stands above us

    return []
