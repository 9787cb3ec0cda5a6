"""Replays: the quick way equals the thorough one, and large messages leave in small batches."""

from hypothesis import example, given
from hypothesis import strategies as st

from fixlab.session.config import SessionConfig
from fixlab.session.outbound import Composer
from fixlab.session.session import Session
from fixlab.session.transitions import Role, TransitionKind
from fixlab.stores.memory import MemoryStore
from fixlab.wire.message import Message
from tests.session.script import INITIATOR, NOW, bench

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
