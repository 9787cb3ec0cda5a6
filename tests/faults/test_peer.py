"""FaultyPeer: what each fault makes of a session, and what the other end says of it."""

import hashlib
import os
import subprocess
import sys
from dataclasses import fields
from typing import Any, NamedTuple

import pytest

from fixlab.errors import ConfigError
from fixlab.faults import Faults, FaultyPeer, PeerFaults, When
from fixlab.faults.dice import Dice
from fixlab.session.config import BEGIN_STRINGS
from fixlab.session.events import RoundTrip
from fixlab.session.transitions import Role
from fixlab.stores.memory import MemoryStore
from fixlab.times import NANOSECONDS, parse_utc
from fixlab.wire.framer import Framer, Garbled
from fixlab.wire.message import Message
from tests.faults.duo import Duo, story
from tests.session.script import bench, messages, wire

ALL = [each.name for each in fields(PeerFaults) if not each.name.endswith("_seconds")]
MISFRAMED = ("garble", "bad_check_sum", "bad_body_length")


class Case(NamedTuple):
    """How a fault is provoked in `story()`, and a row of the honest end that tells of it."""

    when: When
    told: str
    role: Role = Role.INITIATOR
    next_out: int = 1
    settings: tuple[tuple[str, Any], ...] = ()


ACCEPTOR = Role.ACCEPTOR
CASES = {
    # The liar's L2 to L9 have the numbers 2 to 9; 5 to 7 are lost by hand, 7 is a TestRequest.
    "skip": Case([3], "GAP_OPENED SEQ-05"),
    "repeat": Case([3], "TOO_LOW SEQ-03: MsgSeqNum too low, expecting 4 but received 3"),
    "drop": Case([3], "GAP_OPENED SEQ-05"),
    "reorder": Case([3], "GAP_OPENED SEQ-05"),
    "late": Case([3], "TOO_LOW SEQ-03: MsgSeqNum too low"),
    "number_reused": Case([3], "TOO_LOW SEQ-03: MsgSeqNum too low, expecting 3"),
    "garble": Case([3], "GARBLED FRM-0"),
    "bad_check_sum": Case([3], "GARBLED FRM-04: CheckSum(10) is wrong"),
    "bad_body_length": Case([3], "GARBLED FRM-03: BodyLength(9)"),
    "bad_comp_id": Case([3], "REJECTED HDR-02: CompID problem"),
    "bad_begin_string": Case([3], "REJECTED HDR-01: Incorrect BeginString"),
    "silent": Case([3], "PROBED HBT-04: nothing received"),
    "second_logon": Case([3], "REJECTED LGN-29: Logon received while logged on"),
    "refuse_logon": Case(
        1.0, "ACCEPTED LGO-10: Logon refused: this session may not log on", ACCEPTOR
    ),
    "request_before_logon": Case(1.0, "REJECTED LGN-03", ACCEPTOR),
    "reset_unasked": Case(1.0, "ACCEPTED LGN-09: 141=Y was not asked for", ACCEPTOR),
    "reset_not_echoed": Case(
        1.0,
        "ACCEPTED LGN-09: 141=Y was not repeated",
        ACCEPTOR,
        settings=(("reset_on_logon", True),),
    ),
    "reset_not_applied": Case(
        1.0, "GAP_OPENED", ACCEPTOR, 50, settings=(("reset_on_logon", True),)
    ),
    "bad_next_expected": Case(1.0, "REJECTED LGN-23", settings=(("next_expected", True),)),
    "slow_heartbeats": Case(1.0, "PROBED HBT-04: nothing received for 12 s"),
    "test_request_unanswered": Case(1.0, "SENT HBT-11"),
    "gap_fill_unasked": Case(1.0, "GAP_FILLED SQR-02"),
    "request_never": Case(1.0, "ACCEPTED LGO-02: ResendRequest from 3 was not answered"),
    "request_bad_begin": Case(1.0, "ACCEPTED LGO-02: ResendRequest from 3 was not answered"),
    "request_from_zero": Case(1.0, "REJECTED RSP-07"),
    "request_storm": Case(1.0, "RESEND_ANSWERED RSP-01"),
    "request_overlap": Case(1.0, "RESEND_ANSWERED RSP-01"),
    "request_unjustified": Case([3], "RESEND_ANSWERED RSP-01"),
    "logout_on_gap": Case(1.0, "TIMED_OUT LGO-02: the peer did not close after its Logout"),
    "resend_loop": Case(1.0, "RESEND_ANSWERED RSP-01"),
    "no_poss_dup": Case([8], "TOO_LOW SEQ-03: MsgSeqNum too low, expecting 10"),
    "no_orig_sending_time": Case([5], "REJECTED HDR-08: Required tag missing: 122"),
    "orig_after_sending": Case([5], "REJECTED HDR-09"),
    "gap_fill_short": Case(1.0, "REJECTED SQR-06"),
    "gap_fill_long": Case(1.0, "IGNORED SQR-02: held, but the peer passed over it"),
    "gap_fill_absurd": Case(1.0, "TOO_LOW RSP-14: MsgSeqNum too low, expecting 1000008"),
    "gap_fill_bad_seq": Case(1.0, "HELD SQR-03"),
    "gap_fill_orders": Case(1.0, "DUPLICATE SQR-04"),
    "replay_interleaved": Case([5], "HELD SEQ-06"),
    "ignore_end_seq_no": Case(1.0, "DUPLICATE SEQ-04", settings=(("resend_range", "exact"),)),
    "resend_incomplete": Case(1.0, "TIMED_OUT RRQ-06: no answer to the ResendRequest"),
    "resend_unanswered": Case(1.0, "TIMED_OUT RRQ-06: no answer to the ResendRequest"),
}


def faults(name: str, when: When) -> PeerFaults:
    return PeerFaults(**{name: when})  # type: ignore[arg-type]


def told(name: str, *, split: int = 1 << 30, with_fault: bool = True) -> Duo:
    case = CASES[name]
    duo = Duo(
        faults(name, case.when if with_fault else 0.0),
        role=case.role,
        store=MemoryStore(next_out=case.next_out),
        **dict(case.settings),
    )
    duo.split = split
    if case.next_out > 1:  # the other end has had what was sent before
        duo.honest.session.store.observed_in(case.next_out - 1)
        duo.liar.faulty.peer.outgoing(wire("35=0|34=49|"))
    return story(duo)


@pytest.mark.parametrize("name", ALL)
def test_the_honest_end_says_what_is_wrong(name: str) -> None:
    duo = told(name)
    assert {strike.fault for strike in duo.liar.faulty.struck} == {name}
    rows = duo.honest.told
    assert any(row.startswith(CASES[name].told) for row in rows), rows


@pytest.mark.parametrize("name", ALL)
def test_what_is_rewritten_still_parses_unless_its_framing_is_the_fault(name: str) -> None:
    duo = told(name)
    found = Framer(1 << 30).feed(duo.liar.wire)
    garbled = [item for item in found if isinstance(item, Garbled)]
    assert len(garbled) == (name in MISFRAMED)
    if not garbled:
        assert b"".join(message.raw or b"" for message in duo.liar.left) == duo.liar.wire
        assert not any(message.defect for message in duo.liar.left)


RECEIVING = (
    "test_request_unanswered",
    "resend_unanswered",
    "resend_incomplete",
    "ignore_end_seq_no",
    "slow_heartbeats",
    "resend_loop",
)


@pytest.mark.parametrize("name", RECEIVING)
def test_the_split_of_what_comes_in_makes_no_difference(name: str) -> None:
    def received(size: int) -> tuple[bytes, list[str]]:
        peer = FaultyPeer(faults(name, 1.0), Dice(0, "x", "peer"))
        peer.outgoing(stream(1, 2, 3, 4, 5, 6, 7, 8) + wire("35=2|34=9|7=2|16=0|"))
        came = [
            "35=A|34=1|98=0|108=30|",
            "35=1|34=2|112=T|",
            "35=2|34=3|7=4|16=6|",
            "35=D|34=2|43=Y|122=20260105-09:00:00|11=A|",
            "35=4|34=3|43=Y|122=20260105-09:00:00|123=Y|36=4|",
            "35=D|34=4|11=B|",
        ]
        data = b"noise".join(map(wire, came))
        parts = [data[i : i + size] for i in range(0, len(data), size)]
        got = b"".join(map(peer.incoming, parts))
        assert got != data, "the fault shows"
        return got, peer.errands()

    assert received(1) == received(7) == received(1 << 20)


def test_without_faults_every_byte_passes_as_it_is() -> None:
    duo = story(Duo())
    assert duo.liar.faulty.peer.pending == 0
    assert duo.liar.left != []
    # Three messages were lost by hand, in `story()`, and nothing else was touched.
    lost = [m for m in messages(duo.liar.sent) if (m.raw or b"") not in duo.liar.wire]
    assert [message[34] for message in lost] == ["5", "6", "7"]
    rest = b"".join(m.raw or b"" for m in messages(duo.liar.sent) if m not in lost)
    assert rest == duo.liar.wire


def test_a_fault_that_does_not_strike_changes_no_byte() -> None:
    planned = PeerFaults(**dict.fromkeys(ALL, (10**9,)))  # type: ignore[arg-type]
    plain, watched = story(Duo()), story(Duo(planned))
    assert watched.liar.faulty.struck == ()
    assert (watched.liar.wire, watched.honest.wire) == (plain.liar.wire, plain.honest.wire)
    assert watched.honest.told == plain.honest.told


SHY = dict.fromkeys(ALL, 0.06)


@pytest.mark.parametrize("begin_string", BEGIN_STRINGS)
@pytest.mark.parametrize("seed", range(8))
def test_a_run_with_its_strikes_as_lists_is_the_same_run(seed: int, begin_string: str) -> None:
    planned = Faults(peer=PeerFaults(**SHY, clock_offset_seconds=-3))
    settings = {"begin_string": begin_string, "reset_on_logon": seed % 2 == 0}
    if begin_string == "FIX.4.0":
        del settings["reset_on_logon"]
    elif begin_string == "FIXT.1.1":
        settings["default_appl_ver_id"] = "9"
    role = list(Role)[seed % 2]
    by_chance = story(Duo(planned, seed=seed, role=role, **settings))  # type: ignore[arg-type]
    struck = by_chance.liar.faulty.struck
    exact = story(Duo(planned.exactly(struck), seed=seed, role=role, **settings))  # type: ignore[arg-type]
    assert exact.liar.faulty.struck == struck
    assert (exact.liar.wire, exact.honest.wire) == (by_chance.liar.wire, by_chance.honest.wire)


def test_the_same_seed_gives_the_same_bytes_whatever_the_hash_seed() -> None:
    code = (
        "import sys; sys.path.insert(0, '.')\n"
        "from tests.faults.test_peer import digest\n"
        "print(digest())\n"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert seen == {digest() + "\n"}


def digest() -> str:
    wires = [story(Duo(PeerFaults(**SHY), seed=seed)).liar.wire for seed in range(10)]
    return hashlib.sha256(b"".join(wires)).hexdigest()


def test_a_fault_more_leaves_the_others_where_they_were() -> None:
    one = story(Duo(PeerFaults(drop=0.3), seed=3)).liar.faulty.struck
    both = story(Duo(PeerFaults(drop=0.3, no_poss_dup=0.0, late=[999]), seed=3))
    assert one
    assert both.liar.faulty.struck == one


# Faults that take a closer look -----------------------------------------------------------


def test_a_skip_uses_up_one_to_three_numbers() -> None:
    used = set()
    for seed in range(30):
        duo = Duo(PeerFaults(skip=[3]), seed=seed).logon()
        duo.send(duo.liar, "L2", "A", "B")
        numbers = [m.number or 0 for m in duo.liar.left if m.msg_type == "D"][:3]
        used.add(numbers[1] - 3)
        assert numbers[2] == numbers[1] + 1
        assert duo.honest.delivered == ["L2", "A", "B"]
    assert used == {1, 2, 3}


def test_numbers_can_be_skipped_before_the_very_first_message() -> None:
    for role in Role:
        duo = Duo(PeerFaults(skip=[1]), role=role).logon()
        assert 2 <= int(duo.liar.left[0][34]) <= 4
        assert duo.honest.session.gap is None


def test_a_request_before_the_logon_is_an_answer_s_only() -> None:
    asks = Duo(PeerFaults(request_before_logon=1.0)).logon()
    assert [m.msg_type for m in asks.liar.left] == ["A"]
    answers = Duo(PeerFaults(request_before_logon=1.0), role=Role.ACCEPTOR).logon()
    assert [(m.msg_type, m[34]) for m in answers.liar.left[:2]] == [("2", "2"), ("A", "1")]


def test_the_clock_is_wrong_in_both_times_and_nothing_else_changes() -> None:
    plain = story(Duo())
    duo = story(Duo(PeerFaults(clock_offset_seconds=30)))
    assert duo.honest.delivered == plain.honest.delivered
    for right, wrong in zip(plain.liar.left, duo.liar.left, strict=True):
        rest = [f for f in right.fields if f[0] not in (52, 122, 10)]
        assert rest == [f for f in wrong.fields if f[0] not in (52, 122, 10)]
        for tag in (52, 122):
            ahead = (parse_utc((wrong.get(tag) or "").encode()) or 0) - (
                parse_utc((right.get(tag) or "").encode()) or 0
            )
            assert ahead == (30 * NANOSECONDS if tag in right else 0)
    late = Duo(PeerFaults(clock_offset_seconds=300)).logon()
    assert any("SendingTime" in row for row in late.honest.told)


def test_a_silent_end_speaks_again_on_the_next_connection() -> None:
    duo = Duo(PeerFaults(silent=[2])).logon()
    duo.send(duo.liar, "A", "B")
    assert [m[34] for m in duo.liar.left] == ["1"]
    duo.cut()
    duo.logon()
    assert duo.honest.delivered == ["A", "B"]


def test_nothing_follows_the_last_words() -> None:
    duo = Duo(PeerFaults(refuse_logon=1.0), role=Role.ACCEPTOR).logon()
    liar = duo.liar.faulty.peer
    assert [m.msg_type for m in duo.liar.left] == ["5"]
    assert liar.outgoing(wire("35=D|34=2|11=A|")) == b""
    liar.connected()
    assert liar.outgoing(wire("35=D|34=3|11=A|")) != b""


def test_a_number_is_skipped_to_once_however_many_messages_come_before_it_is_used() -> None:
    duo = Duo(PeerFaults(skip=1.0)).logon()
    before = duo.liar.session.next_out
    for name in "ABCDEFGH":
        duo.send(duo.honest, name)
    assert duo.liar.session.next_out - before <= 3
    assert all(strike.nth == 1 for strike in duo.liar.faulty.struck)


def test_a_gap_fill_with_a_new_number_bears_the_next_one() -> None:
    duo = told("gap_fill_bad_seq")
    first = next(m for m in duo.liar.left if m.msg_type == "4")
    assert first[34] == "10"  # L9 was the last new message


def test_a_reordered_message_leaves_behind_the_next() -> None:
    duo = Duo(PeerFaults(reorder=[2, 3, 4])).logon()
    duo.send(duo.liar, "A", "B", "C", "D")
    assert [m[34] for m in duo.liar.left if m.get(43) is None] == ["1", "3", "2", "5", "4"]


def test_a_late_original_follows_its_replay() -> None:
    duo = Duo(PeerFaults(late=[2])).logon()
    duo.send(duo.liar, "A")
    assert len(duo.liar.left) == 1
    duo.send(duo.liar, "B")
    numbers = [(m[34], m.get(43)) for m in duo.liar.left[1:4]]
    assert numbers == [("3", None), ("2", "Y"), ("2", None)]


def test_a_loop_asks_ten_times_for_the_same_range_and_then_ends() -> None:
    duo = told("resend_loop")
    requests = [(m[7], m[16]) for m in duo.liar.left if m.msg_type == "2"]
    assert requests == [("3", "0")] * 10
    assert duo.liar.delivered == ["H2", "H3"]  # the last answer is taken


def test_a_storm_is_five_requests_and_an_overlap_two() -> None:
    for name, expected in (("request_storm", ["3"] * 5), ("request_overlap", ["3", "4"])):
        assert [m[7] for m in told(name).liar.left if m.msg_type == "2"] == expected


def test_a_reset_that_is_not_applied_goes_on_with_the_old_numbers() -> None:
    duo = told("reset_not_applied")
    assert [int(m[34]) for m in duo.liar.left if m.get(43) is None][:3] == [1, 51, 52]
    assert duo.liar.left[0][141] == "Y"


def test_heartbeats_are_slow_whichever_end_it_is() -> None:
    for role in Role:
        duo = Duo(PeerFaults(slow_heartbeats=1.0), role=role).logon()
        own, other = duo.liar.left[0], duo.honest.left[0]
        assert own[108] == other[108], role
        assert duo.liar.session._pulse.interval == 3 * duo.honest.session._pulse.interval


def test_a_test_request_that_is_not_answered_is_counted_all_the_same() -> None:
    duo = told("test_request_unanswered")
    assert not any(isinstance(event, RoundTrip) for event in duo.honest.events)
    assert duo.liar.session.next_in == duo.honest.session.next_out
    assert duo.liar.session.gap is None
    assert any(isinstance(event, RoundTrip) for event in story(Duo()).honest.events)


def test_orders_filled_over_never_arrive() -> None:
    duo = told("gap_fill_orders")
    assert duo.honest.delivered == ["L2", "L3", "L4", "L8", "L9", "LAST"]


def test_a_healed_end_behaves_again() -> None:
    duo = Duo(PeerFaults(drop=1.0, test_request_unanswered=1.0, late=1.0))
    duo.liar.faulty.heal()
    story(duo)
    assert duo.liar.faulty.struck == ()
    assert duo.honest.delivered == [f"L{n}" for n in (2, 3, 4, 5, 6, 8, 9)] + ["LAST"]


def test_healing_in_the_middle_of_a_message_loses_no_byte() -> None:
    peer = FaultyPeer(PeerFaults(resend_unanswered=[99]), Dice(0, "x", "peer"))
    data = wire("35=D|34=2|11=A|") * 2
    given = peer.incoming(data[:100])
    peer.heal()
    given += peer.incoming(data[100:-5])
    assert not peer.changes_received
    assert given + peer.incoming(data[-5:]) == data


def test_what_is_garbled_or_has_no_clear_fields_comes_through_as_it_is() -> None:
    peer = FaultyPeer(PeerFaults(resend_unanswered=1.0), Dice(0, "x", "peer"))
    good = wire("35=D|34=2|11=A|")
    defective = wire("35=2|34=3|7=1|16=0|95=9|96=x|")
    data = (
        b"noise" + good + defective + good[:-4] + b"999\x01" + good + b"8=FIX.4.4\x019=x" + good
    )
    assert peer.incoming(data) == data
    split = FaultyPeer(PeerFaults(resend_unanswered=1.0), Dice(0, "x", "peer"))
    assert b"".join(split.incoming(data[i : i + 1]) for i in range(len(data))) == data


# Losing by hand ---------------------------------------------------------------------------


def stream(*numbers: int, more: str = "") -> bytes:
    return b"".join(wire(f"35=D|34={number}|{more}11=A|") for number in numbers)


def numbers(data: bytes) -> list[int | None]:
    return [message.number for message in messages(data)]


def test_nothing_is_lost_by_default() -> None:
    loss = FaultyPeer()
    assert not loss.changes_sent
    assert loss.outgoing(stream(1, 2)) == stream(1, 2)
    assert loss.outgoing(b"") == b""
    assert (loss.pending, loss.lost) == (0, 0)


def test_the_next_messages_are_lost_whatever_they_are() -> None:
    loss = FaultyPeer()
    loss.lose_next(1)
    loss.lose_next(2)
    assert (loss.pending, loss.changes_sent) == (3, True)
    assert numbers(loss.outgoing(stream(1, 2))) == []
    assert numbers(loss.outgoing(stream(3, 4, 5))) == [4, 5]
    assert (loss.pending, loss.lost, loss.changes_sent) == (0, 3, False)


def test_chosen_numbers_are_lost_once_and_their_replay_gets_through() -> None:
    loss = FaultyPeer()
    loss.lose_numbers([2, 4, 9])
    assert numbers(loss.outgoing(stream(1, 2, 3, 4))) == [1, 3]
    assert loss.pending == 1
    assert numbers(loss.outgoing(stream(2, 4))) == [2, 4]
    again = stream(9, more="43=Y|122=20260105-09:00:00|")
    assert loss.outgoing(again) == again
    assert numbers(loss.outgoing(stream(9))) == []
    assert loss.lost == 3


def test_healing_calls_off_what_was_still_to_be_lost() -> None:
    loss = FaultyPeer()
    loss.lose_next(5)
    loss.lose_numbers([1])
    loss.heal()
    assert loss.pending == 0
    assert numbers(loss.outgoing(stream(1, 2))) == [1, 2]


def test_a_number_that_is_lost_does_not_use_up_the_next_ones() -> None:
    loss = FaultyPeer()
    loss.lose_numbers([2])
    loss.lose_next(1)
    assert numbers(loss.outgoing(stream(2, 3, 4))) == [4]


def test_a_negative_count_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="cannot lose -1 messages"):
        FaultyPeer().lose_next(-1)


def test_it_takes_what_a_session_writes() -> None:
    made = bench()
    made.send("35=B|95=3|96=a\x01b|")
    loss = FaultyPeer()
    loss.lose_numbers([2])
    assert loss.outgoing(made.output.data) == b""


def test_data_fields_are_rewritten_whole() -> None:
    made = bench()
    made.send("35=B|95=3|96=a\x01b|58=x|")
    liar = FaultyPeer(PeerFaults(bad_comp_id=1.0), Dice(0, "x", "peer"))
    (message,) = Framer().feed(liar.outgoing(made.output.data))
    assert isinstance(message, Message)
    assert (message[49], message[96], message[58]) == ("MEX", "a\x01b", "x")
