"""`fixlab sweep`: what it prints, and its exit code."""

import re
from collections.abc import Callable

import pytest

from fixlab.cli import main
from fixlab.session.recovering import Recovering

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that never asks for what is missing."""
    monkeypatch.setattr(Recovering, "_request_missing", lambda session: None)


def test_it_says_what_was_played_and_that_all_held(capsys: Capture) -> None:
    assert main(["sweep", "--seeds", "20", "--workers", "1"]) == 0
    out = capsys.readouterr().out
    assert re.match(r"20 runs in \d+\.\d s, [\d,]+ a second: \d+ session-hours, ", out)
    assert re.search(r"faults: \d+ of links, \d+ of peers, \d+ of stores; \d+ gaps", out)
    assert re.search(r"orders: \d+ sent, \d+ delivered, \d+ lost for a stated reason", out)
    assert out.endswith("every invariant held\n")


@pytest.mark.usefixtures("broken")
def test_what_breaks_is_listed_shrunk_and_told(capsys: Capture) -> None:
    arguments = ["--stop-at-first", "--workers", "1", "--shrink", "--explain"]
    assert main(["sweep", "--seeds", "200", *arguments]) == 1
    out = capsys.readouterr().out
    assert "1 runs broke an invariant:\n" in out
    seed = re.search(r"  seed (\d+): requests .*: Gap\(begin=", out)
    assert seed is not None
    code = out[out.index("from fixlab import") : out.index("\n\nrequests: ")]
    shown: dict[str, object] = {}
    exec(code, shown)
    assert f"# requests, seed {seed[1]}\n" in out
    assert "invariant='requests'" in capsys.readouterr().out


def test_seeds_begin_where_one_says_and_families_are_chosen(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fixlab import sim

    asked: list[tuple[object, list[int]]] = []
    sweep: Callable[..., object] = sim.sweep

    def noted(scenario: object, seeds: range, **rest: object) -> object:
        asked.append((scenario, list(seeds)))
        return sweep(scenario, seeds, **rest)

    monkeypatch.setattr(sim, "sweep", noted)
    chosen = ["--family", "link", "--family", "store", "--version", "FIX.4.2"]
    arguments = ["sweep", "--seeds", "3", "--from", "40", *chosen, "--profile", "artio"]
    assert main(arguments) == 0
    mix = sim.scenarios.of(versions="FIX.4.2", profiles="artio", families=["link", "store"])
    assert asked == [(mix, [40, 41, 42])]
    assert "0 of peers" in capsys.readouterr().out


def test_an_unknown_name_is_one_line(capsys: Capture) -> None:
    assert main(["sweep", "--version", "FIX.9"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("fixlab: versions must be some of FIX.4.0, ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--seeds", "0"], ["--seeds", "x"], ["--workers", "-1"]])
def test_a_number_that_is_none_is_bad_usage(arguments: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["sweep", *arguments])
    assert ended.value.code == 2
    assert "expected a number from 1" in capsys.readouterr().err
