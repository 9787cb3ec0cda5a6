"""reconcile(): two logs of one session, message by message; what was lost, changed, doubled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab import redact
from fixlab.analysis._clocks import UNKNOWN, Clock, estimate
from fixlab.analysis._events import Kind
from fixlab.analysis._flights import mirrored
from fixlab.analysis._joining import codes_of, paired
from fixlab.analysis._reconstruct import reconstruct
from fixlab.errors import ConfigError
from fixlab.frames import (
    FATES_OF_TWO,
    MESSAGES,
    MISSING,
    RECONCILIATION,
    build,
    categorical,
    check,
    codes,
    nanoseconds,
    numbers,
)

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_ABSENT = -1  # in place of a row: that log does not have the message
_OWN_TIMES = ("log", "capture")
_LATENCY_QUANTILE = 0.99  # of all latencies: what was on its way when a log ends is not lost
_TRANSPORT_TAGS = frozenset({9, 10})  # they follow from the others
_SHOWN_MAX = 20
_VALUE_MAX = 200  # characters of a value that differs
# What tells that a message was changed, where its bytes are not at hand.
_CONTENT = ("body_length", "check_sum", "sending_time", "msg_type", "valid")


class _Fields(Protocol):
    @property
    def fields(self) -> tuple[tuple[int, bytes], ...]: ...

    @property
    def raw(self) -> bytes | None: ...


class _Readable(Protocol):
    """A log whose messages can be read again."""

    @property
    def frame(self) -> pd.DataFrame: ...

    def message(self, row: int) -> _Fields: ...

    def messages(self, rows: Sequence[int] | None = None) -> Iterator[_Fields]: ...


class Difference(NamedTuple):
    """A field that left otherwise than it arrived; None where it was not there at all."""

    tag: int
    sent: str | None
    arrived: str | None


@dataclass(frozen=True, slots=True, repr=False)
class Reconciliation:
    """What two logs of a session say together.

    - `table`: one row a message, schema `fixlab.frames.RECONCILIATION`.
    - `clock`: how the second log's clock stands against the first one's.
    - `lost`, `changed`, `doubled`: the rows of `table` with that fate.
    - `differences(i)`: the fields in which a changed message differs; `i` is its row there.
    - `notes`: what limits the comparison, in words.
    """

    table: pd.DataFrame
    clock: Clock
    notes: tuple[str, ...]
    _logs: tuple[_Readable | None, _Readable | None]
    _ours: frozenset[str]  # CompIDs whose own log is the first one

    @property
    def lost(self) -> pd.DataFrame:
        """What left and never arrived, while the other log was being kept."""
        return self._having("lost")

    @property
    def changed(self) -> pd.DataFrame:
        """What arrived otherwise than it left."""
        return self._having("changed")

    @property
    def doubled(self) -> pd.DataFrame:
        """Copies of what had arrived already, and left once."""
        return self._having("doubled")

    def differences(self, row: int) -> tuple[Difference, ...]:
        """The fields in which the message in this row of `table` differs, secrets masked.

        Raises `ConfigError` when the row is not in both logs, or a log was given as a frame.
        """
        if row not in self.table.index:
            raise ConfigError(f"expected a row of the table, found {row}")
        found: dict[Any, Any] = self.table.loc[row].to_dict()
        first, second = self._logs
        if first is None or second is None:
            raise ConfigError("differences() needs both logs as read_log gives them")
        if found["ours_row"] is pd.NA or found["theirs_row"] is pd.NA:
            raise ConfigError(f"the message in row {row} is not in both logs")
        ours, theirs = (
            first.message(int(found["ours_row"])),
            second.message(int(found["theirs_row"])),
        )
        if str(found["sender"]) in self._ours:
            return _differences(ours, theirs)
        return _differences(theirs, ours)

    def _having(self, fate: str) -> pd.DataFrame:
        return self.table[self.table["fate"] == fate]

    def _words(self) -> list[str]:
        counts = self.table["fate"].value_counts()
        parts = [f"{int(counts[fate]):,} {fate}" for fate in FATES_OF_TWO if counts[fate]]
        lines = [f"{len(self.table):,} messages: {', '.join(parts) or 'none'}", str(self.clock)]
        return lines + [f"note: {note}" for note in self.notes]

    def __repr__(self) -> str:
        return f"<Reconciliation {'; '.join(self._words())}>"

    def _repr_html_(self) -> str:
        text = redact.escape_lines("\n".join(self._words()))
        odd = self.table[~self.table["fate"].isin(["arrived", "uncovered"])]
        if not len(odd):
            return f"<pre>{text}</pre>"
        more = len(odd) - _SHOWN_MAX
        rest = f"<p>… and {more:,} more rows</p>" if more > 0 else ""
        return f"<pre>{text}</pre>{odd.head(_SHOWN_MAX).to_html(escape=True)}{rest}"


def reconcile(ours: Any, theirs: Any) -> Reconciliation:
    """Two logs of the same session, one from each side, joined message by message.

    Parameters: `ours` and `theirs`, each a `Log` or a frame of schema
    `fixlab.frames.MESSAGES`. They may cover different times, begin in the middle, and hold
    several sessions. Of a frame the bytes are not at hand: what changed shows only where
    BodyLength(9), CheckSum(10), MsgType(35) or SendingTime(52) does.

    A message is known again by its sender, MsgSeqNum(34), PossDupFlag(43), MsgType(35) and
    SendingTime(52), and failing that by its number, flag and epoch alone. Clocks are estimated
    from log or capture times, by the quickest messages of each direction. Secrets that one of
    the logs masks are no change. What may have been on its way when a log ends, or before it
    begins, is `uncovered`, never lost.

    Returns a `Reconciliation`.

    Raises `SchemaError` for what is no log, and `ConfigError` when the logs share no session,
    or both were kept by the same side.

    Source: SEQ-01, SEQ-05, PRS-01, HDR-04.
    """
    first, second = _Side.of(ours), _Side.of(theirs)
    shared = sorted(set(first.names) & set(second.names))
    if not shared:
        raise ConfigError(
            f"the logs have no session in common: found {_listed(first.names)} and "
            f"{_listed(second.names)}"
        )
    first, second = first.of_sessions(shared), second.of_sessions(shared)
    own, notes = _keepers(first, second)
    joined = _joined(first, second)
    sent_by_us = np.array([name in own for name in first.senders], np.bool_)
    notes += [
        f"{side.unread:,} rows of the {which} log have no readable number or sender"
        for which, side in (("first", first), ("second", second))
        if side.unread
    ]
    return _result(first, second, joined, sent_by_us, frozenset(own), tuple(notes))


# The rows of a log ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Side:
    """The rows of one log that have a session and a number, as arrays."""

    log: _Readable | None  # None when only a frame was given
    frame: pd.DataFrame
    row: Ints  # in `frame`
    session: Ints  # codes into `names`
    names: list[str]  # the same for both sides of a session
    shown: list[str]  # as in the frame
    sender: npt.NDArray[np.object_]
    senders: list[str]  # that occur, of both logs once they are joined
    number: Ints
    poss_dup: Bools
    msg_type: npt.NDArray[np.object_]
    sending: Ints
    time: Ints
    own_time: Bools  # it was stamped by who kept the log
    epoch: Ints
    keepers: frozenset[str]  # CompIDs that kept this log
    unread: int  # rows without session or number

    @classmethod
    def of(cls, log: Any) -> _Side:
        frame = check(log, MESSAGES)
        number, session = numbers(frame, "msg_seq_num"), codes(frame, "session")
        shown = [str(name) for name in frame["session"].cat.categories]
        named = np.array([bool(name) for name in shown], np.bool_)
        row = np.flatnonzero((number != MISSING) & named[session])
        sender = frame["sender"].astype("str").to_numpy(object)[row]
        way = frame["direction"].astype("str").to_numpy(object)[row]
        keepers = {str(name) for name in sender[way == "out"]}
        targets = frame["target"].astype("str").to_numpy(object)[row]
        keepers |= {str(name) for name in targets[way == "in"]}
        time_from = frame["time_from"].astype("str").to_numpy(object)[row]
        return cls(
            log=log if hasattr(log, "messages") else None,
            frame=frame,
            row=row,
            session=session[row],
            names=[min(name, mirrored(name)) for name in shown],
            shown=shown,
            sender=sender,
            senders=sorted({str(name) for name in sender}),
            number=number[row],
            poss_dup=frame["poss_dup"].to_numpy(np.bool_)[row],
            msg_type=frame["msg_type"].astype("str").to_numpy(object)[row],
            sending=nanoseconds(frame, "sending_time")[row],
            time=nanoseconds(frame, "time")[row],
            own_time=np.isin(time_from, _OWN_TIMES),
            epoch=_epochs(frame, sender, row),
            keepers=frozenset(keepers),
            unread=len(frame) - len(row),
        )

    def of_sessions(self, names: Sequence[str]) -> _Side:
        """Only the rows of these sessions; codes are positions in `names`."""
        place = {name: code for code, name in enumerate(names)}
        codes_now = np.array([place.get(name, _ABSENT) for name in self.names], np.int64)
        session = codes_now[self.session]
        kept = session != _ABSENT
        shown = {place[n]: s for n, s in zip(self.names, self.shown, strict=True) if n in place}
        sender = self.sender[kept]
        return replace(
            self,
            row=self.row[kept],
            session=session[kept],
            names=list(names),
            shown=[shown[code] for code in range(len(names))],
            sender=sender,
            senders=sorted({str(name) for name in sender}),
            number=self.number[kept],
            poss_dup=self.poss_dup[kept],
            msg_type=self.msg_type[kept],
            sending=self.sending[kept],
            time=self.time[kept],
            own_time=self.own_time[kept],
            epoch=self.epoch[kept],
        )

    def key(self) -> list[npt.NDArray[Any]]:
        """What a message is known by."""
        identity = [self.session, self.sender, self.number, self.poss_dup]
        return [*identity, self.msg_type, self.sending]


def _epochs(frame: pd.DataFrame, sender: npt.NDArray[np.object_], row: Ints) -> Ints:
    """How many resets of the sender's numbers came before each row, in this log."""
    epoch = np.zeros(len(row), np.int64)
    session = frame["session"].astype("str").to_numpy(object)[row]
    for event in reconstruct(frame).of(Kind.EPOCH):
        begins = np.searchsorted(row, event.row)
        after = slice(begins, None)
        epoch[after] += (sender[after] == event.sender) & (session[after] == event.session)
    return epoch


def _keepers(first: _Side, second: _Side) -> tuple[set[str], list[str]]:
    """CompIDs whose own log is the first one."""
    pairs = [name.split(":", 1)[-1] for name in first.shown]
    both = set(first.senders) | set(second.senders)
    own, other = set(first.keepers) & both, set(second.keepers) & both
    if own and own == other:
        raise ConfigError(
            f"both logs were kept by {_listed(sorted(own))}; reconcile() takes one log from "
            f"each side"
        )
    if own:
        return own, []
    if other:
        return both - other, []
    guess = {pair.split("->", 1)[0] for pair in pairs}
    note = f"no log tells who kept it; {_listed(sorted(guess))} is taken to have kept the first"
    return guess, [note]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(redact.printable(name) for name in names[:5])
    return f"{shown}, …" if len(names) > 5 else shown or "none"


# The join ------------------------------------------------------------------------------------


class _Joined(NamedTuple):
    """Positions in both sides, `_ABSENT` where one does not have the message."""

    first: Ints
    second: Ints
    copy: Bools  # an equal message was matched already: this is one more


def _joined(first: _Side, second: _Side) -> _Joined:
    code = codes_of(first.key(), second.key())
    at, there = paired(*code)
    free = [np.ones(len(side.row), np.bool_) for side in (first, second)]
    free[0][at], free[1][there] = False, False
    matched = np.zeros(max((int(c.max()) for c in code if len(c)), default=0) + 1, np.bool_)
    matched[code[0][at]] = True
    # A copy of what both have is left alone; the rest may be a message that was changed.
    left = [np.flatnonzero(free[i] & ~matched[code[i]]) for i in (0, 1)]
    shifted = _by_ours(first, second, at, there)
    keys = [
        [side.session[rows], side.sender[rows], side.number[rows], side.poss_dup[rows], epoch]
        for side, rows, epoch in (
            (first, left[0], first.epoch[left[0]]),
            (second, left[1], shifted[left[1]]),
        )
    ]
    more_at, more_there = paired(*codes_of(*keys))
    at = np.r_[at, left[0][more_at]]
    there = np.r_[there, left[1][more_there]]
    free[0][at], free[1][there] = False, False
    alone = [np.flatnonzero(which) for which in free]
    return _Joined(
        np.r_[at, alone[0], np.full(len(alone[1]), _ABSENT)],
        np.r_[there, np.full(len(alone[0]), _ABSENT), alone[1]],
        np.r_[np.zeros(len(at), np.bool_), *(matched[code[i]][alone[i]] for i in (0, 1))],
    )


def _by_ours(first: _Side, second: _Side, at: Ints, there: Ints) -> Ints:
    """Epochs of the second log as the first one counts: logs may begin at different times."""
    pairs = pd.DataFrame(
        {
            "session": second.session[there],
            "sender": second.sender[there],
            "epoch": second.epoch[there],
            "shift": first.epoch[at] - second.epoch[there],
        }
    )
    usual = int(pairs["shift"].median()) if len(pairs) else 0
    shift = pairs.groupby(["session", "sender", "epoch"])["shift"].median().round()
    wanted = pd.MultiIndex.from_arrays([second.session, second.sender, second.epoch])
    found = shift.reindex(wanted).fillna(usual).to_numpy(np.int64)
    ours: Ints = second.epoch + found
    return ours


# The result ----------------------------------------------------------------------------------


def _result(
    first: _Side,
    second: _Side,
    joined: _Joined,
    sent_by_us: Bools,
    own: frozenset[str],
    notes: tuple[str, ...],
) -> Reconciliation:
    at, there = joined.first, joined.second
    sender = np.where(at != _ABSENT, _taken(first.sender, at), _taken(second.sender, there))
    outward = np.isin(sender.astype(str), sorted(own))
    clock = _clock(first, second, at, there, outward)
    ours, theirs = _times(first, at), _times(second, there)
    sent, arrived = np.where(outward, ours, theirs), np.where(outward, theirs, ours)
    latency = _latencies(first, second, joined, outward, clock)
    fate = _fates(first, second, joined, outward, clock, latency)
    session = np.where(
        at != _ABSENT, _taken(first.session, at), _taken(second.session, there)
    ).astype(np.int64)
    is_first = np.where(outward, at != _ABSENT, there == _ABSENT)
    order = np.argsort(_by_our_clock(ours, theirs, clock), kind="stable")

    def of_either(ours: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        both: npt.NDArray[Any] = np.where(is_first, _taken(ours, at), _taken(theirs, there))
        return both[order]

    table = build(
        RECONCILIATION,
        {
            "session": [first.shown[code] for code in session[order]],
            "sender": [str(name) for name in sender[order]],
            "epoch": of_either(first.epoch, second.epoch),
            "msg_type": [str(kind) for kind in of_either(first.msg_type, second.msg_type)],
            "msg_seq_num": of_either(first.number, second.number),
            "poss_dup": of_either(first.poss_dup, second.poss_dup).astype(np.bool_),
            "fate": categorical(fate[order], FATES_OF_TWO),
            "sent": sent[order],
            "arrived": arrived[order],
            "latency_ms": latency[order],
            "ours_row": _rows(first, at)[order],
            "theirs_row": _rows(second, there)[order],
        },
    )
    return Reconciliation(table, clock, notes, (first.log, second.log), own)


def _taken(values: npt.NDArray[Any], at: Ints) -> npt.NDArray[Any]:
    """Values at these positions; whatever stands last where there is none."""
    return values[at] if len(values) else np.zeros(len(at), values.dtype)


def _times(side: _Side, at: Ints) -> Ints:
    return np.where(at != _ABSENT, _taken(side.time, at), MISSING)


def _rows(side: _Side, at: Ints) -> Ints:
    return np.where(at != _ABSENT, _taken(side.row, at), MISSING)


def _timed(first: _Side, second: _Side, at: Ints, there: Ints) -> Bools:
    """Which messages both logs stamped themselves."""
    both: Bools = (at != _ABSENT) & (there != _ABSENT)
    both &= _taken(first.own_time, at).astype(np.bool_)
    both &= _taken(second.own_time, there).astype(np.bool_)
    return both


def _clock(first: _Side, second: _Side, at: Ints, there: Ints, outward: Bools) -> Clock:
    timed = _timed(first, second, at, there)
    if not timed.any():
        return UNKNOWN
    return estimate(first.time[at[timed]], second.time[there[timed]], outward[timed])


def _latencies(
    first: _Side, second: _Side, joined: _Joined, outward: Bools, clock: Clock
) -> npt.NDArray[np.float64]:
    latency = np.full(len(outward), np.nan)
    timed = _timed(first, second, joined.first, joined.second)
    if clock.known and timed.any():
        ours, theirs = first.time[joined.first[timed]], second.time[joined.second[timed]]
        way = theirs - ours - clock.offsets(ours)
        latency[timed] = np.where(outward[timed], way, -way) / 1e6
    return latency


def _by_our_clock(ours: Ints, theirs: Ints, clock: Clock) -> Ints:
    if not clock.known:
        return np.where(ours != MISSING, ours, theirs)
    known = np.where(theirs != MISSING, theirs, 0)
    back = (known - clock.offsets(known)).astype(np.int64)
    return np.where(ours != MISSING, ours, np.where(theirs != MISSING, back, MISSING))


def _fates(
    first: _Side,
    second: _Side,
    joined: _Joined,
    outward: Bools,
    clock: Clock,
    latency: npt.NDArray[np.float64],
) -> npt.NDArray[np.int8]:
    code = {fate: position for position, fate in enumerate(FATES_OF_TWO)}
    at, there = joined.first, joined.second
    both = (at != _ABSENT) & (there != _ABSENT)
    fate = np.full(len(at), code["arrived"], np.int8)
    fate[np.flatnonzero(both)[_changed(first, second, at[both], there[both])]] = code["changed"]
    departed = np.where(outward, at != _ABSENT, there != _ABSENT)
    known = latency[~np.isnan(latency)]
    margin = float(np.quantile(known, _LATENCY_QUANTILE)) * 1e6 if len(known) else 0.0
    for side, other, places, sign in (
        (first, second, at, 1.0),
        (second, first, there, -1.0),
    ):
        mine = (places != _ABSENT) & ~both
        moved = side.time[places[mine]]
        if clock.known:
            moved = moved + (sign * clock.offsets(moved)).astype(np.int64)
        left = departed[mine]
        covered = _covered(other, side.session[places[mine]], moved, left, margin)
        copied = joined.copy[mine] & ~left
        fate[mine] = np.where(
            copied,
            code["doubled"],
            np.where(~covered, code["uncovered"], np.where(left, code["lost"], code["unsent"])),
        )
    return fate


def _covered(other: _Side, session: Ints, time: Ints, left: Bools, margin: float) -> Bools:
    """Whether the other log was being kept when a message was to arrive, or to leave."""
    begin = np.full(len(other.names), np.iinfo(np.int64).max)
    end = np.full(len(other.names), MISSING)
    dated = other.time != MISSING
    np.minimum.at(begin, other.session[dated], other.time[dated])
    np.maximum.at(end, other.session[dated], other.time[dated])
    since = np.where(left, time, time - margin)
    until = np.where(left, time + margin, time)
    inside: Bools = (since >= begin[session]) & (until <= end[session]) & (time != MISSING)
    return inside


# Contents ------------------------------------------------------------------------------------


def _changed(first: _Side, second: _Side, at: Ints, there: Ints) -> Ints:
    """Which of these pairs do not hold the same message."""
    if first.log is None or second.log is None:
        ours, theirs = first.frame.iloc[first.row[at]], second.frame.iloc[second.row[there]]
        columns = [[_plain(part[name]) for name in _CONTENT] for part in (ours, theirs)]
        one, other = codes_of(*columns)
        return np.flatnonzero(one != other)
    digests = [
        _digests(log, rows)
        for log, rows in ((first.log, first.row[at]), (second.log, second.row[there]))
    ]
    odd = np.flatnonzero(digests[0] != digests[1])
    if not len(odd):
        return odd
    ours_rows, theirs_rows = first.row[at[odd]], second.row[there[odd]]
    found = [
        bool(_differences(first.log.message(int(a)), second.log.message(int(b))))
        for a, b in zip(ours_rows, theirs_rows, strict=True)
    ]
    return odd[np.array(found, np.bool_)]


def _plain(column: Any) -> npt.NDArray[Any]:
    return np.asarray(column.astype("str").to_numpy(object))


def _digests(log: _Readable, rows: Ints) -> Ints:
    """A hash of each message's bytes; each file is read once, in its order."""
    order = np.argsort(rows, kind="stable")
    found = np.empty(len(rows), np.int64)
    messages = log.messages(rows[order].tolist())
    found[order] = np.fromiter((hash(each.raw) for each in messages), np.int64, len(rows))
    return found


def _differences(sent: _Fields, arrived: _Fields) -> tuple[Difference, ...]:
    """Fields that are not the same on both sides, in the order in which they left.

    What a log masks it may mask alone, and BodyLength(9) and CheckSum(10) follow.
    """
    one, other = _values(sent), _values(arrived)
    masked = any(
        tag in redact.SECRET_TAGS and redact.MASKED.encode() in values
        for side in (one, other)
        for tag, values in side.items()
    )
    odd = [tag for tag in dict.fromkeys([*one, *other]) if one.get(tag) != other.get(tag)]
    if masked:
        odd = [tag for tag in odd if tag not in redact.SECRET_TAGS | _TRANSPORT_TAGS]
    elif set(odd) - _TRANSPORT_TAGS:
        odd = [tag for tag in odd if tag not in _TRANSPORT_TAGS]
    found = tuple(Difference(tag, _shown(one, tag), _shown(other, tag)) for tag in odd)
    if not found and not masked and sent.fields != arrived.fields:
        return (Difference(0, "other order of fields", "other order of fields"),)
    return found


def _values(message: _Fields) -> dict[int, list[bytes]]:
    values: dict[int, list[bytes]] = {}
    for tag, value in message.fields:
        values.setdefault(tag, []).append(value)
    return values


def _shown(values: dict[int, list[bytes]], tag: int) -> str | None:
    if tag not in values:
        return None
    text = redact.mask(b"\x01".join(b"%d=%b" % (tag, value) for value in values[tag]) + b"\x01")
    parts = [part.partition(b"=")[2] for part in text.rstrip(b"\x01").split(b"\x01")]
    return redact.printable(b" ".join(parts))[:_VALUE_MAX]
