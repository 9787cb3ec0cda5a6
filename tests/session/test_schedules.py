"""Random two-sided schedules: the invariants hold at every step, both sides agree at last."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.session.pair import Op, run

SIDE = st.integers(0, 1)
SMALL = st.integers(1, 4)


def ops(*, resets: bool) -> st.SearchStrategy[list[Op]]:
    """Schedules; without `resets` nothing may be lost for good."""
    calm: list[st.SearchStrategy[Op]] = [
        st.tuples(st.just("send"), SIDE, SMALL),
        st.tuples(st.just("lose"), SIDE, SMALL),
        st.tuples(st.just("deliver"), SIDE, st.sampled_from([1, 40, 150, 10_000])),
        st.tuples(st.just("flow")),
        st.tuples(st.just("flow")),
        st.tuples(st.just("cut")),
        st.tuples(st.just("connect")),
        st.tuples(st.just("skip"), SIDE, SMALL),
        st.tuples(st.just("duplicate"), SIDE, st.integers(0, 50)),
        st.tuples(st.just("test"), SIDE),
        st.tuples(st.just("logout"), SIDE),
        st.tuples(st.just("tick")),
        st.tuples(st.just("wait"), st.sampled_from([0.5, 5, 31, 80])),
        st.tuples(st.just("jump"), st.sampled_from([0.5, 5, 31, 80, 4000])),
    ]
    if resets:
        calm += [
            st.tuples(st.just("reset"), SIDE),
            st.tuples(st.just("reset_to"), SIDE, SMALL),
        ]
    return st.lists(st.one_of(calm), max_size=30)


CONFIGS = st.fixed_dictionaries(
    {
        "begin_string": st.sampled_from(["FIX.4.1", "FIX.4.2", "FIX.4.4", "FIXT.1.1"]),
        "resend_range": st.sampled_from(["open", "exact"]),
        "replay_batch_max": st.sampled_from([1, 2, 1000]),
        "held_max": st.sampled_from([1, 3, 10_000]),
        "heartbeat_seconds": st.sampled_from([0, 5, 30]),
    }
)


@settings(max_examples=150, deadline=None)
@given(ops(resets=False), CONFIGS)
def test_whatever_is_lost_comes_back_exactly_once_and_in_order(
    schedule: list[Op], config: dict[str, object]
) -> None:
    pair = run(schedule, **config)
    assert pair.resets == 0


@settings(max_examples=150, deadline=None)
@given(ops(resets=True), CONFIGS)
def test_sides_that_reset_agree_in_the_end(
    schedule: list[Op], config: dict[str, object]
) -> None:
    run(schedule, **config)
