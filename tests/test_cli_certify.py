"""`fixlab certify`: against `fixlab accept`, a real initiator, nobody, and first mistakes."""

from __future__ import annotations

import getpass
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from fixlab.cli import _certify_plan, main
from fixlab.cli._certify import exit_code
from fixlab.conformance import Need, Profile, Report, Verdict
from fixlab.engines import Engine, EngineSession, dictionary_settings
from fixlab.errors import ConfigError
from tests.conformance import samples
from tests.net.peers import free_port
from tests.test_cli_accept import Venue, venue

WHO = ("--sender", "LAB", "--target", "VENUE", "--pause", "0")


@pytest.fixture(scope="module")
def acceptor() -> Iterator[Venue]:
    """Answers every application message with the same one, so that 19a fails."""
    with venue("--echo", "--sender", "VENUE", "--target", "LAB") as started:
        yield started


def certify(port: int, *options: str) -> int:
    return main(["certify", f"127.0.0.1:{port}", *WHO, *options])


def test_one_line_a_case_a_summary_and_a_page(
    acceptor: Venue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ticket.html"
    options = ("--cases", "2b, 17c,19a", "--report", str(path), "--by", "Ann <desk>")
    assert certify(acceptor.port, *options) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == ["2b", "PASS", "A", "number", "too", "high"]
    assert out[1].startswith(
        "19a      FAIL     PossResend of what the application knows | PRS-02 "
    )
    assert out[3:] == [
        "3 cases: 1 PASS, 1 FAIL, 1 SKIP",
        "  1 not played: encryption inside FIX is not supported",
        "mandatory and not passed: 19a",
        f"page: {path}",
    ]
    text = path.read_text("utf-8")
    for words in ("1 of 2 mandatory cases failed", "LAB → VENUE", "Ann &lt;desk&gt;", " UTC<"):
        assert words in text


def test_it_is_0_when_all_mandatory_cases_pass(
    acceptor: Venue, capsys: pytest.CaptureFixture[str]
) -> None:
    assert certify(acceptor.port, "--cases", "2b,10a") == 0
    assert capsys.readouterr().out.endswith("all mandatory cases that were played passed\n")


@pytest.mark.parametrize(
    ("verdicts", "codes"),
    [
        ({"2b": Verdict.PASS}, (0, 0, 0)),
        ({"2b": Verdict.LENIENT}, (0, 0, 1)),
        ({"2b": Verdict.FAIL}, (1, 1, 1)),
        ({"2b": Verdict.PASS, "2g": Verdict.BLOCKED}, (1, 1, 1)),
        ({"2b": Verdict.PASS, "X-12": Verdict.FAIL}, (0, 1, 1)),
        ({"2b": Verdict.SKIP}, (2, 2, 2)),
        ({}, (2, 2, 2)),
    ],
)
def test_what_the_exit_code_means(
    verdicts: dict[str, Verdict], codes: tuple[int, int, int]
) -> None:
    results = [samples.result(ref, verdict) for ref, verdict in verdicts.items()]
    report = Report(results, samples.CASES)
    found = [exit_code(report, fail_on) for fail_on in ("mandatory", "any", "lenient")]
    assert tuple(found) == codes


def test_it_gives_up_where_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    assert certify(free_port(), "--cases", "2a,2b,2c,2d,2e") == 2
    out, error = capsys.readouterr()
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["2a", "BLOCKED"],
        ["2b", "BLOCKED"],
        ["2c", "BLOCKED"],
    ]
    assert "fixlab certify: gave up, the first 3 cases could not be played: " in error
    assert error.count("\n") == 1


def test_a_dry_run_sends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        options = ("--cases", "2c", "--dry-run", "--username", "ann")
        assert certify(port, *options) == 0
        with pytest.raises(TimeoutError):
            server.accept()
    out = capsys.readouterr().out
    assert "2c A number too low" in out
    assert "35=A" in out


def test_lgn_26_the_password_is_nowhere_to_be_seen(
    acceptor: Venue,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FIXLAB_PASSWORD", "hunter2")
    page, kept = tmp_path / "ticket.html", tmp_path / "kept.jsonl"
    options = ("--report", str(page), "--resume", str(kept), "--username", "ann")
    assert certify(acceptor.port, "--cases", "2b,19a", *options) == 1
    for text in (*capsys.readouterr(), page.read_text("utf-8"), kept.read_text("utf-8")):
        assert "hunter2" not in text
    transcripts = [json.loads(line)["transcript"] for line in kept.read_text().splitlines()[1:]]
    assert any("|553=ann|554=***|" in entry[3] for entry in transcripts[0])


def test_the_password_comes_from_the_environment_or_a_prompt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("FIXLAB_PASSWORD", raising=False)
    monkeypatch.setattr(sys, "stdin", open("/dev/null"))  # noqa: SIM115  # closed with pytest's
    with sys.stdin, pytest.raises(ConfigError, match="put it into FIXLAB_PASSWORD"):
        _certify_plan._password()

    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", lambda prompt: "typed")
    assert _certify_plan._password() == "typed"
    monkeypatch.setenv("FIXLAB_PASSWORD", "")
    with pytest.raises(ConfigError, match="the password is empty"):
        _certify_plan._password()


def test_ctrl_c_keeps_what_was_played_and_resume_goes_on(
    acceptor: Venue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, kept = tmp_path / "ticket.html", tmp_path / "kept.jsonl"
    options = ["--cases", "2b,X-23", "--report", str(page), "--resume", str(kept)]
    where = ["certify", f"127.0.0.1:{acceptor.port}", *WHO]
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "fixlab", *where, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline().startswith("2b       PASS")
        child.send_signal(signal.SIGINT)  # X-23 takes 10 s
        out, error = child.communicate(timeout=20)
    assert (child.returncode, error) == (
        130,
        "fixlab certify: interrupted. Run it again to go on.\n",
    )
    assert "1 cases: 1 PASS" in out
    assert "The 1 mandatory case passed" in page.read_text("utf-8")
    assert certify(acceptor.port, "--cases", "2b", "--resume", str(kept)) == 0
    again = capsys.readouterr().out
    assert again.startswith("\n1 cases: 1 PASS")  # nothing was played again


def test_an_initiator_under_test_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    session = EngineSession("FIX.4.4", "LAB", dictionary_settings("FIX.4.4"))
    with Engine("fixcore", "initiator", [session]) as engine:
        engine.tell("logon", session.id)
        where = ("--listen", str(engine.port), "--sender", "LAB", "--target", "QF")
        code = main(["certify", *where, "--reset", "continue", "--cases", "2b,4b,2f"])
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"waiting for QF at {engine.port}"
    assert [line.split()[:2] for line in out[1:4]] == [
        ["2b", "PASS"],
        ["4b", "PASS"],
        ["2f", "FAIL"],
    ]
    assert code == 1


def test_tls_01_inside_tls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    authority = trustme.CA()
    ca, own = tmp_path / "ca.pem", tmp_path / "own.pem"
    authority.cert_pem.write_to_path(str(ca))
    authority.issue_cert("venue.example").private_key_and_cert_chain_pem.write_to_path(str(own))
    with venue("--tls-cert", str(own), "--sender", "VENUE") as started:
        named = ("--tls-ca", str(ca), "--tls-name", "venue.example")
        assert certify(started.port, "--cases", "2b", *named) == 0
        # Its certificate is not for the address that it was called by.
        assert certify(started.port, "--cases", "2a,2b,2c", "--tls-ca", str(ca)) == 2
        assert "gave up" in capsys.readouterr().err


# Mistakes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["here"], "HOST:PORT is 'here', expected HOST:PORT, such as venue.example:9880"),
        (["here:0"], "HOST:PORT is 'here:0', expected"),
        (["--listen", "x"], "--listen is 'x', expected [HOST:]PORT"),
        ([], "say where it listens, HOST:PORT, or where to wait for it, --listen"),
        (["here:1", "--listen", "2"], "say where it listens, HOST:PORT, or where to wait"),
        (["here:1", "--cases", "2zz"], "no test case '2zz'; ids look like"),
        (["here:1", "--version", "FIX.9"], "FIX.9"),
        (["here:1", "--profile", "/nowhere.toml"], "/nowhere.toml"),
        (["--listen", "1", "--tls"], "TLS with --listen needs --tls-cert"),
        (["--listen", "1", "--tls-name", "x"], "--tls-name is the acceptor's"),
        (["here:1", "--tls-cert", "/nowhere.pem"], "/nowhere.pem"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["certify", *options, *WHO]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("fixlab certify: ")
    assert words in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "options", [["here:1", "--sender", "LAB"], ["here:1", *WHO, "--pause", "-1"]]
)
def test_a_wrong_command_line_is_2(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["certify", *options])
    assert ended.value.code == 2


# What was agreed ----------------------------------------------------------------------


def profile(tmp_path: Path, text: str) -> Profile:
    path = tmp_path / "agreed.toml"
    path.write_text(text, encoding="utf-8")
    return Profile(**_certify_plan.read_profile(path))


def test_a_profile_is_a_toml_file(tmp_path: Path) -> None:
    found = profile(
        tmp_path,
        'heartbeat_seconds = 10\napp_types = ["8"]\nforbidden = ["garbled", "reset"]\n'
        'addressing = ["DESK", "V"]\norder = "11=$id|55=ACME"\n'
        "sending_time_tolerance_seconds = 60\ndictionary = false\n",
    )
    assert found == Profile(
        heartbeat_seconds=10,
        app_types=("8",),
        forbidden=frozenset({Need.GARBLED, Need.RESET}),
        addressing=("DESK", "V"),
        order="11=$id|55=ACME",
        sending_time_tolerance_seconds=60,
        dictionary=False,
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("heartbeat = 30", "no setting 'heartbeat'; there are heartbeat_seconds, "),
        ('logon_fields = [[554, "x"]]', "no setting 'logon_fields'"),
        ('heartbeat_seconds = "30"', "heartbeat_seconds is such as 30, found '30'"),
        ("dictionary = 1", "dictionary is such as True, found 1"),
        ('app_types = "8"', "app_types is a list of texts, found '8'"),
        ('addressing = "DESK"', "addressing is a list of texts"),
        ("heartbeat_seconds = 0", "heartbeat_seconds must be 1 to 3600"),
        ('forbidden = ["fun"]', "forbidden may name garbled"),
        ("=", "is no TOML file"),
    ],
)
def test_a_mistake_in_a_profile_names_it(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace("[", r"\[")):
        profile(tmp_path, text)


def test_options_go_before_the_file(
    acceptor: Venue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "agreed.toml"
    path.write_text("dictionary = true\n", encoding="utf-8")
    options = ("--cases", "2b,14a", "--profile", str(path), "--dictionary", "no")
    assert certify(acceptor.port, *options) == 0
    assert "no dictionary checks are expected" in capsys.readouterr().out
