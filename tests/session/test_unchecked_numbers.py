"""check_sequence_numbers=False: each message is taken as it comes, and nothing is asked for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixlab.session.transitions import SessionState
from fixlab.stores.memory import MemoryStore
from tests.session.script import ACCEPTOR, INITIATOR, NOW, ROLES, T0, Bench, bench


def unchecked(role: object = ACCEPTOR, **settings_: object) -> Bench:
    return bench(role, check_sequence_numbers=False, **settings_)  # type: ignore[arg-type]


def test_seq_05_a_number_too_high_is_processed_and_nothing_is_asked_for() -> None:
    made = unchecked()
    assert made.receive("35=D|34=5|11=A|", "35=D|34=6|11=B|") == [
        "ACCEPTED SEQ-02 6/2",
        "WARNED SEQ-05 6/2",
        "ACCEPTED SEQ-02 7/2",
        "! Received 5",
        "! Received 6",
    ]
    assert made.output.transitions[1].text == "2 to 4 missing, not asked for"
    assert made.session.gap is None
    made.receive("35=0|34=8|")
    assert made.output.transitions[1].text == "7 missing, not asked for"


def test_seq_03_seq_04_a_number_too_low_is_processed_and_takes_nothing_back() -> None:
    made = unchecked(next_in=9, next_out=1)
    made.receive("35=D|34=12|11=A|")
    assert made.receive("35=D|34=3|11=B|", f"35=D|34=4|43=Y|122={T0}|11=C|") == [
        "ACCEPTED SEQ-02 13/2",
        "WARNED SEQ-03 13/2",
        "ACCEPTED SEQ-11 13/2",
        "WARNED SEQ-04 13/2",
        "! Received 3",
        "! Received 4 dup",
    ]
    assert made.session.store.current_in() == 13
    assert made.state is SessionState.ACTIVE


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("number", [1, 4, 5, 900])
def test_lgn_09_lgn_10_lgn_11_a_logon_of_any_number_begins_the_session(
    role: object, number: int
) -> None:
    made = Bench(role, next_in=5, next_out=3, check_sequence_numbers=False)  # type: ignore[arg-type]
    made.connected()
    made.receive(made.logon_text(number))
    assert made.state is SessionState.ACTIVE
    assert made.session.next_in == max(5, number + 1)
    assert [line[:4] for line in made.sent] == (["35=A"] if role is ACCEPTOR else [])
    assert ("WARNED SEQ-05" in made.rows) == (number > 5)
    assert ("WARNED SEQ-03" in made.rows) == (number < 5)


def test_lgn_08_a_refused_logon_moves_no_number_whatever_it_says() -> None:
    # Or who does not know the password could take NextNumIn wherever he likes.
    made = Bench(ACCEPTOR, admit=lambda _: "no", check_sequence_numbers=False)
    made.connected()
    made.receive(made.logon_text(900))
    assert made.state is SessionState.CLOSING
    assert made.session.next_in == 1


def test_rej_02_a_rejected_message_counts_as_one_that_is_processed() -> None:
    made = unchecked()
    assert made.receive("35=1|34=7|") == [
        "REJECTED HBT-10 8/2",
        "WARNED SEQ-05 8/2",
        "SENT HBT-10 8/3",
        "> 35=3|34=2|45=7|58=Required tag missing: 112|371=112|372=1|373=1|",
    ]
    assert made.receive("35=1|34=3|")[0] == "REJECTED HBT-10 8/3"


@pytest.mark.parametrize("number", [2, 3, 60])
def test_sqr_02_sqr_06_a_gap_fill_moves_the_number_up_and_never_down(number: int) -> None:
    made = unchecked(next_in=40)
    made.receive(f"35=4|34={number}|123=Y|36={number + 1}|")
    assert made.session.next_in == max(41, number + 1)
    made.receive(f"35=4|34={number}|123=Y|36={number}|")  # fills nothing: still a fault
    assert made.rows[0] == "REJECTED SQR-06"
    made.receive("35=4|34=1|36=30|")  # and so is a reset that lowers
    assert made.rows == ["REJECTED SQR-09", "SENT SQR-09"]


def test_rsp_01_what_the_peer_asks_for_is_still_resent() -> None:
    made = unchecked()
    made.send()
    made.receive("35=2|34=50|7=1|16=0|")
    assert [line[:9] for line in made.sent] == ["35=4|34=1", "35=D|34=2"]
    made.receive("35=2|34=7|7=2|16=2|")
    assert [line[:9] for line in made.sent] == ["35=D|34=2"]


def test_hdr_02_a_message_of_another_session_moves_no_number_beyond_it() -> None:
    made = unchecked()
    made.receive("8=FIX.4.2|35=D|34=70|11=A|")
    assert made.state is SessionState.CLOSING
    assert made.session.next_in == 2


@pytest.mark.parametrize("number", [2, 9])
def test_lgo_02_lgo_03_a_logout_of_any_number_ends_the_session(number: int) -> None:
    made = unchecked()
    made.receive(f"35=5|34={number}|")
    assert made.state is SessionState.LOGOUT_ANSWERED
    made = unchecked()
    made.logout()
    made.receive(f"35=D|34={number}|11=A|")
    assert made.delivered == [number]
    made.receive(f"35=5|34={number + 3}|")
    assert made.state is SessionState.DISCONNECTED
    assert made.events == ["Ended LGO-03 clean"]
    assert made.session.next_in == number + 4


def test_lgn_19_a_reset_starts_at_1_whatever_came_before() -> None:
    made = unchecked()
    made.receive("35=D|34=500|11=A|")
    made.receive(made.logon_text(1, "141=Y|"))
    assert made.counters == (2, 2)
    made.receive("35=D|34=2|11=A|")
    assert made.rows == ["ACCEPTED SEQ-02"]


def test_the_numbers_are_checked_again_with_the_same_store() -> None:
    store = MemoryStore()
    made = Bench(INITIATOR, store=store, check_sequence_numbers=False).active()
    made.receive("35=D|34=9|11=A|")
    store.commit()
    again = Bench(INITIATOR, store=store)
    again.connected()
    again.receive(again.logon_text(10))
    assert (again.state, again.session.next_in) == (SessionState.ACTIVE, 11)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), max_size=20))
def test_seq_05_next_num_in_is_one_above_the_highest_number_seen(
    numbers: list[tuple[int, bool]],
) -> None:
    made, seen = unchecked(), 1
    for number, again in numbers:
        flags = f"43=Y|122={T0}|" if again else ""
        before = made.session.next_in
        made.receive(f"35=D|34={number}|{flags}11=A|")
        seen = max(seen, number)
        assert made.delivered == [number]
        assert made.counters == (seen + 1, 2)
        assert made.session.store.current_in() == seen + 1
        rows = made.output.transitions
        assert [row.next_in for row in rows] == [seen + 1] * len(rows)
        assert rows[0].next_in_before == before
        assert (len(rows) == 2) == (number != before)
    assert made.session.deadline is not None
    assert made.session.deadline > NOW
