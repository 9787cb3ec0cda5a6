"""What may go wrong, as plain data: frozen, comparable, and its `repr` is code.

Each fault is a `When`: a chance from 0 to 1, drawn anew at each occasion, or the exact
occasions at which it happens. What an occasion is called depends on the family:

- a peer's fault happens to a message and goes by its MsgSeqNum(34): `PeerFaults(drop=[4, 5])`
  loses the first transmission of 4 and 5, `PeerFaults(no_poss_dup=[4])` spoils one replay of 4;
- a link's fault happens to a write and goes by its ordinal at that end, from 1;
- a store's fault happens to a commit and goes by its ordinal at that end, from 1.

Numbers come again: after a reset, or when the same message is replayed twice. A plain 4 is the
first time that 4 comes, `(4, 2)` the second.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from math import isfinite
from typing import Any, NamedTuple

from fixlab.errors import ConfigError

Occasion = int | tuple[int, int]
When = float | Iterable[Occasion]


class Strike(NamedTuple):
    """A fault that happened."""

    family: str  # "link", "peer" or "store"
    fault: str  # the field of that family, such as "drop"
    occasion: int  # MsgSeqNum, or the ordinal of a write or commit
    nth: int = 1  # how often that occasion had come for this fault


def _when(about: str) -> Any:
    """A fault that never happens unless asked for; `about` says what it is, for people."""
    return field(default=0.0, metadata={"about": about})


def _seconds(default: float, about: str) -> Any:
    return field(default=default, metadata={"about": about})


def _checked_seconds(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ConfigError(f"{name} must be a finite number of seconds, found {value!r}")
    if value < 0 and name != "clock_offset_seconds":
        raise ConfigError(f"{name} must be 0 or more, found {value!r}")
    return float(value)


def _checked_when(name: str, value: object) -> float | tuple[Occasion, ...]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 <= value <= 1:
            raise ConfigError(
                f"{name} must be a chance from 0 to 1, or a list of occasions, found {value!r}"
            )
        return float(value)
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        given = tuple(value)
        pairs = {each if isinstance(each, tuple) else (each, 1) for each in given}
        if all(_is_occasion(pair) for pair in pairs):
            # A list of nothing never strikes, as a chance of 0 does.
            return tuple(n if nth == 1 else (n, nth) for n, nth in sorted(pairs)) or 0.0
    raise ConfigError(
        f"{name} must be a chance from 0 to 1, or whole numbers from 1, found {value!r}"
    )


def _is_occasion(pair: tuple[object, ...]) -> bool:
    return len(pair) == 2 and all(
        isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in pair
    )


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

    Occasions are the writes of this end, counted from 1 over all its connections.
    """

    delay: When = _when("it arrives up to `delay_seconds` late, and all behind it")
    fragment: When = _when("it arrives byte by byte")
    coalesce: When = _when("it arrives together with the next write")
    stall: When = _when("nothing arrives for `stall_seconds`")
    cut: When = _when("the connection is lost in the middle of it")
    half_open: When = _when("nothing arrives any more, either way, and neither end is told")
    delay_seconds: float = _seconds(5.0, "the longest `delay`")
    jitter_seconds: float = _seconds(0.0, "every write arrives up to this much late")
    stall_seconds: float = _seconds(45.0, "how long a `stall` lasts")


@dataclass(frozen=True, kw_only=True, repr=False)
class PeerFaults(_Family):
    """What a broken engine, or its operator, does. Occasions are MsgSeqNums of its messages.

    The first groups strike new messages; the answers to a ResendRequest, which are messages
    with PossDupFlag(43)=Y and gap fills, by the number they bear. Four go by the number of the
    message that this end gets: `test_request_unanswered`, `resend_unanswered`,
    `resend_incomplete` and `ignore_end_seq_no`; and `slow_heartbeats` by that of the first
    Logon of a connection, whoever sends it.
    """

    # Any new message.
    skip: When = _when("one to three numbers before it are used up without a message")
    repeat: When = _when("it is sent twice, unflagged")
    drop: When = _when("it is stored and counted, and never sent")
    reorder: When = _when("it leaves behind the next one")
    late: When = _when("it leaves only behind its own replay")
    number_reused: When = _when("it bears the number of the message before it")
    garble: When = _when("one byte of it is another")
    bad_check_sum: When = _when("CheckSum(10) is wrong")
    bad_body_length: When = _when("BodyLength(9) is wrong")
    bad_comp_id: When = _when("SenderCompID(49) is another")
    bad_begin_string: When = _when("BeginString(8) is another")
    silent: When = _when("it and all that follow on this connection are never sent")
    second_logon: When = _when("a second Logon follows it")
    clock_offset_seconds: float = _seconds(
        0.0, "its clock is this much ahead, in SendingTime(52)"
    )

    # Logons.
    refuse_logon: When = _when("instead of a Logon, a Logout with a reason, then silence")
    request_before_logon: When = _when("a ResendRequest leaves before a Logon that answers one")
    reset_unasked: When = _when("a Logon carries 141=Y unasked, whatever its number is")
    reset_not_echoed: When = _when("141=Y is missing from a Logon that resets")
    reset_not_applied: When = _when("a Logon carries 141=Y, and the old numbers go on")
    bad_next_expected: When = _when("NextExpectedMsgSeqNum(789) is one too high")

    # Heartbeats.
    slow_heartbeats: When = _when("from a Logon on, Heartbeats come at a third of the pace")
    test_request_unanswered: When = _when("a TestRequest is counted and not answered")
    gap_fill_unasked: When = _when("a Heartbeat leaves as a gap fill that nobody asked for")

    # ResendRequests.
    request_never: When = _when("a Heartbeat leaves instead of a ResendRequest")
    request_bad_begin: When = _when("BeginSeqNo(7) is one too high")
    request_from_zero: When = _when("BeginSeqNo(7) is 0")
    request_storm: When = _when("the same ResendRequest follows four times more")
    request_overlap: When = _when("another ResendRequest for a part of the same follows")
    request_unjustified: When = _when("a ResendRequest follows it, and nothing is missing")
    logout_on_gap: When = _when("a Logout leaves instead of a ResendRequest")
    resend_loop: When = _when("takes no replay, and asks for the same range ten times")

    # Answers to a ResendRequest.
    no_poss_dup: When = _when("replayed without 43 and 122")
    no_orig_sending_time: When = _when("replayed with 43, without 122")
    orig_after_sending: When = _when("its 122 is later than its 52")
    gap_fill_short: When = _when("NewSeqNo(36) is one too low")
    gap_fill_long: When = _when("NewSeqNo(36) is one too high: over a number never filled")
    gap_fill_absurd: When = _when("NewSeqNo(36) is a million too high")
    gap_fill_bad_seq: When = _when("its own 34 is the next new number, not the first filled")
    gap_fill_orders: When = _when("an application message is filled over")
    replay_interleaved: When = _when("the rest of a replay leaves behind the next new message")
    ignore_end_seq_no: When = _when("replays to the end, whatever was asked for")
    resend_incomplete: When = _when("replays the first number only, whatever was asked for")
    resend_unanswered: When = _when("a ResendRequest is counted and not answered")


@dataclass(frozen=True, kw_only=True, repr=False)
class StoreFaults(_Family):
    """What a disk does to a session's store. Occasions are its commits, counted from 1."""

    fail: When = _when("the commit fails, and nothing of it is kept")
    full: When = _when("this commit and all after it fail, until the faults are healed")
    torn: When = _when("the commit fails with a part kept: only numbers, or only messages")
    lose_tail: When = _when("it says it is kept, and is gone when the process dies")
    slow: When = _when("it takes up to `slow_seconds`")
    slow_seconds: float = _seconds(2.0, "the longest `slow` commit")


@dataclass(frozen=True, kw_only=True, repr=False)
class Faults:
    """What may go wrong at one end: on the link it writes to, in its engine, in its store.

    Each family draws from a stream of its own, and each decision in it stands by itself: a
    fault more or less never moves another one.
    """

    link: LinkFaults = LinkFaults()
    peer: PeerFaults = PeerFaults()
    store: StoreFaults = StoreFaults()

    def __post_init__(self) -> None:
        for each in fields(self):
            value, kind = getattr(self, each.name), type(each.default)
            if not isinstance(value, kind):
                raise ConfigError(f"{each.name} must be {kind.__name__}, found {value!r}")

    def exactly(self, struck: Iterable[Strike]) -> Faults:
        """The same settings in seconds, and as faults just those that `struck`.

        A run with these repeats the run in which they struck, for the same seed; with some of
        them left out it shows which ones it takes.
        """
        found: dict[tuple[str, str], list[Occasion]] = {}
        for strike in struck:
            found.setdefault(strike[:2], []).append(strike[2:])
        return replace(
            self,
            **{
                family.name: replace(
                    getattr(self, family.name),
                    **{
                        each.name: found.get((family.name, each.name), ())
                        for each in fields(family.default)  # type: ignore[arg-type]
                        if not each.name.endswith("_seconds")
                    },
                )
                for family in fields(self)
            },
        )

    def __repr__(self) -> str:
        told = [
            f"{each.name}={getattr(self, each.name)!r}"
            for each in fields(self)
            if getattr(self, each.name) != each.default
        ]
        return f"Faults({', '.join(told)})"


NO_FAULTS = Faults()
