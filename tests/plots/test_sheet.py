"""What a sheet writes without measuring it stands where matplotlib would have put it."""

from __future__ import annotations

from io import BytesIO

import matplotlib
import numpy as np
import pytest
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from fixlab.plots import style
from fixlab.plots._sheet import Words


def ink(artist: Artist) -> tuple[list[int], list[int]]:
    """First and last line and column of the pixels of a picture that are not empty."""
    figure = Figure(figsize=(4, 1))
    figure.patch.set_alpha(0.0)
    figure.add_artist(artist)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    lines, columns = np.nonzero(np.asarray(canvas.buffer_rgba())[:, :, 3] > 60)
    return [int(lines.min()), int(lines.max())], [int(columns.min()), int(columns.max())]


@pytest.mark.parametrize("align", ["bottom", "center", "center_baseline"])
@pytest.mark.parametrize("text", ["given up by a reset", "2,357", style.plain("50$ for $x$")])
@pytest.mark.parametrize("weight", ["normal", "bold"])
def test_words_stand_where_a_text_stands(align: str, text: str, weight: str) -> None:
    looks = {"va": align, "fontweight": weight, "fontsize": 9.0, "color": style.INK}
    stand = ink(Words(0.1, 0.5, text, **looks))  # type: ignore[arg-type]
    due = ink(Text(0.1, 0.5, text, **looks))  # type: ignore[arg-type]
    assert np.abs(np.subtract(stand, due)).max() <= 1


def test_words_are_text_in_a_file_that_keeps_text() -> None:
    figure = Figure(figsize=(4, 1))
    figure.add_artist(Words(0.1, 0.5, style.plain("50$ are lost"), va="center"))
    file = BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    assert ">50$ are lost<" in file.getvalue().decode()
