"""Logs that others kept: read, analysed, replayed, reconciled, shown, whatever is in them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
from pandas.testing import assert_frame_equal

from fixlab.analysis import analyze, gaps, intervals, ledger, reconcile, replay, resends
from fixlab.analysis.findings import Findings
from fixlab.errors import ConfigError
from fixlab.frames import FINDINGS, check
from fixlab.logs._blocks import Account, blocks
from fixlab.logs._columns import Book
from fixlab.logs._sources import Source, is_capture
from fixlab.logs.read import Log, _read
from fixlab.session.profiles import PROFILES
from fixlab.times import format_utc
from fixlab.wire.message import encode
from tests.fuzz.fuzzing import NUMBERS, TOKENS, Case, Part, Played, bent, plain
from tests.logs.made import NOISE, NOW, Maker
from tests.logs.packets import Packet, pcap, pcapng, segment

NS = 1_000_000_000
HOSTILE = (
    b"<script>alert(1)</script>", b"\x1b[2J\x1b]0;x\x07", b"\xe2\x80\xae", b"'\"><img src=x>",
    b"554=hunter2", b"\x9b31m", b"\x00", b"a\tb", b"&lt;", b"\xff\xfe", b"%s{}", b"\r",
)  # fmt: skip


def source_of(data: bytes, name: str = "made.log") -> Source:
    """A file in memory."""
    return Source(name, name, lambda: io.BytesIO(data), len(data))


def log_of(data: bytes, name: str = "made.log", block_bytes: int = 1 << 16) -> Log:
    """The log in it."""
    return _read([source_of(data, name)], (), (), block_bytes)


def is_quiet(*texts: str) -> None:
    """Nothing that is shown may act on a terminal."""
    for text in texts:
        shown = text.replace("\n", "")
        assert shown.isprintable(), "a control character is shown"


def is_harmless(*pages: str) -> None:
    """Nothing in a page may be markup of the wire."""
    for page in pages:
        lower = page.lower()
        assert "<script>alert" not in lower, "markup of the wire"
        assert "<img src=x" not in lower, "markup of the wire"
        assert "\x1b" not in page, "an escape sequence"


# Reading ------------------------------------------------------------------------------------


def _packed(data: bytes, chance: random.Random) -> Packet:
    flags = chance.choice((16, 16, 16, 16, 2, 18, 1, 4))
    return segment(
        NOW + chance.randrange(10**9),
        chance.choice((1, 1, 1 + len(data), 2**32 - 5, 1_000)),
        data,
        back=chance.random() < 0.3,
        flags=flags,
        vlans=chance.choice((0, 0, 1)),
        version=chance.choice((4, 4, 6)),
    )


WRAPS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gz": lambda data: gzip.compress(data, 1, mtime=0),
    "bz2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
    "utf-16": lambda data: data.decode("latin-1").encode("utf-16"),
}
_HOWS = (*("plain",) * 8, *WRAPS, "pcap", "pcapng")


class ReadTarget:
    """Any bytes to read_log: all of them accounted for, the same rows whatever the blocks."""

    name = "read_log"
    bytes_max = 160 << 20
    bound = "a block, 1 MiB of a message and arrays for their pieces; 64 MiB of a capture"

    def make(self, chance: random.Random) -> Case:
        lines = Maker(chance.randrange(1 << 40)).log(chance.choice((1, 3, 12)))
        how = chance.choice(_HOWS)
        parts: list[Part] = [("how", how, chance.choice((300, 1_000, 1 << 16)))]
        size = max(1, len(lines) // chance.choice((1, 2, 5)))
        parts += [lines[at : at + size] for at in range(0, len(lines), size)]
        if chance.random() < 0.2:
            parts.append(("damage", chance.randrange(2_000), chance.choice(TOKENS)))
        return tuple(parts)

    def bend(self, part: Part, chance: random.Random) -> Part:
        if isinstance(part, bytes):
            tokens = (*TOKENS, *NOISE, *HOSTILE)
            return bent(part, chance, tokens) if part else chance.choice(tokens)
        if part[0] == "how":
            return ("how", chance.choice(_HOWS), chance.choice((300, 1_000, 1 << 16)))
        return ("damage", chance.randrange(2_000), chance.choice(TOKENS))

    def play(self, case: Case) -> Played:
        how, block = next(
            ((str(p[1]), int(p[2])) for p in case if p and p[0] == "how"), ("plain", 1_000)
        )
        pieces = [part for part in case if isinstance(part, bytes)]
        if how in ("pcap", "pcapng"):
            chance = random.Random(len(pieces))
            packets = [_packed(piece, chance) for piece in pieces]
            data = pcap(packets) if how == "pcap" else pcapng(packets)
        else:
            data = WRAPS[how](b"".join(pieces))
        for part in case:
            if part and part[0] == "damage":
                at = min(int(part[1]), len(data))
                data = data[:at] + bytes(part[2]) + data[at + 1 :]
        features = self._scanned(data, block)
        # A frame costs ten times as much as its rows.
        if len(data) % 4 == 0:
            features |= self._framed(data, block)
        return Played(frozenset(features | {how}))

    def _scanned(self, data: bytes, block: int) -> set[str]:
        source, account, defects = source_of(data), Account("made.log"), set[str]()
        if is_capture(source):
            return {"capture"}
        for found in blocks(source, Book(), (58, 11), account, block):
            defects |= {f"defect {code}" for code in set(found.dense["defect"].tolist())}
        tally = account.tally
        whole = account.row_bytes + tally.around_bytes + tally.text_bytes
        assert whole == account.bytes, "bytes that nobody counts"
        return defects | {plain(account.problem), f"{account.rows > 0} {tally.text_lines > 0}"}

    def _framed(self, data: bytes, block: int) -> set[str]:
        log = log_of(data, block_bytes=block)
        assert_frame_equal(log.frame, log_of(data, block_bytes=1 << 16).frame)
        is_quiet(repr(log))
        is_harmless(log._repr_html_())
        for row in range(min(len(log), 3)):
            shown = log.decode(row)
            is_quiet(repr(shown))
            is_harmless(shown._repr_html_())
            assert not _SECRET.search(log.raw(row)), "a secret is shown"
        return {f"{name} rows" for name in set(log.frame["msg_type"].astype("str"))} & _TYPES


_SECRET = re.compile(rb"[\x01|]554=hunter2")
_TYPES = {f"{name} rows" for name in ("", "0", "1", "2", "3", "4", "5", "A", "D", "8")}


# What comes of a log ------------------------------------------------------------------------

_KINDS = ("D", "D", "D", "8", "0", "1", "2", "2", "3", "4", "4", "5", "A", "A")
_STYLES = ("quickfix", "prefixed", "raw")


def message(chance: random.Random, number: int, at: int) -> Part:
    """One message as a part: when, whose, type, number, other fields, and who logged it."""
    kind = chance.choice(_KINDS)
    fields = b""
    if kind == "2":
        begin = max(1, number - chance.randrange(8))
        fields = b"7=%d\x0116=%d\x01" % (begin, chance.choice((0, 0, 999_999, begin + 3)))
    elif kind == "4":
        fields = b"36=%d\x01" % (number + chance.randrange(-1, 6))
        fields = (b"123=Y\x01" if chance.random() < 0.8 else b"") + fields
    elif kind == "A":
        fields = b"98=0\x01108=%d\x01" % chance.choice((0, 5, 30))
        fields += chance.choice((b"", b"", b"141=Y\x01", b"789=%d\x01" % number))
    elif kind in "01":
        fields = chance.choice((b"", b"112=T\x01"))
    elif kind in "35":
        fields = b"45=%d\x0158=%b\x01" % (number, chance.choice(HOSTILE))
    if kind not in "A25" and chance.random() < 0.25:
        fields = b"43=Y\x01122=20260105-09:00:00\x01" + fields
    whose = chance.choice((">", "<"))
    return ("m", at, whose, kind, b"%d" % number, fields, chance.choice(("", "", "", "lost")))


class LoggedTarget:
    """What the targets below have in common: a session's log in some style."""

    bytes_max = 64 << 20
    bound = "events and frames of at most 60 messages; a ledger of 10,000 numbers a range"

    def make(self, chance: random.Random) -> Case:
        parts: list[Part] = [("style", chance.choice(_STYLES), chance.choice(sorted(PROFILES)))]
        at, numbers = 0, {">": 1, "<": 1}
        if chance.random() < 0.8:
            logon = b"98=0\x01108=30\x01"
            parts += [("m", at, way, "A", b"1", logon, "") for way in "><"]
            numbers = {">": 2, "<": 2}
        for _ in range(chance.choice((2, 6, 15))):
            at += chance.choice((1, 10, 500, 6_000, 31_000, 100_000))
            made = message(chance, 1, at)
            way = str(made[2])
            number = max(1, numbers[way] + chance.choice((0,) * 8 + (1, 3, -1)))
            numbers[way] = number + 1
            again = message(random.Random(repr(made)), number, at)
            parts.append((*again[:2], way, *again[3:]))
        return tuple(parts)

    def bend(self, part: Part, chance: random.Random) -> Part:
        if isinstance(part, bytes):
            return bent(part, chance)
        if part[0] == "style":
            return ("style", chance.choice(_STYLES), chance.choice(sorted(PROFILES)))
        name, at, way, kind, number, fields, lost = part
        match chance.randrange(7):
            case 0:
                at += chance.choice((-100, 1, 5_000, 200_000, -(10**9), 10**9))
            case 1:
                way = "<" if way == ">" else ">"
            case 2:
                kind = chance.choice((*_KINDS, "", "ZZ", "\x1b"))
            case 3:
                number = chance.choice((*NUMBERS, b"1", b"2", b"9"))
            case 4:
                fields = bent(fields, chance, (*TOKENS, *HOSTILE)) or b""
            case 5:
                return message(chance, chance.randrange(1, 12), at)
            case _:
                lost = chance.choice(("", "lost", "unsent"))
        return (name, at, way, kind, number, fields, lost)

    def style(self, case: Case) -> tuple[str, str]:
        found = (part for part in case if part and part[0] == "style")
        return next(((str(p[1]), str(p[2])) for p in found), ("raw", "spec"))

    def text(self, case: Case, ours: str) -> bytes:
        """The log that one side kept, BUY or SELL."""
        style, _ = self.style(case)
        return b"".join(_lines(case, style, ours))


def _lines(case: Case, style: str, ours: str) -> Iterator[bytes]:
    for part in case:
        if isinstance(part, bytes):
            yield part + b"\n"
        elif part and part[0] == "m":
            _, at, way, kind, number, fields, lost = part
            sender = "BUY" if way == ">" else "SELL"
            if lost == ("lost" if sender != ours else "unsent"):
                continue
            target = "SELL" if sender == "BUY" else "BUY"
            now = min(max(NOW + int(at) * 1_000_000, 0), 2**62)
            stamp = format_utc(now, 3)
            wire = encode(
                b"FIX.4.4",
                b"35=%b\x0134=%b\x0149=%b\x0152=%b\x0156=%b\x01%b"
                % (kind.encode(), number, sender.encode(), stamp, target.encode(), fields),
            )
            if style == "quickfix":
                yield stamp + b" : " + wire + b"\n"
            elif style == "prefixed":
                word = b"OUT" if sender == ours else b"IN"
                yield stamp + b" " + word + b" " + wire.replace(b"\x01", b"|") + b"\n"
            else:
                yield wire


def _name(ours: str) -> str:
    theirs = "SELL" if ours == "BUY" else "BUY"
    return f"FIX.4.4-{ours}-{theirs}.messages.current.log"


class AnalyzeTarget(LoggedTarget):
    """Any messages to gaps, ledger, resends, intervals and analyze: sound frames, one fate
    for each missing number.
    """

    name = "analyze"

    def play(self, case: Case) -> Played:
        log = log_of(self.text(case, "BUY"), _name("BUY"))
        features = set[str]()
        for view in (gaps, resends, intervals):
            features |= {f"{view.__name__} {min(len(view(log)), 2)}"}
        owed = ledger(log)
        _conserved(owed)
        features |= {f"ledger {how}" for how in set(owed["how"].astype("str"))}
        found = analyze(log)
        table = check(found.table, FINDINGS)
        assert table["caused_by"].dropna().between(0, len(table) - 1).all()
        is_quiet(found.summary(), repr(found))
        for i in range(min(len(found), 4)):
            is_quiet(*found.evidence(i).lines)
        pairs = zip(table["code"].astype("str"), table["severity"].astype("str"), strict=True)
        return Played(frozenset(features | {f"{code} {level}" for code, level in pairs}))


def _conserved(owed: pd.DataFrame) -> None:
    """Each missing number stands once in its direction and epoch; a range is not empty."""
    assert (owed["count"] == owed["end_seq_no"] - owed["begin_seq_no"] + 1).all()
    assert (owed["count"] >= 1).all()
    for _, part in owed.groupby(["session", "sender", "epoch"], observed=True):
        part = part.sort_values("begin_seq_no")
        ends, begins = part["end_seq_no"].to_numpy(), part["begin_seq_no"].to_numpy()
        assert (begins[1:] > ends[:-1]).all(), "a number is missing twice"


class PageTarget(LoggedTarget):
    """Any messages to the page of findings: escaped, masked, whole."""

    name = "page"
    bytes_max = 64 << 20
    bound = "a page with plots of at most 60 messages"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "page.html"

    def play(self, case: Case) -> Played:
        log = log_of(self.text(case, "BUY"), _name("BUY"))
        found: Findings = analyze(log)
        found.to_html(self._path)
        page = self._path.read_text("utf-8")
        is_harmless(page, found._repr_html_())
        assert page.rstrip().endswith("</html>")
        codes = set(found.table["code"].astype("str"))
        return Played(frozenset(codes | {f"{page.count('<svg') + page.count('<img')} figures"}))


class ReplayTarget(LoggedTarget):
    """Any messages to replay(), in every profile: a step a message, deviations in it."""

    name = "replay"

    def play(self, case: Case) -> Played:
        _, profile = self.style(case)
        log = log_of(self.text(case, "BUY"), _name("BUY"))
        found = replay(log, side="BUY", profile=profile)
        is_quiet(repr(found))
        is_harmless(found._repr_html_())
        rows = [step.row for step in found.steps()]
        assert len(rows) == len(set(rows)), "a row is played twice"
        assert found.table["row"].isin(rows).all()
        for step in list(found.steps())[:5]:
            is_quiet(repr(step))
        kinds = zip(found.table["kind"].astype("str"), found.table["rule"], strict=True)
        return Played(frozenset(f"{kind} {rule}" for kind, rule in kinds), len(rows))


class ReconcileTarget(LoggedTarget):
    """Any two logs to reconcile(): each row of both in the table, once."""

    name = "reconcile"

    def play(self, case: Case) -> Played:
        logs = [log_of(self.text(case, side), _name(side)) for side in ("BUY", "SELL")]
        found = reconcile(*logs)
        for log, column in zip(logs, ("ours_row", "theirs_row"), strict=True):
            rows = found.table[column].dropna()
            assert not rows.duplicated().any(), "a row stands twice"
            frame = log.frame
            named = frame["msg_seq_num"].notna() & (frame["session"].astype("str") != "")
            assert len(rows) <= int(named.sum())
        is_quiet(repr(found))
        is_harmless(found._repr_html_())
        for row in found.changed.index[:2]:
            try:
                is_quiet(repr(found.differences(int(row))))
            except ConfigError:
                raise AssertionError("a changed message is in both logs") from None
        counts = found.table["fate"].value_counts()
        fates = {f"{fate} {min(int(count), 3)}" for fate, count in counts.items()}
        known = "known" if found.clock.known else "unknown"
        return Played(frozenset(fates | {f"clock {known}", plain(str(found.notes))}))
