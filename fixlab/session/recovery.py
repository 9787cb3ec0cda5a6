"""What is missing inbound, what waits behind it, and when to ask for it (again)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from fixlab.session.inbound import Head
from fixlab.wire.message import Message

# RRQ-10 counts messages; this bounds what they may weigh together.
HELD_BYTES_MAX = 64 << 20


class Gap(NamedTuple):
    """The open gap: numbers `begin` to `end` are missing, `held` later ones wait."""

    begin: int
    end: int
    held: int


class Held(NamedTuple):
    """An early message; `acted` when its number only has to be counted (RSP-12, LGN-10)."""

    message: Message
    head: Head
    acted: bool


@dataclass(slots=True)
class Recovery:
    """The inbound gap of one connection, or none, and the early messages behind it."""

    held_max: int
    held: dict[int, Held] = field(default_factory=dict)
    ordinal: int = 0  # gaps noticed so far, over the session's life
    begin: int = 0  # first number missing when the gap was noticed
    end: int = 0  # last number of the gap; 0 when there is none
    requested: bool = False
    redundant: bool = False  # RRQ-04: to be asked once more, though an answer is under way
    open_ended: bool = False  # asked "to the end": whatever was sent by then will come
    answered: bool = False  # something of the answer has arrived
    asked_again: int = 0  # repeats without progress
    progress: int = 0  # when the request went out, or NextNumIn last moved
    stalled: int = 0  # new messages in a row while the answer had begun (SQR-16)
    dropped: int = 0  # highest early number for which there was no room (RRQ-10)
    chunk_end: int = 0  # RRQ-03: last number of the part asked for; 0: all of it
    quiet: bool = False  # RSP-12: not asked for before the next early message
    jumped: str = ""  # the rule that moved NextNumIn past held messages, perhaps
    _highest: int = 0  # highest early number seen
    _held_bytes: int = 0

    @property
    def open(self) -> bool:
        """Whether numbers are missing."""
        return self.end != 0

    @property
    def gap_ordinal(self) -> int | None:
        """Ordinal of the open gap, or None."""
        return self.ordinal if self.end else None

    def notice(self, next_in: int, number: int, now: int) -> bool:
        """Number `number` came while `next_in` was due; True when that opens a gap."""
        if self.end == 0:
            self.ordinal += 1
            self.begin, self.end = next_in, number - 1
            self.requested = self.answered = False
            self.asked_again = self.stalled = self.chunk_end = 0
            self.progress, self.quiet = now, False
            self._highest = max(number, *self.held) if self.held else number
            return True
        # RRQ-04: an open-ended request that is not answered yet covers every hole noticed
        # meanwhile, since the peer sent these messages before it read the request.
        # RRQ-03: and further parts are still to be asked for.
        covered = self.chunk_end != 0 or (not self.answered and self._covers_more())
        if number > self._highest + 1 and covered:
            self.end = number - 1
        self._highest = max(self._highest, number)
        return False

    def _covers_more(self) -> bool:
        return self.open_ended or not self.requested

    def drop(self, number: int) -> None:
        """SEQ-07: an early message is not kept, so it is missing as well."""
        self.end = max(self.end, number)

    def is_part_done(self, next_in: int) -> bool:
        """Whether the part asked for has come, and the rest is to be asked for (RRQ-03)."""
        return self.requested and 0 < self.chunk_end < next_in <= self.end

    def hold(self, number: int, item: Held) -> bool:
        """Keep an early message; False when there is no room left (RRQ-10)."""
        if number in self.held:
            return True
        size = len(item.message.raw or b"")
        if len(self.held) >= self.held_max or self._held_bytes + size > HELD_BYTES_MAX:
            self.dropped = max(self.dropped, number)
            return False
        self.held[number] = item
        self._held_bytes += size
        return True

    def known_beyond(self, next_in: int) -> int:
        """First number held, or one past the last dropped, if that is above `next_in`; or 0."""
        dropped = [self.dropped + 1] if self.dropped >= next_in else []
        return min([*self.held, *dropped], default=0)

    def take(self, number: int) -> Held | None:
        """The held message with this number, no longer held."""
        item = self.held.pop(number, None)
        if item is not None:
            self._held_bytes -= len(item.message.raw or b"")
        return item

    def pass_over(self, next_in: int) -> list[Held]:
        """The held messages that a gap fill or reset has passed over, no longer held."""
        self.jumped = ""
        passed = [self.take(number) for number in sorted(self.held) if number < next_in]
        return [item for item in passed if item is not None]

    def close(self) -> None:
        """The gap is over, one way or another."""
        self.begin = self.end = self.chunk_end = 0
        self.requested = self.answered = self.quiet = False

    def clear(self) -> None:
        """Forget gap and held messages: connection lost (RRQ-09) or session reset."""
        self.close()
        self.held.clear()
        self._held_bytes = self.dropped = 0
        self.jumped = ""
