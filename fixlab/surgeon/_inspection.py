"""inspect(): what is in a store, as frames, and what does not fit the rest of it."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from sys import intern

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab.errors import ConfigError, StoreError
from fixlab.facts import message_name
from fixlab.frames import MISSING, STORE_PROBLEMS, STORED, STORES, build, categorical
from fixlab.redact import escape, mask, printable
from fixlab.surgeon._messages import Facts, read
from fixlab.surgeon._showing import count_of, html, text, with_ranges
from fixlab.surgeon._sources import Found, Problem, Source, find, runs
from fixlab.times import NANOSECONDS, format_utc
from fixlab.wire.tags import ADMIN_TYPES

_SHOWN = 12  # rows of a table that are shown at once
_INT64_MAX = 2**63 - 1


def inspect(path: str | os.PathLike[str], *, session: str | None = None) -> Inspection:
    """All that is in the store at `path`, of fixlab's or any QuickFIX's layout.

    Parameters: `path`, a folder with the stores of any number of sessions, one of a store's
    files or their common prefix, an SQLite file of `SQLiteStore`, or one with the tables
    `sessions` and `messages` of QuickFIX; `session`, a `Session.id` or a file prefix, to look
    at that one alone. Nothing is changed.

    Returns an `Inspection`: `table` (schema `stored`), `sessions` (schema `stores`) and
    `problems` (schema `store_problems`). Raises `StoreError` when there is no store, or it
    cannot be read at all, and `ConfigError` when `session` is not there.
    """
    place = Path(path)
    return Inspection(place, [Opened(source) for source in find(place, session)])


class Opened:
    """A source with its messages read, in columns, and all its problems."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.seqs, self.offsets, self.lengths = array("q"), array("q"), array("q")
        self.times = array("q")  # SendingTime(52), or MISSING
        self.types: list[str] = []
        self.poss_dups, self.poss_resends = bytearray(), bytearray()
        self.bad: dict[int, tuple[str, str]] = {}  # position -> code and defect
        for message in source.messages():
            self._add(message, read(message.raw))
        self.problems = [*source.problems, *_problems(self)]

    def _add(self, message: Found, facts: Facts) -> None:
        if (wrong := _defect(self.source, message.seq, facts)) is not None:
            self.bad[len(self.seqs)] = wrong
        self.seqs.append(min(message.seq, _INT64_MAX))
        self.offsets.append(_or_missing(message.offset))
        self.lengths.append(len(message.raw))
        self.times.append(_or_missing(facts.sending_time))
        self.types.append(intern(printable(facts.msg_type)))
        self.poss_dups.append(facts.poss_dup)
        self.poss_resends.append(facts.poss_resend)

    def application(self) -> int:
        """How many messages are none of the session layer's own."""
        return sum(kind not in ADMIN_TYPES for kind in self.types)

    def holes(self) -> Iterator[tuple[int, int]]:
        """The ranges below NextNumOut without a message, when messages are kept at all."""
        if not self.seqs or self.source.next_out is None:
            return
        expected = 1
        for seq in [*(s for s in self.seqs if s < self.source.next_out), self.source.next_out]:
            if seq > expected:
                yield expected, seq - 1
            expected = seq + 1


class Inspection:
    """What is in the stores at `path`: three frames, and the bytes of each message.

    `table` has one row a stored message (schema `stored`), `sessions` one a session (schema
    `stores`), `problems` one a thing that does not fit (schema `store_problems`). Shown in a
    notebook or printed, it gives them all in short.
    """

    def __init__(self, path: Path, opened: Sequence[Opened]) -> None:
        self.path = path
        self._opened = list(opened)
        self.table = _table(self._opened)
        self.problems = _problem_frame(self._opened)
        self.sessions = _sessions(self._opened)

    def to_frame(self) -> pd.DataFrame:
        """The messages: the same as `table`."""
        return self.table

    @property
    def ok(self) -> bool:
        """Whether no problem is an error."""
        return not (self.problems["level"] == "error").any()

    def raw(self, row: int) -> bytes:
        """The exact bytes of the message in that row of `table`; secrets are in the clear.

        Raises `ConfigError` when there is no such row.
        """
        return self._message(row).raw

    def message(self, row: int) -> str:
        """The message in that row of `table` as people read it, secrets masked."""
        return printable(mask(self._message(row).raw).replace(b"\x01", b"|"))

    def _message(self, row: int) -> Found:
        if not 0 <= row < len(self.table):
            raise ConfigError(f"expected a row from 0 to {len(self.table) - 1}, found {row}")
        place = row
        for opened in self._opened:
            if place < len(opened.seqs):
                break
            place -= len(opened.seqs)
        for message in opened.source.messages(opened.seqs[place]):
            if message.seq == opened.seqs[place]:
                return message
            break
        raise StoreError(
            f"{self.path}: message {opened.seqs[place]} is gone since it was inspected"
        )

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        parts = (
            count_of(len(self.sessions), "session"),
            count_of(len(self.table), "message"),
            count_of(len(self.problems), "problem"),
        )
        return f"<Inspection of {printable(self.path.name)}: {', '.join(parts)}>"

    def __str__(self) -> str:
        stores = [_in_words(store) for store in self._opened[:_SHOWN]]
        if self._opened[_SHOWN:]:
            stores.append(f"and {len(self._opened) - _SHOWN} more sessions")
        parts = [f"{title}\n{text(frame)}" for title, frame in self._parts()]
        return "\n\n".join(stores + parts)

    def _repr_html_(self) -> str:
        parts = [f"<p>{escape(repr(self))}</p>", html(self.sessions)]
        parts += [
            f"<p><b>{escape(title)}</b></p>{html(frame)}" for title, frame in self._parts()
        ]
        return "".join(parts)

    def _parts(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """What is shown of messages and problems: titles and short frames."""
        alone = [] if len(self._opened) > 1 else ["session"]
        if len(self.table):
            last = self.table.tail(_SHOWN)
            title = f"Messages, the last {len(last)} of {len(self.table):,}"
            if self.table["valid"].all():
                alone = [*alone, "defect"]
            yield title, last[_MESSAGE_COLUMNS].drop(columns=alone)
        if len(self.problems):
            first = self.problems.head(_SHOWN)
            title = f"Problems, the first {_SHOWN} of {len(self.problems):,}"
            yield (
                title if len(first) < len(self.problems) else "Problems",
                with_ranges(first).drop(columns=[n for n in alone if n == "session"]),
            )
        else:
            yield "Problems", self.problems


_MESSAGE_COLUMNS = ["session", "msg_seq_num", "msg_type", "name", "sending_time", "defect"]


def _in_words(opened: Opened) -> str:
    """A session's store in a few lines."""
    source = opened.source
    created = "nobody knows when"
    if source.created is not None:
        created = format_utc(max(source.created, 0), 0).decode()
    numbers = (
        f"NextNumOut {_or_unreadable(source.next_out)}, NextNumIn "
        f"{_or_unreadable(source.next_in)}; both were 1 at {created}"
    )
    stored = "no message stored"
    if opened.seqs:
        holes = sum(end - begin + 1 for begin, end in opened.holes())
        stored = (
            f"{count_of(len(opened.seqs), 'message')} stored, {opened.seqs[0]} to "
            f"{opened.seqs[-1]}, {opened.application():,} of them for a resend; "
            f"{count_of(holes, 'number')} without a message"
        )
    return f"{printable(source.session)} (layout {source.layout})\n  {numbers}\n  {stored}"


def _or_unreadable(number: int | None) -> str:
    return "unreadable" if number is None else str(number)


# Checks --------------------------------------------------------------------------------------


def _defect(source: Source, seq: int, facts: Facts) -> tuple[str, str] | None:
    """Code and words for what is wrong with a message in its place; None when nothing is."""
    if facts.defect:
        return "garbled", facts.defect
    number = facts.number
    if not (number.isascii() and number.isdigit()) or int(number[:24]) != seq:
        return "other_number", f"MsgSeqNum(34) is {printable(number[:24])}, stored under {seq}"
    if not source.belongs(facts.begin_string, facts.sender, facts.target):
        name = f"{facts.begin_string}:{facts.sender}->{facts.target}"
        return "other_session", f"is of session {printable(name)}"
    return None


def _problems(opened: Opened) -> Iterator[Problem]:
    """What the messages show, in the order of the numbers."""
    source = opened.source
    where = source.path.name
    yield from _bad_messages(opened, where)
    if source.next_out is not None:
        ahead = [seq for seq in opened.seqs if seq >= source.next_out]
        for begin, end in runs(ahead):
            what = f"stored at or above NextNumOut {source.next_out}: given out again soon"
            yield Problem("error", "stored_ahead", what, where, begin, end)
    for begin, end in opened.holes():
        what = (
            f"{count_of(end - begin + 1, 'number')} without a message: gap-filled if asked for"
        )
        yield Problem("warning", "hole", what, where, begin, end)
    if not opened.seqs and (source.next_out or 1) > 1:
        what = f"no message is kept, yet {(source.next_out or 1) - 1} were sent"
        yield Problem("note", "nothing_stored", what, where)
    yield from _created_late(opened, where)


def _bad_messages(opened: Opened, where: str) -> Iterator[Problem]:
    """One problem for each run of messages with the same defect."""
    bad = opened.bad
    for (code, defect), run in groupby(bad, key=bad.__getitem__):
        positions = list(run)
        first, last = positions[0], positions[-1]
        offset = opened.offsets[first]
        place = where if offset == MISSING else f"{where}.body, byte {offset}"
        yield Problem("error", code, defect, place, opened.seqs[first], opened.seqs[last])


def _created_late(opened: Opened, where: str) -> Iterator[Problem]:
    """A store made anew cannot hold messages from before: a schedule would be misled."""
    created = opened.source.created
    if created is None:
        return
    # Some layouts keep whole seconds, and a message may come within the same one.
    older = [
        seq
        for seq, time in zip(opened.seqs, opened.times, strict=True)
        if MISSING < time < created - NANOSECONDS
    ]
    if older:
        what = (
            f"{count_of(len(older), 'message')} left before the store began, which was "
            f"{format_utc(created, 0).decode()}"
        )
        yield Problem("error", "created_late", what, where, older[0], older[-1])


# Frames --------------------------------------------------------------------------------------


def _table(opened: Sequence[Opened]) -> pd.DataFrame:
    types = [kind for store in opened for kind in store.types]
    names = {kind: message_name(kind) or "" for kind in set(types)}
    bad = [store.bad.get(i, _NOT_BAD)[1] for store in opened for i in range(len(store.seqs))]
    return build(
        STORED,
        {
            "session": _sessions_of(opened),
            "msg_seq_num": _joined(store.seqs for store in opened),
            "msg_type": types,
            "name": [names[kind] for kind in types],
            "sending_time": _joined(store.times for store in opened),
            "poss_dup": np.frombuffer(b"".join(s.poss_dups for s in opened), np.bool_),
            "poss_resend": np.frombuffer(b"".join(s.poss_resends for s in opened), np.bool_),
            "admin": [kind in ADMIN_TYPES for kind in types],
            "length": _joined(store.lengths for store in opened),
            "offset": _joined(store.offsets for store in opened),
            "valid": [not defect for defect in bad],
            "defect": bad,
        },
    )


_NOT_BAD = ("", "")


def _sessions_of(opened: Sequence[Opened]) -> pd.Categorical:
    """The session of each message, without a string for each."""
    names = sorted({store.source.session for store in opened if store.seqs})
    positions = [names.index(store.source.session) if store.seqs else 0 for store in opened]
    return categorical(np.repeat(positions, [len(store.seqs) for store in opened]), names)


def _joined(columns: Iterable[array[int]]) -> npt.NDArray[np.int64]:
    return np.concatenate([np.asarray(column, dtype=np.int64) for column in columns])


def _sessions(opened: Sequence[Opened]) -> pd.DataFrame:
    sources = [store.source for store in opened]
    return build(
        STORES,
        {
            "session": [source.session for source in sources],
            "layout": [str(source.layout) for source in sources],
            "next_out": [_or_missing(source.next_out) for source in sources],
            "next_in": [_or_missing(source.next_in) for source in sources],
            "created": [_or_missing(source.created) for source in sources],
            "messages": [len(store.seqs) for store in opened],
            "application": [store.application() for store in opened],
            "first": [store.seqs[0] if store.seqs else MISSING for store in opened],
            "last": [store.seqs[-1] if store.seqs else MISSING for store in opened],
            "holes": [sum(e - b + 1 for b, e in store.holes()) for store in opened],
            "problems": [
                sum(problem.level != "note" for problem in store.problems) for store in opened
            ],
        },
    )


def _problem_frame(opened: Sequence[Opened]) -> pd.DataFrame:
    rows = [(s.source.session, problem) for s in opened for problem in s.problems]
    return build(
        STORE_PROBLEMS,
        {
            "session": [session for session, _ in rows],
            "level": [problem.level for _, problem in rows],
            "code": [problem.code for _, problem in rows],
            "begin_seq_no": [_or_missing(problem.begin) for _, problem in rows],
            "end_seq_no": [_or_missing(problem.end) for _, problem in rows],
            "what": [printable(problem.what) for _, problem in rows],
            "where": [printable(problem.where) for _, problem in rows],
        },
    )


def _or_missing(value: int | None) -> int:
    # What is beyond int64 cannot be in a frame; clipped, it is still far too much.
    return MISSING if value is None else max(MISSING + 1, min(value, _INT64_MAX))
