"""Two sessions in virtual time, one of them with faults: what the wire and the other saw."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from fixlab.faults.end import FaultyEnd
from fixlab.faults.plan import Faults, PeerFaults
from fixlab.session.config import SessionConfig
from fixlab.session.core import Output
from fixlab.session.events import Event, Received
from fixlab.session.session import Session
from fixlab.session.transitions import Role, SessionState, Transition
from fixlab.stores.base import Store
from fixlab.times import NANOSECONDS, parse_start
from fixlab.wire.framer import Framer
from fixlab.wire.message import Message

NOW = parse_start("2026-01-05T09:00:00")
_INPUTS_MAX = 100_000  # of one run: a story that does not end is a failure


class End:
    """A session, what it said and was told, and the faults between it and the wire."""

    def __init__(
        self, config: SessionConfig, role: Role, faulty: FaultyEnd, store: Store | None
    ) -> None:
        self.faulty = faulty
        self.session = Session(config, role, faulty.store(store, lambda seconds: None))
        self.rows: list[Transition] = []
        self.events: list[Event] = []
        self.wire = b""  # what reached the wire, and
        self.sent = b""  # what the session wrote
        self.link = b""  # under way to the other end

    @property
    def told(self) -> list[str]:
        """Kind and rule of each row, with its text when there is one."""
        return [
            f"{row.kind} {row.rule}" + (f": {row.text}" if row.text else "")
            for row in self.rows
        ]

    @property
    def delivered(self) -> list[str]:
        return [each.message[11] for each in self.events if isinstance(each, Received)]

    @property
    def left(self) -> list[Message]:
        """The messages that reached the wire; what is garbled is not among them."""
        found = Framer(1 << 30).feed(self.wire)
        return [item for item in found if isinstance(item, Message)]


class Duo:
    """`liar` has the faults, `honest` none; the liar connects unless told otherwise."""

    def __init__(
        self,
        faults: PeerFaults | Faults = PeerFaults(),  # noqa: B008
        *,
        seed: int = 0,
        role: Role = Role.INITIATOR,
        store: Store | None = None,
        **settings: object,
    ) -> None:
        planned = faults if isinstance(faults, Faults) else Faults(peer=faults)
        config = SessionConfig(
            sender_comp_id="LIAR",
            target_comp_id="HONEST",
            **settings,  # type: ignore[arg-type]
        )
        other = Role.ACCEPTOR if role is Role.INITIATOR else Role.INITIATOR
        self.now = NOW
        self.liar = End(config, role, FaultyEnd(planned, seed=seed, end="liar"), store)
        none = FaultyEnd(Faults(), seed=seed, end="honest")
        self.honest = End(config.mirrored(), other, none, None)
        self.split = 1 << 30  # bytes that arrive at once

    @property
    def ends(self) -> tuple[End, End]:
        """The initiator last, so that the acceptor waits for it."""
        initiates = self.liar.session.role is Role.INITIATOR
        return (self.honest, self.liar) if initiates else (self.liar, self.honest)

    # Verbs ------------------------------------------------------------------------------

    def logon(self) -> Duo:
        for end in self.ends:
            end.faulty.connected()
            end.link = b""
        for end in self.ends:
            self.step(end, end.session.connected)
        self.deliver()
        return self

    def send(self, end: End, *names: str) -> None:
        for name in names:
            self.step(end, partial(end.session.send, Message("D", {11: name})))
        self.deliver()

    def probe(self, end: End) -> None:
        self.step(end, end.session.test_request)
        self.deliver()

    def lose(self, end: End, *names: str) -> None:
        """Send, and lose it by hand."""
        end.faulty.peer.lose_next(len(names))
        self.send(end, *names)

    def cut(self) -> None:
        for end in self.ends:
            end.link = b""
            self.step(end, end.session.disconnected)

    def run(self, seconds: float) -> None:
        """Let time pass, from deadline to deadline."""
        stop = self.now + round(seconds * NANOSECONDS)
        for _ in range(_INPUTS_MAX):
            self.deliver()
            due = [
                (max(deadline, self.now), number)
                for number, end in enumerate(self.ends)
                if (deadline := end.session.deadline) is not None
            ]
            if not due or min(due)[0] > stop:
                self.now = stop
                return
            self.now, number = min(due)
            end = self.ends[number]
            self.step(end, end.session.tick)
        raise AssertionError("this goes on for ever")

    # What a driver does -----------------------------------------------------------------

    def step(self, end: End, step: Callable[[int], Output]) -> None:
        peer, session = end.faulty.peer, end.session
        if peer.acts and (count := peer.skip_before(session.next_out)):
            self._apply(end, session.skip(count, self.now))
        self._apply(end, step(self.now))
        for test_req_id in peer.errands() if peer.acts else ():
            if session.state is SessionState.ACTIVE:
                self.step(end, partial(session.test_request, test_req_id=test_req_id))

    def _apply(self, end: End, output: Output) -> None:
        end.rows += output.transitions
        end.events += output.events
        end.session.store.commit()
        wire = end.faulty.peer.outgoing(output.data)
        end.sent += output.data
        end.wire += wire
        end.link += wire
        if output.disconnect is not None:
            self.deliver_from(end)
            for each in self.ends:
                if each.session.state is not SessionState.DISCONNECTED:
                    self.step(each, each.session.disconnected)

    def deliver(self) -> None:
        for _ in range(_INPUTS_MAX):
            if not any(end.link for end in self.ends):
                return
            for end in self.ends:
                self.deliver_from(end)
        raise AssertionError("this goes on for ever")

    def deliver_from(self, end: End) -> None:
        other = self.honest if end is self.liar else self.liar
        if not end.link:
            return
        data, end.link = end.link[: self.split], end.link[self.split :]
        peer = other.faulty.peer
        if peer.changes_received:
            data = peer.incoming(data)
        if other.session.state is not SessionState.DISCONNECTED:
            self.step(other, partial(other.session.receive, data))


def story(duo: Duo) -> Duo:
    """A bit of everything: losses both ways, gap fills, replays, TestRequests, silence."""
    liar, honest = duo.liar, duo.honest
    duo.logon()
    if honest.session.state is SessionState.ACTIVE and (
        liar.session.state is SessionState.ACTIVE
    ):
        _talk(duo)
    duo.run(200)
    return duo


def _talk(duo: Duo) -> None:
    liar, honest = duo.liar, duo.honest

    def active() -> bool:
        return all(end.session.state is SessionState.ACTIVE for end in duo.ends)

    steps: list[Callable[[], None]] = [
        lambda: duo.send(liar, "L2"),
        lambda: duo.send(liar, "L3"),
        lambda: duo.send(liar, "L4"),
        lambda: duo.lose(liar, "L5", "L6"),
        lambda: liar.faulty.peer.lose_next(1),
        lambda: duo.probe(liar),  # 7
        lambda: duo.send(liar, "L8", "L9"),
        lambda: duo.lose(honest, "H2"),
        lambda: duo.send(honest, "H3"),
        lambda: duo.probe(honest),
        lambda: duo.run(5),
        lambda: duo.send(liar, "LAST"),
    ]
    for each in steps:
        if not active():
            return
        each()
