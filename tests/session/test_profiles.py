"""Profiles: the same stimulus, and what each engine is known to answer, whole.

The rows are those of the table of engine behaviour; what an engine is not known to do
differently it does as `spec`. Rule ids stand in the tests of the setting or habit itself.
"""

from collections.abc import Callable

import pytest

from fixlab.dictionary import Checks
from fixlab.session.profiles import PROFILES
from fixlab.times import NANOSECONDS
from tests.dictionary.published import published
from tests.session.script import NOW, T0, Bench, bench


def _silence(made: Bench) -> list[str]:
    """What a silent peer gets, and when, until the connection is over."""
    told = []
    for _ in range(20):
        limit = made.session.deadline
        if limit is None:
            break
        made.now = limit
        got = [line for line in made.tick() if line[0] in ">x"]
        told += [f"{(limit - NOW) / NANOSECONDS:g} s {line}" for line in got]
    return told


def _receive(*texts: str) -> Callable[[Bench], list[str]]:
    """The Output of each text, with "then" between them."""

    def play(made: Bench) -> list[str]:
        told = made.receive(texts[0])
        for text in texts[1:]:
            told += ["then", *made.receive(text)]
        return told

    return play


def strict(profile: str) -> Bench:
    """A bench with a dictionary that handles orders only, 2/2."""
    return bench(
        profile=profile,
        dictionary=published("FIX.4.4"),
        supported_types=frozenset({"D"}),
        checks=Checks(required_fields=False),
    )


STIMULI: dict[str, Callable[[Bench], list[str]]] = {
    "silence": _silence,
    "early": _receive("35=D|34=4|", "35=D|34=5|"),
    "possdup": _receive("35=D|34=2|43=Y|"),
    "possdup_low": _receive("35=D|34=1|43=Y|"),
    "error": _receive("35=D|34=2|52=20260105-08:00:00|"),
    "too_low": _receive("35=D|34=1|"),
    "begin_string": _receive("35=D|34=2|8=FIX.4.2|"),
    "logout": _receive("35=5|34=2|"),
    "comp_id": _receive("35=D|34=2|49=X|"),
    "gap_fill": _receive("35=4|34=2|123=Y|36=2|"),
    "early_request": _receive("35=2|34=4|7=1|16=1|", "35=D|34=5|"),
    "no_number": _receive("35=D|!34|11=A|"),
    "resent_request": _receive(f"35=2|34=2|43=Y|122={T0}|7=1|16=1|"),
    "second_logon": _receive("35=A|34=2|98=0|108=30|"),
    "listed": _receive("35=D|34=2|54=Z|"),
    "type": _receive("35=ZZ|34=2|"),
    "unsupported": _receive("35=B|34=2|148=h|33=1|58=t|"),
}

# A stimulus, the profiles that answer it alike, and their Output as `script` writes it.
ANSWERS = """\
== silence
-- spec
30 s > 35=0|34=2|
36 s > 35=1|34=3|112=ME-3|
66 s > 35=0|34=4|
72 s > 35=5|34=5|58=Timed out waiting for an answer to TestRequest|
74 s x closed after a protocol error
-- quickfix quickfixn
30 s > 35=0|34=2|
36 s > 35=1|34=3|112=TEST|
66 s > 35=0|34=4|
72 s x TestRequest was not answered
-- quickfixj
30 s > 35=0|34=2|
45 s > 35=1|34=3|112=TEST|
72 s x TestRequest was not answered
-- artio
24 s > 35=0|34=2|
33 s > 35=1|34=3|112=TEST|
57 s > 35=0|34=4|
78 s > 35=5|34=5|58=Timed out waiting for an answer to TestRequest|
80 s x closed after a protocol error
== early
-- spec quickfix quickfixj quickfixn
HELD SEQ-05 2/2
GAP_OPENED SEQ-05 2/2
RESEND_REQUESTED RRQ-01 2/2
SENT RRQ-01 2/3
> 35=2|34=2|7=2|16=0|
! GapNoticed 2-3
then
HELD SEQ-05 2/3
-- artio
IGNORED SEQ-07 2/2
GAP_OPENED SEQ-05 2/2
RESEND_REQUESTED RRQ-01 2/2
SENT RRQ-01 2/3
> 35=2|34=2|7=2|16=0|
! GapNoticed 2-4
then
IGNORED SEQ-07 2/3
== possdup
-- spec artio
REJECTED HDR-08 3/2
SENT HDR-08 3/3
> 35=3|34=2|45=2|58=Required tag missing: 122|371=122|372=D|373=1|
-- quickfix quickfixn
ACCEPTED SEQ-11 3/2
! Received 2 dup
-- quickfixj
REJECTED HDR-08 3/2
SENT HDR-08 3/3
> 35=3|34=2|45=2|58=Required tag missing|371=122|372=D|373=1|
== possdup_low
-- spec artio
REJECTED HDR-08 2/2
SENT HDR-08 2/3
> 35=3|34=2|45=1|58=Required tag missing: 122|371=122|372=D|373=1|
-- quickfix quickfixj quickfixn
REJECTED HDR-08 2/2
SENT HDR-08 2/3
> 35=3|34=2|45=1|58=Required tag missing|371=122|372=D|373=1|
== error
-- spec artio
REJECTED HDR-04 3/2
SENT HDR-04 3/3
SENT HDR-04 3/4 -> CLOSING
> 35=3|34=2|45=2|58=SendingTime accuracy problem: -3600 s off, 120 s \
allowed|371=52|372=D|373=10|
> 35=5|34=3|58=SendingTime accuracy problem: -3600 s off, 120 s allowed|
-- quickfix quickfixn
REJECTED HDR-04 3/2
SENT HDR-04 3/3
SENT HDR-04 3/4 -> CLOSING
> 35=3|34=2|45=2|58=SendingTime accuracy problem|372=D|373=10|
> 35=5|34=3|
-- quickfixj
REJECTED HDR-04 3/2
SENT HDR-04 3/3
SENT HDR-04 3/4 -> CLOSING
STATE HDR-04 3/4 -> DISCONNECTED
> 35=3|34=2|45=2|58=SendingTime accuracy problem|371=52|372=D|373=10|
> 35=5|34=3|58=SendingTime accuracy problem|
! Ended HDR-04
x SendingTime accuracy problem
== too_low
-- spec quickfix quickfixn artio
TOO_LOW SEQ-03 2/2
SENT SEQ-03 2/3 -> CLOSING
> 35=5|34=2|58=MsgSeqNum too low, expecting 2 but received 1|
-- quickfixj
TOO_LOW SEQ-03 2/2
SENT SEQ-03 2/3 -> CLOSING
STATE SEQ-03 2/3 -> DISCONNECTED
> 35=5|34=2|58=MsgSeqNum too low, expecting 2 but received 1|
! Ended SEQ-03
x MsgSeqNum too low, expecting 2 but received 1
== begin_string
-- spec artio
REJECTED HDR-01 2/2
SENT HDR-01 2/3 -> CLOSING
> 35=5|34=2|58=Incorrect BeginString, expected FIX.4.4 but received FIX.4.2|
-- quickfix
REJECTED HDR-01 2/2
SENT HDR-01 2/3 -> CLOSING
> 35=5|34=2|58=Incorrect BeginString|
-- quickfixj
REJECTED HDR-01 2/2
SENT HDR-01 2/3 -> CLOSING
STATE HDR-01 2/3 -> DISCONNECTED
> 35=5|34=2|58=Incorrect BeginString: Message version 'FIX.4.2' does not match the session \
version 'FIX.4.4'|
! Ended HDR-01
x Incorrect BeginString: Message version 'FIX.4.2' does not match the session version \
'FIX.4.4'
-- quickfixn
REJECTED HDR-01 2/2
SENT HDR-01 2/3 -> CLOSING
> 35=5|34=2|58=Incorrect BeginString: FIX.4.2|
== logout
-- spec
ACCEPTED LGO-02 3/2
SENT LGO-02 3/3 -> LOGOUT_ANSWERED
> 35=5|34=2|
-- quickfix quickfixj quickfixn artio
ACCEPTED LGO-02 3/2
SENT LGO-02 3/3 -> LOGOUT_ANSWERED
STATE LGO-02 3/3 -> DISCONNECTED
> 35=5|34=2|
! Ended LGO-02 clean
x the peer logged out
== comp_id
-- spec artio
REJECTED HDR-02 3/2
SENT HDR-02 3/3
SENT HDR-02 3/4 -> CLOSING
> 35=3|34=2|45=2|58=CompID problem|371=49|372=D|373=9|
> 35=5|34=3|58=CompID problem|
-- quickfix quickfixn
REJECTED HDR-02 3/2
SENT HDR-02 3/3
SENT HDR-02 3/4 -> CLOSING
> 35=3|34=2|45=2|58=CompID problem|372=D|373=9|
> 35=5|34=3|
-- quickfixj
REJECTED HDR-02 3/2
SENT HDR-02 3/3
SENT HDR-02 3/4 -> CLOSING
STATE HDR-02 3/4 -> DISCONNECTED
> 35=3|34=2|45=2|58=CompID problem|372=D|373=9|
> 35=5|34=3|58=CompID problem|
! Ended HDR-02
x CompID problem
== gap_fill
-- spec
REJECTED SQR-06 2/2
SENT SQR-06 2/3
> 35=3|34=2|45=2|58=Attempt to lower sequence number, invalid value \
NewSeqNo(36)=2|371=36|372=4|373=5|
-- quickfix quickfixj quickfixn artio
GAP_FILLED SQR-06 2/2
== early_request
-- spec
HELD SEQ-06 2/2
GAP_OPENED SEQ-05 2/2
FILL_SENT RSP-04 2/2
RESEND_ANSWERED RSP-12 2/2
RESEND_REQUESTED RRQ-01 2/2
SENT RRQ-01 2/3
> 35=4|34=1|43=Y|122=20260105-09:00:00.000|123=Y|36=2|
> 35=2|34=2|7=2|16=0|
! GapNoticed 2-3
then
HELD SEQ-05 2/3
-- quickfix quickfixn
IGNORED RSP-12 2/2
FILL_SENT RSP-04 2/2
RESEND_ANSWERED RSP-12 2/2
> 35=4|34=1|43=Y|122=20260105-09:00:00.000|36=2|123=Y|
then
HELD SEQ-05 2/2
GAP_OPENED SEQ-05 2/2
RESEND_REQUESTED RRQ-01 2/2
SENT RRQ-01 2/3
> 35=2|34=2|7=2|16=0|
! GapNoticed 2-4
-- quickfixj
HELD SEQ-06 2/2
GAP_OPENED SEQ-05 2/2
FILL_SENT RSP-04 2/2
RESEND_ANSWERED RSP-12 2/2
> 35=4|34=1|43=Y|122=20260105-09:00:00.000|36=2|123=Y|
! GapNoticed 2-3
then
HELD SEQ-05 2/2
RESEND_REQUESTED RRQ-01 2/2
SENT RRQ-01 2/3
> 35=2|34=2|7=2|16=0|
-- artio
HELD SEQ-06 2/2
GAP_OPENED SEQ-05 2/2
FILL_SENT RSP-04 2/2
RESEND_ANSWERED RSP-12 2/2
RESEND_REQUESTED RRQ-01 2/2
SENT RRQ-01 2/3
> 35=4|34=1|43=Y|122=20260105-09:00:00.000|123=Y|36=2|
> 35=2|34=2|7=2|16=0|
! GapNoticed 2-3
then
IGNORED SEQ-07 2/3
== no_number
-- spec artio
REJECTED FRM-09 2/2
SENT FRM-09 2/3 -> CLOSING
> 35=5|34=2|58=Received message without MsgSeqNum(34)|
-- quickfix
IGNORED FRM-09 2/2
-- quickfixn
REJECTED FRM-09 2/2
STATE FRM-09 2/2 -> DISCONNECTED
! Ended FRM-09
x Received message without MsgSeqNum(34)
-- quickfixj
REJECTED FRM-09 2/2
SENT FRM-09 2/3 -> CLOSING
STATE FRM-09 2/3 -> DISCONNECTED
> 35=5|34=2|58=Received message without MsgSeqNum|
! Ended FRM-09
x Received message without MsgSeqNum
== resent_request
-- spec artio
ACCEPTED SEQ-14 3/2
-- quickfix quickfixj quickfixn
ACCEPTED RSP-01 3/2
FILL_SENT RSP-04 3/2
RESEND_ANSWERED RSP-01 3/2
> 35=4|34=1|43=Y|122=20260105-09:00:00.000|36=2|123=Y|
== second_logon
-- spec artio
REJECTED LGN-29 2/2
SENT LGN-29 2/3 -> CLOSING
> 35=5|34=2|58=Logon received while logged on|
-- quickfix
REJECTED LGN-29 2/2
STATE LGN-29 2/2 -> DISCONNECTED
! Ended LGN-29
x Logon received while logged on
-- quickfixn
REJECTED LGN-29 2/2
SENT LGN-29 2/3 -> CLOSING
> 35=5|34=2|
-- quickfixj
REJECTED LGN-29 2/2
SENT LGN-29 2/3 -> CLOSING
STATE LGN-29 2/3 -> DISCONNECTED
> 35=5|34=2|58=Logon received while logged on|
! Ended LGN-29
x Logon received while logged on
== listed
-- spec artio
REJECTED REJ-08 3/2
SENT REJ-08 3/3
> 35=3|34=2|45=2|58=Value is incorrect (out of range) for this tag: \
Side(54)|371=54|372=D|373=5|
-- quickfix quickfixn
REJECTED REJ-08 3/2
SENT REJ-08 3/3
> 35=3|34=2|45=2|58=Value is incorrect (out of range) for this tag|371=54|372=D|373=5|
-- quickfixj
REJECTED REJ-08 3/2
SENT REJ-08 3/3
> 35=3|34=2|45=2|58=Value is incorrect (out of range) for this tag, \
field=54|371=54|372=D|373=5|
== type
-- spec artio
REJECTED HDR-06 3/2
SENT HDR-06 3/3
> 35=3|34=2|45=2|58=Invalid MsgType|371=35|372=ZZ|373=11|
-- quickfix quickfixj quickfixn
REJECTED HDR-06 3/2
SENT HDR-06 3/3
> 35=3|34=2|45=2|58=Invalid MsgType|372=ZZ|373=11|
== unsupported
-- spec quickfix quickfixj quickfixn artio
REJECTED HDR-07 3/2
SENT HDR-07 3/3
> 35=j|34=2|45=2|58=Unsupported Message Type|372=B|380=3|
"""


def _answers() -> list[tuple[str, str, list[str]]]:
    """Stimulus, profile and expected lines, one a profile."""
    found = []
    for section in ANSWERS.split("== ")[1:]:
        name, *blocks = section.split("-- ")
        for block in blocks:
            profiles, *lines = block.splitlines()
            found += [(name.strip(), profile, lines) for profile in profiles.split()]
    return found


def test_every_stimulus_has_an_answer_of_every_profile() -> None:
    expected = sorted((name, profile) for name in STIMULI for profile in PROFILES)
    assert sorted((name, profile) for name, profile, _ in _answers()) == expected


@pytest.mark.parametrize(
    ("name", "profile", "lines"), _answers(), ids=[f"{n}-{p}" for n, p, _ in _answers()]
)
def test_the_whole_output_of_each_profile(name: str, profile: str, lines: list[str]) -> None:
    assert STIMULI[name](strict(profile)) == lines


@pytest.mark.parametrize(
    ("profile", "text"),
    [
        ("spec", "Required tag missing: 112"),
        ("quickfix", "Required tag missing (112)"),
        ("quickfixn", "Required tag missing (112)"),
        ("quickfixj", "Required tag missing, field=112"),
    ],
)
@pytest.mark.parametrize("begin_string", ["FIX.4.0", "FIX.4.1"])
def test_rej_03_where_no_tag_can_be_named_the_engines_write_it_into_the_text(
    profile: str, text: str, begin_string: str
) -> None:
    made = bench(profile=profile, begin_string=begin_string)
    made.receive("35=1|34=2|")
    assert made.sent == [f"35=3|34=2|45=2|58={text}|"]


@pytest.mark.parametrize(
    ("profile", "text"),
    [
        ("quickfix", "Unsupported message type"),
        ("quickfixj", "Unsupported Message Type"),
        ("spec", "Unsupported Message Type"),
    ],
)
def test_hdr_07_before_fix_4_2_it_is_a_reject_in_the_words_of_each_engine(
    profile: str, text: str
) -> None:
    made = bench(profile=profile, begin_string="FIX.4.1", supported_types=frozenset("D"))
    made.receive("35=B|34=2|33=1|58=t|")
    assert made.sent == [f"35=3|34=2|45=2|58={text}|"]


def test_rej_13_a_group_out_of_order_is_a_wrong_count_to_quickfix() -> None:
    text = f"35=D|34=2|11=A|21=1|55=X|54=1|38=5|40=1|60={T0}|78=1|80=5|79=acc|"
    refused = {
        "spec": "371=80|372=D|373=15|",
        "quickfix": "371=78|372=D|373=16|",
        "quickfixn": "371=80|372=D|373=16|",
        "quickfixj": "371=80|372=D|373=15|",
    }
    for profile, end in refused.items():
        made = bench(profile=profile, dictionary=published("FIX.4.4"))
        made.receive(text)
        assert made.sent[0].endswith(end)
