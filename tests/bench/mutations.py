"""Deliberate defects in the core, one at a time: which of them are noticed, and how soon?

    python tests/bench/mutations.py [--seeds 1000] [--only NAME,...]

For each defect a copy of the package is changed, and a process of its own looks for it in that
copy: with simulations from seed 0 on, as `fixlab.sweep` plays them, and with the conformance
cases. A text that is not found exactly once ends the run, for the core has moved on. Both
detectors are tried on the package as it is as well, where they may find nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.defects import DEFECTS, Defect

ROOT = Path(__file__).parents[2]
_SECONDS_MAX = 1_800.0  # for one defect
_SAID_MAX = 90  # characters of what a detector said


@dataclass(frozen=True, slots=True)
class Found:
    """What the detectors made of one defect; `sound` is the package without any."""

    name: str
    seed: int | None  # the first one that shows it
    by_seed: str
    case: str | None  # the conformance case that shows it
    by_case: str

    @property
    def noticed(self) -> bool:
        """Whether anything showed it."""
        return self.seed is not None or self.case is not None


def mutated(defect: Defect | None, folder: Path) -> None:
    """Copy the package to `folder`, with the defect in it; raises `ValueError` if it cannot."""
    shutil.copytree(ROOT / "fixlab", folder / "fixlab", ignore=_IGNORED)
    if defect is None:
        return
    path = folder / "fixlab" / defect.file
    text = path.read_text(encoding="utf-8")
    if (times := text.count(defect.old)) != 1:
        raise ValueError(
            f"{defect.name}: its text stands {times} times in {defect.file}, expected once:\n"
            f"{defect.old}"
        )
    changed = text.replace(defect.old, defect.new)
    compile(changed, str(path), "exec")
    path.write_text(changed, encoding="utf-8")


_IGNORED = shutil.ignore_patterns("__pycache__")


def look(defect: Defect | None, seeds: int) -> Found:
    """Let both detectors look at the package with this defect, in a process of its own."""
    name = "sound" if defect is None else defect.name
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        mutated(defect, folder)
        # The copy comes first, so `fixlab` is the copy and `tests` is what lies beside it here.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((place, str(ROOT)))}
        command = [sys.executable, "-m", "tests.bench.detectors", place, str(seeds)]
        try:
            done = subprocess.run(
                command,
                env=environment | {"PYTHONDONTWRITEBYTECODE": "1"},
                cwd=place,
                capture_output=True,
                text=True,
                timeout=_SECONDS_MAX,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Found(name, 0, f"hangs: more than {_SECONDS_MAX:g} s", None, "")
    if done.returncode:
        # It does not even import, or a detector fell over it: noticed, before any seed.
        return Found(name, 0, done.stderr.strip().rpartition("\n")[2], None, "")
    seed, by_seed, case, by_case = json.loads(done.stdout)
    return Found(name, seed, by_seed, case, by_case)


def look_all(defects: list[Defect], seeds: int) -> list[Found]:
    """Each defect, after the sound package, as many at a time as there are processors."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda defect: look(defect, seeds), [None, *defects]))


def main(arguments: list[str]) -> int:
    """Look for all defects, print the table; how many of them nothing noticed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Plain)
    parser.add_argument("--seeds", type=int, default=1_000)
    parser.add_argument("--only", default=",".join(defect.name for defect in DEFECTS))
    given = parser.parse_args(arguments)
    names = given.only.split(",")
    if unknown := set(names) - {defect.name for defect in DEFECTS}:
        parser.error(f"no such defect: {', '.join(sorted(unknown))}")
    chosen = [defect for defect in DEFECTS if defect.name in names]
    sound, *found = look_all(chosen, given.seeds)
    _told(chosen, found, given.seeds)
    if sound.noticed:
        print(f"\nThe package WITHOUT a defect fails too: {sound}")
    missed = sum(not each.noticed for each in found)
    print(f"\n{len(found) - missed} of {len(found)} noticed, within {given.seeds:,} seeds")
    return missed + sound.noticed


class _Plain(argparse.RawDescriptionHelpFormatter):
    pass


def _told(defects: list[Defect], found: list[Found], seeds: int) -> None:
    lines = [("defect", "rule", "found by", "seeds", "what it said")]
    for defect, each in zip(defects, found, strict=True):
        by = [
            *(["sweep"] if each.seed is not None else []),
            *([each.case] if each.case else []),
        ]
        after = f"{each.seed + 1:,}" if each.seed is not None else f"not in {seeds:,}"
        said = (each.by_seed or each.by_case or defect.breaks)[:_SAID_MAX]
        lines.append((defect.name, defect.rule, ", ".join(by) or "NOTHING", after, said))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
