"""Whatever a counterparty sends, a case ends with a verdict, and within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest

from fixlab.conformance import CASES, ListeningTarget, LiveTarget, Verdict, arun
from fixlab.session.transitions import Role
from tests.conformance.sut import against, case_of, wire
from tests.conformance.venue import acceptor
from tests.net.peers import run

VALUES = ("", "2", "-1", "0", "9" * 5000, "²", "x", "$now", "$id", "{9:+1}", "a|b", "=", "\xff")
TAGS = ("7", "16", "34", "36", "43", "45", "52", "58", "98", "108", "112", "123", "141", "789")


def messages(random: Random) -> Callable[[bytes], bytes | None]:
    """Answers with well-framed messages full of values that nobody expects."""

    def says(data: bytes) -> bytes | None:
        if random.random() < 0.05:
            return None
        kinds = "0123458ADj"
        raw = b""
        for _ in range(random.randrange(4)):
            fields = [f"{random.choice(TAGS)}={random.choice(VALUES)}" for _ in range(4)]
            raw += wire(f"35={random.choice(kinds)}|{'|'.join(fields)}|".replace("a|b", "ab"))
        return wire("35=A|34=1|98=0|108=30|") + raw if b"\x0135=A\x01" in data else raw

    return says


def noise(random: Random) -> Callable[[bytes], bytes | None]:
    """Answers with bytes."""
    return lambda data: random.randbytes(random.randrange(200)) + b"8=FIX.4.4\x019=5\x0135="


@pytest.mark.parametrize("make", [messages, noise])
@pytest.mark.parametrize("role", list(Role))
def test_no_answer_breaks_the_player(make: Any, role: Role) -> None:
    for seed, case in enumerate(CASES.values()):
        if case.role in (None, role) and "encryption" not in case.needs:
            found = against(make(Random(f"{seed}/{role}")), case, role)
            assert found.verdict in tuple(Verdict)
            assert len(found.transcript) <= 2_001


def test_a_flood_ends_the_case() -> None:
    flood = wire("35=0|34=2|") * 500

    def says(data: bytes) -> bytes:
        return wire("35=A|34=1|98=0|108=30|") if b"\x0135=A\x01" in data else flood

    script = "\n".join(["> 35=0\n<? 35=9 0.1s"] * 40)
    found = against(says, case_of(script))
    assert found.verdict is Verdict.FAIL
    assert found.expected == "at most 10,000 messages and 16 MiB in one case"


# Over TCP -------------------------------------------------------------------------------

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)
    await reader.read()


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():
        writer.write(b"x" * (1 << 16))
        await writer.drain()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for byte in wire("35=A|34=1|98=0|108=30|"):
        writer.write(bytes([byte]))
        await asyncio.sleep(0.05)


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.transport.abort()


async def polite(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


CASE = case_of("> 35=A|34=1|98=0|108=30\n< 35=A 0.5s\n< NONE 0.2s", head="pre: CONNECT")


async def against_server(serve: Serve) -> Any:
    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    target = LiveTarget("127.0.0.1", port, identities=("ME", "SUT"), reset="fresh")
    async with asyncio.timeout(20):
        report = await arun(target, cases=[CASE])
    server.close()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    return report["T-1"]


@pytest.mark.parametrize("serve", [garbage, endless, drip, silence, reset, polite])
def test_a_hostile_acceptor_fails(serve: Serve) -> None:
    found = run(against_server(serve))
    assert found.verdict is Verdict.FAIL
    assert found.line is not None
    assert found.seconds < 10


def test_a_port_where_nobody_listens_blocks() -> None:
    async def closed() -> Any:
        server = await asyncio.start_server(polite, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        target = LiveTarget("127.0.0.1", port, identities=("ME", "SUT"), reset="fresh")
        return (await arun(target, cases=[CASE]))["T-1"]

    found = run(closed())
    assert (found.verdict, found.expected) == (Verdict.BLOCKED, "a connection")
    assert "refused" in found.found.lower()


def test_initiators_that_nobody_knows_are_closed_and_the_case_waits() -> None:
    async def strangers() -> Any:
        target = ListeningTarget(identities=[("ME", "SUT"), ("ME", "TUS")], reset="fresh")
        case = case_of("<< CONNECT 1s\n< 35=A", head="pre: NONE", role="I")
        playing = asyncio.ensure_future(arun(target, cases=[case]))
        while not target.port:
            await asyncio.sleep(0.01)
        closed = []
        for said in (b"GET / HTTP/1.1\r\n" * 2000, wire("35=A|34=1|").replace(b"SUT", b"XXX")):
            reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
            writer.write(said)
            try:
                closed.append(await reader.read())
            except ConnectionError:
                closed.append(b"")
            writer.close()
        return closed, (await playing)["T-1"]

    closed, found = run(strangers())
    assert closed == [b"", b""]
    assert (found.verdict, found.found) == (Verdict.FAIL, "none")


def test_a_hook_that_fails_within_a_case_blocks_it() -> None:
    async def failing() -> Any:
        async def stop(identity: object, count: int) -> None:
            raise OSError("no such engine")

        async with acceptor(["12"], hooks={"stop": stop}) as target:
            return (await arun(target, cases=["12"]))["12"]

    found = run(failing(), reports=None)
    assert (found.verdict, found.line, found.found) == (
        Verdict.BLOCKED,
        1,
        "the hook stop failed: no such engine",
    )


def test_numbers_that_cannot_be_agreed_on_block_with_the_transcript() -> None:
    async def unwilling() -> Any:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            writer.write(wire("35=5|34=1|58=go away|"))
            await reader.read()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        target = LiveTarget("127.0.0.1", port, identities=("ME", "SUT"), pause_seconds=0)
        report = await arun(target, cases=["2b"])
        server.close()
        return report["2b"]

    found = run(unwilling())
    assert found.verdict is Verdict.BLOCKED
    assert found.found == (
        "the numbers could not be agreed on: found Logout(5) 34=1, 'go away'"
    )
    assert sum("go away" in entry.text for entry in found.transcript) == 3


def test_a_hook_that_fails_is_no_verdict_on_the_case() -> None:
    async def failing() -> Any:
        def stop(identity: object, count: int) -> None:
            raise OSError("no such engine")

        server = await asyncio.start_server(silence, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        target = LiveTarget(
            "127.0.0.1", port, identities=("ME", "SUT"), reset="operator", hooks={"reset": stop}
        )
        report = await arun(target, cases=[CASE])
        server.close()
        return report["T-1"]

    found = run(failing())
    assert (found.verdict, found.found) == (
        Verdict.BLOCKED,
        "the hook reset failed: no such engine",
    )
