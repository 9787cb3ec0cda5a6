"""plan_edit(): what a change of a store's counters would cause, told before it is made."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from fixlab.errors import ConfigError
from fixlab.frames import STORE_EDIT, build
from fixlab.redact import escape, printable
from fixlab.surgeon._apply import Counters, Editor, editor_of
from fixlab.surgeon._inspection import Inspection, Opened
from fixlab.surgeon._showing import (
    count_of,
    counted_types,
    html,
    range_of,
    text,
    with_ranges,
)
from fixlab.surgeon._sources import Source, find
from fixlab.wire.tags import ADMIN_TYPES

_NUMBER_MAX = 2**63 - 1


class Consequence(NamedTuple):
    """One thing that an edit causes; the range is that of the numbers it is about."""

    counter: str
    effect: str
    begin: int
    end: int
    rule: str
    text: str


def plan_edit(
    path: str | os.PathLike[str],
    *,
    next_out: int | None = None,
    next_in: int | None = None,
    session: str | None = None,
) -> EditPlan:
    """What setting NextNumOut or NextNumIn of a store would cause; nothing is changed yet.

    Parameters: `path` as for `inspect`; `next_out` and `next_in`, the new counters (None
    leaves one as it is); `session`, the `Session.id` or the file prefix, needed when there are
    several stores at `path`.

    Returns an `EditPlan`: read it, then call its `apply()`. It takes the peer to be in step
    with the store as it is. Raises `ConfigError` for a number that is none, nothing to change,
    or a session that is not there, and `StoreError` as `inspect` does.
    """
    for name, value in (("next_out", next_out), ("next_in", next_in)):
        _check_number(name, value)
    if next_out is None and next_in is None:
        raise ConfigError("nothing to change: give next_out or next_in")
    source = _chosen(Path(path), session)
    # Before the messages are read: what changes from now on is noticed by apply().
    editor = editor_of(source)
    return EditPlan(
        Opened(source),
        editor,
        _after("next_out", source.next_out, next_out),
        _after("next_in", source.next_in, next_in),
    )


class EditPlan:
    """A change of a store's counters, and what would follow; `apply()` makes it.

    `table` has one row a consequence (schema `store_edit`), `affected` the stored messages
    that it is about (schema `stored`). Printed, it says all of it in words.
    """

    def __init__(self, opened: Opened, editor: Editor, next_out: int, next_in: int) -> None:
        source = opened.source
        self.session = source.session
        self.path = source.path
        self.before = (source.next_out, source.next_in)
        self.after: Counters = (next_out, next_in)
        self._editor = editor
        consequences = [*_of_next_out(opened, next_out), *_of_next_in(source, next_in)]
        if self.after == (1, 1) != self.before:
            consequences.append(_reset_note())
        self.table = _table(consequences)
        messages = Inspection(source.path, [opened]).table
        low, high = sorted((_out_before(opened), next_out))
        self.affected = messages[messages["msg_seq_num"].between(low, high - 1)].reset_index(
            drop=True
        )

    def to_frame(self) -> pd.DataFrame:
        """The consequences: the same as `table`."""
        return self.table

    def apply(self) -> Path:
        """Write the counters, and return where the store as it was is kept.

        For the files of C++ QuickFIX the copy is a folder beside them, for an SQLite file
        another file beside it; the name ends in `.backup-` and the next free number. Raises
        `StoreError`, and changes nothing, when the store is in use, was changed since the plan
        was made, or has a layout that is only read. QuickFIX takes no lock: stop it first.
        """
        return self._editor.apply(self.after)

    def __repr__(self) -> str:
        parts = (*self._changes(), count_of(len(self.table), "consequence"))
        return f"<EditPlan for {printable(self.session)}: {', '.join(parts)}>"

    def __str__(self) -> str:
        head = [
            printable(f"{self.session} in {self.path.name}"),
            *(f"  {change}" for change in self._changes()),
            "",
        ]
        if not len(self.table):
            return "\n".join([*head, "Nothing changes."])
        return "\n".join([*head, text(self._shown())])

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{html(self._shown())}"

    def _shown(self) -> pd.DataFrame:
        return with_ranges(self.table).drop(columns="count")

    def _changes(self) -> tuple[str, str]:
        return (
            _change("NextNumOut", self.before[0], self.after[0]),
            _change("NextNumIn", self.before[1], self.after[1]),
        )


def _check_number(name: str, value: object) -> None:
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _NUMBER_MAX:
        raise ConfigError(f"{name} must be a whole number from 1, found {value!r}")


def _chosen(path: Path, session: str | None) -> Source:
    """The one store that is meant."""
    sources = find(path, session)
    if len(sources) > 1:
        names = ", ".join(printable(source.session) for source in sources[:8])
        raise ConfigError(
            f"{path}: holds {len(sources)} stores; say which session, one of {names}"
        )
    return sources[0]


def _after(name: str, before: int | None, wanted: int | None) -> int:
    if wanted is None and before is None:
        raise ConfigError(
            f"{name} cannot be read from the store, so both next_out and next_in are needed"
        )
    after = before if wanted is None else wanted
    assert after is not None, "one of them is a number"
    return after


# Consequences --------------------------------------------------------------------------------


def _out_before(opened: Opened) -> int:
    """NextNumOut as the peer may know it: one past what is stored when it is unreadable."""
    if opened.source.next_out is not None:
        return opened.source.next_out
    return min(opened.seqs[-1] + 1, _NUMBER_MAX) if opened.seqs else 1


def _of_next_out(opened: Opened, after: int) -> Iterator[Consequence]:
    before = _out_before(opened)
    if opened.source.next_out is None:
        words = (
            f"NextNumOut cannot be read from the store. The highest stored number is "
            f"{before - 1}, so the peer is taken to expect {before}."
        )
        yield Consequence("next_out", "note", before, before, "SEQ-13", words)
    if after < before:
        yield from _out_lowered(opened, before, after)
    elif after > before:
        yield from _out_raised(opened, before, after)


def _out_lowered(opened: Opened, before: int, after: int) -> Iterator[Consequence]:
    yield Consequence(
        "next_out",
        "stops",
        after,
        before - 1,
        "SEQ-03",
        f"The peer, which expects {before}, will see MsgSeqNum too low ({after}), log out and "
        f"disconnect. The session only comes up once the peer expects {after} as well.",
    )
    yield Consequence(
        "next_out",
        "note",
        after,
        before - 1,
        "SEQ-15",
        f"{_numbers(after, before - 1)} will be given out a second time. Until a new message "
        f"takes the place of an old one, a ResendRequest for its number brings the old one.",
    )
    kinds = _stored_kinds(opened, after, before - 1)
    if total := kinds.total():
        yield Consequence(
            "next_out",
            "lost",
            after,
            before - 1,
            "RSP-01",
            f"{count_of(total, 'application message')} stored under these numbers will be "
            f"replaced, and can then not be sent again: {counted_types(kinds)}.",
        )


def _out_raised(opened: Opened, before: int, after: int) -> Iterator[Consequence]:
    begin, end = before, after - 1
    yield Consequence(
        "next_out",
        "asked",
        begin,
        end,
        "SEQ-05",
        f"The peer, which expects {before}, will see MsgSeqNum too high ({after}) and ask for "
        f"{range_of(begin, end)} with a ResendRequest.",
    )
    kinds = _stored_kinds(opened, begin, end)
    total = kinds.total()
    if total:
        yield Consequence(
            "next_out",
            "resent",
            begin,
            end,
            "RSP-01",
            f"Of these, {count_of(total, 'application message')} in the store will be sent, "
            f"with PossDupFlag(43)=Y: {counted_types(kinds)}.",
        )
    filled = after - before - total
    if filled:
        stored = _stored_between(opened, begin, end)
        parts = {"of admin messages": stored - total, "without a stored message": filled}
        parts["without a stored message"] -= stored - total
        words = " and ".join(f"{number:,} {what}" for what, number in parts.items() if number)
        yield Consequence(
            "next_out",
            "filled",
            begin,
            end,
            "RSP-02",
            f"{count_of(filled, 'number')} will be gap-filled: {words}.",
        )


def _of_next_in(source: Source, after: int) -> Iterator[Consequence]:
    before = source.next_in
    if before is None:
        words = (
            f"NextNumIn cannot be read from the store, so it is not known whether {after} "
            f"makes the peer's messages come twice, or leaves some out."
        )
        yield Consequence("next_in", "note", after, after, "SEQ-13", words)
    elif after < before:
        yield from _in_lowered(before, after)
    elif after > before:
        yield from _in_raised(before, after)


def _in_lowered(before: int, after: int) -> Iterator[Consequence]:
    begin, end = after, before - 1
    yield Consequence(
        "next_in",
        "asked",
        begin,
        end,
        "RRQ-01",
        f"The peer's next message has number {before} or above, which will be too high: we "
        f"will ask for {range_of(begin, end)} with a ResendRequest.",
    )
    yield Consequence(
        "next_in",
        "twice",
        begin,
        end,
        "SEQ-11",
        "The application messages among them will be processed a second time, with "
        "PossDupFlag(43)=Y as the only sign; the peer gap-fills the rest.",
    )


def _in_raised(before: int, after: int) -> Iterator[Consequence]:
    begin, end = before, after - 1
    yield Consequence(
        "next_in",
        "stops",
        begin,
        end,
        "SEQ-03",
        f"If the peer's next message has number {before}, as this store expects, we will see "
        f"MsgSeqNum too low, log out and disconnect.",
    )
    yield Consequence(
        "next_in",
        "lost",
        begin,
        end,
        "RRQ-01",
        f"Messages {range_of(begin, end)} of the peer will never be asked for: those it has "
        f"sent are lost.",
    )


def _reset_note() -> Consequence:
    return Consequence(
        "next_out",
        "note",
        1,
        1,
        "SCH-06",
        "Both counters at 1 is a reset by this side alone. The peer must reset as well, or our "
        "Logon tell it to with ResetSeqNumFlag(141)=Y (from FIX.4.1 on, LGN-17).",
    )


def _stored_kinds(opened: Opened, begin: int, end: int) -> Counter[str]:
    """How many stored application messages of each MsgType(35) a range has."""
    return Counter(
        kind
        for seq, kind in zip(opened.seqs, opened.types, strict=True)
        if begin <= seq <= end and kind not in ADMIN_TYPES
    )


def _stored_between(opened: Opened, begin: int, end: int) -> int:
    return sum(begin <= seq <= end for seq in opened.seqs)


def _numbers(begin: int, end: int) -> str:
    return f"{'Number' if begin == end else 'Numbers'} {range_of(begin, end)}"


def _change(name: str, before: int | None, after: int) -> str:
    if before == after:
        return f"{name} stays {after}"
    return f"{name} {'unreadable' if before is None else before} -> {after}"


def _table(consequences: list[Consequence]) -> pd.DataFrame:
    return build(
        STORE_EDIT,
        {
            "counter": [each.counter for each in consequences],
            "effect": [each.effect for each in consequences],
            "begin_seq_no": [each.begin for each in consequences],
            "end_seq_no": [each.end for each in consequences],
            "count": [each.end - each.begin + 1 for each in consequences],
            "rule": [each.rule for each in consequences],
            "text": [each.text for each in consequences],
        },
    )
