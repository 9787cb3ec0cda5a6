"""What the application is given: each number once, in order, as it was sent."""

from __future__ import annotations

from fixlab.session.core import Output
from fixlab.session.events import Dropped, Established, Received
from fixlab.session.transitions import SessionState, Transition, TransitionKind
from fixlab.sim._timers import pulse_of
from fixlab.sim._watch import Watch
from fixlab.sim._written import ByteChecks
from fixlab.sim.endpoint import Endpoint
from fixlab.wire.tags import (
    ADMIN_TYPES,
    ORIG_SENDING_TIME,
    POSS_DUP_FLAG,
    SENDER_COMP_ID,
    SENDING_TIME,
    TARGET_COMP_ID,
)

_S, _K = SessionState, TransitionKind


class DeliveryChecks(ByteChecks):
    """Events, as a session tells them."""

    def _check_events(self, end: Endpoint, watch: Watch, output: Output) -> None:
        told = [event for event in output.events if isinstance(event, Received)]
        count = 0
        for row in output.transitions:
            if row.kind is _K.RESET_BOTH:
                watch.delivered = 0
            if not _delivers(row):
                continue
            event = told[count] if count < len(told) else None
            count += 1
            if event is None or event.msg_seq_num != row.msg_seq_num:
                self._fail("delivery", end, row, f"delivered was {event and event.msg_seq_num}")
            if event.poss_dup != (event.message.get(POSS_DUP_FLAG) == "Y"):
                self._fail("delivery", end, row, "told with another PossDupFlag(43)")
            if row.kind is _K.ACCEPTED:
                if event.msg_seq_num <= watch.delivered and not watch.forgiven:
                    self._fail("delivery", end, row, f"{watch.delivered} came before it")
                watch.delivered = max(watch.delivered, event.msg_seq_num)
            self._check_order(end, watch, event, row)
        if count < len(told):
            self._fail("delivery", end, None, f"{told[count].msg_seq_num} came without a row")
        if watch.untold:
            self._check_dropped(end, watch, output)
        for each in output.events:
            if isinstance(each, Established):
                seconds = each.heartbeat_seconds
                watch.pulse = pulse_of(end.session.config, seconds)
                watch.fastest = min(watch.fastest or seconds, seconds)

    def _check_dropped(self, end: Endpoint, watch: Watch, output: Output) -> None:
        """SCH-04, RSP-09: what was queued and will never leave is told to its application."""
        told: set[int] = set()
        for event in output.events:
            if isinstance(event, Dropped):
                told.update(range(event.begin, event.end + 1))
        if not watch.untold <= told:
            missing = sorted(watch.untold - told)
            self._fail("delivery", end, watch.last, f"queued, dropped and not told: {missing}")
        watch.untold.clear()

    def _check_order(
        self, end: Endpoint, watch: Watch, event: Received, row: Transition
    ) -> None:
        """What arrives is what the other application sent, and in its order."""
        peer = self._peer(end)
        if not self._is_correct(peer):
            self._check_accepted(end, event, row)
            return
        order = self._lab._ledger.find(peer.session.role, event)
        if order is None:
            # A commit that failed may have kept the message that it was for.
            if not peer._lost_numbers and not self._watches[peer.session.role].forgiven:
                self._fail("delivery", end, row, "nobody sent it")
            return
        sent = order.message
        if any(event.message.values(tag) != sent.values(tag) for tag, _ in sent.fields):
            self._fail("delivery", end, row, f"sent was {sent!r}, delivered {event.message!r}")
        sure = not (watch.forgiven or peer._lost_numbers) and self.agrees()
        if sure and order.ordinal <= watch.ordinal:
            self._fail("delivery", end, row, f"order {watch.ordinal} came before it")
        watch.ordinal = max(watch.ordinal, order.ordinal)

    def _check_accepted(self, end: Endpoint, event: Received, row: Transition) -> None:
        """What a broken peer writes is not taken where the config says that it is checked."""
        config, message = end.session.config, event.message
        if config.check_comp_id and (
            message.get(SENDER_COMP_ID) != config.target_comp_id
            or message.get(TARGET_COMP_ID) != config.sender_comp_id
        ):
            self._fail("inbound", end, row, f"taken with another CompID: {message!r}")
        if not event.poss_dup or config.poss_dup_check != "always":
            return
        original, sent = message.get(ORIG_SENDING_TIME), message.get(SENDING_TIME, "")
        assert sent is not None, "it has a default"
        if original is None or original > sent:
            self._fail(
                "inbound", end, row, f"taken with OrigSendingTime {original}: {message!r}"
            )


def _delivers(row: Transition) -> bool:
    """Whether the message of a row goes to the application."""
    if row.kind is _K.ACCEPTED:
        return row.msg_type not in ADMIN_TYPES
    # LGN-19: sent before a reset, and received behind it.
    return row.kind is _K.IGNORED and row.text == "delivered under its old number"
