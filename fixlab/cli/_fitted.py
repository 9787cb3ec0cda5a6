"""Long lines on a terminal: broken between words, what goes on indented further."""

from __future__ import annotations

import shutil
import sys
from textwrap import fill

_HANG = 4
_WIDTH_MIN = 40


def terminal_width() -> int | None:
    """Columns of the terminal that is written to; None for a file or a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def fitted(line: str, width: int | None) -> str:
    """A line broken to `width`; as it is where that is None. No word is ever cut."""
    if width is None or len(line) <= width:
        return line
    indent = len(line) - len(line.lstrip(" "))
    return fill(
        line,
        max(width, _WIDTH_MIN),
        subsequent_indent=" " * (indent + _HANG),
        break_long_words=False,
        break_on_hyphens=False,
    )
