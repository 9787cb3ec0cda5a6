"""The end of a connection: Logout both ways, error Logouts, and a transport that is lost."""

import pytest

from fixlab.session.events import Ended, RejectReceived
from fixlab.session.transitions import Role, SessionState
from tests.session.script import INITIATOR, ROLES, T0, VERSIONS, Bench, bench

_S = SessionState
AGAIN = f"43=Y|122={T0}|"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("begin_string", VERSIONS)
def test_lgo_01_lgo_03_own_logout_is_confirmed_and_this_side_closes(
    role: Role, begin_string: str
) -> None:
    made = bench(role, begin_string=begin_string)
    assert made.logout("done") == ["SENT LGO-01 2/3 -> LOGOUT_SENT", "> 35=5|34=2|58=done|"]
    assert made.receive("35=D|34=2|") == ["ACCEPTED LGO-01 3/3", "! Received 2"]
    assert made.receive("35=5|34=3|") == [
        "ACCEPTED LGO-03 4/3",
        "STATE LGO-03 4/3 -> DISCONNECTED",
        "! Ended LGO-03 clean",
        "x Logout confirmed",
    ]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("begin_string", VERSIONS)
def test_lgo_02_the_peers_logout_is_answered_and_the_peer_closes(
    role: Role, begin_string: str
) -> None:
    made = bench(role, begin_string=begin_string)
    status = "1409=4|" if begin_string == "FIXT.1.1" else ""  # LGO-09: Logout complete
    assert made.receive("35=5|34=2|58=bye|") == [
        "ACCEPTED LGO-02 3/2",
        "SENT LGO-02 3/3 -> LOGOUT_ANSWERED",
        f"> 35=5|34=2|{status}",
    ]
    assert made.disconnected() == ["STATE LGO-02 3/3 -> DISCONNECTED", "! Ended LGO-02 clean"]


def test_lgo_02_a_peer_that_does_not_close_is_closed() -> None:
    made = bench()
    made.receive("35=5|34=2|")
    assert made.tick(9.999) == []
    assert made.tick(0.001) == [
        "TIMED_OUT LGO-02 3/3",
        "STATE LGO-02 3/3 -> DISCONNECTED",
        "! Ended LGO-02 clean",
        "x the peer did not close after its Logout",
    ]


@pytest.mark.parametrize("text", ["35=1|34=2|112=T|", "35=0|34=2|", "35=3|34=2|45=1|"])
def test_lgo_04_nothing_but_replays_after_own_logout(text: str) -> None:
    made = bench()
    made.logout()
    assert made.receive(text) == ["ACCEPTED LGO-04 3/3"]


def test_lgo_04_a_resend_request_is_answered_after_own_logout() -> None:
    made = bench()
    made.send()
    made.logout()
    assert made.receive("35=2|34=2|7=2|16=0|") == [
        "ACCEPTED LGO-04 3/4",
        "RESENT RSP-01 3/4",
        "FILL_SENT RSP-04 3/4",
        "RESEND_ANSWERED LGO-04 3/4",
        f"> 35=D|34=2|43=Y|122={T0}.000|11=A|",
        f"> 35=4|34=3|43=Y|122={T0}.000|123=Y|36=4|",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "35=D|34=9|",
        "35=D|34=1|",
        "35=2|34=2|7=9|16=1|",
        "35=D|34=2|49=XX|",
        "35=D|!34|",
        "35=4|34=2|36=2|",
        "35=4|34=2|36=9|",
        "35=D|34=2|58=|",
    ],
)
def test_lgo_04_what_cannot_be_processed_after_own_logout_does_not_count(text: str) -> None:
    made = bench()
    made.logout()
    assert made.receive(text) == ["IGNORED LGO-04 2/3"]


def test_lgo_05_a_logout_that_comes_too_early_is_answered_once_the_gap_is_closed() -> None:
    made = bench()
    made.receive("35=5|34=4|")
    assert made.sent == ["35=2|34=2|7=2|16=0|"]
    made.receive(f"35=D|34=2|{AGAIN}")
    assert made.state is _S.ACTIVE
    # A peer's gap fill may cover its own Logout.
    assert made.receive("35=4|34=3|43=Y|123=Y|36=5|") == [
        "GAP_FILLED SQR-02 5/3",
        "GAP_CLOSED RRQ-05 5/3",
        "SENT LGO-02 5/4 -> LOGOUT_ANSWERED",
        "> 35=5|34=3|",
        "! GapClosed 2-3",
    ]


def test_lgo_05_an_early_logout_is_answered_at_last_even_without_recovery() -> None:
    made = bench()
    made.receive("35=5|34=4|")
    assert made.tick(10) == [
        "TIMED_OUT LGO-05 2/3",
        "GAP_ABANDONED RRQ-09 2/3",
        "SENT LGO-02 2/4 -> LOGOUT_ANSWERED",
        "> 35=5|34=3|",
    ]


def test_lgo_05_a_second_logout_is_answered_again() -> None:
    made = bench()
    made.receive("35=5|34=2|")
    assert made.receive("35=5|34=3|") == [
        "ACCEPTED LGO-05 4/3",
        "SENT LGO-05 4/4",
        "> 35=5|34=3|",
    ]


@pytest.mark.parametrize(
    "text", ["35=D|34=3|", "35=5|34=9|", "35=1|34=3|112=T|", "35=D|34=3|49=X|"]
)
def test_lgo_02_other_messages_after_the_answer_do_not_count(text: str) -> None:
    made = bench()
    made.receive("35=5|34=2|")
    assert made.receive(text) == ["IGNORED LGO-02 3/3"]


def test_lgo_06_own_logout_waits_for_the_gap() -> None:
    made = bench()
    made.receive("35=D|34=4|")
    assert made.logout("bye") == ["STATE LGO-06 2/3"]
    assert made.logout("again") == []
    assert made.receive("35=4|34=2|43=Y|123=Y|36=4|") == [
        "GAP_FILLED SQR-02 4/3",
        "GAP_CLOSED RRQ-05 4/3",
        "ACCEPTED SEQ-02 5/3",
        "SENT LGO-06 5/4 -> LOGOUT_SENT",
        "> 35=5|34=3|58=bye|",
        "! GapClosed 2-3",
        "! Received 4",
    ]


def test_lgo_06_own_logout_does_not_wait_for_ever() -> None:
    made = bench()
    made.receive("35=D|34=4|")
    made.logout("bye")
    assert made.tick(10) == [
        "TIMED_OUT LGO-06 2/3",
        "GAP_ABANDONED RRQ-09 2/3",
        "SENT LGO-06 2/4 -> LOGOUT_SENT",
        "> 35=5|34=3|58=bye|",
    ]


def test_lgo_07_a_logout_with_a_low_number_ends_the_session() -> None:
    assert bench().receive("35=5|34=1|")[0] == "TOO_LOW LGO-07 2/2"


@pytest.mark.parametrize("role", ROLES)
def test_lgo_08_a_logout_that_is_not_confirmed_ends_by_time(role: Role) -> None:
    made = bench(role)
    made.logout()
    assert made.tick(9.999) == []
    assert made.tick(0.001) == [
        "TIMED_OUT LGO-08 2/3",
        "STATE LGO-08 2/3 -> DISCONNECTED",
        "! Ended LGO-08",
        "x the Logout was not confirmed",
    ]


def test_lgo_10_a_logout_instead_of_the_logon_answer_is_a_refusal() -> None:
    made = Bench(INITIATOR)
    made.connected()
    assert made.receive("35=5|34=1|58=not today|") == [
        "ACCEPTED LGO-10 2/2",
        "STATE LGO-10 2/2 -> DISCONNECTED",
        "! Ended LGO-10",
        "x Logon refused: not today",
    ]
    made = Bench(INITIATOR)
    made.connected()
    made.receive("35=5|34=7|")
    assert made.rows == ["IGNORED LGO-10", "STATE LGO-10"]
    assert made.counters == (1, 2)


@pytest.mark.parametrize("number", [2, 1, 99])
def test_lgo_11_12_any_logout_confirms_own_logout(number: int) -> None:
    made = bench()
    made.logout()
    made.receive(f"35=5|34={number}|58=mine|")
    assert made.events == ["Ended LGO-03 clean"]
    assert made.session.next_in == (3 if number == 2 else 2)


def test_lgo_12_dsc_02_after_an_error_only_a_logout_still_means_something() -> None:
    made = bench()
    made.receive("35=D|34=1|")
    assert made.receive("35=D|34=2|", "35=2|34=3|7=1|16=0|") == [
        "IGNORED LGO-12 2/3",
        "IGNORED LGO-12 2/3",
    ]
    assert made.receive("35=5|34=77|") == [
        "IGNORED LGO-12 2/3",
        "STATE LGO-12 2/3 -> DISCONNECTED",
        "! Ended LGO-12",
        "x Logout confirmed after a protocol error",
    ]


def test_lgo_12_an_error_logout_waits_as_long_as_configured() -> None:
    made = bench(disconnect_wait_seconds=0)
    made.receive("35=D|34=1|")
    assert made.tick()[-1] == "x closed after a protocol error"


@pytest.mark.parametrize(
    ("texts", "rule"),
    [
        ([], "DSC-03"),
        (["35=D|34=1|"], "DSC-03"),
        (["35=D|34=9|"], "DSC-03"),
        (["35=5|34=2|"], "LGO-02"),
    ],
)
def test_dsc_03_a_lost_transport_keeps_numbers_and_store(texts: list[str], rule: str) -> None:
    made = bench()
    made.send()
    made.receive(*texts)
    before = made.counters
    made.disconnected()
    assert made.rows[-1] == f"STATE {rule}"
    assert made.counters == before
    assert made.output.disconnect is None  # there is nothing left to close
    assert made.state is _S.DISCONNECTED
    assert [number for number, _ in made.session.store.sent(1, 2)] == [1, 2]


@pytest.mark.parametrize("role", ROLES)
def test_dsc_04_the_next_connection_goes_on_with_the_numbers(role: Role) -> None:
    made = bench(role)
    made.send()
    made.receive("35=D|34=2|")
    made.disconnected()
    told = made.connected() + made.receive("35=A|34=3|98=0|108=30|")
    assert "> 35=A|34=3|98=0|108=30|" in told
    assert made.counters == (4, 4)


def test_dsc_04_half_a_message_of_the_old_connection_is_forgotten() -> None:
    made = bench(INITIATOR)
    made.receive_bytes(made.wire("35=D|34=2|")[:30])
    made.disconnected()
    made.connected()
    assert made.receive("35=A|34=2|98=0|108=30|")[0] == "ACCEPTED LGN-09 3/3 -> ACTIVE"


def test_lgo_02_the_reason_keeps_the_words_of_the_peers_logout() -> None:
    made = bench()
    made.receive("35=5|34=2|58=end of day|")
    made.disconnected()
    (ended,) = made.output.events
    assert ended == Ended("the peer logged out: end of day", "LGO-02", clean=True)


# Habits of other engines, and what a Logout says ---------------------------------------------

FIXT = "FIXT.1.1"


@pytest.mark.parametrize("profile", ["quickfix", "quickfixj", "quickfixn", "artio"])
@pytest.mark.parametrize("role", ROLES)
def test_lgo_02_engines_that_answer_a_logout_and_close_at_once(
    role: Role, profile: str
) -> None:
    made = bench(role, profile=profile)
    made.receive("35=5|34=2|58=bye|")
    assert made.rows == ["ACCEPTED LGO-02", "SENT LGO-02", "STATE LGO-02"]
    assert [text[:5] for text in made.sent] == ["35=5|"]
    assert made.events == ["Ended LGO-02 clean"]
    assert made.output.disconnect == "the peer logged out: bye"
    assert made.counters == (3, 3)


def test_lgo_05_who_closes_after_the_answer_does_so_when_the_gap_is_closed() -> None:
    made = bench(profile="quickfixj")
    made.receive("35=5|34=4|58=bye|")
    assert made.session.state is _S.ACTIVE
    made.receive("35=4|34=2|43=Y|123=Y|36=5|")
    assert made.rows[-2:] == ["SENT LGO-02", "STATE LGO-02"]
    assert made.state is _S.DISCONNECTED
    assert made.counters == (5, 4)


@pytest.mark.parametrize("number", [1, 4])
@pytest.mark.parametrize("flags", ["", f"43=Y|122={T0}|"])
def test_lgo_05_lgo_07_quickfix_answers_a_logout_whatever_its_number(
    number: int, flags: str
) -> None:
    made = bench(profile="quickfix")
    made.receive(f"35=5|34={number}|{flags}58=bye|")
    assert made.rows == ["ACCEPTED LGO-02", "SENT LGO-02", "STATE LGO-02"]
    assert made.sent == ["35=5|34=2|"]
    assert made.events == ["Ended LGO-02 clean"]
    assert made.counters == (3, 3)  # one more, whatever the number


def test_lgo_12_engines_that_close_with_their_error_logout() -> None:
    made = bench(profile="quickfixj")
    made.receive("35=D|34=1|", "35=D|34=2|")
    assert made.rows == ["TOO_LOW SEQ-03", "SENT SEQ-03", "STATE SEQ-03"]
    assert made.events == ["Ended SEQ-03"]
    assert made.output.disconnect is not None
    assert made.counters == (2, 3)  # what came behind it was not looked at


@pytest.mark.parametrize(
    ("text", "rule", "said"),
    [
        ("35=D|34=1|", "SEQ-03", True),
        ("35=5|34=1|", "LGO-07", True),
        ("35=D|34=2|8=FIX.4.2|", "HDR-01", True),
        ("35=A|34=2|98=0|108=30|", "LGN-29", False),
    ],
)
def test_lgo_12_some_engines_say_why_only_for_a_few_errors(
    text: str, rule: str, said: bool
) -> None:
    few = bench(profile="artio")  # all of them
    few.receive(text)
    assert any("58=" in sent for sent in few.sent)
    made = bench(profile="quickfixn")
    made.receive(text)
    assert made.rows[-1] == f"SENT {rule}"
    assert ("58=" in made.sent[-1]) is said
    # The record keeps the reason whether it was said or not.
    assert made.output.transitions[-1].text


@pytest.mark.parametrize(
    "text",
    ["35=D|34=1|", "35=5|34=1|", "35=4|34=1|123=Y|36=9|", "35=A|34=2|98=0|108=30|1137=9|"],
)
@pytest.mark.parametrize("begin_string", [FIXT, "FIX.4.4"])
def test_lgo_09_an_error_logout_has_no_status_that_a_dictionary_would_reject(
    begin_string: str, text: str
) -> None:
    made = bench(begin_string=begin_string)
    made.receive(text)
    assert made.sent[-1].startswith("35=5|")
    assert "1409=" not in made.sent[-1]
    assert "58=" in made.sent[-1]


def test_lgo_11_logouts_that_cross_confirm_each_other() -> None:
    one, two = bench(INITIATOR), bench()
    one.logout()
    two.logout()
    for made in (one, two):
        made.receive("35=5|34=2|")
        assert made.events == ["Ended LGO-03 clean"]
        assert made.counters == (3, 3)
        assert made.sent == []


def test_lgo_13_a_resend_under_way_is_completed_before_the_logout() -> None:
    made = bench(replay_batch_max=2)
    for _ in range(4):
        made.send()
    made.receive("35=2|34=2|7=2|16=0|")
    assert made.session.replaying
    assert made.logout("bye") == ["STATE LGO-13 3/6"]
    assert made.send() == ["QUEUED RSP-15 3/7"]
    while made.session.replaying:
        made.tick()
    assert [text[:10] for text in made.sent[-2:]] == ["35=D|34=6|", "35=5|34=7|"]
    assert made.state is _S.LOGOUT_SENT
    # Nothing new leaves after it.
    assert made.send()[0].startswith("QUEUED")


@pytest.mark.parametrize(
    "text",
    [
        "35=D|34=2|52=20260105-08:00:00|",
        "35=D|34=2|52=x|",
        "35=D|34=2|43=Y|",
        "35=D|34=2|43=X|",
    ],
)
def test_lgo_04_hdr_00_a_message_with_a_bad_header_is_not_delivered_after_own_logout(
    text: str,
) -> None:
    made = bench()
    made.logout()
    assert made.receive(text) == ["IGNORED LGO-04 2/3"]


@pytest.mark.parametrize(
    "text", ["35=5|34=2|58=why 554=s3cr3t|", "35=3|34=2|45=1|58=bad 553=joe;554=s3cr3t^A925=n|"]
)
def test_lgn_26_a_secret_that_a_peer_quotes_back_is_masked(text: str) -> None:
    made = bench()
    made.receive(text)
    shown = [row.text for row in made.output.transitions]
    shown += [event.text for event in made.output.events if isinstance(event, RejectReceived)]
    made.disconnected()
    shown += [event.reason for event in made.output.events if isinstance(event, Ended)]
    assert "s3cr3t" not in "".join(shown)
    assert "554=***" in "".join(shown)
