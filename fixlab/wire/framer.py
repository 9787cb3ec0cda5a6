"""Framer: bytes in any split -> Message or Garbled.

The result depends on the bytes alone, never on how they were cut into pieces: a broken stretch
gives one `Garbled`, at the byte that shows it to be broken, and is then skipped up to the next
plausible start of a message (FRM-07).
"""

from __future__ import annotations

import re
from typing import NamedTuple
from zlib import adler32

from fixlab.wire.message import Message, checksum

# FRM-01, FRM-02: BeginString, BodyLength and MsgType, in this order and of this form. In a
# broken stretch the same pattern finds the next start; nothing shorter would do, since a value
# such as "58=x" contains an "8=" as well.
START = re.compile(rb"8=(?:FIX|FIXT)\.[0-9]\.[0-9]\x019=([0-9]{1,10})\x0135=")
_START_BYTES_MAX = 30
_PARTS = rb"8 = F I X T? \. [0-9] \. [0-9] \x01 9 = [0-9] [0-9]{0,9} \x01 3 5 =".split()
# Any beginning of a start: each part, and optionally what comes behind it.
_PREFIX = re.compile(b"(?:".join(_PARTS) + b")?" * (len(_PARTS) - 1))
_TRAILER_BYTES = 7  # "10=", three digits, SOH (FRM-05)
# How many of the largest messages may be summed in vain before one is passed over whole: each
# of many starts, one inside the other, would else cost the sum of all that follows.
_VAIN_SUMS_MAX = 16
_NESTED = re.compile(rb"\x0110=[0-9]{3}\x01(?=8=(?:FIX|FIXT)\.[0-9]\.[0-9]\x019=[0-9])")

# The last seven bytes of a message -> what all its bytes add up to, modulo 256. One lookup
# checks the trailer's form and gives the sum to compare with.
SUM_WITH_TRAILER = {
    trailer: (value + sum(trailer)) & 0xFF
    for value, trailer in ((value, b"10=%03d\x01" % value) for value in range(256))
}


class Garbled(NamedTuple):
    """Bytes that are no message: the rule they break, in words, and what is known of them.

    `raw` is the whole message where its end is certain, otherwise empty: a broken stretch is
    not kept, so that it cannot fill the memory.
    """

    rule: str
    reason: str
    raw: bytes = b""


class Framer:
    """Cuts a byte stream into messages; keeps at most `message_bytes_max` bytes waiting."""

    __slots__ = ("_need", "_skipping", "_vain", "_waiting", "message_bytes_max")

    def __init__(self, message_bytes_max: int = 1 << 20) -> None:
        self.message_bytes_max = message_bytes_max
        self._waiting = bytearray()
        self._need = 0  # total bytes the waiting message wants; nothing to do before
        self._skipping = False  # inside a broken stretch that was already reported
        self._vain = 0  # bytes summed for stretches that are then searched again

    @property
    def waiting(self) -> int:
        """Bytes kept because their message is not complete."""
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether the next byte starts a message: nothing waits, no broken stretch is open."""
        return not self._waiting and not self._skipping

    @property
    def missing(self) -> int:
        """Bytes that complete the message that waits; 0 without one, or when not yet known."""
        return max(self._need - len(self._waiting), 0) if self._waiting else 0

    def feed(self, data: bytes) -> list[Message | Garbled]:
        """What `data` completes, in stream order."""
        if self._waiting:
            # A bytearray grows in place: one byte at a time stays linear.
            self._waiting += data
            if len(self._waiting) < self._need:
                return []
            data = bytes(self._waiting)
            self._waiting.clear()
        found: list[Message | Garbled] = []
        position, end = 0, len(data)
        start_of = START.match
        while position < end:
            start = start_of(data, position)
            if start is None:
                step = self._unstarted(data, position, found)
            else:
                total = start.end() - 3 - position + int(start[1]) + _TRAILER_BYTES
                stop = position + total
                if stop <= end and total <= self.message_bytes_max:
                    expected = SUM_WITH_TRAILER.get(data[stop - _TRAILER_BYTES : stop])
                    if expected is not None and data[stop - _TRAILER_BYTES - 1] == 1:
                        raw = data[position:stop]
                        actual = adler32(raw, 0) if total <= 256 else checksum(raw)
                        if expected == actual & 0xFF:
                            found.append(Message.from_wire(raw))
                            self._skipping = False
                            position = stop
                            continue
                        step = self._wrong_sum(raw, found)
                    else:
                        step = self._wrong_length(found)
                elif total > self.message_bytes_max:
                    step = self._oversized(int(start[1]), found)
                else:
                    self._need = total
                    step = 0
            if step == 0:
                self._waiting += data[position:]
                return found
            position += step
        self._need = 0
        return found

    def _unstarted(self, data: bytes, position: int, found: list[Message | Garbled]) -> int:
        """Bytes to pass over where no message starts; 0 to wait for more of them."""
        chunk = data[position : position + _START_BYTES_MAX]
        if position + len(chunk) == len(data) and _PREFIX.fullmatch(chunk):
            self._need = 0
            return 0
        if not self._skipping:
            found.append(no_start(chunk))
            self._skipping = True
        following = START.search(data, position + 1)
        if following is not None:
            return following.start() - position
        # A start may be cut by the end of what has come: keep the longest tail that fits one.
        for tail in range(max(position + 1, len(data) - _START_BYTES_MAX), len(data)):
            if _PREFIX.fullmatch(data, tail):
                return tail - position
        return len(data) - position

    def _wrong_sum(self, raw: bytes, found: list[Message | Garbled]) -> int:
        """A stretch of the promised length with a trailer at its end that does not add up."""
        if _NESTED.search(raw) is not None:
            # It holds the end of one message and the start of another: the length was wrong.
            step = self._wrong_length(found)
            self._vain += len(raw)
            if self._vain <= _VAIN_SUMS_MAX * self.message_bytes_max:
                return step
            self._vain = 0
            return len(raw)
        # FRM-04: its end is certain, so exactly this message is passed over.
        found.append(Garbled("FRM-04", "CheckSum(10) is wrong", raw))
        self._skipping = False
        return len(raw)

    def _wrong_length(self, found: list[Message | Garbled]) -> int:
        # FRM-03: a length too large may have swallowed the messages behind it: look inside.
        if not self._skipping:
            found.append(Garbled("FRM-03", "BodyLength(9) does not lead to CheckSum(10)"))
            self._skipping = True
        return 1

    def _oversized(self, body_length: int, found: list[Message | Garbled]) -> int:
        # FRM-13: waiting for it would let one number fill the memory.
        if not self._skipping:
            found.append(
                Garbled(
                    "FRM-13",
                    f"BodyLength(9) {body_length} exceeds the largest message accepted, "
                    f"{self.message_bytes_max} bytes",
                )
            )
        self._skipping = True
        return 1


# Where a message of a wrong length ends: at its trailer, or before the next message, if it was
# cut off. The bytes at the end of a search that another one must look at again:
_END = re.compile(
    rb"\x0110=[0-9]{3}\x01|(?=8=(?:FIX|FIXT)\.[0-9]\.[0-9]\x019=[0-9]{1,10}\x0135=)"
)
_END_BYTES_MAX = _START_BYTES_MAX


class LooseFramer(Framer):
    """A framer that forgives a wrong BodyLength(9) or CheckSum(10) (FRM-03, FRM-04 off).

    A length that leads to a trailer is taken at its word, so data fields may hold anything;
    otherwise the first trailer ends the message. No more than `message_bytes_max` bytes wait.
    """

    __slots__ = ("_clear", "_searched")

    def __init__(self, message_bytes_max: int = 1 << 20) -> None:
        super().__init__(message_bytes_max)
        self._searched = 0  # in the waiting bytes: no message ends before it
        self._clear = 0  # the same in the bytes that are being cut

    def feed(self, data: bytes) -> list[Message | Garbled]:
        """What `data` completes, in stream order."""
        waiting = self._waiting
        if waiting:
            waiting += data
            if len(waiting) < self._need or not self._may_end(waiting):
                return []
            data = bytes(waiting)
            waiting.clear()
        self._clear, self._searched = self._searched, 0
        found: list[Message | Garbled] = []
        position = 0
        while position < len(data):
            start = START.match(data, position)
            if start is None:
                step = self._unstarted(data, position, found)
            else:
                step = self._started(data, start, found)
            if step == 0:
                self._waiting += data[position:]
                return found
            position += step
        self._need = 0
        return found

    def _may_end(self, waiting: bytearray) -> bool:
        """Whether the waiting bytes are to be cut, once the promised length has come."""
        if self._searched == 0 or len(waiting) >= self.message_bytes_max:
            return True
        if _END.search(waiting, self._searched) is not None:
            return True
        self._searched = max(self._searched, len(waiting) - _END_BYTES_MAX)
        return False

    def _started(
        self, data: bytes, start: re.Match[bytes], found: list[Message | Garbled]
    ) -> int:
        """Bytes of the message that starts here; 0 to wait for more of them."""
        position, available = start.start(), len(data) - start.start()
        total = start.end() - 3 - position + int(start[1]) + _TRAILER_BYTES
        if total <= self.message_bytes_max:
            if total > available:
                self._need = total
                return 0
            raw = data[position : position + total]
            if raw[-_TRAILER_BYTES - 1] == 1 and raw[-_TRAILER_BYTES:] in SUM_WITH_TRAILER:
                return self._accept(raw, found)
        limit = position + self.message_bytes_max
        end = _END.search(data, max(start.end() - 1, self._clear), limit)
        if end is None:
            self._clear = max(self._clear, min(limit, len(data)) - _END_BYTES_MAX)
            if available < self.message_bytes_max:
                self._need, self._searched = 0, max(1, self._clear - position)
                return 0
            return self._oversized(int(start[1]), found)
        if end.end() == end.start():
            return self._wrong_length(found)
        return self._accept(data[position : end.end()], found)

    def _accept(self, raw: bytes, found: list[Message | Garbled]) -> int:
        found.append(Message.from_wire(raw))
        self._skipping = False
        return len(raw)


class UnsummedFramer(Framer):
    """A framer that looks at no CheckSum(10) (FRM-04 off); the length must be right (FRM-03).

    What the sum says does not matter, but it must be one: three digits, 000 to 255 (FRM-05).
    """

    __slots__ = ()

    def _wrong_sum(self, raw: bytes, found: list[Message | Garbled]) -> int:
        found.append(Message.from_wire(raw))
        self._skipping = False
        return len(raw)


def framer_kind(*, check_length: bool, check_checksum: bool) -> type[Framer]:
    """The framer that makes these checks; who checks no length checks no sum either."""
    if not check_length:
        return LooseFramer
    return Framer if check_checksum else UnsummedFramer


def stray(first: int) -> Garbled:
    """FRM-07: bytes that are no FIX at all, by the first of them."""
    hint = {0x16: ", as a TLS handshake has", 0x47: ", as HTTP's GET has"}.get(first, "")
    return Garbled("FRM-07", f"bytes that start no message (first byte 0x{first:02x}{hint})")


def no_start(chunk: bytes) -> Garbled:
    """Which rule the first bytes break; the same answer for every split of the stream."""
    # The first byte that cannot belong to a start decides; what comes behind it does not.
    good = 0
    while good < len(chunk) and _PREFIX.fullmatch(chunk[: good + 1]):
        good += 1
    if good < 2:
        return stray(chunk[0])
    soh = chunk.find(b"\x01", 0, good)
    if soh < 0:
        return Garbled("FRM-02", "BeginString(8) is not of the form FIX.n.m or FIXT.n.m")
    if chunk.find(b"\x01", soh + 1, good) < 0:
        return Garbled("FRM-03", "BodyLength(9) is not second, or not a number")
    return Garbled("FRM-01", "MsgType(35) is not the third field")
