"""Schedules made up at random, and any bytes, under every profile and recovery setting."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fixlab.session.profiles import PROFILES
from tests.dictionary.published import published
from tests.session.pair import Op, run
from tests.session.script import NOW, bench
from tests.session.test_fuzz import any_messages
from tests.session.test_schedules import ops

RECOVERY = st.fixed_dictionaries(
    {
        "begin_string": st.sampled_from(["FIX.4.1", "FIX.4.2", "FIX.4.4"]),
        "profile": st.sampled_from(sorted(PROFILES)),
        "resend_chunk_max": st.sampled_from([None, 1, 3]),
        "redundant_requests": st.booleans(),
        # The engines wait for ever; here both sides are to agree within a bounded time.
        "resend_timeout_seconds": st.just(30.0),
        "logout_on_silence": st.just(True),
        "replay_batch_max": st.sampled_from([1, 1000]),
        "replay_repeat_max": st.just(1_000),
    }
)


@settings(max_examples=200, deadline=None)
@given(ops(resets=False), RECOVERY)
def test_seq_07_whatever_is_lost_comes_back_under_every_setting(
    schedule: list[Op], chosen: dict[str, object]
) -> None:
    pair = run(schedule, **chosen)
    for who, end in enumerate(pair.ends):
        assert end.got == sorted(set(end.got))
        assert set(end.got) <= set(range(1, pair.ends[1 - who].sent + 1))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(any_messages(), max_size=4),
    st.sampled_from(sorted(PROFILES)),
    st.sampled_from(["strict", "warn", "off"]),
    st.booleans(),
    st.booleans(),
)
def test_no_message_raises_under_any_profile_and_validation(
    stream: list[bytes], profile: str, validation: str, loose: bool, unchecked: bool
) -> None:
    made = bench(
        profile=profile,
        dictionary=published("FIX.4.4"),
        validation=validation,
        check_length_and_checksum=not loose,
        reject_garbled=not loose,
        check_sequence_numbers=not unchecked,
        last_processed=True,
        supported_types=frozenset({"D", "8"}),
    )
    for raw in stream:
        before = made.session.next_in
        made.session.receive(raw, NOW)
        assert made.session.next_in >= before or made.session.next_in <= 2  # a reset
        made.tick(1)
