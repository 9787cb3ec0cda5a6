"""`fixlab accept`: a counterparty in a process of its own, and the mistakes of a first use."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from fixlab.cli import _accept_plan, main
from fixlab.cli._accept import Voice, body_of, shown
from fixlab.cli._accept_options import add_arguments
from fixlab.cli._accept_plan import store_of
from fixlab.errors import ConfigError, ConnectError
from fixlab.net.initiator import Initiator
from fixlab.net.tls import client_context
from fixlab.session.config import SessionConfig
from fixlab.session.events import Dropped, Ended, Received, RejectReceived, RoundTrip
from fixlab.session.transitions import SessionState, Transition, TransitionKind
from fixlab.stores.memory import MemoryStore
from fixlab.stores.quickfix import FileStore
from fixlab.stores.sqlite import SQLiteStore
from fixlab.wire.message import Message
from tests.dictionary.published import published_path
from tests.net.peers import order, raw_client, run, wire

FUND = SessionConfig(sender_comp_id="FUND", target_comp_id="VENUE")


class Venue:
    """A running `fixlab accept --port 0`."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        assert child.stdout is not None
        self.child, self.lines = child, [child.stdout.readline()]
        while " ignored: " in self.lines[-1] or " misbehaving " in self.lines[-1]:
            self.lines.append(child.stdout.readline())
        found = re.search(r"listening on 127\.0\.0\.1:(\d+) for ", self.lines[-1])
        if not found:
            child.kill()
            raise AssertionError((self.lines, child.communicate()))
        self.port = int(found[1])

    def stop(self, number: int = signal.SIGTERM) -> str:
        """Ask it to end; all that it said."""
        self.child.send_signal(number)
        out, error = self.child.communicate(timeout=20)
        assert (self.child.returncode, error) == (0, "")
        return "".join(self.lines) + out


@contextlib.contextmanager
def venue(*options: str, folder: Path | None = None) -> Iterator[Venue]:
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "fixlab", "accept", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    ) as child:
        try:
            yield Venue(child)
        finally:
            if child.poll() is None:
                child.kill()


def test_it_takes_anyone_echoes_and_logs_everybody_out_on_sigterm() -> None:
    async def story(port: int) -> str:
        ann = SessionConfig(
            sender_comp_id="ANN", target_comp_id="VENUE", username="ann", password="hush"
        )
        old = SessionConfig(sender_comp_id="OLD", target_comp_id="X", begin_string="FIX.4.0")
        async with (
            Initiator(ann, port=port) as new,
            Initiator(old, port=port) as other,
            raw_client(port) as stranger,
        ):
            sent = Message(
                "D", [(11, "A"), (95, 3), (96, b"a\x01b"), (58, "caf\xe9"), (58, "2")]
            )
            await new.send(sent)
            await other.send(order(1))
            back = (await new.next_event(Received)).message
            assert back.msg_type == "D"
            assert [f for f in back.fields if f[0] in (11, 95, 96, 58)] == list(sent.fields[1:])
            assert (await other.next_event(Received)).message[11] == "ORD-1"
            new.lose_next(1)
            await new.send(order(2))
            await new.send(order(3))
            assert [(await new.next_event(Received)).message[11] for _ in range(2)] == [
                "ORD-2",
                "ORD-3",
            ]
            stranger.writer.write(b"GET / HTTP/1.0\r\n\r\n")
            assert await stranger.closed() == b""
            text = await asyncio.to_thread(place.stop)
            for buy in (new, other):
                await buy.wait_until(lambda s: s.state is SessionState.DISCONNECTED)
                assert (await buy.next_event(Ended)).clean
        return text

    with venue("--echo") as place:
        text = run(story(place.port))
    assert re.search(r"listening on 127\.0\.0\.1:\d+ for anyone; Ctrl-C ends it\n", text)
    for line in (
        r"FIX\.4\.4:VENUE->ANN up from 127\.0\.0\.1:\d+, heartbeat every 30 s",
        r"FIX\.4\.0:X->OLD up from ",
        r"FIX\.4\.4:VENUE->ANN received 8=FIX\.4\.4\|9=\d+\|35=D\|.*11=A\|",
        r"FIX\.4\.4:VENUE->ANN gap: 3 to 3 are missing, asked for",
        r"FIX\.4\.4:VENUE->ANN gap closed: 3 to 3",
        r"refused 127\.0\.0\.1:\d+: not FIX before the Logon: .* \(FRM-08\)",
        r"stopping, 2 sessions to log out",
        r"FIX\.4\.0:X->OLD down: Logout confirmed \(LGO-03\)",
    ):
        assert re.search(rf"^\d\d:\d\d:\d\d\.\d+ {line}", text, re.M), (line, text)
    assert "hush" not in text
    assert "\x01" not in text


def test_what_it_rejects_and_recovers_is_said_with_the_rule() -> None:
    async def story(port: int) -> None:
        async with Initiator(FUND, port=port) as buy:
            await buy.send(Message("D", {11: "A", 54: "Z"}))
            assert (await buy.next_event(RejectReceived)).ref_seq_num == 2
        async with raw_client(port) as peer:
            peer.writer.write(wire(FUND, "A", 4, "98=0|108=30|"))
            assert (await peer.read()).msg_type == "A"
            peer.writer.write(wire(FUND, "2", 5, "7=1|16=0|"))
            while (await peer.read()).msg_type != "4":
                pass
            bad = wire(FUND, "0", 6)[:-4] + b"999\x01"
            peer.writer.write(bad + wire(FUND, "D", 7, "11=554=hush|"))
            assert (await peer.read()).msg_type == "2"
            peer.writer.write(wire(FUND, "0", 2))
            assert await peer.closed() is not None

    with venue("--dictionary", str(published_path("FIX.4.4"))) as place:
        run(story(place.port))
        text = place.stop()
    for line in (
        r"rejected D 2: [^:]+.* \([A-Z]{3}-\d\d\)",
        r"answered a request to resend 1 to the end: .* gap-filled \([A-Z]{3}-\d\d\)",
        r"garbled bytes, ignored: .* \([A-Z]{3}-\d\d\)",
        r"asked the peer to resend 6 to the end.* \([A-Z]{3}-\d\d\)",
        r"number too low: 0 Heartbeat 2, next is 6.* \([A-Z]{3}-\d\d\)",
    ):
        assert re.search(rf"^[\d:.]+ FIX\.4\.4:VENUE->FUND {line}$", text, re.M), (line, text)
    assert "hush" not in text


def test_it_misbehaves_when_asked_to_and_says_each_time_how() -> None:
    async def story(port: int) -> Initiator:
        async with Initiator(FUND, port=port) as buy:
            for number in (2, 3, 4, 5):
                await buy.send(order(number))
            # Of the echoes 3 and 4 are lost, and 4 is filled over when it is asked for.
            await buy.wait_until(lambda session: session.next_in >= 6 and not session.gap)
            return buy

    options = (
        *("--echo", "--seed", "4"),
        *("--misbehave", "drop=@3+4,no-orig-sending-time=@3,gap-fill-orders=@4"),
    )
    with venue(*options) as place:
        buy = run(story(place.port))
        text = place.stop()
    assert ", seed 4\n" in text.splitlines(keepends=True)[0]
    said = [line.partition(" on purpose: ")[2] for line in text.splitlines()[1:]]
    assert [line.partition(":")[0] for line in said if line] == [
        "drop=@3",
        "drop=@4",
        "no-orig-sending-time=@3",
        "gap-fill-orders=@4",
    ]
    rows = buy.journal.to_frame()
    assert (rows["rule"] == "HDR-08").sum() == 2
    filled = rows[rows["kind"] == "GAP_FILLED"]
    assert filled["msg_seq_num"].tolist() == [4]


def test_sigint_ends_it_as_well_and_a_sqlite_folder_keeps_one_file_a_session(
    tmp_path: Path,
) -> None:
    odd = SessionConfig(sender_comp_id="../A B", target_comp_id="VENUE")
    kept = {config: MemoryStore() for config in (FUND, odd)}

    async def story(port: int, expected: int) -> None:
        for config, store in kept.items():
            async with Initiator(config, port=port, store=store) as buy:
                assert await buy.send(order(1)) == expected
                await buy.logout()

    for expected in (2, 5):
        with venue("--store", str(tmp_path / "stores"), "--sender", "VENUE") as place:
            run(story(place.port, expected))
            text = place.stop(signal.SIGINT)
        assert "for callers that fit --sender VENUE;" in text
    assert sorted(path.name for path in (tmp_path / "stores").glob("*.sqlite")) == [
        "FIX.4.4-VENUE-..%2FA%20B.sqlite",
        "FIX.4.4-VENUE-FUND.sqlite",
    ]


def test_one_named_session_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "venue.sqlite"

    async def story(port: int) -> None:
        async with Initiator(FUND, port=port):
            pass
        with contextlib.suppress(ConnectionError):
            await Initiator(
                SessionConfig(sender_comp_id="X", target_comp_id="Y"), port=port
            ).connect()

    named = ("--sender", "VENUE", "--target", "FUND", "--version", "FIX.4.4")
    with venue(*named, "--store", str(path), "--profile", "quickfix") as place:
        run(story(place.port))
        text = place.stop()
    assert "for FIX.4.4:VENUE->FUND;" in text
    assert "no session for the caller: BeginString 'FIX.4.4', SenderCompID 'X'" in text
    with SQLiteStore(path) as store:
        assert (store.peek_out(), store.current_in()) == (3, 3)


def test_when_nobody_reads_what_it_says_it_ends() -> None:
    async def story(port: int) -> None:
        async with raw_client(port) as peer:
            peer.writer.write(wire(FUND, "A", 1, "98=0|108=30|"))
            assert (await peer.read()).msg_type == "A"
            assert (await peer.read()).msg_type == "5"

    with venue() as place:
        assert place.child.stdout is not None
        place.child.stdout.close()
        run(story(place.port))
        assert place.child.wait(timeout=20) == 141
        assert place.child.stderr is not None
        assert place.child.stderr.read() == ""


def test_tls_with_client_certificates(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    for name, identity in (("venue", "127.0.0.1"), ("fund", "fund@example.org")):
        made = authority.issue_cert(identity)
        made.private_key_and_cert_chain_pem.write_to_path(tmp_path / f"{name}.pem")

    async def story(port: int) -> None:
        own = tmp_path / "fund.pem"
        tls = client_context(ca=tmp_path / "ca.pem", certificate=own)
        async with Initiator(FUND, port=port, tls=tls) as buy:
            assert buy.state is SessionState.ACTIVE
        with pytest.raises(ConnectError):
            await Initiator(
                FUND, port=port, tls=client_context(ca=tmp_path / "ca.pem")
            ).connect()

    options = (
        "--tls-cert",
        str(tmp_path / "venue.pem"),
        "--tls-client-ca",
        str(tmp_path / "ca.pem"),
    )
    with venue(*options) as place:
        run(story(place.port), reports=None)
        assert re.search(r"refused .*: TLS failed: no client certificate", place.stop())


# A QuickFIX .cfg --------------------------------------------------------------------------

CFG = """\
[DEFAULT]
ConnectionType=acceptor
SocketAcceptPort={port}
SenderCompID=VENUE
FileStorePath={folder}/store
StartTime=00:00:00
EndTime=00:00:00
UseDataDictionary=N
UseLocalTime=N
[SESSION]
BeginString=FIX.4.4
TargetCompID=FUND
[SESSION]
BeginString=FIX.4.2
TargetCompID=OTHER
{more}
"""


def cfg(folder: Path, port: int | str = 0, more: str = "") -> Path:
    path = folder / "venue.cfg"
    path.write_text(CFG.format(folder=folder, port=port, more=more))
    return path


def test_a_cfg_says_who_may_log_on_and_where_its_files_are(tmp_path: Path) -> None:
    store = MemoryStore()

    async def story(port: int) -> None:
        async with Initiator(FUND, port=port, store=store) as buy:
            await buy.send(order(1))
            await buy.next_event(Received)
        with pytest.raises(ConnectError):
            await Initiator(replace(FUND, sender_comp_id="X"), port=port).connect()

    path = cfg(tmp_path, port=9_999)
    for _ in range(2):
        with venue("--cfg", str(path), "--echo") as place:
            run(story(place.port))
            text = place.stop()
    assert "ignored: " in text
    assert "UseLocalTime" in text
    assert "for FIX.4.4:VENUE->FUND, FIX.4.2:VENUE->OTHER;" in text
    assert {p.name.split(".")[0] for p in (tmp_path / "store").iterdir()} == {"FIX"}
    with FileStore(tmp_path / "store", FUND.mirrored().session_id) as files:
        assert (files.peek_out(), files.current_in()) == (
            store.current_in(),
            store.peek_out(),
        )


def test_the_log_of_a_cfg_is_written_where_it_says(tmp_path: Path) -> None:
    async def story(port: int) -> None:
        for name, version in (("FUND", "FIX.4.4"), ("OTHER", "FIX.4.2")):
            config = replace(FUND, sender_comp_id=name, begin_string=version)
            async with Initiator(config, port=port, log_path=tmp_path / "ours") as buy:
                assert buy.state is SessionState.ACTIVE

    path = cfg(tmp_path, 9_999, f"FileLogPath={tmp_path}/theirs")
    with venue("--cfg", str(path), "--store", "memory") as place:
        run(story(place.port))
        assert "FileLogPath" not in place.stop()
    kinds = ("messages.current.log", "event.current.log")
    # Only the second session has the key.
    found = {p.name for p in (tmp_path / "theirs").iterdir()}
    assert found == {f"FIX.4.2-VENUE-OTHER.{kind}" for kind in kinds}
    ours, theirs = (
        [line.split(b" : ", 1)[1] for line in (tmp_path / name).read_bytes().splitlines()]
        for name in (
            f"ours/FIX.4.2-OTHER-VENUE.{kinds[0]}",
            f"theirs/FIX.4.2-VENUE-OTHER.{kinds[0]}",
        )
    )
    assert ours == theirs
    assert len(ours) == 4


def test_log_keeps_the_messages_of_anyone(tmp_path: Path) -> None:
    async def story(port: int) -> None:
        async with Initiator(replace(FUND, password="hush", username="f"), port=port) as buy:
            await buy.send(order(1))
            await buy.next_event(Received)

    with venue("--log", str(tmp_path / "log"), "--echo") as place:
        run(story(place.port))
        place.stop()
    text = (tmp_path / "log" / "FIX.4.4-VENUE-FUND.messages.current.log").read_bytes()
    assert text.count(b"\x0111=ORD-1\x01") == 2
    assert b"hush" not in text
    said = (tmp_path / "log" / "FIX.4.4-VENUE-FUND.event.current.log").read_text()
    assert "ended: the peer logged out (LGO-02)" in said


def test_a_log_that_cannot_be_written_is_one_line_and_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["accept", "--port", "0", "--log", str(tmp_path / "no" / "where")]) == 2
    error = capsys.readouterr().err
    assert re.fullmatch(r"fixlab accept: .*: no log can be written there: .*\n", error)


def test_a_template_in_a_cfg_takes_whoever_fits(tmp_path: Path) -> None:
    more = "[SESSION]\nBeginString=FIX.4.4\nTargetCompID=F*\nAcceptorTemplate=Y"

    async def story(port: int) -> None:
        for name in ("FUND", "F2"):
            async with Initiator(replace(FUND, sender_comp_id=name), port=port) as buy:
                assert buy.state is SessionState.ACTIVE

    with venue("--cfg", str(cfg(tmp_path, 9_999, more)), "--store", "memory") as place:
        run(story(place.port))
        assert "FIX.4.4:VENUE->F2 up from" in place.stop()


@pytest.mark.parametrize(
    ("more", "options", "said"),
    [
        ("", ["--sender", "X"], "--cfg says who may log on; leave out --sender"),
        (
            "[SESSION]\nBeginString=FIX.4.4\nTargetCompID=T\nSocketAcceptPort=7",
            [],
            "has sessions on ports 7, 9999; choose one of them with --port",
        ),
        (
            "BeginString=FIX.4.2\nTargetCompID=FUND\nReconnectInterval=x",
            [],
            "ReconnectInterval",
        ),
        ("SocketUseSSL=Y", [], "TLS"),
        ("AllowedRemoteAddresses=::1", [], "one port with different AllowedRemoteAddresses"),
    ],
)
def test_a_cfg_that_makes_no_sense_is_one_line_and_2(
    more: str,
    options: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["accept", "--cfg", str(cfg(tmp_path, 9_999, more)), *options]) == 2
    assert re.fullmatch(rf"fixlab accept: .*{said}.*\n", capsys.readouterr().err)


def test_dsc_01_a_cfg_says_from_where_callers_may_connect(tmp_path: Path) -> None:
    path = cfg(tmp_path, 9_999)
    text = path.read_text()

    async def call(port: int) -> None:
        async with Initiator(FUND, port=port):
            pass

    for allowed, comes_in in (("10.0.0.0/8,::1", False), ("10.0.0.0/8,127.0.0.1", True)):
        path.write_text(
            text.replace("[DEFAULT]", f"[DEFAULT]\nAllowedRemoteAddresses={allowed}")
        )
        with venue("--cfg", str(path), "--store", "memory") as place:
            with contextlib.nullcontext() if comes_in else pytest.raises(ConnectError):
                run(call(place.port))
            said = place.stop()
        assert ("its address is not among allowed_addresses (DSC-01)" in said) != comes_in


def test_a_cfg_with_an_address_that_is_none_is_one_line_and_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = cfg(tmp_path, 9_999)
    path.write_text(
        path.read_text().replace("[DEFAULT]", "[DEFAULT]\nAllowedRemoteAddresses=1/2")
    )
    assert main(["accept", "--cfg", str(path)]) == 2
    assert "allowed_addresses must hold addresses, networks" in capsys.readouterr().err


def test_a_cfg_says_how_safely_a_store_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    class Told(FileStore):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, **more)
            asked.append(more["durability"])

    monkeypatch.setattr(_accept_plan, "FileStore", Told)
    path = cfg(tmp_path, 9_999, "FileStoreSync=Y")
    options = argparse.ArgumentParser()
    add_arguments(options)
    plan = _accept_plan.plan_of(options.parse_args(["--cfg", str(path)]))
    assert plan.store is not None
    for config in plan.sessions:
        plan.store(config).close()
    assert asked == ["process", "power"]


def test_a_session_of_a_cfg_that_cannot_work_is_left_out_and_named(tmp_path: Path) -> None:
    path = cfg(tmp_path, 9_999, "HeartBtInt=abc\nContinueInitializationOnError=Y")

    async def story(port: int) -> None:
        async with Initiator(FUND, port=port):
            pass

    with venue("--cfg", str(path), "--store", "memory") as place:
        run(story(place.port))
        said = place.stop()
    assert "found 'abc', expected a whole number from 0; left out: Continue" in said
    assert "for FIX.4.4:VENUE->FUND;" in said


def test_a_cfg_of_an_initiator_says_how_to_play_its_counterparty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "fund.cfg"
    path.write_text(
        "[SESSION]\nConnectionType=initiator\nBeginString=FIX.4.4\nSenderCompID=A\n"
        "TargetCompID=B\nSocketConnectHost=127.0.0.1\nSocketConnectPort=1\nHeartBtInt=30\n"
        "StartTime=00:00:00\nEndTime=00:00:00\nUseDataDictionary=N\n"
    )
    assert main(["accept", "--cfg", str(path)]) == 2
    assert "give --sender its TargetCompID" in capsys.readouterr().err
    assert main(["accept", "--cfg", str(tmp_path / "none.cfg")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


# Mistakes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--profile", "quikfix"], "profile must be one of spec, quickfix, .*found 'quikfix'"),
        (["--version", "FIX.9"], r"begin_string must be \* or fit one of .* found 'FIX.9'"),
        (["--dictionary", "nowhere.xml"], "nowhere.xml"),
        (["--store", "x.sqlite"], "x.sqlite is one file, which holds one session; give a "),
        (["--tls-key", "key.pem"], "--tls-key and --tls-client-ca need --tls-cert"),
        (["--tls-cert", "nowhere.pem"], "nowhere.pem cannot be read"),
        (["--host", "no such host"], "cannot listen"),
        (["--sender", "VENUE\x07"], "sender_comp_id must be"),
        (["--misbehave", "drpo"], "no fault is called 'drpo'; did you mean drop"),
    ],
)
def test_a_mistake_is_one_line_and_2(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if options[0] == "--sender":
        options += ["--target", "A", "--version", "FIX.4.4"]
    assert main(["accept", *options]) == 2
    error = capsys.readouterr().err
    assert re.fullmatch(rf"fixlab accept: .*{said}.*\n", error), error


def test_a_port_in_use_is_one_line_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["accept", "--port", str(port)]) == 2
    assert capsys.readouterr().err == (
        f"fixlab accept: 127.0.0.1:{port}: cannot listen (Address already in use); choose "
        f"another address, or port=0 for a free one\n"
    )
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_port_that_is_none_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["accept", "--port", "70000"])
    assert caught.value.code == 2
    assert "a port is a number from 0 to 65535, found '70000'" in capsys.readouterr().err


# Parts ----------------------------------------------------------------------------------


def test_what_is_sent_back_is_the_body_as_it_came() -> None:
    raw = wire(FUND, "D", 2, "50=DESK|115=X|11=A|453=2|448=P|447=D|448=Q|447=D|95=3|96=a\x01b|")
    back = body_of(Message.from_wire(raw))
    assert [tag for tag, _ in back.fields] == [35, 11, 453, 448, 447, 448, 447, 95, 96]
    assert dict(back.fields)[96] == b"a\x01b"


def test_messages_are_shown_short_and_without_secrets() -> None:
    raw = wire(FUND, "BE", 2, f"553=ann|554=hush|58={'x' * 900}|")
    text = shown(Message.from_wire(raw))
    assert "553=ann|554=***|" in text
    assert len(text) == 403


def row(kind: TransitionKind, text: str, **others: Any) -> Transition:
    """A decision of VENUE on an order with the number 7."""
    state = SessionState.ACTIVE
    made = Transition(
        1, "S", 1, kind, state, state, 7, 7, 1, 1, "D", 7, False, 4, 0, 1, "REJ-08", text
    )
    return made._replace(**others)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (TransitionKind.REJECTED, "rejected D 7: why (REJ-08)"),
        (TransitionKind.WARNED, "warning about D 7: why (REJ-08)"),
        (TransitionKind.GARBLED, "garbled bytes, ignored: why (REJ-08)"),
        (TransitionKind.TOO_LOW, "number too low: D 7, next is 7: why (REJ-08)"),
        (TransitionKind.TIMED_OUT, "timed out: why (REJ-08)"),
        (
            TransitionKind.RESEND_REQUESTED,
            "asked the peer to resend 4 to the end: why (REJ-08)",
        ),
        (
            TransitionKind.RESEND_ANSWERED,
            "answered a request to resend 4 to the end: why (REJ-08)",
        ),
        (TransitionKind.DUPLICATE, None),
        (TransitionKind.ACCEPTED, None),
    ],
)
def test_decisions_that_no_event_tells_are_lines(
    kind: TransitionKind, said: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "warn only: why" if kind is TransitionKind.WARNED else "why"
    Voice(echo=False).on_row(row(kind, text))
    lines = [line.split(" ", 2)[2] for line in capsys.readouterr().out.splitlines()]
    assert lines == ([] if said is None else [said])


def test_a_line_is_short_printable_and_without_secrets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    voice = Voice(echo=False)
    hostile = "554=hush\x0158=\x1b[2J\n" + "x" * 5_000
    voice.on_row(row(TransitionKind.REJECTED, hostile, msg_type=hostile))
    voice.on_event("S", RejectReceived(Message("3"), None, hostile))
    voice.on_event("S", RoundTrip(hostile, 0.25))
    out = capsys.readouterr().out
    assert out.count("\n") == 3
    assert out.replace("\n", "").isprintable()
    assert "hush" not in out
    assert max(map(len, out.split("\n"))) < 300
    assert "the peer rejected a message: 554=***\\x0158=\\x1b[2J\\nxxx" in out


def test_stored_messages_that_never_leave_are_told_in_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Voice(echo=False).on_event("S", Dropped(2, 4))
    assert capsys.readouterr().out.endswith(" S stored 2 to 4 will never be sent\n")


def test_where_a_store_is(tmp_path: Path) -> None:
    assert store_of("memory", several=True) is None
    existing = tmp_path / "store"
    existing.write_bytes(b"")
    with pytest.raises(ConfigError, match="holds one session"):
        store_of(str(existing), several=True)
    makers: dict[str, Any] = {
        f"files:{tmp_path}/files": "FileStore",
        f"sqlite:///{tmp_path}/all.db": "SQLStore",
        f"{tmp_path}/one.sqlite": "SQLiteStore",
        f"{tmp_path}/many": "SQLiteStore",
    }
    for where, name in makers.items():
        make = store_of(where, several=False)
        assert make is not None
        store = make(FUND)
        assert type(store).__name__ == name
        store.close()
