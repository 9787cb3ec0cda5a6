"""Logs of real engines: QuickFIX with QuickFIX and with fixlab, and what was forced on them.

All sessions go through one wire on which single messages can be lost, doubled or spoilt, and
which can be cut. Who misbehaves on purpose otherwise is fixlab. Both sides keep a log.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

from fixlab.engines._child import order_fields
from fixlab.faults import Faults, PeerFaults
from fixlab.net.initiator import Initiator
from fixlab.session.config import SessionConfig
from fixlab.session.transitions import SessionState
from fixlab.stores.memory import MemoryStore
from fixlab.wire.message import Message
from tests.interop.peer import Engine, Peer, Spec, until
from tests.net.peers import raw_client, run, wire

VERSION = "FIX.4.4"
_WHOLE = re.compile(rb"8=FIX.*?\x0110=[^\x01]*\x01", re.DOTALL)
_SETTINGS = ("UseDataDictionary=N",)
# Fates on the wire: by sender and MsgSeqNum(34), each for the first message that bears it.
WIRE = {
    ("Q-LOST", 4): "lose",
    ("Q-TWICE", 4): "twice",
    ("Q-SUM", 4): "spoil",
    ("Q-CUT", 4): "cut",
    **{(f"L-{name}", 4): "lose" for name in ("LOST", "FILLED", "UNFLAG", "NOORIG")},
    ("L-SUM", 4): "spoil",
    ("L-CUT", 4): "cut",
}
# And of what QuickFIX sends to them.
BACK = {("Q-BACK", 4): "lose", ("L-BACK", 4): "lose"}


class Wire:
    """Carries whole messages from port to port, and does to some of them what it is told."""

    def __init__(self, port: int, target: int) -> None:
        self._port, self._target = port, target
        self._fates = {**WIRE, **BACK}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Wire:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            back, there = await asyncio.open_connection("127.0.0.1", self._target)
            try:
                ways = (self._carry(reader, there), self._carry(back, writer))
                running = [asyncio.ensure_future(way) for way in ways]
                await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for one in running:
                    one.cancel()
                await asyncio.gather(*running, return_exceptions=True)
            finally:
                there.close()
        except OSError:
            pass
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        waiting = b""
        while data := await source.read(1 << 16):
            waiting += data
            at = 0
            for found in _WHOLE.finditer(waiting):
                at = found.end()
                for part in self._parts(found[0]):
                    if part is None:
                        return
                    sink.write(part)
            waiting = waiting[at:]
            await sink.drain()

    def _parts(self, data: bytes) -> list[bytes | None]:
        fields = dict(field.split(b"=", 1) for field in data.split(b"\x01") if b"=" in field)
        sender, target = fields[b"49"].decode(), fields[b"56"].decode()
        number = int(fields[b"34"])
        name = target if sender == "QF" else sender
        if (sender == "QF") != (name.endswith("BACK")):
            return [data]
        fate = self._fates.pop((name, number), "")
        if fate == "lose":
            return []
        if fate == "twice":
            return [data, data]
        if fate == "spoil":
            return [data[:-4] + b"%03d\x01" % ((int(data[-4:-1]) + 7) % 256)]
        return [data[:50], None] if fate == "cut" else [data]


class Stage:
    """The engines, the wire, and where everybody's logs are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        names = list(STORIES)
        acceptor = [Spec(VERSION, name, _SETTINGS) for name in names]
        initiator = [
            Spec(VERSION, "QF", (*_SETTINGS, "HeartBtInt=30"), name)
            for name in names
            if name.startswith("Q-")
        ]
        self.acceptor = Engine("acceptor", folder / "acceptor", acceptor)
        self.initiator = Engine("initiator", folder / "initiator", initiator)

    def peer(self, name: str) -> Peer:
        """QuickFIX as the acceptor of this session."""
        return self.acceptor.peers[f"{VERSION}:QF->{name}"]

    def caller(self, name: str) -> Peer:
        """QuickFIX as its initiator."""
        return self.initiator.peers[f"{VERSION}:{name}->QF"]

    def logs(self, name: str) -> dict[str, Path]:
        """Who kept it -> the message log of a story; who is written by hand keeps none."""
        folders = {
            name: self.folder / "initiator" / "log",
            "QF": self.folder / "acceptor" / "log",
        }
        if not name.startswith("Q-"):
            folders[name] = self.folder / "fixlab" / name
        found = {}
        for keeper, folder in folders.items():
            for path in folder.glob(f"*-{name}*.messages.current.log"):
                found[keeper] = path
        return found

    @contextlib.asynccontextmanager
    async def fixlab(
        self, name: str, *, store: MemoryStore | None = None, beat: int = 30, **faults: Any
    ) -> AsyncIterator[Initiator]:
        """fixlab on the side called `name`, logged on."""
        log = self.folder / "fixlab" / name
        log.mkdir(parents=True, exist_ok=True)
        lab = Initiator(
            SessionConfig(sender_comp_id=name, target_comp_id="QF", heartbeat_seconds=beat),
            port=self.initiator.port,
            store=store,
            log_path=log,
            faults=Faults(peer=PeerFaults(**faults)),
            reconnect_seconds=0.1,
            exit_seconds=1,
        )
        async with lab:
            yield lab


async def orders(lab: Initiator, *names: str) -> None:
    for name in names:
        await lab.send(Message("D", {11: name, **order_fields(VERSION)}))


# Stories of QuickFIX with QuickFIX -----------------------------------------------------------


async def between(stage: Stage, name: str) -> None:
    """Ten orders each way, whatever the wire does to one of them; then they log out."""
    ours, theirs = stage.caller(name), stage.peer(name)
    ours.tell("logon")
    await until(lambda: ours.logons > 0 and theirs.logons > 0, "both to log on")
    await ours.send(5, "A")
    await theirs.send(5, "B")
    if name == "Q-TWICE":
        await until(lambda: ours.logouts > 0, "the Logout over the second one")
        return
    if name == "Q-CUT":
        await until(lambda: ours.logons > 1 and theirs.logons > 1, "both to come back")
    await ours.send(5, "C")
    await theirs.send(5, "D")
    await until(lambda: len(theirs.orders) >= 10, "the acceptor's orders")
    await until(lambda: len(ours.orders) >= 10, "the initiator's orders")
    await ours.leave()
    await until(lambda: theirs.logouts > (name == "Q-CUT"), "the acceptor to be logged out")


# Stories of fixlab with QuickFIX -------------------------------------------------------------


async def through(stage: Stage, name: str) -> None:
    """The same with fixlab on one side."""
    peer = stage.peer(name)
    async with stage.fixlab(name) as lab:
        await orders(lab, "A", "B", "C", "D", "E")
        await peer.send(5, "QF")
        if name == "L-CUT":
            await until(lambda: peer.logons > 1, "fixlab to come back")
        await lab.wait_established(timeout_seconds=10)
        await orders(lab, "F")
        await peer.send(1, "LAST")
        await until(lambda: len(peer.orders) >= 6, "all orders")
        await lab.wait_until(lambda session: session.gap is None, timeout_seconds=10)
        await lab.logout("done")


def misbehaving(
    count: int = 6, *, wait: Callable[[Peer, Initiator], bool] | None = None, **faults: Any
) -> Callable[[Stage, str], Coroutine[Any, Any, None]]:
    """fixlab sends orders with a fault of its own."""

    async def story(stage: Stage, name: str) -> None:
        peer = stage.peer(name)
        async with stage.fixlab(name, **faults) as lab:
            with contextlib.suppress(Exception):  # the engine may hang up in the middle
                await orders(lab, *(f"A-{n}" for n in range(count)))
            if wait is None:
                await until(lambda: f"A-{count - 1}" in peer.orders, "the last order")
                await lab.logout("done")
            else:
                await until(lambda: wait(peer, lab), "what the engine does about it")

    return story


def hung_up(peer: Peer, lab: Initiator) -> bool:
    return peer.logouts > 0


async def low(stage: Stage, name: str) -> None:
    """fixlab forgets what it sent, comes back with lower numbers, and is sent away."""
    async with stage.fixlab(name) as lab:
        await orders(lab, "A", "B", "C", "D")
        await until(lambda: len(stage.peer(name).orders) == 4, "all orders")
        await lab.logout("done")
        came = lab.session.next_in
    with contextlib.suppress(Exception):
        async with stage.fixlab(name, store=MemoryStore(next_out=3, next_in=came)):
            pass


async def reset(stage: Stage, name: str) -> None:
    """Both numbers begin anew in session, by agreement."""
    peer = stage.peer(name)
    async with stage.fixlab(name) as lab:
        await orders(lab, "A", "B")
        await until(lambda: len(peer.orders) == 2, "two orders")
        lab.reset()
        await lab.wait_until(
            lambda s: s.next_in == 2 and s.state is SessionState.ACTIVE, timeout_seconds=10
        )
        await orders(lab, "C")
        await until(lambda: len(peer.orders) == 3, "the last order")
        await lab.logout("done")


def scripted(
    *messages: tuple[str, int, str], answers: tuple[str, ...] = ()
) -> Callable[[Stage, str], Coroutine[Any, Any, None]]:
    """Messages written down by hand, MsgType, MsgSeqNum and body; and which answers come."""

    async def story(stage: Stage, name: str) -> None:
        config = SessionConfig(sender_comp_id=name, target_comp_id="QF")
        async with raw_client(stage.acceptor.port) as peer:
            peer.writer.write(wire(config, "A", 1, "98=0|108=30|"))
            assert (await peer.read()).msg_type == "A"
            for msg_type, number, body in messages:
                peer.writer.write(wire(config, msg_type, number, body))
            for expected in (*answers, "0"):
                assert (await peer.read()).msg_type == expected

    return story


_FIELDS = "".join(f"{tag}={value}|" for tag, value in order_fields(VERSION).items())
_PING = "112=PING|"


async def skipped(stage: Stage, name: str) -> None:
    """QuickFIX's next number is set by hand: fixlab asks, and QuickFIX fills."""
    peer = stage.peer(name)
    async with stage.fixlab(name) as lab:
        await peer.send(2, "A")
        await peer.skip(3)
        await peer.send(1, "B")
        await lab.wait_until(lambda s: s.next_in == 8 and s.gap is None, timeout_seconds=10)
        await lab.logout("done")


async def silent(stage: Stage, name: str) -> None:
    """fixlab falls silent: QuickFIX asks whether it is there, and hangs up."""
    peer = stage.peer(name)
    async with stage.fixlab(name, beat=1, silent=[3]) as lab:
        await orders(lab, "A", "B")
        await until(lambda: peer.logouts > 0, "QuickFIX to hang up")
        await lab.wait_until(lambda s: s.state is SessionState.DISCONNECTED)


def rejected(peer: Peer, lab: Initiator) -> bool:
    return any(message.msg_type == "3" for message in peer.log())


STORIES: dict[str, Callable[[Stage, str], Coroutine[Any, Any, None]]] = {
    **{f"Q-{name}": between for name in ("CLEAN", "LOST", "BACK", "TWICE", "SUM", "CUT")},
    **{f"L-{name}": through for name in ("CLEAN", "LOST", "BACK", "SUM", "CUT")},
    "L-REUSED": misbehaving(wait=hung_up, number_reused=[4]),
    "L-COMPID": misbehaving(wait=hung_up, bad_comp_id=[4]),
    "L-FILLED": misbehaving(gap_fill_orders=[4]),
    "L-UNFLAG": misbehaving(wait=hung_up, no_poss_dup=[4, 5, 6, 7]),
    "L-NOORIG": misbehaving(wait=rejected, no_orig_sending_time=1.0),
    "L-LOW": low,
    "L-RESET": reset,
    "L-SKIP": skipped,
    "L-SILENT": silent,
    "R-RAISED": scripted(
        ("D", 2, f"11=A|{_FIELDS}"),
        ("4", 3, "36=10|"),
        ("D", 10, f"11=B|{_FIELDS}"),
        ("1", 11, _PING),
    ),
    "R-LOWERED": scripted(
        ("D", 2, f"11=A|{_FIELDS}"), ("4", 3, "36=2|"), ("1", 3, _PING), answers=("3",)
    ),
}


def play(folder: Path) -> Iterator[Stage]:
    """All stories at once."""
    stage = Stage(folder)
    stage.acceptor.start()
    stage.initiator.start()

    async def everything() -> None:
        async with Wire(stage.initiator.port, stage.acceptor.port):
            told = [story(stage, name) for name, story in STORIES.items()]
            results = await asyncio.gather(*told, return_exceptions=True)
        failed = {
            name: result
            for name, result in zip(STORIES, results, strict=True)
            if isinstance(result, BaseException)
        }
        if failed:
            print("FAILED", failed)

    try:
        run(everything(), reports=None, seconds=60)
        yield stage
    finally:
        stage.initiator.stop()
        stage.acceptor.stop()
