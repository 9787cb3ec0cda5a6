"""The plan: plain data that checks itself, and the strikes that repeat a run."""

from dataclasses import fields

import pytest

from fixlab.errors import ConfigError
from fixlab.faults import Faults, LinkFaults, PeerFaults, StoreFaults, Strike


def test_nothing_goes_wrong_unless_asked_for() -> None:
    for family in fields(Faults):
        for each in fields(family.default):  # type: ignore[arg-type]
            assert getattr(family.default, each.name) == each.default
    assert repr(Faults()) == "Faults()"


def test_its_repr_is_code() -> None:
    faults = Faults(
        link=LinkFaults(cut=[3, 1, 3], stall_seconds=2),
        peer=PeerFaults(drop=0.25, no_poss_dup=[(4, 2), 4, 9], clock_offset_seconds=-1.5),
        store=StoreFaults(full=1),
    )
    assert repr(faults) == (
        "Faults(link=LinkFaults(cut=(1, 3), stall_seconds=2.0), "
        "peer=PeerFaults(drop=0.25, clock_offset_seconds=-1.5, no_poss_dup=(4, (4, 2), 9)), "
        "store=StoreFaults(full=1.0))"
    )
    assert eval(repr(faults)) == faults


def test_a_list_of_nothing_is_never() -> None:
    assert PeerFaults(drop=[]) == PeerFaults() == PeerFaults(drop=0)


@pytest.mark.parametrize(
    "value",
    [1.5, -0.1, float("nan"), [0], [-1], ["4"], [True], [(4, 0)], [(1, 2, 3)], "4", True],
)
def test_a_fault_is_a_chance_or_occasions(value: object) -> None:
    with pytest.raises(ConfigError, match="drop must be a chance from 0 to 1, or"):
        PeerFaults(drop=value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-1, float("inf"), "5", True, None])
def test_a_setting_is_a_number_of_seconds(value: object) -> None:
    with pytest.raises(ConfigError, match="stall_seconds must be"):
        LinkFaults(stall_seconds=value)  # type: ignore[arg-type]


def test_a_clock_may_be_behind() -> None:
    assert PeerFaults(clock_offset_seconds=-300).clock_offset_seconds == -300


def test_a_family_is_not_another() -> None:
    with pytest.raises(ConfigError, match="link must be LinkFaults, found PeerFaults"):
        Faults(link=PeerFaults())  # type: ignore[arg-type]


def test_exactly_what_struck_is_a_plan() -> None:
    planned = Faults(
        peer=PeerFaults(drop=0.5, garble=0.1, clock_offset_seconds=2),
        link=LinkFaults(delay=1.0, delay_seconds=9),
    )
    struck = (
        Strike("peer", "drop", 7),
        Strike("link", "delay", 3),
        Strike("peer", "drop", 7, 3),
        Strike("peer", "drop", 4),
    )
    assert planned.exactly(struck) == Faults(
        peer=PeerFaults(drop=[4, 7, (7, 3)], clock_offset_seconds=2),
        link=LinkFaults(delay=[3], delay_seconds=9),
    )
    assert planned.exactly(()) == Faults(
        peer=PeerFaults(clock_offset_seconds=2), link=LinkFaults(delay_seconds=9)
    )
