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
def test_lgn_01_lgn_09_an_initiator_sends_its_logon_and_is_active_with_the_answer(
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
def test_lgn_05_lgn_09_an_acceptor_waits_then_answers(begin_string: str) -> None:
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
    # Not processed, so not counted: the next Logon brings it back.
    assert got[:2] == ["REJECTED LGN-03 1/2", "SENT LGN-03 1/3 -> CLOSING"]
    assert made.sent[0].endswith(" received before the Logon answer|")


def test_rsp_18_a_resend_request_before_the_logon_is_not_answered() -> None:
    assert waiting(ACCEPTOR).receive("35=2|34=1|7=1|16=0|")[0] == "REJECTED LGN-02 1/1"
    made = waiting(INITIATOR)
    assert made.receive("35=2|34=1|7=1|16=0|")[0] == "REJECTED LGN-03 1/2"
    assert [s[:5] for s in made.sent] == ["35=5|"]


@pytest.mark.parametrize("field", ["49=XX", "56=XX", "8=FIX.4.2", "!49"])
@pytest.mark.parametrize("role", ROLES)
def test_lgn_06_lgn_32_dsc_01_an_unknown_identity_is_closed_without_a_word(
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
@pytest.mark.parametrize("method", ["1", "4", "9"])
def test_lgn_13_tls_04_encryption_is_rejected_then_logged_out(role: Role, method: str) -> None:
    made = waiting(role)
    made.receive(f"35=A|34=1|98={method}|108=30|")
    assert made.rows == ["REJECTED LGN-13", "SENT LGN-13", "SENT LGN-13"]
    assert "371=98|372=A|373=7|" in made.sent[0]
    assert [s[:5] for s in made.sent] == ["35=3|", "35=5|"]


@pytest.mark.parametrize("profile", ["quickfix", "quickfixj", "quickfixn"])
def test_lgn_13_engines_that_do_not_heed_the_encryption_asked_for(profile: str) -> None:
    made = waiting(ACCEPTOR, profile=profile)
    assert "> 35=A|34=1|98=0|108=30|" in made.receive("35=A|34=1|98=1|108=30|")
    assert made.state is SessionState.ACTIVE
    made = waiting(INITIATOR, profile=profile)
    made.receive("35=A|34=1|98=1|108=30|")
    assert made.state is SessionState.ACTIVE


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


def test_lgn_28_quickfix_waits_for_a_logon_for_as_long_as_it_takes() -> None:
    made = waiting(ACCEPTOR, profile="quickfix")
    assert made.session.deadline is None
    made.wait(3_600)
    assert made.tick() == []
    made.receive("35=A|34=1|98=0|108=30|")
    assert made.state is SessionState.ACTIVE
    assert waiting(INITIATOR, profile="quickfix").session.deadline is not None


@pytest.mark.parametrize("role", ROLES)
def test_lgn_29_a_second_logon_without_a_reset_ends_the_session(role: Role) -> None:
    assert bench(role).receive("35=A|34=2|98=0|108=30|") == [
        "REJECTED LGN-29 2/2",
        "SENT LGN-29 2/3 -> CLOSING",
        "> 35=5|34=2|58=Logon received while logged on|",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "35=A|34=2|98=0|108=30|",
        "35=A|34=9|98=0|108=30|",
        "35=A|34=1|98=0|108=30|",
        f"35=A|34=2|43=Y|122={T0}|98=0|108=30|",
    ],
)
def test_lgn_29_quickfix_closes_over_a_second_logon_without_a_word(text: str) -> None:
    made = bench(profile="quickfix")
    made.receive(text)
    assert made.rows == ["REJECTED LGN-29", "STATE LGN-29"]
    assert made.sent == []
    assert made.state is SessionState.DISCONNECTED
    assert made.counters == (2, 2)  # the number did not count


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


def test_lgn_20_quickfix_answers_it_with_a_logon_of_its_own() -> None:
    made = waiting(INITIATOR, profile="quickfix", next_in=9, next_out=9)
    assert made.receive("35=A|34=1|98=0|108=30|141=Y|") == [
        "RESET_BOTH LGN-20 1/1",
        "ACCEPTED LGN-09 2/1 -> ACTIVE",
        "SENT LGN-20 2/2",
        "> 35=A|34=1|98=0|108=30|141=Y|",
        "! Established 30 reset",
    ]
    assert made.send()[0] == "SENT SEQ-01 2/3"
    asked = waiting(INITIATOR, profile="quickfix", reset_on_logon=True)
    asked.receive("35=A|34=1|98=0|108=30|141=Y|")
    assert asked.sent == []  # it has asked for the reset


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


# What a Logon and its header say ---------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_hdr_03_every_message_has_the_further_parts_of_the_address(role: Role) -> None:
    made = bench(
        role,
        sender_sub_id="DESK",
        target_sub_id="OMS",
        sender_location_id="LON",
        target_location_id="NYC",
    )
    parts = "50=DESK|57=OMS|142=LON|143=NYC|"
    made.send()
    assert made.sent == [f"35=D|34=2|{parts}11=A|"]
    made.test_request("T")
    assert made.sent == [f"35=1|34=3|{parts}112=T|"]
    made.receive("35=2|34=2|7=1|16=0|")
    for text in made.sent:
        assert parts in text
    # A peer that leaves them out, or has others, is the same peer (HDR-03).
    assert made.receive("35=D|34=3|50=X|57=Y|")[0] == "ACCEPTED SEQ-02 4/4"


@pytest.mark.parametrize("role", ROLES)
def test_lgn_01_05_further_fields_of_the_own_logon(role: Role) -> None:
    made = Bench(role, logon_fields=((383, "4096"), (9001, "a"), (115, "FIRM")))
    told = made.connected()
    if role is ACCEPTOR:
        told = made.receive(made.logon_text())
    # A header field goes to the header, whatever its place in the list (FRM-14).
    assert "> 35=A|34=1|115=FIRM|98=0|108=30|383=4096|9001=a|" in told


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("own", "field", "good"),
    [
        (True, "464=Y|", True),
        (True, "464=N|", False),
        (True, "", False),
        (False, "464=N|", True),
        (False, "", True),
        (False, "464=Y|", False),
        (None, "464=Y|", True),
    ],
)
def test_hdr_13_a_test_system_and_a_production_system_part(
    role: Role, own: bool | None, field: str, good: bool
) -> None:
    made = waiting(role, test_session=own)
    made.receive(f"35=A|34=1|98=0|108=30|{field}")
    if good:
        assert made.state is SessionState.ACTIVE
        return
    assert made.rows == ["REJECTED HDR-13", "SENT HDR-13"]
    kind = "a test" if own else "no test"
    assert made.sent[0].endswith(f"58=TestMessageIndicator(464): this is {kind} session|")


@pytest.mark.parametrize(("own", "sent"), [(True, "464=Y|"), (False, "464=N|"), (None, "")])
def test_hdr_13_the_own_logon_says_which_it_is(own: bool | None, sent: str) -> None:
    made = Bench(INITIATOR, test_session=own)
    assert made.connected()[1] == f"> 35=A|34=1|98=0|108=30|{sent}"


@pytest.mark.parametrize("role", ROLES)
def test_frm_13_nothing_larger_than_the_peer_takes_is_sent(role: Role) -> None:
    made = waiting(role)
    made.receive("35=A|34=1|98=0|108=30|383=300|")
    assert made.state is SessionState.ACTIVE
    with pytest.raises(
        MessageError, match=r"exceeds 260: the peer's MaxMessageSize\(383\) 300"
    ):
        made.send("35=D|58=" + "x" * 220 + "|")
    assert made.counters == (2, 2)
    made.send("35=D|58=" + "x" * 150 + "|")
    # It is remembered while the connection is down, and forgotten with the next Logon.
    made.disconnected()
    with pytest.raises(MessageError, match="MaxMessageSize"):
        made.send("35=D|58=" + "x" * 220 + "|")
    made.connected()
    made.receive(made.logon_text(2))
    made.send("35=D|58=" + "x" * 220 + "|")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("size", "rule"), [("255", "FRM-13"), ("0", "FRM-13"), ("x", "LGN-08"), ("-1", "LGN-08")]
)
def test_frm_13_a_size_too_small_to_work_with_is_refused(
    role: Role, size: str, rule: str
) -> None:
    made = waiting(role)
    made.receive(f"35=A|34=1|98=0|108=30|383={size}|")
    assert made.rows == [f"REJECTED {rule}", f"SENT {rule}"]
    if rule == "FRM-13":
        assert f"58=MaxMessageSize(383) {size} is too small, 256 are needed|" in made.sent[0]
    old = waiting(role, begin_string="FIX.4.1")  # which does not know the field
    old.receive(f"35=A|34=1|98=0|108=30|383={size}|")
    assert old.state is SessionState.ACTIVE


@pytest.mark.parametrize(
    ("seconds", "good"), [(9, False), (10, True), (60, True), (61, False), (0, False)]
)
def test_lgn_14_an_acceptor_may_insist_on_a_range(seconds: int, good: bool) -> None:
    made = waiting(ACCEPTOR, heartbeat_range_seconds=(10, 60))
    made.receive(f"35=A|34=1|98=0|108={seconds}|")
    if good:
        assert f"35=A|34=1|98=0|108={seconds}|" in made.sent
    else:
        assert made.rows == ["REJECTED LGN-14", "SENT LGN-14"]
        text = f"HeartBtInt(108) must be 10 to 60 seconds, received {seconds}"
        assert made.sent == [f"35=5|34=1|58={text}|"]


def test_lgn_14_the_range_binds_the_acceptor_only() -> None:
    made = waiting(INITIATOR, heartbeat_range_seconds=(60, 90))
    made.receive("35=A|34=1|98=0|108=30|")
    assert made.state is SessionState.ACTIVE


def test_lgn_15_engines_that_heed_no_other_interval_go_on_with_their_own() -> None:
    made = waiting(INITIATOR, profile="quickfix")
    made.receive("35=A|34=1|98=0|108=5|")
    assert made.state is SessionState.ACTIVE
    assert made.output.transitions[0].text == "HeartBtInt(108) 5 in the answer is not heeded"
    assert made.events == ["Established 30"]
    assert made.session.deadline == NOW + 30 * NANOSECONDS


@pytest.mark.parametrize("value", ["-5", "", "x"])
def test_lgn_16_engines_that_heed_no_other_interval_still_want_a_number(value: str) -> None:
    made = waiting(INITIATOR, profile="quickfixj")
    made.receive(f"35=A|34=1|98=0|108={value}|")
    assert made.state is SessionState.DISCONNECTED
    assert made.rows[0].startswith("REJECTED LGN-")


@pytest.mark.parametrize("role", ROLES)
def test_lgn_12_a_retransmitted_logon_begins_nothing(role: Role) -> None:
    made = waiting(role)
    made.receive(f"35=A|34=1|43=Y|122={T0}|98=0|108=30|141=Y|")
    assert made.rows[0] == ("REJECTED LGN-02" if role is ACCEPTOR else "REJECTED LGN-03")
    assert made.state is not SessionState.ACTIVE


@pytest.mark.parametrize(
    ("number", "row"),
    [(1, "DUPLICATE SEQ-04 2/2"), (2, "ACCEPTED SEQ-14 3/2"), (5, "HELD SEQ-05 2/2")],
)
def test_lgn_12_a_retransmitted_logon_in_session_is_only_counted(number: int, row: str) -> None:
    made = bench()
    told = made.receive(f"35=A|34={number}|43=Y|122={T0}|98=0|108=30|141=Y|")
    assert told[0] == row
    assert not any(text.startswith("35=A|") for text in made.sent)
    assert made.state is SessionState.ACTIVE


def test_lgn_12_a_retransmitted_logon_does_not_confirm_a_reset() -> None:
    made = reset_sent()
    made.receive(f"35=A|34=1|43=Y|122={T0}|98=0|108=30|141=Y|")
    assert made.rows == ["IGNORED LGN-19"]
    assert made.state is SessionState.RESET_SENT


@pytest.mark.parametrize("number", [2, 7])
def test_lgn_18_some_engines_take_any_number_with_the_flag(number: int) -> None:
    made = waiting(ACCEPTOR, profile="quickfix", next_in=number, next_out=9)
    made.receive(f"35=A|34={number}|98=0|108=30|141=Y|")
    assert made.rows[:2] == ["RESET_BOTH LGN-17", "ACCEPTED LGN-09"]
    assert made.counters == (2, 2)
    mine = waiting(INITIATOR, profile="quickfix", reset_on_logon=True)
    mine.receive(f"35=A|34={number}|98=0|108=30|141=Y|")
    assert (mine.state, mine.counters) == (SessionState.ACTIVE, (2, 2))
    strict = waiting(ACCEPTOR, next_in=number, next_out=9)
    strict.receive(f"35=A|34={number}|98=0|108=30|141=Y|")
    assert strict.rows == ["REJECTED LGN-18", "SENT LGN-18"]
    assert strict.counters == (number + 1, 10)


@pytest.mark.parametrize(
    ("text", "settings", "status"),
    [
        ("35=A|34=1|98=0|108=30|1137=9|553=joe|", {}, "1409=5|"),
        # 9 and 10 are in no published dictionary, so Text(58) alone says these.
        ("35=A|34=1|98=0|108=30|1137=9|553=joe|554=pw|", {"next_in": 3}, ""),
        ("35=A|34=1|98=0|108=30|1137=9|553=joe|554=pw|789=9|", {"next_expected": True}, ""),
        ("35=A|34=1|98=0|108=30|553=joe|554=pw|", {}, ""),
    ],
)
def test_lgn_26_11_23_a_refusal_in_fixt_has_a_status(
    text: str, settings: dict[str, object], status: str
) -> None:
    made = waiting(ACCEPTOR, begin_string="FIXT.1.1", username="joe", password="pw", **settings)
    made.receive(text)
    assert made.sent[0].startswith("35=5|34=1|58=")
    assert made.sent[0].endswith(f"|{status}")
    assert ("1409=" in made.sent[0]) == bool(status)


@pytest.mark.parametrize("begin_string", VERSIONS)
def test_lgn_26_the_application_may_refuse_a_logon(begin_string: str) -> None:
    seen: list[Message] = []

    def admit(message: Message) -> str | None:
        seen.append(message)
        return "no more today" if len(seen) == 1 else None

    made = waiting(ACCEPTOR, admit=admit, begin_string=begin_string)
    made.receive(made.logon_text())
    assert made.rows == ["REJECTED LGN-26", "SENT LGN-26"]
    assert made.sent == ["35=5|34=1|58=no more today|"]
    assert made.counters == (2, 2)  # LGN-32: refused with a Logout, so its number is used
    made.disconnected()
    made.connected()
    made.receive(made.logon_text())
    assert made.state is SessionState.ACTIVE
    assert [message[34] for message in seen] == ["1", "2"]


def test_lgn_26_the_application_is_asked_only_about_a_logon_that_is_good() -> None:
    asked: list[str] = []

    def admit(message: Message) -> str | None:
        asked.append(message[34])
        return ""

    for text in ("35=A|34=1|98=0|", "35=A|34=1|98=0|108=30|554=x|", "35=A|34=2|98=0|108=30|"):
        made = waiting(ACCEPTOR, admit=admit, password="pw", next_in=3)
        made.receive(text + "554=pw|" * (text[5] == "2"))
    assert asked == []
    made = waiting(ACCEPTOR, admit=admit)
    made.receive(made.logon_text())
    assert asked == ["1"]
    assert made.sent == ["35=5|34=1|58=Logon refused|"]  # an empty text refuses, too


def test_lgn_26_a_refusal_of_the_application_is_cut_and_resets_nothing() -> None:
    made = waiting(ACCEPTOR, admit=lambda _: "x" * 5000, next_in=7, next_out=7)
    made.receive(made.logon_text(1, "141=Y|"))
    assert made.rows == ["REJECTED LGN-26", "SENT LGN-26"]
    assert made.counters == (7, 8)
    assert 1000 < len(made.sent[0]) < 1100


def test_lgn_26_an_error_of_the_application_is_the_callers_to_see() -> None:
    def admit(message: Message) -> str | None:
        raise LookupError("no such user")

    made = waiting(ACCEPTOR, admit=admit)
    with pytest.raises(LookupError, match="no such user"):
        made.receive(made.logon_text())
    assert made.state is SessionState.CONNECTED
    assert made.counters == (1, 1)
    assert made.tick(10)[0] == "TIMED_OUT LGN-28 1/1"


def test_lgn_26_an_initiator_does_not_ask_about_the_answer() -> None:
    made = waiting(INITIATOR, admit=lambda _: "never")
    made.receive(made.logon_text())
    assert made.state is SessionState.ACTIVE


def test_lgn_27_a_new_password_reaches_the_application_and_nothing_else() -> None:
    seen: list[str | None] = []
    made = waiting(ACCEPTOR, admit=lambda message: seen.append(message.get(925)))
    told = made.receive(made.logon_text(1, "925=hunter3|"))
    assert seen == ["hunter3"]
    assert made.state is SessionState.ACTIVE
    assert "hunter3" not in "".join(told) + repr(made.output.transitions)
    made = waiting(INITIATOR)
    made.receive(made.logon_text(1, "925=hunter3|"))  # no session of its own reads it
    assert made.state is SessionState.ACTIVE


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("35=A|34=1|98=0|", "LGN-08"),
        ("35=A|34=1|108=30|", "LGN-08"),
        ("35=A|34=1|52=20260105-08:00:00|98=0|108=30|", "HDR-04"),
    ],
)
def test_lgn_08_lgn_32_some_engines_close_over_an_invalid_logon_without_a_word(
    role: Role, text: str, rule: str
) -> None:
    made = waiting(role, profile="quickfix")
    before = made.counters
    made.receive(text)
    assert made.rows == [f"REJECTED {rule}", f"STATE {rule}"]
    assert made.sent == []
    assert made.counters == before
    assert made.output.disconnect is not None


def test_lgn_03_some_engines_close_when_the_logon_is_not_answered_by_one() -> None:
    made = waiting(INITIATOR, profile="quickfix")
    made.receive("35=D|34=1|")
    assert made.rows == ["REJECTED LGN-03", "STATE LGN-03"]


def test_lgn_11_26_what_those_engines_still_answer() -> None:
    low = waiting(ACCEPTOR, profile="quickfix", next_in=5)
    low.receive("35=A|34=1|98=0|108=30|")
    assert low.sent == ["35=5|34=1|58=MsgSeqNum too low, expecting 5 but received 1|"]
    made = waiting(ACCEPTOR, profile="quickfix", admit=lambda _: "not you")
    made.receive("35=A|34=1|98=0|108=30|")
    assert made.sent == ["35=5|34=1|58=not you|"]


def test_lgn_30_sch_09_what_was_queued_before_the_logon_waits_for_the_peers_request() -> None:
    made = Bench(INITIATOR)
    made.send()
    made.connected()
    made.receive("35=A|34=1|98=0|108=30|")
    assert made.sent == []
    # The Logon's number tells the peer of it; what is new leaves behind it.
    made.receive("35=2|34=2|7=1|16=0|")
    assert [text[:10] for text in made.sent] == ["35=D|34=1|", "35=4|34=2|"]


# NextExpectedMsgSeqNum(789) ---------------------------------------------


@pytest.mark.parametrize("begin_string", ["FIX.4.4", "FIXT.1.1"])
def test_lgn_21_both_sides_tell_what_they_expect(begin_string: str) -> None:
    version = "1137=9|" if begin_string == "FIXT.1.1" else ""
    mine = Bench(
        INITIATOR, next_expected=True, next_in=5, next_out=7, begin_string=begin_string
    )
    assert mine.connected()[1] == f"> 35=A|34=7|98=0|108=30|789=5|{version}"
    made = waiting(
        ACCEPTOR, next_expected=True, next_in=5, next_out=7, begin_string=begin_string
    )
    # In sequence: the Logon itself is counted by then.
    assert made.receive(f"35=A|34=5|98=0|108=30|789=7|{version}") == [
        "ACCEPTED LGN-09 6/7",
        "SENT LGN-05 6/8 -> ACTIVE",
        f"> 35=A|34=7|98=0|108=30|789=6|{version}",
        "! Established 30",
    ]


def test_lgn_22_lgn_24_sqr_12_an_acceptor_resends_unasked_and_does_not_ask() -> None:
    made = Bench(ACCEPTOR, next_expected=True, next_in=5)
    for _ in range(3):
        made.send()
    made.connected()
    assert made.receive("35=A|34=9|98=0|108=30|789=2|") == [
        "HELD LGN-10 5/4",
        "SENT LGN-05 5/5 -> ACTIVE",
        "GAP_OPENED LGN-10 5/5",
        "STATE LGN-24 5/5",
        "RESENT RSP-01 5/5",
        "RESENT RSP-01 5/5",
        "FILL_SENT RSP-04 5/5",
        "RESEND_ANSWERED LGN-22 5/5",
        "> 35=A|34=4|98=0|108=30|789=5|",
        f"> 35=D|34=2|43=Y|122={T0}.000|11=A|",
        f"> 35=D|34=3|43=Y|122={T0}.000|11=A|",
        f"> 35=4|34=4|43=Y|122={T0}.000|123=Y|36=5|",
        "! Established 30",
        "! GapNoticed 5-8",
    ]
    # The peer resends by itself; the held Logon counts behind it, its gap fill is a repeat.
    made.receive("35=4|34=5|43=Y|123=Y|36=9|")
    assert made.rows == ["GAP_FILLED SQR-02", "GAP_CLOSED RRQ-05", "ACCEPTED LGN-10"]
    assert made.receive("35=4|34=9|43=Y|123=Y|36=10|") == ["DUPLICATE SQR-04 10/5"]


def test_sqr_04_an_initiator_fills_apart_what_the_acceptor_may_lack() -> None:
    made = Bench(INITIATOR, next_expected=True)
    for _ in range(2):
        made.connected()
        made.disconnected()
    made.connected()  # the third Logon, number 3; the acceptor has the first one
    made.receive("35=A|34=1|98=0|108=30|789=2|")
    # A receiver that expects 2 ignores the first of these; it must not cover what it lacks.
    assert [text for text in made.sent if "123=Y" in text] == [
        f"35=4|34=1|43=Y|122={T0}.000|123=Y|36=2|",
        f"35=4|34=2|43=Y|122={T0}.000|123=Y|36=4|",
    ]


def test_lgn_22_24_an_initiator_resends_unasked_and_does_not_ask() -> None:
    made = Bench(INITIATOR, next_expected=True, next_in=5)
    for _ in range(3):
        made.send()
    made.connected()
    made.send()  # while the Logon is out: it follows last
    # The answer of QuickFIX 1.16 to an early Logon expects one too many: it lacks number 2.
    made.receive("35=A|34=9|98=0|108=30|789=3|")
    assert made.rows == [
        "HELD LGN-10",
        "GAP_OPENED LGN-10",
        "STATE LGN-24",
        "RESENT RSP-01",
        "RESEND_ANSWERED LGN-22",
        "RESENT RSP-01",
        "FILL_SENT RSP-04",
        "RESEND_ANSWERED LGN-22",
        "RESENT RSP-01",
        "RESEND_ANSWERED SCH-08",
    ]
    assert [text[:10] for text in made.sent] == [
        "35=D|34=2|",
        "35=D|34=3|",
        "35=4|34=4|",
        "35=D|34=5|",
    ]


@pytest.mark.parametrize("role", ROLES)
def test_lgn_22_a_peer_that_has_it_all_gets_nothing_again(role: Role) -> None:
    made = Bench(role, next_expected=True)
    made.send()
    made.connected()
    made.receive(made.logon_text())
    assert not any(row.startswith(("RESENT", "FILL_SENT")) for row in made.rows)
    assert made.state is SessionState.ACTIVE


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("beyond", [1, 50])
def test_lgn_23_a_peer_that_expects_more_than_was_sent_is_refused(
    role: Role, beyond: int
) -> None:
    made = waiting(role, next_expected=True, next_out=4)
    sent = made.session.next_out
    made.receive(f"35=A|34=1|98=0|108=30|789={sent + beyond}|")
    assert made.rows == ["REJECTED LGN-23", "SENT LGN-23"]
    text = f"NextExpectedMsgSeqNum too high, expecting {sent} but received {sent + beyond}"
    assert made.sent == [f"35=5|34={sent}|58={text}|"]
    assert made.session.next_in == 2


def test_lgn_23_quickfixj_words_it_in_its_own_way() -> None:
    made = waiting(ACCEPTOR, next_expected=True, profile="quickfixj")
    made.receive("35=A|34=1|98=0|108=30|789=5|")
    text = "Tag 789 (NextExpectedMsgSeqNum) is higher than expected. Expected 1, Received 5"
    assert made.sent == [f"35=5|34=1|58={text}|"]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("field", ["", "789=0|", "789=x|", "789=-1|"])
def test_lgn_23_agreed_but_missing_or_no_number(role: Role, field: str) -> None:
    made = waiting(role, next_expected=True)
    made.receive(f"35=A|34=1|98=0|108=30|{field}")
    assert made.rows == ["REJECTED LGN-23", "SENT LGN-23"]


@pytest.mark.parametrize("role", ROLES)
def test_lgn_24_rrq_06_what_does_not_come_by_itself_is_asked_for(role: Role) -> None:
    made = waiting(role, next_expected=True, next_in=2, heartbeat_seconds=0)
    made.receive(made.logon_text(5))
    assert made.session.gap is not None
    assert made.tick(29.9) == []
    made.tick(0.1)
    assert made.rows == ["TIMED_OUT RRQ-06", "RESEND_REQUESTED RRQ-01", "SENT RRQ-01"]
    number = made.session.next_out - 1
    assert made.sent == [f"35=2|34={number}|7=2|16=0|"]
    # That was the first request: it is repeated once before the session ends.
    made.tick(30)
    assert made.rows == ["TIMED_OUT RRQ-06", "RESEND_REQUESTED RRQ-06", "SENT RRQ-01"]
    made.tick(30)
    assert made.rows == ["TIMED_OUT RRQ-06", "GAP_ABANDONED RRQ-09", "SENT RRQ-06"]


@pytest.mark.parametrize("role", ROLES)
def test_lgn_22_24_a_received_789_is_heeded_only_when_agreed(role: Role) -> None:
    made = waiting(role, next_out=4, next_in=5)
    made.receive("35=A|34=9|98=0|108=30|789=1|")
    assert "RESEND_REQUESTED RRQ-01" in made.rows
    assert not any("LGN-22" in row or "LGN-24" in row for row in made.rows)


@pytest.mark.parametrize("role", ROLES)
def test_lgn_22_quickfix_heeds_it_always_and_asks_all_the_same(role: Role) -> None:
    made = waiting(role, profile="quickfix", next_out=4, next_in=5)
    number = made.session.next_out - (role is INITIATOR)
    made.receive("35=A|34=9|98=0|108=30|789=3|")
    assert "RESEND_ANSWERED LGN-22" in made.rows
    first = 3 if role is ACCEPTOR else 2  # one more for a QuickFIX that counts too far
    assert any(text.startswith(f"35=4|34={first}|43=Y|") for text in made.sent)
    assert any(f"|36={number + 1}|" in text for text in made.sent)
    assert "RESEND_REQUESTED RRQ-01" in made.rows  # its own Logon told the peer nothing
    plain = waiting(role, profile="quickfix")
    plain.receive("35=A|34=1|98=0|108=30|")
    assert plain.state is SessionState.ACTIVE


@pytest.mark.parametrize("role", ROLES)
def test_lgn_21_a_reset_needs_no_agreement_on_numbers(role: Role) -> None:
    made = waiting(role, next_expected=True, reset_on_logon=True, next_in=9, next_out=9)
    told = made.receive("35=A|34=1|98=0|108=30|141=Y|789=1|")
    assert made.counters == (2, 2)
    assert made.events == ["Established 30 reset"]
    if role is ACCEPTOR:
        assert "> 35=A|34=1|98=0|108=30|141=Y|789=2|" in told


@pytest.mark.parametrize("role", ROLES)
def test_lgn_31_lgn_34_what_a_logon_says_of_its_software_is_information(role: Role) -> None:
    made = waiting(role)
    lists = "384=2|372=D|385=R|372=8|385=S|1600=4|1603=Engine|1604=7|"
    made.receive(f"35=A|34=1|98=0|108=30|{lists}")
    assert made.state is SessionState.ACTIVE
    made.send("35=F|11=A|")  # not among what the peer says it receives: it may be wrong
    assert made.sent == ["35=F|34=2|11=A|"]
