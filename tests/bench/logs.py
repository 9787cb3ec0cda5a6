"""Reading logs: read_log beside a byte sum, a bare split, and what others would do.

Each figure is from a process of its own, so that peaks of memory do not mix: least CPU time
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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

if __name__ == "__main__":  # as a child: alone, with the path of the project
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import made_logs
from tests.bench.measure import Row, installed, table, times

SMALL, LARGE = 100_000, 1_000_000
ROUNDS = 5
_LARGER = 4  # times as large, to see what a second process saves there
_COUNTS = (SMALL, LARGE, _LARGER * LARGE)
_TAGS = (8, 9, 35, 34, 49, 52, 56, 43, 122, 7, 16, 36, 123, 141, 108, 58, 10)
_NUMBERS, _TIMES = (9, 34, 7, 16, 36, 108, 10), (52, 122)  # of those, and how they are read
_CODES, _BOOLEANS = (8, 35, 49, 56), (43, 123, 141)
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


def polars_one(path: Path) -> object:
    return polars(path)  # with POLARS_MAX_THREADS=1


def simplefix(path: Path) -> object:
    import simplefix as other

    parser = other.FixParser()

    def rows() -> Iterator[list[object]]:
        with path.open("rb") as file:
            for line in file:
                parser.append_buffer(line.rstrip(b"\n"))
                message = parser.get_message()
                yield [message.get(tag) for tag in _TAGS]

    return _frame(rows())


def quickfix(path: Path) -> object:
    import quickfix as other

    in_header = {8, 9, 35, 34, 49, 52, 56, 43, 122}

    def rows() -> Iterator[list[object]]:
        with path.open("rb") as file:
            for line in file:
                message = other.Message(line.rstrip(b"\n").decode("latin-1"), True)
                header, trailer = message.getHeader(), message.getTrailer()
                parts = [
                    header if tag in in_header else trailer if tag == 10 else message
                    for tag in _TAGS
                ]
                yield [
                    part.getField(tag) if part.isSetField(tag) else None
                    for part, tag in zip(parts, _TAGS, strict=True)
                ]

    return _frame(rows())


def refix(path: Path) -> pd.DataFrame:
    import refix as other

    def rows() -> Iterator[list[object]]:
        for message in other.read_log(str(path)):
            if isinstance(message, other.RawMessage):
                yield [message.get(tag) for tag in _TAGS]

    return _frame(rows())


def refix_typed(path: Path) -> object:
    return _typed(refix(path))


def _frame(rows: Iterator[list[object]]) -> pd.DataFrame:
    """A frame of the session's fields, as the other readers give one."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=[str(tag) for tag in _TAGS])


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """The same with the types that read_log gives: from bytes to times, numbers, categories."""
    import pandas as pd

    def words(tag: int) -> pd.Series[str]:
        return frame[str(tag)].str.decode("latin-1")

    typed = {
        **{tag: pd.to_numeric(words(tag)).astype("Int64") for tag in _NUMBERS},
        **{
            tag: pd.to_datetime(words(tag), format="%Y%m%d-%H:%M:%S.%f", utc=True)
            for tag in _TIMES
        },
        **{tag: words(tag).astype("category") for tag in _CODES},
        **{tag: frame[str(tag)].eq(b"Y") for tag in _BOOLEANS},
        58: words(58),
    }
    return pd.DataFrame({str(tag): typed[tag] for tag in _TAGS})


READERS: dict[str, Callable[[Path], object]] = {
    each.__name__: each
    for each in (
        *(byte_sum, bare_split, read_log, two_processes, two_again, naive_split),
        *(polars, polars_one, simplefix, quickfix, refix, refix_typed),
    )
}
_MODULES = {
    "polars": "polars",
    "polars_one": "polars",
    "simplefix": "simplefix",
    "quickfix": "quickfix",
    "refix": "refix",
    "refix_typed": "refix",
}


def child(name: str, path: Path) -> None:
    """Measure one reader in this process, and print the figures."""
    import pandas as pd

    import fixlab

    # Imported before the clock starts; the first text in a frame imports pyarrow.
    assert fixlab.read_log is not None
    assert len(pd.DataFrame({"text": ["a"]})) == 1
    if name in _MODULES:
        __import__(_MODULES[name])
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
    assert name in ("byte_sum", "bare_split") or len(result) in _COUNTS  # type: ignore[arg-type]
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
        for style in (*made_logs.STYLES, "hidden")
    }
    small = made_logs.write(folder / f"soh-{SMALL}.log", SMALL, "soh")
    _large(made["soh"])
    _two_cores(folder, made["soh"])
    _small(small)
    _styles(made)


def _large(path: Path) -> None:
    names = ["byte_sum", "bare_split", "read_log", "naive_split"]
    names += ["polars", "polars_one"] if installed("polars") else []
    found = _measured({name: (name, path) for name in names})
    size = path.stat().st_size
    ours = found["read_log"]
    goals = {"bare_split": ">= 1.0x", "polars": ">= 5x", "polars_one": ">= 5x"}
    rows = []
    for name, figures in found.items():
        ratio = figures["cpu"] / ours["cpu"]
        figure = f"{size / figures['cpu'] / 1e6:,.0f} MB/s, {LARGE / figures['cpu']:,.0f}/s"
        figure += f", +{figures['peak'] / 1e6:,.0f} MB"
        rows.append(Row(name, figure, f"{ratio:.2f}x", goals.get(name, "")))
    frame, peak = ours["frame"], ours["peak"]
    rows.append(
        Row(
            "read_log: peak less 16 MB, to the frame",
            f"{frame / 1e6:,.0f} MB frame",
            f"{(peak - _MEMORY_FREE) / frame:.2f}x",
            "<= 1.3x",
        )
    )
    notes = (
        f"{LARGE:,} messages, {size / 1e6:,.0f} MB, SOH, one a line. CPU time; ratio: how many "
        "times as long as read_log it takes.\nread_log checks lengths and checksums and types "
        "all columns; the others give text, unchecked. polars uses all cores, polars_one has "
        "one thread."
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
    goals = {"simplefix": ">= 100x", "quickfix": ">= 35x", "refix_typed": ">= 12x"}
    rows = [
        Row(
            name,
            f"{SMALL / figures['cpu']:,.0f}/s",
            times(figures["cpu"] / ours),
            goals.get(name, ""),
        )
        for name, figures in found.items()
    ]
    if not installed("refix"):
        rows.append(Row("refix", "skipped: not installed; it needs Python 3.12"))
    notes = (
        f"{SMALL:,} messages, as above, beside other parsers, of which each gives a frame of "
        f"the same {len(_TAGS)} fields as text;\nQuickFIX's binding checks as well. "
        "refix_typed gives times, numbers and categories, as read_log does."
    )
    table("Reading a small log", notes, rows)


_PEERS = {
    "simplefix": "simplefix",
    "quickfix": "quickfix-tls",
    "refix": "refix",
    "refix_typed": "refix",
}


def _styles(made: dict[str, Path]) -> None:
    found = _measured({style: ("read_log", path) for style, path in made.items()})
    base = found["soh"]["cpu"] / made["soh"].stat().st_size
    rows = []
    for style, path in made.items():
        size, used = path.stat().st_size, found[style]["cpu"]
        figure = f"{size / used / 1e6:,.0f} MB/s, {LARGE / used:,.0f}/s"
        goal = "" if style in ("soh", "caret", "hidden") else "<= 1.5x"
        rows.append(Row(style, figure, f"{used / size / base:.2f}x", goal))
    notes = (
        "The same messages as other loggers write them; ratio: time a byte, to that of SOH.\n"
        "bar: | for SOH. caret: ^A. quickfix: a time before each. events: time, thread, IN or "
        "OUT, |, and a line of text behind each.\n"
        "hidden: as soh, with accounts hidden, so that all lengths are wrong."
    )
    table("Reading other styles", notes, rows)


def _measured(
    runs: dict[str, tuple[str, Path]], by: str = "cpu"
) -> dict[str, dict[str, float]]:
    """The quickest of interleaved runs, each in a process of its own."""
    results: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, (reader, path) in runs.items():
            threads = {"POLARS_MAX_THREADS": "1"} if reader == "polars_one" else {}
            done = subprocess.run(
                [sys.executable, __file__, reader, str(path)],
                capture_output=True,
                text=True,
                check=True,
                timeout=900,
                env=os.environ | threads,
            )
            results[name].append(json.loads(done.stdout))
    return {name: min(found, key=lambda each: each[by]) for name, found in results.items()}


if __name__ == "__main__":
    child(sys.argv[1], Path(sys.argv[2]))
