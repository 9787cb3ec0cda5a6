"""Over TCP the verdicts are those in memory, whichever way the numbers start over."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import trustme

from fixlab.conformance import CASES, Report, Verdict, arun
from fixlab.net.tls import client_context, server_context
from tests.conformance.sut import PROFILE, case_of, played
from tests.conformance.venue import acceptor, initiators
from tests.net.peers import run

Make = Callable[..., AbstractAsyncContextManager[Any]]

SIDES = {"acceptor": acceptor, "initiator": initiators}
# Those that only wait, for ten seconds and more; in memory that costs nothing.
SLOW = ("X-23", "X-24", "X-29")
REFS = {
    "FIX.4.4": [ref for ref in CASES if ref not in SLOW],
    "FIX.4.0": [ref for ref in CASES if ref not in (*SLOW, "4a", "6")],
}
# Each way in which numbers are used: in and out, repeats, gaps, resets, 789, two connections.
NUMBERED = ["1S-b", "2b", "2c", "10b", "11c", "16b", "20", "X-08", "X-10"]


async def live(make: Make, refs: list[str], begin_string: str, **settings: Any) -> Report:
    async with make(refs, begin_string, **settings) as target:
        return await arun(target, cases=refs, profile=PROFILE)


def compare(report: Report, role: str, begin_string: str) -> None:
    memory = played([result.ref for result in report], role=role, begin_string=begin_string)
    differ = {
        result.ref: (result, memory[result.ref])
        for result in report
        if result.verdict is not memory[result.ref].verdict
    }
    assert differ == {}
    assert report.counts["PASS"] > 5


@pytest.mark.parametrize("role", list(SIDES))
@pytest.mark.parametrize("begin_string", list(REFS))
def test_live_verdicts_are_those_in_memory(role: str, begin_string: str) -> None:
    report = run(live(SIDES[role], REFS[begin_string], begin_string), seconds=60, reports=None)
    compare(report, role, begin_string)


@pytest.mark.parametrize("role", list(SIDES))
@pytest.mark.parametrize("reset", ["logon", "continue"])
def test_numbers_may_go_on_from_case_to_case(role: str, reset: str) -> None:
    # One identity for all cases: each finds the numbers that the one before it has left.
    settings = {"identities": ("R0", "SUT"), "reset": reset, "parallel": 1}
    if role == "initiator":
        settings["port"] = _free_port()
    report = run(live(SIDES[role], NUMBERED, "FIX.4.4", **settings), seconds=60, reports=None)
    compare(report, role, "FIX.4.4")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def test_a_run_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    refs = ["2a", "2b", "4b", "5"]

    async def story() -> Report:
        async with acceptor(refs, parallel=1) as target:
            left = 2

            def progress(result: object) -> None:
                nonlocal left
                left -= 1
                if not left:
                    playing.cancel()

            playing = asyncio.ensure_future(
                arun(target, cases=refs, resume=path, progress=progress)
            )
            with pytest.raises(asyncio.CancelledError):
                await playing
            assert len(path.read_text().splitlines()) == 3
            return await arun(target, cases=refs, resume=path)

    report = run(story(), reports=None)
    assert [result.ref for result in report] == refs
    assert report.counts["PASS"] == 4


def test_a_counterparty_has_its_pause() -> None:
    async def story() -> float:
        async with acceptor(
            ["2a", "4b"], identities=("R0", "SUT"), pause_seconds=0.3
        ) as target:
            begin = time.monotonic()
            report = await arun(target, cases=["2a", "2h", "4b"], profile=PROFILE)
            assert report["2a"].verdict is Verdict.PASS
            return time.monotonic() - begin

    assert run(story(), reports=None) > 0.6


def test_a_mistake_in_a_case_reaches_the_caller() -> None:
    async def story() -> None:
        async with acceptor(["T-1"]) as target:
            with pytest.raises(ValueError, match=r"nothing has set \$never"):
                await arun(target, cases=[case_of("> 35=1|112=$never")])

    run(story(), reports=None)


@pytest.mark.parametrize("role", list(SIDES))
def test_cases_are_played_over_tls(role: str, tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "me.pem")
    server = server_context(certificate=tmp_path / "me.pem")
    client = client_context(ca=tmp_path / "ca.pem")
    tls, engine_tls = (client, server) if role == "acceptor" else (server, client)

    async def story() -> Report:
        refs = ["2a", "2b"]
        async with SIDES[role](refs, engine_tls=engine_tls, tls=tls) as target:
            return await arun(target, cases=refs)

    assert run(story(), reports=None).counts["PASS"] == 2


def test_a_server_that_is_not_trusted_blocks() -> None:
    async def story() -> Report:
        async with acceptor(["2a"], tls=client_context(verify=True)) as target:
            return await arun(target, cases=["2a"])

    found = run(story(), reports=None)["2a"]
    assert found.verdict is Verdict.BLOCKED
    assert found.found.startswith("no connection (")
