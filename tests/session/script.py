"""Session tests as scripts: messages as people read them, whole Outputs as short lines.

A message is written `35=D|34=4|11=A-1|`. The header fields 8, 9, 49, 52, 56 and 10 are
filled in unless given; `!52` leaves one out. An Output is read back as lines, in this order:

    ACCEPTED SEQ-02 5/3              one a transition: kind, rule, NextNumIn/NextNumOut after it
    ACCEPTED LGN-09 2/1 -> ACTIVE    ... and the state, when it changed
    > 35=0|34=2|112=T|               one a message written, without what was filled in
    ! Received 4                     one an event
    x connection lost                the reason to close the transport
"""

from fixlab.session.admitting import Admit
from fixlab.session.config import SessionConfig
from fixlab.session.core import Output
from fixlab.session.events import (
    Dropped,
    Ended,
    Established,
    Event,
    GapClosed,
    GapNoticed,
    Received,
    RejectReceived,
)
from fixlab.session.session import Session
from fixlab.session.transitions import Role, SessionState
from fixlab.stores.base import Store
from fixlab.stores.memory import MemoryStore
from fixlab.times import NANOSECONDS, format_utc, parse_start
from fixlab.wire.framer import Framer
from fixlab.wire.message import Message, encode

NOW = parse_start("2026-01-05T09:00:00")
T0 = "20260105-09:00:00"  # NOW, as a SendingTime without a fraction

INITIATOR, ACCEPTOR = Role.INITIATOR, Role.ACCEPTOR
VERSIONS = ("FIX.4.0", "FIX.4.1", "FIX.4.2", "FIX.4.3", "FIX.4.4", "FIXT.1.1")
ROLES = (INITIATOR, ACCEPTOR)


def config(**settings: object) -> SessionConfig:
    base: dict[str, object] = {"sender_comp_id": "ME", "target_comp_id": "YOU"}
    return SessionConfig(**(base | settings))  # type: ignore[arg-type]


def wire(text: str, *, begin_string: str = "FIX.4.4", now: int = NOW, digits: int = 3) -> bytes:
    """The bytes of a message from YOU to ME."""
    given = [field for field in text.split("|") if field]
    left_out = {field[1:] for field in given if field.startswith("!")}
    given = [field for field in given if not field.startswith("!")]
    tags = {field.partition("=")[0] for field in given}
    filled = {"49": "YOU", "52": format_utc(now, digits).decode(), "56": "ME"}
    header = [f"{t}={v}" for t, v in filled.items() if t not in tags | left_out]
    if "8" in tags:
        begin_string = next(f[2:] for f in given if f.startswith("8="))
        given = [field for field in given if not field.startswith("8=")]
    fields = [*given[:2], *header, *given[2:]]
    content = "".join(f"{field}\x01" for field in fields).encode("latin-1")
    return encode(begin_string.encode(), content)


def readable(message: Message, now: int) -> str:
    """A message as people read it, without the fields that `wire` fills in."""
    times = {format_utc(now, digits) for digits in range(10)}
    return "".join(
        f"{tag}={value.decode('latin-1')}|"
        for tag, value in message.fields
        if tag not in (8, 9, 10, 49, 56) and not (tag == 52 and value in times)
    )


def _event(event: Event) -> str:
    name = type(event).__name__
    match event:
        case Established(heartbeat_seconds=seconds, reset=reset):
            return f"{name} {seconds}" + (" reset" if reset else "")
        case Received(msg_seq_num=number, poss_dup=poss_dup):
            return f"{name} {number}" + (" dup" if poss_dup else "")
        case GapNoticed(begin, end) | GapClosed(begin, end) | Dropped(begin, end):
            return f"{name} {begin}-{end}"
        case RejectReceived(ref_seq_num=number, text=text):
            return f"{name} {number} {text}".rstrip()
        case Ended(rule=rule, clean=clean):
            return f"{name} {rule}" + (" clean" if clean else "")
        case _:
            return f"{name} {event.test_req_id} {event.seconds:g}"


def lines(output: Output, now: int) -> list[str]:
    """A whole Output, as the module says."""
    told = []
    for row in output.transitions:
        line = f"{row.kind} {row.rule} {row.next_in}/{row.next_out}"
        told.append(line if row.state is row.state_before else f"{line} -> {row.state}")
    for message in messages(output.data):
        told.append(f"> {readable(message, now)}")
    told += [f"! {_event(event)}" for event in output.events]
    if output.disconnect is not None:
        told.append(f"x {output.disconnect}")
    return told


def messages(data: bytes) -> list[Message]:
    """What a session wrote; each must be a whole, well-formed message."""
    found = []
    for item in Framer(1 << 30).feed(data):
        assert isinstance(item, Message), item
        assert item.defect is None, (item, item.defect)
        found.append(item)
    assert b"".join(m.raw or b"" for m in found) == data
    return found


class Bench:
    """One session, and a test that plays its peer; every input is answered with `lines`."""

    def __init__(
        self,
        role: Role = ACCEPTOR,
        *,
        store: Store | None = None,
        next_in: int = 1,
        next_out: int = 1,
        admit: Admit | None = None,
        **settings: object,
    ) -> None:
        self.session = Session(
            config(**settings),
            role,
            store or MemoryStore(next_out=next_out, next_in=next_in),
            admit=admit,
        )
        self.now = NOW
        self.output = Output(b"", (), (), None)

    @property
    def state(self) -> SessionState:
        return self.session.state

    @property
    def counters(self) -> tuple[int, int]:
        return self.session.next_in, self.session.next_out

    @property
    def sent(self) -> list[str]:
        """What the last input made the session write."""
        return [readable(message, self.now) for message in messages(self.output.data)]

    @property
    def rows(self) -> list[str]:
        """Kind and rule of what the last input was recorded as."""
        return [f"{row.kind} {row.rule}" for row in self.output.transitions]

    @property
    def events(self) -> list[str]:
        return [_event(event) for event in self.output.events]

    @property
    def delivered(self) -> list[int]:
        return [e.msg_seq_num for e in self.output.events if isinstance(e, Received)]

    def _told(self, output: Output) -> list[str]:
        self.output = output
        return lines(output, self.now)

    def wire(self, text: str) -> bytes:
        digits = self.session.config.sending_time_digits
        begin_string = self.session.config.begin_string
        return wire(text, begin_string=begin_string, now=self.now, digits=digits)

    def wait(self, seconds: float) -> None:
        """Let time pass without an input."""
        self.now += round(seconds * NANOSECONDS)

    def receive(self, *texts: str) -> list[str]:
        return self._told(
            self.session.receive(b"".join(self.wire(text) for text in texts), self.now)
        )

    def receive_bytes(self, data: bytes) -> list[str]:
        return self._told(self.session.receive(data, self.now))

    def connected(self) -> list[str]:
        return self._told(self.session.connected(self.now))

    def disconnected(self) -> list[str]:
        return self._told(self.session.disconnected(self.now))

    def tick(self, after_seconds: float = 0.0) -> list[str]:
        self.wait(after_seconds)
        return self._told(self.session.tick(self.now))

    def send(self, text: str = "35=D|11=A|") -> list[str]:
        return self._told(self.session.send(Message.parse(text), self.now))

    def logout(self, text: str = "") -> list[str]:
        return self._told(self.session.logout(self.now, text))

    def reset(self) -> list[str]:
        return self._told(self.session.reset(self.now))

    def sequence_reset(self, new_number: int) -> list[str]:
        return self._told(self.session.sequence_reset(new_number, self.now))

    def skip(self, count: int) -> list[str]:
        return self._told(self.session.skip(count, self.now))

    def test_request(self, test_req_id: str | None = None) -> list[str]:
        return self._told(self.session.test_request(self.now, test_req_id))

    def logon_text(self, number: int | None = None, more: str = "") -> str:
        number = self.session.next_in if number is None else number
        begin_string = self.session.config.begin_string
        version = "1137=9|" if begin_string == "FIXT.1.1" else ""
        seconds = self.session.config.heartbeat_seconds
        if self.session.config.next_expected and "789=" not in more:
            more += f"789={self.session.next_out}|"
        return f"35=A|34={number}|98=0|108={seconds}|{more}{version}"

    def active(self) -> "Bench":
        """The same bench, after a plain Logon exchange."""
        self.connected()
        self.receive(self.logon_text())
        assert self.state is SessionState.ACTIVE
        assert not self.session.gap
        return self

    def pending_test_id(self) -> str:
        """TestReqID of the TestRequest among the last messages written."""
        found = [m[112] for m in messages(self.output.data) if m.msg_type == "1"]
        assert len(found) == 1
        return found[0]


def bench(role: Role = ACCEPTOR, **settings: object) -> Bench:
    """A bench whose session is ACTIVE, with 2/2 unless counters were given."""
    return Bench(role, **settings).active()  # type: ignore[arg-type]
