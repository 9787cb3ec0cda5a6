"""What each row may say, after the one before it, and what must follow it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from fixlab.session.inbound import open_ends
from fixlab.session.transitions import SessionState, Transition, TransitionKind
from fixlab.sim._timers import TimeChecks
from fixlab.sim._watch import Watch
from fixlab.sim.endpoint import Endpoint
from fixlab.wire.tags import (
    ADMIN_TYPES,
    LOGON,
    LOGOUT,
    REJECT,
    RESEND_REQUEST,
    SEQUENCE_RESET,
    TEST_REQUEST,
)

_S, _K = SessionState, TransitionKind
_RAISES_OUT = frozenset({_K.SENT, _K.QUEUED, _K.SKIPPED})
_RAISES_IN = frozenset({_K.ACCEPTED, _K.GAP_FILLED, _K.RESET_IN, _K.REJECTED, _K.IGNORED})
# What may be sent as a new message in each state before the row; ACTIVE sends anything.
_MAY_SEND: Mapping[SessionState, frozenset[str]] = MappingProxyType(
    {
        _S.DISCONNECTED: frozenset({LOGON}),
        _S.CONNECTED: frozenset({LOGON, LOGOUT, REJECT}),
        _S.LOGON_SENT: frozenset({LOGOUT, REJECT}),
        _S.RESET_SENT: frozenset({LOGOUT, REJECT}),
        _S.LOGOUT_SENT: frozenset(),
        _S.LOGOUT_ANSWERED: frozenset({LOGOUT}),
        _S.CLOSING: frozenset(),
    }
)
# Rules on the times in a message: a link that stalls makes a correct peer break them.
_TIMED = ("HDR-04", "HDR-09")
_REFUSALS = ("LGN-14", "LGN-15", "LGN-17", "LGN-23", "LGN-33", "HDR-13")
_REQUESTS_MAX = 2  # RRQ-06: a request and one repeat without progress in between


class RowChecks(TimeChecks):
    """Decisions, as a session records them."""

    def _check_row(self, end: Endpoint, watch: Watch, row: Transition) -> None:
        last, watch.last = watch.last, row
        if row.state is not _S.DISCONNECTED:
            watch.stale = False
        elif watch.stale:
            watch.last = None
        if last is not None and (
            row.state_before is not last.state
            or row.next_in_before != last.next_in
            or row.next_out_before != last.next_out
            or row.time < last.time
            or row.step < last.step
        ):
            self._fail("rows", end, row, f"the row before it: {last}")
        if row.state is not row.state_before:
            watch.entered = row.time
            if row.state is _S.DISCONNECTED:
                watch.asked, watch.asks = None, 0
                watch.covered.clear()
                watch.prompt.clear()
                watch.gap = False
            elif row.state_before is _S.DISCONNECTED:
                watch.sent_at = watch.received_at = row.time
                watch.probed_at = watch.pulse = None
        if row.kind is _K.RESET_BOTH:
            self._on_reset(end, watch, row)
            return
        if row.rule == "LGN-24":  # not asked for: the peer resends because of 789
            watch.asked, watch.asked_at = (row.next_in, 0), row.time
        if row.next_in < row.next_in_before or row.next_out < row.next_out_before:
            self._fail("counters", end, row, "only a reset lowers a number")
        if row.next_in != row.next_in_before:
            if row.kind not in _RAISES_IN:
                self._fail("counters", end, row, f"{row.kind} never moves NextNumIn")
            watch.asked_at, watch.asks = row.time, 0
        if row.next_out != row.next_out_before and row.kind not in _RAISES_OUT:
            self._fail("counters", end, row, f"{row.kind} never moves NextNumOut")
        check = _BY_KIND.get(row.kind)
        if check is not None:
            check(self, end, watch, row)

    def _on_reset(self, end: Endpoint, watch: Watch, row: Transition) -> None:
        if row.next_in != 1 or row.next_out not in (1, 2):
            self._fail("counters", end, row, "a reset restarts both numbers at 1")
        correct = all(map(self._is_correct, self._lab._ends.values()))
        if correct and not self._may_reset and end.session.config.schedule is None:
            self._fail("resets", end, row, "no option, schedule or call wants it")
        end._lost_reset = 0
        # LGN-20: the Logon that is out already counts as number 1.
        watch.number = watch.used = row.next_out - 1
        watch.asked, watch.asks = None, 0
        watch.covered.clear()
        watch.originals.clear()
        watch.untold |= watch.waiting  # SCH-04
        watch.waiting.clear()
        watch.prompt.clear()
        watch.gap = False

    def _on_sent(self, end: Endpoint, watch: Watch, row: Transition) -> None:
        number, before = row.msg_seq_num, row.state_before
        if number != row.next_out_before or row.next_out != row.next_out_before + 1:
            self._fail("numbers", end, row, "a new message takes NextNumOut, and one number")
        if row.kind is _K.QUEUED:
            assert number is not None, "checked above"
            watch.waiting.add(number)
            if before is not _S.DISCONNECTED and before is not _S.CONNECTED:
                watch.prompt.add(number)
            watch.originals.pop(number, None)  # a store that failed may give it out again
            return
        # LGO-05: who counts a Logout whatever its number does not wait for what is missing.
        waits = LOGOUT not in end.session.config.habits.any_number
        if watch.gap and (
            row.state is _S.LOGOUT_SENT or (waits and row.state is _S.LOGOUT_ANSWERED)
        ):
            self._fail("sending", end, row, "a Logout with messages missing before it")
        if before is not _S.ACTIVE and row.msg_type not in _MAY_SEND[before]:
            self._fail("sending", end, row, f"{row.msg_type} is not sent in {before}")
        pulse = watch.pulse
        if row.rule == "HBT-01" and pulse and row.time < watch.sent_at + pulse.beat_after:
            self._fail("timers", end, row, "a Heartbeat before its interval has passed")
        assert number is not None, "checked above"
        if number <= watch.number:
            self._fail("numbers", end, row, f"number {watch.number} was used before")
        watch.number = number
        watch.sent_at = row.time

    def _on_resent(self, end: Endpoint, watch: Watch, row: Transition) -> None:
        number = row.msg_seq_num
        if row.rule == "RSP-08" and end.session.config.habits.empty_range == "fill":
            watch.sent_at = row.time  # of a range with nothing in it; it covers no number
            return
        if row.kind is _K.FILL_SENT:
            first, last = row.begin_seq_no, row.end_seq_no
        else:
            first = last = number
        if first is None or last is None or number != first or last < first:
            self._fail("replays", end, row, "a part of a replay that covers nothing")
        if last >= row.next_out:
            self._fail("replays", end, row, "covers a number that was never used")
        if watch.covered and first != watch.covered[-1][1] + 1:
            self._fail("replays", end, row, f"covered before it was {watch.covered[-1]}")
        if row.kind is _K.RESENT and row.msg_type in ADMIN_TYPES - {REJECT}:
            self._fail("replays", end, row, f"{row.msg_type} is never resent")
        if watch.waiting:
            passed = {n for n in watch.waiting if first <= n <= last}
            watch.waiting -= passed
            watch.prompt -= passed
            if row.kind is _K.FILL_SENT:
                watch.untold |= passed
        watch.covered.append((first, last))
        watch.sent_at = row.time

    def _on_answered(self, end: Endpoint, watch: Watch, row: Transition) -> None:
        begin, stop = row.begin_seq_no, row.end_seq_no
        covered, watch.covered = watch.covered, []
        if row.rule in ("RSP-07", "RSP-08"):
            return  # nothing to send
        if begin is None or stop is None or not covered or covered[0][0] != begin:
            self._fail("replays", end, row, f"covered {covered[:3]}")
        last = covered[-1][1]
        open_end = stop == 0 or stop in open_ends(end.session.config.begin_string)
        if not open_end and last > stop:
            self._fail("replays", end, row, f"covers {last}, too")
        # Of a replay that lasted longer than this step it is not known where it had to end.
        least = watch.used if open_end else min(stop, watch.used)
        if watch.fresh and last < least:
            self._fail("replays", end, row, f"covers no more than {last}")

    def _on_requested(self, end: Endpoint, watch: Watch, row: Transition) -> None:
        config, begin, stop = end.session.config, row.begin_seq_no, row.end_seq_no
        watch.asks += 1
        watch.requests += 1
        watch.asked_at = row.time
        if begin is None or stop is None or begin != row.next_in or 0 < stop < begin:
            self._fail("requests", end, row, "asks from NextNumIn on")
        watch.asked = (begin, stop)
        chunk = config.resend_chunk_max
        if stop and chunk is not None and stop - begin >= chunk and stop != begin + chunk - 1:
            self._fail("requests", end, row, f"asks for more than {chunk} numbers")
        if stop == 0 and config.resend_range == "exact":
            self._fail("requests", end, row, "resend_range is exact")
        if watch.asks > _REQUESTS_MAX and not config.redundant_requests:
            self._fail("requests", end, row, f"asked {watch.asks} times without progress")

    def _on_accepted(self, end: Endpoint, watch: Watch, row: Transition) -> None:
        if row.rule == "LGN-20":
            return  # the peer takes a reset for a request: it was counted with the reset
        number = row.next_in_before if row.msg_type == LOGON else row.msg_seq_num
        if row.msg_type in end.session.config.habits.any_number:
            number = row.next_in_before  # REJ-18, LGO-05: counted whatever its number
        if row.next_in != row.next_in_before + 1 or number != row.next_in_before:
            self._fail("counters", end, row, "what is accepted is the number due, and counted")

    def _on_gap_over(self, end: Endpoint, watch: Watch, row: Transition) -> None:
        watch.gap = False

    def _on_gap(self, end: Endpoint, watch: Watch, row: Transition) -> None:
        watch.gap = True
        first, last, number = row.begin_seq_no, row.end_seq_no, row.msg_seq_num
        if first != row.next_in or last is None or (number is not None and last < number - 1):
            self._fail("requests", end, row, f"noted as missing is {first} to {last}")

    def _on_filled(self, end: Endpoint, watch: Watch, row: Transition) -> None:
        if row.rule == "SQR-06":
            return  # NewSeqNo(36) is the expected number already: some engines accept that
        filled = (row.begin_seq_no, row.end_seq_no)
        if filled != (row.next_in_before, row.next_in - 1) or row.next_in <= row.next_in_before:
            self._fail("counters", end, row, "a gap fill moves NextNumIn by what it fills")

    def _on_garbled(self, end: Endpoint, watch: Watch, row: Transition) -> None:
        if row.next_in != row.next_in_before or row.next_out != row.next_out_before:
            self._fail("inbound", end, row, "garbled bytes never move a number")
        if self._is_correct(self._peer(end)):
            self._fail("inbound", end, row, "the peer writes nothing garbled")

    def _on_too_low(self, end: Endpoint, watch: Watch, row: Transition) -> None:
        peer = self._peer(end)
        # NextNumIn is still the one of before a reset that the peer goes by.
        beyond = row.next_in == end._lost_reset
        correct = self._is_correct(peer) and not peer._lost_numbers
        if correct and not beyond and self.agrees():
            self._fail("inbound", end, row, "the peer never uses a number twice")

    def _on_rejected(self, end: Endpoint, watch: Watch, row: Transition) -> None:
        peer = self._peer(end)
        if not self._is_correct(peer) or peer._lost_numbers:
            return
        timed = row.rule in _TIMED and not self._timely
        if row.msg_type == LOGON:
            known = timed or row.rule in _REFUSALS
            # LGN-20: who answers an unasked 141=Y goes in a circle with who answers that.
            ends = (end.session.config, peer.session.config)
            circles = any(each.habits.unasked_reset == "answer" for each in ends)
            known = known or (row.rule == "LGN-19" and circles)
            known = known or self.refused() or not self.agrees()
        else:
            # LGN-02, LGN-03: the Logon before it was lost.
            known = timed or (row.rule in ("LGN-02", "LGN-03") and peer.loss.lost > 0)
            # RSP-08: a gap fill that goes backwards, for what was asked for and never sent.
            fills = peer.session.config.habits.empty_range == "fill"
            known = known or (row.rule == "SQR-06" and fills)
        if not known:
            self._fail("inbound", end, row, "nothing is wrong with what the peer sends")

    def _check_answers(self, end: Endpoint, watch: Watch, rows: tuple[Transition, ...]) -> None:
        """What an accepted message demands is in the rows behind its own."""
        for at, row in enumerate(rows):
            if row.rule == "RRQ-06" and row.kind is _K.TIMED_OUT:
                if not any(_asks_or_ends(each) for each in rows[at + 1 :]):
                    self._fail("answers", end, row, "nothing follows the time-out")
                continue
            if row.kind is _K.TOO_LOW:
                if not any(each.state in _OVER for each in rows[at + 1 :]):
                    self._fail("answers", end, row, "the session goes on all the same")
                continue
            if row.kind is _K.REJECTED:
                over = any(each.state in _OVER for each in rows[at + 1 :])
                if not over and _should_count(row) and row.next_in == row.next_in_before:
                    self._fail("counters", end, row, "rejected, and not counted")
                continue
            if row.kind is not _K.ACCEPTED or row.poss_dup or row.text == "released":
                continue
            wanted = _ANSWERS.get((row.msg_type, row.state_before))
            if wanted is None or (row.msg_type == RESEND_REQUEST and end.session.replaying):
                continue
            behind = rows if row.msg_type == LOGON else rows[at + 1 :]
            if not any(wanted(row, each) for each in behind):
                self._fail("answers", end, row, "it is accepted and not answered")


_OVER = (_S.CLOSING, _S.DISCONNECTED)


def _should_count(row: Transition) -> bool:
    """REJ-02: a rejected message uses up the number that was due; a SequenceReset does not."""
    due = row.msg_seq_num == row.next_in_before and row.state is _S.ACTIVE
    return due and row.msg_type != SEQUENCE_RESET


def _asks_or_ends(row: Transition) -> bool:
    """RRQ-06: what a session does that waited for a replay in vain."""
    return row.kind is _K.RESEND_REQUESTED or row.state is _S.CLOSING


def _says(msg_type: str) -> Callable[[Transition, Transition], bool]:
    return lambda row, answer: answer.kind is _K.SENT and answer.msg_type == msg_type


def _beats_back(row: Transition, answer: Transition) -> bool:
    """HBT-03: with the same TestReqID(112), which is the text of both rows."""
    return answer.kind is _K.SENT and answer.rule == "HBT-03" and answer.text == row.text


def _serves(row: Transition, answer: Transition) -> bool:
    return answer.kind is _K.RESEND_ANSWERED or (
        answer.kind is _K.SENT and answer.msg_type in (LOGOUT, REJECT)
    )


# What an accepted message demands in the same step, by its type and the state it meets.
_ANSWERS = {
    (TEST_REQUEST, _S.ACTIVE): _beats_back,
    (LOGOUT, _S.ACTIVE): _says(LOGOUT),
    (LOGON, _S.CONNECTED): _says(LOGON),
    (RESEND_REQUEST, _S.ACTIVE): _serves,
}
_BY_KIND = {
    _K.SENT: RowChecks._on_sent,
    _K.QUEUED: RowChecks._on_sent,
    _K.RESENT: RowChecks._on_resent,
    _K.FILL_SENT: RowChecks._on_resent,
    _K.RESEND_ANSWERED: RowChecks._on_answered,
    _K.RESEND_REQUESTED: RowChecks._on_requested,
    _K.ACCEPTED: RowChecks._on_accepted,
    _K.GAP_FILLED: RowChecks._on_filled,
    _K.GAP_OPENED: RowChecks._on_gap,
    _K.GAP_CLOSED: RowChecks._on_gap_over,
    _K.GAP_ABANDONED: RowChecks._on_gap_over,
    _K.GARBLED: RowChecks._on_garbled,
    _K.TOO_LOW: RowChecks._on_too_low,
    _K.REJECTED: RowChecks._on_rejected,
    _K.PROBED: RowChecks._on_probed,
    _K.TIMED_OUT: RowChecks._on_timed_out,
}
