"""What a session makes of header and framing in each version and with each setting."""

import pytest

from fixlab.dictionary import Checks
from fixlab.errors import ConfigError
from fixlab.session.events import Received
from fixlab.session.transitions import Role, SessionState
from tests.session.script import (
    NOW,
    ROLES,
    T0,
    VERSIONS,
    Bench,
    bench,
    config,
    wire,
)

AGAIN = f"43=Y|122={T0}|"
OLD = ("FIX.4.0", "FIX.4.1")
LATER = "43=Y|122=20260105-09:00:00.001|"  # than SendingTime


# LastMsgSeqNumProcessed ----------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("profile", ["spec", "quickfix"])
def test_hdr_11_every_header_says_what_was_processed_last(role: Role, profile: str) -> None:
    made = Bench(role, last_processed=True, profile=profile)
    made.connected()
    made.receive(made.logon_text(1))
    logons = {Role.INITIATOR: 0, Role.ACCEPTOR: 1}
    assert made.session.next_out == 2
    first = next(iter(made.session.store.sent(1, 1)))[1]
    assert b"\x01369=%d\x01" % logons[role] in first
    made.receive("35=D|34=2|")
    assert made.send("35=D|11=A|")[1] == "> 35=D|34=2|369=2|11=A|"
    made.receive("35=1|34=3|112=T|")
    assert made.sent == ["35=0|34=3|369=3|112=T|"]


def test_hdr_11_a_replay_and_its_gap_fills_carry_the_value_of_now() -> None:
    made = bench(last_processed=True)
    made.send("35=D|11=A|")
    made.receive("35=0|34=2|", "35=0|34=3|", "35=2|34=4|7=1|16=0|")
    assert made.sent == [
        f"35=4|34=1|43=Y|122={T0}.000|369=4|123=Y|36=2|",
        f"35=D|34=2|43=Y|122={T0}.000|369=4|11=A|",
    ]


@pytest.mark.parametrize("msg_type", ["D", "0"])
def test_hdr_11_a_number_that_was_never_sent_is_noted_and_no_more(msg_type: str) -> None:
    made = bench()
    assert made.receive(f"35={msg_type}|34=2|369=1|")[0].startswith("ACCEPTED")
    assert len(made.rows) == 1
    made.receive(f"35={msg_type}|34=3|369=2|")
    assert made.rows[1:] == ["WARNED HDR-11"]
    assert made.sent == []
    assert made.output.transitions[1].text == "LastMsgSeqNumProcessed(369) 2, last sent 1"
    # Also where the message itself has to wait.
    made.receive(f"35={msg_type}|34=9|369=99|")
    assert made.rows[-1] == "WARNED HDR-11"


# Switches --------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["49=OTHER", "56=OTHER"])
def test_hdr_02_comp_ids_may_be_left_unchecked(field: str) -> None:
    made = bench(check_comp_id=False)
    assert made.receive(f"35=D|34=2|{field}|")[0] == "ACCEPTED SEQ-02 3/2"
    assert made.sent == []


@pytest.mark.parametrize("role", ROLES)
def test_hdr_02_unchecked_comp_ids_do_not_keep_a_logon_out(role: Role) -> None:
    made = Bench(role, check_comp_id=False)
    made.connected()
    made.receive(made.logon_text(1) + "49=OTHER|")
    assert made.state is SessionState.ACTIVE


def test_hdr_14_unchecked_comp_ids_must_be_there_all_the_same() -> None:
    made = bench(check_comp_id=False)
    made.receive("35=D|34=2|!49|")
    assert made.rows[0] == "REJECTED HDR-14"


def test_hdr_02_the_reject_of_some_engines_names_no_tag() -> None:
    made = bench(profile="artio")
    made.receive("35=D|34=2|49=X|")
    assert "371=49|" in made.sent[0]
    made = bench(profile="quickfix")
    made.receive("35=D|34=2|49=X|")
    assert made.sent == ["35=3|34=2|45=2|58=CompID problem|372=D|373=9|", "35=5|34=3|"]


# Flag, expected or low number -> rule of the first row, with each setting.
CASES = [
    ("always", "43=Y|", 2, "REJECTED HDR-08"),
    ("always", "43=Y|", 1, "REJECTED HDR-08"),
    ("always", LATER, 2, "REJECTED HDR-09"),
    ("too_low", "43=Y|", 2, "ACCEPTED SEQ-11"),
    ("too_low", "43=Y|", 1, "REJECTED HDR-08"),
    ("too_low", LATER, 2, "ACCEPTED SEQ-11"),
    ("too_low", LATER, 1, "REJECTED HDR-09"),
    ("never", "43=Y|", 2, "ACCEPTED SEQ-11"),
    ("never", "43=Y|", 1, "DUPLICATE SEQ-04"),
    ("never", LATER, 2, "REJECTED HDR-09"),  # what is there must be right
    ("never", "43=X|", 2, "REJECTED PRS-06"),
    ("too_low", "43=X|", 2, "REJECTED PRS-06"),
]


@pytest.mark.parametrize(("check", "flags", "number", "row"), CASES)
def test_hdr_08_hdr_09_prs_06_when_the_original_time_is_looked_at(
    check: str, flags: str, number: int, row: str
) -> None:
    made = bench(poss_dup_check=check)
    made.receive(f"35=D|34={number}|{flags}")
    assert made.rows[0] == row
    # REJ-02: only an expected number is counted.
    assert made.session.next_in == (3 if number == 2 else 2)


def test_hdr_09_some_engines_end_the_session_over_it() -> None:
    made = bench()
    made.receive(f"35=D|34=2|{LATER}")
    assert [sent[:5] for sent in made.sent] == ["35=3|"]
    made = bench(profile="quickfixj")
    made.receive(f"35=D|34=2|{LATER}")
    assert [sent[:5] for sent in made.sent] == ["35=3|", "35=5|"]


@pytest.mark.parametrize(
    ("profile", "row", "sent", "state"),
    [
        ("spec", "REJECTED", 1, SessionState.CLOSING),
        ("artio", "REJECTED", 1, SessionState.CLOSING),
        ("quickfix", "IGNORED", 0, SessionState.ACTIVE),
        ("quickfixn", "REJECTED", 0, SessionState.DISCONNECTED),
        ("quickfixj", "REJECTED", 1, SessionState.DISCONNECTED),
    ],
)
@pytest.mark.parametrize(("rule", "field"), [("FRM-09", "!34|"), ("FRM-10", "34=x|")])
def test_frm_09_frm_10_a_missing_number_as_each_engine_takes_it(
    profile: str, row: str, sent: int, state: SessionState, rule: str, field: str
) -> None:
    made = bench(profile=profile)
    made.receive(f"35=D|{field}11=A|")
    assert made.rows[0] == f"{row} {rule}"
    assert len(made.sent) == sent
    assert made.state is state
    assert made.session.next_in == 2


# Framing switched off -----------------------------------------------------------------------


def test_frm_03_frm_04_a_wrong_length_or_sum_may_be_forgiven() -> None:
    made = bench(check_length_and_checksum=False)
    good = wire("35=D|34=2|11=x|")
    bad_sum = wire("35=D|34=3|11=x|").replace(b"11=x", b"11=y")
    bad_length = wire("35=D|34=4|11=x|").replace(b"\x019=53", b"\x019=50")
    assert made.receive_bytes(good + bad_sum + bad_length) == [
        "ACCEPTED SEQ-02 3/2",
        "ACCEPTED SEQ-02 4/2",
        "ACCEPTED SEQ-02 5/2",
        "! Received 2",
        "! Received 3",
        "! Received 4",
    ]
    strict = bench()
    strict.receive_bytes(bad_sum)
    assert strict.rows == ["GARBLED FRM-04"]


def test_frm_04_a_wrong_sum_alone_may_be_forgiven() -> None:
    made = bench(check_checksum=False)
    bad_sum = wire("35=D|34=2|11=x|").replace(b"11=x", b"11=y")
    bad_length = wire("35=D|34=3|11=x|").replace(b"\x019=53", b"\x019=50")
    made.receive_bytes(bad_sum + bad_length)
    assert made.rows == ["ACCEPTED SEQ-02", "GARBLED FRM-03"]
    assert made.delivered == [2]


# Garbled messages answered ------------------------------------------------------------------


def garbled(text: str) -> bytes:
    """A message whose CheckSum(10) is wrong."""
    raw = wire(text)
    return raw[:-7] + b"10=%03d\x01" % ((int(raw[-4:-1]) + 1) % 256)


def test_frm_06_a_garbled_message_may_be_answered_and_then_counts() -> None:
    made = bench(reject_garbled=True)
    assert made.receive_bytes(garbled("35=D|34=2|11=x|")) == [
        "GARBLED FRM-04 2/2",
        "REJECTED FRM-04 3/2",
        "SENT FRM-04 3/3",
        "> 35=3|34=2|45=2|58=CheckSum(10) is wrong|372=D|",
    ]
    # FRM-06: it still proves nothing about the peer's being alive.
    made.wait(20)
    made.receive_bytes(garbled("35=D|34=3|11=x|"))
    made.tick(20)
    assert "PROBED HBT-04" in made.rows


@pytest.mark.parametrize("number", [1, 7])
def test_rej_02_a_garbled_message_with_another_number_is_answered_and_not_counted(
    number: int,
) -> None:
    made = bench(reject_garbled=True)
    made.receive_bytes(garbled(f"35=D|34={number}|11=x|"))
    assert made.rows == ["GARBLED FRM-04", "REJECTED FRM-04", "SENT FRM-04"]
    assert made.counters == (2, 3)
    assert made.session.gap is None


def test_seq_07_what_waited_for_a_garbled_message_is_released() -> None:
    made = bench(reject_garbled=True)
    made.receive("35=D|34=3|11=y|")
    made.receive_bytes(garbled("35=D|34=2|11=x|"))
    assert made.delivered == [3]
    assert made.session.gap is None


@pytest.mark.parametrize(
    "data",
    [
        garbled("35=D|11=x|"),  # no number to refer to
        garbled("35=D|34=x|11=x|"),
        garbled("35=D|34=2|49=OTHER|11=x|"),  # another session's
        garbled("35=A|34=2|98=0|108=30|"),
        garbled("35=4|34=2|123=Y|36=9|"),
        wire("35=D|34=2|11=x|").replace(b"\x019=53", b"\x019=50"),  # its end is a guess
        b"junk",
    ],
)
def test_frm_06_other_garbled_input_is_ignored_all_the_same(data: bytes) -> None:
    made = bench(reject_garbled=True)
    made.receive_bytes(data)
    assert [row[:7] for row in made.rows] == ["GARBLED"]
    assert made.counters == (2, 2)


def test_rej_19_a_garbled_reject_counts_and_is_not_rejected() -> None:
    made = bench(reject_garbled=True)
    made.receive_bytes(garbled("35=3|34=2|45=1|"))
    assert made.rows == ["GARBLED FRM-04", "REJECTED FRM-04"]
    assert made.counters == (3, 2)


@pytest.mark.parametrize("role", ROLES)
def test_frm_08_nothing_garbled_is_answered_before_the_logon(role: Role) -> None:
    made = Bench(role, reject_garbled=True)
    made.connected()
    made.receive_bytes(garbled("35=A|34=1|98=0|108=30|"))
    assert made.rows[0] == "GARBLED FRM-04"
    assert made.sent == []


def test_frm_12_a_delimiter_in_a_value_is_answered_where_it_is_garbled() -> None:
    made = bench(begin_string="FIX.4.2", reject_garbled=True)
    made.receive("35=D|34=2|58=a|b|")
    assert made.rows == ["GARBLED FRM-12", "REJECTED FRM-12", "SENT FRM-12"]
    assert made.counters == (3, 3)


def test_frm_12_rej_14_a_delimiter_in_a_value_is_garbled_to_quickfix() -> None:
    made = bench(profile="quickfix")
    made.receive("35=D|34=2|58=a|b|")
    assert made.rows == ["GARBLED FRM-12"]
    assert made.counters == (2, 2)
    made.receive("35=D|34=2|58=a|")
    assert made.delivered == [2]


@pytest.mark.parametrize("off", ["check_checksum", "check_length_and_checksum"])
def test_frm_04_who_does_not_look_at_the_sum_rejects_nothing_for_it(off: str) -> None:
    with pytest.raises(ConfigError, match=f"reject_garbled needs {off}=True, found False"):
        config(reject_garbled=True, **{off: False})


def test_frm_06_frm_07_quickfix_loses_the_message_behind_one_that_was_cut_off() -> None:
    cut = b"8=FIX.4.4\x019=20\x0135=1\x0134=2\x01112=trunc\x01"
    for profile, delivered in (("spec", [2]), ("quickfix", [])):
        made = bench(profile=profile)
        made.receive_bytes(cut)
        made.receive_bytes(wire("35=D|34=2|11=A|"))
        assert made.delivered == delivered
    made.receive("35=D|34=2|11=A|")  # as if nothing had been there
    assert made.delivered == [2]


# Times by version ---------------------------------------------------------------------------


@pytest.mark.parametrize("begin_string", VERSIONS)
@pytest.mark.parametrize("fraction", ["", ".123", ".123456", ".123456789"])
def test_hdr_05_a_fraction_of_a_second_needs_a_version_or_an_agreement(
    begin_string: str, fraction: str
) -> None:
    # In the usual order, so that it is read in one go where that is right.
    text = f"35=D|34=2|49=YOU|52={T0}{fraction}|56=ME|11=x|"
    taken = fraction == "" or begin_string not in OLD
    row = bench(begin_string=begin_string).receive(text)[0]
    assert row == ("ACCEPTED SEQ-02 3/2" if taken else "REJECTED HDR-05 3/2")
    agreed = bench(begin_string=begin_string, timestamp_digits=3)
    assert agreed.receive(text)[0] == "ACCEPTED SEQ-02 3/2"
    slow = bench(begin_string=begin_string)  # the same, read field by field
    row = slow.receive(f"35=D|34=2|43=N|52={T0}{fraction}|11=x|")[0]
    assert row == ("ACCEPTED SEQ-02 3/2" if taken else "REJECTED HDR-05 3/2")


@pytest.mark.parametrize("begin_string", VERSIONS)
@pytest.mark.parametrize("digits", [None, 0, 3, 6, 9])
def test_hdr_05_own_times_have_the_digits_of_the_version_or_of_the_agreement(
    begin_string: str, digits: int | None
) -> None:
    made = bench(begin_string=begin_string, timestamp_digits=digits)
    made.now = NOW + 123_456_789
    made.send()
    expected = (0 if begin_string in OLD else 3) if digits is None else digits
    fraction = f".{'123456789'[:expected]}" if expected else ""
    assert f"\x0152={T0}{fraction}\x01".encode() in made.output.data


# Passed on as it is --------------------------------------------------------------------------


@pytest.mark.parametrize("begin_string", VERSIONS)
def test_hdr_10_third_party_addressing_is_passed_on(begin_string: str) -> None:
    made = bench(begin_string=begin_string)
    assert made.receive("35=D|34=2|115=FIRM|128=DESK|116=A|129=B|")[0] == "ACCEPTED SEQ-02 3/2"
    (event,) = made.output.events
    assert isinstance(event, Received)
    assert (event.message[115], event.message[128]) == ("FIRM", "DESK")
    made.send("35=8|115=DESK|128=FIRM|11=A|")
    assert made.sent == ["35=8|34=2|115=DESK|128=FIRM|11=A|"]


def test_hdr_03_a_message_may_bring_its_own_part_of_the_address() -> None:
    for profile in ("spec", "quickfix"):
        made = bench(profile=profile, sender_sub_id="DESK", target_sub_id="THEM")
        made.send("35=D|50=OTHER|11=A|")
        (sent,) = made.sent
        assert sent.count("50=") == 1
        assert "50=OTHER|" in sent
        assert "57=THEM|" in sent
        made.send("35=D|11=A|")
        assert "50=DESK|" in made.sent[0]


def test_hdr_15_hops_have_no_consequence() -> None:
    text = f"35=D|34=2|627=1|628=HOP|629={T0}|630=7|11=A|"
    assert bench().receive(text)[0] == "ACCEPTED SEQ-02 3/2"


# Data fields --------------------------------------------------------------------------------


def test_dat_01_data_without_its_length_is_rejected() -> None:
    made = bench()
    made.receive("35=B|34=2|96=abc|58=t|")
    assert made.rows[0] == "REJECTED DAT-01"
    assert made.sent[0].endswith("371=95|372=B|373=1|")


def test_dat_03_a_signature_length_that_is_wrong_has_its_own_reason() -> None:
    made = bench()
    made.receive("35=D|34=2|93=9|89=abc|")
    assert made.rows[0] == "REJECTED DAT-03"
    assert made.sent[0].endswith("371=93|372=D|373=8|")


@pytest.mark.parametrize("begin_string", VERSIONS)
def test_dat_03_secure_data_of_another_length_makes_the_message_garbled(
    begin_string: str,
) -> None:
    made = bench(begin_string=begin_string)
    assert made.receive("35=D|34=2|90=9|91=abc|") == ["GARBLED DAT-03 2/2"]
    assert made.receive("35=D|34=2|90=3|91=abc|")[0] == "ACCEPTED SEQ-02 3/2"


def test_frm_12_rej_14_a_delimiter_within_a_value_is_rejected_from_fix_4_3_on() -> None:
    for begin_string in ("FIX.4.3", "FIX.4.4", "FIXT.1.1"):
        made = bench(begin_string=begin_string)
        made.receive("35=3|34=2|45=1|58=a\x01b|")
        assert made.rows == ["REJECTED FRM-12"]  # REJ-19: a Reject is not answered
        made.receive("35=D|34=3|58=a\x01b|")
        assert made.sent[0].endswith("371=58|372=D|373=17|")
        made.receive("35=1|34=4|112=14K|")
        assert made.sent == ["35=0|34=3|112=14K|"]


def test_rej_07_the_switch_of_the_dictionary_holds_without_one_too() -> None:
    made = bench(checks=Checks(fields_have_values=False))
    assert made.receive("35=D|34=2|58=|")[0] == "ACCEPTED SEQ-02 3/2"


# PossResend ---------------------------------------------------------------------------------


def test_prs_02_prs_03_a_possible_resend_is_shown_to_the_application() -> None:
    made = bench()
    made.receive("35=D|34=2|97=Y|11=A|", "35=D|34=3|97=N|11=A|", "35=D|34=4|11=A|")
    flags = [event.poss_resend for event in made.output.events if isinstance(event, Received)]
    assert flags == [True, False, False]
    assert made.counters == (5, 2)


def test_prs_05_the_same_content_again_is_a_new_message_that_says_97() -> None:
    made = bench()
    made.send("35=D|11=A|")
    made.wait(60)
    assert made.send("35=D|97=Y|11=A|") == ["SENT SEQ-01 2/4", "> 35=D|34=3|97=Y|11=A|"]
    made.receive(f"35=2|34=2|7=3|16=3|52={T0}.000|")
    (sent,) = made.sent
    assert "43=Y|" in sent  # PRS-04: replayed it says both
    assert "97=Y|" in sent


def test_seq_12_a_hole_within_a_replay_is_asked_for_by_itself() -> None:
    made = bench(resend_range="exact")
    made.receive("35=D|34=6|")
    assert made.sent == ["35=2|34=2|7=2|16=5|"]
    made.receive(f"35=D|34=2|{AGAIN}", f"35=D|34=4|{AGAIN}")
    assert made.rows == ["ACCEPTED SEQ-11", "HELD SEQ-05"]
    made.receive(f"35=D|34=5|{AGAIN}")
    assert made.session.gap == (3, 5, 3)
    made.tick(30)
    assert "35=2|34=3|7=3|16=5|" in made.sent
