"""What an ACTIVE session makes of one message: framing, header, sequence and Reject rules."""

import pytest

from fixlab.session.transitions import Role, SessionState
from fixlab.times import NANOSECONDS
from tests.session.script import (
    ACCEPTOR,
    INITIATOR,
    NOW,
    ROLES,
    T0,
    VERSIONS,
    Bench,
    bench,
    wire,
)

AGAIN = f"43=Y|122={T0}|"  # what makes a message a retransmission


def logout(
    rule: str, number: int, text: str, counters: str, kind: str = "REJECTED"
) -> list[str]:
    """The Output of a message that ends the session: nothing counted, Logout, wait."""
    next_in, next_out = map(int, counters.split("/"))
    return [
        f"{kind} {rule} {counters}",
        f"SENT {rule} {next_in}/{next_out + 1} -> CLOSING",
        f"> 35=5|34={number}|58={text}|",
    ]


def reject(rule: str, number: int, body: str, counted: str) -> list[str]:
    """The Output of a message that is rejected and counted, when 2/2 came before."""
    next_in, next_out = map(int, counted.split("/"))
    return [
        f"REJECTED {rule} {counted}",
        f"SENT {rule} {next_in}/{next_out + 1}",
        f"> 35=3|34={number}|45=2|{body}",
    ]


# Framing ---------------------------------------------


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("FRM-01", b"8=FIX.4.4\x019=10\x0134=2\x0135=0\x01"),
        ("FRM-02", b"8=FIX44\x019=5\x0135=0\x01"),
        ("FRM-03", wire("35=D|34=2|11=x|").replace(b"9=53", b"9=52")),
        ("FRM-04", wire("35=D|34=2|11=x|").replace(b"11=x", b"11=y")),
        ("FRM-07", b"junk"),
    ],
)
def test_frm_06_seq_10_garbled_input_changes_nothing_but_is_recorded(
    role: Role, rule: str, broken: bytes
) -> None:
    made = bench(role)
    made.wait(5)
    before = made.session.deadline
    assert made.receive_bytes(broken) == [f"GARBLED {rule} 2/2"]
    assert made.session.deadline == before  # HBT-06: no timer starts anew
    assert made.receive("35=D|34=2|11=x|") == ["ACCEPTED SEQ-02 3/2", "! Received 2"]


def test_frm_07_a_good_message_behind_junk_is_processed() -> None:
    made = bench()
    got = made.receive_bytes(b"58=x\x01" + wire("35=D|34=2|11=x|"))
    assert got == ["GARBLED FRM-07 2/2", "ACCEPTED SEQ-02 3/2", "! Received 2"]


def test_frm_08_garbled_input_before_the_logon_closes_without_a_word() -> None:
    made = Bench()
    made.connected()
    assert made.receive_bytes(b"GET / HTTP/1.1\r\n\r\n") == [
        "GARBLED FRM-07 1/1",
        "STATE FRM-08 1/1 -> DISCONNECTED",
        "! Ended FRM-08",
        "x not FIX before the Logon: bytes that start no message (first byte 0x47, as HTTP's "
        "GET has)",
    ]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("begin_string", VERSIONS)
def test_frm_09_no_number_ends_the_session(role: Role, begin_string: str) -> None:
    made = bench(role, begin_string=begin_string)
    text = "Received message without MsgSeqNum(34)"
    assert made.receive("35=D|!34|11=x|") == logout("FRM-09", 2, text, "2/2")


@pytest.mark.parametrize("number", ["", "0", "000", "-1", "x", "2.0", " 2", "1" * 19])
def test_frm_10_an_unreadable_number_ends_the_session(number: str) -> None:
    text = f"MsgSeqNum(34) is not a positive number: {number}"
    assert bench().receive(f"35=D|34={number}|") == logout("FRM-10", 2, text, "2/2")


def test_frm_10_leading_zeros_are_accepted() -> None:
    assert bench().receive("35=D|34=0002|11=x|") == ["ACCEPTED SEQ-02 3/2", "! Received 2"]


@pytest.mark.parametrize("field", ["=x", "007=x", "0=x", "a=b"])
def test_frm_11_what_is_no_field_is_rejected(field: str) -> None:
    body = "58=a field does not start with a tag|372=D|373=0|"
    assert bench().receive(f"35=D|34=2|{field}|") == reject("FRM-11", 2, body, "3/2")


def test_frm_13_an_oversized_message_is_garbled_and_one_at_the_limit_is_not() -> None:
    raw = wire("35=D|34=2|58=" + "x" * 300 + "|")
    assert bench(message_bytes_max=len(raw) - 1).receive_bytes(raw)[0] == "GARBLED FRM-13 2/2"
    assert bench(message_bytes_max=len(raw)).receive_bytes(raw)[0] == "ACCEPTED SEQ-02 3/2"


# Data ---------------------------------------------


def test_dat_01_dat_02_data_with_soh_is_delivered_whole() -> None:
    made = bench()
    assert made.receive("35=B|34=2|95=5|96=a\x01=\x01b|58=t|") == [
        "ACCEPTED SEQ-02 3/2",
        "! Received 2",
    ]
    (event,) = made.output.events
    assert event.message[96] == "a\x01=\x01b"  # type: ignore[union-attr]


def test_dat_03_a_wrong_length_is_rejected() -> None:
    body = "58=the length does not end the data field 96|371=95|372=B|373=5|"
    assert bench().receive("35=B|34=2|95=9|96=abc|") == reject("DAT-03", 2, body, "3/2")


# Header ---------------------------------------------


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("begin_string", VERSIONS)
def test_hdr_01_another_version_ends_the_session(role: Role, begin_string: str) -> None:
    other = "FIX.4.2" if begin_string != "FIX.4.2" else "FIX.4.3"
    text = f"Incorrect BeginString, expected {begin_string} but received {other}"
    made = bench(role, begin_string=begin_string)
    assert made.receive(f"35=D|34=2|8={other}|") == logout("HDR-01", 2, text, "2/2")


def test_hdr_01_is_judged_before_anything_else_hdr_00() -> None:
    assert bench().receive("35=D|!34|49=X|8=FIX.4.0|")[0] == "REJECTED HDR-01 2/2"


@pytest.mark.parametrize(("tag", "field"), [(49, "49=XX"), (56, "56=XX")])
def test_hdr_02_wrong_comp_ids_are_rejected_then_logged_out(tag: int, field: str) -> None:
    assert bench().receive(f"35=D|34=2|{field}|") == [
        "REJECTED HDR-02 3/2",
        "SENT HDR-02 3/3",
        "SENT HDR-02 3/4 -> CLOSING",
        f"> 35=3|34=2|45=2|58=CompID problem|371={tag}|372=D|373=9|",
        "> 35=5|34=3|58=CompID problem|",
    ]


@pytest.mark.parametrize("seconds", [-120.5, 120.5])
def test_hdr_04_a_time_too_far_off_is_rejected_then_logged_out(seconds: float) -> None:
    made = bench()
    raw = wire("35=D|34=2|", now=NOW + round(seconds * NANOSECONDS))
    text = f"SendingTime accuracy problem: {seconds:+.0f} s off, 120 s allowed"
    assert made.receive_bytes(raw) == [
        "REJECTED HDR-04 3/2",
        "SENT HDR-04 3/3",
        "SENT HDR-04 3/4 -> CLOSING",
        f"> 35=3|34=2|45=2|58={text}|371=52|372=D|373=10|",
        f"> 35=5|34=3|58={text}|",
    ]


@pytest.mark.parametrize("seconds", [-120, 0, 120])
def test_hdr_04_the_tolerance_itself_is_allowed(seconds: int) -> None:
    raw = wire("35=D|34=2|", now=NOW + seconds * NANOSECONDS)
    assert bench().receive_bytes(raw)[0] == "ACCEPTED SEQ-02 3/2"


def test_hdr_04_is_off_without_a_tolerance() -> None:
    made = bench(sending_time_tolerance_seconds=None)
    assert made.receive("35=D|34=2|52=19991231-23:59:59|")[0] == "ACCEPTED SEQ-02 3/2"


@pytest.mark.parametrize("text", ["yesterday", "", "20260230-09:00:00", "20260105-09:00:00."])
def test_hdr_05_a_malformed_time_is_rejected(text: str) -> None:
    body = "58=Incorrect data format for value|371=52|372=D|373=6|"
    assert bench().receive(f"35=D|34=2|52={text}|") == reject("HDR-05", 2, body, "3/2")


@pytest.mark.parametrize(("rule", "tag"), [("HDR-14", 49), ("HDR-14", 56), ("HDR-05", 52)])
def test_hdr_05_hdr_14_a_missing_header_field_is_rejected(rule: str, tag: int) -> None:
    body = f"58=Required tag missing: {tag}|371={tag}|372=D|373=1|"
    assert bench().receive(f"35=D|34=2|!{tag}|") == reject(rule, 2, body, "3/2")


def test_hdr_08_a_retransmission_needs_its_original_time() -> None:
    body = "58=Required tag missing: 122|371=122|372=D|373=1|"
    assert bench().receive("35=D|34=2|43=Y|") == reject("HDR-08", 2, body, "3/2")
    body = "58=Incorrect data format for value|371=122|372=D|373=6|"
    assert bench().receive("35=D|34=2|43=Y|122=x|") == reject("HDR-08", 2, body, "3/2")


def test_hdr_08_sequence_reset_is_exempt() -> None:
    got = bench().receive("35=4|34=2|43=Y|123=Y|36=5|")
    assert got == ["GAP_FILLED SQR-02 5/2"]


def test_hdr_09_the_original_time_is_not_later_than_the_sending_time() -> None:
    text = "SendingTime accuracy problem: OrigSendingTime(122) is later than SendingTime(52)"
    body = f"58={text}|371=122|372=D|373=10|"
    got = bench().receive("35=D|34=2|43=Y|122=20260105-09:00:00.001|")
    assert got == reject("HDR-09", 2, body, "3/2")
    assert bench().receive(f"35=D|34=2|{AGAIN}")[0] == "ACCEPTED SEQ-11 3/2"  # equal is legal


@pytest.mark.parametrize("flag", ["X", "y", "1", ""])
def test_prs_06_the_flag_is_y_or_n(flag: str) -> None:
    assert bench().receive(f"35=D|34=2|43={flag}|")[0] == "REJECTED PRS-06 3/2"


def test_prs_06_n_is_the_same_as_no_flag() -> None:
    assert bench().receive("35=D|34=2|43=N|") == ["ACCEPTED SEQ-02 3/2", "! Received 2"]
    assert bench().receive("35=D|34=1|43=N|")[0] == "TOO_LOW SEQ-03 2/2"


# Sequence ---------------------------------------------


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("begin_string", VERSIONS)
def test_seq_01_new_messages_take_the_next_number(role: Role, begin_string: str) -> None:
    made = bench(role, begin_string=begin_string)
    assert made.send("35=D|11=A|") == ["SENT SEQ-01 2/3", "> 35=D|34=2|11=A|"]
    assert made.send("35=8|11=A|50=DESK|") == ["SENT SEQ-01 2/4", "> 35=8|34=3|50=DESK|11=A|"]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("begin_string", VERSIONS)
def test_seq_02_the_expected_number_is_delivered(role: Role, begin_string: str) -> None:
    made = bench(role, begin_string=begin_string)
    for number in (2, 3):
        assert made.receive(f"35=D|34={number}|11=x|") == [
            f"ACCEPTED SEQ-02 {number + 1}/2",
            f"! Received {number}",
        ]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("msg_type", ["D", "0", "1", "3"])
def test_seq_03_too_low_ends_the_session(role: Role, msg_type: str) -> None:
    text = "MsgSeqNum too low, expecting 2 but received 1"
    got = bench(role).receive(f"35={msg_type}|34=1|112=T|45=1|")
    assert got == logout("SEQ-03", 2, text, "2/2", "TOO_LOW")


@pytest.mark.parametrize("msg_type", ["D", "0", "1", "2", "3", "5", "A"])
def test_seq_04_too_low_but_flagged_is_ignored(msg_type: str) -> None:
    got = bench().receive(f"35={msg_type}|34=1|{AGAIN}98=0|108=30|7=1|16=0|112=T|")
    assert got == ["DUPLICATE SEQ-04 2/2"]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("begin_string", VERSIONS)
def test_seq_05_too_high_is_held_and_asked_for(role: Role, begin_string: str) -> None:
    made = bench(role, begin_string=begin_string)
    end = "999999" if begin_string in ("FIX.4.0", "FIX.4.1") else "0"
    assert made.receive("35=D|34=5|11=x|") == [
        "HELD SEQ-05 2/2",
        "GAP_OPENED SEQ-05 2/2",
        "RESEND_REQUESTED RRQ-01 2/2",
        "SENT RRQ-01 2/3",
        f"> 35=2|34=2|7=2|16={end}|",
        "! GapNoticed 2-4",
    ]
    assert made.session.gap == (2, 4, 1)
    opened = made.output.transitions[1]
    assert (opened.begin_seq_no, opened.end_seq_no, opened.gap) == (2, 4, 1)
    asked = made.output.transitions[2]
    assert (asked.begin_seq_no, asked.end_seq_no) == (2, 0)  # 0 is open in every version


def test_seq_06_each_type_that_comes_too_early_is_held() -> None:
    for text in ("35=0|", "35=1|112=T|", "35=3|45=1|", "35=5|", "35=D|"):
        made = bench()
        kind, rest = text.split("|", 1)
        assert made.receive(f"{kind}|34=3|{rest}")[0] == "HELD SEQ-05 2/2", text
        assert [s[:5] for s in made.sent] == ["35=2|"], text
        assert made.state is SessionState.ACTIVE


def test_seq_07_early_messages_wait_and_are_released_in_order() -> None:
    made = bench()
    made.receive("35=D|34=4|", "35=D|34=5|", "35=1|34=6|112=T|")
    assert made.delivered == []
    assert made.receive(f"35=D|34=2|{AGAIN}") == ["ACCEPTED SEQ-11 3/3", "! Received 2 dup"]
    assert made.receive(f"35=D|34=3|{AGAIN}") == [
        "ACCEPTED SEQ-11 4/3",
        "GAP_CLOSED RRQ-05 4/3",
        "ACCEPTED SEQ-02 5/3",
        "ACCEPTED SEQ-02 6/3",
        "ACCEPTED HBT-03 7/3",
        "SENT HBT-03 7/4",
        "> 35=0|34=3|112=T|",
        "! Received 3 dup",
        "! GapClosed 2-3",
        "! Received 4",
        "! Received 5",
    ]


def test_seq_07_a_rejected_message_releases_what_waits_behind_it_too() -> None:
    made = bench()
    made.receive("35=D|34=3|")
    made.receive("35=D|34=2|43=Y|")
    assert made.rows == [
        "REJECTED HDR-08",
        "SENT HDR-08",
        "GAP_CLOSED RRQ-05",
        "ACCEPTED SEQ-02",
    ]
    assert made.delivered == [3]


def test_seq_07_thousands_of_bad_early_messages_are_released_one_by_one() -> None:
    made = bench()
    early = b"".join(wire(f"35=D|34={n}|58=|") for n in range(3, 3_003))
    made.receive_bytes(early)
    made.receive(f"35=D|34=2|{AGAIN}")
    assert made.counters == (3_003, 3_003)


def test_seq_08_a_sequence_reset_has_no_number_of_its_own() -> None:
    for number in (1, 2, 99):
        assert bench().receive(f"35=4|34={number}|36=7|") == ["RESET_IN SQR-07 7/2"]


def test_seq_09_a_rejected_message_counts() -> None:
    made = bench()
    made.receive("35=D|34=2|58=|")
    assert made.counters == (3, 3)
    assert made.receive("35=D|34=3|")[0] == "ACCEPTED SEQ-02 4/3"


def test_seq_11_a_flagged_message_with_the_expected_number_is_delivered() -> None:
    got = bench().receive(f"35=D|34=2|{AGAIN}")
    assert got == ["ACCEPTED SEQ-11 3/2", "! Received 2 dup"]


def test_seq_12_a_flagged_message_that_is_too_high_opens_a_gap() -> None:
    made = bench()
    assert made.receive(f"35=D|34=4|{AGAIN}")[:2] == [
        "HELD SEQ-05 2/2",
        "GAP_OPENED SEQ-05 2/2",
    ]
    assert made.sent == ["35=2|34=2|7=2|16=0|"]


@pytest.mark.parametrize("role", ROLES)
def test_seq_13_dsc_03_04_numbers_survive_a_lost_connection(role: Role) -> None:
    made = bench(role)
    made.receive("35=D|34=2|", "35=D|34=4|")
    made.send()
    assert made.disconnected() == [
        "GAP_ABANDONED RRQ-09 3/4",
        "STATE DSC-03 3/4 -> DISCONNECTED",
        "! Ended DSC-03",
    ]
    assert made.session.gap is None
    assert made.session.deadline is None
    logon = made.connected() + made.receive(made.logon_text(7))
    assert "> 35=A|34=4|98=0|108=30|" in logon
    assert "> 35=2|34=5|7=3|16=0|" in logon
    assert made.session.gap == (3, 6, 1)


@pytest.mark.parametrize("msg_type", ["0", "1", "2", "5", "A"])
def test_seq_14_flagged_session_messages_are_counted_only(msg_type: str) -> None:
    got = bench().receive(f"35={msg_type}|34=2|{AGAIN}98=0|108=30|7=1|16=0|112=T|")
    assert got == ["ACCEPTED SEQ-14 3/2"]


def test_seq_14_quickfix_acts_on_flagged_messages_with_the_expected_number() -> None:
    made = bench(profile="quickfix")
    made.receive(f"35=1|34=2|{AGAIN}112=T|")
    assert made.sent == ["35=0|34=2|112=T|"]
    assert made.receive(f"35=1|34=2|{AGAIN}112=T|") == ["DUPLICATE SEQ-04 3/3"]
    made.receive(f"35=5|34=3|{AGAIN}")
    assert made.sent == ["35=5|34=3|"]
    assert made.counters == (4, 4)


def test_seq_15_skipped_numbers_are_used_up_and_gap_filled() -> None:
    made = bench()
    assert made.skip(3) == ["SKIPPED SEQ-15 2/5"]
    row = made.output.transitions[0]
    assert (row.begin_seq_no, row.end_seq_no) == (2, 4)
    made.send()
    made.receive("35=2|34=2|7=2|16=0|")
    assert made.sent == [
        f"35=4|34=2|43=Y|122={T0}.000|123=Y|36=5|",
        f"35=D|34=5|43=Y|122={T0}.000|11=A|",
    ]


def test_seq_16_numbers_far_beyond_32_bits_work_up_to_18_digits() -> None:
    last = 10**18 - 1
    made = bench(next_in=last - 2)
    assert made.receive(f"35=D|34={last - 1}|") == [
        f"ACCEPTED SEQ-02 {last}/2",
        f"! Received {last - 1}",
    ]
    assert made.receive(f"35=4|34=1|36={last}|") == [f"RESET_IN SQR-08 {last}/2"]
    assert made.receive(f"35=D|34={last + 1}|")[0] == f"REJECTED FRM-10 {last}/2"


# Reject ---------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_rej_01_rej_07_an_empty_value_is_rejected_and_counted(role: Role) -> None:
    body = "58=Tag specified without a value|371=58|372=D|373=4|"
    assert bench(role).receive("35=D|34=2|58=|") == reject("REJ-07", 2, body, "3/2")


def test_rej_02_only_an_expected_number_is_counted() -> None:
    made = bench()
    made.receive("35=D|34=2|43=Y|")
    assert made.counters == (3, 3)
    assert made.receive("35=D|34=2|43=Y|")[0] == "REJECTED HDR-08 3/3"
    assert made.sent == ["35=3|34=3|45=2|58=Required tag missing: 122|371=122|372=D|373=1|"]
    assert made.receive("35=D|34=9|43=Y|")[0] == "REJECTED HDR-08 3/4"
    assert made.counters == (3, 5)


@pytest.mark.parametrize("begin_string", VERSIONS)
def test_rej_03_a_reject_says_what_its_version_can(begin_string: str) -> None:
    made = bench(begin_string=begin_string)
    made.receive("35=D|34=2|58=|")
    text = "35=3|34=2|45=2|58=Tag specified without a value|"
    old = begin_string in ("FIX.4.0", "FIX.4.1")
    assert made.sent == [text if old else text + "371=58|372=D|373=4|"]


def test_rej_07_an_empty_msg_type_is_not_repeated_in_the_reject() -> None:
    made = bench()
    made.receive("35=|34=2|")
    assert made.sent == ["35=3|34=2|45=2|58=Tag specified without a value|371=35|373=4|"]


@pytest.mark.parametrize("role", ROLES)
def test_rej_18_a_reject_is_counted_and_told(role: Role) -> None:
    assert bench(role).receive("35=3|34=2|45=1|58=bad|") == [
        "ACCEPTED REJ-18 3/2",
        "! RejectReceived 1 bad",
    ]


@pytest.mark.parametrize("flags", ["", AGAIN])
def test_rej_18_quickfix_counts_a_reject_whose_number_is_too_high_as_one(flags: str) -> None:
    made = bench(profile="quickfix")
    assert made.receive(f"35=3|34=9|{flags}45=1|58=bad|") == [
        "ACCEPTED REJ-18 3/2",
        "! RejectReceived 1 bad",
    ]
    made.receive("35=D|34=2|")  # which it never got
    assert made.sent == ["35=5|34=2|58=MsgSeqNum too low, expecting 3 but received 2|"]


def test_rej_18_quickfix_checks_that_the_number_of_a_reject_is_not_too_low() -> None:
    made = bench(profile="quickfix")
    assert made.receive(f"35=3|34=1|{AGAIN}45=1|") == ["DUPLICATE SEQ-04 2/2"]
    made.receive("35=3|34=1|45=1|")
    assert made.rows[0] == "TOO_LOW SEQ-03"


@pytest.mark.parametrize("flags", ["", AGAIN])
def test_rej_18_a_message_held_behind_such_a_reject_is_released(flags: str) -> None:
    made = bench(profile="quickfix")
    made.receive("35=D|34=3|", f"35=3|34=9|{flags}45=1|")
    assert made.delivered == [3]
    assert made.counters == (4, 3)
    assert made.session.gap is None


@pytest.mark.parametrize("text", ["45=1|58=|", "x|", "43=Y|", "43=Q|"])
def test_rej_19_a_defective_reject_is_never_answered_with_one(text: str) -> None:
    made = bench()
    made.receive(f"35=3|34=2|{text}")
    assert made.rows[0].startswith("REJECTED ")
    assert made.sent == []
    assert made.counters == (3, 2)


def test_rej_22_one_reject_for_one_message() -> None:
    made = bench()
    made.receive("35=D|34=2|58=|x|95=9|96=a|")
    assert len(made.sent) == 1


# Possible duplicates and resends ---------------------------------------------


def test_prs_01_prs_04_a_possible_resend_is_an_ordinary_message() -> None:
    made = bench()
    assert made.receive("35=D|34=2|97=Y|") == ["ACCEPTED SEQ-02 3/2", "! Received 2"]
    assert made.receive("35=D|34=2|97=Y|")[0] == "TOO_LOW SEQ-03 3/2"


def test_prs_04_a_possible_resend_keeps_its_flag_when_replayed() -> None:
    made = bench()
    made.send("35=D|97=Y|11=A|")
    made.receive("35=2|34=2|7=2|16=2|")
    assert made.sent == [f"35=D|34=2|43=Y|122={T0}.000|97=Y|11=A|"]


# What a peer writes may never hurt ---------------------------------------------


def test_hostile_text_is_shortened_and_made_visible() -> None:
    made = bench()
    made.receive("35=3|34=2|45=1|58=" + "<b>\x1b[2J\n" * 1000 + "|")
    text = made.output.transitions[0].text
    assert len(text) < 1_000
    assert "\x1b" not in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "answer",
    ["35=A|34=1|98=hunter2|108=30|", "35=A|34=1|98=0|108=hunter2|", "35=5|34=1|58=hunter2|"],
)
def test_lgn_26_a_password_that_comes_back_is_masked_in_all_that_is_kept(answer: str) -> None:
    made = Bench(INITIATOR, username="joe", password="hunter2")
    made.connected()
    made.receive(answer)
    shown = repr(made.output.transitions) + repr(made.output.events) + repr(made.session)
    assert "hunter2" not in shown + str(made.output.disconnect)


def test_an_answer_may_exceed_the_limit_that_its_question_kept() -> None:
    made = bench(message_bytes_max=256, timestamp_digits=9)
    question = "35=1|34=2|112=" + "x" * 170 + "|"
    raw = wire(question + f"52={T0}|")
    raw = wire("35=1|34=2|112=" + "x" * (170 + 256 - len(raw)) + f"|52={T0}|")
    assert len(raw) == 256
    assert made.receive_bytes(raw)[0] == "ACCEPTED HBT-03 3/2"
    assert len(made.output.data) > 256


def test_a_long_msg_type_is_rejected_without_an_exception() -> None:
    made = bench(message_bytes_max=256)
    assert made.receive("35=" + "Z" * 170 + "|34=2|58=|")[0] == "REJECTED REJ-07 3/2"


@pytest.mark.parametrize("role", [INITIATOR, ACCEPTOR])
def test_what_follows_a_refusal_in_the_same_bytes_is_not_answered(role: Role) -> None:
    made = bench(role)
    made.receive("35=D|34=1|", "35=5|34=2|", "35=D|34=2|", "35=D|34=3|")
    assert made.delivered == []
    assert made.state is SessionState.DISCONNECTED
    assert made.receive("35=D|34=2|") == []
