"""What leaves: headers, replays and gap fills, and the shape of a Reject by version."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import adler32

from fixlab import times
from fixlab.dictionary.validation import session_reject_reason
from fixlab.session import wording
from fixlab.session.config import SessionConfig
from fixlab.session.faults import Fault
from fixlab.session.inbound import OLD_INFINITY, open_ends
from fixlab.session.ordering import HEADER_GROUPS, ascending, body_groups
from fixlab.wire.fields import Field, split_fields
from fixlab.wire.message import TRAILERS, checksum, encode
from fixlab.wire.tags import (
    ADMIN_TYPES,
    BUSINESS_MESSAGE_REJECT,
    HEADER_TAGS,
    LAST_MSG_SEQ_NUM_PROCESSED,
    ORIG_SENDING_TIME,
    POSS_DUP_FLAG,
    REJECT,
    SEQUENCE_RESET,
    TRAILER_TAGS,
)

# What a replay adds at most: 43=Y, 122 with nine digits, a digit more of BodyLength(9).
REPLAY_BYTES = 40
_RANGES_TOLD = 10  # ranges of withheld messages that a row names
_BATCH_BYTES = 1 << 18  # RSP-15: and so much of a replay at most before other input's turn
_OLD = ("FIX.4.0", "FIX.4.1")
_ADMIN = frozenset(kind.encode() for kind in ADMIN_TYPES)
# RSP-15, SCH-08: replays of what only waited to be sent. It is not stale, whatever its type.
_FIRST_TIME = ("RSP-15", "SCH-08")


def composer_of(config: SessionConfig, processed: Callable[[], int]) -> Composer:
    """What writes the messages of a session; `processed` tells the last number processed."""
    if config.last_processed or config.habits.sorted_fields:
        return ElaborateComposer(config, processed)
    plain = Composer(config)
    return AddressedComposer(config) if plain.has_parts else plain


class Composer:
    """Writes messages of one session: the header parts that never change are made once."""

    def __init__(self, config: SessionConfig) -> None:
        self._begin_string = config.begin_string.encode()
        self._digits = config.sending_time_digits
        self._sender = b"\x0149=%b\x0152=" % config.sender_comp_id.encode()
        # HDR-03: the further parts of the address follow those that every session has, where a
        # peer that reads the usual header in one go still does so.
        self._parts = [
            b"%d=%b\x01" % (tag, value.encode())
            for tag, value in (
                (50, config.sender_sub_id),
                (57, config.target_sub_id),
                (142, config.sender_location_id),
                (143, config.target_location_id),
            )
            if value is not None
        ]
        self._target = b"\x0156=%b\x01" % config.target_comp_id.encode() + b"".join(self._parts)
        self.has_parts = bool(self._parts)
        self._framed = b"8=%b\x019=%%d\x01%%b" % self._begin_string
        self._middle = (-1, b"")  # millisecond, and header fields 49, 52 and 56 at that time
        self._per_tick = 1_000_000 if self._digits <= 3 else 1
        # RRQ-02: FIX.4.0 and 4.1 write "to the end" as 999999, later versions as 0.
        self.infinity = OLD_INFINITY if config.begin_string in _OLD else 0
        self.open_ends = open_ends(config.begin_string)
        self._filled = frozenset(kind.encode("latin-1") for kind in config.gap_fill_types)
        # A message of this composer, up to its TargetCompID: what replays nearly always meet.
        self._own = re.compile(
            rb"8=%b\x019=[0-9]+\x01(35=[^\x01]+\x0134=[0-9]+\x01)(49=%b\x01)52=([^\x01]+)(\x0156=%b\x01)"
            % tuple(
                re.escape(text.encode())
                for text in (config.begin_string, config.sender_comp_id, config.target_comp_id)
            )
        ).match

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
        total = adler32(framed, 0) if len(framed) <= 256 else checksum(framed)
        return framed + TRAILERS[total & 0xFF]

    def _without(self, middle: bytes, header: bytes) -> bytes:
        """`middle` less the parts of the address that a message brings itself."""
        for part in self._parts:
            tag = part[: part.index(b"=") + 1]
            if header.startswith(tag) or b"\x01" + tag in header:
                middle = middle.replace(b"\x01" + part, b"\x01")
        return middle

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
        """A stored message again: 43=Y, 122 its first SendingTime, 52 now (RSP-01, RSP-16).

        All else is as it was, PossResend(97) and ApplVerID(1128) too (PRS-04, RSP-19).
        """
        found = self._own(raw)
        if found and b"\x0143=" not in raw and b"\x01122=" not in raw:
            # As this composer wrote it, and sent once: all that changes stands in the header.
            head, sender, first, target = found.groups()
            sent = times.format_utc(now, self._digits)
            middle = b"43=Y\x01%b52=%b\x01122=%b%b" % (sender, sent, first, target)
            return encode(self._begin_string, head + middle + raw[found.end() : -7])
        return self._replay_any(raw, now)

    def _replay_any(self, raw: bytes, now: int) -> bytes:
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

    def is_filled(self, raw: bytes, *, first_time: bool = False) -> bool:
        """Whether a stored message is gap-filled over rather than resent (RSP-02, RSP-09).

        What leaves for the `first_time` is filled over only if it belongs to the session.
        """
        if raw.split(b"\x01", 3)[2][3:] not in self._filled:
            return False
        return is_admin(raw) or not first_time


def is_admin(raw: bytes) -> bool:
    """Whether stored wire bytes are a message of the session itself."""
    return raw.split(b"\x01", 3)[2][3:] in _ADMIN


class AddressedComposer(Composer):
    """Writes the further parts of the address, unless a message brings its own (HDR-03)."""

    def message(
        self, msg_type: bytes, number: int, header: bytes, body: bytes, now: int
    ) -> bytes:
        if not header:
            return super().message(msg_type, number, header, body, now)
        usual = self._target
        self._target, self._middle = self._without(usual, header), (-1, b"")
        raw = super().message(msg_type, number, header, body, now)
        self._target, self._middle = usual, (-1, b"")
        return raw


class ElaborateComposer(Composer):
    """Writes what a plain composer does not: the order of another engine, and 369 (HDR-11)."""

    def __init__(self, config: SessionConfig, processed: Callable[[], int]) -> None:
        super().__init__(config)
        self._config = config
        self._processed = processed

    def message(
        self, msg_type: bytes, number: int, header: bytes, body: bytes, now: int
    ) -> bytes:
        first = [(34, b"%d" % number), *self._address(now, header)]
        given, rest = split_fields(header)[0], split_fields(body)[0]
        return self._write(msg_type, [*first, *given], list(rest))

    def gap_fill(self, number: int, new_number: int, now: int) -> bytes:
        sent = times.format_utc(now, self._digits)
        header = [(34, b"%d" % number), (POSS_DUP_FLAG, b"Y"), *self._address(now)]
        header.append((ORIG_SENDING_TIME, sent))
        return self._write(
            SEQUENCE_RESET.encode(), header, [(123, b"Y"), (36, b"%d" % new_number)]
        )

    def replay(self, raw: bytes, now: int) -> bytes:
        fields = split_fields(super().replay(raw, now))[0]
        header = [field for field in fields[3:] if field[0] in HEADER_TAGS]
        rest = [field for field in fields[3:-1] if field[0] not in HEADER_TAGS]
        return self._write(fields[2][1], header, rest)

    def _address(self, now: int, header: bytes = b"") -> list[Field]:
        """Header fields 49 and 52, then 56 and what else of the address `header` lacks."""
        middle = self._sender + times.format_utc(now, self._digits) + self._target
        return list(split_fields(self._without(middle, header)[1:])[0])

    def _write(self, msg_type: bytes, header: list[Field], rest: list[Field]) -> bytes:
        """Wire bytes of the header fields behind MsgType(35), and of the rest."""
        if self._config.last_processed:
            # HDR-11: also a replay says what is processed now, not what was then.
            header = [field for field in header if field[0] != LAST_MSG_SEQ_NUM_PROCESSED]
            header.append((LAST_MSG_SEQ_NUM_PROCESSED, b"%d" % self._processed()))
        if self._config.habits.sorted_fields:
            header = ascending(header, HEADER_GROUPS)
            rest = self._sorted(msg_type.decode("latin-1"), rest)
        content = b"".join([b"%d=%b\x01" % field for field in (*header, *rest)])
        return encode(self._begin_string, b"35=%b\x01%b" % (msg_type, content))

    def _sorted(self, msg_type: str, rest: list[Field]) -> list[Field]:
        trailer = [field for field in rest if field[0] in TRAILER_TAGS]
        body = [field for field in rest if field[0] not in TRAILER_TAGS]
        dictionary = self._config.dictionary
        known = None if dictionary is None else dictionary.group_order(msg_type)
        groups = body_groups(known, body)
        return (body if groups is None else ascending(body, groups)) + trailer


class Refusal(NamedTuple):
    """The message that refuses another one."""

    msg_type: str
    body: bytes
    text: str


def refusal(number: int, msg_type: str, fault: Fault, config: SessionConfig) -> Refusal:
    """Reject(3) or BusinessMessageReject(j) of message `number` (REJ-01, REJ-03, REJ-23)."""
    words = wording.rejection(fault, config)
    old = config.begin_string in _OLD
    body = b"45=%d\x0158=%b\x01" % (number, words.text.encode("latin-1", "replace"))
    ref_msg_type = b""
    if msg_type and not old:  # REJ-07: it may be the empty value that is rejected
        ref_msg_type = b"372=%b\x01" % msg_type.encode("latin-1")
    # REJ-23: who answered a BusinessMessageReject with one might do so for ever.
    if fault.business is not None and not old and msg_type != BUSINESS_MESSAGE_REJECT:
        body += ref_msg_type + b"380=%d\x01" % fault.business
        return Refusal(BUSINESS_MESSAGE_REJECT, body, words.text)
    if words.ref_tag is not None and not old:
        body += b"371=%d\x01" % words.ref_tag
    body += ref_msg_type
    if words.reason is not None:
        reason = session_reject_reason(words.reason, config.begin_string)
        body += b"" if reason is None else b"373=%d\x01" % reason
    return Refusal(REJECT, body, words.text)


class Replayed(NamedTuple):
    """One message of a replay: a stored one (`fill_to` None) or a gap fill."""

    number: int
    raw: bytes
    fill_to: int | None  # last number that the gap fill covers
    msg_type: str
    withheld: str = ""  # of these, the application messages that are not resent, in words


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
    # RSP-09: application messages in the open run, as ranges of numbers.
    withheld: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def of(cls, begin: int, end: int, *, sent: int, composer: Composer, rule: str) -> Replay:
        """Answer `begin` to `end`; an open end, or one past `sent`, is the last number sent."""
        last = sent if end in composer.open_ends else min(end, sent)  # RSP-06
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
        stop, size = min(self.last, self.position + limit - 1), 0
        for number, raw in stored:
            assert self.position <= number <= stop, "a store yields what was asked, ascending"
            if composer.is_filled(raw, first_time=self.rule in _FIRST_TIME):
                if not is_admin(raw):
                    self._withhold(number)
                continue
            first = self.position if self.run is None else self.run
            if first < number:
                yield self._fill(first, number, composer, now)
            self.run, self.position = None, number + 1
            self.resent += 1
            again = composer.replay(raw, now)
            size += len(again)
            yield Replayed(
                number, again, None, again.split(b"\x01", 3)[2][3:].decode("latin-1")
            )
            if size >= _BATCH_BYTES:
                return  # large messages: others get their turn earlier
        if self.position <= stop:
            self.run = self.position if self.run is None else self.run
            self.position = stop + 1
        if self.position > self.last and self.run is not None:
            # RSP-05: never beyond what was asked for.
            first, self.run = self.run, None
            yield self._fill(first, self.last + 1, composer, now)

    def _withhold(self, number: int) -> None:
        first, last = self.withheld[-1] if self.withheld else (number, number - 1)
        if last == number - 1:
            self.withheld[-1:] = [(first, number)]
        else:
            self.withheld.append((number, number))

    def _fill(self, first: int, new_number: int, composer: Composer, now: int) -> Replayed:
        self.filled += new_number - first
        raw = composer.gap_fill(first, new_number, now)
        told = [f"{a} to {b}" if a < b else f"{a}" for a, b in self.withheld[:_RANGES_TOLD]]
        told += ["more"] if len(self.withheld) > _RANGES_TOLD else []
        self.withheld.clear()
        return Replayed(first, raw, new_number - 1, SEQUENCE_RESET, ", ".join(told))


def resend_request_body(begin: int, end: int) -> bytes:
    """Body of ResendRequest(2) (RRQ-01)."""
    return b"7=%d\x0116=%d\x01" % (begin, end)
