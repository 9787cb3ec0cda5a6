"""ledger(): one row for each missing number, and what became of it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from fixlab.analysis._events import Event, Kind
from fixlab.analysis._reconstruct import reconstruct
from fixlab.analysis._recorded import frame_of
from fixlab.analysis._rows import Places, milliseconds, taken
from fixlab.frames import HOW_ENDED, LEDGER, MISSING, build, categorical, nanoseconds, numbers

# Numbers with one fate that become a row each; beyond it they are one row.
SINGLE_MAX = 10_000
# Rows in all; beyond it, ranges stay ranges.
ROWS_MAX = 2_000_000

_ENDS = {
    Kind.REPLAYED: "replayed",
    Kind.FILLED: "gap_filled",
    Kind.LATE: "late",
    Kind.LOST: "lost",
    # Of numbers that were given up: they came after all.
    Kind.REPEATED: "replayed",
    Kind.TOO_LOW: "late",
}
_CARRIES_ON = ("open", "lost", "unknown")  # what may still come


@dataclass(slots=True)
class Piece:
    """Missing numbers that share all that is known of them."""

    begin: int
    end: int
    gap: Event
    asks: int = 0
    asked: Event | None = None
    how: str = "open"
    ended: Event | None = None


def ledger(frame: Any, *, expected_start: Mapping[str, int] | None = None) -> pd.DataFrame:
    """One row for each missing number and direction: who missed it, and how it ended.

    Parameters
    - `frame`: a `messages` frame, a `Log`, or a `transitions` frame.
    - `expected_start`: CompID -> the first MsgSeqNum(34) due from it, where you know it.

    Returns a frame of schema `fixlab.frames.LEDGER`, in the order in which numbers were
    noticed. A number is missing when it is not in the log where it should be ("hole"), or when
    the log shows that it left, or begins after it, and the receiver asks for it ("asked").
    Resets of both numbers begin a new `epoch`, in which a number is another one. More than
    10,000 numbers in a row with one fate, or what would take the frame beyond 2 million rows,
    stay one row: `count` says how many it stands for.

    `how` says how it ended: "replayed", "gap_filled" (nothing was sent again: if it was an
    order, it is as good as lost), "late", "reset", "lost", still "open", or "unknown". For
    example, what did not come back:

        ledger = fixlab.ledger(fixlab.read_log("venue.log"))
        ledger[ledger["how"] != "replayed"]

    Raises `SchemaError` for another frame, `ConfigError` for a wrong `expected_start`.

    Source: SEQ-05, RRQ-01, RRQ-05, RRQ-09, RSP-01, RSP-04, SQR-02, SQR-07.
    """
    made = reconstruct(frame, expected_start=expected_start)
    frame = frame_of(frame)
    pieces = pieces_of(made.events)
    return _table(frame, pieces)


def pieces_of(events: list[Event]) -> list[Piece]:
    """The pieces, in the order in which they were noticed."""
    accounts: dict[tuple[str, str], _Account] = {}
    closed: list[Piece] = []
    for event in events:
        if event.kind not in _LISTENED:
            continue
        key = (event.session, event.sender)
        account = accounts.get(key)
        if account is None:
            account = accounts[key] = _Account()
        if event.kind is Kind.EPOCH:
            account.end(event, 0, None, "reset")
            closed += account.pieces
            accounts[key] = _Account()
        else:
            account.take(event)
    for account in accounts.values():
        closed += account.pieces
    return sorted(closed, key=lambda piece: (piece.gap.row, piece.gap.session, piece.begin))


class _Account:
    """The missing numbers of one direction and epoch: disjoint pieces, ascending."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self._begins: list[int] = []

    def take(self, event: Event) -> None:
        if event.kind is Kind.GAP:
            if event.cause != "again":
                self._notice(event)
        elif event.kind is Kind.ASKED:
            self._ask(event)
        elif event.kind is Kind.REWOUND:
            self.end(event, event.begin or 0, None, "reset")
        elif event.kind is Kind.RESET:
            if event.cause in ("raised", "same", "unknown"):
                self.end(event, 0, None, "reset")
        elif event.kind is not Kind.TOO_LOW or event.cause != "logon":
            lost = event.kind is Kind.LOST and event.cause == "unknown"
            how = "unknown" if lost else _ENDS[event.kind]
            self.end(event, event.begin or 0, event.end, how)

    def _notice(self, gap: Event) -> None:
        assert gap.begin is not None
        assert gap.end is not None
        at = gap.begin
        for piece in self._inside(gap.begin, gap.end):
            # Missing once more: its history goes on.
            piece.how, piece.ended = "open", None
            if at < piece.begin:
                self._insert(Piece(at, piece.begin - 1, gap))
            at = piece.end + 1
        if at <= gap.end:
            self._insert(Piece(at, gap.end, gap))

    def _ask(self, request: Event) -> None:
        if request.begin is None or request.end is None or request.cause == "invalid":
            return
        if request.cause == "next_expected":
            return
        for piece in self._inside(request.begin, request.end):
            if piece.how in _CARRIES_ON:
                piece.asks += 1
                piece.asked = piece.asked or request

    def end(self, event: Event, begin: int, end: int | None, how: str) -> None:
        """What is still missing of begin..end, or from begin on, ends so."""
        if not self.pieces:
            return
        last = self.pieces[-1].end if end is None else end
        for piece in self._inside(begin, last):
            if piece.how in _CARRIES_ON and (how != "reset" or piece.how == "open"):
                piece.how, piece.ended = how, event

    def _inside(self, begin: int, end: int) -> list[Piece]:
        """The pieces in begin..end, cut at its edges first."""
        self._split(begin)
        self._split(end + 1)
        low = bisect_left(self._begins, begin)
        return self.pieces[low : bisect_right(self._begins, end)]

    def _split(self, at: int) -> None:
        place = bisect_left(self._begins, at) - 1
        if place >= 0 and self.pieces[place].end >= at:
            piece = self.pieces[place]
            self._insert(replace(piece, begin=at))
            piece.end = at - 1

    def _insert(self, piece: Piece) -> None:
        place = bisect_left(self._begins, piece.begin)
        self.pieces.insert(place, piece)
        self._begins.insert(place, piece.begin)


_LISTENED = frozenset(
    {Kind.GAP, Kind.ASKED, Kind.RESET, Kind.EPOCH, Kind.REWOUND, *_ENDS},
)


def _table(frame: pd.DataFrame, pieces: list[Piece]) -> pd.DataFrame:
    single = _alone(pieces)
    parts = list(_numbered(pieces, single, Places(frame)))
    piece_of = np.concatenate([p for p, *_ in parts]) if parts else np.empty(0, np.int64)
    begin = np.concatenate([b for _, b, _, _ in parts]) if parts else piece_of
    end = np.concatenate([e for _, _, e, _ in parts]) if parts else piece_of
    ended = np.concatenate([r for *_, r in parts]) if parts else piece_of
    gaps = [piece.gap for piece in pieces]
    noticed_row = np.array([gap.row for gap in gaps], np.int64)[piece_of]
    asked = np.array([-1 if p.asked is None else p.asked.row for p in pieces], np.int64)
    time = nanoseconds(frame, "time")
    noticed, over = taken(time, noticed_row), taken(time, ended)

    def of_piece(values: list[Any]) -> Any:
        return np.array(values, object)[piece_of].tolist() if values else []

    def integers(values: list[int]) -> Any:
        return np.array(values, np.int64)[piece_of]

    return build(
        LEDGER,
        {
            "session": of_piece([gap.session for gap in gaps]),
            "sender": of_piece([gap.sender for gap in gaps]),
            "receiver": of_piece([gap.receiver for gap in gaps]),
            "epoch": integers([gap.epoch for gap in gaps]),
            "connection": integers([gap.connection for gap in gaps]),
            "begin_seq_no": begin,
            "end_seq_no": end,
            "count": end - begin + 1,
            "seen": of_piece([gap.cause for gap in gaps]),
            "noticed": noticed,
            "noticed_row": noticed_row,
            "noticed_by": numbers(frame[["msg_seq_num"]].iloc[noticed_row], "msg_seq_num"),
            "requests": integers([piece.asks for piece in pieces]),
            "requested": taken(time, asked[piece_of]),
            "requested_row": np.where(asked < 0, MISSING, asked)[piece_of],
            "how": categorical(
                integers([HOW_ENDED.index(piece.how) for piece in pieces]), HOW_ENDED
            ),
            "ended": over,
            "ended_row": np.where(ended < 0, MISSING, ended),
            "duration_ms": milliseconds(noticed, over),
        },
    )


def _alone(pieces: list[Piece]) -> list[bool]:
    """For each piece, whether its numbers become a row each."""
    single, total = [], 0
    for piece in pieces:
        size = piece.end - piece.begin + 1
        alone = size <= SINGLE_MAX and total + size <= ROWS_MAX
        total += size if alone else 1
        single.append(alone)
    return single


def _numbered(
    pieces: list[Piece], single: list[bool], places: Places
) -> Iterator[tuple[Any, Any, Any, Any]]:
    """Piece, first number, last number and last row of each row of the ledger, in parts."""
    for i, (piece, alone) in enumerate(zip(pieces, single, strict=True)):
        size = piece.end - piece.begin + 1
        if not alone:
            row = -1 if piece.ended is None else piece.ended.last_row
            whole = [np.array([n], np.int64) for n in (i, piece.begin, piece.end, row)]
            yield whole[0], whole[1], whole[2], whole[3]
            continue
        values = np.arange(piece.begin, piece.end + 1)
        if piece.ended is None:
            rows = np.full(size, -1, np.int64)
        else:
            rows = places.rows(piece.ended, values)
        yield np.full(size, i, np.int64), values, values, rows
