"""Asking in parts and again, dropping what comes early, and what a replay leaves out."""

import itertools

import pytest

from fixlab.session.transitions import Role, SessionState
from fixlab.stores.memory import MemoryStore
from tests.session.pair import Pair
from tests.session.script import INITIATOR, NOW, ROLES, T0, VERSIONS, Bench, bench

AGAIN = f"43=Y|122={T0}|"
OLD = ("FIX.4.0", "FIX.4.1")
BEFORE_4_3 = (*OLD, "FIX.4.2")


def replayed(numbers: range) -> list[str]:
    return [f"35=D|34={number}|{AGAIN}" for number in numbers]


# Parts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("resend_range", ["open", "exact"])
@pytest.mark.parametrize("begin_string", ["FIX.4.0", "FIX.4.4"])
def test_rrq_03_a_large_gap_is_asked_for_in_parts(resend_range: str, begin_string: str) -> None:
    made = bench(resend_range=resend_range, resend_chunk_max=3, begin_string=begin_string)
    made.receive("35=D|34=10|")  # 2 to 9 are missing
    assert made.rows[-2:] == ["RESEND_REQUESTED RRQ-03", "SENT RRQ-01"]
    assert made.sent == ["35=2|34=2|7=2|16=4|"]
    row = made.output.transitions[-1]
    assert (row.begin_seq_no, row.end_seq_no) == (2, 4)
    made.receive(*replayed(range(2, 4)))
    assert made.sent == []
    made.receive(*replayed(range(4, 5)))
    assert made.sent == ["35=2|34=3|7=5|16=7|"]
    # A gap fill that ends the part counts as well.
    made.receive("35=4|34=5|43=Y|123=Y|36=8|")
    last = 9 if resend_range == "exact" else 999_999 if begin_string == "FIX.4.0" else 0
    assert made.sent == [f"35=2|34=4|7=8|16={last}|"]
    assert made.rows[-2:] == ["RESEND_REQUESTED RRQ-01", "SENT RRQ-01"]
    made.receive(*replayed(range(8, 10)))
    assert made.delivered == [8, 9, 10]
    assert made.session.gap is None


def test_rrq_03_a_gap_no_larger_than_a_part_is_asked_for_at_once() -> None:
    made = bench(resend_chunk_max=3)
    made.receive("35=D|34=5|")
    assert made.sent == ["35=2|34=2|7=2|16=0|"]


def test_rrq_03_a_hole_that_shows_meanwhile_joins_the_parts_still_to_be_asked_for() -> None:
    made = bench(resend_chunk_max=2)
    made.receive("35=D|34=5|")
    assert made.sent == ["35=2|34=2|7=2|16=3|"]
    made.receive(f"35=D|34=2|{AGAIN}", "35=D|34=8|")
    assert made.session.gap == (3, 7, 2)
    made.receive(f"35=D|34=3|{AGAIN}")
    assert made.sent == ["35=2|34=3|7=4|16=5|"]
    made.receive(f"35=D|34=4|{AGAIN}")
    assert made.delivered == [4, 5]
    assert made.sent == ["35=2|34=4|7=6|16=0|"]


def test_rrq_03_rrq_06_each_part_has_its_own_time_limit() -> None:
    made = bench(resend_chunk_max=2, heartbeat_seconds=0)
    made.receive("35=D|34=9|")
    made.tick(30)
    assert made.sent == ["35=2|34=3|7=2|16=3|"]
    assert made.rows[0] == "TIMED_OUT RRQ-06"


@pytest.mark.parametrize("chunk", [1, 2, 5])
@pytest.mark.parametrize("resend_range", ["open", "exact"])
def test_rrq_03_two_sides_that_ask_in_parts_settle(chunk: int, resend_range: str) -> None:
    for lost in itertools.product((0, 1, 4), (0, 3)):
        pair = Pair(resend_range=resend_range, resend_chunk_max=chunk)
        pair.connect()
        pair.flow()
        for who, count in enumerate(lost):
            pair.send(who, 2)
            pair.lose(who, count)
            pair.send(who, count)
        for who in (0, 1):
            pair.send(who)
        pair.wait(1)
        assert pair.settled(), lost
        for who, end in enumerate(pair.ends):
            assert end.got == list(range(1, pair.ends[1 - who].sent + 1))


# Again, and never again ---------------------------------------------------------------------


def test_rrq_04_redundant_requests_ask_at_every_early_message() -> None:
    made = bench(redundant_requests=True)
    made.receive("35=D|34=4|", "35=0|34=5|", "35=D|34=6|")
    assert made.sent == [f"35=2|34={number}|7=2|16=0|" for number in (2, 3, 4)]
    assert made.rows == [
        *("HELD SEQ-05", "GAP_OPENED SEQ-05", "RESEND_REQUESTED RRQ-01", "SENT RRQ-01"),
        *("HELD SEQ-05", "RESEND_REQUESTED RRQ-04", "SENT RRQ-01") * 2,
    ]
    made.receive(*replayed(range(2, 4)))
    assert made.delivered == [2, 3, 4, 6]
    assert made.sent == []


def test_rrq_04_two_sides_that_ask_redundantly_settle() -> None:
    pair = Pair(redundant_requests=True, replay_repeat_max=1_000)
    pair.connect()
    pair.flow()
    for who in (0, 1):
        pair.lose(who, 3)
        pair.send(who, 8)
    pair.wait(1)
    assert pair.settled()
    assert [end.got for end in pair.ends] == [list(range(1, 9))] * 2


def test_rrq_06_without_a_limit_it_waits_for_ever() -> None:
    made = bench(resend_timeout_seconds=None, heartbeat_seconds=0)
    made.receive("35=D|34=4|")
    assert made.session.deadline is None
    made.wait(10_000)
    assert made.tick() == []


@pytest.mark.parametrize("redundant_requests", [False, True])
@pytest.mark.parametrize("early_messages", ["hold", "drop"])
def test_rrq_04_sides_that_ask_each_other_in_parts_do_not_go_on_for_ever(
    early_messages: str, redundant_requests: bool
) -> None:
    pair = Pair(
        early_messages=early_messages,
        redundant_requests=redundant_requests,
        resend_chunk_max=1,
        replay_batch_max=1,
        replay_repeat_max=1_000,
    )
    pair.connect()
    pair.flow()
    for who in (0, 1):
        pair.lose(who, 4)
        pair.send(who, 6)
    pair.wait(1)
    assert pair.settled()
    assert [end.got for end in pair.ends] == [[1, 2, 3, 4, 5, 6]] * 2


# Early messages dropped -----------------------------------------------------------------------


@pytest.mark.parametrize("msg_type", ["D", "0", "5"])
def test_seq_07_early_messages_may_be_dropped_and_asked_for_again(msg_type: str) -> None:
    made = bench(early_messages="drop")
    assert made.receive(f"35={msg_type}|34=4|")[:4] == [
        "IGNORED SEQ-07 2/2",
        "GAP_OPENED SEQ-05 2/2",
        "RESEND_REQUESTED RRQ-01 2/2",
        "SENT RRQ-01 2/3",
    ]
    assert made.sent == ["35=2|34=2|7=2|16=0|"]
    assert made.session.gap == (2, 4, 0)  # what was dropped is missing, too
    assert "dropped" in made.output.transitions[0].text


def test_seq_07_what_was_dropped_comes_with_the_answer_to_one_request() -> None:
    made = bench(early_messages="drop")
    made.receive("35=D|34=4|", "35=D|34=5|", "35=D|34=7|")
    assert len(made.sent) == 1
    assert made.session.gap == (2, 7, 0)
    made.receive(*replayed(range(2, 8)))
    assert made.sent == []
    assert made.delivered == [2, 3, 4, 5, 6, 7]
    assert made.session.gap is None


@pytest.mark.parametrize("profile", ["artio", "spec"])
def test_seq_07_two_sides_that_drop_settle_with_everything_delivered(profile: str) -> None:
    for lost in itertools.product(range(4), range(4)):
        pair = Pair(early_messages="drop", profile=profile)
        pair.connect()
        pair.flow()
        for who, count in enumerate(lost):
            pair.send(who, 2)
            pair.lose(who, count)
            pair.send(who, count)
        for who in (0, 1):
            pair.send(who, 3)
        pair.wait(1)
        assert pair.settled(), (lost, [end.session for end in pair.ends])
        for who, end in enumerate(pair.ends):
            assert end.got == list(range(1, pair.ends[1 - who].sent + 1))
            assert end.requests == (1 if lost[1 - who] else 0)


# What a replay leaves out -------------------------------------------------------------------


def test_rsp_03_a_reject_may_be_resent() -> None:
    made = bench(gap_fill_types=frozenset("01245A"))
    made.receive("35=D|34=2|58=|")
    (reject,) = made.sent
    made.receive("35=2|34=3|7=1|16=0|")
    assert made.sent == [
        f"35=4|34=1|43=Y|122={T0}.000|123=Y|36=2|",
        reject.replace("34=2|", f"34=2|43=Y|122={T0}.000|"),
    ]


def test_rsp_09_stale_orders_may_be_gap_filled_and_other_messages_resent() -> None:
    made = bench(gap_fill_types=frozenset("012345AD"))
    made.send("35=D|11=A|")
    made.send("35=8|11=B|")
    made.send("35=D|11=C|")
    made.receive("35=2|34=2|7=1|16=0|")
    assert made.sent == [
        f"35=4|34=1|43=Y|122={T0}.000|123=Y|36=3|",
        f"35=8|34=3|43=Y|122={T0}.000|11=B|",
        f"35=4|34=4|43=Y|122={T0}.000|123=Y|36=5|",
    ]


@pytest.mark.parametrize("role", ROLES)
def test_rsp_11_without_kept_messages_everything_is_gap_filled(role: Role) -> None:
    store = MemoryStore()
    made = Bench(role, store=store, persist_messages=False).active()
    made.send()
    made.send()
    assert list(store.sent(1, 99)) == []
    assert store.peek_out() == 4  # the numbers are
    made.receive("35=2|34=2|7=1|16=0|")
    assert made.sent == [f"35=4|34=1|43=Y|122={T0}.000|123=Y|36=4|"]
    assert made.rows == ["ACCEPTED RSP-01", "FILL_SENT RSP-04", "RESEND_ANSWERED RSP-01"]


def test_rsp_11_what_has_not_left_yet_is_kept_all_the_same() -> None:
    made = Bench(INITIATOR, persist_messages=False)
    made.connected()
    made.send("35=D|11=WAITS|")
    made.receive(made.logon_text(1))
    assert made.sent == [f"35=D|34=2|43=Y|122={T0}.000|11=WAITS|"]


@pytest.mark.parametrize("begin_string", VERSIONS)
def test_rsp_06_both_ways_to_say_open_are_understood_up_to_fix_4_2(begin_string: str) -> None:
    last = 1_000_003
    made = Bench(begin_string=begin_string, next_out=last).active()
    # Beyond 999999 it makes a difference whether 999999 is a number.
    asked = f"35=2|34=2|7={last - 3}|16=999999|"
    made.receive(asked)
    if begin_string in BEFORE_4_3:
        assert made.rows[0] == "ACCEPTED RSP-01"
        assert f"36={last + 1}|" in made.sent[-1]
    else:
        assert made.rows[0] == "REJECTED RSP-07"
    made = Bench(begin_string=begin_string, next_out=last).active()
    made.receive(f"35=2|34=2|7={last - 3}|16=0|")
    assert f"36={last + 1}|" in made.sent[-1]


@pytest.mark.parametrize(("begin", "end", "new"), [(2, 3, 4), (2, 4, 5), (3, 3, 4), (4, 99, 5)])
def test_rsp_05_a_closed_range_is_never_exceeded(begin: int, end: int, new: int) -> None:
    made = bench()
    made.skip(3)  # 2, 3, 4
    made.receive(f"35=2|34=2|7={begin}|16={end}|")
    (fill,) = made.sent
    assert fill.startswith(f"35=4|34={begin}|")
    assert fill.endswith(f"|36={new}|")


def test_rsp_10_rsp_16_a_replay_of_a_replay_keeps_the_first_time() -> None:
    made = bench()
    # PossDupFlag and OrigSendingTime are the session's; a store may hold a message with both.
    made.send("35=D|11=A|")
    number, raw = next(iter(made.session.store.sent(2, 2)))
    for second in (1, 2):
        made.now = NOW + second * 1_000_000_000
        made.receive(f"35=2|34={made.session.next_in}|7=2|16=2|")
        assert f"122={T0}.000|" in made.sent[0]
    assert list(made.session.store.sent(2, 2)) == [(number, raw)]


def test_rsp_16_a_stored_message_that_was_a_repeat_itself_keeps_its_first_time() -> None:
    made = bench()
    first = b"122=20260104-12:00:00.000"
    raw = made.session._compose.message(b"D", 2, first + b"\x01", b"11=A\x01", NOW)
    made.session.store.next_out()
    made.session.store.save_sent(2, raw)
    made.disconnected()
    made.connected()
    made.receive(made.logon_text(2))
    made.receive("35=2|34=3|7=2|16=2|")
    assert made.sent == ["35=D|34=2|43=Y|122=20260104-12:00:00.000|11=A|"]


def test_rsp_19_a_replay_keeps_the_application_version() -> None:
    made = bench(begin_string="FIXT.1.1", default_appl_ver_id="9")
    made.send("35=D|1128=6|11=A|")
    made.receive("35=2|34=2|7=2|16=2|")
    assert made.sent == [f"35=D|34=2|43=Y|122={T0}.000|1128=6|11=A|"]
    assert made.output.data.startswith(b"8=FIXT.1.1\x01")


@pytest.mark.parametrize("role", ROLES)
def test_rsp_18_a_request_before_the_logon_is_not_answered(role: Role) -> None:
    made = Bench(role)
    made.connected()
    made.receive("35=2|34=1|7=1|16=0|")
    assert made.state in (SessionState.DISCONNECTED, SessionState.CLOSING)
    assert not any(sent.startswith("35=4|") for sent in made.sent)


# A ResendRequest that comes early, or once more, by engine ----------------------------------


def test_rsp_12_quickfix_answers_an_early_request_and_does_not_count_it() -> None:
    made = bench(profile="quickfix")
    made.send()
    made.receive("35=2|34=5|7=2|16=2|")
    assert made.rows == ["IGNORED RSP-12", "RESENT RSP-01", "RESEND_ANSWERED RSP-12"]
    assert made.session.gap is None
    made.receive("35=D|34=6|")  # with this one it sees the gap
    assert made.sent == ["35=2|34=3|7=2|16=0|"]
    assert made.session.gap == (2, 5, 1)


def test_rsp_12_quickfixj_answers_an_early_request_and_keeps_it() -> None:
    made = bench(profile="quickfixj")
    made.send()
    made.receive("35=2|34=4|7=2|16=2|")
    assert made.rows[0] == "HELD SEQ-06"
    assert made.rows[-1] == "RESEND_ANSWERED RSP-12"
    assert not any(sent.startswith("35=2|") for sent in made.sent)
    made.receive("35=D|34=5|")
    assert made.sent == ["35=2|34=3|7=2|16=0|"]
    made.receive(*replayed(range(2, 4)))
    assert made.counters == (6, 4)  # the held request was counted


def test_rsp_12_quickfixj_asks_at_once_when_the_gap_was_known_before() -> None:
    made = bench(profile="quickfixj", replay_batch_max=1)
    made.send()
    made.send()
    made.receive("35=2|34=2|7=2|16=0|")  # a replay in batches holds the own request back
    made.receive("35=D|34=5|", "35=2|34=6|7=2|16=2|")
    got = []
    while made.session.replaying:
        made.tick()
        got += made.sent
    assert got[-1] == "35=2|34=4|7=3|16=0|"


@pytest.mark.parametrize("flags", ["", AGAIN])
def test_rsp_14_quickfix_answers_a_request_whatever_its_number(flags: str) -> None:
    made = bench(profile="quickfix")
    made.send()
    made.receive(f"35=2|34=1|{flags}7=2|16=2|")
    assert made.rows == ["IGNORED RSP-14", "RESENT RSP-01", "RESEND_ANSWERED RSP-14"]
    made.receive("35=2|34=1|7=0|16=2|")
    assert made.rows[0] == "REJECTED RSP-07"
    assert made.counters == (2, 4)


@pytest.mark.parametrize(
    ("profile", "answered"),
    [("spec", False), ("artio", False), ("quickfix", True), ("quickfixj", True)],
)
def test_seq_14_engines_answer_a_repeated_request_with_the_expected_number(
    profile: str, answered: bool
) -> None:
    made = bench(profile=profile)
    made.send()
    made.receive(f"35=2|34=2|{AGAIN}7=2|16=2|")
    assert (len(made.sent) == 1) is answered
    assert made.session.next_in == 3


@pytest.mark.parametrize("profile", ["quickfix", "quickfixj", "quickfixn", "artio"])
def test_rsp_12_rsp_13_two_sides_of_any_profile_settle(profile: str) -> None:
    for lost in itertools.product(range(3), range(3)):
        pair = Pair(profile=profile)
        pair.connect()
        pair.flow()
        for who, count in enumerate(lost):
            pair.send(who, 2)
            pair.lose(who, count)
            pair.send(who, count)
        for _ in range(3):
            for who in (0, 1):
                pair.send(who)
            pair.wait(1)
        assert pair.settled(), (lost, [end.session for end in pair.ends])
        for who, end in enumerate(pair.ends):
            assert end.got == list(range(1, pair.ends[1 - who].sent + 1))


# SequenceReset -------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["quickfix", "quickfixj", "quickfixn", "artio"])
def test_sqr_06_engines_accept_a_gap_fill_to_its_own_number(profile: str) -> None:
    made = bench(profile=profile)
    assert made.receive("35=4|34=2|123=Y|36=2|") == ["GAP_FILLED SQR-06 2/2"]
    made.receive("35=4|34=2|123=Y|36=1|")
    assert made.rows[0] == "REJECTED SQR-06"
    assert made.counters == (2, 3)
    made.receive("35=0|34=2|")
    assert made.session.next_in == 3


def test_rsp_09_a_gap_fill_over_orders_names_their_numbers() -> None:
    made = bench(gap_fill_types=frozenset("012345AD"))
    for kind in ("D", "D", "8", "D"):
        made.send(f"35={kind}|")
    made.receive("35=2|34=2|7=1|16=0|")
    fills = [row for row in made.output.transitions if row.kind == "FILL_SENT"]
    assert [(row.rule, row.text) for row in fills] == [
        ("RSP-09", "not resent: 2 to 3"),
        ("RSP-09", "not resent: 5"),
    ]
    plain = bench()
    plain.receive("35=2|34=2|7=1|16=0|")
    (fill,) = [row for row in plain.output.transitions if row.kind == "FILL_SENT"]
    assert (fill.rule, fill.text) == ("RSP-04", "")
