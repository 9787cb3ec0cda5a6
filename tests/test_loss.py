"""Loss: takes whole messages out of a stream, and says how many."""

import pytest

from fixlab.errors import ConfigError
from fixlab.loss import Loss
from tests.session.script import NOW, bench, messages, wire


def stream(*numbers: int, more: str = "") -> bytes:
    return b"".join(wire(f"35=D|34={number}|{more}11=A|") for number in numbers)


def numbers(data: bytes) -> list[int | None]:
    return [message.number for message in messages(data)]


def test_nothing_is_lost_by_default() -> None:
    loss = Loss()
    assert loss.pass_on(stream(1, 2)) == stream(1, 2)
    assert loss.pass_on(b"") == b""
    assert (loss.pending, loss.lost) == (0, 0)


def test_the_next_messages_are_lost_whatever_they_are() -> None:
    loss = Loss()
    loss.lose_next(1)
    loss.lose_next(2)
    assert loss.pending == 3
    assert numbers(loss.pass_on(stream(1, 2))) == []
    assert numbers(loss.pass_on(stream(3, 4, 5))) == [4, 5]
    assert (loss.pending, loss.lost) == (0, 3)


def test_chosen_numbers_are_lost_once_and_their_replay_gets_through() -> None:
    loss = Loss()
    loss.lose_numbers([2, 4, 9])
    assert numbers(loss.pass_on(stream(1, 2, 3, 4))) == [1, 3]
    assert loss.pending == 1
    assert numbers(loss.pass_on(stream(2, 4))) == [2, 4]
    again = stream(9, more="43=Y|122=20260105-09:00:00|")
    assert loss.pass_on(again) == again
    assert numbers(loss.pass_on(stream(9))) == []
    assert loss.lost == 3


def test_clear_loses_nothing_more() -> None:
    loss = Loss()
    loss.lose_next(5)
    loss.lose_numbers([1])
    loss.clear()
    assert loss.pending == 0
    assert numbers(loss.pass_on(stream(1, 2))) == [1, 2]


def test_a_number_that_is_lost_does_not_use_up_the_next_ones() -> None:
    loss = Loss()
    loss.lose_numbers([2])
    loss.lose_next(1)
    assert numbers(loss.pass_on(stream(2, 3, 4))) == [4]


def test_a_negative_count_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="cannot lose -1 messages"):
        Loss().lose_next(-1)


def test_it_takes_what_a_session_writes() -> None:
    made = bench()
    made.send("35=B|95=3|96=a\x01b|")
    loss = Loss()
    loss.lose_numbers([2])
    assert loss.pass_on(made.output.data) == b""
    assert made.now == NOW
