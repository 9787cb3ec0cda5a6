"""Pure decisions on time: when a Heartbeat, a TestRequest or the end is due."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from fixlab import times
from fixlab.session.config import SessionConfig


class Due(Enum):
    """What silence demands."""

    HEARTBEAT = "Heartbeat"  # HBT-01: this side was silent for an interval
    TEST_REQUEST = "TestRequest"  # HBT-04: the peer was
    DROP = "drop"  # HBT-05: and did not answer


class Pulse(NamedTuple):
    """Lengths of time on one connection, nanoseconds; an interval of 0 turns all off."""

    interval: int
    beat_after: int  # own silence before a Heartbeat
    probe_after: int | None  # silence of the peer before a TestRequest; None: never asked
    drop_after: int  # from that TestRequest to the end

    @classmethod
    def of(cls, config: SessionConfig, heartbeat_seconds: int) -> Pulse:
        """The lengths that HeartBtInt(108) and the factors give."""
        interval = times.seconds(heartbeat_seconds)
        extra = times.seconds(config.test_request_extra_seconds)
        probe_after = round(interval * config.test_request_factor)
        # HBT-05: the second wait is as generous as the first, so it has the extra time, too.
        drop_after = round(interval * config.silence_limit_factor) - probe_after + extra
        return cls(
            interval,
            round(interval * config.heartbeat_factor),
            probe_after + extra if config.check_silence else None,
            drop_after,
        )


def deadline(pulse: Pulse, *, sent: int, received: int, probed: int | None) -> int | None:
    """Earliest time at which `due` has something to say, or None.

    HBT-06: `received` is when anything but garbled bytes last came, `probed` when the open
    TestRequest left; any such message closes it. HBT-12: only an ACTIVE session asks, with a
    gap open or without, and never once a Logout was sent.
    """
    if pulse.interval == 0:  # HBT-02
        return None
    beat = sent + pulse.beat_after
    if pulse.probe_after is None:
        return beat
    # The end is counted from the TestRequest itself, not from the last message: a process that
    # was busy for minutes must ask before it hangs up.
    silence = received + pulse.probe_after if probed is None else probed + pulse.drop_after
    return silence if silence < beat else beat


def due(pulse: Pulse, now: int, *, sent: int, received: int, probed: int | None) -> Due | None:
    """What is due at `now`, the gravest first; `probed` is when the open TestRequest left."""
    if pulse.interval == 0:
        return None
    if pulse.probe_after is not None:
        if probed is not None and now >= probed + pulse.drop_after:
            return Due.DROP
        if probed is None and now >= received + pulse.probe_after:
            return Due.TEST_REQUEST
    if now >= sent + pulse.beat_after:
        return Due.HEARTBEAT
    return None
