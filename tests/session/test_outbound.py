"""Replays: the quick way equals the thorough one, and large messages leave in small batches."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fixlab.errors import ConfigError, MessageError
from fixlab.session.config import SessionConfig
from fixlab.session.outbound import Composer
from fixlab.session.session import Session
from fixlab.session.transitions import Role, TransitionKind
from fixlab.stores.memory import MemoryStore
from fixlab.wire.message import Message
from tests.session.script import INITIATOR, NOW, Bench, bench, config, messages

CONFIG = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL")
LATER = NOW + 5_000_000_000
VALUES = st.text(st.characters(max_codepoint=255, exclude_characters="\x01"), min_size=1)
BODIES = st.lists(st.tuples(st.sampled_from([11, 55, 58, 97, 1128, 5000]), VALUES))


def stored(fields: list[tuple[int, object]], config: SessionConfig) -> bytes:
    store = MemoryStore()
    Session(config, Role.INITIATOR, store).send(Message("D", fields), NOW)
    ((_, raw),) = store.sent(1, 1)
    return raw


@given(body=BODIES, digits=st.sampled_from([0, 3, 9]), desk=st.booleans())
@example(body=[(58, "143=Y")], digits=3, desk=True)
def test_rsp_16_both_ways_to_write_a_replay_agree(
    body: list[tuple[int, object]], digits: int, desk: bool
) -> None:
    config = SessionConfig(
        sender_comp_id="BUY",
        target_comp_id="S.(L|",
        timestamp_digits=digits,
        sender_sub_id="DESK" if desk else None,
    )
    raw = stored(body, config)
    composer = Composer(config)
    assert composer._own(raw), "the quick way is the usual one"
    assert composer.replay(raw, LATER) == composer._replay_any(raw, LATER)


def test_dat_02_a_flag_inside_a_data_field_is_data() -> None:
    data = b"a\x0143=N\x01122=x"
    raw = stored([(95, len(data)), (96, data)], CONFIG)
    again = Composer(CONFIG).replay(raw, LATER)
    assert again.count(b"\x0143=Y\x01") == 1
    assert data in again
    assert Message.from_wire(again)[95] == str(len(data))


def test_rsp_15_large_messages_are_resent_a_few_at_a_time() -> None:
    made = bench(INITIATOR)
    for _ in range(8):
        made.session.send(Message("D", {58: "x" * 100_000}), NOW)
    made.receive("35=2|34=2|7=2|16=0|")
    batches = [len(made.output.data)]
    resent = [row for row in made.output.transitions if row.kind is TransitionKind.RESENT]
    while made.session.replaying:
        output = made.session.tick(NOW)
        batches.append(len(output.data))
        resent += [row for row in output.transitions if row.kind is TransitionKind.RESENT]
    assert [row.msg_seq_num for row in resent] == list(range(2, 10))
    assert max(batches) < 400_000
    assert sum(size > 0 for size in batches) == 3


# PossDupFlag(43) of the application's own ----------------------------------------------

PASSED_ON = "35=D|43=Y|122=20260104-08:00:00|11=A|"


@pytest.mark.parametrize("text", ["35=D|43=Y|11=A|", "35=D|11=A|122=20260104-08:00:00|"])
def test_prs_01_to_claim_a_repeat_is_a_mistake_unless_it_is_agreed(text: str) -> None:
    made = bench()
    with pytest.raises(MessageError, match="the session itself writes tags 43 and 122"):
        made.send(text)
    assert made.counters == (2, 2)
    with pytest.raises(ConfigError, match="logon_fields may not hold tags 43"):
        config(allow_poss_dup=True, logon_fields={43: "Y"})


def test_prs_01_who_passes_messages_on_may_say_that_they_are_repeats() -> None:
    made = bench(allow_poss_dup=True)
    assert made.send(PASSED_ON) == [
        "SENT PRS-01 2/3",
        "> 35=D|34=2|43=Y|122=20260104-08:00:00|11=A|",
    ]
    (row,) = made.output.transitions
    assert (row.msg_seq_num, row.poss_dup) == (2, True)
    made.send("35=D|43=N|11=B|")
    assert made.sent == ["35=D|34=3|43=N|11=B|"]
    assert not made.output.transitions[0].poss_dup
    assert made.send("35=D|97=Y|11=C|")[0] == "SENT SEQ-01 2/5"  # PossResend is another thing


@pytest.mark.parametrize(
    "more",
    [{}, {"last_processed": True}, {"profile": "quickfix"}, {"sender_sub_id": "DESK"}],
)
def test_rsp_16_such_a_message_is_replayed_with_its_own_first_time(
    more: dict[str, object],
) -> None:
    made = bench(allow_poss_dup=True, **more)  # type: ignore[arg-type]
    made.send(PASSED_ON)
    made.wait(5)
    made.receive("35=2|34=2|7=2|16=2|")
    (message,) = messages(made.output.data)
    assert message.values(43) == ("Y",)
    assert message.values(122) == ("20260104-08:00:00",)


def test_sch_07_such_a_message_waits_like_any_while_the_session_cannot_send() -> None:
    made = Bench(INITIATOR, allow_poss_dup=True)
    assert made.send(PASSED_ON) == ["QUEUED SCH-07 1/2"]
    made.active()
    made.receive("35=2|34=2|7=1|16=1|")
    assert made.sent == ["35=D|34=1|43=Y|122=20260104-08:00:00|11=A|"]
