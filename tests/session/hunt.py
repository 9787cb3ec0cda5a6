"""Look for scenarios that go wrong, more of them than a test run has time for.

`python -m tests.session.hunt 20000` plays as many, from seed 0 on or from a second number on,
and prints one reduced scenario for each way in which any failed.
"""

from __future__ import annotations

import random
import sys

from tests.session.duel import draw, fails, reduced


def main(count: int, first: int = 0) -> int:
    """Play `count` scenarios; the number of ways in which some failed."""
    ways: dict[str, list[int]] = {}
    for seed in range(first, first + count):
        found = fails(draw(random.Random(seed)))
        if found is not None:
            ways.setdefault(found, []).append(seed)
    for found, seeds in ways.items():
        print(f"{found}: {len(seeds)} of {count}, seeds {seeds[:5]}")
        small = min((reduced(draw(random.Random(seed))) for seed in seeds[:3]), key=_size)
        print(
            f"  both {dict(small.both)}\n  mine {dict(small.mine)}\n  yours {dict(small.yours)}"
        )
        print(f"  ops {list(small.ops)}")
    print(f"{count} scenarios from seed {first}: {len(ways)} ways to fail")
    return len(ways)


def _size(scenario: object) -> int:
    return len(repr(scenario))


if __name__ == "__main__":
    sys.exit(bool(main(*map(int, sys.argv[1:3]))))
