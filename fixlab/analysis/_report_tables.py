"""The tables of a report: what became of each missing number, and of each ResendRequest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fixlab.analysis._case import Extent
from fixlab.pages import text as _text

_DAY = 86_400 * 1_000_000_000
_RUNS_MAX = 300  # rows of the ledger
_REQUESTS_MAX = 200
# Beside the sums, for among what was gap-filled an order is as good as lost.
FILLED_OVER = "Application messages were filled over instead of replayed"
_SIDES_MAX = 3  # named in a heading
_REQUEST_HEADS = (
    *("Time", "Asked by", "Own number", "Asked for", "Missing", "Replayed", "Filled"),
    *("Outcome", "After"),
)
_WORDS = {
    "replayed": "replayed",
    "gap_filled": "gap-filled",
    "late": "arrived late",
    "reset": "given up by a reset",
    "lost": "lost",
    "open": "still missing",
    "unknown": "not known",
}
_RECOVERED = ("replayed", "gap_filled", "late")
# What a reader looks for first stands first.
_GONE = ("lost", "open", "reset", "unknown")
_ANSWERS = {
    "answered": "answered",
    "disconnect": "cut off by a disconnect",
    "reset": "cut off by a reset",
    "log_end": "open when the log ends",
    "invalid": "cannot be answered",
    "not_sent": "asks for what was never sent",
    "unknown": "not known",
}


@dataclass(frozen=True, slots=True)
class Times:
    """How times are written: the date only where a page covers several days."""

    dated: bool
    digits: int  # of the second

    @classmethod
    def of(cls, extent: Extent) -> Times:
        """As fits the times of these messages."""
        several_days = extent.first // _DAY != extent.last // _DAY
        return cls(several_days, 6 if extent.exact else 3)

    def told(self, time: Any, *, dated: bool = False) -> str:
        """A time of the log; nothing for NaT."""
        if pd.isna(time):
            return ""
        day = f"{time:%Y-%m-%d} " if dated or self.dated else ""
        return f"{day}{time:%H:%M:%S}.{f'{time:%f}'[: self.digits]}"

    def span(self, extent: Extent) -> str:
        """From the first time of the log to its last."""
        if extent.span is None:
            return ""
        first, last = (pd.Timestamp(time, unit="ns", tz="UTC") for time in extent.span)
        return f"{self.told(first, dated=True)} to {self.told(last)}"


def numbers_of(begin: Any, end: Any) -> str:
    """A number, or from where to where."""
    if pd.isna(begin):
        return ""
    return f"{begin}" if pd.isna(end) or begin == end else f"{begin} to {end}"


def duration(milliseconds: float) -> str:
    """How long, in the unit that fits; nothing for what is not known."""
    if milliseconds != milliseconds:
        return ""
    for unit, size in (("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        if milliseconds >= 2 * size or (unit == "s" and milliseconds >= size):
            return f"{milliseconds / size:.1f} {unit}"
    return f"{milliseconds:.0f} ms"


def table(kind: str, heads: Sequence[str], rows: str) -> str:
    """A table of a page from its rows in HTML."""
    names = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = rows if rows.startswith("<tbody") else f"<tbody>{rows}</tbody>"
    return f'<table class="list {kind}"><thead><tr>{names}</tr></thead>{body}</table>'


def _wide(kind: str, heads: Sequence[str], rows: str) -> str:
    """A table that a narrow screen scrolls."""
    return f'<div class="wide" tabindex="0">{table(kind, heads, rows)}</div>'


# Missing numbers ----------------------------------------------------------------------


def ledger_table(ledger: pd.DataFrame, times: Times) -> Iterator[str]:
    """What became of each missing number; neighbours with one fate share a row."""
    if ledger.empty:
        return
    yield "<h2>What became of each missing number</h2>"
    yield f"<p>{sums(ledger)}</p>"
    runs = _runs(ledger)
    gone = runs["how"].astype("str").isin(_GONE).to_numpy(bool)
    shown = runs.iloc[np.argsort(~gone, kind="stable")[:_RUNS_MAX]]
    yield _wide(
        "ledger",
        ("Numbers", "Of", "Missed by", "Noticed", "Asked for", "Outcome", "When", "After"),
        "".join(_run_row(run, times) for run in shown.to_dict("records")),
    )
    if len(runs) > _RUNS_MAX:
        yield f'<p class="key">{len(runs) - _RUNS_MAX:,} more rows are not shown.</p>'


def sums(ledger: pd.DataFrame) -> str:
    """How many numbers were missing, and what became of them, in a sentence."""
    counts: Counter[str] = Counter()
    for how, count in zip(ledger["how"], ledger["count"], strict=True):
        counts[str(how)] += int(count)
    total = sum(counts.values())
    told = ", ".join(f"{counts[how]:,} {words}" for how, words in _WORDS.items() if counts[how])
    was = "number was" if total == 1 else "numbers were"
    return f"{total:,} {was} missing: {told}."


def unrecovered(ledger: pd.DataFrame) -> int:
    """How many numbers are lost, or open when the log ends."""
    return int(ledger.loc[~ledger["how"].isin(_RECOVERED), "count"].sum())


def by_side(faults: pd.DataFrame) -> str:
    """Whose these faults are: each side with its count, those with most first."""
    sides = faults["side"].astype("str").where(faults["side"].notna(), "an unknown side")
    counts = sides.value_counts()
    if len(counts) == 1:
        return f"by {counts.index[0]}"
    told = ", ".join(f"{count:,} by {side}" for side, count in counts.head(_SIDES_MAX).items())
    rest = counts.iloc[_SIDES_MAX:]
    others = f"{len(rest):,} other{'s' * (len(rest) > 1)}"
    return f"{told} and {int(rest.sum()):,} by {others}" if len(rest) else told


def _runs(ledger: pd.DataFrame) -> pd.DataFrame:
    """Rows whose numbers follow each other and whose fate is the same, as one."""
    begin, end = ledger["begin_seq_no"].to_numpy(), ledger["end_seq_no"].to_numpy()
    joined = begin[1:] == end[:-1] + 1
    for name in ("session", "sender", "epoch", "noticed_row", "requested_row", "how"):
        code, _ = pd.factorize(ledger[name], use_na_sentinel=False)
        joined &= code[1:] == code[:-1]
    first = np.flatnonzero(np.r_[True, ~joined])
    last = np.r_[first[1:], len(ledger)] - 1
    runs = ledger.iloc[first].reset_index(drop=True)
    for name in ("end_seq_no", "ended", "duration_ms"):
        runs[name] = ledger[name].array[last]
    return runs


def _run_row(run: dict[Any, Any], times: Times) -> str:
    how = str(run["how"])
    asked = times.told(run["requested"])
    often = int(run["requests"])
    if often > 1:
        asked = f"{often}×, first {asked}"
    return (
        f"<tr{' class=gone' if how in ('lost', 'open') else ''}>"
        f"<td>{numbers_of(run['begin_seq_no'], run['end_seq_no'])}</td>"
        f"<td>{_text(str(run['sender']))}</td><td>{_text(str(run['receiver']))}</td>"
        f"<td>{times.told(run['noticed'])}</td><td>{asked or 'never'}</td>"
        f"<td>{_WORDS.get(how, how)}</td><td>{times.told(run['ended'])}</td>"
        f"<td>{duration(run['duration_ms'])}</td></tr>"
    )


# ResendRequests -----------------------------------------------------------------------


def requests_table(resends: pd.DataFrame, times: Times) -> Iterator[str]:
    """One row for each ResendRequest, in the order of the log."""
    if resends.empty:
        return
    yield "<h2>ResendRequests and their answers</h2>"
    shown = resends.head(_REQUESTS_MAX).to_dict("records")
    yield _wide(
        "requests",
        _REQUEST_HEADS,
        "".join(_request_row(row, times) for row in shown),
    )
    if len(resends) > _REQUESTS_MAX:
        yield f'<p class="key">{len(resends) - _REQUESTS_MAX:,} more rows are not shown.</p>'


def _request_row(row: dict[Any, Any], times: Times) -> str:
    how = str(row["how"])
    again = "" if pd.isna(row["covered_by"]) else "<small>was asked for already</small>"
    own = "" if pd.isna(row["msg_seq_num"]) else str(row["msg_seq_num"])
    return (
        f"<tr><td>{times.told(row['time'])}</td><td>{_text(str(row['asked_by']))}</td>"
        f"<td>{own}</td><td>{numbers_of(row['begin_seq_no'], row['end_seq_no'])}{again}</td>"
        f"<td>{row['missing']}</td><td>{row['replayed']}</td><td>{row['filled']}</td>"
        f"<td>{_ANSWERS.get(how, how)}</td>"
        f"<td>{duration(row['duration_ms'])}</td></tr>"
    )
