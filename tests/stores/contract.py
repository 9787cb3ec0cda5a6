"""What every store must do: subclass `StoreContract` and say how stores are made."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fixlab.stores import Store

HUGE = 10**30


SECOND = 10**9  # an epoch may be kept in whole seconds


def messages(store: Store, begin: int = 1, end: int = HUGE) -> list[tuple[int, bytes]]:
    return list(store.sent(begin, end))


def send(store: Store, raw: bytes) -> int:
    seq = store.next_out()
    store.save_sent(seq, raw)
    return seq


class StoreContract:
    """One test for each sentence of the protocol; `store` is a fixture of the subclass."""

    def test_is_a_store(self, store: Store) -> None:
        assert isinstance(store, Store)

    def test_both_counters_start_at_1(self, store: Store) -> None:
        assert (store.peek_out(), store.current_in()) == (1, 1)
        assert messages(store) == []

    def test_seq_15_next_out_allocates_each_number_once(self, store: Store) -> None:
        assert [store.next_out() for _ in range(3)] == [1, 2, 3]
        assert store.peek_out() == 4

    def test_peek_out_allocates_nothing(self, store: Store) -> None:
        store.peek_out()
        assert store.next_out() == 1

    def test_observed_in_counts_all_below_it(self, store: Store) -> None:
        store.observed_in(7)
        assert store.current_in() == 8

    @pytest.mark.parametrize("old", [-1, 0, 1, 6, 7])
    def test_a_lower_number_observed_is_no_news(self, store: Store, old: int) -> None:
        store.observed_in(7)
        store.observed_in(old)
        assert store.current_in() == 8

    def test_the_two_counters_are_independent(self, store: Store) -> None:
        store.observed_in(5)
        store.next_out()
        assert (store.peek_out(), store.current_in()) == (2, 6)

    def test_sent_is_inclusive_and_ascending(self, store: Store) -> None:
        for seq in (3, 1, 5, 2, 4):
            store.save_sent(seq, b"m%d" % seq)
        store.commit()
        assert messages(store, 2, 4) == [(2, b"m2"), (3, b"m3"), (4, b"m4")]
        assert messages(store, 5, 5) == [(5, b"m5")]

    def test_sent_leaves_out_what_was_never_saved(self, store: Store) -> None:
        store.save_sent(2, b"two")
        store.save_sent(4, b"four")
        assert messages(store, 1, 5) == [(2, b"two"), (4, b"four")]

    @pytest.mark.parametrize(("begin", "end"), [(4, 3), (9, 20), (-5, 0), (HUGE, HUGE + 1)])
    def test_sent_of_a_range_without_messages_is_empty(
        self, store: Store, begin: int, end: int
    ) -> None:
        store.save_sent(3, b"three")
        store.save_sent(4, b"four")
        store.commit()
        assert messages(store, begin, end) == []

    def test_sent_takes_a_range_wider_than_any_counter(self, store: Store) -> None:
        store.save_sent(3, b"three")
        store.commit()
        assert messages(store, -HUGE, HUGE) == [(3, b"three")]

    def test_a_second_save_replaces_the_first(self, store: Store) -> None:
        store.save_sent(1, b"old")
        store.commit()
        store.save_sent(1, b"new")
        assert messages(store) == [(1, b"new")]
        store.commit()
        assert messages(store) == [(1, b"new")]

    @pytest.mark.parametrize("raw", [b"", b"\x00\x01\xff", b"8=FIX.4.4\x01" * 10_000])
    def test_bytes_come_back_as_they_were(self, store: Store, raw: bytes) -> None:
        store.save_sent(1, raw)
        store.commit()
        assert messages(store) == [(1, raw)]

    def test_reads_see_the_step_before_its_commit(self, store: Store) -> None:
        send(store, b"one")
        store.commit()
        send(store, b"two")
        store.observed_in(1)
        assert (store.peek_out(), store.current_in()) == (3, 2)
        assert messages(store) == [(1, b"one"), (2, b"two")]

    def test_a_long_replay_may_be_mixed_with_new_steps(self, store: Store) -> None:
        for seq in range(1, 1001):
            store.save_sent(seq, b"%d" % seq)
        store.commit()
        replayed = []
        for seq, raw in store.sent(1, 1000):
            replayed.append((seq, raw))
            store.save_sent(1000 + seq, b"new")
            store.commit()
        assert replayed == [(seq, b"%d" % seq) for seq in range(1, 1001)]

    def test_reset_starts_both_sides_again(self, store: Store) -> None:
        send(store, b"one")
        store.observed_in(4)
        store.commit()
        send(store, b"two")
        store.reset(now=17)
        assert (store.peek_out(), store.current_in(), messages(store)) == (1, 1, [])
        send(store, b"again")
        assert messages(store) == [(1, b"again")]
        store.commit()
        assert (store.peek_out(), messages(store)) == (2, [(1, b"again")])

    def test_a_crash_loses_the_step_and_nothing_else(self, store: Store) -> None:
        send(store, b"one")
        store.observed_in(1)
        store.commit()
        send(store, b"two")
        store.save_sent(1, b"changed")
        store.observed_in(9)
        store.rollback()
        assert (store.peek_out(), store.current_in()) == (2, 2)
        assert messages(store) == [(1, b"one")]

    def test_a_crash_undoes_a_reset_that_was_not_committed(self, store: Store) -> None:
        send(store, b"one")
        store.observed_in(3)
        store.commit()
        store.reset(now=17)
        send(store, b"other")
        store.reset(now=18)
        store.rollback()
        assert (store.peek_out(), store.current_in()) == (2, 4)
        assert messages(store) == [(1, b"one")]

    def test_a_crash_does_not_undo_a_reset_that_was_committed(self, store: Store) -> None:
        send(store, b"one")
        store.commit()
        store.reset()
        store.commit()
        store.rollback()
        assert (store.peek_out(), messages(store)) == (1, [])

    def test_the_epoch_is_unknown_until_a_reset(self, store: Store) -> None:
        send(store, b"one")
        store.commit()
        assert store.epoch is None

    def test_a_reset_begins_an_epoch(self, store: Store) -> None:
        store.reset(now=17 * SECOND)
        assert store.epoch == 17 * SECOND
        send(store, b"one")
        store.commit()
        send(store, b"two")
        store.commit()
        assert store.epoch == 17 * SECOND

    def test_a_reset_without_a_time_has_an_unknown_epoch(self, store: Store) -> None:
        store.reset(now=17 * SECOND)
        store.commit()
        store.reset()
        assert store.epoch is None
        store.commit()
        assert store.epoch is None

    def test_a_crash_undoes_an_epoch_that_was_not_committed(self, store: Store) -> None:
        store.reset(now=17 * SECOND)
        store.commit()
        store.reset(now=18 * SECOND)
        store.reset(now=19 * SECOND)
        store.rollback()
        assert store.epoch == 17 * SECOND

    def test_a_rollback_without_a_step_changes_nothing(self, store: Store) -> None:
        send(store, b"one")
        store.observed_in(1)
        store.commit()
        store.rollback()
        store.rollback()
        assert (store.peek_out(), store.current_in()) == (2, 2)
        assert messages(store) == [(1, b"one")]

    def test_a_step_after_a_rollback_is_a_step_of_its_own(self, store: Store) -> None:
        send(store, b"lost")
        store.rollback()
        assert send(store, b"one") == 1
        store.commit()
        store.rollback()
        assert (store.peek_out(), messages(store)) == (2, [(1, b"one")])

    def test_closing_twice_is_harmless(self, store: Store) -> None:
        store.close()
        store.close()


MakeStore = Callable[[], Store]

_seqs = st.integers(min_value=1, max_value=12)
_raws = st.binary(max_size=4)


class StoreMachine(RuleBasedStateMachine):
    """Any order of calls, against two integers and a dict. Subclasses give `make`."""

    store: Store

    def make(self) -> Store:
        """A new, empty store."""
        raise NotImplementedError

    def reopen(self) -> None:
        """What a restart of the process does; a store in memory can only roll back."""
        self.store.rollback()

    @initialize()
    def begin(self) -> None:
        self.store = self.make()
        self.out = self.observed = 1
        self.epoch: int | None = None
        self.sent: dict[int, bytes] = {}
        self.committed: tuple[int, int, int | None, dict[int, bytes]] = (1, 1, None, {})

    @rule()
    def next_out(self) -> None:
        assert self.store.next_out() == self.out
        self.out += 1

    @rule(seq=st.integers(min_value=0, max_value=20))
    def observe(self, seq: int) -> None:
        self.store.observed_in(seq)
        self.observed = max(self.observed, seq + 1)

    @rule(seq=_seqs, raw=_raws)
    def save(self, seq: int, raw: bytes) -> None:
        self.store.save_sent(seq, raw)
        self.sent[seq] = raw

    @rule(now=st.none() | st.integers(min_value=0, max_value=10**9).map(SECOND.__mul__))
    def reset(self, now: int | None) -> None:
        self.store.reset(now)
        self.out = self.observed = 1
        self.epoch = now
        self.sent = {}

    @rule()
    def commit(self) -> None:
        self.store.commit()
        self.committed = (self.out, self.observed, self.epoch, self.sent.copy())

    @rule()
    def rollback(self) -> None:
        self.store.rollback()
        self._go_back()

    @rule()
    def restart(self) -> None:
        self.reopen()
        self._go_back()

    @precondition(lambda self: self.sent)
    @rule(begin=_seqs, width=st.integers(min_value=0, max_value=12))
    def read(self, begin: int, width: int) -> None:
        expected = [(s, r) for s, r in sorted(self.sent.items()) if begin <= s <= begin + width]
        assert list(self.store.sent(begin, begin + width)) == expected

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "store"):
            return
        assert self.store.peek_out() == self.out
        assert self.store.current_in() == self.observed
        assert self.store.epoch == self.epoch
        assert list(self.store.sent(1, HUGE)) == sorted(self.sent.items())

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()

    def _go_back(self) -> None:
        self.out, self.observed, self.epoch, sent = self.committed
        self.sent = sent.copy()


MACHINE_SETTINGS = settings(max_examples=40, stateful_step_count=30, deadline=None)
