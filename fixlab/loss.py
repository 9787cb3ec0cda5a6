"""Loss: messages that a session sends and the other end never gets.

TCP loses bytes only with the connection; a single lost message is a fault of an engine or its
operator. Both the loopback and live sessions lose messages through this class, between the
session and the wire, so the sender's own record shows them as sent.
"""

from __future__ import annotations

from collections.abc import Iterable

from fixlab.errors import ConfigError
from fixlab.wire.framer import Framer
from fixlab.wire.message import Message
from fixlab.wire.tags import POSS_DUP_FLAG


class Loss:
    """Takes chosen messages out of a stream of whole messages; passes all others on."""

    def __init__(self) -> None:
        self._next = 0
        self._numbers: set[int] = set()
        self.lost = 0  # messages taken out so far

    def lose_next(self, count: int) -> None:
        """Lose the next `count` messages, whatever they are; adds to what is still due."""
        if count < 0:
            raise ConfigError(f"cannot lose {count} messages")
        self._next += count

    def lose_numbers(self, msg_seq_nums: Iterable[int]) -> None:
        """Lose the first transmission of each of these numbers; replays (43=Y) get through."""
        self._numbers.update(msg_seq_nums)

    def clear(self) -> None:
        """Lose nothing more."""
        self._next = 0
        self._numbers.clear()

    @property
    def pending(self) -> int:
        """Messages still to be lost."""
        return self._next + len(self._numbers)

    def pass_on(self, data: bytes) -> bytes:
        """What of `data`, whole messages of one session, reaches the wire."""
        if not data or not self.pending:
            return data
        kept = []
        for message in Framer(max(len(data), 256)).feed(data):
            assert isinstance(message, Message), "a session writes well-formed messages"
            if self._takes(message):
                self.lost += 1
            else:
                kept.append(message.raw or b"")
        return b"".join(kept)

    def _takes(self, message: Message) -> bool:
        number = message.number
        if number in self._numbers and message.get(POSS_DUP_FLAG) != "Y":
            self._numbers.discard(number)
            return True
        if self._next:
            self._next -= 1
            return True
        return False
