"""A session with a dictionary: what is rejected, how, in which order; what is only noted."""

import pytest

from fixlab.dictionary import Checks
from fixlab.errors import ConfigError
from fixlab.session.transitions import Role, SessionState
from tests.dictionary.published import published
from tests.session.script import ACCEPTOR, INITIATOR, ROLES, T0, VERSIONS, Bench, bench, config

AGAIN = f"43=Y|122={T0}|"
OLD = ("FIX.4.0", "FIX.4.1")


def strict(begin_string: str = "FIX.4.4", role: Role = ACCEPTOR, **settings: object) -> Bench:
    """A bench with the published dictionary of its version, 2/2."""
    dictionary = published(begin_string)
    return bench(role, begin_string=begin_string, dictionary=dictionary, **settings)


def order(begin_string: str, **changes: str) -> str:
    """An order that every version's dictionary accepts, with fields changed: `t40="2"`."""
    fields = {"11": "A", "21": "1", "55": "X", "54": "1", "38": "5", "40": "1"}
    if begin_string not in OLD:
        fields["60"] = T0
    if begin_string == "FIXT.1.1":
        del fields["21"]
    fields |= {name[1:]: value for name, value in changes.items()}
    return "".join(f"{tag}={value}|" for tag, value in fields.items() if value)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("begin_string", VERSIONS)
def test_seq_02_a_valid_message_is_delivered_whatever_the_version(
    role: Role, begin_string: str
) -> None:
    made = strict(begin_string, role)
    assert made.receive(f"35=D|34=2|{order(begin_string)}") == [
        "ACCEPTED SEQ-02 3/2",
        "! Received 2",
    ]
    made.receive("35=1|34=3|112=T|")
    assert made.sent == ["35=0|34=2|112=T|"]


# The rule, the message that breaks it, and 371 and 373 of the Reject in FIX.4.4.
BROKEN = [
    ("REJ-04", "35=0|3999=x|", 3999, 0),
    ("REJ-05", "35=1|", 112, 1),
    ("REJ-06", "35=0|38=5|", 38, 2),
    ("REJ-07", "35=1|112=|", 112, 4),
    ("REJ-08", "35=D|" + order("", t54="Z"), 54, 5),
    ("REJ-09", "35=D|" + order("", t38="abc"), 38, 6),
    ("REJ-10", "35=1|112=bad|50=DESK|", 50, 14),
    ("REJ-11", "35=1|112=a|112=b|", 112, 13),
    ("REJ-12", "35=D|" + order("") + "78=2|79=acc|80=5|", 78, 16),
    ("REJ-13", "35=D|" + order("") + "78=1|80=5|79=acc|", 80, 15),
    ("FRM-12", "35=0|112=a\x01b|", 112, 17),  # REJ-14
    ("HDR-06", "35=ZZ|", 35, 11),
    ("FRM-15", "35=B|148=head|33=1|58=t|354=1|355=x|", 347, 1),
]


@pytest.mark.parametrize(
    ("rule", "text", "tag", "reason"), BROKEN, ids=[f"{case[0]}" for case in BROKEN]
)
@pytest.mark.parametrize("role", ROLES)
def test_rej_04_rej_05_rej_06_rej_07_rej_08_rej_09_rej_10_rej_11_rej_12_rej_13_seq_09_counted(
    role: Role, rule: str, text: str, tag: int, reason: int
) -> None:
    made = strict(role=role)
    msg_type, rest = text.split("|", 1)
    made.receive(f"{msg_type}|34=2|{rest}")
    assert made.rows == [f"REJECTED {rule}", f"SENT {rule}"]
    fields = dict(field.split("=", 1) for field in made.sent[0].split("|") if field)
    assert fields["35"] == "3"
    assert fields["45"] == "2"
    assert fields["58"]
    assert (fields["371"], fields["372"], fields["373"]) == (
        str(tag), msg_type[3:], str(reason)
    )  # fmt: skip
    assert made.counters == (3, 3)  # SEQ-09
    # REJ-22: one Reject, and the session goes on.
    made.receive("35=1|34=3|112=T|")
    assert made.sent == ["35=0|34=3|112=T|"]


@pytest.mark.parametrize("begin_string", VERSIONS)
@pytest.mark.parametrize(("text", "reason"), [("35=0|3999=x|", 0), ("35=1|112=a|112=b|", 13)])
def test_rej_03_rej_11_the_reason_is_one_that_the_version_has(
    begin_string: str, text: str, reason: int
) -> None:
    made = strict(begin_string)
    made.receive(text.replace("|", "|34=2|", 1))
    (sent,) = made.sent
    assert ("371=" in sent) is ("372=" in sent) is (begin_string not in OLD)
    with_code = begin_string not in OLD and not (begin_string == "FIX.4.2" and reason > 11)
    assert ("373=" in sent) is with_code
    assert not with_code or f"373={reason}|" in sent


@pytest.mark.parametrize("begin_string", ["FIX.4.0", "FIX.4.1", "FIX.4.2"])
def test_frm_12_rej_14_before_fix_4_3_a_delimiter_in_a_value_makes_the_message_garbled(
    begin_string: str,
) -> None:
    made = bench(begin_string=begin_string)
    made.wait(3)
    before = made.session.deadline
    assert made.receive("35=D|34=2|58=a\x01b|") == ["GARBLED FRM-12 2/2"]
    assert made.session.deadline == before  # HBT-06: no timer starts anew
    assert made.receive("35=0|34=2|") == ["ACCEPTED HBT-09 3/2"]


def test_frm_14_any_order_within_a_section_is_accepted() -> None:
    made = strict()
    made.receive_bytes(made.wire("35=1|56=ME|!52|!49|34=2|52=20260105-09:00:00|49=YOU|112=b|"))
    assert made.sent == ["35=0|34=2|112=b|"]


@pytest.mark.parametrize("begin_string", [*VERSIONS])
def test_rej_16_rej_23_what_only_business_can_tell_gets_a_business_message_reject(
    begin_string: str,
) -> None:
    made = strict(begin_string)
    made.receive(f"35=D|34=2|{order(begin_string, t40='2')}")  # a limit order without a price
    assert made.rows == ["REJECTED REJ-16", "SENT REJ-16"]
    (sent,) = made.sent
    if begin_string in OLD:
        assert sent.startswith("35=3|34=2|45=2|58=")
    else:
        assert sent.startswith("35=j|34=2|45=2|58=")
        assert sent.endswith("|372=D|380=5|")
    assert made.delivered == []
    assert made.counters == (3, 3)


def test_rej_16_quickfix_leaves_it_to_its_application() -> None:
    made = strict(profile="quickfix")
    made.receive(f"35=D|34=2|{order('', t40='2')}")
    assert made.delivered == [2]
    made.receive(f"35=D|34=3|{order('', t54='Z')}")  # all else is looked at
    assert made.rows[0] == "REJECTED REJ-08"


@pytest.mark.parametrize("begin_string", VERSIONS)
@pytest.mark.parametrize("with_dictionary", [False, True])
def test_hdr_07_rej_23_a_known_type_that_is_not_handled_is_refused(
    begin_string: str, with_dictionary: bool
) -> None:
    dictionary = published(begin_string) if with_dictionary else None
    made = bench(
        begin_string=begin_string, dictionary=dictionary, supported_types=frozenset({"D"})
    )
    headline = "" if begin_string == "FIX.4.0" else "148=h|"
    made.receive(f"35=B|34=2|{headline}33=1|58=t|")
    assert made.rows == ["REJECTED HDR-07", "SENT HDR-07"]
    text = "45=2|58=Unsupported Message Type|"
    old = begin_string in OLD
    assert made.sent == [f"35=3|34=2|{text}" if old else f"35=j|34=2|{text}372=B|380=3|"]
    assert made.receive(f"35=D|34=3|{order(begin_string)}")[0] == "ACCEPTED SEQ-02 4/3"
    assert made.receive("35=1|34=4|112=T|")[0] == "ACCEPTED HBT-03 5/3"


def test_hdr_06_hdr_07_an_unknown_type_is_invalid_before_it_is_unsupported() -> None:
    made = strict(supported_types=frozenset({"D"}))
    made.receive("35=ZZ|34=2|")
    assert made.rows[0] == "REJECTED HDR-06"


def test_hdr_06_a_type_of_ones_own_is_no_invalid_type() -> None:
    assert strict().receive("35=U1|34=2|58=x|")[0] == "ACCEPTED SEQ-02 3/2"


def test_hdr_07_a_refusal_is_never_refused_in_turn() -> None:
    made = bench(supported_types=frozenset({"D"}))
    assert made.receive("35=j|34=2|45=1|372=D|380=3|")[0] == "ACCEPTED SEQ-02 3/2"


def test_rej_23_an_invalid_business_message_reject_gets_a_reject_at_most() -> None:
    made = strict(supported_types=frozenset({"D"}))
    made.receive("35=j|34=2|45=1|380=3|")
    assert [sent[:5] for sent in made.sent] == ["35=3|"]


def test_rej_15_an_application_that_is_down_says_so_itself() -> None:
    made = strict()
    made.receive(f"35=D|34=2|{order('')}")
    assert made.send("35=j|45=2|372=D|380=4|58=down|") == [
        "SENT SEQ-01 3/3",
        "> 35=j|34=2|45=2|372=D|380=4|58=down|",
    ]


@pytest.mark.parametrize("validation", ["strict", "warn"])
def test_rej_18_rej_19_a_defective_reject_is_noted_and_told_but_never_answered(
    validation: str,
) -> None:
    made = strict(validation=validation)
    assert made.receive("35=3|34=2|45=1|3999=x|58=bad|") == [
        "ACCEPTED REJ-18 3/2",
        "WARNED REJ-04 3/2",
        "! RejectReceived 1 bad",
    ]


def test_rej_20_the_number_of_a_rejected_message_is_used_and_a_new_one_may_say_97() -> None:
    made = strict()
    made.send(f"35=D|{order('', t54='Z')}")
    made.receive("35=3|34=2|45=2|371=54|372=D|373=5|58=no|")
    assert made.events == ["RejectReceived 2 no"]
    assert made.send(f"35=D|97=Y|{order('')}")[1].startswith("> 35=D|34=3|97=Y|")


def test_hdr_12_session_messages_carry_no_application_version() -> None:
    for settings in ({}, {"dictionary": published("FIXT.1.1")}):
        made = bench(begin_string="FIXT.1.1", **settings)  # type: ignore[arg-type]
        made.receive("35=0|34=2|1128=9|")
        assert made.sent[0].endswith("371=1128|372=0|373=2|")
        made.receive(f"35=D|34=3|1128=77|{order('FIXT.1.1')}")
        assert made.sent[0].endswith("371=1128|372=D|373=18|")
        assert made.receive(f"35=D|34=4|1128=9|{order('FIXT.1.1')}")[0].startswith("ACCEPTED")


# When it is done ----------------------------------------------------------------------------


def test_hdr_00_only_a_message_with_the_expected_number_is_held_against_the_dictionary() -> (
    None
):
    made = strict()
    assert made.receive("35=0|34=1|3999=x|")[0] == "TOO_LOW SEQ-03 2/2"
    made = strict()
    assert made.receive(f"35=0|34=1|3999=x|{AGAIN}") == ["DUPLICATE SEQ-04 2/2"]
    assert made.receive("35=0|34=4|3999=x|")[0] == "HELD SEQ-05 2/2"


def test_seq_07_seq_09_what_was_held_is_validated_when_its_turn_comes() -> None:
    made = strict()
    made.receive("35=0|34=3|3999=x|", f"35=D|34=4|{order('')}")
    made.receive("35=4|34=2|43=Y|123=Y|36=3|")
    assert made.rows == [
        "GAP_FILLED SQR-02",
        "GAP_CLOSED RRQ-05",
        "REJECTED REJ-04",
        "SENT REJ-04",
        "ACCEPTED SEQ-02",
    ]
    assert made.delivered == [4]


@pytest.mark.parametrize(("mode", "next_in"), [("", 2), ("123=Y|", 3)])
def test_sqr_13_a_rejected_sequence_reset_counts_in_gap_fill_mode_only(
    mode: str, next_in: int
) -> None:
    made = strict()
    made.receive(f"35=4|34=2|{mode}36=x|")
    assert made.sent[0].endswith("371=36|372=4|373=6|")
    assert made.session.next_in == next_in


def test_rej_22_syntax_comes_before_order_and_order_before_required_fields() -> None:
    made = strict()
    made.receive("35=1|34=2|58=x|50=D|=x|")
    assert made.rows[0] == "REJECTED FRM-11"
    made.receive("35=1|34=3|58=|50=D|")
    assert made.rows[0] == "REJECTED REJ-10"
    made.receive("35=1|34=4|58=|")
    assert made.rows[0] == "REJECTED REJ-05"


@pytest.mark.parametrize("role", ROLES)
def test_rej_21_lgn_08_an_invalid_logon_is_refused_without_a_reject(role: Role) -> None:
    made = Bench(role, dictionary=published("FIX.4.4"))
    made.connected()
    made.receive("35=A|34=1|98=0|108=30|3999=x|")
    assert made.rows[:2] == ["REJECTED LGN-08", "SENT LGN-08"]
    assert [sent[:5] for sent in made.sent] == ["35=5|"]
    assert "58=Invalid Logon: Invalid tag number" in made.sent[0]
    assert made.state is SessionState.CLOSING


def test_lgn_08_warn_lets_an_invalid_logon_in_and_says_what_was_wrong() -> None:
    made = Bench(ACCEPTOR, dictionary=published("FIX.4.4"), validation="warn")
    made.connected()
    made.receive("35=A|34=1|98=0|108=30|3999=x|")
    assert made.rows == ["ACCEPTED LGN-09", "WARNED REJ-04", "SENT LGN-05"]
    assert made.state is SessionState.ACTIVE


# Warn and off -------------------------------------------------------------------------------


def test_validation_warn_processes_the_message_and_notes_what_it_would_have_got() -> None:
    made = strict(validation="warn")
    text = f"35=D|34=2|{order('', t54='Z')}"
    assert made.receive(text) == [
        "ACCEPTED SEQ-02 3/2",
        "WARNED REJ-08 3/2",
        "! Received 2",
    ]
    row = made.output.transitions[1]
    assert row.text.startswith("warn only: Value is incorrect")
    assert (row.msg_type, row.msg_seq_num) == ("D", 2)
    # What the session cannot do without is still demanded.
    assert made.receive("35=1|34=3|")[0] == "REJECTED HBT-10 4/2"


def test_validation_off_looks_at_no_dictionary() -> None:
    made = strict(validation="off")
    assert made.receive(f"35=D|34=2|{order('', t54='Z')}")[0] == "ACCEPTED SEQ-02 3/2"


@pytest.mark.parametrize(
    ("check", "text"),
    [
        ({"fields_out_of_order": False}, "35=0|112=a|50=D|"),
        ({"fields_have_values": False}, "35=0|112=|"),
        ({"allow_unknown_fields": True}, "35=0|3999=x|"),
        ({"allow_unknown_enum_values": True}, "35=D|" + order("", t54="Z")),
        ({"required_fields": False}, "35=D|11=A|"),
        ({"message_encoding": False}, "35=B|148=head|33=1|58=t|354=1|355=x|"),
        ({"conditional_fields": False}, "35=D|" + order("", t40="2")),
    ],
)
def test_each_check_of_the_dictionary_can_be_switched_off(
    check: dict[str, bool], text: str
) -> None:
    numbered = text.replace("|", "|34=2|", 1)
    assert strict().receive(numbered)[0].startswith("REJECTED")
    made = strict(checks=Checks(**check))
    assert made.receive(numbered)[0].startswith("ACCEPTED")


def test_rej_07_an_allowed_empty_value_hides_no_other_fault() -> None:
    made = bench(checks=Checks(fields_have_values=False))
    assert made.receive("35=D|34=2|58=|")[0] == "ACCEPTED SEQ-02 3/2"
    assert made.receive("35=D|34=3|58=|=x|")[0] == "REJECTED FRM-11 4/2"


def test_rej_04_user_defined_fields_pass_unless_they_are_checked() -> None:
    assert strict().receive("35=0|34=2|5999=x|")[0] == "ACCEPTED HBT-09 3/2"
    made = strict(checks=Checks(user_defined_fields=True))
    assert made.receive("35=0|34=2|5999=x|")[0] == "REJECTED REJ-04 3/2"


def test_lgo_04_after_the_own_logout_an_invalid_message_is_not_delivered() -> None:
    made = strict(role=INITIATOR)
    made.logout()
    made.receive(f"35=D|34=2|{order('', t54='Z')}")
    assert made.delivered == []
    assert made.sent == []
    assert made.session.next_in == 2


def test_a_dictionary_of_another_version_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"dictionary.*FIX\.4\.2.*FIX\.4\.4"):
        config(dictionary=published("FIX.4.2"))
