"""What became of each missing number: by the rules, number by number, as slowly as it takes.

Nothing here is shared with `fixlab.analysis`: no ranges, no runs, no events. It knows sessions
whose connections begin with a Logon from each side, and whose resets are asked for and
answered. Rules: FRM-06, SEQ-02 to SEQ-12, RRQ-01, RRQ-05, RRQ-09, SQR-01 to SQR-11, LGN-17,
DSC-04.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd


@dataclass
class Number:
    """One number that was missing."""

    noticed: int  # row
    seen: str  # "asked": the log shows that it left, so nobody knows what became of it
    asks: int = 0
    how: str = "open"
    ended: int | None = None  # row


@dataclass
class Gap:
    """From the first missing number until none is missing any more."""

    ordinal: int
    opened: int  # row
    begin: int
    end: int
    closed: int | None = None
    how: str = "open"
    requests: int = 0
    held: int = 0
    ends: list[str] = field(default_factory=list)


@dataclass
class Way:
    """Numbers of one sender, as the other side counts them."""

    view: str
    next: int | None = None
    epoch: int = 0
    # Number -> the connection in which it was noticed, and whether the log shows it left.
    missing: dict[int, tuple[int, bool]] = field(default_factory=dict)
    records: dict[tuple[int, int], Number] = field(default_factory=dict)  # by epoch, number
    gaps: list[Gap] = field(default_factory=list)
    requests: list[tuple[int, int, bool]] = field(default_factory=list)  # open ones
    asked: set[int] = field(default_factory=set)  # in this connection

    @property
    def gap(self) -> Gap | None:
        return self.gaps[-1] if self.gaps and self.gaps[-1].closed is None else None

    @property
    def expected(self) -> int | None:
        return min(self.missing) if self.missing else self.next

    def miss(self, begin: int, end: int, row: int, connection: int, seen: str) -> None:
        for number in range(begin, end + 1):
            self.missing[number] = connection, seen == "asked"
            record = self.records.setdefault((self.epoch, number), Number(row, seen))
            record.how, record.ended = "open", None
        if self.gap is None:
            self.gaps.append(Gap(len(self.gaps) + 1, row, begin, end))
        gap = self.gaps[-1]
        gap.begin, gap.end = min(gap.begin, begin), max(gap.end, end)

    def over(self, number: int, how: str, row: int, *, sure: bool = True) -> None:
        """A missing number is not missing any more."""
        unknown = (self.missing.pop(number)[1] or not sure) and how == "lost"
        record = self.records[self.epoch, number]
        record.how, record.ended = "unknown" if unknown else how, row
        if self.gap is not None:
            self.gap.ends.append(how)

    def came(self, number: int, how: str, row: int) -> None:
        """Missing or given up, it is here."""
        record = self.records.get((self.epoch, number))
        if number in self.missing:
            self.over(number, how, row)
        elif record is not None and record.how in ("lost", "unknown"):
            record.how, record.ended = how, row

    def close(self, row: int) -> None:
        gap = self.gap
        if gap is not None and not self.missing:
            kinds = {how for how in gap.ends if how in ("replayed", "gap_filled")}
            late = "late" if "late" in gap.ends else "lost"
            gap.closed = row
            gap.how = {"replayed": "resent"}.get(min(kinds, default=late), min(kinds or {late}))
            if len(kinds) == 2:
                gap.how = "mixed"

    def give_up(self, how: str, row: int) -> None:
        gap = self.gap
        if gap is not None:
            gap.closed, gap.how = row, how

    def answered(self, numbers: set[int]) -> None:
        """RRQ-05: a request is over with its last number."""
        self.requests = [one for one in self.requests if one[1] not in numbers]


@dataclass
class Talk:
    """A session."""

    ways: dict[str, Way] = field(default_factory=dict)
    connection: int = 0
    up: str = "down"  # "down", "logon" (one sent), "up", "logout" (one sent)
    was_up: bool = False  # in this connection
    first: str = ""  # who sent the Logon or Logout that waits
    reset: bool = False  # it asked for a reset
    last: int = -1  # row


def told(frame: pd.DataFrame) -> dict[tuple[str, str], Way]:
    """What is known of each session and sender."""
    talks: dict[str, Talk] = {}
    rows: list[Any] = frame.astype(object).where(frame.notna(), None).to_dict("records")
    for row, it in enumerate(rows):
        if not it["session"]:
            continue
        talk = talks.setdefault(it["session"], Talk())
        sender = it["sender"]
        if sender not in talk.ways:
            talk.ways[sender] = Way(it["direction"])
        if it["valid"]:  # FRM-06
            _message(talk, talk.ways[sender], row, it)
        talk.last = row
    return {(name, who): way for name, talk in talks.items() for who, way in talk.ways.items()}


def _message(talk: Talk, way: Way, row: int, it: dict[str, Any]) -> None:
    kind, number = it["msg_type"], it["msg_seq_num"]
    if kind == "4" and not it["gap_fill"]:
        _reset_to(way, it["new_seq_no"], row)
    elif kind == "4":
        _fill(talk, way, number, it["new_seq_no"], row)
    elif it["poss_dup"]:
        _again(talk, way, number, row)
    elif kind == "A":
        _logon(talk, way, it, row)
    else:
        _new(talk, way, number, row)
        other = next((one for one in talk.ways.values() if one is not way), None)
        if kind == "2" and other is not None:
            _asked(talk, other, it["begin_seq_no"], it["end_seq_no"], row)
        elif kind == "5" and talk.up == "logout" and it["sender"] != talk.first:
            _ended(talk, row)
        elif kind == "5":
            talk.up, talk.first = "logout", it["sender"]


def _new(talk: Talk, way: Way, number: int, row: int) -> None:
    if way.next is None:
        way.next = number
    if number < way.next:
        if number in way.missing:  # SEQ-03: it comes late
            way.answered({number})
        way.came(number, "late", row)
        way.close(row)
        return
    if way.missing and way.gap is None:  # RRQ-09: what the last connection left
        way.gaps.append(Gap(len(way.gaps) + 1, row, min(way.missing), max(way.missing)))
    if number > way.next:
        way.miss(way.next, number - 1, row, talk.connection, "hole")
    if way.gap is not None:
        way.gap.held += 1
    way.next = number + 1


def _again(talk: Talk, way: Way, number: int, row: int) -> None:
    if way.next is not None and number > way.next:  # SEQ-12
        way.miss(way.next, number - 1, row, talk.connection, "hole")
    way.came(number, "replayed", row)
    way.close(row)
    way.answered({number})
    if way.next is not None and number >= way.next:
        way.next = number + 1


def _fill(talk: Talk, way: Way, number: int, new: int, row: int) -> None:
    if new <= number:
        return
    if way.next is not None and number > way.next:  # SQR-03
        way.miss(way.next, number - 1, row, talk.connection, "hole")
    for each in range(number, new):
        way.came(each, "gap_filled", row)
    way.answered(set(range(number, new)))
    way.close(row)
    if way.next is not None:
        way.next = max(way.next, new)


def _reset_to(way: Way, new: int, row: int) -> None:
    if way.expected is not None and new < way.expected:
        return  # SQR-09
    for number in list(way.missing):
        way.over(number, "reset", row)
    way.give_up("reset", row)
    way.requests = [one for one in way.requests if one[1] >= new and not one[2]]
    way.next = new


def _asked(talk: Talk, way: Way, begin: int, end: int, row: int) -> None:
    assert way.next is not None
    last = way.next - 1
    is_open = end == 0 or (end == 999_999 and end > last)
    if begin < 1 or (not is_open and end < begin) or begin > last:
        return
    stop = last if is_open else min(end, last)
    asked = set(range(begin, stop + 1))
    if way.view != "in" and not asked & set(way.missing):
        # Whoever counts them does not have what the log shows to have left.
        way.miss(begin, stop, row, talk.connection, "asked")
    for number in asked:
        record = way.records.get((way.epoch, number))
        if record is not None and record.how in ("open", "lost", "unknown"):
            record.asks += 1
    if way.gap is not None:
        way.gap.requests += 1
    for number in sorted(way.missing):
        if number < begin and not any(a <= number <= b for a, b, _ in way.requests):
            way.over(number, "lost", row)  # the receiver goes on without it
    way.close(row)
    way.requests.append((begin, stop, is_open))
    way.asked |= asked


def _logon(talk: Talk, way: Way, it: dict[str, Any], row: int) -> None:
    waits = talk.up == "logon" and it["sender"] != talk.first
    asks = it["reset"]
    if waits:
        if talk.reset:
            _begin_anew(way, row)
            way.next = it["msg_seq_num"] + 1
        else:
            _new(talk, way, it["msg_seq_num"], row)
        talk.up, talk.reset, talk.was_up = "up", False, True
        return
    if asks and talk.up == "up":  # LGN-19: in session, so the connection goes on
        talk.up, talk.first, talk.reset = "logon", it["sender"], True
        _begin_anew(way, row)
        way.next = it["msg_seq_num"] + 1
        return
    if talk.up != "down":
        _ended(talk, talk.last)
    talk.connection += 1
    talk.up, talk.first, talk.reset = "logon", it["sender"], asks
    if asks:
        _begin_anew(way, row)
        way.next = it["msg_seq_num"] + 1
    else:
        _new(talk, way, it["msg_seq_num"], row)


def _begin_anew(way: Way, row: int) -> None:
    for number in list(way.missing):
        way.over(number, "reset", row)
    way.give_up("reset", row)
    way.epoch += 1
    way.requests, way.asked = [], set()


def _ended(talk: Talk, row: int) -> None:
    """DSC-04: numbers go on; RRQ-09: requests do not."""
    for way in talk.ways.values():
        way.requests = []
        # What its sender logged, the receiver may never have known to be missing.
        known = talk.was_up and way.view != "out" and way.gap is not None
        for number, (noticed, _) in list(way.missing.items()) if known else ():
            if noticed < talk.connection and number not in way.asked:
                # A whole connection did without it; its receiver's log shows all that came.
                way.over(number, "lost", row, sure=way.view == "in")
        way.close(row)
        way.give_up("abandoned", row)
        way.asked = set()
    talk.up, talk.was_up = "down", False
