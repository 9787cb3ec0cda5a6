"""Fates: what became of each application message that an end of a loopback sent.

A message is delivered, or there is a row that says why it never will be. `Ledger` follows the
rows of both ends as they come about; a message's fate is then looked up, never guessed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from fixlab.session.events import Received
from fixlab.session.session import Session
from fixlab.session.transitions import Role, Transition, TransitionKind
from fixlab.wire.message import Message
from fixlab.wire.tags import ADMIN_TYPES, LOGOUT, REJECT

if TYPE_CHECKING:
    import pandas as pd

_K = TransitionKind
_CL_ORD_ID = 11
# Rows of a receiver that move NextNumIn past a number without delivering it.
_PASSES = (_K.GAP_FILLED, _K.RESET_IN, _K.REJECTED)
# Rows that a ledger has nothing to learn from are most of all rows.
_TELLING = frozenset({_K.SENT, _K.QUEUED, _K.FILL_SENT, _K.RESET_BOTH, _K.ACCEPTED, *_PASSES})


class Fate(StrEnum):
    """What became of an application message."""

    DELIVERED = "delivered"
    WAITING = "waiting"  # its sender has it, and the receiver still expects its number
    WITHHELD = "withheld"  # filled over by its sender, which does not resend it
    PASSED_OVER = "passed over"  # by a gap fill or a SequenceReset-Reset that was not due
    REJECTED = "rejected"  # its number was counted, and it was not processed
    DISPLACED = "displaced"  # a Reject or Logout was counted in its place (REJ-18, LGO-05)
    RESET = "reset"  # its sender started over before it was delivered
    FORGOTTEN = "forgotten"  # its sender's store lost it
    REUSED = "number reused"  # its sender had given its number to another message
    UNKNOWN = "unknown"  # no row tells: it was lost in silence


@dataclass(slots=True)
class Order:
    """An application message that was numbered by its sender, and what is known of it."""

    sender: Role
    ordinal: int  # per sender, from 1
    number: int  # MsgSeqNum(34)
    message: Message
    sent: int
    stale: bool = False  # the receiver had already counted its number when it was sent
    delivered: int | None = None
    filled: Transition | None = None  # the sender's gap fill over it
    reset: Transition | None = None
    forgotten: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The fate of one order, and the row that tells it, if it needs one."""

    order: Order
    fate: Fate
    row: Transition | None = None


class _Book:
    """What one end sent, and what it let pass without delivering it."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.current: dict[int, Order] = {}  # by number, since the last reset
        self.before: dict[int, Order] = {}  # and those from before it
        self.passed: list[Transition] = []
        self.taken: set[int] = set()  # numbers under which something else was delivered


class Ledger:
    """Follows the orders of both ends of one loopback."""

    def __init__(self) -> None:
        self._books = {role: _Book() for role in Role}
        self._given: dict[Role, deque[Message]] = {role: deque() for role in Role}

    def give(self, role: Role, message: Message) -> None:
        """The application at `role` is about to send `message`."""
        self._given[role].append(message)

    def refuse(self, role: Role) -> None:
        """It could not: the message was given a number by nobody."""
        self._given[role].clear()

    def follow(self, session: Session, peer: Session, rows: Iterable[Transition]) -> None:
        """A step of `session`, once it is committed."""
        for row in rows:
            if row.kind in _TELLING:
                self._read(session.role, peer, row)

    def forget(self, role: Role, next_out: int, now: int) -> None:
        """The store of `role` lost all from number `next_out` on."""
        book = self._books[role]
        for number in [number for number in book.current if number >= next_out]:
            book.current[number].forgotten = now
            book.before[number] = book.current.pop(number)

    def orders(self, role: Role) -> list[Order]:
        """What `role` sent, in order."""
        return self._books[role].orders

    def verdicts(self, sender: Session, receiver: Session) -> Iterator[Verdict]:
        """The fate of each order of `sender`."""
        for order in self._books[sender.role].orders:
            yield self._judge(order, sender, receiver)

    # Inside ------------------------------------------------------------------------------

    def _read(self, role: Role, peer: Session, row: Transition) -> None:
        book = self._books[role]
        if row.kind in (_K.SENT, _K.QUEUED):
            if row.msg_type not in ADMIN_TYPES and self._given[role]:
                self._enter(book, role, peer, row)
        elif row.kind is _K.ACCEPTED:
            if row.msg_type in ADMIN_TYPES:
                # A session's own message, where an order of that number may be due.
                self._books[peer.role].taken.add(row.next_in_before)
                if displaces(row):
                    book.passed.append(row)
        elif row.kind is _K.FILL_SENT:
            for order in self._within(book, row):
                order.filled = row
        elif row.kind is _K.RESET_BOTH:
            for order in book.current.values():
                order.reset = row
            book.before, book.current = book.current, {}
            book.passed = []
            book.taken.clear()
        elif row.next_in > row.next_in_before:
            book.passed.append(row)

    def _enter(self, book: _Book, role: Role, peer: Session, row: Transition) -> None:
        assert row.msg_seq_num is not None, "SENT and QUEUED rows have a number"
        message = self._given[role].popleft()
        order = Order(role, len(book.orders) + 1, row.msg_seq_num, message, row.time)
        order.stale = peer.next_in > order.number
        book.orders.append(order)
        book.current[order.number] = order

    def _within(self, book: _Book, row: Transition) -> list[Order]:
        assert row.begin_seq_no is not None, "a FILL_SENT row has a range"
        assert row.end_seq_no is not None, "a FILL_SENT row has a range"
        first, last = row.begin_seq_no, row.end_seq_no
        if last - first > len(book.current):
            return [order for n, order in book.current.items() if first <= n <= last]
        return [book.current[n] for n in range(first, last + 1) if n in book.current]

    def deliver(self, sender: Role, event: Received, now: int) -> None:
        """The application of the other end was given a message, whatever follows."""
        order = self.find(sender, event)
        if order is None:
            self._books[sender].taken.add(event.msg_seq_num)
        elif order.delivered is None:
            order.delivered = now

    def find(self, sender: Role, event: Received) -> Order | None:
        """The order that `event` delivers: of that number, and with the same ClOrdID(11).

        LGN-19: what was in flight before a reset still comes under its old number.
        """
        book, number = self._books[sender], event.msg_seq_num
        found = [b[number] for b in (book.current, book.before) if number in b]
        name = event.message.get(_CL_ORD_ID)
        return next((order for order in found if order.message.get(_CL_ORD_ID) == name), None)

    def _judge(self, order: Order, sender: Session, receiver: Session) -> Verdict:
        if order.delivered is not None:
            return Verdict(order, Fate.DELIVERED)
        if order.reset is not None:
            return Verdict(order, Fate.RESET, order.reset)
        if order.forgotten is not None:
            return Verdict(order, Fate.FORGOTTEN)
        if order.number >= receiver.next_in:
            return Verdict(order, Fate.WAITING)
        if order.filled is not None:
            return Verdict(order, Fate.WITHHELD, order.filled)
        for row in self._books[receiver.role].passed:
            first, last = row.begin_seq_no, row.end_seq_no
            fate = Fate.PASSED_OVER
            if row.kind is _K.REJECTED:
                first, last, fate = row.msg_seq_num, row.msg_seq_num, Fate.REJECTED
            elif row.kind is _K.ACCEPTED:
                first, last, fate = row.next_in_before, row.next_in_before, Fate.DISPLACED
            if first is not None and last is not None and first <= order.number <= last:
                return Verdict(order, fate, row)
        reused = order.stale or order.number in self._books[sender.role].taken
        return Verdict(order, Fate.REUSED if reused else Fate.UNKNOWN)


def displaces(row: Transition) -> bool:
    """Whether a message was counted in the place of another one, which is lost by it."""
    return (
        row.kind is _K.ACCEPTED
        and row.msg_type in (REJECT, LOGOUT)
        and row.msg_seq_num != row.next_in_before
    )


def to_frame(verdicts: list[Verdict], names: dict[Role, str]) -> pd.DataFrame:
    """Verdicts as a frame of schema `fates`; `names` are the ids of both sessions."""
    from fixlab import frames  # here: a worker of a sweep makes no frames

    rows = [verdict.row for verdict in verdicts]
    orders = [verdict.order for verdict in verdicts]
    return frames.build(
        frames.FATES,
        {
            "sender": [names[order.sender] for order in orders],
            "order": [order.ordinal for order in orders],
            "msg_type": [order.message.msg_type for order in orders],
            "msg_seq_num": [order.number for order in orders],
            "sent": [order.sent for order in orders],
            "fate": [verdict.fate.value for verdict in verdicts],
            "settled": [_settled(verdict) for verdict in verdicts],
            "session": [row.session if row else "" for row in rows],
            "step": [row.step if row else frames.MISSING for row in rows],
            "rule": [row.rule if row else "" for row in rows],
            "text": [row.text if row else "" for row in rows],
        },
    )


def _settled(verdict: Verdict) -> int:
    from fixlab.frames import MISSING

    order = verdict.order
    if verdict.row is not None:
        return verdict.row.time
    known = order.delivered if order.delivered is not None else order.forgotten
    return MISSING if known is None else known
