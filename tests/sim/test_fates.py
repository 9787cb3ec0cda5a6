"""Fates: each application message is delivered, or a row says why it never is."""

from dataclasses import replace

import pytest

from fixlab.errors import StateError, StoreError
from fixlab.faults import Faults, PeerFaults, StoreFaults
from fixlab.frames import FATE_KINDS, FATES, check
from fixlab.session.config import SessionConfig
from fixlab.sim.fates import Fate
from fixlab.sim.loopback import Loopback
from fixlab.wire.message import Message
from fixlab.wire.tags import ADMIN_TYPES

CONFIG = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL")


def order(name: object) -> Message:
    return Message("D", {11: f"ORD-{name}"})


def lab_of(**settings: object) -> Loopback:
    lab = Loopback(check=True, **settings)  # type: ignore[arg-type]  # as given
    lab.logon()
    return lab


def fates(lab: Loopback) -> list[str]:
    return list(check(lab.fates(), FATES)["fate"])


def test_the_schema_has_every_fate() -> None:
    assert tuple(FATE_KINDS) == tuple(fate.value for fate in Fate)


def test_what_arrives_is_delivered_and_what_is_on_its_way_waits() -> None:
    lab = lab_of()
    lab.initiator.send(order(1))
    assert fates(lab) == ["waiting"]
    lab.run(seconds=1)
    lab.acceptor.send(order(2))
    lab.run(seconds=1)
    frame = lab.fates()
    assert list(frame["fate"]) == ["delivered", "delivered"]
    assert list(frame["sender"]) == [lab.initiator.id, lab.acceptor.id]
    assert list(frame["msg_seq_num"]) == [2, 2]
    assert (frame["settled"] > frame["sent"]).all()


def test_a_lost_message_waits_until_it_is_resent() -> None:
    lab = lab_of()
    lab.drop(sender="initiator", msg_seq_nums=[2])
    lab.initiator.send(order(1))
    lab.run(seconds=1)
    assert fates(lab) == ["waiting"]
    lab.initiator.send(order(2))
    lab.run(seconds=1)
    assert fates(lab) == ["delivered", "delivered"]


def test_lgo_05_quickfix_counts_a_logout_in_the_place_of_what_was_lost() -> None:
    lab = lab_of(config=replace(CONFIG, profile="quickfix"))
    lab.drop(sender="initiator", msg_seq_nums=[2])
    lab.initiator.send(order(1))
    lab.run(seconds=1)
    lab.logout()
    told = lab.fates().iloc[0]
    assert (told["fate"], told["rule"]) == ("displaced", "LGO-02")
    assert told["session"] == lab.acceptor.id
    lab.logon()  # and nobody asks for it any more
    lab.run(seconds=1)
    assert fates(lab) == ["displaced"]


def test_rsp_09_what_its_sender_fills_over_is_withheld_and_the_row_says_so() -> None:
    lab = lab_of(config=replace(CONFIG, gap_fill_types=ADMIN_TYPES | {"D"}))
    lab.drop(sender="initiator", msg_seq_nums=[2])
    lab.initiator.send(order(1))
    lab.initiator.send(Message("8", {11: "X"}))
    lab.run(seconds=1)
    frame = lab.fates()
    assert list(frame["fate"]) == ["withheld", "delivered"]
    told = frame.iloc[0]
    assert (told["session"], told["rule"]) == (lab.initiator.id, "RSP-09")
    rows = lab.journal.to_frame()
    row = rows[(rows["session"] == told["session"]) & (rows["step"] == told["step"])]
    assert "not resent: 2" in " ".join(row["text"])


def test_lgn_17_what_a_reset_leaves_behind_is_reset() -> None:
    lab = lab_of()
    lab.drop(sender="acceptor", msg_seq_nums=[2])
    lab.acceptor.send(order(1))
    lab.cut()
    lab.initiator.reset()
    lab.heal()
    frame = lab.fates()
    assert list(frame["fate"]) == ["reset"]
    assert list(frame["session"]) == [lab.acceptor.id]


def test_sqr_11_a_sequence_reset_passes_over_what_is_missing() -> None:
    lab = lab_of()
    lab.drop(sender="initiator", msg_seq_nums=[2])
    lab.initiator.send(order(1))
    lab.initiator.sequence_reset(9)
    lab.run(seconds=1)
    assert fates(lab) == ["passed over"]
    lab.heal()


@pytest.mark.parametrize(
    ("faults", "fate"),
    [
        (PeerFaults(bad_comp_id=[2]), "rejected"),
        (PeerFaults(drop=[2], gap_fill_orders=[2]), "passed over"),
    ],
)
def test_what_a_broken_engine_loses_has_a_fate(faults: PeerFaults, fate: str) -> None:
    lab = lab_of(initiator_faults=Faults(peer=faults))
    lab.initiator.send(order(1))
    lab.initiator.send(order(2))
    lab.run(seconds=1)
    lab.heal()
    assert fates(lab) == [fate, "delivered"]


def test_what_a_store_forgets_is_forgotten_and_its_number_used_again() -> None:
    lab = lab_of(initiator_faults=Faults(store=StoreFaults(lose_tail=1.0)))
    lab.initiator.lose_next(1)
    lab.initiator.send(order(1))
    lab.acceptor.send(order("A"))
    lab.run(seconds=1)
    lab.crash("initiator")
    assert fates(lab) == ["forgotten", "delivered"]
    assert lab.initiator.session.next_out == 1
    lab.initiator.send(order(2))
    lab.heal()
    # The acceptor had counted 1 as the Logon: what bears that number again is a repeat to it.
    assert fates(lab) == ["forgotten", "number reused", "delivered"]


def test_what_a_failing_store_refuses_was_never_sent() -> None:
    lab = lab_of(initiator_faults=Faults(store=StoreFaults(full=[3])))
    with pytest.raises(StoreError, match="on purpose"):
        lab.initiator.send(order(1))
    assert fates(lab) == []
    lab.heal()
    lab.initiator.send(order(2))
    lab.run(seconds=1)
    assert fates(lab) == ["delivered"]


def test_a_message_that_cannot_be_sent_is_none() -> None:
    lab = lab_of()
    lab.initiator.reset()
    with pytest.raises(StateError):
        lab.initiator.send(order(1))
    lab.run(seconds=1)
    lab.initiator.send(order(2))
    lab.run(seconds=1)
    assert fates(lab) == ["delivered"]
