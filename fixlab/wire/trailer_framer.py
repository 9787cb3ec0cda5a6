"""TrailerFramer: bytes to messages as QuickFIX reads them, each up to the next CheckSum(10).

QuickFIX passes over the promised length and then takes all up to the next trailer for one
message, before it looks whether length and sum are right. So a message that was cut off takes
the next one with it, and a CheckSum(10) of two digits does, if its value is right.
"""

from __future__ import annotations

import re

from fixlab.wire.framer import START, Framer, Garbled, no_start, stray
from fixlab.wire.message import Message, checksum

_BEGIN, _LENGTH, _TRAILER, _SOH = b"8=", b"\x019=", b"\x0110=", b"\x01"
_HEAD_BYTES = 30  # enough to see which rule a head breaks
_LENGTH_VALUE = re.compile(rb"[0-9]{1,10}")
_SUM_VALUE = re.compile(rb"[0-9]{1,9}")


class TrailerFramer(Framer):
    """A framer that reads to the next trailer, wherever that is (FRM-03, FRM-05 to FRM-07).

    It keeps at most `message_bytes_max` bytes waiting; QuickFIX itself waits for ever. Where
    BodyLength(9) is no number QuickFIX forgets all it has read so far, which depends on how
    the bytes were cut; here only that field is passed over.
    """

    __slots__ = ("_body", "_mark", "_searched", "_sought")

    def __init__(self, message_bytes_max: int = 1 << 20) -> None:
        super().__init__(message_bytes_max)
        self._begin_message()

    def _begin_message(self) -> None:
        self._sought = _BEGIN  # what is looked for in the waiting bytes
        self._searched = 0  # and from where on: each byte is looked at once
        self._mark = 0  # where the length's value begins, then the trailer's
        self._body = 0  # where the length leads to; 0 before it is known
        self._need = 0

    def feed(self, data: bytes) -> list[Message | Garbled]:
        """What `data` completes, in stream order."""
        found: list[Message | Garbled] = []
        self._waiting += data
        while self._advance(found):
            pass
        return found

    def _advance(self, found: list[Message | Garbled]) -> bool:
        """Look for the next part of a message; False when more bytes are needed."""
        if self._sought == _BEGIN:
            return self._find_begin(found)
        waiting = self._waiting
        at = waiting.find(self._sought, self._searched, self.message_bytes_max)
        if at < 0:
            if len(waiting) >= self.message_bytes_max:
                self._give_up(self.message_bytes_max, _too_large(self.message_bytes_max), found)
                return True
            self._searched = max(self._searched, len(waiting) - len(self._sought) + 1)
            return False
        if self._sought in (_LENGTH, _TRAILER):
            self._mark = self._searched = at + len(self._sought)
            self._sought = _SOH
        elif self._body == 0:
            self._take_length(at, found)
        else:
            self._take_message(at + 1, found)
        return True

    def _find_begin(self, found: list[Message | Garbled]) -> bool:
        """Pass over what stands before a message begins (FRM-07)."""
        waiting = self._waiting
        at = waiting.find(_BEGIN)
        # An "8" at the end may begin one.
        before = at if at >= 0 else len(waiting) - waiting.endswith(b"8")
        if before:
            if not self._skipping:
                found.append(stray(waiting[0]))
            self._skipping = True
            del waiting[:before]
        if at < 0:
            return False
        self._sought, self._searched = _LENGTH, len(_BEGIN)
        return True

    def _take_length(self, stop: int, found: list[Message | Garbled]) -> None:
        """BodyLength(9) is known: its value ends before `stop`."""
        value = bytes(self._waiting[self._mark : stop])
        if not _LENGTH_VALUE.fullmatch(value):
            self._give_up(stop, no_start(bytes(self._waiting[:_HEAD_BYTES])), found)
            return
        # QuickFIX looks for the trailer from the last byte of the promised length on.
        self._body = stop + int(value)
        if self._body >= self.message_bytes_max:
            self._give_up(stop, _too_large(self.message_bytes_max), found)
            return
        self._sought, self._searched = _TRAILER, self._body
        self._need = self._body + len(_TRAILER) + len(b"000\x01")

    def _take_message(self, stop: int, found: list[Message | Garbled]) -> None:
        """A message and its trailer are complete, well formed or not (FRM-01 to FRM-05)."""
        raw = bytes(self._waiting[:stop])
        trailer = self._mark - len(_TRAILER)
        value = raw[self._mark : -1]
        if START.match(raw) is None:
            item: Message | Garbled = no_start(raw[:_HEAD_BYTES])
        elif trailer != self._body:
            item = Garbled("FRM-03", "BodyLength(9) does not lead to CheckSum(10)")
        elif not _SUM_VALUE.fullmatch(value):
            item = Garbled("FRM-05", "CheckSum(10) is not a number", raw)
        elif int(value) != checksum(raw[: trailer + 1]):
            item = Garbled("FRM-04", "CheckSum(10) is wrong", raw)
        else:
            item = Message.from_wire(raw)
        found.append(item)
        self._skipping = False
        del self._waiting[:stop]
        self._begin_message()

    def _give_up(self, stop: int, garbled: Garbled, found: list[Message | Garbled]) -> None:
        if not self._skipping:
            found.append(garbled)
        self._skipping = True
        del self._waiting[:stop]
        self._begin_message()


def _too_large(bytes_max: int) -> Garbled:
    return Garbled("FRM-13", f"no message ends within {bytes_max} bytes, the largest accepted")
