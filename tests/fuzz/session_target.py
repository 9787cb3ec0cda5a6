"""A session of any role, version and settings against a peer that sends anything."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable
from typing import Any

from fixlab.dictionary import Dictionary
from fixlab.errors import FixLabError
from fixlab.session.config import SessionConfig
from fixlab.session.core import Output
from fixlab.session.schedule import Schedule
from fixlab.session.session import Session
from fixlab.session.transitions import Role, SessionState, Transition, TransitionKind
from fixlab.times import seconds
from fixlab.wire.framer import Framer
from fixlab.wire.message import Message
from fixlab.wire.tags import POSS_DUP_FLAG
from tests.fuzz.fuzzing import NUMBERS, Case, Part, Played, bent, plain
from tests.fuzz.streams import broken, samples
from tests.session.duel import VERSIONS, dictionary, draw
from tests.session.pair import RAISES_IN, RAISES_OUT
from tests.session.script import NOW, config, wire

_S, _K = SessionState, TransitionKind
_SECRET = "hunter2-S3CRET"
_HELD_MAX = 50
_TICKS_MAX = 400  # until a session that hears no more is over
_MESSAGE_BYTES_MAX = 1 << 16
_OFFSET = re.compile(r"-?[0-9]{1,18}")

# Numbers: +n and -n count from what the session expects, ^n from what it sends next; 112=? is
# the TestReqID of the session's latest TestRequest.
_TEXTS = (
    """
35=0|34=+0| 35=0|34=+0|112=TEST| 35=1|34=+0|112=T| 35=1|34=+0| 35=D|34=+0|11=A|
35=D|34=+1|11=A| 35=D|34=+2|11=A| 35=D|34=+7|11=A| 35=D|34=-1|11=A|
35=D|34=+0|43=Y|!122|11=A| 35=D|34=+0|43=Y|122=20260105-09:00:00|11=A|
35=D|34=-1|43=Y|122=20260105-09:00:00|11=A| 35=8|34=+0|95=3|96=abc| 35=2|34=+0|7=1|16=0|
35=2|34=+0|7=1|16=999999| 35=2|34=+0|7=^-1|16=^-1| 35=2|34=+0|7=^0|16=0|
35=2|34=+3|7=1|16=0| 35=2|34=-1|7=1|16=0| 35=2|34=+0|43=Y|122=20260105-09:00:00|7=1|16=0|
35=2|34=+0|7=3|16=1| 35=4|34=+0|123=Y|36=+1| 35=4|34=+0|123=Y|36=+5| 35=4|34=+0|123=Y|36=+0|
35=4|34=+0|43=Y|123=Y|36=+3| 35=4|34=-1|43=Y|123=Y|36=+2| 35=4|34=+2|123=Y|36=+4|
35=4|34=+0|36=+5| 35=4|34=1|36=+0| 35=4|34=9|36=-1| 35=4|34=+0|123=N|36=+1000000|
35=4|34=+0|123=Y|36=999999999999999999| 35=3|34=+0|45=^-1|58=no| 35=j|34=+0|45=1|380=0|
35=5|34=+0| 35=5|34=+3|58=bye| 35=5|34=-1| 35=A|34=+0|98=0|108=30|
35=A|34=1|98=0|108=30|141=Y| 35=A|34=+0|98=0|108=30|141=Y| 35=A|34=+5|98=0|108=30|
35=A|34=+0|98=0|108=30|789=^0| 35=A|34=+0|98=0|108=30|789=^-2|
35=A|34=+0|98=0|108=30|789=^5| 35=A|34=+0|98=1|108=30| 35=A|34=+0|98=0|108=0|
35=A|34=+0|98=0|108=99999999999| 35=A|34=+0|98=0|108=30|554={SECRET}|553=u|
35=5|34=+0|58=bad_password_{SECRET}| 35=D|34=+0|554={SECRET}|58=554={SECRET}|
35=A|34=+0|98=0|108=30|383=300| 35=D|34=+0|8=FIX.4.1| 35=D|34=+0|49=EVE| 35=D|!34|11=A|
35=D|34=x|11=A| 35=D|34=+0|!52| 35=D|34=+0|52=20200101-00:00:00| 35=D|34=+0|369=99999|11=A|
35=U9|34=+0| 35=D|34=+0|90=3|91=a| 35=|34=+0|11=A| 35=5|34=+0|!49| 35=D|34=+0|43=X|
35=1|34=+0|112=LONG| 35=0|34=+0|112=?| 35=0|34=+0|112=?| 35=0|34=+1|112=?|
35=D|34=+0|43=Y|122=20990101-00:00:00|11=A| 35=A|34=+0|98=0|108=30|789=1|
35=A|34=-1|98=0|108=30|
35=4|34=-1|123=Y|36=+1| 35=D|34=+0|11=A|21=1|55=X|54=Z|60=20260105-09:00:00|38=1|40=1|
35=D|34=+0|11=A|21=1|55=X|54=1|60=now|38=1|40=1| 35=D|34=+0|11=A|11=B| 35=D|34=+0|11=A|40=2|
35=D|34=+0|11=A|1128=99| 35=8|34=+0|382=2|375=A|375=B|375=C| 35=B|34=+0|347=UTF-8|354=1|355=x|
35=A|34=+0|98=0|108=30|464=Y|
""".replace("{SECRET}", _SECRET)
    .replace("LONG", "T" * 300)
    .split()
)
_LOGONS = ("35=A|34=+0|98=0|108=30|1137=9|", "35=A|34=+0|98=0|108=30|141=Y|1137=9|",
           "35=A|34=+2|98=0|108=30|1137=9|")  # fmt: skip
_CALLS = (
    ("send", "D"), ("send", "D"), ("send", "8"), ("test", None), ("test", "X"), ("logout", ""),
    ("logout", "enough"), ("reset",), ("skip", 1), ("skip", 3), ("lift", 2), ("disconnect",),
    ("connect",), ("tick", 0.0), ("tick", 1.0), ("tick", 31.0), ("tick", 100.0), ("tick", -5.0),
    ("wait", 0.5), ("wait", 40.0), ("wait", 4e5), ("due",), ("due",), ("due",), ("split", 1),
    ("split", 7), ("restart",), ("flood", 12),
)  # fmt: skip


class SessionTarget:
    """Nothing that a peer sends raises; rows, numbers, store and bytes always agree."""

    name = "session"
    bytes_max = 24 << 20
    bound = f"{_HELD_MAX} held messages and a buffer of 64 KiB each, rows and replays"

    def make(self, chance: random.Random) -> Case:
        parts: list[Part] = [("settings", *_settings(chance)), ("connect",)]
        if chance.random() < 0.85:
            parts.append(("in", _LOGONS[0 if chance.random() < 0.8 else chance.randrange(3)]))
        for _ in range(chance.choice((1, 3, 6, 12))):
            parts.append(_part(chance))
        return tuple(parts)

    def bend(self, part: Part, chance: random.Random) -> Part:
        if isinstance(part, bytes):
            return broken(part, chance) if part else b"8=FIX"
        if part[0] == "settings":
            return ("settings", *_settings(chance))
        if part[0] != "in" or chance.random() < 0.2:
            return _part(chance)
        text = bent(part[1].encode("latin-1"), chance, _FIELDS).decode("latin-1")
        return ("in", text) if "=" in text else part

    def play(self, case: Case) -> Played:
        given = [part for part in case if isinstance(part, tuple) and part[0] == "settings"]
        chosen = given[0] if given else None
        role, settings = ("acceptor", ()) if chosen is None else (chosen[1], chosen[2])
        return _Run(_config(settings), Role(role)).all(case)


_FIELDS = (
    *(b"%b|" % number for number in NUMBERS),
    b"|43=Y|", b"|122=20260105-09:00:00|", b"|123=Y|", b"|36=+1|", b"|7=1|16=0|", b"|141=Y|",
    b"|34=+0|", b"|97=Y|", b"|10=000|", b"|9=5|", b"|8=FIX.4.4|", b"|369=0|", b"|789=1|",
    b"=", b"|", b"\xff", b"|95=5|96=|", b"|554=x|", b"|=x|", b"|x|", b"|1128=9|", b"|35=0|",
)  # fmt: skip


def _part(chance: random.Random) -> Part:
    how = chance.random()
    if how < 0.6:
        return ("in", chance.choice(_TEXTS))
    if how < 0.9:
        return chance.choice(_CALLS)
    raw = chance.choice(samples())
    return broken(raw, chance) if chance.random() < 0.5 else raw


def _settings(chance: random.Random) -> tuple[Any, ...]:
    """Role and settings, as plain data: those of a random duel."""
    drawn = draw(random.Random(chance.randrange(1 << 20)))
    mine = {**drawn.both, **drawn.mine}
    if mine.pop("schedule", None) is not None:
        mine["schedule"] = "daily"
    if mine.pop("dictionary", None) is not None:
        mine["dictionary"] = "published"
    mine["gap_fill_types"] = tuple(sorted(mine.get("gap_fill_types", ()))) or None
    if mine["begin_string"] in ("FIX.4.3", "FIX.4.4", "FIXT.1.1") and chance.random() < 0.3:
        mine |= {"username": "u", "password": _SECRET}
    role = chance.choice(("acceptor", "initiator"))
    return role, tuple((name, value) for name, value in mine.items() if value is not None)


def _config(settings: tuple[tuple[str, Any], ...]) -> SessionConfig:
    given = {"sending_time_tolerance_seconds": None, "replay_batch_max": 3} | dict(settings)
    given |= {"message_bytes_max": _MESSAGE_BYTES_MAX, "replay_repeat_max": 3}
    given["held_max"] = min(int(given.get("held_max", _HELD_MAX)), _HELD_MAX)
    if given.get("schedule") == "daily":
        given["schedule"] = Schedule(start="08:00:00", end="17:00:00")
    if given.get("dictionary") == "published":
        given["dictionary"] = _dictionary(given)
    if "gap_fill_types" in given:
        given["gap_fill_types"] = frozenset(given["gap_fill_types"])
    return config(**given)


def _dictionary(given: dict[str, Any]) -> Dictionary:
    begin_string = str(given.get("begin_string", "FIX.4.4"))
    version = given.get("default_appl_ver_id")
    assert (begin_string, version) in VERSIONS
    return dictionary(begin_string, version)


class _Run:
    """One session from its beginning to its end, and what must hold at every step."""

    def __init__(self, made: SessionConfig, role: Role) -> None:
        self.session = Session(made, role)
        self.now = NOW
        self.split = 0
        self.last: Transition | None = None
        self.features = set[str]()
        self.steps = 0

    def all(self, case: Case) -> Played:
        for part in case:
            self.steps += 1
            if isinstance(part, bytes):
                self.receive(part)
            elif part[0] == "in":
                self.receive(self.written(str(part[1])))
            elif part[0] != "settings":
                self.call(*part)
        self.end()
        return Played(frozenset(self.features), self.steps)

    # Inputs -------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Bytes come in, and must not raise whatever they are."""
        session = self.session
        size = self.split or len(data) or 1
        for at in range(0, len(data), max(size, len(data) // 200)):
            piece = data[at : at + max(size, len(data) // 200)]
            if session.state is _S.DISCONNECTED:
                return
            self.check(session.receive(piece, self.now), 1 + piece.count(b"8=FIX"))

    def call(self, name: str, *arguments: Any) -> None:
        """What the application or the clock does."""
        session, now = self.session, self.now
        match name:
            case "split":
                self.split = arguments[0]
            case "wait":
                self.now += seconds(arguments[0])
            case "tick":
                self.now = max(NOW, now + seconds(arguments[0]))
                self.check(session.tick(self.now))
            case "due":
                self.due()
            case "flood":
                texts = [self.written(f"35=1|34=+{n}|112=T|") for n in range(arguments[0])]
                self.receive(b"".join(texts))
            case "connect":
                if session.state is _S.DISCONNECTED:
                    self.check(session.connected(now))
            case "disconnect":
                self.check(session.disconnected(now))
            case "restart":
                session.store.commit()
                self.session = Session(session.config, session.role, session.store)
                self.last = None
            case _:
                self.asked(name, *arguments)

    def asked(self, name: str, *arguments: Any) -> None:
        """A call that may be refused, as a `FixLabError`."""
        session, now = self.session, self.now
        calls: dict[str, Callable[[], Output]] = {
            "send": lambda: session.send(Message(arguments[0], {11: "A", 58: "x"}), now),
            "test": lambda: session.test_request(now, arguments[0]),
            "logout": lambda: session.logout(now, arguments[0]),
            "reset": lambda: session.reset(now),
            "skip": lambda: session.skip(arguments[0], now),
            "lift": lambda: session.sequence_reset(session.next_out + arguments[0], now),
        }
        before = session.next_out, session.next_in
        try:
            output = calls[name]()
        except FixLabError as error:
            self.features.add(f"{name}: {plain(str(error))}")
            assert (session.next_out, session.next_in) == before, "refused, but not undone"
            return
        self.check(output)

    def due(self) -> None:
        """The clock goes on to whatever is due next."""
        limit = self.session.deadline
        if limit is not None:
            self.now = max(self.now, limit)
            self.check(self.session.tick(self.now))

    def end(self) -> None:
        """A peer that is silent for ever: the session comes to its end by itself."""
        made = self.session.config
        forever = not made.check_silence or self.session._pulse.interval == 0
        for _ in range(40 if forever else _TICKS_MAX):
            if self.session.deadline is None:
                break
            self.steps += 1
            self.due()
        else:
            assert forever, f"{self.session} never ends"
        self.check(self.session.disconnected(self.now))
        assert self.session.state is _S.DISCONNECTED
        assert self.session.deadline is None

    # What must hold -----------------------------------------------------------------------

    def check(self, output: Output, messages: int = 1) -> None:
        session, rows = self.session, output.transitions
        allowed = 40 * (messages + 1) + 2 * _HELD_MAX + 4 * min(session.next_out, 2_000)
        assert len(rows) <= allowed, f"{len(rows)} rows"
        for row in rows:
            self.check_row(row)
        for one, two in itertools.pairwise(rows):
            self.features.add(f"{one.kind} {one.rule}, {two.kind} {two.rule} {two.state}")
        if output.disconnect is not None:
            assert session.state is _S.DISCONNECTED
            self.features.add(f"ends: {plain(output.disconnect)}")
        for event in output.events:
            self.features.add(type(event).__name__)
        self.check_written(output)
        store = session.store
        assert (store.current_in(), store.peek_out()) == (session.next_in, session.next_out)
        assert session._framer.waiting <= _MESSAGE_BYTES_MAX
        assert len(session._recovery.held) <= _HELD_MAX
        store.commit()

    def check_row(self, row: Transition) -> None:
        last, self.last = self.last, row
        self.features.add(f"{row.kind} {row.rule} {row.state_before}-{row.state}")
        # Who knows the password finds it wherever it strays to; else only tag 554 tells it.
        assert self.session.config.password is None or _SECRET not in row.text, row
        assert row.text.isprintable()
        assert 1 <= row.next_in < 1 << 63
        if last is not None:
            before = (row.state_before, row.next_in_before, row.next_out_before)
            assert before == (last.state, last.next_in, last.next_out), (last, row)
        if row.kind is _K.RESET_BOTH:
            assert row.next_in == 1
            return
        assert row.next_in == row.next_in_before or row.kind in RAISES_IN, row
        assert row.next_out == row.next_out_before or row.kind in RAISES_OUT, row
        assert row.next_in >= row.next_in_before
        assert row.next_out >= row.next_out_before

    def check_written(self, output: Output) -> None:
        """What leaves is whole, in sequence, and has a row each."""
        found = Framer(1 << 30).feed(output.data)
        numbers = []
        for item in found:
            assert isinstance(item, Message), item
            assert item.defect is None, item.defect
            if item.get(POSS_DUP_FLAG) != "Y":
                numbers.append(int(item[34]))
        sent = [row.msg_seq_num for row in output.transitions if row.kind is _K.SENT]
        assert numbers == sent, "a row for each message, a message for each row"
        assert sum(len(item.raw or b"") for item in found) == len(output.data)

    # Bytes --------------------------------------------------------------------------------

    def written(self, text: str) -> bytes:
        """A message of the peer's, its relative numbers worked out."""
        session = self.session
        fields = []
        for field in text.split("|"):
            tag, equals, value = field.partition("=")
            base = {"+": session.next_in, "-": session.next_in, "^": session.next_out}
            sign, number = value[:1], value[1:]
            if equals and sign in base and _OFFSET.fullmatch(number):
                offset = -int(number) if sign == "-" else int(number)
                value = str(max(0, base[sign] + offset))
            if value == "?" and session._tests:
                value = session._tests[-1][0]
            equals = "=" if tag == "8" else equals  # `wire` looks for it
            fields.append(f"{tag}{equals}{value}")
        made = session.config
        return wire(
            "|".join(fields),
            begin_string=made.begin_string,
            now=self.now,
            digits=made.sending_time_digits,
        )
