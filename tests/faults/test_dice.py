"""Dice: each decision by itself, by chance or by list, and a memory of those that struck."""

import pytest

import fixlab.faults.dice
from fixlab.faults import Strike, When
from fixlab.faults.dice import Dice


def struck(when: When, occasions: list[int], seed: int = 0, fault: str = "drop") -> list[int]:
    dice = Dice(seed, "BUY", "peer")
    return [n for n in occasions if dice.strike(fault, when, n)]


def test_a_chance_strikes_about_as_often_as_it_says() -> None:
    many = list(range(1, 10_001))
    assert 900 < len(struck(0.1, many)) < 1_100
    assert struck(1.0, many) == many
    assert struck(0.0, many) == []


def test_a_decision_hangs_on_nothing_but_the_seed_and_what_it_is_for() -> None:
    many = list(range(1, 200))
    found = struck(0.2, many)
    assert struck(0.2, many[::-1]) == found[::-1]
    assert struck(0.2, many[50:]) == [n for n in found if n > 50]
    assert set(found) <= set(struck(0.4, many)), "a larger chance strikes there, and elsewhere"
    assert struck(0.2, many, seed=1) != found
    assert struck(0.2, many, fault="late") != found


def test_a_listed_occasion_strikes_the_first_time_or_the_nth() -> None:
    assert struck([4], [3, 4, 4, 5]) == [4]
    dice = Dice(0, "BUY", "peer")
    assert [bool(dice.strike("drop", [4, (4, 3)], 4)) for _ in range(4)] == [
        True,
        False,
        True,
        False,
    ]
    assert list(dice.struck) == [
        Strike("peer", "drop", 4),
        Strike("peer", "drop", 4, 3),
    ]


def test_strikes_are_told_as_they_happen() -> None:
    told: list[Strike] = []
    dice = Dice(0, "BUY", "link", told.append)
    dice.strike("cut", [2], 1)
    dice.strike("cut", [2], 2)
    assert told == [Strike("link", "cut", 2)] == list(dice.struck)


def test_an_amount_is_the_same_for_the_same_strike() -> None:
    dice, again = Dice(7, "BUY", "peer"), Dice(7, "BUY", "peer")
    strike = dice.strike("skip", 1.0, 5)
    assert strike is not None
    assert 0 <= dice.amount(strike) < 1
    assert again.amount(strike) == dice.amount(strike)
    assert again.amount(strike._replace(nth=2)) != dice.amount(strike)


def test_what_it_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixlab.faults.dice, "_KEPT_MAX", 100)
    dice = Dice(0, "BUY", "peer")
    for n in range(1, 1_000):
        dice.strike("drop", 1.0, n)
    assert len(dice._seen) == len(dice.struck) == 100
