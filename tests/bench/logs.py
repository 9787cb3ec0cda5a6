"""Reading logs: read_log beside a byte sum, a bare split, and what others would do.

Each figure is from a process of its own, so that peaks of memory do not mix: median CPU time
of interleaved runs, and the highest memory above that before the read. The logs are made once,
seeded, in the folder that `FIXLAB_BENCH` names, or else in one for temporary files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":  # as a child: alone, with the path of the project
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import made_logs
from tests.bench.measure import Row, installed, table, times

SMALL, LARGE = 100_000, 1_000_000
_LARGER = 4
ROUNDS = 3
_TAGS = (8, 9, 35, 34, 49, 52, 56, 43, 122, 7, 16, 36, 123, 141, 108, 58, 10)
_MEMORY_FREE = 16 << 20


# Each of these reads a file; it returns what it has read, to be measured -------------------


def byte_sum(path: Path) -> object:
    import numpy as np

    total, buffer = 0, bytearray(1 << 20)
    view = np.frombuffer(buffer, np.uint8)
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(buffer):
            total += int(view[:size].sum(dtype=np.uint32))
    return total


def bare_split(path: Path) -> object:
    count = 0
    with path.open("rb") as file:
        for line in file:
            count += len(line.split(b"\x01"))
    return count


def read_log(path: Path) -> object:
    import fixlab

    return fixlab.read_log(path).frame


def two_processes(path: Path) -> object:
    import fixlab

    return fixlab.read_log(path, workers=2).frame


def two_again(path: Path) -> object:
    return two_processes(path)  # `child` has read it once before: the other one is there


def naive_split(path: Path) -> object:
    import pandas as pd

    keys = {b"%d" % tag: str(tag) for tag in _TAGS}
    rows = []
    with path.open("rb") as file:
        for line in file:
            pairs = [field.partition(b"=") for field in line.split(b"\x01")]
            rows.append(
                {keys[tag]: value.decode("latin-1") for tag, _, value in pairs if tag in keys}
            )
    return pd.DataFrame(rows)


def polars(path: Path) -> object:
    import polars as pl

    lines = pl.read_csv(
        path, has_header=False, separator="\x02", quote_char=None, new_columns=["line"]
    )
    fields = [
        pl.col("line").str.extract(f"(?:^|\x01){tag}=([^\x01]*)").alias(str(tag))
        for tag in _TAGS
    ]
    return lines.select(fields)


def simplefix(path: Path) -> object:
    import simplefix as other

    parser, count = other.FixParser(), 0
    with path.open("rb") as file:
        for line in file:
            parser.append_buffer(line.rstrip(b"\n"))
            message = parser.get_message()
            count += message is not None
    assert count == SMALL
    return count


def quickfix(path: Path) -> object:
    import quickfix as other

    count = 0
    with path.open("rb") as file:
        for line in file:
            message = other.Message(line.rstrip(b"\n").decode("latin-1"), True)
            number = other.MsgSeqNum()
            message.getHeader().getField(number)
            count += number.getValue() > 0
    assert count == SMALL
    return count


READERS: dict[str, Callable[[Path], object]] = {
    each.__name__: each
    for each in (
        *(byte_sum, bare_split, read_log, two_processes, two_again, naive_split),
        *(polars, simplefix, quickfix),
    )
}


def child(name: str, path: Path) -> None:
    """Measure one reader in this process, and print the figures."""
    import pandas as pd

    import fixlab

    # Imported before the clock starts.
    assert fixlab.read_log is not None
    for module in (name,) if name in ("polars", "simplefix", "quickfix") else ():
        __import__(module)
    if name == "two_again":
        two_processes(path)
    Path("/proc/self/clear_refs").write_text("5")  # from here on the peak is counted anew
    before = _memory("VmHWM")
    wall, begin = time.perf_counter(), time.process_time()
    result = READERS[name](path)
    used = time.process_time() - begin
    figures = {
        "cpu": used,
        "wall": time.perf_counter() - wall,
        "peak": _memory("VmHWM") - before,
        "frame": int(result.memory_usage(deep=True).sum())
        if isinstance(result, pd.DataFrame)
        else 0,
    }
    print(json.dumps(figures))


def _memory(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) << 10
    raise AssertionError(name)


# The tables --------------------------------------------------------------------------------


def run() -> None:
    """Print the tables."""
    folder = Path(os.environ.get("FIXLAB_BENCH", tempfile.gettempdir())) / "fixlab-bench"
    folder.mkdir(parents=True, exist_ok=True)
    made = {
        style: made_logs.write(folder / f"{style}-{LARGE}.log", LARGE, style)
        for style in made_logs.STYLES
    }
    small = made_logs.write(folder / f"soh-{SMALL}.log", SMALL, "soh")
    _large(made["soh"])
    _two_cores(folder, made["soh"])
    _small(small)
    _styles(made)


def _large(path: Path) -> None:
    names = ["byte_sum", "bare_split", "read_log", "naive_split"]
    names += ["polars"] if installed("polars") else []
    found = _measured({name: (name, path) for name in names})
    size = path.stat().st_size
    ours = found["read_log"]
    goals = {"bare_split": ">= 1.0x", "polars": ">= 5x", "naive_split": ""}
    rows = []
    for name, figures in found.items():
        ratio = figures["cpu"] / ours["cpu"]
        figure = f"{size / figures['cpu'] / 1e6:,.0f} MB/s, {LARGE / figures['cpu']:,.0f}/s"
        figure += f", +{figures['peak'] / 1e6:,.0f} MB"
        rows.append(Row(name, figure, times(ratio), goals.get(name, "")))
    frame, peak = ours["frame"], ours["peak"]
    rows.append(
        Row(
            "read_log: peak less 16 MB, to the frame",
            f"{frame / 1e6:,.0f} MB frame",
            times((peak - _MEMORY_FREE) / frame),
            "<= 1.3x",
        )
    )
    rows.append(Row("refix", "skipped: not on PyPI"))
    notes = (
        f"{LARGE:,} messages, {size / 1e6:,.0f} MB, SOH, one a line. CPU time; ratio: how many "
        "times as long as read_log it takes.\nread_log checks lengths and checksums and types "
        "all columns; the others but QuickFIX do neither. polars uses all cores."
    )
    table("Reading a large log", notes, rows)


def _two_cores(folder: Path, path: Path) -> None:
    """Wall time of the same read by two processes."""
    larger = folder / f"soh-{LARGE}-times-{_LARGER}.log"
    if not larger.exists():
        with larger.open("wb") as file:
            for _ in range(_LARGER):
                file.write(path.read_bytes())
    rows = []
    for each, count in ((path, LARGE), (larger, _LARGER * LARGE)):
        names = ("read_log", "two_processes", "two_again")
        found = _measured({name: (name, each) for name in names}, by="wall")
        alone = found["read_log"]["wall"]
        for name, figures in found.items():
            goal = ">= 1.6x" if name == "two_again" else ""
            wall = f"{figures['wall']:.2f} s"
            rows.append(Row(f"{name}, {count:,}", wall, times(alone / figures["wall"]), goal))
    notes = (
        "Wall time, which only means something where two cores are free; ratio: how many times "
        "as fast as\none process. two_processes starts the second one, two_again finds it "
        "waiting from the read before."
    )
    table("A second core", notes, rows)


def _small(path: Path) -> None:
    names = ["read_log", *(n for n, d in _PEERS.items() if installed(d))]
    found = _measured({name: (name, path) for name in names})
    ours = found["read_log"]["cpu"]
    goals = {"simplefix": ">= 100x", "quickfix": ">= 35x"}
    rows = [
        Row(
            name,
            f"{SMALL / figures['cpu']:,.0f}/s",
            times(figures["cpu"] / ours),
            goals.get(name, ""),
        )
        for name, figures in found.items()
    ]
    table("Reading a small log", f"{SMALL:,} messages, as above, beside other parsers.", rows)


_PEERS = {"simplefix": "simplefix", "quickfix": "quickfix-tls"}


def _styles(made: dict[str, Path]) -> None:
    found = _measured({style: ("read_log", path) for style, path in made.items()})
    base = found["soh"]["cpu"] / made["soh"].stat().st_size
    rows = []
    for style, path in made.items():
        size, used = path.stat().st_size, found[style]["cpu"]
        figure = f"{size / used / 1e6:,.0f} MB/s, {LARGE / used:,.0f}/s"
        goal = "" if style == "soh" else "<= 1.5x"
        rows.append(Row(style, figure, times(used / size / base), goal))
    notes = (
        "The same messages as other loggers write them; ratio: time a byte, to that of SOH.\n"
        "bar: | for SOH. caret: ^A. quickfix: a time before each. events: time, thread, IN or "
        "OUT, |, and a line of text behind each."
    )
    table("Reading other styles", notes, rows)


def _measured(
    runs: dict[str, tuple[str, Path]], by: str = "cpu"
) -> dict[str, dict[str, float]]:
    """Medians of interleaved runs, each in a process of its own."""
    results: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, (reader, path) in runs.items():
            done = subprocess.run(
                [sys.executable, __file__, reader, str(path)],
                capture_output=True,
                text=True,
                check=True,
                timeout=900,
            )
            results[name].append(json.loads(done.stdout))
    return {
        name: sorted(found, key=lambda each: each[by])[len(found) // 2]
        for name, found in results.items()
    }


if __name__ == "__main__":
    child(sys.argv[1], Path(sys.argv[2]))
