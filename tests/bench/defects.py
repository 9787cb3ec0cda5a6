"""Defects to put into the core on purpose: each one line, or a few, replaced in one file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Defect:
    """One mistake that somebody could have made."""

    name: str
    rule: str
    breaks: str  # in one sentence
    file: str  # below fixlab/
    old: str  # must stand there exactly once
    new: str


DEFECTS = (
    # What is missing, and asking for it.
    Defect(
        "gap_ends_early", "SEQ-05",
        "The last missing number is not counted into the gap.",
        "session/recovery.py",
        "self.begin, self.end = next_in, number - 1",
        "self.begin, self.end = next_in, max(next_in, number - 2)",
    ),
    Defect(
        "request_begins_late", "RRQ-01",
        "A ResendRequest leaves out the first missing number, when there are several.",
        "session/recovering.py",
        "begin, part = self._next_in, self.config.resend_chunk_max",
        "begin, part = min(self._next_in + 1, r.end), self.config.resend_chunk_max",
    ),
    Defect(
        "request_never_repeated", "RRQ-06",
        "The time-out of a ResendRequest passes, and nothing is asked again.",
        "session/session.py",
        "            recovery.asked_again += 1\n            recovery.requested = False\n"
        "            self._request_missing()\n        match",
        "            recovery.asked_again += 1\n        match",
    ),
    Defect(
        "last_part_not_asked", "RRQ-03",
        "A part that consists of the gap's last number alone is never asked for.",
        "session/recovery.py",
        "0 < self.chunk_end < next_in <= self.end",
        "0 < self.chunk_end < next_in < self.end",
    ),
    Defect(
        "second_hole_forgotten", "RRQ-05",
        "A hole behind the gap, noticed while that was open, is forgotten when it closes.",
        "session/recovering.py",
        "(known := recovery.known_beyond(self._next_in))",
        "(known := 0 * recovery.known_beyond(self._next_in))",
    ),
    Defect(
        "gap_survives_the_connection", "RRQ-09",
        "Messages held when a connection is lost are still held on the next one.",
        "session/recovery.py",
        "        self.close()\n        self.held.clear()\n",
        "        self.close()\n",
    ),
    # Messages held behind a gap.
    Defect(
        "held_not_released", "SEQ-07",
        "A held message is dropped when its turn comes, and counted all the same.",
        "session/recovering.py",
        "            if item.acted:\n                rule",
        "            if item.acted or item.head.msg_type not in ADMIN_TYPES:\n"
        "                rule",
    ),
    Defect(
        "held_filled_over_stays", "SQR-02",
        "A held message that a gap fill has passed over stays among the held ones.",
        "session/core.py",
        "        if next_in > self._next_in + 1:\n            self._recovery.jumped = rule\n",
        "",
    ),
    Defect(
        "duplicate_delivered", "SEQ-04",
        "A repeat of a message that came already is delivered again.",
        "session/session.py",
        "            self._note(_K.DUPLICATE, rule, head, gap=recovery.gap_ordinal)\n",
        "            self._note(_K.DUPLICATE, rule, head, gap=recovery.gap_ordinal)\n"
        "            if head.msg_type not in ADMIN_TYPES:\n"
        "                self._events.append(Received(message, head.number, True))\n",
    ),
    Defect(
        "low_number_ignored", "SEQ-03",
        "A number that is too low and not flagged is ignored; no Logout, no close.",
        "session/session.py",
        "rule, head, text=text)\n        self._fail(rule, text)\n",
        "rule, head, text=text)\n",
    ),
    # Gap fills and resets.
    Defect(
        "gap_fill_counts_one", "SQR-02",
        "A gap fill moves NextNumIn by one, whatever NewSeqNo(36) says.",
        "session/session.py",
        'self._count(_K.GAP_FILLED, "SQR-02", head, new, "", number, new - 1)',
        'self._count(_K.GAP_FILLED, "SQR-02", head, number + 1, "", number, new - 1)',
    ),
    Defect(
        "gap_fill_one_too_far", "SQR-02",
        "A gap fill moves NextNumIn one past NewSeqNo(36).",
        "session/session.py",
        'self._count(_K.GAP_FILLED, "SQR-02", head, new, "", number, new - 1)',
        'self._count(_K.GAP_FILLED, "SQR-02", head, new + 1, "", number, new - 1)',
    ),
    Defect(
        "sequence_reset_may_lower", "SQR-09",
        "SequenceReset-Reset to a number below NextNumIn is not rejected.",
        "session/session.py",
        "if fault is None and new is not None and new < self._next_in:",
        "if fault is None and new is not None and new < 0:",
    ),
    Defect(
        "reset_answer_not_counted", "LGN-19",
        "The Logon that answers a reset in session is not counted as number 1.",
        "session/admitting.py",
        'self._count(_K.ACCEPTED, "LGN-19", head, 2, state=_S.ACTIVE)',
        'self._note(_K.ACCEPTED, "LGN-19", head, state=_S.ACTIVE)',
    ),
    Defect(
        "queued_lost_in_silence", "SCH-04",
        "Of the queued messages that a reset drops, the first run is not told.",
        "session/core.py",
        "for first, last in queued:",
        "for first, last in queued[1:]:",
    ),
    Defect(
        "acceptor_ignores_141", "LGN-17",
        "An acceptor answers ResetSeqNumFlag(141)=Y without it and keeps its numbers.",
        "session/admitting.py",
        "reset = terms.reset or self._resets_at_logon() or unsure",
        "reset = self._resets_at_logon() or unsure",
    ),
    # Answering a ResendRequest.
    Defect(
        "resend_ends_early", "RSP-06",
        "The answer to an open-ended ResendRequest leaves out the last number sent.",
        "session/outbound.py",
        "last = sent if end in composer.open_ends else min(end, sent)",
        "last = max(begin, sent - 1) if end in composer.open_ends else min(end, sent)",
    ),
    Defect(
        "resend_beyond_sent", "RSP-06",
        "A ResendRequest past the last number sent is gap-filled to its end.",
        "session/outbound.py",
        "last = sent if end in composer.open_ends else min(end, sent)",
        "last = sent if end in composer.open_ends else end",
    ),
    Defect(
        "no_fill_before_message", "RSP-04",
        "Admin messages before a resent one are not gap-filled over.",
        "session/outbound.py",
        "            if first < number:\n",
        "            if first < number and self.resent == -1:\n",
    ),
    Defect(
        "last_fill_short", "RSP-05",
        "The gap fill at the end of an answer ends one number short.",
        "session/outbound.py",
        "yield self._fill(first, self.last + 1, composer, now)",
        "yield self._fill(first, max(first + 1, self.last), composer, now)",
    ),
    Defect(
        "resent_without_43", "RSP-01",
        "A resent message does not carry PossDupFlag(43).",
        "session/outbound.py",
        'middle = b"43=Y\\x01%b52=%b\\x01122=%b%b" %',
        'middle = b"%b52=%b\\x01122=%b%b" %',
    ),
    Defect(
        "original_time_is_now", "RSP-16",
        "OrigSendingTime(122) of a resent message is the time of the resend.",
        "session/outbound.py",
        "% (sender, sent, first, target)",
        "% (sender, sent, sent, target)",
    ),
    Defect(
        "logon_resent", "RSP-02",
        "Logons are resent rather than gap-filled over.",
        "session/outbound.py",
        "        if raw.split(b\"\\x01\", 3)[2][3:] not in self._filled:\n",
        "        if raw.split(b\"\\x01\", 3)[2][3:] not in self._filled - {b\"A\"}:\n",
    ),
    Defect(
        "queued_at_logon_waits", "SCH-08",
        "What is sent while the Logon is out does not leave once it is answered.",
        "session/core.py",
        "self._state in (_S.LOGON_SENT, _S.ACTIVE):\n",
        "self._state is _S.ACTIVE:\n",
    ),
    # Header checks and Rejects.
    Defect(
        "same_time_rejected", "HDR-09",
        "An OrigSendingTime(122) equal to SendingTime(52) is rejected.",
        "session/inbound.py",
        "if original_ns > sent_ns:",
        "if original_ns >= sent_ns:",
    ),
    Defect(
        "no_122_accepted", "HDR-08",
        "PossDupFlag(43)=Y without OrigSendingTime(122) is not rejected.",
        "session/inbound.py",
        'return None if never else required(ORIG_SENDING_TIME, rule="HDR-08")',
        "return None",
    ),
    Defect(
        "43_read_in_haste", "SEQ-11",
        "The quick way of reading takes a flagged message for a new one.",
        "session/fastpath.py",
        'rb"|4(?:[39]|4[56]|[0-9]{4})',
        'rb"|4(?:[9]|4[56]|[0-9]{4})',
    ),
    Defect(
        "rejected_not_counted", "REJ-02",
        "A rejected message does not count, so it is asked for again and again.",
        "session/ending.py",
        "            expected\n            and fault.answer is not Answer.LOGOUT\n",
        "            expected\n            and fault.answer is Answer.REJECT_LOGOUT\n",
    ),
    # Logout, time, 789.
    Defect(
        "logout_past_a_hole", "LGO-05",
        "An early Logout is answered at once, with messages before it missing.",
        "session/recovering.py",
        "self._peer_logout = (number, self._now)\n",
        "self._answer_logout()\n            return\n",
    ),
    Defect(
        "own_logout_past_a_hole", "LGO-06",
        "An own Logout leaves at once though a gap is open.",
        "session/ending.py",
        "if not self._recovery.open and not self._replays:",
        "if not self._replays:",
    ),
    Defect(
        "probe_not_closed", "HBT-06",
        "A message does not close an open TestRequest: a live peer is hung up on.",
        "session/session.py",
        "                self._received_at, self._probed_at = now, None\n"
        "                self._on_message(item)",
        "                self._received_at = now\n                self._on_message(item)",
    ),
    Defect(
        "never_hangs_up", "HBT-05",
        "A peer that does not answer a TestRequest is probed again, never left.",
        "session/session.py",
        "            case Due.DROP:\n",
        "            case Due.DROP if self._probed_at is not None:\n"
        "                self._probed_at = None\n                self._received_at = now\n"
        "            case Due.DROP:\n",
    ),
    Defect(
        "heartbeats_too_rare", "HBT-01",
        "A Heartbeat is sent after two intervals of own silence, not after one.",
        "session/liveness.py",
        "round(interval * config.heartbeat_factor),",
        "round(2 * interval * config.heartbeat_factor),",
    ),
    Defect(
        "789_one_too_high", "LGN-21",
        "NextExpectedMsgSeqNum(789) is one too high.",
        "session/admitting.py",
        'body += b"789=%d\\x01" % self._next_in',
        'body += b"789=%d\\x01" % (self._next_in + 1)',
    ),
    Defect(
        "789_resends_late", "LGN-22",
        "What the peer's 789 asks for is resent without its first number.",
        "session/admitting.py",
        'self._start_replay(expected, own, "LGN-22")',
        'self._start_replay(min(expected + 1, own), own, "LGN-22")',
    ),
    # Numbers that survive, and the order of commit and write.
    Defect(
        "inbound_not_committed", "SEQ-13",
        "A crash takes NextNumIn back beyond the last commit.",
        "stores/memory.py",
        "self._committed_in = self._in\n\n    def rollback",
        "self._committed_in = max(self._committed_in, self._in - 1)\n\n    def rollback",
    ),
    Defect(
        "crashed_reset_forgotten", "LGN-19",
        "A reset that a crash cut short is not taken up again at the next Logon.",
        "session/admitting.py",
        'return b"\\x0135=A\\x01" in first and b"\\x01141=Y\\x01" in first',
        "return first is None",
    ),
    Defect(
        "loopback_writes_first", "SEQ-13",
        "A loopback's bytes leave before the store has committed.",
        "sim/endpoint.py",
        "        try:\n            self.session.store.commit()\n"
        "        except StoreError as error:\n"
        "            self._lose_step(error)\n            return\n"
        "        steps, self._steps = self._steps, []\n"
        "        for each, came in steps:\n"
        "            lab._follow(self, each, received=came)\n"
        '        data, self._outbox = b"".join(self._outbox), []\n'
        "        if data:\n            self._write(data)\n",
        '        data, self._outbox = b"".join(self._outbox), []\n'
        "        if data:\n            self._write(data)\n"
        "        try:\n            self.session.store.commit()\n"
        "        except StoreError as error:\n"
        "            self._lose_step(error)\n            return\n"
        "        steps, self._steps = self._steps, []\n"
        "        for each, came in steps:\n"
        "            lab._follow(self, each, received=came)\n",
    ),
)  # fmt: skip
