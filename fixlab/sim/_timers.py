"""What is due when: heartbeats, probes and time-outs, by clocks of the checkers' own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fixlab import times
from fixlab.session.config import SessionConfig
from fixlab.session.liveness import Pulse
from fixlab.session.transitions import SessionState, Transition, TransitionKind
from fixlab.sim._watch import Watch, Watcher
from fixlab.sim.endpoint import Endpoint

_S, _K = SessionState, TransitionKind
_APART_NS = times.NANOSECONDS
_STATE_LIMITS: Mapping[SessionState, str] = MappingProxyType(
    {
        _S.CONNECTED: "logon_timeout_seconds",
        _S.LOGON_SENT: "logon_timeout_seconds",
        _S.RESET_SENT: "logon_timeout_seconds",
        _S.LOGOUT_SENT: "logout_timeout_seconds",
        _S.LOGOUT_ANSWERED: "logout_timeout_seconds",
        _S.CLOSING: "disconnect_wait_seconds",
    }
)


def pulse_of(config: SessionConfig, heartbeat_seconds: int) -> Pulse:
    """The lengths of time that HeartBtInt(108) gives, worked out apart from the session."""
    interval = times.seconds(heartbeat_seconds)
    extra = times.seconds(config.test_request_extra_seconds)
    probe = round(interval * config.test_request_factor)
    return Pulse(
        interval=interval,
        beat_after=round(interval * config.heartbeat_factor),
        probe_after=probe + extra if config.check_silence else None,
        drop_after=round(interval * config.silence_limit_factor) - probe + extra,
    )


class TimeChecks(Watcher):
    """Duties that come with time."""

    def _on_probed(self, end: Endpoint, watch: Watch, row: Transition) -> None:
        pulse = watch.pulse
        after = pulse.probe_after if pulse else None
        if watch.probed_at is not None:
            self._fail("timers", end, row, "asks again, and should hang up")
        if after is None or row.time < watch.received_at + after:
            self._fail("timers", end, row, "asks before the peer was silent for long enough")
        watch.probed_at = row.time

    def _on_timed_out(self, end: Endpoint, watch: Watch, row: Transition) -> None:
        limit = _STATE_LIMITS.get(row.state_before)
        if limit is not None:
            due = watch.entered + times.seconds(getattr(end.session.config, limit))
        elif row.rule == "HBT-05":
            assert watch.pulse is not None, "an ACTIVE session has agreed on its times"
            due = (watch.probed_at or row.time + 1) + watch.pulse.drop_after
        elif row.rule == "RRQ-06":
            due = watch.asked_at + times.seconds(
                end.session.config.resend_timeout_seconds or 0.0
            )
        else:
            return
        if row.time < due:
            self._fail("timers", end, row, f"a time-out {due - row.time} ns too early")

    def _note_received(self, watch: Watch, rows: tuple[Transition, ...], now: int) -> None:
        if any(row.kind is not _K.GARBLED for row in rows):
            watch.received_at, watch.probed_at = now, None
            watch.received += 1

    def _check_time(self, end: Endpoint, watch: Watch, now: int) -> None:
        session, config = end.session, end.session.config
        limit = _STATE_LIMITS.get(session.state)
        if limit is not None:
            if session.state is _S.CONNECTED and config.habits.waits_for_logon:
                return  # LGN-28: for as long as the connection lasts
            if now > watch.entered + times.seconds(getattr(config, limit)):
                self._fail("timers", end, watch.last, f"still {session.state}, {limit} is over")
            return
        pulse = watch.pulse
        if session._state is not _S.ACTIVE or pulse is None or now <= watch.entered:
            return
        if pulse.interval:
            if now > watch.sent_at + pulse.beat_after:
                self._fail("timers", end, watch.last, "its Heartbeat is overdue")
            if pulse.probe_after is not None:
                self._check_silence(end, watch, pulse, now)
        wait = config.resend_timeout_seconds
        waits = wait is not None and watch.asked and session.gap and not session.replaying
        if waits and now > watch.asked_at + times.seconds(wait or 0.0):
            self._fail("timers", end, watch.last, "its ResendRequest is overdue")
        if config.schedule is not None:
            slack = times.seconds(config.logout_timeout_seconds) + _APART_NS
            if not config.schedule.is_open(now) and not config.schedule.is_open(now - slack):
                self._fail("timers", end, watch.last, "still ACTIVE, its schedule has closed")

    def _check_silence(self, end: Endpoint, watch: Watch, pulse: Pulse, now: int) -> None:
        assert pulse.probe_after is not None, "the caller has looked"
        if watch.probed_at is None:
            if now > watch.received_at + pulse.probe_after:
                self._fail("timers", end, watch.last, "the peer is silent, and is not asked")
        elif now > watch.probed_at + pulse.drop_after:
            self._fail("timers", end, watch.last, "the peer is dead, and is not hung up on")
