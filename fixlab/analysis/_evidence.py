"""Evidence: the lines of a log that show a finding."""

from __future__ import annotations

from dataclasses import dataclass

from fixlab import redact


@dataclass(frozen=True)
class Evidence:
    """The messages that show a finding: their rows, and what the log says there, masked."""

    rows: tuple[int, ...]
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(
            f"row {row}: {line}" for row, line in zip(self.rows, self.lines, strict=True)
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{redact.escape_lines(str(self))}</pre>"
