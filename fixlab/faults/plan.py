"""What may go wrong, as plain data: frozen, comparable, and its `repr` is code.

Each fault is a `When`: a chance from 0 to 1, drawn anew at each occasion, or the exact
occasions at which it happens, each once. What an occasion is called depends on the family:

- a peer's fault happens to a message and goes by its MsgSeqNum(34): `PeerFaults(drop=[4, 5])`
  loses the first transmission of 4 and 5, `PeerFaults(no_poss_dup=[4])` spoils one replay of 4;
- a link's fault happens to a write and goes by its ordinal at that end, from 1;
- a store's fault happens to a commit and goes by its ordinal at that end, from 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from math import isfinite

from fixlab.errors import ConfigError

When = float | Iterable[int]


class _Family:
    """What the families have in common: their settings are checked, their `repr` is short."""

    def __post_init__(self) -> None:
        for each in fields(self):  # type: ignore[arg-type]  # the families are dataclasses
            value, seconds = getattr(self, each.name), each.name.endswith("_seconds")
            checked = (
                _checked_seconds(each.name, value)
                if seconds
                else _checked_when(each.name, value)
            )
            object.__setattr__(self, each.name, checked)

    def __repr__(self) -> str:
        told = [
            f"{each.name}={getattr(self, each.name)!r}"
            for each in fields(self)  # type: ignore[arg-type]
            if getattr(self, each.name) != each.default
        ]
        return f"{type(self).__name__}({', '.join(told)})"


@dataclass(frozen=True, kw_only=True, repr=False)
class LinkFaults(_Family):
    """What TCP, or what is between the two ends, does to what one end writes.

    Occasions are the writes of this end, counted from 1.
    """

    delay: When = 0.0  # it arrives up to `delay_seconds` late, and all behind it
    fragment: When = 0.0  # it arrives byte by byte
    coalesce: When = 0.0  # it arrives together with the next write
    stall: When = 0.0  # nothing arrives for `stall_seconds`
    cut: When = 0.0  # the connection is lost in the middle of it
    half_open: When = 0.0  # nothing arrives any more, and neither end is told
    delay_seconds: float = 5.0
    jitter_seconds: float = 0.0  # every write arrives up to this much late
    stall_seconds: float = 45.0


@dataclass(frozen=True, kw_only=True, repr=False)
class PeerFaults(_Family):
    """What a broken engine, or its operator, does. Occasions are its messages' MsgSeqNums.

    The first group strikes new messages, the second answers to a ResendRequest: messages with
    PossDupFlag(43)=Y and gap fills, by the number they bear.
    """

    skip: When = 0.0  # one to three numbers before it are used up without a message
    repeat: When = 0.0  # it is sent twice, unflagged
    drop: When = 0.0  # it is stored and counted, and never sent
    reorder: When = 0.0  # it leaves behind the next one
    garble: When = 0.0  # one byte of it is another
    bad_check_sum: When = 0.0
    bad_body_length: When = 0.0
    bad_comp_id: When = 0.0
    bad_begin_string: When = 0.0
    silent: When = 0.0  # it and all that follow on this connection are never sent
    refuse_logon: When = 0.0  # instead of a Logon, a Logout with a reason
    clock_offset_seconds: float = 0.0  # its clock is this much ahead, in SendingTime(52)

    no_poss_dup: When = 0.0  # replayed without 43 and 122
    no_orig_sending_time: When = 0.0  # replayed with 43, without 122
    orig_after_sending: When = 0.0  # its 122 is later than its 52
    gap_fill_short: When = 0.0  # NewSeqNo(36) is one too low
    gap_fill_long: When = 0.0  # NewSeqNo(36) is one too high: a number that was never filled
    gap_fill_bad_seq: When = 0.0  # its own 34 is not the first number filled
    gap_fill_orders: When = 0.0  # an application message is filled over
    ignore_end_seq_no: When = 0.0  # replays to the end, whatever was asked for
    resend_loop: When = 0.0  # takes no replay, and asks for the same range again


@dataclass(frozen=True, kw_only=True, repr=False)
class StoreFaults(_Family):
    """What a disk does to a session's store. Occasions are its commits, counted from 1."""

    fail: When = 0.0  # the commit fails, and nothing of it is kept
    full: When = 0.0  # this commit and all after it fail, until the faults are healed
    torn: When = 0.0  # the commit fails with a part of it kept: numbers without messages
    lose_tail: When = 0.0  # it says it is kept, and is gone when the process dies
    slow: When = 0.0  # it takes up to `slow_seconds`
    slow_seconds: float = 2.0


@dataclass(frozen=True, kw_only=True, repr=False)
class Faults:
    """What may go wrong at one end: on the link it writes to, in its engine, in its store.

    Each family draws from a stream of its own, and each decision in it stands by itself: a
    fault more or less never moves another one.
    """

    link: LinkFaults = LinkFaults()
    peer: PeerFaults = PeerFaults()
    store: StoreFaults = StoreFaults()

    def __repr__(self) -> str:
        told = [
            f"{each.name}={getattr(self, each.name)!r}"
            for each in fields(self)
            if getattr(self, each.name) != each.default
        ]
        return f"Faults({', '.join(told)})"


def _checked_seconds(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ConfigError(f"{name} must be a finite number of seconds, found {value!r}")
    if value < 0 and name != "clock_offset_seconds":
        raise ConfigError(f"{name} must be 0 or more, found {value!r}")
    return float(value)


def _checked_when(name: str, value: object) -> float | tuple[int, ...]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 <= value <= 1:
            raise ConfigError(
                f"{name} must be a chance from 0 to 1, or a list of occasions, found {value!r}"
            )
        return float(value)
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        occasions = tuple(value)
        if all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in occasions):
            return tuple(sorted(occasions))
    raise ConfigError(
        f"{name} must be a chance from 0 to 1, or whole numbers from 1, found {value!r}"
    )
