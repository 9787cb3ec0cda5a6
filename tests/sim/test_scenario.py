"""Scenario: what is plain data about it, and that it always plays the same way."""

import pickle
from dataclasses import replace

import pytest

from fixlab.errors import ConfigError
from fixlab.faults import Faults, LinkFaults, PeerFaults, StoreFaults
from fixlab.session.config import SessionConfig
from fixlab.session.profiles import PROFILES
from fixlab.session.schedule import Schedule
from fixlab.sim import Scenario, scenarios
from fixlab.sim.scenario import VERBS
from fixlab.wire.tags import ADMIN_TYPES

CONFIG = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL")
NAMES = {
    each.__name__: each
    for each in (
        *(Scenario, SessionConfig, Schedule),
        *(Faults, LinkFaults, PeerFaults, StoreFaults),
    )
}
LOSSES = (
    ("logon",),
    ("lose", "initiator", 1),
    ("send", "initiator", 3),
    ("run", 5),
    ("cut",),
    ("send", "acceptor", 2),
)


def plain(**settings: object) -> Scenario:
    return Scenario(**({"initiator": CONFIG, "steps": LOSSES} | settings))  # type: ignore[arg-type]


def test_a_run_tells_what_happened() -> None:
    outcome = plain().run(seed=3)
    assert outcome.ok
    assert outcome.agreed
    assert outcome.text == ""
    assert (outcome.sent, outcome.delivered, outcome.lost) == (7, 7, 0)  # one more at each end
    assert outcome.gaps == 2  # one lost, two queued
    assert outcome.messages > 10
    assert outcome.seconds > 5


def test_the_same_seed_gives_the_same_outcome_and_rows() -> None:
    scenario = plain(initiator_faults=Faults(peer=PeerFaults(drop=0.3)))
    assert scenario.run(7) == scenario.run(7)
    one, two = scenario.play(7)[0], scenario.play(7)[0]
    assert one.journal.to_frame().equals(two.journal.to_frame())
    assert one.initiator.struck == two.initiator.struck != ()


def test_both_ends_may_differ() -> None:
    acceptor = SessionConfig(sender_comp_id="SELL", target_comp_id="BUY", profile="quickfix")
    assert plain(acceptor=acceptor).run().agreed
    wrong = SessionConfig(
        sender_comp_id="SELL", target_comp_id="BUY", heartbeat_range_seconds=(1, 2)
    )
    outcome = plain(acceptor=wrong).run()
    assert outcome.ok, "the two cannot agree, and that is no fault of theirs"
    assert not outcome.agreed
    assert "HeartBtInt(108) must be 1 to 2 seconds" in outcome.text


@pytest.mark.parametrize("seed", range(0, 400, 7))
def test_its_repr_is_code_that_makes_it_again(seed: int) -> None:
    scenario = scenarios.anything(seed)
    again = eval(repr(scenario), NAMES)
    assert again == scenario
    assert pickle.loads(pickle.dumps(scenario)) == scenario
    assert hash(repr(again)) == hash(repr(scenario))


def test_the_script_it_gives_runs(capsys: pytest.CaptureFixture[str]) -> None:
    scenario = plain(acceptor_faults=Faults(store=StoreFaults(fail=[5])))
    exec(scenario.as_code(seed=9), {})
    assert capsys.readouterr().out == f"{scenario.run(9)}\n"


def test_sets_are_written_in_order() -> None:
    config = replace(CONFIG, gap_fill_types=ADMIN_TYPES | {"D"})
    assert f"gap_fill_types={sorted(ADMIN_TYPES | {'D'})}" in repr(plain(initiator=config))


def test_secrets_are_not_in_the_code() -> None:
    config = replace(CONFIG, username="joe", password="hunter2")
    assert "hunter2" not in plain(initiator=config).as_code()


@pytest.mark.parametrize(
    "step",
    [
        (),
        ("jump",),
        ("send",),
        ("send", "initiator"),
        ("send", "nobody", 1),
        ("send", "initiator", -1),
        ("send", "initiator", 1, 2),
        ("run", "long"),
        ("cut", 1),
        ("run", True),
    ],
)
def test_a_step_that_is_none_is_refused_and_quoted(step: tuple[object, ...]) -> None:
    with pytest.raises(ConfigError, match="found"):
        plain(steps=(step,))


def test_steps_that_make_no_sense_are_passed_over() -> None:
    steps = tuple(
        (name, *(("initiator",) if verb.of_end else ()), *((1,) * verb.numbers))
        for name, verb in VERBS.items()
    )
    for order in (steps, steps[::-1]):
        assert plain(steps=order).run().agreed


@pytest.mark.parametrize("crash", ["initiator", "acceptor"])
def test_a_process_that_dies_resets_nothing(crash: str) -> None:
    config = replace(CONFIG, reset_on_disconnect=True, reset_on_logout=True)
    lab, violation = plain(
        initiator=config, steps=(("logon",), ("send", crash, 2), ("run", 1), ("crash", crash))
    ).play()
    assert violation is None
    rows = lab.journal.to_frame()
    ended = rows[(rows["kind"] == "STATE") & (rows["state"] == "DISCONNECTED")]
    first = rows[rows["session"] == getattr(lab, crash).id]
    after = first[first.index > ended.index[0]]
    # The first reset comes with a later connection's end, not with the crash.
    resets = after[after["kind"] == "RESET_BOTH"]
    assert resets.empty or resets["time"].iloc[0] > ended["time"].iloc[0]


class TestScenarios:
    def test_any_seed_gives_a_scenario_always_the_same(self) -> None:
        made = [scenarios.anything(seed) for seed in range(200)]
        assert made == [scenarios.anything(seed) for seed in range(200)]
        assert len({repr(each) for each in made}) > 190
        versions = {each.initiator.begin_string for each in made}
        assert versions == {"FIX.4.0", "FIX.4.1", "FIX.4.2", "FIX.4.3", "FIX.4.4", "FIXT.1.1"}
        assert {each.initiator.profile for each in made} == set(PROFILES)

    def test_they_can_be_narrowed(self) -> None:
        mix = scenarios.of(versions="FIX.4.2", profiles=["quickfix"], families=["link"])
        for seed in range(50):
            scenario = mix(seed)
            for config in (scenario.initiator, scenario.acceptor):
                assert config is not None
                assert (config.begin_string, config.profile) == ("FIX.4.2", "quickfix")
            for faults in (scenario.initiator_faults, scenario.acceptor_faults):
                assert (faults.peer, faults.store) == (PeerFaults(), StoreFaults())
            assert not {step[0] for step in scenario.steps} & {"lose", "crash", "cut", "skip"}
        assert any(mix(seed).initiator_faults.link != LinkFaults() for seed in range(50))

    @pytest.mark.parametrize(
        "given", [{"versions": "FIX.9"}, {"profiles": []}, {"families": ["disk"]}]
    )
    def test_an_unknown_part_is_refused(self, given: dict[str, object]) -> None:
        with pytest.raises(ConfigError, match="must be some of"):
            scenarios.of(**given)  # type: ignore[arg-type]
