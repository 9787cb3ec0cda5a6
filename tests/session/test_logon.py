"""The Logon exchange, resets of both numbers, and what is refused without or with a word."""

import pytest

from fixlab.errors import ConfigError, MessageError, StateError
from fixlab.session.transitions import Role, SessionState
from fixlab.stores.memory import MemoryStore
from fixlab.times import NANOSECONDS
from fixlab.wire.message import Message
from tests.session.script import (
    ACCEPTOR,
    INITIATOR,
    NOW,
    ROLES,
    T0,
    VERSIONS,
    Bench,
    bench,
    messages,
    wire,
)

WITH_RESET = VERSIONS[1:]  # FIX.4.0 has no ResetSeqNumFlag(141)


def waiting(role: Role, **settings: object) -> Bench:
    """A bench whose transport is up and whose Logon exchange is not complete."""
    made = Bench(role, **settings)  # type: ignore[arg-type]
    made.connected()
    return made


# The exchange ---------------------------------------------


@pytest.mark.parametrize("begin_string", VERSIONS)
def test_lgn_01_09_an_initiator_sends_its_logon_and_is_active_with_the_answer(
    begin_string: str,
) -> None:
    made = Bench(INITIATOR, begin_string=begin_string)
    version = "1137=9|" if begin_string == "FIXT.1.1" else ""
    assert made.connected() == [
        "SENT LGN-01 1/2 -> LOGON_SENT",
        f"> 35=A|34=1|98=0|108=30|{version}",
    ]
    assert made.receive(f"35=A|34=1|98=0|108=30|{version}") == [
        "ACCEPTED LGN-09 2/2 -> ACTIVE",
        "! Established 30",
    ]


@pytest.mark.parametrize("begin_string", VERSIONS)
def test_lgn_05_09_an_acceptor_waits_then_answers(begin_string: str) -> None:
    made = Bench(ACCEPTOR, begin_string=begin_string)
    version = "1137=9|" if begin_string == "FIXT.1.1" else ""
    assert made.connected() == ["STATE LGN-01 1/1 -> CONNECTED"]
    assert made.receive(f"35=A|34=1|98=0|108=30|{version}") == [
        "ACCEPTED LGN-09 2/1",
        "SENT LGN-05 2/2 -> ACTIVE",
        f"> 35=A|34=1|98=0|108=30|{version}",
        "! Established 30",
    ]


@pytest.mark.parametrize(
    "text", ["35=D|34=1|", "35=5|34=1|", "35=1|34=1|112=T|", "35=4|34=1|36=9|"]
)
def test_lgn_02_dsc_01_an_acceptor_is_silent_to_anything_but_a_logon(text: str) -> None:
    made = waiting(ACCEPTOR)
    got = made.receive(text)
    assert got[:3] == [
        "REJECTED LGN-02 1/1",
        "STATE LGN-02 1/1 -> DISCONNECTED",
        "! Ended LGN-02",
    ]
    assert got[3].startswith("x first message not a Logon but ")
    assert made.sent == []


@pytest.mark.parametrize("text", ["35=D|34=1|", "35=1|34=1|112=T|", "35=3|34=1|45=1|"])
def test_lgn_03_an_initiator_refuses_anything_but_a_logon(text: str) -> None:
    made = waiting(INITIATOR)
    got = made.receive(text)
    assert got[:2] == ["REJECTED LGN-03 2/2", "SENT LGN-03 2/3 -> CLOSING"]
    assert made.sent[0].endswith(" received before the Logon answer|")


def test_rsp_18_a_resend_request_before_the_logon_is_not_answered() -> None:
    assert waiting(ACCEPTOR).receive("35=2|34=1|7=1|16=0|")[0] == "REJECTED LGN-02 1/1"
    made = waiting(INITIATOR)
    assert made.receive("35=2|34=1|7=1|16=0|")[0] == "REJECTED LGN-03 2/2"
    assert [s[:5] for s in made.sent] == ["35=5|"]


@pytest.mark.parametrize("field", ["49=XX", "56=XX", "8=FIX.4.2", "!49"])
@pytest.mark.parametrize("role", ROLES)
def test_lgn_06_32_dsc_01_an_unknown_identity_is_closed_without_a_word(
    role: Role, field: str
) -> None:
    made = waiting(role)
    before = made.counters
    made.receive(f"35=A|34=1|98=0|108=30|{field}|")
    assert made.rows == ["REJECTED LGN-06", "STATE LGN-06"]
    assert made.sent == []
    assert made.counters == before  # LGN-32: an answer would use a number of another session
    assert made.output.disconnect is not None


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("LGN-08", "35=A|34=1|98=0|"),
        ("LGN-08", "35=A|34=1|108=30|"),
        ("LGN-08", "35=A|34=1|98=0|108=30|141=X|"),
        ("LGN-08", "35=A|34=1|98=0|108=30|58=|"),
        ("LGN-16", "35=A|34=1|98=0|108=-5|"),
        ("LGN-16", "35=A|34=1|98=0|108=x|"),
        ("LGN-16", "35=A|34=1|98=0|108=99999999|"),
        ("HDR-04", "35=A|34=1|52=20260105-08:00:00|98=0|108=30|"),
        ("HDR-05", "35=A|34=1|52=x|98=0|108=30|"),
        ("HDR-05", "35=A|34=1|!52|98=0|108=30|"),
        ("LGN-18", "35=A|34=2|98=0|108=30|141=Y|"),
    ],
)
def test_lgn_08_16_18_an_invalid_logon_is_answered_with_logout(
    role: Role, rule: str, text: str
) -> None:
    made = waiting(role)
    next_out = made.session.next_out
    made.receive(text)
    assert made.rows == [f"REJECTED {rule}", f"SENT {rule}"]
    assert [s[:5] for s in made.sent] == ["35=5|"]
    counted = 1 if "34=2" in text else 2
    assert made.counters == (counted, next_out + 1)
    assert made.tick(2) == [
        f"TIMED_OUT LGO-12 {counted}/{next_out + 1}",
        f"STATE LGO-12 {counted}/{next_out + 1} -> DISCONNECTED",
        "! Ended LGO-12",
        "x closed after a protocol error",
    ]


@pytest.mark.parametrize("role", ROLES)
def test_frm_09_a_logon_without_a_number_is_refused(role: Role) -> None:
    made = waiting(role)
    made.receive("35=A|!34|98=0|108=30|")
    assert made.rows == ["REJECTED FRM-09", "SENT FRM-09"]


def test_lgn_10_rrq_08_an_early_logon_is_answered_before_the_gap_is_asked_for() -> None:
    made = waiting(ACCEPTOR, next_in=5, next_out=7)
    assert made.receive("35=A|34=9|98=0|108=30|") == [
        "HELD LGN-10 5/7",
        "SENT LGN-05 5/8 -> ACTIVE",
        "GAP_OPENED LGN-10 5/8",
        "RESEND_REQUESTED RRQ-01 5/8",
        "SENT RRQ-01 5/9",
        "> 35=A|34=7|98=0|108=30|",
        "> 35=2|34=8|7=5|16=0|",
        "! Established 30",
        "! GapNoticed 5-8",
    ]
    made.receive(f"35=D|34=5|43=Y|122={T0}|")
    assert made.receive("35=4|34=6|43=Y|123=Y|36=10|") == [
        "GAP_FILLED SQR-02 10/9",
        "GAP_CLOSED RRQ-05 10/9",
        "! GapClosed 5-8",
    ]


@pytest.mark.parametrize("begin_string", VERSIONS)
def test_lgn_10_an_early_logon_answer_establishes_the_session(begin_string: str) -> None:
    made = waiting(INITIATOR, next_in=5, next_out=7, begin_string=begin_string)
    made.receive(made.logon_text(9))
    assert made.rows[:3] == ["HELD LGN-10", "GAP_OPENED LGN-10", "RESEND_REQUESTED RRQ-01"]
    assert made.state is SessionState.ACTIVE
    # The number of the Logon itself counts once the gap before it is closed.
    assert made.receive("35=4|34=5|43=Y|123=Y|36=9|") == [
        "GAP_FILLED SQR-02 9/9",
        "GAP_CLOSED RRQ-05 9/9",
        "ACCEPTED LGN-10 10/9",
        "! GapClosed 5-8",
    ]


@pytest.mark.parametrize("role", ROLES)
def test_lgn_11_a_logon_with_a_low_number_is_refused(role: Role) -> None:
    made = waiting(role, next_in=5, next_out=1)
    next_out = made.session.next_out
    assert made.receive("35=A|34=4|98=0|108=30|") == [
        f"TOO_LOW LGN-11 5/{next_out}",
        f"SENT LGN-11 5/{next_out + 1} -> CLOSING",
        f"> 35=5|34={next_out}|58=MsgSeqNum too low, expecting 5 but received 4|",
    ]


@pytest.mark.parametrize("role", ROLES)
def test_lgn_13_another_encryption_is_rejected_then_logged_out(role: Role) -> None:
    made = waiting(role)
    made.receive("35=A|34=1|98=9|108=30|")
    assert made.rows == ["REJECTED LGN-13", "SENT LGN-13", "SENT LGN-13"]
    assert "371=98|372=A|373=7|" in made.sent[0]
    assert [s[:5] for s in made.sent] == ["35=3|", "35=5|"]


def test_lgn_14_an_acceptor_adopts_the_interval_it_is_given() -> None:
    made = waiting(ACCEPTOR, heartbeat_seconds=30)
    assert "> 35=A|34=1|98=0|108=7|" in made.receive("35=A|34=1|98=0|108=7|")
    assert made.session.deadline == NOW + 7 * NANOSECONDS
    made.disconnected()
    made.connected()
    made.receive("35=A|34=2|98=0|108=9|")
    assert made.session.deadline == NOW + 9 * NANOSECONDS


def test_lgn_15_an_initiator_refuses_another_interval() -> None:
    made = waiting(INITIATOR)
    made.receive("35=A|34=1|98=0|108=31|")
    assert made.rows == ["REJECTED LGN-15", "SENT LGN-15"]


@pytest.mark.parametrize("role", ROLES)
def test_lgn_16_hbt_02_an_interval_of_0_turns_the_timers_off(role: Role) -> None:
    made = Bench(role, heartbeat_seconds=0)
    made.active()
    assert made.session.deadline is None
    assert made.tick(10**6) == []
    assert "> 35=0|34=2|112=T|" in made.receive("35=1|34=2|112=T|")


@pytest.mark.parametrize("version", [None, "10", "x"])
@pytest.mark.parametrize("role", ROLES)
def test_lgn_25_fixt_needs_a_known_application_version(role: Role, version: str | None) -> None:
    made = waiting(role, begin_string="FIXT.1.1")
    made.receive("35=A|34=1|98=0|108=30|" + (f"1137={version}|" if version else ""))
    assert made.rows == ["REJECTED LGN-25", "SENT LGN-25"]


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ("553=joe|554=hunter2|", True),
        ("553=joe|554=wrong|", False),
        ("553=jim|554=hunter2|", False),
        ("553=joe|", False),
        ("554=hunter2|", False),
        ("", False),
        ("553=joe|554=hunter2\xe9|", False),
    ],
)
def test_lgn_26_user_and_password_must_match(given: str, allowed: bool) -> None:
    made = waiting(ACCEPTOR, username="joe", password="hunter2")
    made.receive(f"35=A|34=1|98=0|108=30|{given}")
    if allowed:
        assert made.state is SessionState.ACTIVE
    else:
        assert made.rows == ["REJECTED LGN-26", "SENT LGN-26"]
        assert made.sent == ["35=5|34=1|58=Invalid Username(553) or Password(554)|"]
    shown = repr(made.output.transitions) + repr(made.output.events) + repr(made.session)
    assert "hunter2" not in shown + repr(made.session.config)
    assert "wrong" not in shown


def test_lgn_26_an_initiator_sends_its_user_and_password() -> None:
    made = Bench(INITIATOR, username="joe", password="hunter2")
    made.connected()
    (logon,) = messages(made.output.data)
    assert (logon[553], logon[554]) == ("joe", "hunter2")
    assert "hunter2" not in repr(made.output.transitions) + repr(logon)


@pytest.mark.parametrize("role", ROLES)
def test_lgn_28_a_logon_that_does_not_come_is_not_awaited_for_ever(role: Role) -> None:
    made = waiting(role)
    assert made.tick(9.999) == []
    made.tick(0.001)
    assert made.rows == ["TIMED_OUT LGN-28", "STATE LGN-28"]
    assert made.sent == []
    assert made.output.disconnect is not None


@pytest.mark.parametrize("role", ROLES)
def test_lgn_29_a_second_logon_without_a_reset_ends_the_session(role: Role) -> None:
    assert bench(role).receive("35=A|34=2|98=0|108=30|") == [
        "REJECTED LGN-29 2/2",
        "SENT LGN-29 2/3 -> CLOSING",
        "> 35=5|34=2|58=Logon received while logged on|",
    ]


# Resets ---------------------------------------------


@pytest.mark.parametrize("begin_string", WITH_RESET)
def test_lgn_17_reset_at_logon_by_the_initiator(begin_string: str) -> None:
    made = Bench(INITIATOR, next_in=5, next_out=7, begin_string=begin_string)
    assert made.reset() == ["STATE LGN-17 5/7"]
    made.connected()
    assert made.rows == ["RESET_BOTH LGN-17", "SENT LGN-01"]
    assert "141=Y|" in made.sent[0]
    assert "35=A|34=1|" in made.sent[0]
    made.receive(made.logon_text(1, "141=Y|"))
    assert made.events == ["Established 30 reset"]
    assert made.counters == (2, 2)
    made.disconnected()
    assert "141=Y" not in made.connected()[1]  # once is enough


@pytest.mark.parametrize("begin_string", WITH_RESET)
def test_lgn_17_reset_at_logon_as_an_acceptor_sees_it(begin_string: str) -> None:
    store = MemoryStore(next_out=7, next_in=5)
    store.save_sent(3, b"old")
    made = waiting(ACCEPTOR, store=store, begin_string=begin_string)
    version = "1137=9|" if begin_string == "FIXT.1.1" else ""
    assert made.receive(made.logon_text(1, "141=Y|")) == [
        "RESET_BOTH LGN-17 1/1",
        "ACCEPTED LGN-09 2/1",
        "SENT LGN-05 2/2 -> ACTIVE",
        f"> 35=A|34=1|98=0|108=30|141=Y|{version}",
        "! Established 30 reset",
    ]
    assert [number for number, _ in store.sent(1, 99)] == [1]


def test_lgn_17_an_answer_that_does_not_repeat_the_flag_will_do_if_it_is_number_1() -> None:
    made = waiting(INITIATOR, reset_on_logon=True, next_in=5, next_out=5)
    assert made.receive("35=A|34=1|98=0|108=30|")[0] == "ACCEPTED LGN-09 2/2 -> ACTIVE"
    made = waiting(INITIATOR, reset_on_logon=True, next_in=5, next_out=5)
    made.receive("35=A|34=5|98=0|108=30|")
    assert made.rows == ["REJECTED LGN-17", "SENT LGN-17"]


def test_lgn_17_an_acceptor_that_always_resets_counts_the_logon_as_number_1() -> None:
    made = waiting(ACCEPTOR, reset_on_logon=True, next_in=9, next_out=9)
    assert made.receive("35=A|34=50|98=0|108=30|") == [
        "RESET_BOTH LGN-17 1/1",
        "ACCEPTED LGN-09 2/1",
        "SENT LGN-05 2/2 -> ACTIVE",
        "> 35=A|34=1|98=0|108=30|141=Y|",
        "! Established 30 reset",
    ]


def test_lgn_17_a_reset_that_was_not_confirmed_is_asked_for_again() -> None:
    made = Bench(INITIATOR, next_in=5, next_out=7)
    made.reset()
    made.connected()
    made.disconnected()
    assert made.connected()[0] == "RESET_BOTH LGN-17 1/1"
    assert "141=Y|" in made.sent[0]


def test_lgn_17_fix_4_0_does_not_know_the_flag() -> None:
    made = waiting(ACCEPTOR, begin_string="FIX.4.0", next_in=1, next_out=4)
    made.receive("35=A|34=1|98=0|108=30|141=Y|")
    assert made.counters == (2, 5)
    with pytest.raises(StateError, match=r"FIX\.4\.0 has no ResetSeqNumFlag"):
        made.reset()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("begin_string", WITH_RESET)
def test_lgn_19_hbt_11_reset_in_session_after_a_round_trip(
    role: Role, begin_string: str
) -> None:
    made = bench(role, begin_string=begin_string)
    version = "1137=9|" if begin_string == "FIXT.1.1" else ""
    assert made.reset() == ["SENT LGN-19 2/3", "> 35=1|34=2|112=ME-2|"]
    with pytest.raises(StateError, match="is resetting"):
        made.send()
    assert made.receive("35=0|34=2|112=ME-2|") == [
        "ACCEPTED HBT-09 3/3",
        "RESET_BOTH LGN-19 1/1",
        "SENT LGN-19 1/2 -> RESET_SENT",
        f"> 35=A|34=1|98=0|108=30|141=Y|{version}",
        "! RoundTrip ME-2 0",
    ]
    with pytest.raises(StateError, match="is resetting"):
        made.send()
    assert made.receive(made.logon_text(1, "141=Y|")) == [
        "ACCEPTED LGN-19 2/2 -> ACTIVE",
        "! Established 30 reset",
    ]
    assert made.send()[0] == "SENT SEQ-01 2/3"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("begin_string", WITH_RESET)
def test_lgn_19_a_reset_by_the_peer(role: Role, begin_string: str) -> None:
    made = bench(role, begin_string=begin_string)
    made.send()
    made.receive("35=D|34=5|")
    version = "1137=9|" if begin_string == "FIXT.1.1" else ""
    assert made.receive(made.logon_text(1, "141=Y|")) == [
        "RESET_BOTH LGN-19 1/1",
        "ACCEPTED LGN-19 2/1",
        "SENT LGN-19 2/2",
        f"> 35=A|34=1|98=0|108=30|141=Y|{version}",
        "! Established 30 reset",
    ]
    assert made.output.transitions[0].gap == 1  # the gap that the reset does away with
    assert made.session.gap is None


def test_lgn_19_a_logout_that_waited_follows_the_peers_reset() -> None:
    made = bench()
    made.receive("35=D|34=5|")
    made.logout("bye")
    made.receive(made.logon_text(1, "141=Y|"))
    assert made.sent == ["35=A|34=1|98=0|108=30|141=Y|", "35=5|34=2|58=bye|"]
    assert made.state is SessionState.LOGOUT_SENT


def test_lgn_19_a_peers_logout_of_the_old_numbers_is_not_answered_in_the_new() -> None:
    made = bench()
    made.receive("35=5|34=5|")
    made.receive(made.logon_text(1, "141=Y|"))
    assert made.tick(10) == []
    assert made.state is SessionState.ACTIVE


def reset_sent(role: Role = INITIATOR) -> Bench:
    made = bench(role)
    made.reset()
    made.receive("35=0|34=2|112=ME-2|")
    assert made.state is SessionState.RESET_SENT
    return made


def test_lgn_19_what_was_in_flight_is_delivered_and_does_not_count() -> None:
    made = reset_sent()
    assert made.receive("35=D|34=3|", "35=0|34=4|", "35=D|34=5|", "35=D|34=9|") == [
        "IGNORED LGN-19 1/2",
        "IGNORED LGN-19 1/2",
        "IGNORED LGN-19 1/2",
        "IGNORED LGN-19 1/2",
        "! Received 3",
        "! Received 5",
    ]


def test_lgn_19_both_sides_may_reset_at_once() -> None:
    made = reset_sent()
    made.receive("35=A|34=1|98=0|108=30|141=Y|")
    assert (made.state, made.counters, made.sent) == (SessionState.ACTIVE, (2, 2), [])


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("35=5|34=3|58=no|", ["IGNORED LGN-19", "STATE LGN-19"]),
        ("35=A|34=1|98=0|108=30|", ["REJECTED LGN-19", "SENT LGN-19"]),
        ("35=D|34=3|49=XX|", ["IGNORED LGN-19"]),
    ],
)
def test_lgn_19_a_reset_may_be_refused(text: str, rows: list[str]) -> None:
    made = reset_sent()
    made.receive(text)
    assert made.rows == rows


@pytest.mark.parametrize("role", ROLES)
def test_lgn_19_a_reset_that_was_not_answered_is_completed_by_the_next_logon(
    role: Role,
) -> None:
    made = reset_sent(role)
    made.tick(10)
    assert made.rows == ["TIMED_OUT LGN-19", "STATE LGN-19"]
    got = made.connected()
    if role is ACCEPTOR:
        got += made.receive("35=A|34=60|98=0|108=30|")
    assert "> 35=A|34=1|98=0|108=30|141=Y|" in got


def test_lgn_19_a_reset_is_refused_while_a_gap_is_open() -> None:
    made = bench()
    made.receive("35=D|34=5|")
    with pytest.raises(StateError, match="wait until no gap is open"):
        made.reset()


def test_lgn_19_a_gap_that_opens_meanwhile_stops_the_reset_and_nothing_held_is_lost() -> None:
    made = bench()
    made.reset()
    made.receive("35=0|34=3|112=ME-2|", "35=D|34=4|")
    made.receive(f"35=D|34=2|43=Y|122={T0}|")
    assert made.delivered == [2, 4]
    assert "STATE LGN-19" in made.rows
    assert made.state is SessionState.ACTIVE
    assert made.send()[0].startswith("SENT SEQ-01")


def test_lgn_19_an_answer_that_never_comes_does_not_block_sending_for_ever() -> None:
    made = bench()
    made.reset()
    assert made.session.deadline == NOW + 10 * NANOSECONDS
    assert made.tick(10)[0] == "TIMED_OUT LGN-19 2/3"
    assert made.send()[0] == "SENT SEQ-01 2/4"


def test_lgn_19_a_reset_that_a_lost_connection_cut_short_does_not_block_sending() -> None:
    made = bench()
    made.reset()
    made.disconnected()
    assert made.send() == ["QUEUED SCH-07 2/4"]


def test_lgn_20_an_answer_with_a_reset_that_was_not_asked_for() -> None:
    made = waiting(INITIATOR, next_in=9, next_out=9)
    assert made.receive("35=A|34=1|98=0|108=30|141=Y|") == [
        "RESET_BOTH LGN-20 1/2",
        "ACCEPTED LGN-09 2/2 -> ACTIVE",
        "! Established 30 reset",
    ]
    assert made.send()[0] == "SENT SEQ-01 2/3"


# Sending before the session is up ---------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_sch_07_messages_sent_while_disconnected_are_numbered_and_recovered(role: Role) -> None:
    made = Bench(role)
    assert made.send() == ["QUEUED SCH-07 1/2"]
    made.active()
    made.wait(5)
    made.receive("35=2|34=2|7=1|16=0|")
    assert made.sent == [
        f"35=D|34=1|43=Y|122={T0}.000|11=A|",
        f"35=4|34=2|43=Y|122={T0[:-2]}05.000|123=Y|36=3|",
    ]


def test_lgn_04_sch_08_messages_sent_during_the_logon_leave_right_after_it() -> None:
    made = waiting(INITIATOR)
    assert made.send() == ["QUEUED SCH-07 1/3"]
    made.wait(1)
    assert made.receive("35=A|34=1|98=0|108=30|") == [
        "ACCEPTED LGN-09 2/3 -> ACTIVE",
        "RESENT RSP-01 2/3",
        "RESEND_ANSWERED SCH-08 2/3",
        f"> 35=D|34=2|43=Y|122={T0}.000|11=A|",
        "! Established 30",
    ]


def test_sch_08_all_that_was_sent_during_the_logon_leaves_after_it() -> None:
    made = waiting(INITIATOR)
    for _ in range(3):
        made.send()
    made.receive("35=A|34=1|98=0|108=30|")
    assert [text[:10] for text in made.sent] == ["35=D|34=2|", "35=D|34=3|", "35=D|34=4|"]


def test_sch_07_a_refused_logon_leaves_what_was_queued_for_the_next_one() -> None:
    made = waiting(INITIATOR)
    made.send()
    made.receive("35=5|34=1|58=not now|")
    assert made.events == ["Ended LGO-10"]
    made.connected()
    made.receive("35=A|34=2|98=0|108=30|")
    made.receive("35=2|34=3|7=1|16=0|")
    assert "35=D|34=2|43=Y|" in made.sent[1]


@pytest.mark.parametrize("state", ["closing", "logout"])
def test_sch_07_messages_sent_at_the_end_are_queued(state: str) -> None:
    made = bench()
    if state == "closing":
        made.receive("35=D|34=1|")
    else:
        made.logout()
    assert made.send()[0].startswith("QUEUED SCH-07")
    assert made.output.data == b""


# The caller's mistakes ---------------------------------------------


def test_a_call_in_the_wrong_state_says_so() -> None:
    made = bench()
    with pytest.raises(
        StateError, match=r"FIX\.4\.4:ME->YOU is ACTIVE; it must be DISCONNECTED"
    ):
        made.connected()
    made.logout()
    for call in (made.logout, made.reset, made.test_request):
        with pytest.raises(StateError, match="needs an ACTIVE session"):
            call()
    made.disconnected()
    assert made.disconnected() == []
    assert made.receive("35=D|34=2|") == []
    assert made.tick(1000) == []
    for count in (0, 10**12):
        with pytest.raises(ConfigError, match="takes 1 to 1,000,000 numbers"):
            made.skip(count)


def test_what_only_the_session_may_send_is_refused() -> None:
    made = bench()
    with pytest.raises(MessageError, match="Heartbeat belongs to the session"):
        made.send("35=0|")
    received = Message.from_wire(wire("35=D|34=2|"))
    with pytest.raises(MessageError, match="came from the wire"):
        made.session.send(received, NOW)
    assert made.counters == (2, 2)


def test_frm_13_a_message_too_large_to_be_replayed_is_refused_before_it_has_a_number() -> None:
    made = bench(message_bytes_max=256)
    with pytest.raises(MessageError, match="exceeds"):
        made.send("35=D|58=" + "x" * 256 + "|")
    made.disconnected()
    with pytest.raises(MessageError, match="exceeds"):
        made.send("35=D|58=" + "x" * 256 + "|")
    assert made.counters == (2, 2)


def test_frm_13_the_largest_message_can_be_replayed_to_a_peer_with_the_same_limit() -> None:
    made = bench(message_bytes_max=256, timestamp_digits=9)
    size = 200
    while size:
        try:
            made.send("35=D|58=" + "x" * size + "|")
            break
        except MessageError:
            size -= 1
    made.receive("35=2|34=2|7=2|16=2|")
    assert 245 < len(made.output.data) <= 256


@pytest.mark.parametrize("test_req_id", ["", "a\x01b", "\u20ac", "x" * 201])
def test_hbt_08_a_test_req_id_that_could_not_come_back_is_refused(test_req_id: str) -> None:
    made = bench()
    with pytest.raises(MessageError, match=r"TestReqID\(112\)"):
        made.test_request(test_req_id)
    assert made.counters == (2, 2)


def test_a_logout_text_is_limited() -> None:
    made = bench()
    with pytest.raises(MessageError, match=r"Text\(58\)"):
        made.logout("x" * 1001)
    assert made.logout("a\x01b\u20ac")[-1] == "> 35=5|34=2|58=a b?|"


def test_dsc_04_a_store_edited_while_disconnected_is_believed() -> None:
    made = bench()
    made.disconnected()
    made.session.store.next_out()
    made.session.store.observed_in(6)
    due = made.session.store.peek_out()
    made.send()
    assert made.output.transitions[0].msg_seq_num == due
    assert made.session.next_in == 7


@pytest.mark.parametrize("fields", ["98=hunter2|108=30|", "98=0|108=hunter2|"])
def test_lgn_26_a_secret_in_the_wrong_field_of_a_logon_is_not_repeated(fields: str) -> None:
    made = Bench(Role.ACCEPTOR)
    made.connected()
    told = made.receive(f"35=A|34=1|{fields}")
    assert told
    assert "hunter2" not in " ".join(told) + str(made.output)
