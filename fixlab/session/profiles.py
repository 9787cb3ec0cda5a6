"""Profiles: bundles of settings and habits that imitate an engine.

`spec` does what the texts ask for. The others do what that engine was seen or read to do, down
to its wording, so that a test of your own engine meets the counterparty it will meet. Numbers
in a profile are defaults: a `SessionConfig` may set each of them otherwise. The rest are habits
that only a profile has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from fixlab.wire.tags import LOGOUT, REJECT, RESEND_REQUEST, TEST_REQUEST

PossDupCheck = Literal["always", "too_low", "never"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How one engine behaves where the texts leave a choice, or where it departs from them."""

    name: str

    # Defaults of the settings of the same name in `SessionConfig`.
    heartbeat_factor: float = 1.0  # HBT-01: own silence before a Heartbeat, in intervals
    test_request_factor: float = 1.2  # HBT-04: test case 6 and QuickFIX wait 1.2 intervals
    test_request_extra_seconds: float = 0.0  # HBT-04: and this much longer
    silence_limit_factor: float = 2.4  # HBT-05: two such waits
    logout_on_silence: bool = True  # HBT-05: Logout before the disconnect
    test_req_id: str | None = None  # HBT-08: a fixed TestReqID(112); None: unique ones
    early_messages: Literal["hold", "drop"] = "hold"  # SEQ-07: two legal ways
    poss_dup_check: PossDupCheck = "always"  # HDR-08: when OrigSendingTime(122) is demanded
    logout_timeout_seconds: float = 10.0  # LGO-01: LogoutAckThreshold of the 2003 text
    disconnect_wait_seconds: float = 2.0  # LGO-12: after a Logout over a protocol error
    resend_timeout_seconds: float | None = 30.0  # RRQ-06; None: waits for ever

    # Habits.
    # FRM-03, FRM-05, FRM-07: a message ends where its length says, or at the next CheckSum(10).
    framing: Literal["length", "trailer"] = "length"
    error_logout_texts: Literal["all", "few"] = "all"  # "few": too low and BeginString only
    closes_after_logout: bool = False  # LGO-02: answers a Logout and closes at once
    closes_after_error: bool = False  # LGO-12: closes with its error Logout, waits for nothing
    comp_id_ref_tag: bool = True  # HDR-02: RefTagID(371) in that Reject
    # HDR-09: OrigSendingTime(122) later than SendingTime(52).
    late_original: Literal["reject", "logout"] = "reject"
    delimiter_in_value: Literal["reject", "garbled"] = "reject"  # FRM-12, REJ-14
    same_gap_fill: Literal["reject", "accept"] = "reject"  # SQR-06: gap fill with 36 = 34
    # RSP-12: what happens to an early ResendRequest once it is answered.
    early_request: Literal["ask", "uncounted", "hold"] = "ask"
    # RSP-07, RSP-08: a ResendRequest for a range in which nothing can be. "reject" is for one
    # that ends before it begins; from beyond the last number sent there is nothing to send.
    empty_range: Literal["reject", "fill", "silence"] = "reject"
    # REJ-18, LGO-05, LGO-07: what counts as one message, whatever its number; the message that
    # was due is lost. A Reject with a number too low is still an error.
    any_number: frozenset[str] = frozenset()
    missing_number: Literal["logout", "close", "drop"] = "logout"  # FRM-09, FRM-10
    waits_for_logon: bool = False  # LGN-28: an acceptor without a limit of its own
    bad_logon: Literal["logout", "close"] = (
        "logout"  # LGN-08: answer an invalid Logon, or close
    )
    second_logon: Literal["logout", "close"] = "logout"  # LGN-29, a repeat (SEQ-14) among them
    encrypt_method: Literal["none", "any"] = "none"  # LGN-13: others are taken, and answered 0
    heartbeat_answer: Literal["same", "any"] = "same"  # LGN-15: another 108 in the answer
    reset_number: Literal["one", "any"] = "one"  # LGN-18: 34 of a Logon with 141=Y
    # LGN-20: 141=Y in the answer though nobody asked: taken, or answered by a second Logon.
    unasked_reset: Literal["take", "answer"] = "take"
    flags_new_session: bool = False  # SCH-06: 141=Y at 1/1 when any reset option is on
    # LGN-22: heeds NextExpectedMsgSeqNum(789) of the peer though it sends none itself.
    heeds_next_expected: bool = False
    conditional_fields: bool = True  # REJ-16; False leaves it to the application
    sorted_fields: bool = False  # header tags ascending behind 8, 9, 35; body tags ascending
    texts: Literal["own", "quickfix", "quickfixj", "quickfixn"] = "own"  # wording of Text(58)
    # SEQ-14: which messages of the session act though they are flagged as repeats, when their
    # number is the expected one; a ResendRequest whatever its number.
    acts_on_repeats: frozenset[str] = frozenset()


SPEC = Profile(name="spec")

# What QuickFIX and its two ports have in common.
_FAMILY = Profile(
    name="",
    logout_on_silence=False,
    test_req_id="TEST",
    logout_timeout_seconds=2.0,
    resend_timeout_seconds=None,
    closes_after_logout=True,
    comp_id_ref_tag=False,
    late_original="logout",
    same_gap_fill="accept",
    encrypt_method="any",
    heartbeat_answer="any",
    flags_new_session=True,
    sorted_fields=True,
    acts_on_repeats=frozenset({RESEND_REQUEST}),
)
# And QuickFIX with the .NET port, which follows it more closely than the Java one.
_CLOSE_FAMILY = replace(
    _FAMILY,
    poss_dup_check="too_low",
    error_logout_texts="few",
    early_request="uncounted",
    missing_number="close",
    bad_logon="close",
)

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "spec": SPEC,
        "quickfix": replace(
            _CLOSE_FAMILY,
            name="quickfix",
            framing="trailer",
            delimiter_in_value="garbled",
            empty_range="fill",
            any_number=frozenset({REJECT, LOGOUT}),
            acts_on_repeats=frozenset({TEST_REQUEST, RESEND_REQUEST, LOGOUT}),
            missing_number="drop",
            second_logon="close",
            waits_for_logon=True,
            conditional_fields=False,
            unasked_reset="answer",
            reset_number="any",
            heeds_next_expected=True,
            texts="quickfix",
        ),
        "quickfixj": replace(
            _FAMILY,
            name="quickfixj",
            test_request_factor=1.5,
            closes_after_error=True,
            early_request="hold",
            empty_range="fill",
            texts="quickfixj",
        ),
        "quickfixn": replace(
            _CLOSE_FAMILY, name="quickfixn", empty_range="silence", texts="quickfixn"
        ),
        "artio": Profile(
            name="artio",
            heartbeat_factor=0.8,
            test_request_factor=1.0,
            test_request_extra_seconds=3.0,
            test_req_id="TEST",
            early_messages="drop",
            resend_timeout_seconds=None,
            closes_after_logout=True,
            same_gap_fill="accept",
        ),
    }
)
