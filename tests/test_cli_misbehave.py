"""`--misbehave`: faults as they are written on a command line."""

from dataclasses import fields

import pytest

from fixlab.cli import main
from fixlab.cli._misbehave import catalogue, faults_of, help_text, told
from fixlab.errors import ConfigError
from fixlab.faults import Faults, LinkFaults, PeerFaults, StoreFaults, Strike


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("no-orig-sending-time", Faults(peer=PeerFaults(no_orig_sending_time=1.0))),
        (
            " drop=0.05, skip=@7+12,stall=@3,stall-seconds=1.5 ,",
            Faults(
                peer=PeerFaults(drop=0.05, skip=[7, 12]),
                link=LinkFaults(stall=[3], stall_seconds=1.5),
            ),
        ),
        ("no-poss-dup=@4x2+4", Faults(peer=PeerFaults(no_poss_dup=[4, (4, 2)]))),
        ("clock-offset-seconds=-300", Faults(peer=PeerFaults(clock_offset_seconds=-300))),
        ("full,lose-tail=1", Faults(store=StoreFaults(full=1.0, lose_tail=1.0))),
    ],
)
def test_names_with_dashes_of_all_families(text: str, faults: Faults) -> None:
    assert faults_of(text) == faults


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dorp=0.1", "no fault is called 'dorp'; did you mean drop"),
        ("gap-fill", "did you mean .*gap-fill-orders"),
        ("no_poss_dup", "no fault is called 'no_poss_dup'; did you mean no-poss-dup"),
        ("zzzz", "no fault is called 'zzzz'; --misbehave help lists them"),
        ("drop,drop=0.1", "names drop twice"),
        ("drop=much", "drop takes a chance such as 0.05, or @4\\+5, found 'much'"),
        ("drop=1.5", "drop must be a chance from 0 to 1"),
        ("drop=@", "drop=@ takes numbers such as 4\\+5, found ''"),
        ("drop=@0", "drop must be a chance from 0 to 1, or whole numbers from 1"),
        ("drop=@4-5", "drop=@ takes numbers such as 4\\+5, found '4-5'"),
        ("stall-seconds", "stall-seconds needs a number of seconds, as in stall-seconds=5"),
        ("stall-seconds=@4", "stall-seconds takes a number of seconds, found '@4'"),
        ("stall-seconds=-1", "stall_seconds must be 0 or more"),
        (" , ", "names no fault"),
    ],
)
def test_a_mistake_is_said_in_one_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        faults_of(text)
    assert "\n" not in str(caught.value)


def test_every_fault_has_one_name_and_one_line() -> None:
    names = [each.name for family in fields(Faults) for each in fields(family.default)]  # type: ignore[arg-type]
    assert len(names) == len(set(names)) == len(catalogue())
    lines = help_text().splitlines()
    for name, entry in catalogue().items():
        assert "_" not in name
        assert sum(line.split()[:1] == [name] for line in lines) == 1
        assert entry.about
        made = faults_of(f"{name}=1")
        assert getattr(getattr(made, entry.family), entry.field) == 1
    assert max(map(len, lines)) <= 96


def test_a_strike_says_what_happened_and_how_to_ask_for_it_again() -> None:
    assert told(Strike("peer", "no_poss_dup", 7)) == (
        "no-poss-dup=@7: replayed without 43 and 122"
    )
    again = told(Strike("peer", "no_poss_dup", 7, 2)).partition(":")[0]
    assert faults_of(again) == Faults(peer=PeerFaults(no_poss_dup=[(7, 2)]))


def test_help_lists_them_all_and_listens_to_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["accept", "--misbehave", "help"]) == 0
    assert capsys.readouterr().out == help_text() + "\n"
