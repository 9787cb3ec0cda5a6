"""Numbers that start over, by option and by call, and what becomes of what was queued."""

import pytest

from fixlab.errors import ConfigError, StateError
from fixlab.session.events import Dropped
from fixlab.session.transitions import Role, SessionState
from fixlab.stores.memory import MemoryStore
from tests.session.pair import Pair
from tests.session.script import ACCEPTOR, INITIATOR, ROLES, VERSIONS, Bench, bench

_S = SessionState


def made_with(option: str, **settings: object) -> Bench:
    """An initiator's bench with one reset option on."""
    return Bench(INITIATOR, **(settings | {option: True}))  # type: ignore[arg-type]


# On Logout and on disconnect ---------------------------------------------


@pytest.mark.parametrize("begin_string", VERSIONS)
@pytest.mark.parametrize("role", ROLES)
def test_sch_06_reset_on_logout_follows_the_confirmation(role: Role, begin_string: str) -> None:
    made = bench(role, reset_on_logout=True, begin_string=begin_string)
    made.send()
    made.logout()
    made.receive("35=5|34=2|")
    assert made.rows == ["ACCEPTED LGO-03", "STATE LGO-03", "RESET_BOTH SCH-06"]
    assert made.counters == (1, 1)
    assert list(made.session.store.sent(1, 99)) == []


@pytest.mark.parametrize("role", ROLES)
def test_sch_06_reset_on_logout_follows_the_peers_logout(role: Role) -> None:
    made = bench(role, reset_on_logout=True)
    made.receive("35=5|34=2|")
    assert made.counters == (3, 3)  # not before the connection is over
    assert made.disconnected() == [
        "STATE LGO-02 3/3 -> DISCONNECTED",
        "RESET_BOTH SCH-06 1/1",
        "! Ended LGO-02 clean",
    ]
    at_once = bench(role, reset_on_logout=True, profile="quickfix")
    at_once.receive("35=5|34=2|")
    assert at_once.counters == (1, 1)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("end", ["lost", "error", "not confirmed"])
def test_sch_06_reset_on_logout_is_for_a_clean_end_only(role: Role, end: str) -> None:
    counters = {}
    for option in ("reset_on_logout", "reset_on_disconnect"):
        made = bench(role, **{option: True})
        if end == "lost":
            made.disconnected()
        elif end == "error":
            made.receive("35=D|34=1|")
            made.tick(2)
        else:
            made.logout()
            made.tick(10)
        assert made.state is _S.DISCONNECTED
        counters[option] = made.counters
    assert counters["reset_on_logout"] != (1, 1)
    assert counters["reset_on_disconnect"] == (1, 1)


@pytest.mark.parametrize("role", ROLES)
def test_sch_06_reset_on_disconnect_is_not_for_a_clean_end(role: Role) -> None:
    made = bench(role, reset_on_disconnect=True)
    made.logout()
    made.receive("35=5|34=2|")
    assert made.counters == (3, 3)


@pytest.mark.parametrize(
    "text",
    ["35=D|34=1|", "35=A|34=7|98=0|108=30|49=XX|", "35=A|34=7|98=0|108=30|554=wrong|"],
)
def test_sch_06_a_stranger_at_an_acceptors_port_resets_nothing(text: str) -> None:
    made = Bench(
        ACCEPTOR, reset_on_disconnect=True, next_in=7, next_out=7, username="u", password="p"
    )
    made.connected()
    made.receive(text)
    made.tick(10)
    assert made.state is _S.DISCONNECTED
    assert "RESET_BOTH SCH-06" not in made.rows
    assert made.session.next_out >= 7
    made.connected()
    made.disconnected()
    assert made.session.next_in >= 7


def test_sch_06_an_initiator_that_was_refused_resets() -> None:
    made = Bench(INITIATOR, reset_on_disconnect=True, next_in=7, next_out=7)
    made.connected()
    made.receive("35=5|34=1|58=MsgSeqNum too low|")
    assert made.rows[-1] == "RESET_BOTH SCH-06"
    assert made.counters == (1, 1)


@pytest.mark.parametrize("profile", ["quickfix", "quickfixj", "quickfixn"])
@pytest.mark.parametrize("option", ["reset_on_logon", "reset_on_logout", "reset_on_disconnect"])
def test_sch_06_engines_that_say_so_with_the_first_logon_of_new_numbers(
    profile: str, option: str
) -> None:
    made = made_with(option, profile=profile)
    assert "35=A|34=1|98=0|108=30|141=Y|" in made.connected()[-1]
    plain = made_with(option)
    assert ("141=Y" in plain.connected()[-1]) == (option == "reset_on_logon")
    used = made_with(option, profile=profile, next_out=2)
    assert ("141=Y" in used.connected()[-1]) == (option == "reset_on_logon")
    none = Bench(INITIATOR, profile=profile)
    assert "141=Y" not in none.connected()[-1]


@pytest.mark.parametrize("option", ["reset_on_logout", "reset_on_disconnect"])
def test_sch_06_fix_4_0_has_no_flag_for_it(option: str) -> None:
    made = made_with(option, begin_string="FIX.4.0", profile="quickfix")
    assert made.connected()[-1] == "> 35=A|34=1|98=0|108=30|"


@pytest.mark.parametrize("option", ["reset_on_logout", "reset_on_disconnect"])
@pytest.mark.parametrize("begin_string", ["FIX.4.0", "FIX.4.4"])
def test_sch_06_two_sides_with_the_same_option_meet_at_1(
    option: str, begin_string: str
) -> None:
    pair = Pair(begin_string=begin_string, **{option: True})
    for _ in range(3):
        pair.connect()
        pair.flow()
        pair.send(0, 2)
        pair.send(1, 3)
        pair.flow()
        assert [end.session.next_out for end in pair.ends] == [4, 5]
        assert pair.settled()
        if option == "reset_on_logout":
            pair.logout(0)
            pair.flow()
        else:
            pair.cut()
        assert [end.session.next_in for end in pair.ends] == [1, 1]
    pair.heal()


# What was queued ---------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_sch_04_what_was_queued_is_not_dropped_in_silence(role: Role) -> None:
    made = Bench(role, reset_on_logon=True, next_in=5, next_out=7)
    made.send()
    made.send()
    told = made.connected()
    if role is ACCEPTOR:
        told = made.receive("35=A|34=5|98=0|108=30|")
    assert told[:2] == ["IGNORED SCH-04 5/9", "RESET_BOTH LGN-17 1/1"]
    assert "! Dropped 7-8" in told
    row = made.output.transitions[0]
    assert (row.begin_seq_no, row.end_seq_no) == (7, 8)
    assert row.text == "queued, dropped by the reset"
    assert made.output.events[0] == Dropped(7, 8)


def test_sch_04_lgn_20_what_was_queued_during_the_logon_is_told() -> None:
    made = Bench(INITIATOR, next_in=9, next_out=9)
    made.connected()
    made.send()
    assert made.receive("35=A|34=1|98=0|108=30|141=Y|") == [
        "IGNORED SCH-04 9/11",
        "RESET_BOTH LGN-20 1/2",
        "ACCEPTED LGN-09 2/2 -> ACTIVE",
        "! Dropped 10-10",
        "! Established 30 reset",
    ]
    # Nothing of it is left over that could be resent as something else.
    assert made.receive("35=2|34=2|7=1|16=0|")[1] == "FILL_SENT RSP-04 3/2"


def test_sch_04_lgn_19_what_waited_for_a_replay_is_told() -> None:
    made = bench(replay_batch_max=1)
    made.send()
    made.send()
    made.receive("35=2|34=2|7=2|16=0|")
    assert made.session.replaying
    made.send()
    made.send()
    made.receive("35=A|34=1|98=0|108=30|141=Y|")
    assert made.rows[0] == "IGNORED SCH-04"
    assert made.events[0] == "Dropped 4-5"
    assert made.counters == (2, 2)


def test_sch_04_what_a_lost_connection_kept_from_leaving_counts_as_queued() -> None:
    made = bench(replay_batch_max=1, reset_on_disconnect=True)
    made.send()
    made.send()
    made.receive("35=2|34=2|7=2|16=0|")
    made.send()
    made.disconnected()
    assert made.events == ["Ended DSC-03", "Dropped 4-4"]


@pytest.mark.parametrize("role", ROLES)
def test_sch_04_what_the_peer_has_asked_for_is_not_told(role: Role) -> None:
    made = Bench(role, reset_on_disconnect=True)
    made.send()
    made.active()  # the Logon's number tells the peer of it
    made.receive("35=2|34=2|7=1|16=0|")
    made.disconnected()
    assert made.events == ["Ended DSC-03"]


# A crash in between ---------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_lgn_19_a_process_that_dies_in_a_reset_completes_it_with_the_next_logon(
    role: Role,
) -> None:
    store = MemoryStore()
    made = bench(role, store=store)
    made.reset()
    store.commit()
    made.receive("35=0|34=2|112=ME-2|")
    assert made.state is _S.RESET_SENT
    store.commit()
    store.rollback()  # what a crash leaves

    again = Bench(role, store=store)
    again.now = made.now
    told = again.connected()
    if role is ACCEPTOR:
        told += again.receive("35=A|34=60|98=0|108=30|")
    assert "> 35=A|34=1|98=0|108=30|141=Y|" in told


@pytest.mark.parametrize("role", ROLES)
def test_lgn_17_a_reset_that_was_answered_is_not_done_again(role: Role) -> None:
    store = MemoryStore()
    made = Bench(role, store=store)
    made.connected() if role is ACCEPTOR else made.reset()
    if role is INITIATOR:
        made.connected()
    made.receive("35=A|34=1|98=0|108=30|141=Y|")
    made.disconnected()
    again = Bench(role, store=store)
    told = again.connected()
    if role is ACCEPTOR:
        told += again.receive("35=A|34=2|98=0|108=30|")
    assert "> 35=A|34=2|98=0|108=30|" in told


@pytest.mark.parametrize(
    "text", ["35=D|34=3|52=20260105-08:00:00|", "35=D|34=3|43=Y|", "35=D|34=3|58=|"]
)
def test_lgn_19_what_is_in_flight_is_delivered_only_when_it_is_sound(text: str) -> None:
    made = bench()
    made.reset()
    made.receive("35=0|34=2|112=ME-2|")
    assert made.receive(text) == ["IGNORED LGN-19 1/2"]
    assert made.events == []


def test_lgn_19_the_application_may_refuse_a_reset_in_session() -> None:
    made = bench(admit=lambda message: "not now" if 141 in message else None)
    made.receive("35=D|34=2|")
    assert made.receive("35=A|34=1|98=0|108=30|141=Y|") == [
        "REJECTED LGN-26 3/2",
        "SENT LGN-26 3/3 -> CLOSING",
        "> 35=5|34=2|58=not now|",
    ]


# SequenceReset-Reset ---------------------------------------------


@pytest.mark.parametrize("begin_string", VERSIONS)
@pytest.mark.parametrize("role", ROLES)
def test_sqr_14_own_reset_lifts_the_next_number(role: Role, begin_string: str) -> None:
    made = bench(role, begin_string=begin_string)
    assert made.sequence_reset(10) == [
        "SENT SQR-14 2/3",
        "SKIPPED SQR-14 2/10",
        "> 35=4|34=2|123=N|36=10|",
    ]
    assert made.session.store.peek_out() == 10
    assert made.send() == ["SENT SEQ-01 2/11", "> 35=D|34=10|11=A|"]
    # What was passed over can still be asked for, and is filled.
    made.receive("35=2|34=2|7=1|16=9|")
    assert [text.rsplit("|", 2)[1] for text in made.sent] == ["36=10"]


def test_sqr_14_the_least_it_can_do() -> None:
    made = bench()
    assert made.sequence_reset(3) == ["SENT SQR-14 2/3", "> 35=4|34=2|123=N|36=3|"]


@pytest.mark.parametrize("number", [2, 1, 0, -5, 2_000_000])
def test_sqr_11_own_reset_only_raises_and_within_reason(number: int) -> None:
    made = bench()
    with pytest.raises(ConfigError, match=r"takes 3 to 1,000,002, as NextNumOut is 2; found"):
        made.sequence_reset(number)
    assert made.counters == (2, 2)


def test_sqr_11_own_reset_is_no_answer_to_a_resend_request() -> None:
    made = bench(replay_batch_max=1)
    for _ in range(3):
        made.send()
    made.receive("35=2|34=2|7=2|16=0|")
    with pytest.raises(StateError, match="ResendRequest is being answered"):
        made.sequence_reset(50)
    idle = Bench()
    with pytest.raises(StateError, match="needs an ACTIVE session"):
        idle.sequence_reset(50)
    resetting = bench()
    resetting.reset()
    with pytest.raises(StateError, match="resetting"):
        resetting.sequence_reset(50)


def test_sqr_15_an_end_that_lost_its_numbers_catches_up() -> None:
    pair = Pair()
    pair.connect()
    pair.flow()
    pair.send(0, 5)
    pair.send(1, 4)
    pair.flow()
    pair.cut()
    # The acceptor's store is lost: it counts from 1 again, in both directions.
    pair.ends[1].session.store.reset(pair.now)
    pair.ends[1].last = None
    pair.ends[1].number = 0
    pair.ends[1].got.clear()  # it gets everything a second time
    pair.skip(1, 50)  # surely above what it had sent
    pair.connect()
    pair.flow()
    lost = pair.ends[1].session
    assert lost.state is _S.ACTIVE
    pair.step(1, lost.sequence_reset(100, pair.now))
    pair.flow()
    assert pair.settled()
    assert lost.next_out == pair.ends[0].session.next_in
    assert pair.ends[1].got == [1, 2, 3, 4, 5]
    assert lost.next_out >= 100


def test_lgn_20_the_answer_to_a_reset_that_was_not_asked_for_is_not_answered() -> None:
    # QuickFIX's initiator takes an unasked 141=Y for a request, resets and answers it.
    made = Bench(ACCEPTOR, reset_on_logon=True, next_in=5, next_out=5)
    made.connected()
    made.receive("35=A|34=5|98=0|108=30|")
    assert "141=Y" in made.sent[0]
    made.receive("35=A|34=1|98=0|108=30|141=Y|")
    assert (made.rows, made.sent, made.counters) == (["ACCEPTED LGN-20"], [], (2, 2))
    made.receive("35=D|34=2|")
    assert made.delivered == [2]
    made.receive("35=A|34=1|98=0|108=30|141=Y|")  # this one is a reset of its own
    assert made.rows[0] == "RESET_BOTH LGN-19"


def test_lgn_19_resets_in_a_circle_end_the_session() -> None:
    made = bench()
    for _ in range(5):
        made.receive("35=A|34=1|98=0|108=30|141=Y|")
        assert made.state is SessionState.ACTIVE
    made.receive("35=A|34=1|98=0|108=30|141=Y|")
    assert made.rows == ["REJECTED LGN-19", "SENT LGN-19"]
    slow = bench()
    for _ in range(9):
        slow.receive("35=A|34=1|98=0|108=30|141=Y|")
        slow.wait(0.5)
    assert slow.state is SessionState.ACTIVE


def test_sch_06_what_a_refused_logon_used_up_of_new_numbers_is_undone() -> None:
    # Found by a sweep: a Logon that was late by a minute counted, the initiator reset as its
    # connection ended, and was told from then on that its number 1 was too low.
    made = Bench(ACCEPTOR, reset_on_disconnect=True, sending_time_tolerance_seconds=120.0)
    made.connected()
    made.receive(made.logon_text(more="52=20260105-08:00:00.000|"))
    assert made.counters == (2, 2)
    made.disconnected()
    assert made.rows == ["STATE DSC-03", "RESET_BOTH SCH-06"]
    assert made.counters == (1, 1)
    assert made.active().state is SessionState.ACTIVE


def test_sch_06_a_refused_logon_undoes_no_number_that_was_in_use() -> None:
    made = Bench(ACCEPTOR, reset_on_disconnect=True, next_in=5, next_out=7)
    made.connected()
    made.receive(made.logon_text(more="52=20260105-08:00:00.000|"))
    made.disconnected()
    assert made.rows == ["STATE DSC-03"]
    assert made.counters == (6, 8)


def test_sch_04_what_a_failed_commit_refused_is_not_told_as_dropped() -> None:
    # Found by a sweep: the number of a refused message is used again, and was told twice.
    store = MemoryStore()
    made = Bench(INITIATOR, store=store)
    made.send()
    store.rollback()  # the commit failed, and the caller knows
    made.send()
    made.send()
    store.commit()
    made.reset()
    made.connected()
    assert [event for event in made.events if event.startswith("Dropped")] == ["Dropped 1-2"]
