"""Sessions that begin and end by the clock: what a schedule does at a connection's two ends."""

import pytest

from fixlab.session.schedule import Schedule
from fixlab.session.transitions import Role, SessionState
from fixlab.stores.memory import MemoryStore
from fixlab.times import NANOSECONDS, parse_start
from tests.session.pair import Pair
from tests.session.script import ACCEPTOR, INITIATOR, NOW, ROLES, Bench

_S = SessionState
HOUR = 3600.0
DAY = 24 * HOUR
# NOW is a Monday, 09:00.
OFFICE = Schedule(start="08:00:00", end="17:00:00")
LATER = Schedule(start="10:00:00", end="17:00:00")
ROUND = Schedule(start="10:00:00", end="10:00:00")  # 24 hours, with one roll-over
CLOSED = "outside of session time"


def up(role: Role = ACCEPTOR, **settings: object) -> Bench:
    made = Bench(role, **({"schedule": OFFICE, "heartbeat_seconds": 0} | settings))  # type: ignore[arg-type]
    return made.active()


# Out of time ---------------------------------------------


def test_sch_05_an_initiator_does_not_log_on_outside_of_session_time() -> None:
    made = Bench(INITIATOR, schedule=LATER, next_in=5, next_out=7, reset_on_disconnect=True)
    assert made.connected() == [
        "STATE SCH-05 5/7",
        "! Ended SCH-05",
        f"x {CLOSED}",
    ]
    assert made.state is _S.DISCONNECTED
    made.wait(HOUR)
    assert made.disconnected() == []
    assert made.connected()[-1].startswith("> 35=A|34=")


def test_lgn_33_an_acceptor_refuses_a_logon_outside_of_session_time() -> None:
    made = Bench(ACCEPTOR, schedule=LATER)
    made.connected()
    assert made.receive("35=A|34=1|98=0|108=30|") == [
        "REJECTED LGN-33 2/1",
        "SENT LGN-33 2/2 -> CLOSING",
        "> 35=5|34=1|58=Logon received outside of session time|",
    ]


def test_lgn_33_in_fixt_with_a_status_and_by_some_engines_without_a_word() -> None:
    made = Bench(ACCEPTOR, schedule=LATER, begin_string="FIXT.1.1")
    made.connected()
    made.receive("35=A|34=1|98=0|108=30|1137=9|")
    assert made.sent[0].endswith("1409=7|")
    silent = Bench(ACCEPTOR, schedule=LATER, profile="quickfix")
    silent.connected()
    silent.receive("35=A|34=1|98=0|108=30|")
    assert silent.rows == ["REJECTED LGN-33", "STATE LGN-33"]
    assert silent.sent == []
    assert silent.counters == (1, 1)


def test_lgn_33_it_is_the_time_of_the_logon_that_counts() -> None:
    made = Bench(ACCEPTOR, schedule=LATER)
    made.wait(HOUR - 1)
    made.connected()
    made.wait(1)
    made.receive("35=A|34=1|98=0|108=30|")
    assert made.state is _S.ACTIVE
    late = Bench(ACCEPTOR, schedule=OFFICE)
    late.wait(8 * HOUR - 1)
    late.connected()
    late.wait(1)
    late.receive("35=A|34=1|98=0|108=30|")
    assert late.rows[0] == "REJECTED LGN-33"


def test_sch_05_drivers_can_ask_when_the_next_session_begins() -> None:
    session = Bench(schedule=LATER).session
    assert session.next_opening(NOW) == parse_start("2026-01-05T10:00:00")
    assert session.next_opening(NOW + 3600 * NANOSECONDS) is None
    assert session.next_opening(parse_start("2026-01-05T17:00:00")) == parse_start(
        "2026-01-06T10:00:00"
    )
    assert Bench().session.next_opening(NOW) is None
    assert Bench(schedule=ROUND).session.next_opening(NOW) is None


# The end of the time ---------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_sch_05_the_session_logs_out_when_its_time_is_over(role: Role) -> None:
    made = up(role)
    assert made.session.deadline == parse_start("2026-01-05T17:00:00")
    assert made.tick(8 * HOUR - 0.001) == []
    assert made.tick(0.001) == [
        "TIMED_OUT SCH-05 2/2",
        "SENT SCH-05 2/3 -> LOGOUT_SENT",
        "> 35=5|34=2|58=session time is over|",
    ]
    assert made.receive("35=5|34=2|")[-1] == "x Logout confirmed"
    assert made.session.deadline is None


def test_sch_05_lgo_13_what_is_being_recovered_comes_first_within_limits() -> None:
    made = up(schedule=OFFICE)
    made.wait(8 * HOUR - 1)
    made.receive("35=D|34=4|")
    made.tick(1)
    assert made.rows == ["TIMED_OUT SCH-05", "STATE LGO-06"]
    assert made.session.deadline == made.now + 10 * NANOSECONDS
    made.receive("35=4|34=2|43=Y|123=Y|36=4|")
    assert made.sent == ["35=5|34=3|58=session time is over|"]


def test_sch_05_a_process_that_slept_logs_out_when_it_wakes() -> None:
    made = up()
    assert made.tick(3 * DAY)[0] == "TIMED_OUT SCH-05 2/2"


def test_sch_05_a_logon_answered_after_the_end_is_followed_by_the_logout() -> None:
    made = Bench(INITIATOR, schedule=OFFICE)
    made.wait(8 * HOUR - 5)
    made.connected()
    assert made.session.deadline == made.now + 10 * NANOSECONDS
    made.wait(5)
    made.receive("35=A|34=1|98=0|108=30|")
    assert made.session.deadline == made.now
    assert made.tick()[0] == "TIMED_OUT SCH-05 2/2"


# The next one ---------------------------------------------


def cross(made: Bench, seconds: float) -> list[str]:
    """Lose the connection, let time pass and log on again with number 1; what is told."""
    made.disconnected()
    made.wait(seconds)
    told = made.connected()
    if made.session.role is ACCEPTOR:
        told += made.receive("35=A|34=1|98=0|108=0|")
    return told


@pytest.mark.parametrize("begin_string", ["FIX.4.0", "FIX.4.4"])
@pytest.mark.parametrize("role", ROLES)
def test_sch_01_02_the_next_session_starts_with_both_numbers_at_1(
    role: Role, begin_string: str
) -> None:
    made = up(role, begin_string=begin_string)
    made.send()
    made.receive("35=D|34=2|")
    # A connection of the same session goes on with its numbers (SCH-01).
    made.disconnected()
    made.wait(HOUR)
    made.connected()
    assert made.session.next_in == 3
    # The next day is another session; nothing but the numbers says so, no 141=Y.
    told = cross(made, DAY)
    assert told[0] == "RESET_BOTH SCH-02 1/1"
    assert "> 35=A|34=1|98=0|108=0|" in told
    assert list(made.session.store.sent(2, 99)) == []


@pytest.mark.parametrize("role", ROLES)
def test_sch_02_a_store_knows_its_session_over_a_restart(role: Role) -> None:
    store = MemoryStore()
    made = up(role, store=store)
    made.disconnected()
    store.commit()
    same = Bench(role, schedule=OFFICE, store=store)
    same.wait(HOUR)
    same.connected()
    assert same.session.next_in == 2
    same.disconnected()
    other = Bench(role, schedule=OFFICE, store=store)
    other.wait(DAY)
    assert other.connected()[0] == "RESET_BOTH SCH-02 1/1"
    assert store.epoch == other.now


def test_sch_02_a_store_of_unknown_age_is_dated_when_it_is_new() -> None:
    made = Bench(INITIATOR, schedule=OFFICE)
    assert made.session.store.epoch is None
    assert made.connected()[0].startswith("SENT LGN-01")  # nothing changed but its age
    assert made.session.store.epoch == NOW
    used = Bench(INITIATOR, schedule=OFFICE, next_in=5, next_out=7)
    assert used.connected()[0] == "SENT LGN-01 5/8 -> LOGON_SENT"
    assert used.session.store.epoch is None
    # While the object lives it remembers its last connection.
    assert cross(used, DAY)[0] == "RESET_BOTH SCH-02 1/1"


def test_sch_02_a_store_reset_between_two_sessions_is_reset_once_more() -> None:
    made = up()
    made.disconnected()
    made.wait(10 * HOUR)
    made.session.store.reset(made.now)
    made.wait(14 * HOUR)
    assert made.connected()[0] == "RESET_BOTH SCH-02 1/1"


def test_sch_03_a_24_hour_session_rolls_over_once() -> None:
    made = Bench(ACCEPTOR, schedule=ROUND, heartbeat_seconds=0).active()
    assert made.tick(HOUR)[0] == "TIMED_OUT SCH-05 2/2"
    made.receive("35=5|34=2|")
    told = made.connected()
    assert told[0] == "RESET_BOTH SCH-02 1/1"
    made.receive("35=A|34=1|98=0|108=0|")
    assert made.session.deadline == made.now + round(DAY * NANOSECONDS)
    # Or in session, by agreement, without a disconnection (LGN-19).
    made.receive("35=A|34=1|98=0|108=0|141=Y|")
    assert made.counters == (2, 2)
    assert made.state is _S.ACTIVE


def test_sch_02_an_acceptor_that_was_connected_to_too_early_starts_over_at_the_logon() -> None:
    made = Bench(schedule=LATER)
    made.session.store.reset(NOW - round(DAY * NANOSECONDS))
    made.session.store.observed_in(8)
    made.wait(HOUR - 1)
    assert made.connected() == ["STATE LGN-01 9/1 -> CONNECTED"]
    made.wait(1)
    told = made.receive("35=A|34=1|98=0|108=30|")
    assert told[:2] == ["RESET_BOTH SCH-02 1/1", "ACCEPTED LGN-09 2/1"]


@pytest.mark.parametrize("role", ROLES)
def test_sch_04_what_was_queued_for_the_last_session_is_told_and_dropped(role: Role) -> None:
    made = up(role)
    made.disconnected()
    made.wait(HOUR)
    made.send()
    made.send()
    made.wait(DAY)
    told = made.connected()
    assert told[:2] == ["IGNORED SCH-04 2/4", "RESET_BOTH SCH-02 1/1"]
    assert "! Dropped 2-3" in told


def test_sch_01_02_two_sides_with_one_schedule_meet_every_morning() -> None:
    pair = Pair(schedule=OFFICE, heartbeat_seconds=30)
    for _ in range(3):
        pair.connect()
        pair.flow()
        pair.send(0, 3)
        pair.send(1, 2)
        pair.wait(8 * HOUR + 60)
        assert all(end.session.state is _S.DISCONNECTED for end in pair.ends)
        for end in pair.ends:
            assert not end.owed
        pair.connect()  # refused by its own clock: no number is used up
        assert pair.ends[0].session.state is _S.DISCONNECTED
        pair.cut()
        pair.now += round((16 * HOUR - 60) * NANOSECONDS)
    pair.heal()
    assert pair.resets == 2 * 2 + 2


@pytest.mark.parametrize("first", ["connect", "send"])
def test_sch_02_a_new_store_is_dated_by_its_first_use(first: str) -> None:
    store = MemoryStore()
    made = Bench(INITIATOR, store=store)
    if first == "send":
        made.send("35=D|")
    else:
        made.connected()
    assert store.epoch == made.now
    used = MemoryStore(next_out=5, next_in=5)
    Bench(INITIATOR, store=used).connected()
    assert used.epoch is None  # its age is not known, and nothing of it is dropped
    assert used.peek_out() == 6
