"""The rows of a log that reconcile() joins, as arrays; and who kept which of two logs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab import redact
from fixlab.analysis._events import Kind
from fixlab.analysis._flights import mirrored
from fixlab.analysis._once import once
from fixlab.analysis._reconstruct import reconstruct
from fixlab.analysis._rows import grouped
from fixlab.errors import ConfigError
from fixlab.frames import MESSAGES, MISSING, check, codes, nanoseconds, numbers

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

ABSENT = -1  # in place of a row: that log does not have the message
_OWN_TIMES = ("log", "capture")


class Fields(Protocol):
    @property
    def fields(self) -> tuple[tuple[int, bytes], ...]: ...

    @property
    def raw(self) -> bytes | None: ...


class Readable(Protocol):
    """A log whose messages can be read again."""

    @property
    def frame(self) -> pd.DataFrame: ...

    def message(self, row: int) -> Fields: ...

    def messages(self, rows: Sequence[int] | None = None) -> Iterator[Fields]: ...


@dataclass(frozen=True, slots=True)
class Side:
    """The rows of one log that have a session and a number, as arrays."""

    log: Readable | None  # None when only a frame was given
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
    repeated: int  # rows that stand in another file of the log as well

    @classmethod
    def of(cls, log: Any) -> Side:
        frame, repeated = once(check(log, MESSAGES))
        number, session = numbers(frame, "msg_seq_num"), codes(frame, "session")
        shown = [str(name) for name in frame["session"].cat.categories]
        named = np.array([bool(name) for name in shown], np.bool_)
        row = np.flatnonzero((number != MISSING) & named[session])
        again = 0 if repeated is None else int(repeated.sum())
        unread = len(frame) - again - len(row)
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
            epoch=_epochs(frame, row),
            keepers=frozenset(keepers),
            unread=unread,
            repeated=again,
        )

    def of_sessions(self, names: Sequence[str]) -> Side:
        """Only the rows of these sessions; codes are positions in `names`."""
        place = {name: code for code, name in enumerate(names)}
        codes_now = np.array([place.get(name, ABSENT) for name in self.names], np.int64)
        session = codes_now[self.session]
        kept = session != ABSENT
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


def _epochs(frame: pd.DataFrame, row: Ints) -> Ints:
    """How many resets of the sender's numbers came before each row, in this log."""
    resets: dict[tuple[str, str], list[int]] = {}
    for event in reconstruct(frame).of(Kind.EPOCH):
        resets.setdefault((event.session, event.sender), []).append(event.row)
    sessions, senders = (
        {str(name): code for code, name in enumerate(frame[column].cat.categories)}
        for column in ("session", "sender")
    )
    session, sender = codes(frame, "session")[row], codes(frame, "sender")[row]
    of_side = grouped(session * len(senders) + sender, np.ones(len(row), np.bool_))
    epoch = np.zeros(len(row), np.int64)
    for (name, who), rows in resets.items():
        at = of_side.get(sessions[name] * len(senders) + senders[who])
        if at is not None:
            epoch[at] = np.searchsorted(np.sort(rows), row[at], "right")
    return epoch


def keepers_of(first: Side, second: Side) -> tuple[set[str], list[str]]:
    """CompIDs whose own log is the first one."""
    pairs = [name.split(":", 1)[-1] for name in first.shown]
    both = set(first.senders) | set(second.senders)
    own, other = set(first.keepers) & both, set(second.keepers) & both
    if own and own == other:
        raise ConfigError(
            f"both logs were kept by {listed(sorted(own))}; reconcile() takes one log from "
            f"each side"
        )
    if own:
        return own, []
    if other:
        return both - other, []
    guess = {pair.split("->", 1)[0] for pair in pairs}
    note = f"no log tells who kept it; {listed(sorted(guess))} is taken to have kept the first"
    return guess, [note]


def listed(names: Sequence[str]) -> str:
    shown = ", ".join(redact.printable(name) for name in names[:5])
    return f"{shown}, …" if len(names) > 5 else shown or "none"
