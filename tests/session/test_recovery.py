"""Gaps: asking for what is missing, answering the peer who asks, and SequenceReset."""

import itertools

import pytest

from fixlab.session.recovery import HELD_BYTES_MAX, Held, Recovery
from fixlab.session.transitions import Role, SessionState, TransitionKind
from fixlab.times import NANOSECONDS
from fixlab.wire.message import Message
from tests.session.pair import Pair
from tests.session.script import ACCEPTOR, INITIATOR, NOW, ROLES, T0, VERSIONS, Bench, bench

AGAIN = f"43=Y|122={T0}|"


def sender(log: str, **settings: object) -> Bench:
    """A bench that sent `log` after its Logon: `D` an order, `0` a Heartbeat, `-` a skip."""
    made = Bench(ACCEPTOR, **settings)  # type: ignore[arg-type]
    made.connected()
    made.receive(made.logon_text())
    for what in log:
        if what == "D":
            made.send("35=D|11=A|")
        elif what == "-":
            made.skip(1)
        else:
            made.receive(f"35=1|34={made.session.next_in}|112=T|")
    return made


def asked(made: Bench, begin: int, end: int) -> list[str]:
    """What a ResendRequest is answered with, in short: `2` a message, `3>5` a gap fill."""
    made.receive(f"35=2|34={made.session.next_in}|7={begin}|16={end}|")
    return short(made)


def short(made: Bench) -> list[str]:
    found = []
    for text in made.sent:
        fields = dict(field.split("=", 1) for field in text.split("|") if field)
        assert fields["43"] == "Y"
        found.append(fields["34"] + (f">{fields['36']}" if fields["35"] == "4" else ""))
    return found


# Asking ---------------------------------------------


@pytest.mark.parametrize("begin_string", VERSIONS)
@pytest.mark.parametrize("resend_range", ["open", "exact"])
def test_rrq_01_rrq_02_what_is_asked_for(begin_string: str, resend_range: str) -> None:
    made = bench(begin_string=begin_string, resend_range=resend_range)
    made.receive("35=D|34=5|")
    old = begin_string in ("FIX.4.0", "FIX.4.1")
    end = 4 if resend_range == "exact" else 999_999 if old else 0
    assert made.sent == [f"35=2|34=2|7=2|16={end}|"]
    assert made.counters == (2, 3)


@pytest.mark.parametrize("resend_range", ["open", "exact"])
def test_rrq_04_a_gap_is_asked_for_once(resend_range: str) -> None:
    made = bench(resend_range=resend_range)
    made.receive(*(f"35=D|34={number}|" for number in range(4, 30)))
    assert len(made.sent) == 1
    assert made.session.gap == (2, 3, 26)


def test_rrq_04_an_open_request_covers_the_holes_behind_it() -> None:
    made = bench()
    made.receive("35=D|34=4|", "35=D|34=8|")
    assert len(made.sent) == 1
    assert made.session.gap == (2, 7, 2)
    made.receive(*(f"35=D|34={number}|{AGAIN}" for number in range(2, 9)))
    assert made.sent == []
    assert made.delivered == [2, 3, 4, 5, 6, 7, 8]
    assert made.session.gap is None


def test_rrq_05_an_exact_request_leaves_the_next_hole_to_the_next_request() -> None:
    made = bench(resend_range="exact")
    made.receive("35=D|34=4|", "35=D|34=8|")
    assert made.receive(f"35=D|34=2|{AGAIN}", f"35=D|34=3|{AGAIN}") == [
        "ACCEPTED SEQ-11 3/3",
        "ACCEPTED SEQ-11 4/3",
        "GAP_CLOSED RRQ-05 4/3",
        "ACCEPTED SEQ-02 5/3",
        "GAP_OPENED SEQ-05 5/3",
        "RESEND_REQUESTED RRQ-01 5/3",
        "SENT RRQ-01 5/4",
        "> 35=2|34=3|7=5|16=7|",
        "! Received 2 dup",
        "! Received 3 dup",
        "! GapClosed 2-3",
        "! Received 4",
        "! GapNoticed 5-7",
    ]
    assert [row.gap for row in made.output.transitions] == [1, 1, 1, None, 2, 2, 2]


def test_rrq_05_a_hole_that_shows_once_the_answer_has_begun_is_asked_for_by_itself() -> None:
    made = bench()
    made.receive("35=D|34=4|")
    made.receive(f"35=D|34=2|{AGAIN}")
    made.receive("35=D|34=8|")
    assert made.session.gap == (3, 3, 2)
    made.receive(f"35=D|34=3|{AGAIN}")
    assert made.sent == ["35=2|34=3|7=5|16=0|"]
    assert made.session.gap == (5, 7, 1)


def test_rrq_05_a_gap_fill_closes_a_gap() -> None:
    made = bench()
    made.receive("35=D|34=4|")
    assert made.receive("35=4|34=2|43=Y|123=Y|36=4|") == [
        "GAP_FILLED SQR-02 4/3",
        "GAP_CLOSED RRQ-05 4/3",
        "ACCEPTED SEQ-02 5/3",
        "! GapClosed 2-3",
        "! Received 4",
    ]


def test_rrq_06_no_answer_is_asked_for_again_and_then_given_up() -> None:
    made = bench()
    made.receive("35=D|34=4|")
    for _ in range(3):  # the peer lives, but does not answer
        made.wait(9)
        made.receive(f"35=0|34={made.session.gap.held + 4}|")  # type: ignore[union-attr]
    assert made.tick(3) == [
        "TIMED_OUT RRQ-06 2/3",
        "RESEND_REQUESTED RRQ-06 2/3",
        "SENT RRQ-01 2/4",
        "> 35=2|34=3|7=2|16=0|",
    ]
    made.receive("35=0|34=8|")
    assert made.tick(30)[:4] == [
        "TIMED_OUT RRQ-06 2/4",
        "GAP_ABANDONED RRQ-09 2/4",
        "SENT RRQ-06 2/5 -> CLOSING",
        "> 35=5|34=4|58=ResendRequest from 2 was not answered|",
    ]


def test_rrq_06_progress_starts_the_wait_anew() -> None:
    made = bench(heartbeat_seconds=0)
    made.receive("35=D|34=9|")
    for number in range(2, 8):
        made.wait(29)
        made.receive(f"35=D|34={number}|{AGAIN}".replace("122=20260105-09:00:00", f"122={T0}"))
        assert made.session.deadline == made.now + 30 * NANOSECONDS
    assert made.tick(29) == []


def test_rrq_07_a_replay_under_way_comes_before_the_own_request() -> None:
    made = sender("DDDD", replay_batch_max=1)
    assert asked(made, 2, 0) == ["2"]
    made.receive("35=D|34=5|")
    assert made.rows == ["HELD SEQ-05", "GAP_OPENED SEQ-05"]
    assert made.sent == []
    for _ in range(5):
        made.tick()
        if "RESEND_REQUESTED RRQ-01" in made.rows:
            break
    assert made.rows[-3:] == [
        "RESEND_ANSWERED RSP-01",
        "RESEND_REQUESTED RRQ-01",
        "SENT RRQ-01",
    ]


def test_rrq_09_a_cut_forgets_the_request_and_what_was_held() -> None:
    made = bench(INITIATOR)
    made.receive("35=D|34=4|")
    assert made.disconnected()[0] == "GAP_ABANDONED RRQ-09 2/3"
    made.connected()
    made.receive("35=A|34=6|98=0|108=30|")
    assert made.sent == ["35=2|34=4|7=2|16=0|"]
    assert made.session.gap == (2, 5, 1)


def test_rrq_10_what_finds_no_room_is_dropped_and_asked_for_later() -> None:
    made = bench(held_max=2, resend_range="exact")
    assert made.receive("35=D|34=3|", "35=D|34=4|", "35=D|34=5|", "35=D|34=6|")[-6:-1] == [
        "SENT RRQ-01 2/3",
        "HELD SEQ-05 2/3",
        "IGNORED RRQ-10 2/3",
        "IGNORED RRQ-10 2/3",
        "> 35=2|34=2|7=2|16=2|",
    ]
    made.receive(f"35=D|34=2|{AGAIN}")
    assert made.delivered == [2, 3, 4]
    assert made.sent == ["35=2|34=3|7=5|16=6|"]
    made.receive(f"35=D|34=5|{AGAIN}", f"35=D|34=6|{AGAIN}")
    assert made.delivered == [5, 6]
    assert made.session.gap is None


def test_rrq_10_the_bytes_that_wait_are_bounded_too() -> None:
    recovery = Recovery(held_max=10**6)
    recovery.notice(1, 2, 0)
    big = Message.from_wire(b"x" * (HELD_BYTES_MAX // 4))
    head = Held(big, None, acted=False)  # type: ignore[arg-type]
    assert [recovery.hold(number, head) for number in range(2, 8)] == [True] * 4 + [False] * 2
    recovery.take(2)
    assert recovery.hold(9, head)
    recovery.clear()
    assert recovery.hold(9, head)


# Answering ---------------------------------------------


@pytest.mark.parametrize(
    ("log", "begin", "end", "answer"),
    [
        ("D00D", 1, 0, ["1>2", "2", "3>5", "5"]),
        ("D00D", 3, 4, ["3>5"]),
        ("D00D", 2, 3, ["2", "3>4"]),
        ("D00D", 4, 100, ["4>5", "5"]),
        ("D00D", 5, 5, ["5"]),
        ("0000", 2, 0, ["2>6"]),
        ("00000000000000D", 9, 0, ["9>16", "16"]),
        ("DDD", 2, 999_999, ["2", "3", "4"]),
        ("D--D-", 1, 0, ["1>2", "2", "3>5", "5", "6>7"]),
    ],
)
@pytest.mark.parametrize("batch", [1, 2, 1000])
def test_rsp_01_rsp_02_rsp_04_rsp_05_rsp_06_rsp_11_every_number_asked_for_is_covered_once(
    log: str, begin: int, end: int, answer: list[str], batch: int
) -> None:
    made = sender(log, replay_batch_max=batch)
    before = made.session.next_out
    got = asked(made, begin, end)
    while made.session._replays:
        assert made.session.deadline is not None
        assert made.session.deadline <= made.now
        made.tick()
        got += short(made)
    assert got == answer
    assert made.session.next_out == before


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("begin_string", VERSIONS)
def test_rsp_01_rsp_16_a_replay_keeps_number_and_first_time_and_renews_the_sending_time(
    role: Role, begin_string: str
) -> None:
    made = bench(role, begin_string=begin_string)
    made.send("35=D|11=A|50=DESK|95=3|96=a\x01b|58=t|")
    first = T0 if begin_string in ("FIX.4.0", "FIX.4.1") else f"{T0}.000"
    for second in (5, 9):
        made.now = NOW + second * NANOSECONDS
        number = made.session.next_in
        assert made.receive(f"35=2|34={number}|7=2|16=2|") == [
            f"ACCEPTED RSP-01 {number + 1}/3",
            f"RESENT RSP-01 {number + 1}/3",
            f"RESEND_ANSWERED RSP-01 {number + 1}/3",
            f"> 35=D|34=2|43=Y|122={first}|50=DESK|11=A|95=3|96=a\x01b|58=t|",
        ]
        assert b"52=20260105-09:00:0%d" % second in made.output.data
    assert len(list(made.session.store.sent(1, 99))) == 2  # nothing new is stored


def test_rsp_03_a_reject_is_gap_filled() -> None:
    made = bench()
    made.receive("35=D|34=2|58=|")
    assert asked(made, 2, 2) == ["2>3"]


def test_rsp_10_a_gap_fill_is_flagged_and_dated() -> None:
    made = bench()
    made.wait(3)
    made.receive("35=2|34=2|7=1|16=0|")
    assert made.sent == ["35=4|34=1|43=Y|122=20260105-09:00:03.000|123=Y|36=2|"]


@pytest.mark.parametrize(
    ("fields", "tag", "reason"),
    [
        ("7=0|16=0|", 7, 5),
        ("7=4|16=2|", 16, 5),
        ("7=x|16=0|", 7, 6),
        ("7=1|16=-1|", 16, 6),
        ("16=0|", 7, 1),
        ("7=1|", 16, 1),
    ],
)
@pytest.mark.parametrize("early", [False, True])
def test_rsp_07_an_invalid_range_is_rejected(
    fields: str, tag: int, reason: int, early: bool
) -> None:
    made = bench()
    made.receive(f"35=2|34={3 if early else 2}|{fields}")
    assert made.rows[0] == "REJECTED RSP-07"
    assert made.sent[0].startswith("35=3|")
    assert made.sent[0].endswith(f"371={tag}|372=2|373={reason}|")
    assert made.session.next_in == (2 if early else 3)
    assert (made.session.gap is not None) is early


def test_rsp_08_a_range_beyond_the_last_number_has_no_answer() -> None:
    made = bench()
    assert made.receive("35=2|34=2|7=2|16=0|") == [
        "ACCEPTED RSP-01 3/2",
        "RESEND_ANSWERED RSP-08 3/2",
    ]


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("7=50|16=0|", "34=50|43=Y|122=20260105-09:00:00.000|36=5|123=Y|"),
        ("7=5|16=9|", "34=5|43=Y|122=20260105-09:00:00.000|36=5|123=Y|"),
        ("7=4|16=2|", "34=4|43=Y|122=20260105-09:00:00.000|36=3|123=Y|"),
        ("7=9|16=8|", "34=9|43=Y|122=20260105-09:00:00.000|36=5|123=Y|"),
    ],
)
def test_rsp_07_rsp_08_what_engines_answer_where_there_is_nothing_to_send(
    asked: str, answered: str
) -> None:
    by_profile = {"quickfix": [answered], "quickfixj": [answered], "quickfixn": []}
    for profile, sent in by_profile.items():
        made = bench(profile=profile, next_out=4)  # the Logon is 4
        made.receive(f"35=2|34=2|{asked}")
        assert made.sent == [f"35=4|{text}" for text in sent]
        assert made.rows[0] == "ACCEPTED RSP-01"
        assert made.counters == (3, 5)
        # And for an early request, which is answered all the same.
        made.receive(f"35=2|34=9|{asked}")
        assert made.sent == [f"35=4|{text}" for text in sent]


def test_rsp_09_an_application_message_is_resent_not_gap_filled() -> None:
    assert asked(sender("D"), 2, 2) == ["2"]


def test_rsp_12_rsp_13_a_request_that_comes_too_early_is_answered_first() -> None:
    made = bench()
    made.send()
    assert made.receive("35=2|34=5|7=2|16=0|") == [
        "HELD SEQ-06 2/3",
        "GAP_OPENED SEQ-05 2/3",
        "RESENT RSP-01 2/3",
        "RESEND_ANSWERED RSP-12 2/3",
        "RESEND_REQUESTED RRQ-01 2/3",
        "SENT RRQ-01 2/4",
        f"> 35=D|34=2|43=Y|122={T0}.000|11=A|",
        "> 35=2|34=3|7=2|16=0|",
        "! GapNoticed 2-4",
    ]
    # RSP-13: its own gap still exists, and the request itself is only counted when reached.
    assert made.receive("35=4|34=2|43=Y|123=Y|36=5|") == [
        "GAP_FILLED SQR-02 5/4",
        "GAP_CLOSED RRQ-05 5/4",
        "ACCEPTED SEQ-07 6/4",
        "! GapClosed 2-4",
    ]


def test_rsp_14_a_request_with_a_low_number_ends_the_session_unless_flagged() -> None:
    assert bench().receive("35=2|34=1|7=1|16=0|")[0] == "TOO_LOW RSP-14 2/2"
    assert bench().receive(f"35=2|34=1|7=1|16=0|{AGAIN}") == ["DUPLICATE SEQ-04 2/2"]


def test_rsp_15_new_messages_wait_for_the_replay_under_way() -> None:
    made = sender("DDD", replay_batch_max=1)
    assert asked(made, 2, 0) == ["2"]
    assert made.send("35=D|11=NEW|") == ["QUEUED RSP-15 3/6"]
    got = []
    while made.session._replays:
        made.tick()
        got += short(made)
    assert got == ["3", "4", "5"]
    assert made.send()[0] == "SENT SEQ-01 3/7"


def test_rsp_17_the_same_range_over_and_over_ends_the_session() -> None:
    made = sender("D", replay_repeat_max=3)
    for _ in range(3):
        assert asked(made, 2, 0)[0] == "2"
        made.wait(1)
    made.receive("35=2|34=5|7=2|16=0|")
    assert made.rows == ["ACCEPTED RSP-01", "SENT RSP-17"]
    assert made.state is SessionState.CLOSING


def test_rsp_17_rrq_04_requests_in_one_burst_count_once() -> None:
    # A peer that asks at every early message does so before our answer can reach it.
    made = sender("D", replay_repeat_max=1)
    for _ in range(8):
        assert asked(made, 2, 0)[0] == "2"
        made.wait(0.1)
    assert made.state is SessionState.ACTIVE
    made.wait(0.2)
    made.receive("35=2|34=10|7=2|16=0|")
    assert made.rows[-1] == "SENT RSP-17"


def test_rsp_17_another_range_starts_the_count_anew() -> None:
    made = sender("DD", replay_repeat_max=1)
    for begin in (2, 3, 2, 3):
        assert asked(made, begin, 0)
    assert made.state is SessionState.ACTIVE


def test_rsp_17_requests_whose_answer_waits_are_bounded() -> None:
    made = sender("D" * 40, replay_batch_max=1)
    for begin in range(2, 40):
        made.receive(f"35=2|34={made.session.next_in}|7={begin}|16=0|")
        if made.state is SessionState.CLOSING:
            break
    assert begin == 18
    assert made.rows[-1] == "SENT RSP-17"


@pytest.mark.parametrize("after_logout", ["sent", "answered"])
def test_rsp_17_after_a_logout_the_connection_just_ends(after_logout: str) -> None:
    made = sender("D", replay_repeat_max=2)
    if after_logout == "sent":
        made.logout()
    else:
        made.receive("35=5|34=2|")
    for _ in range(3):
        made.receive(f"35=2|34={made.session.next_in}|7=2|16=0|")
        made.wait(1)
    assert made.rows[-1] == "STATE RSP-17"
    assert made.state is SessionState.DISCONNECTED


@pytest.mark.parametrize("end", ["disconnected", "reset", "low"])
def test_a_replay_in_batches_ends_with_what_ends_the_connection(end: str) -> None:
    made = sender("DDDD", replay_batch_max=1)
    assert asked(made, 2, 0) == ["2"]
    if end == "disconnected":
        made.disconnected()
    elif end == "reset":
        made.receive("35=A|34=1|98=0|108=30|141=Y|")
    else:
        made.receive("35=D|34=1|")
    deadline = made.session.deadline
    assert deadline is None or deadline > made.now
    made.tick()
    assert made.output.data == b""


def test_lgo_04_a_replay_in_batches_goes_on_behind_the_logout() -> None:
    made = sender("DDDD", replay_batch_max=1)
    assert asked(made, 2, 0) == ["2"]
    made.receive("35=5|34=3|")
    assert made.state is SessionState.LOGOUT_ANSWERED
    got = []
    while made.session._replays:
        made.tick()
        got += short(made)
    assert got == ["3", "4", "5"]


def test_lgo_08_a_peer_that_keeps_asking_cannot_hold_the_logout_open() -> None:
    made = sender("DDDD", replay_batch_max=1)
    made.logout()
    for second in range(30):
        made.receive(f"35=2|34={made.session.next_in}|7={2 + second % 3}|16=0|")
        if made.tick(1) and made.state is SessionState.DISCONNECTED:
            break
    assert second == 9
    assert made.rows[-2:] == ["TIMED_OUT LGO-08", "STATE LGO-08"]


# SequenceReset ---------------------------------------------


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("begin_string", VERSIONS)
def test_sqr_01_sqr_02_an_expected_gap_fill_moves_on(role: Role, begin_string: str) -> None:
    made = bench(role, begin_string=begin_string)
    assert made.receive("35=4|34=2|123=Y|36=9|") == ["GAP_FILLED SQR-02 9/2"]
    row = made.output.transitions[0]
    assert (row.begin_seq_no, row.end_seq_no) == (2, 8)


def test_sqr_02_what_a_gap_fill_passes_over_is_not_released() -> None:
    made = bench()
    made.receive("35=D|34=4|", "35=D|34=6|")
    made.receive("35=4|34=2|43=Y|123=Y|36=6|")
    assert made.delivered == [6]


def test_sqr_03_a_gap_fill_that_is_too_high_is_held() -> None:
    made = bench()
    assert made.receive("35=4|34=4|123=Y|36=9|")[:2] == [
        "HELD SQR-03 2/2",
        "GAP_OPENED SEQ-05 2/2",
    ]
    assert made.sent == ["35=2|34=2|7=2|16=0|"]
    made.receive(f"35=D|34=2|{AGAIN}", f"35=D|34=3|{AGAIN}")
    assert made.session.next_in == 9


def test_sqr_04_a_low_flagged_gap_fill_is_ignored_whatever_it_says() -> None:
    assert bench(next_in=5).receive("35=4|34=2|43=Y|123=Y|36=99|") == ["DUPLICATE SQR-04 6/2"]


def test_sqr_05_a_low_gap_fill_ends_the_session() -> None:
    made = bench(next_in=5)
    assert made.receive("35=4|34=2|123=Y|36=99|") == [
        "TOO_LOW SQR-05 6/2",
        "SENT SQR-05 6/3 -> CLOSING",
        "> 35=5|34=2|58=MsgSeqNum too low, expecting 6 but received 2|",
    ]


@pytest.mark.parametrize("new", [0, 1, 2])
def test_sqr_06_a_gap_fill_that_does_not_raise_is_rejected_and_not_counted(new: int) -> None:
    text = f"Attempt to lower sequence number, invalid value NewSeqNo(36)={new}"
    assert bench().receive(f"35=4|34=2|123=Y|36={new}|") == [
        "REJECTED SQR-06 2/2",
        "SENT SQR-06 2/3",
        f"> 35=3|34=2|45=2|58={text}|371=36|372=4|373=5|",
    ]


def test_sqr_06_a_bad_gap_fill_that_was_held_does_not_hold_up_the_rest() -> None:
    made = bench()
    made.receive("35=4|34=3|123=Y|36=3|", "35=D|34=4|")
    made.receive(f"35=D|34=2|{AGAIN}")
    assert "REJECTED SQR-06" in made.rows
    assert made.session.gap == (3, 3, 1)
    made.receive("35=4|34=3|43=Y|123=Y|36=4|")
    assert made.delivered == [4]


@pytest.mark.parametrize("mode", ["", "123=N|"])
def test_sqr_07_a_reset_raises_whatever_number_it_has(mode: str) -> None:
    made = bench()
    made.receive("35=D|34=4|", "35=D|34=7|", "35=D|34=9|")
    assert made.receive(f"35=4|34=1|{mode}36=7|") == [
        "RESET_IN SQR-07 7/3",
        "IGNORED SQR-07 7/3",  # 4, held until now
        "ACCEPTED SEQ-02 8/3",
        "! Received 7",
    ]
    assert made.session.gap is not None  # 8 is missing still
    assert made.session.next_in == 8


def test_hbt_03_a_held_test_request_is_answered_though_a_gap_fill_covers_it() -> None:
    made = bench()
    made.receive("35=1|34=3|112=probe|")
    made.receive("35=4|34=2|43=Y|123=Y|36=4|")
    assert made.sent == ["35=0|34=3|112=probe|"]
    assert made.session.next_in == 4


def test_sqr_02_an_order_held_and_then_filled_over_is_not_lost_without_a_row() -> None:
    made = bench()
    made.receive("35=D|34=3|")
    assert made.receive("35=4|34=2|43=Y|123=Y|36=4|") == [
        "GAP_FILLED SQR-02 4/3",
        "IGNORED SQR-02 4/3",
        "GAP_CLOSED RRQ-05 4/3",
        "! GapClosed 2-2",
    ]
    assert made.delivered == []


def test_sqr_07_a_reset_beyond_the_gap_closes_it() -> None:
    made = bench()
    made.receive("35=D|34=4|")
    assert made.receive("35=4|34=1|36=20|") == [
        "RESET_IN SQR-07 20/3",
        "IGNORED SQR-07 20/3",  # 4 was held
        "GAP_CLOSED RRQ-05 20/3",
        "! GapClosed 2-3",
    ]


def test_sqr_08_a_reset_to_the_expected_number_is_recorded() -> None:
    assert bench().receive("35=4|34=1|36=2|") == ["RESET_IN SQR-08 2/2"]


def test_sqr_09_a_reset_never_lowers() -> None:
    text = "Attempt to lower sequence number, NewSeqNo(36)=1 is below 2"
    assert bench().receive("35=4|34=2|36=1|") == [
        "REJECTED SQR-09 2/2",
        "SENT SQR-09 2/3",
        f"> 35=3|34=2|45=2|58={text}|371=36|372=4|373=5|",
    ]


def test_sqr_10_a_flagged_reset_is_a_reset() -> None:
    assert bench().receive(f"35=4|34=1|36=9|{AGAIN}") == ["RESET_IN SQR-07 9/2"]


def test_sqr_11_sqr_12_a_request_is_never_answered_with_a_reset() -> None:
    made = sender("D0-D0")
    made.receive("35=2|34=4|7=1|16=0|")
    fills = [text for text in made.sent if text.startswith("35=4|")]
    assert fills
    assert all("123=Y|" in text for text in fills)


@pytest.mark.parametrize(
    ("field", "reason"), [("", 1), ("36=x|", 6), ("36=-1|", 6), ("36=|", 4)]
)
def test_sqr_13_a_new_number_that_cannot_be_read_is_rejected(field: str, reason: int) -> None:
    for mode, next_in in (("", 2), ("123=Y|", 3)):
        made = bench()
        made.receive(f"35=4|34=2|{mode}{field}")
        assert made.sent[0].endswith(f"371=36|372=4|373={reason}|")
        assert made.session.next_in == next_in, mode


def test_sqr_16_an_answer_that_stops_short_is_asked_for_again_from_there() -> None:
    made = bench()
    made.receive("35=D|34=6|")
    made.receive(f"35=D|34=2|{AGAIN}")
    made.receive("35=D|34=7|")
    assert made.sent == []
    made.receive("35=D|34=8|")
    assert made.rows == ["HELD SEQ-05", "RESEND_REQUESTED RRQ-06", "SENT RRQ-01"]
    assert made.sent == ["35=2|34=3|7=3|16=0|"]
    made.receive(*(f"35=D|34={number}|{AGAIN}" for number in range(3, 6)))
    assert made.delivered == [3, 4, 5, 6, 7, 8]


# Both sides behind at once ---------------------------------------------

LOST = list(itertools.product(range(5), range(5)))


@pytest.mark.parametrize("batch", [1, 1000])
@pytest.mark.parametrize("resend_range", ["open", "exact"])
@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("first", [0, 1])
def test_rsp_12_rsp_13_both_sides_behind_at_once_settle_with_one_request_each(
    first: int, cut: bool, resend_range: str, batch: int
) -> None:
    """Whatever each side lost, with and without a new Logon, whoever speaks first after it."""
    for lost in LOST:
        pair = Pair(resend_range=resend_range, replay_batch_max=batch)
        pair.connect()
        pair.flow()
        for who, count in enumerate(lost):
            pair.send(who, 2)
            pair.lose(who, count)
            pair.send(who, count)
        pair.flow()
        for end in pair.ends:
            end.requests = 0
        if cut:
            pair.cut()
            pair.connect()
        else:
            pair.send(first)
            pair.send(1 - first)
        pair.wait(1)
        assert pair.settled(), (lost, [end.session for end in pair.ends])
        for who, end in enumerate(pair.ends):
            assert end.got == list(range(1, pair.ends[1 - who].sent + 1))
            assert end.requests == (1 if lost[1 - who] else 0), (lost, who)


@pytest.mark.parametrize("resend_range", ["open", "exact"])
@pytest.mark.parametrize("batch", [1, 2, 1000])
def test_two_sides_that_lose_the_recovery_as_well_settle_after_the_time_out(
    resend_range: str, batch: int
) -> None:
    for lost, again in itertools.product((1, 3), (1, 2, 3)):
        pair = Pair(resend_range=resend_range, replay_batch_max=batch)
        pair.connect()
        pair.flow()
        for who in (0, 1):
            pair.lose(who, lost)
            pair.send(who, lost)
        for who in (0, 1):
            pair.send(who)
        pair.lose(0, again)
        pair.lose(1, again)
        pair.flow()
        pair.heal()
        for who, end in enumerate(pair.ends):
            assert end.got == list(range(1, pair.ends[1 - who].sent + 1))


def test_the_transitions_of_a_gap_carry_its_ordinal() -> None:
    made = bench()
    made.receive("35=D|34=3|")
    made.receive(f"35=D|34=2|{AGAIN}")
    made.receive("35=D|34=5|")
    kinds = {TransitionKind.GAP_OPENED, TransitionKind.RESEND_REQUESTED, TransitionKind.HELD}
    assert {row.gap for row in made.output.transitions if row.kind in kinds} == {2}


def test_sqr_04_a_gap_fill_from_too_low_asks_again_for_what_it_meant() -> None:
    # QuickFIX fills from the number of a Logon that was counted meanwhile.
    again = f"43=Y|122={T0}|"
    made = bench()
    made.receive("35=D|34=7|", f"35=D|34=2|{again}", f"35=D|34=3|{again}")
    low = f"35=4|34=3|{again}123=Y|36=7|"
    made.receive(low)
    assert made.rows == ["DUPLICATE SQR-04", "RESEND_REQUESTED RRQ-06", "SENT RRQ-01"]
    assert made.sent == ["35=2|34=3|7=4|16=0|"]
    made.receive(low)  # once more, and it is left to the time-out
    assert made.rows == ["DUPLICATE SQR-04"]
    made.receive(f"35=4|34=4|{again}123=Y|36=7|")
    assert made.delivered[-1] == 7
    made.receive(low)  # nothing is missing any more
    assert made.rows == ["DUPLICATE SQR-04"]
