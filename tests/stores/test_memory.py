from __future__ import annotations

import pytest

from fixlab.errors import ConfigError
from fixlab.stores import MemoryStore


def test_counters_may_be_seeded() -> None:
    store = MemoryStore(next_out=7, next_in=9)
    assert (store.next_out(), store.current_in()) == (7, 9)
    store.rollback()
    assert (store.peek_out(), store.current_in()) == (7, 9)


@pytest.mark.parametrize("value", [0, -1, 1.0, "1", True])
@pytest.mark.parametrize("name", ["next_out", "next_in"])
def test_a_counter_below_1_is_refused(name: str, value: int) -> None:
    with pytest.raises(
        ConfigError, match=f"{name} must be a whole number of at least 1, found"
    ):
        MemoryStore(**{name: value})


def test_reset_goes_to_1_also_when_seeded() -> None:
    store = MemoryStore(next_out=7, next_in=9)
    store.reset(now=5)
    assert (store.peek_out(), store.current_in(), store.epoch) == (1, 1, 5)
    store.rollback()
    assert (store.peek_out(), store.current_in(), store.epoch) == (7, 9, None)


def test_closing_drops_the_step_and_keeps_what_was_committed() -> None:
    with MemoryStore() as store:
        store.save_sent(store.next_out(), b"one")
        store.commit()
        store.save_sent(store.next_out(), b"two")
    assert (store.peek_out(), list(store.sent(1, 9))) == (2, [(1, b"one")])


def test_repr_tells_the_numbers() -> None:
    store = MemoryStore(next_out=3)
    store.save_sent(2, b"")
    assert repr(store) == "MemoryStore(next_out=3, next_in=1, messages=1)"
