"""Heartbeats, TestRequests and the end of a silent peer, all on virtual time."""

import pytest

from fixlab.session.transitions import Role, SessionState
from fixlab.times import NANOSECONDS
from tests.session.script import NOW, ROLES, VERSIONS, Bench, bench


def at(made: Bench) -> float:
    """Seconds from now to the deadline."""
    assert made.session.deadline is not None
    return (made.session.deadline - made.now) / NANOSECONDS


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("begin_string", VERSIONS)
def test_hbt_01_a_heartbeat_leaves_after_an_interval_of_silence(
    role: Role, begin_string: str
) -> None:
    made = bench(role, begin_string=begin_string)
    assert at(made) == 30
    assert made.tick(29.999) == []
    assert made.tick(0.001) == ["SENT HBT-01 2/3", "> 35=0|34=2|"]


def test_hbt_01_anything_sent_puts_the_heartbeat_off() -> None:
    made = bench()
    made.wait(20)
    made.send()
    made.receive("35=D|34=2|")
    assert at(made) == 30


def test_hbt_03_a_test_request_is_answered_at_once() -> None:
    assert bench().receive("35=1|34=2|112=T \xe9|") == [
        "ACCEPTED HBT-03 3/2",
        "SENT HBT-03 3/3",
        "> 35=0|34=2|112=T \xe9|",
    ]


@pytest.mark.parametrize("role", ROLES)
def test_hbt_04_05_a_silent_peer_is_asked_then_left(role: Role) -> None:
    made = bench(role)
    made.tick(30)
    assert at(made) == 6
    assert made.tick(6) == [
        "PROBED HBT-04 2/3",
        "SENT HBT-04 2/4",
        "> 35=1|34=3|112=ME-3|",
    ]
    assert at(made) == 30
    assert made.tick(30) == ["SENT HBT-01 2/5", "> 35=0|34=4|"]
    assert made.tick(5.999) == []
    assert made.tick(0.001) == [
        "TIMED_OUT HBT-05 2/5",
        "SENT HBT-05 2/6 -> CLOSING",
        "> 35=5|34=5|58=Timed out waiting for an answer to TestRequest|",
    ]
    assert made.tick(2)[-1] == "x closed after a protocol error"


def test_hbt_04_after_a_long_sleep_the_peer_is_asked_before_it_is_left() -> None:
    made = bench()
    assert made.tick(4000)[0] == "PROBED HBT-04 2/2"
    assert at(made) == 30
    made.receive("35=0|34=2|112=ME-2|")
    assert at(made) == 30
    assert made.state is SessionState.ACTIVE


@pytest.mark.parametrize(
    "text", ["35=0|34=2|", "35=D|34=2|", "35=0|34=2|112=other|", "35=D|34=9|"]
)
def test_hbt_06_any_message_proves_life(text: str) -> None:
    made = bench()
    made.tick(36)
    made.wait(35)
    made.receive(text)
    made.tick(1)
    assert made.state is SessionState.ACTIVE
    assert not any(row.startswith("TIMED_OUT HBT-05") for row in made.rows)


def test_hbt_06_garbled_input_proves_nothing() -> None:
    made = bench()
    made.tick(36)
    made.wait(35)
    made.receive_bytes(b"junk")
    made.tick(1)
    assert made.rows[0] == "TIMED_OUT HBT-05"


def test_hbt_07_only_the_matching_answer_completes_a_test_request() -> None:
    made = bench()
    made.test_request("mine")
    made.wait(1.5)
    assert made.receive("35=0|34=2|112=other|") == ["ACCEPTED HBT-09 3/3"]
    assert made.receive("35=0|34=3|112=mine|") == [
        "ACCEPTED HBT-09 4/3",
        "! RoundTrip mine 1.5",
    ]
    assert made.receive("35=0|34=4|112=mine|") == ["ACCEPTED HBT-09 5/3"]


def test_hbt_08_each_probe_has_its_own_id() -> None:
    made = bench()
    made.test_request()
    one = made.pending_test_id()
    made.test_request()
    assert made.pending_test_id() != one


def test_hbt_08_unanswered_test_requests_are_remembered_up_to_a_limit() -> None:
    made = bench()
    for n in range(100):
        made.test_request(f"T{n}")
    assert len(made.session._tests) == 16
    made.receive("35=0|34=2|112=T0|", "35=0|34=3|112=T99|")
    assert made.events == ["RoundTrip T99 0"]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("more", ["", "112=anything|"])
def test_hbt_09_heartbeats_are_counted(role: Role, more: str) -> None:
    assert bench(role).receive(f"35=0|34=2|{more}") == ["ACCEPTED HBT-09 3/2"]


def test_hbt_10_a_test_request_without_an_id_is_rejected() -> None:
    assert bench().receive("35=1|34=2|") == [
        "REJECTED HBT-10 3/2",
        "SENT HBT-10 3/3",
        "> 35=3|34=2|45=2|58=Required tag missing: 112|371=112|372=1|373=1|",
    ]


@pytest.mark.parametrize("role", ROLES)
def test_hbt_11_a_test_request_of_the_application(role: Role) -> None:
    made = bench(role)
    assert made.test_request("T") == ["SENT HBT-11 2/3", "> 35=1|34=2|112=T|"]


def test_hbt_12_heartbeats_go_on_during_recovery_and_stop_after_logout() -> None:
    made = bench(heartbeat_seconds=5)
    made.receive("35=D|34=9|")
    assert made.tick(5) == ["SENT HBT-01 2/4", "> 35=0|34=3|"]
    made.receive("35=4|34=2|43=Y|123=Y|36=9|")
    made.logout()
    assert at(made) == 10
    assert made.tick(9) == []


def test_a_tick_before_the_deadline_does_nothing() -> None:
    made = Bench()
    assert made.session.deadline is None
    assert made.tick(10**9) == []
    made = bench()
    made.now = NOW
    assert made.tick() == []


# Settings and habits of other engines ---------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_hbt_01_a_heartbeat_may_leave_before_the_interval_is_over(role: Role) -> None:
    made = bench(role, heartbeat_factor=0.8)
    assert at(made) == 24
    assert made.tick(24) == ["SENT HBT-01 2/3", "> 35=0|34=2|"]


def test_hbt_04_05_both_waits_may_last_longer_by_a_time_of_their_own() -> None:
    # What Artio does: one interval and three seconds, then as long again to the end.
    made = bench(test_request_factor=1, silence_limit_factor=2, test_request_extra_seconds=3)
    made.tick(30)
    assert at(made) == 3
    assert made.tick(3)[0] == "PROBED HBT-04 2/3"
    made.tick(30)
    assert at(made) == 3
    assert made.tick(3)[0] == "TIMED_OUT HBT-05 2/5"


@pytest.mark.parametrize("seconds", [1, 2])
def test_hbt_05_a_short_interval_does_not_turn_the_second_wait_round(seconds: int) -> None:
    made = bench(profile="artio", heartbeat_seconds=seconds)
    made.tick(seconds + 3)
    assert made.rows[0] == "PROBED HBT-04"
    made.now = made.now + round((seconds * 1.4 + 3) * NANOSECONDS) - 1
    assert not any("HBT-05" in row for row in made.tick())
    made.now += 1
    assert made.tick()[0].startswith("TIMED_OUT HBT-05")


@pytest.mark.parametrize("role", ROLES)
def test_hbt_04_05_who_does_not_look_at_silence_only_sends_heartbeats(role: Role) -> None:
    made = bench(role, check_silence=False)
    for number in range(2, 9):
        assert at(made) == 30
        assert made.tick(30) == [f"SENT HBT-01 2/{number + 1}", f"> 35=0|34={number}|"]
    made.tick(10**6)
    assert made.rows == ["SENT HBT-01"]


@pytest.mark.parametrize("role", ROLES)
def test_hbt_05_a_silent_peer_may_be_left_without_a_logout(role: Role) -> None:
    made = bench(role, logout_on_silence=False)
    made.tick(36)
    made.tick(36)
    assert made.rows == ["TIMED_OUT HBT-05", "STATE HBT-05"]
    assert made.sent == []
    assert made.events == ["Ended HBT-05"]
    assert made.output.disconnect == "TestRequest was not answered"
    assert made.state is SessionState.DISCONNECTED


@pytest.mark.parametrize("profile", ["quickfix", "quickfixj", "quickfixn", "artio"])
def test_hbt_08_engines_that_ask_with_the_same_id_each_time(profile: str) -> None:
    made = bench(profile=profile)
    assert made.test_request()[1] == "> 35=1|34=2|112=TEST|"


def test_hbt_07_answers_to_one_id_come_in_the_order_of_the_requests() -> None:
    made = bench(test_req_id="TEST")
    made.test_request()
    made.wait(2)
    made.test_request()
    made.wait(1)
    made.receive("35=0|34=2|112=TEST|")
    assert made.events == ["RoundTrip TEST 3"]
    made.wait(1)
    made.receive("35=0|34=3|112=TEST|")
    assert made.events == ["RoundTrip TEST 2"]
    made.receive("35=0|34=4|112=TEST|")
    assert made.events == []


def test_lgn_19_a_fixed_id_does_not_let_a_reset_start_too_early() -> None:
    made = bench(test_req_id="TEST")
    made.test_request()
    made.reset()
    assert made.sent == ["35=1|34=3|112=ME-3|"]
    made.receive("35=0|34=2|112=TEST|")
    assert made.session.state is SessionState.ACTIVE
    made.receive("35=0|34=3|112=ME-3|")
    assert made.state is SessionState.RESET_SENT


def test_hbt_13_each_request_of_a_flood_is_answered_and_one_row_a_second_tells() -> None:
    made = bench()
    told = made.receive(*(f"35=1|34={n}|112=T{n}|" for n in range(2, 42)))
    assert sum(line.startswith("> 35=0|") for line in told) == 40
    assert [row for row in made.rows if "HBT-13" in row] == ["STATE HBT-13"]
    # The row stands behind the answer to the eleventh.
    assert made.rows.index("STATE HBT-13") == 22
    made.wait(1)
    made.receive(*(f"35=1|34={n}|112=T{n}|" for n in range(42, 52)))
    assert len(made.sent) == 10
    assert "STATE HBT-13" not in made.rows
    made.receive("35=1|34=52|112=T|")
    assert made.rows == ["ACCEPTED HBT-03", "SENT HBT-03", "STATE HBT-13"]


def test_hbt_12_no_test_request_after_own_logout() -> None:
    made = bench(logout_timeout_seconds=1000)
    made.logout()
    assert made.tick(900) == []
    assert at(made) == 100
