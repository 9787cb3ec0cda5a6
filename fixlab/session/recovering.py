"""Both sides of recovery: asking for what is missing, and answering who asks."""

from __future__ import annotations

from fixlab import times
from fixlab.session.ending import Ending
from fixlab.session.events import Dropped, GapClosed, GapNoticed
from fixlab.session.inbound import Head, check_content, is_inverted, to_number
from fixlab.session.outbound import Replay, resend_request_body
from fixlab.session.recovery import Held
from fixlab.session.transitions import SessionState, TransitionKind
from fixlab.wire.message import Message
from fixlab.wire.tags import (
    ADMIN_TYPES,
    BEGIN_SEQ_NO,
    END_SEQ_NO,
    HEARTBEAT,
    LOGON,
    LOGOUT,
    RESEND_REQUEST,
    SEQUENCE_RESET,
    TEST_REQ_ID,
    TEST_REQUEST,
    TEXT,
)

_S, _K = SessionState, TransitionKind
REQUEST_REPEATS_MAX = 1  # RRQ-06: ask once more, then give up
_STALLED_MAX = 2  # SQR-16: so many new messages in a row, and the answer has stopped
# RSP-17: a request counts as repeated so long after the last one that counted. A peer that asks
# at every early message (RRQ-04) repeats itself before our answer can reach it.
_REPEAT_GAP = times.NANOSECONDS
_REPLAYS_MAX = 16  # RSP-17: ResendRequests whose answer may be outstanding at once


class Recovering(Ending):
    """Gaps, held messages, ResendRequests and replays (SEQ-05 to -07, RRQ, RSP)."""

    def _on_early(self, message: Message, head: Head, number: int) -> None:
        """SEQ-05, SEQ-06: hold it, ask for what is missing; a ResendRequest is answered."""
        acts = head.msg_type == RESEND_REQUEST and self._is_acted_on(head)
        fault = check_content(message, head, self.config) if acts else None
        if fault is not None:
            self._on_fault(head, fault)
            self._notice_gap(head, number)
            return
        recovery, habit = self._recovery, self.config.habits.early_request
        if acts and habit == "uncounted":
            # RSP-12 as QuickFIX has it: the gap shows to it with the next early message only.
            self._note(_K.IGNORED, "RSP-12", head, text="answered, not counted")
            self._answer_resend(message, head, "RSP-12")
            return
        asked, known = recovery.requested, recovery.open and not recovery.quiet
        self._hold(message, head, number, acted=acts)
        # RSP-12 as QuickFIX/J has it: the gap is asked for with the next early message only.
        recovery.quiet = acts and habit == "hold" and not known
        # RRQ-04: a request or a repeat asks for nothing more, or two sides that both do this
        # would answer each other for ever.
        new = not acts and not head.poss_dup
        if asked and new and self.config.redundant_requests:
            recovery.requested, recovery.redundant = False, True
        if acts:
            self._answer_resend(message, head, "RSP-12")
        if head.msg_type == LOGOUT and not head.poss_dup and self._peer_logout is None:
            self._peer_logout = (number, self._now)
            words = self._safe(message.get(TEXT) or "")
            self._peer_words = f": {words}" if words else ""
        self._request_missing()

    def _is_acted_on(self, head: Head) -> bool:
        """SEQ-14: whether a message of the session is acted on, though it may be a repeat."""
        return not head.poss_dup or head.msg_type in self.config.habits.acts_on_repeats

    def _hold(self, message: Message, head: Head, number: int, *, acted: bool) -> None:
        recovery = self._recovery
        opened = recovery.notice(self._next_in, number, self._now)
        kept, text = False, ""
        if self.config.early_messages == "drop" and not acted:
            # SEQ-07: the peer resends it with what is missing, as the request is open-ended.
            # A request that was answered is remembered: were it missing, two sides that ask
            # each other in parts would go on for ever.
            recovery.drop(number)
            rule, text = "SEQ-07", "dropped: the peer is asked to send it again"
        elif recovery.hold(number, Held(message, head, acted)):
            kept = True
            rule = "SQR-03" if head.gap_fill else "SEQ-06" if acted else "SEQ-05"
        else:
            rule, text = "RRQ-10", f"no room: {len(recovery.held)} early messages wait already"
        self._note(
            _K.HELD if kept else _K.IGNORED,
            rule,
            head,
            begin=recovery.begin,
            end=recovery.end,
            gap=recovery.ordinal,
            text=text,
        )
        if opened:
            self._note_gap(head)
        elif head.poss_dup or head.gap_fill:
            recovery.answered, recovery.stalled = True, 0
        elif recovery.answered:
            recovery.stalled += 1
            if recovery.stalled >= _STALLED_MAX and recovery.asked_again < REQUEST_REPEATS_MAX:
                # SQR-16: new messages follow where the rest of the answer should have come.
                recovery.requested = recovery.answered = False
                recovery.asked_again += 1

    def _notice_gap(self, head: Head, number: int) -> None:
        if self._state is _S.ACTIVE and self._recovery.notice(self._next_in, number, self._now):
            self._note_gap(head)
            self._request_missing()

    def _note_gap(self, head: Head | None) -> None:
        r = self._recovery
        rule = "LGN-10" if head and head.msg_type == LOGON else "SEQ-05"
        self._note(
            _K.GAP_OPENED,
            rule,
            head,
            begin=r.begin,
            end=r.end,
            gap=r.ordinal,
        )
        self._events.append(GapNoticed(r.begin, r.end))

    def _request_missing(self) -> None:
        """One ResendRequest for the open gap, once no own replay is under way.

        RRQ-07, RSP-13: what the peer asked for comes first.
        """
        r = self._recovery
        if not r.open or r.requested or r.quiet:
            return
        if self._replays or self._state is not _S.ACTIVE:
            return
        begin, part = self._next_in, self.config.resend_chunk_max
        # RRQ-03: all parts but the last have an end, so that the next one can be asked for.
        partly = part is not None and begin + part <= r.end
        r.chunk_end = begin + part - 1 if partly and part is not None else 0
        r.open_ended = self.config.resend_range == "open" and not partly
        end = self._compose.infinity if r.open_ended else r.chunk_end or r.end
        if r.asked_again:
            rule, text = "RRQ-06", "asked again"
        elif r.redundant:
            rule, text = "RRQ-04", "asked at each early message, as configured"
        else:
            rule, text = "RRQ-03" if partly else "RRQ-01", ""
        r.requested, r.redundant, r.progress = True, False, self._now
        self._note(
            _K.RESEND_REQUESTED,
            rule,
            begin=begin,
            end=0 if r.open_ended else end,
            gap=r.ordinal,
            text=text,
        )
        self._send_new(
            RESEND_REQUEST,
            resend_request_body(begin, end),
            "RRQ-01",
            begin=begin,
            end=0 if r.open_ended else end,
            gap=r.ordinal,
        )

    def _request_deadline(self) -> int | None:
        r = self._recovery
        limit = self.config.resend_timeout_seconds  # RRQ-06: None waits for ever
        if limit is None or not (r.open and r.requested):
            return None
        return r.progress + times.seconds(limit)

    def _settle(self) -> None:
        """NextNumIn moved: close the gap, release what waited, notice what is still missing."""
        recovery = self._recovery
        while self._state is _S.ACTIVE:
            if recovery.jumped:
                self._pass_over()
            if recovery.open and self._next_in > recovery.end:
                self._note(
                    _K.GAP_CLOSED,
                    "RRQ-05",
                    begin=recovery.begin,
                    end=recovery.end,
                    gap=recovery.ordinal,
                )
                self._events.append(GapClosed(recovery.begin, recovery.end))
                recovery.close()
            elif recovery.is_part_done(self._next_in):
                recovery.requested = recovery.answered = False
            item = recovery.take(self._next_in)
            if item is None:
                break
            if item.acted:
                rule = "LGN-10" if item.head.msg_type == LOGON else "SEQ-07"
                self._count(_K.ACCEPTED, rule, item.head, self._next_in + 1, "released")
            else:
                self._on_expected(item.message, item.head)
        if self._state is not _S.ACTIVE:
            return
        if not recovery.open and (known := recovery.known_beyond(self._next_in)):
            # RRQ-05: a hole behind the gap that no request covers yet.
            recovery.notice(self._next_in, known, self._now)
            self._note_gap(None)
        self._request_missing()
        self._after_recovery()

    def _pass_over(self) -> None:
        """Messages held, and then filled over: the peer means them not to be processed."""
        rule = self._recovery.jumped
        for message, head, acted in self._recovery.pass_over(self._next_in):
            if acted or head.poss_dup:
                continue
            if head.msg_type == TEST_REQUEST and TEST_REQ_ID in message:
                # Gap fills cover all admin messages, but this one waits for its answer.
                self._answer_test(message)
            elif head.msg_type not in ADMIN_TYPES:
                self._note(
                    _K.IGNORED,
                    rule,
                    head,
                    gap=self._recovery.gap_ordinal,
                    text="held, but the peer passed over it",
                )

    def _answer_test(self, message: Message) -> None:
        """HBT-03: a Heartbeat that repeats TestReqID(112)."""
        test_req_id = message[TEST_REQ_ID]
        body = b"112=%b\x01" % test_req_id.encode("latin-1")
        self._send_new(HEARTBEAT, body, "HBT-03", text=self._safe(test_req_id))
        self._watch_flood()

    def _after_recovery(self) -> None:
        """A Logout that waited for the gap goes on now (LGO-05, LGO-06)."""
        if self._recovery.open or self._replays or self._state is not _S.ACTIVE:
            return
        if self._peer_logout is not None and self._next_in > self._peer_logout[0]:
            self._answer_logout()
        elif self._logout_text is not None:
            self._send_logout("LGO-06", self._logout_text, _S.LOGOUT_SENT)

    def _answer_resend(self, message: Message, head: Head, rule: str) -> None:
        begin, end = to_number(message[BEGIN_SEQ_NO]), to_number(message[END_SEQ_NO])
        assert begin is not None, "check_content demands it"
        assert end is not None, "check_content demands it"
        inverted = is_inverted(begin, end, self.config)
        if inverted or begin >= self._next_out:
            self._answer_empty_range(head, begin, end, inverted=inverted)
            return
        last_begin, last_end, times_asked, counted = self._asked
        if (begin, end) != (last_begin, last_end):
            self._asked = (begin, end, 1, self._now)
        elif self._now - counted >= _REPEAT_GAP:
            self._asked = (begin, end, times_asked + 1, self._now)
        if self._asked[2] > self.config.replay_repeat_max:
            self._fail("RSP-17", f"ResendRequest {begin} to {end} repeated without progress")
            return
        if len(self._replays) >= _REPLAYS_MAX:
            self._fail("RSP-17", f"{_REPLAYS_MAX} ResendRequests wait for their answer")
            return
        self._start_replay(begin, end, rule)

    def _answer_empty_range(self, head: Head, begin: int, end: int, *, inverted: bool) -> None:
        """RSP-08: nothing to send. Some engines send a gap fill that goes backwards."""
        text = f"nothing to send: the next number here is {self._next_out}"
        if self.config.habits.empty_range == "fill":
            stop = min(end + 1, self._next_out) if inverted else self._next_out
            self._data.append(self._compose.gap_fill(begin, stop, self._now))
            self._sent_at = self._now
            fill = Head(SEQUENCE_RESET, begin, True, True)
            self._note(_K.FILL_SENT, "RSP-08", fill, begin=begin, end=stop - 1)
            text = f"a gap fill to {stop}, as this engine does"
        rule = "RSP-07" if inverted else "RSP-08"
        self._note(_K.RESEND_ANSWERED, rule, head, begin=begin, end=end, text=text)

    def _start_replay(self, begin: int, end: int, rule: str) -> None:
        replay = Replay.of(
            begin, end, sent=self._next_out - 1, composer=self._compose, rule=rule
        )
        self._replays.append(replay)
        if len(self._replays) == 1:
            self._continue_replay()

    def _continue_replay(self) -> None:
        """The next batch of the replay under way; what waited for it follows its end."""
        replay = self._replays[0]
        limit = self.config.replay_batch_max
        stored = self.store.sent(replay.position, min(replay.last, replay.position + limit - 1))
        for item in replay.advance(stored, self._compose, self._now, limit):
            self._data.append(item.raw)
            self._sent_at = self._now
            head = Head(item.msg_type, item.number, True, item.fill_to is not None)
            if item.fill_to is None:
                self._note(_K.RESENT, "RSP-01", head)
            else:
                self._note(
                    _K.FILL_SENT,
                    "RSP-09" if item.withheld else "RSP-04",
                    head,
                    begin=item.number,
                    end=item.fill_to,
                    text=f"not resent: {item.withheld}" if item.withheld else "",
                )
            if self._queued:
                passed = self._unqueue(item.number, item.fill_to or item.number)
                if item.fill_to is not None:
                    # RSP-09: of a type that is not resent, so they never leave.
                    self._events += [Dropped(first, last) for first, last in passed]
        if not replay.done:
            return
        self._replays.pop(0)
        self._note(
            _K.RESEND_ANSWERED,
            replay.rule,
            begin=replay.begin,
            end=replay.end,
            text=f"{replay.resent} resent, {replay.filled} gap-filled",
        )
        if self._replays:
            return
        if self._unsent_from is not None and self._state is _S.ACTIVE:
            # RSP-15: what was numbered meanwhile leaves now, in order.
            begin, self._unsent_from = self._unsent_from, None
            self._start_replay(begin, 0, "RSP-15")
            return
        self._request_missing()
        self._after_recovery()
