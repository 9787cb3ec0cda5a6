"""What leaves: headers, replays and gap fills, and the shape of a Reject by version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from fixlab import times
from fixlab.session.config import SessionConfig
from fixlab.session.inbound import Fault
from fixlab.wire.fields import split_fields
from fixlab.wire.message import TRAILERS, checksum, encode
from fixlab.wire.tags import ADMIN_TYPES, SEQUENCE_RESET

# What a replay adds at most: 43=Y, 122 with nine digits, a digit more of BodyLength(9).
REPLAY_BYTES = 40
_ADMIN_BYTES = frozenset(msg_type.encode() for msg_type in ADMIN_TYPES)


class Composer:
    """Writes messages of one session: the header parts that never change are made once."""

    def __init__(self, config: SessionConfig) -> None:
        self._begin_string = config.begin_string.encode()
        self._digits = config.sending_time_digits
        self._sender = b"\x0149=%b\x0152=" % config.sender_comp_id.encode()
        self._target = b"\x0156=%b\x01" % config.target_comp_id.encode()
        self._framed = b"8=%b\x019=%%d\x01%%b" % self._begin_string
        self._middle = (-1, b"")  # millisecond, and header fields 49, 52 and 56 at that time
        self._per_tick = 1_000_000 if self._digits <= 3 else 1
        # RRQ-02: FIX.4.0 and 4.1 write "to the end" as 999999, later versions as 0.
        old = config.begin_string in ("FIX.4.0", "FIX.4.1")
        self.infinity = 999_999 if old else 0

    def message(
        self, msg_type: bytes, number: int, header: bytes, body: bytes, now: int
    ) -> bytes:
        """A new message; `header` are further header fields, ending with SOH or empty."""
        # Messages come in bursts: within a millisecond the middle of the header is the same.
        tick, middle = self._middle
        if tick != now // self._per_tick:
            middle = self._sender + times.format_utc(now, self._digits) + self._target
            self._middle = (now // self._per_tick, middle)
        content = b"35=%b\x0134=%d%b%b%b" % (msg_type, number, middle, header, body)
        framed = self._framed % (len(content), content)
        return framed + TRAILERS[checksum(framed)]

    def gap_fill(self, number: int, new_number: int, now: int) -> bytes:
        """SequenceReset-GapFill over `number` to `new_number` - 1 (RSP-04, RSP-10)."""
        sent = times.format_utc(now, self._digits)
        return encode(
            self._begin_string,
            b"35=%b\x0134=%d\x0143=Y%b%b%b122=%b\x01123=Y\x0136=%d\x01"
            % (
                SEQUENCE_RESET.encode(),
                number,
                self._sender,
                sent,
                self._target,
                sent,
                new_number,
            ),
        )

    def replay(self, raw: bytes, now: int) -> bytes:
        """A stored message again: 43=Y, 122 its first SendingTime, 52 now (RSP-01, RSP-16)."""
        fields, _ = split_fields(raw)
        original = next((value for tag, value in fields if tag == 122), None)
        parts = []
        for tag, value in fields[2:-1]:  # behind BodyLength(9), before CheckSum(10)
            if tag in (43, 122):
                continue
            if tag == 52:
                value, original = times.format_utc(now, self._digits), original or value
                parts.append(b"52=%b\x01122=%b\x01" % (value, original))
            elif tag == 34:
                parts.append(b"34=%b\x0143=Y\x01" % value)
            else:
                parts.append(b"%d=%b\x01" % (tag, value))
        return encode(self._begin_string, b"".join(parts))


def is_admin(raw: bytes) -> bool:
    """Whether stored wire bytes are a session message, which is never resent (RSP-02)."""
    return raw.split(b"\x01", 3)[2][3:] in _ADMIN_BYTES


def reject_body(number: int, msg_type: str, fault: Fault, begin_string: str) -> bytes:
    """Body of Reject(3): 371, 372 and 373 as the version allows (REJ-01, REJ-03)."""
    body = b"45=%d\x0158=%b\x01" % (number, fault.text.encode("latin-1", "replace"))
    if begin_string in ("FIX.4.0", "FIX.4.1"):
        return body
    if fault.ref_tag is not None:
        body += b"371=%d\x01" % fault.ref_tag
    if msg_type:  # REJ-07: it may be the empty value that is rejected
        body += b"372=%b\x01" % msg_type.encode("latin-1")
    highest = {"FIX.4.2": 11, "FIX.4.3": 17, "FIX.4.4": 17}.get(begin_string, 18)
    if fault.reason is not None and fault.reason <= highest:
        body += b"373=%d\x01" % fault.reason
    return body


class Replayed(NamedTuple):
    """One message of a replay: a stored one (`fill_to` None) or a gap fill."""

    number: int
    raw: bytes
    fill_to: int | None  # last number that the gap fill covers
    msg_type: str


@dataclass(slots=True)
class Replay:
    """How far the answer to one ResendRequest has come (RSP-01 to RSP-06)."""

    begin: int  # as asked
    end: int  # as asked; 0 is open
    last: int  # last number to answer for
    rule: str
    position: int  # next number to look at
    run: int | None = None  # first number of the open run that will not be resent
    resent: int = 0
    filled: int = 0  # numbers covered by gap fills

    @classmethod
    def of(cls, begin: int, end: int, *, sent: int, infinity: int, rule: str) -> Replay:
        """Answer `begin` to `end`; an open end, or one past `sent`, is the last number sent."""
        last = sent if end in (0, infinity) else min(end, sent)  # RSP-06
        return cls(begin, end, last, rule, begin)

    @property
    def done(self) -> bool:
        return self.position > self.last and self.run is None

    def advance(
        self, stored: Iterator[tuple[int, bytes]], composer: Composer, now: int, limit: int
    ) -> Iterator[Replayed]:
        """Up to `limit` numbers further; `stored` yields what the store has from `position`.

        Every number of the range is covered exactly once, by its message or a gap fill.
        """
        stop = min(self.last, self.position + limit - 1)
        for number, raw in stored:
            assert self.position <= number <= stop, "a store yields what was asked, ascending"
            if is_admin(raw):
                continue
            first = self.position if self.run is None else self.run
            if first < number:
                yield self._fill(first, number, composer, now)
            self.run, self.position = None, number + 1
            self.resent += 1
            again = composer.replay(raw, now)
            yield Replayed(
                number, again, None, again.split(b"\x01", 3)[2][3:].decode("latin-1")
            )
        if self.position <= stop:
            self.run = self.position if self.run is None else self.run
            self.position = stop + 1
        if self.position > self.last and self.run is not None:
            first, self.run = self.run, None
            yield self._fill(first, self.last + 1, composer, now)

    def _fill(self, first: int, new_number: int, composer: Composer, now: int) -> Replayed:
        self.filled += new_number - first
        return Replayed(
            first, composer.gap_fill(first, new_number, now), new_number - 1, SEQUENCE_RESET
        )


def resend_request_body(begin: int, end: int) -> bytes:
    """Body of ResendRequest(2) (RRQ-01)."""
    return b"7=%d\x0116=%d\x01" % (begin, end)
