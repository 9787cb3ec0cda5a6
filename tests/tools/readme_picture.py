"""Draw the README's picture: the small story of a gap, as NextNumIn sees it."""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.figure import Figure

import fixlab as fx

PICTURE = Path(__file__).parents[2] / "notebooks" / "images" / "sequence.png"
_BYTES_MAX = 150 << 10


def draw(path: Path) -> int:
    """Write the picture to `path`; returns its size in bytes."""
    lab = fx.Loopback(seed=7, delay_seconds=0.25)  # a slow line: the gap has a width
    lab.logon()
    lab.drop(sender="initiator", msg_seq_nums=[4, 5])
    for n in range(1, 9):
        lab.initiator.send(fx.Message("D", {11: f"ORD-{n}", 55: "ACME", 54: 1, 38: 100}))
        lab.run(seconds=1)
    lab.logout()
    figure = fx.plots.sequence(lab.journal.to_frame(), session=lab.acceptor.id).figure
    assert isinstance(figure, Figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without the version of matplotlib inside, the same story gives the same file.
    figure.savefig(path, dpi=160, metadata={"Software": None})
    return path.stat().st_size


if __name__ == "__main__":
    size = draw(PICTURE)
    print(f"{PICTURE.name}: {size:,} bytes")
    sys.exit(size > _BYTES_MAX)
