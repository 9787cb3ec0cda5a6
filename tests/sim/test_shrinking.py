"""Shrinking: of a run that fails, what is left is what it takes; and it can be told."""

import pytest

from fixlab.errors import ConfigError
from fixlab.faults import Faults, LinkFaults, PeerFaults
from fixlab.session.config import SessionConfig
from fixlab.session.recovering import Recovering
from fixlab.sim import Scenario, explain, scenarios, shrink, sweep

CONFIG = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that never asks for what is missing."""
    monkeypatch.setattr(Recovering, "_request_missing", lambda session: None)


def test_chances_become_the_few_faults_that_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    ask = Recovering._request_missing

    def forget(session: Recovering) -> None:
        if session._recovery.begin == 1:  # what was queued before the first Logon
            ask(session)

    monkeypatch.setattr(Recovering, "_request_missing", forget)
    scenario = Scenario(
        initiator=CONFIG,
        steps=(
            ("logon",),
            ("send", "acceptor", 2),
            ("run", 3),
            ("send", "initiator", 4),
            ("run", 40),
            ("send", "initiator", 4),
            ("test_request", "acceptor"),
            ("run", 5),
        ),
        initiator_faults=Faults(peer=PeerFaults(drop=0.3), link=LinkFaults(fragment=0.5)),
        acceptor_faults=Faults(link=LinkFaults(delay=0.2)),
    )
    seed = next(seed for seed in range(50) if not scenario.run(seed).ok)
    small = shrink(scenario, seed)
    outcome = small.run(seed)
    assert outcome.invariant == scenario.run(seed).invariant == "requests"
    assert outcome.peer == 1
    assert len(small.initiator_faults.peer.drop) == 1  # type: ignore[arg-type]  # a list now
    assert small.initiator_faults.link == LinkFaults()
    assert small.acceptor_faults == Faults()
    assert len(small.steps) <= 4


@pytest.mark.usefixtures("broken")
def test_what_anything_finds_shrinks_to_a_page_and_still_fails() -> None:
    runs = sweep(scenarios.anything, 60, workers=1, stop_at_first=True, progress=False)
    last = runs.iloc[-1]
    seed = int(last["seed"])
    small = shrink(scenarios.anything, seed)
    assert small.run(seed).invariant == last["invariant"]
    assert len(repr(small)) < len(repr(scenarios.anything(seed)))
    assert len(small.steps) <= 4


@pytest.mark.usefixtures("broken")
def test_the_number_of_tries_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = scenarios.anything
    runs = sweep(scenario, 60, workers=1, stop_at_first=True, progress=False)
    seed = int(runs["seed"].iloc[-1])
    tries: list[int] = []
    run = Scenario.run

    def counted(self: Scenario, seed: int = 0) -> object:
        tries.append(seed)
        return run(self, seed)

    monkeypatch.setattr(Scenario, "run", counted)
    shrink(scenario, seed, tries_max=10)
    assert 1 < len(tries) <= 11


def test_a_run_that_holds_has_nothing_to_shrink() -> None:
    with pytest.raises(ConfigError, match="seed 3 breaks no invariant"):
        shrink(scenarios.anything, 3)


@pytest.mark.usefixtures("broken")
def test_explain_tells_what_was_broken_the_messages_and_the_rows() -> None:
    steps = (("logon",), ("lose", "initiator", 1), ("send", "initiator", 2), ("run", 1))
    text = explain(Scenario(initiator=CONFIG, steps=steps), 1)
    assert text.startswith("requests: What is missing is asked for at once")
    assert "|-- D 2 ----" in text
    assert "GAP_OPENED" in text
    assert "SEQ-05" in text


def test_explain_tells_a_run_that_holds_too() -> None:
    assert explain(scenarios.anything, 3).startswith("every invariant held")
