"""Logs made up at random: many styles, and whatever may be wrong with a message or a line."""

from __future__ import annotations

import random
from collections.abc import Callable

from fixlab.times import format_utc
from fixlab.wire.message import encode

NOW = 1_767_603_600_000_000_000
DELIMITERS = (b"\x01", b"|", b"^A", b"\\x01", b"<SOH>", b"\xe2\x90\x81", b"\n")
SUFFIXES = (b"", b"", b"", b" ", b")", b'"}', b" | done", b"\x01", b" 35", b"|35=D|", b" 10=1")
NOISE = (
    *(b"", b"Created session", b"MsgSeqNum too high, expecting 5 but received 9", b"\x01"),
    *(
        b"8=FIX",
        b"8=FIX.4.4",
        b"a | b | c",
        b"35=D|11=A|10=123|",
        b"35=D\x0111=A\x0110=001\x01",
    ),
    *(
        b"9=12\x0135=0\x01",
        b"\xf0\xff\xfe\x00",
        b"10=123",
        b"x^A10=123^A",
        b"8=FIXT.1.1|",
        b"\r",
    ),
)
# Fields of a header, also where none may be: behind a field of the body.
HEADED = (
    *(b"50=X", b"43=Y", b"97=Y", b"97=N", b"122=20260105-09:00:00", b"34=9", b"1128=9"),
    *(b"129=A", b"49=Z", b"43=YY", b"90=1", b"5001=a"),
)
TIMES = (b"20260105-09:00:00", b"20260230-09:00:00.123", b"99991231-23:59:59.999", b"", b"x")
NUMBERS = (
    b"0",
    b"1",
    b"00012",
    b"123456789",
    b"12345678901234567",
    b"9" * 25,
    b"-1",
    b"1a",
    b"",
)
IDS = (
    b"BUY",
    b"SELL",
    b"A-LONG-COMP-ID-OF-30-CHARACTERS",
    b"",
    b"\x1b[31mX",
    b"a<b>",
    b"554=x",
)


class Maker:
    """One log, from one seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        rng = self.rng
        self.mark = rng.choice(DELIMITERS) if rng.random() < 0.7 else b"\x01"
        self.end = rng.choice((b"\n", b"\n", b"\r\n"))
        self.prefix = rng.choice(self._prefixes())
        self.suffix = rng.choice(SUFFIXES) if rng.random() < 0.3 else b""
        self.trouble = rng.choice((0.0, 0.02, 0.2, 0.7))
        self.glued = rng.choice((0.0, 0.0, 0.0, 0.1, 1.0))
        self.stripped = rng.random() < 0.2
        self.headed = 0.0  # how often such a field stands among the others
        self.hidden = 0.0  # how often somebody has hidden a value, or its length is made up
        self.now = NOW
        self.number = 0

    def log(self, count: int) -> bytes:
        """A log of about `count` lines."""
        lines = []
        for _ in range(count):
            line = self.line()
            lines.append(line if self.rng.random() < self.glued else line + self.end)
        text = b"".join(lines)
        if self.rng.random() < self.trouble:
            text = text[: self.rng.randrange(len(text) + 1)]
        return text

    def line(self) -> bytes:
        rng = self.rng
        self.now += rng.randrange(1, 10**9)
        if rng.random() < self.trouble / 2:
            return rng.choice(NOISE)
        wire = self.message()
        text = wire.replace(b"\x01", self.mark)
        if self.stripped:
            text = text.removesuffix(self.mark)
        if self.hidden and rng.random() < self.hidden:
            text = rng.choice(HIDINGS)(rng, text, self.mark)
        if rng.random() < self.trouble:
            text = rng.choice(DAMAGES)(rng, text, self.mark)
        return self.prefix() + text + self.suffix

    def message(self) -> bytes:
        rng = self.rng
        self.number += 1
        sender, target = rng.sample((b"BUY", b"SELL"), 2)
        if rng.random() < self.trouble / 4:
            sender = rng.choice(IDS)
        msg_type = rng.choice(
            (b"D", b"D", b"8", b"0", b"A", b"2", b"4", b"5", b"3", b"AE", b"U12")
        )
        fields = [
            b"35=" + msg_type,
            b"34=" + self._odd(b"%d" % self.number, NUMBERS),
            b"49=" + sender,
            b"52=" + self._odd(format_utc(self.now, rng.choice((0, 3, 3, 6, 9))), TIMES),
            b"56=" + target,
        ]
        if rng.random() < 0.1:
            fields += [b"43=Y", b"122=" + self._odd(format_utc(self.now, 3), TIMES)]
        fields += [self._field() for _ in range(rng.randrange(8))]
        if rng.random() < self.trouble / 4:
            rng.shuffle(fields)
        if rng.random() < self.trouble / 4:
            data = rng.choice(
                (b"a\x01b", b"x\x0110=000\x01", b"34=7", b"8=FIX.4.4\x019=5\x0135=0")
            )
            fields += [b"95=%d" % len(data), b"96=" + data]
        begin = rng.choice((b"FIX.4.4", b"FIX.4.4", b"FIXT.1.1"))
        return encode(begin, b"".join(field + b"\x01" for field in fields))

    def _field(self) -> bytes:
        rng = self.rng
        if self.headed and rng.random() < self.headed:
            return rng.choice(HEADED)
        tag = rng.choice(
            (
                *(7, 16, 36, 45, 108, 789),
                *(97, 123, 141),
                *(112, 58, 554, 11, 1128, 10001, 20000001),
            )
        )
        if tag in (97, 123, 141):
            return b"%d=%b" % (tag, rng.choice((b"Y", b"N", b"YY", b"")))
        if tag in (112, 58, 554, 11):
            texts = (
                b"T-1",
                b"***",
                b"554=abc",
                b"a|b",
                b"a|5=b",
                b"8=FIX.4.4|9=1|",
                b"\x1b[0m",
                b"",
            )
            return b"%d=%b" % (tag, rng.choice(texts))
        return b"%d=%b" % (tag, self._odd(b"%d" % rng.randrange(10**6), NUMBERS))

    def _odd(self, value: bytes, others: tuple[bytes, ...]) -> bytes:
        rng = self.rng
        return rng.choice(others) if rng.random() < self.trouble / 4 else value

    def _prefixes(self) -> tuple[Callable[[], bytes], ...]:
        def iso() -> bytes:
            text = format_utc(self.now, 3)
            return b"%b-%b-%b %b,%b" % (text[:4], text[4:6], text[6:8], text[9:17], text[18:])

        def way() -> bytes:
            return self.rng.choice((b"incoming", b"outgoing", b"?"))

        return (
            lambda: b"",
            lambda: b"",
            lambda: format_utc(self.now, 9) + b" : ",
            lambda: format_utc(self.now, 3) + b": ",
            lambda: iso() + b" [main] INFO " + way() + b" ",
            lambda: b"[" + iso().replace(b",", b".") + b"Z] <- ",
            lambda: b"IN " + iso() + b"+01:00 FIX.4.4:BUY->SELL: ",
            lambda: (
                b"<" + format_utc(self.now, 0) + b", FIX.4.4:BUY->SELL, " + way() + b">\n  ("
            ),
            lambda: b"%d " % self.rng.randrange(10**6),
            lambda: way() + b" ",
        )


def _cut(rng: random.Random, text: bytes, mark: bytes) -> bytes:
    return text[: rng.randrange(len(text))]


def _behead(rng: random.Random, text: bytes, mark: bytes) -> bytes:
    return text[rng.randrange(len(text)) :]


def _flip(rng: random.Random, text: bytes, mark: bytes) -> bytes:
    at = rng.randrange(len(text))
    return text[:at] + bytes([rng.randrange(256)]) + text[at + 1 :]


def _drop(rng: random.Random, text: bytes, mark: bytes) -> bytes:
    at = rng.randrange(len(text))
    return text[:at] + text[at + rng.randrange(1, 4) :]


def _insert(rng: random.Random, text: bytes, mark: bytes) -> bytes:
    at = rng.randrange(len(text))
    more = rng.choice(
        (b"\n", b"\r\n    ", mark, b"0", b"\x00", b"=", b"8=FIX.4.4" + mark, b"|")
    )
    return text[:at] + more + text[at:]


def _wrap(rng: random.Random, text: bytes, mark: bytes) -> bytes:
    width = rng.randrange(20, 80)
    return b"\n  ".join(text[i : i + width] for i in range(0, len(text), width))


def _twice(rng: random.Random, text: bytes, mark: bytes) -> bytes:
    return text + text[rng.randrange(len(text)) :]


def _zero(rng: random.Random, text: bytes, mark: bytes) -> bytes:
    return text.replace(mark + b"34=", mark + b"034=", 1)


def _length(rng: random.Random, text: bytes, mark: bytes) -> bytes:
    other = rng.choice((b"9=99999", b"9=1", b"9=0000000099", b"9=9999999999", b"9=x", b"5=1"))
    head, _, rest = text.partition(b"9=")
    return head + other + mark + rest.partition(mark)[2]


DAMAGES = (_cut, _behead, _flip, _drop, _insert, _wrap, _twice, _zero, _length)


def _stars(rng: random.Random, text: bytes, mark: bytes) -> bytes:
    fields = text.split(mark)
    i = rng.randrange(len(fields))
    tag, _, value = fields[i].partition(b"=")
    fields[i] = tag + b"=" + rng.choice((b"*" * len(value), b"***", b"", b"10=123", b"a b"))
    return mark.join(fields)


def _other_sum(rng: random.Random, text: bytes, mark: bytes) -> bytes:
    head, sign, rest = text.rpartition(mark + b"10=")
    return head + sign + b"%03d" % rng.randrange(256) + rest[3:]


def _other_length(rng: random.Random, text: bytes, mark: bytes) -> bytes:
    """It leads to anywhere near, with luck to a CheckSum(10)."""
    head, _, rest = text.partition(b"9=")
    digits, _, body = rest.partition(mark)
    near = rng.choice((0, 0, len(text) + 1, len(text) + 2, 2 * len(text))) + rng.randrange(
        -9, 9
    )
    promised = max(len(body) - 7 + near, 0) if digits.isdigit() else 0
    return head + b"9=%d" % promised + mark + body


HIDINGS = (_stars, _stars, _other_sum, _other_length)
