"""The scenarios of the crate that fixlab grew from, and the seven where fixlab does better.

The crate kept a session's two numbers behind five verbs (allocate, peek, observe, current,
reset). Its own scenarios hold here unchanged; where it went wrong, the test says how.
"""

import pytest

from fixlab.session.transitions import Role, SessionState
from fixlab.stores.memory import MemoryStore
from tests.session.pair import Pair
from tests.session.script import ACCEPTOR, INITIATOR, ROLES, T0, Bench, bench

AGAIN = f"43=Y|122={T0}|"


def pair(**settings: object) -> Pair:
    """Two sessions, logged on to each other."""
    made = Pair(**settings)  # type: ignore[arg-type]
    made.connect()
    made.flow()
    assert made.settled()
    return made


def numbers(made: Pair) -> list[tuple[int, int]]:
    """NextNumIn and NextNumOut of the initiator, then of the acceptor."""
    return [(end.session.next_in, end.session.next_out) for end in made.ends]


# Its scenarios -----------------------------------------------------------------------------


def test_seed_a_logon_that_the_peer_initiates() -> None:
    made = Bench(ACCEPTOR)
    assert made.connected() == ["STATE LGN-01 1/1 -> CONNECTED"]
    assert made.receive("35=A|34=1|98=0|108=20|") == [
        "ACCEPTED LGN-09 2/1",
        "SENT LGN-05 2/2 -> ACTIVE",
        "> 35=A|34=1|98=0|108=20|",
        "! Established 20",
    ]


def test_seed_a_logon_that_this_side_initiates() -> None:
    made = Bench(INITIATOR)
    assert made.connected() == [
        "SENT LGN-01 1/2 -> LOGON_SENT",
        "> 35=A|34=1|98=0|108=30|",
    ]
    assert made.receive("35=A|34=1|98=0|108=30|") == [
        "ACCEPTED LGN-09 2/2 -> ACTIVE",
        "! Established 30",
    ]


@pytest.mark.parametrize("role", ROLES)
def test_seed_a_test_request_is_echoed(role: Role) -> None:
    made = bench(role)
    assert made.receive("35=1|34=2|112=are you there|") == [
        "ACCEPTED HBT-03 3/2",
        "SENT HBT-03 3/3",
        "> 35=0|34=2|112=are you there|",
    ]


@pytest.mark.parametrize("role", ROLES)
def test_seed_a_gap_is_detected_and_asked_for(role: Role) -> None:
    made = bench(role)
    assert made.receive("35=D|34=5|") == [
        "HELD SEQ-05 2/2",
        "GAP_OPENED SEQ-05 2/2",
        "RESEND_REQUESTED RRQ-01 2/2",
        "SENT RRQ-01 2/3",
        "> 35=2|34=2|7=2|16=0|",
        "! GapNoticed 2-4",
    ]
    assert made.session.gap == (2, 4, 1)


@pytest.mark.parametrize("role", ROLES)
def test_seed_a_range_is_resent(role: Role) -> None:
    made = bench(role)
    for name in ("A", "B", "C", "D"):
        made.send(f"35=D|11={name}|")  # 2, 3, 4, 5
    made.wait(1)
    assert made.receive("35=2|34=2|7=3|16=4|") == [
        "ACCEPTED RSP-01 3/6",
        "RESENT RSP-01 3/6",
        "RESENT RSP-01 3/6",
        "RESEND_ANSWERED RSP-01 3/6",
        f"> 35=D|34=3|43=Y|122={T0}.000|11=B|",
        f"> 35=D|34=4|43=Y|122={T0}.000|11=C|",
    ]


@pytest.mark.parametrize("role", ROLES)
def test_seed_a_sequence_reset_raises_the_expected_number(role: Role) -> None:
    made = bench(role)
    assert made.receive("35=4|34=2|123=N|36=10|") == ["RESET_IN SQR-07 10/2"]
    assert made.receive("35=D|34=10|11=A|") == ["ACCEPTED SEQ-02 11/2", "! Received 10"]


@pytest.mark.parametrize("role", ROLES)
def test_seed_a_logout_that_this_side_initiates(role: Role) -> None:
    made = bench(role)
    assert made.logout("end of day") == [
        "SENT LGO-01 2/3 -> LOGOUT_SENT",
        "> 35=5|34=2|58=end of day|",
    ]
    assert made.receive("35=5|34=2|") == [
        "ACCEPTED LGO-03 3/3",
        "STATE LGO-03 3/3 -> DISCONNECTED",
        "! Ended LGO-03 clean",
        "x Logout confirmed",
    ]


@pytest.mark.parametrize("role", ROLES)
def test_seed_a_logout_that_the_peer_initiates(role: Role) -> None:
    made = bench(role)
    assert made.receive("35=5|34=2|58=bye|") == [
        "ACCEPTED LGO-02 3/2",
        "SENT LGO-02 3/3 -> LOGOUT_ANSWERED",
        "> 35=5|34=2|",
    ]
    assert made.disconnected() == [
        "STATE LGO-02 3/3 -> DISCONNECTED",
        "! Ended LGO-02 clean",
    ]


def test_seed_an_order_makes_the_round_trip() -> None:
    """The order leaves one session as the bytes that the other takes, and its answer too."""
    buy, sell = bench(INITIATOR), bench(ACCEPTOR)
    sent = buy.send("35=D|11=ORD-1|55=ACME|54=1|38=100|")
    assert sent == ["SENT SEQ-01 2/3", "> 35=D|34=2|11=ORD-1|55=ACME|54=1|38=100|"]
    # Each bench plays YOU to the other's ME, so the text is written again from the other side.
    assert sell.receive(sent[1][2:]) == ["ACCEPTED SEQ-02 3/2", "! Received 2"]
    answered = sell.send("35=8|11=ORD-1|37=1|150=0|39=0|")
    assert answered == ["SENT SEQ-01 3/3", "> 35=8|34=2|11=ORD-1|37=1|150=0|39=0|"]
    assert buy.receive(answered[1][2:]) == ["ACCEPTED SEQ-02 3/3", "! Received 2"]


def test_seed_recovery_after_a_reconnect_from_persisted_numbers() -> None:
    """A new process on the old store asks for what it missed, and gives what is asked for."""
    store = MemoryStore()
    first = Bench(INITIATOR, store=store).active()
    first.send("35=D|11=A|")  # 2
    first.receive("35=8|34=2|")
    store.commit()
    first.disconnected()

    again = Bench(INITIATOR, store=store)
    again.wait(1)
    assert again.connected() == [
        "SENT LGN-01 3/4 -> LOGON_SENT",
        "> 35=A|34=3|98=0|108=30|",
    ]
    # The peer sent 3 and 4 into the dead connection: its Logon is 5, and it missed order 2.
    assert again.receive("35=A|34=5|98=0|108=30|") == [
        "HELD LGN-10 3/4 -> ACTIVE",
        "GAP_OPENED LGN-10 3/4",
        "RESEND_REQUESTED RRQ-01 3/4",
        "SENT RRQ-01 3/5",
        "> 35=2|34=4|7=3|16=0|",
        "! Established 30",
        "! GapNoticed 3-4",
    ]
    assert again.receive("35=2|34=6|7=2|16=0|") == [
        "HELD SEQ-06 3/5",
        "RESENT RSP-01 3/5",
        "FILL_SENT RSP-04 3/5",
        "RESEND_ANSWERED RSP-12 3/5",
        f"> 35=D|34=2|43=Y|122={T0}.000|11=A|",
        f"> 35=4|34=3|43=Y|122={T0[:-1]}1.000|123=Y|36=5|",
    ]
    assert again.receive(f"35=8|34=3|{AGAIN}", f"35=8|34=4|{AGAIN}") == [
        "ACCEPTED SEQ-11 4/5",
        "ACCEPTED SEQ-11 5/5",
        "GAP_CLOSED RRQ-05 5/5",
        "ACCEPTED LGN-10 6/5",
        "ACCEPTED SEQ-07 7/5",
        "! Received 3 dup",
        "! Received 4 dup",
        "! GapClosed 3-4",
    ]


def test_seed_reset_on_logon_starts_both_sides_at_one() -> None:
    made = pair(reset_on_logon=True)
    made.send(0, 3)
    made.send(1, 2)
    made.flow()
    made.cut()
    made.connect()
    made.flow()
    assert numbers(made) == [(2, 2), (2, 2)]
    made.send(0)
    made.send(1)
    made.flow()
    assert numbers(made) == [(3, 3), (3, 3)]
    assert [end.got for end in made.ends] == [[1, 2, 3], [1, 2, 3, 4]]


def test_seed_fixt_agrees_on_default_appl_ver_id() -> None:
    made = Bench(INITIATOR, begin_string="FIXT.1.1", default_appl_ver_id="FIX.5.0SP2")
    assert made.connected() == [
        "SENT LGN-01 1/2 -> LOGON_SENT",
        "> 35=A|34=1|98=0|108=30|1137=9|",
    ]
    assert made.receive("35=A|34=1|98=0|108=30|1137=9|") == [
        "ACCEPTED LGN-09 2/2 -> ACTIVE",
        "! Established 30",
    ]


def test_seed_the_numbers_of_a_store() -> None:
    store = MemoryStore()
    assert (store.peek_out(), store.current_in()) == (1, 1)
    assert [store.next_out() for _ in range(3)] == [1, 2, 3]
    assert store.peek_out() == 4
    store.observed_in(1)
    store.observed_in(2)
    assert store.current_in() == 3
    store.reset()
    assert (store.peek_out(), store.current_in()) == (1, 1)
    assert store.next_out() == 1


def test_seed_the_high_water_mark_of_a_store_never_falls() -> None:
    store = MemoryStore()
    for number in (5, 3, 5, 1):
        store.observed_in(number)
        assert store.current_in() == 6
    store.observed_in(9)
    assert store.current_in() == 10


# Where it went wrong -----------------------------------------------------------------------


def test_lgn_19_better_than_the_seed_an_echoed_141_resets_once() -> None:
    """The seed reset again on the echo of its own 141=Y, and used number 1 twice."""
    made = Bench(INITIATOR, reset_on_logon=True, next_in=7, next_out=9)
    assert made.connected() == [
        "RESET_BOTH LGN-17 1/1",
        "SENT LGN-01 1/2 -> LOGON_SENT",
        "> 35=A|34=1|98=0|108=30|141=Y|",
    ]
    assert made.receive("35=A|34=1|98=0|108=30|141=Y|") == [
        "ACCEPTED LGN-09 2/2 -> ACTIVE",
        "! Established 30 reset",
    ]
    assert made.send() == ["SENT SEQ-01 2/3", "> 35=D|34=2|11=A|"]


def test_lgn_19_better_than_the_seed_an_echo_in_session_resets_once() -> None:
    made = bench(INITIATOR, next_in=7, next_out=9)
    made.reset()
    heartbeat = f"35=0|34=8|112={made.pending_test_id()}|"
    assert made.receive(heartbeat)[:3] == [
        "ACCEPTED HBT-09 9/11",
        "RESET_BOTH LGN-19 1/1",
        "SENT LGN-19 1/2 -> RESET_SENT",
    ]
    assert made.receive("35=A|34=1|98=0|108=30|141=Y|") == [
        "ACCEPTED LGN-19 2/2 -> ACTIVE",
        "! Established 30 reset",
    ]
    assert made.send() == ["SENT SEQ-01 2/3", "> 35=D|34=2|11=A|"]


def test_lgn_17_better_than_the_seed_an_acceptor_resets_before_it_counts_the_logon() -> None:
    """The seed counted the Logon and then reset: it expected number 1 a second time."""
    made = Bench(ACCEPTOR, next_in=7, next_out=9)
    made.connected()
    assert made.receive("35=A|34=1|98=0|108=30|141=Y|") == [
        "RESET_BOTH LGN-17 1/1",
        "ACCEPTED LGN-09 2/1",
        "SENT LGN-05 2/2 -> ACTIVE",
        "> 35=A|34=1|98=0|108=30|141=Y|",
        "! Established 30 reset",
    ]
    assert made.receive("35=D|34=2|11=A|") == ["ACCEPTED SEQ-02 3/2", "! Received 2"]


def test_rrq_04_better_than_the_seed_one_request_for_all_early_messages() -> None:
    """The seed sent a ResendRequest for each early message, and got each range as often."""
    made = bench()
    assert made.receive("35=D|34=5|", "35=D|34=6|", "35=D|34=7|") == [
        "HELD SEQ-05 2/2",
        "GAP_OPENED SEQ-05 2/2",
        "RESEND_REQUESTED RRQ-01 2/2",
        "SENT RRQ-01 2/3",
        "HELD SEQ-05 2/3",
        "HELD SEQ-05 2/3",
        "> 35=2|34=2|7=2|16=0|",
        "! GapNoticed 2-4",
    ]
    texts = [f"35=D|34={number}|{AGAIN}" for number in range(2, 8)]
    assert made.receive(*texts) == [
        "ACCEPTED SEQ-11 3/3",
        "ACCEPTED SEQ-11 4/3",
        "ACCEPTED SEQ-11 5/3",
        "GAP_CLOSED RRQ-05 5/3",
        "ACCEPTED SEQ-02 6/3",  # 5, held
        "ACCEPTED SEQ-02 7/3",  # 6, held
        "ACCEPTED SEQ-02 8/3",  # 7, held
        "DUPLICATE SEQ-04 8/3",
        "DUPLICATE SEQ-04 8/3",
        "DUPLICATE SEQ-04 8/3",
        "! Received 2 dup",
        "! Received 3 dup",
        "! Received 4 dup",
        "! GapClosed 2-4",
        "! Received 5",
        "! Received 6",
        "! Received 7",
    ]


def test_rsp_01_better_than_the_seed_orders_are_resent_not_filled_over() -> None:
    """The seed answered with one gap fill over the whole range: the session went on, healthy,
    and the orders were gone."""
    made = bench()
    made.send("35=D|11=A|")  # 2
    made.receive("35=1|34=2|112=T|")  # answered by Heartbeat 3
    made.send("35=D|11=B|")  # 4
    made.wait(1)
    assert made.receive("35=2|34=3|7=1|16=0|") == [
        "ACCEPTED RSP-01 4/5",
        "FILL_SENT RSP-04 4/5",
        "RESENT RSP-01 4/5",
        "FILL_SENT RSP-04 4/5",
        "RESENT RSP-01 4/5",
        "RESEND_ANSWERED RSP-01 4/5",
        f"> 35=4|34=1|43=Y|122={T0[:-1]}1.000|123=Y|36=2|",
        f"> 35=D|34=2|43=Y|122={T0}.000|11=A|",
        f"> 35=4|34=3|43=Y|122={T0[:-1]}1.000|123=Y|36=4|",
        f"> 35=D|34=4|43=Y|122={T0}.000|11=B|",
    ]


@pytest.mark.parametrize("reconnect", [False, True])
@pytest.mark.parametrize("first", [0, 1])
def test_rsp_12_better_than_the_seed_both_sides_behind_settle(
    first: int, reconnect: bool
) -> None:
    """In the seed each side held the other's ResendRequest behind its own gap, for ever."""
    made = pair()
    for who, count in ((0, 3), (1, 2)):
        made.lose(who, count)
        made.send(who, count)
    made.flow()
    if reconnect:
        made.cut()
        made.connect()
    else:
        made.send(first)
        made.send(1 - first)
    made.flow()
    assert made.settled()
    assert [end.requests for end in made.ends] == [1, 1]
    more = 0 if reconnect else 1
    assert made.ends[0].got == list(range(1, 3 + more))
    assert made.ends[1].got == list(range(1, 4 + more))


def test_lgo_05_better_than_the_seed_a_logout_past_a_hole_is_answered() -> None:
    """The seed asked for the hole and never answered the Logout behind it."""
    made = bench()
    assert made.receive("35=5|34=4|58=bye|") == [
        "HELD SEQ-05 2/2",
        "GAP_OPENED SEQ-05 2/2",
        "RESEND_REQUESTED RRQ-01 2/2",
        "SENT RRQ-01 2/3",
        "> 35=2|34=2|7=2|16=0|",
        "! GapNoticed 2-3",
    ]
    assert made.receive(f"35=D|34=2|{AGAIN}", f"35=4|34=3|{AGAIN}123=Y|36=5|") == [
        "ACCEPTED SEQ-11 3/3",
        "GAP_FILLED SQR-02 5/3",
        "GAP_CLOSED RRQ-05 5/3",
        "SENT LGO-02 5/4 -> LOGOUT_ANSWERED",
        "> 35=5|34=3|",
        "! Received 2 dup",
        "! GapClosed 2-3",
    ]


def test_lgo_05_better_than_the_seed_it_is_answered_even_if_the_hole_stays() -> None:
    made = bench()
    made.receive("35=5|34=4|")
    assert made.tick(10) == [
        "TIMED_OUT LGO-05 2/3",
        "GAP_ABANDONED RRQ-09 2/3",
        "SENT LGO-02 2/4 -> LOGOUT_ANSWERED",
        "> 35=5|34=3|",
    ]
    # Nothing was counted past the hole: the next Logon shows it again, and it is asked for.
    made.disconnected()
    assert made.counters == (2, 4)


def test_sqr_03_better_than_the_seed_a_gap_fill_does_not_jump_a_hole() -> None:
    """The seed obeyed a gap fill with any number, and passed over the hole without a word."""
    made = bench()
    assert made.receive("35=4|34=5|123=Y|36=9|") == [
        "HELD SQR-03 2/2",
        "GAP_OPENED SEQ-05 2/2",
        "RESEND_REQUESTED RRQ-01 2/2",
        "SENT RRQ-01 2/3",
        "> 35=2|34=2|7=2|16=0|",
        "! GapNoticed 2-4",
    ]
    assert made.receive(*(f"35=D|34={number}|{AGAIN}" for number in (2, 3, 4))) == [
        "ACCEPTED SEQ-11 3/3",
        "ACCEPTED SEQ-11 4/3",
        "ACCEPTED SEQ-11 5/3",
        "GAP_CLOSED RRQ-05 5/3",
        "GAP_FILLED SQR-02 9/3",
        "! Received 2 dup",
        "! Received 3 dup",
        "! Received 4 dup",
        "! GapClosed 2-4",
    ]
    assert made.session.gap is None
    assert made.state is SessionState.ACTIVE
