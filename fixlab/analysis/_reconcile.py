"""reconcile(): two logs of one session, message by message; what was lost, changed, doubled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab import redact
from fixlab.analysis._changes import Difference, differences
from fixlab.analysis._clocks import Clock
from fixlab.analysis._fates import by_our_clock, clock_of, fates_of, latencies_of, picked
from fixlab.analysis._matching import Joined, joined_of
from fixlab.analysis._two_logs import ABSENT, Readable, Side, keepers_of, listed
from fixlab.errors import ConfigError
from fixlab.frames import FATES_OF_TWO, MISSING, RECONCILIATION, build, categorical

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_SHOWN_MAX = 20


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
    _logs: tuple[Readable | None, Readable | None]
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
            return differences(ours, theirs)
        return differences(theirs, ours)

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

    Returns a `Reconciliation`. For example, what left and never arrived:

        joined = fixlab.reconcile(fixlab.read_log("ours.log"), fixlab.read_log("theirs.log"))
        joined.lost[["sent", "sender", "msg_seq_num", "msg_type"]]

    Raises `SchemaError` for what is no log, and `ConfigError` when the logs share no session,
    or both were kept by the same side.

    Source: SEQ-01, SEQ-05, PRS-01, HDR-04.
    """
    first, second = Side.of(ours), Side.of(theirs)
    shared = sorted(set(first.names) & set(second.names))
    if not shared:
        raise ConfigError(
            f"the logs have no session in common: found {listed(first.names)} and "
            f"{listed(second.names)}"
        )
    first, second = first.of_sessions(shared), second.of_sessions(shared)
    own, notes = keepers_of(first, second)
    joined = joined_of(first, second)
    sent_by_us = np.array([name in own for name in first.senders], np.bool_)
    notes += [
        f"{side.unread:,} rows of the {which} log have no readable number or sender"
        for which, side in (("first", first), ("second", second))
        if side.unread
    ]
    notes += [
        f"{side.repeated:,} rows of the {which} log stand in two of its files, and count once"
        for which, side in (("first", first), ("second", second))
        if side.repeated
    ]
    return _result(first, second, joined, sent_by_us, frozenset(own), tuple(notes))


def _result(
    first: Side,
    second: Side,
    joined: Joined,
    sent_by_us: Bools,
    own: frozenset[str],
    notes: tuple[str, ...],
) -> Reconciliation:
    at, there = joined.first, joined.second
    sender = np.where(at != ABSENT, picked(first.sender, at), picked(second.sender, there))
    outward = np.isin(sender.astype(str), sorted(own))
    clock = clock_of(first, second, at, there, outward)
    ours, theirs = _times(first, at), _times(second, there)
    sent, arrived = np.where(outward, ours, theirs), np.where(outward, theirs, ours)
    latency = latencies_of(first, second, joined, outward, clock)
    fate = fates_of(first, second, joined, outward, clock, latency)
    session = np.where(
        at != ABSENT, picked(first.session, at), picked(second.session, there)
    ).astype(np.int64)
    is_first = np.where(outward, at != ABSENT, there == ABSENT)
    order = np.argsort(by_our_clock(ours, theirs, clock), kind="stable")

    def of_either(ours: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        both: npt.NDArray[Any] = np.where(is_first, picked(ours, at), picked(theirs, there))
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


def _times(side: Side, at: Ints) -> Ints:
    return np.where(at != ABSENT, picked(side.time, at), MISSING)


def _rows(side: Side, at: Ints) -> Ints:
    return np.where(at != ABSENT, picked(side.row, at), MISSING)
