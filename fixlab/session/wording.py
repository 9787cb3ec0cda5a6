"""Text(58) as the engines word it, and what they leave out of their Rejects.

fixlab's own words say more and are the default; a profile may choose an engine's instead, so
that a log or a test that looks for them finds them. One table a fact, nothing decided here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from fixlab.session.config import SessionConfig
    from fixlab.session.faults import Fault

# SessionRejectReason(373) in the words that QuickFIX and its ports share.
_REASONS: Final = {
    0: "Invalid tag number",
    1: "Required tag missing",
    2: "Tag not defined for this message type",
    3: "Undefined Tag",
    4: "Tag specified without a value",
    5: "Value is incorrect (out of range) for this tag",
    6: "Incorrect data format for value",
    7: "Decryption problem",
    8: "Signature problem",
    9: "CompID problem",
    10: "SendingTime accuracy problem",
    11: "Invalid MsgType",
    13: "Tag appears more than once",
    14: "Tag specified out of required order",
    15: "Repeating group fields out of order",
    16: "Incorrect NumInGroup count for repeating group",
    17: "Non-data value includes field delimiter",
    18: "Invalid/unsupported application version",
}
# A dictionary gives no code where the version has none; the words need one all the same.
_CODES: Final = {
    "REJ-04": 0, "REJ-05": 1, "REJ-06": 2, "REJ-07": 4, "REJ-08": 5, "REJ-09": 6,
    "REJ-10": 14, "REJ-11": 13, "REJ-12": 16, "REJ-13": 15, "HDR-06": 11, "FRM-15": 1,
}  # fmt: skip
# BusinessRejectReason(380).
_BUSINESS: Final = {3: "Unsupported Message Type", 5: "Conditionally Required Field Missing"}
# REJ-13: the order within a group shows to these engines as a wrong count; QuickFIX then also
# names what counts (RefTagID of REJ-12), while QuickFIX/J has the code for it.
_GROUP_ORDER, _GROUP_COUNT = 15, 16
# QuickFIX/J writes the tag behind what its dictionary found.
_OF_DICTIONARY: Final = frozenset(_CODES)
# Rejects in which QuickFIX and QuickFIX/n name no tag: CompID (HDR-02), time (HDR-04, HDR-09),
# MsgType (HDR-06) and a SequenceReset that lowers (SQR-06, SQR-09). QuickFIX/J does not for the
# first and the third.
_NO_TAG: Final = {
    "quickfix": frozenset({"HDR-02", "HDR-04", "HDR-06", "HDR-09", "SQR-06", "SQR-09"}),
    "quickfixn": frozenset({"HDR-02", "HDR-04", "HDR-06", "HDR-09", "SQR-06", "SQR-09"}),
    "quickfixj": frozenset({"HDR-02", "HDR-06"}),
}
# A Logout over an error, where its words are not our own.
_LOGOUTS: Final = {
    "quickfixj": {
        "FRM-09": "Received message without MsgSeqNum",
        "HDR-02": "CompID problem",
        "HDR-04": "SendingTime accuracy problem",
        "HDR-09": "SendingTime accuracy problem",
    },
}
_OLD: Final = ("FIX.4.0", "FIX.4.1")


class Words(NamedTuple):
    """What a Reject or BusinessMessageReject says, apart from the message it is about."""

    text: str  # Text(58)
    reason: int | None  # SessionRejectReason(373), before the version is asked
    ref_tag: int | None  # RefTagID(371)


def rejection(fault: Fault, config: SessionConfig) -> Words:
    """How the engine of the profile words the answer to `fault` (REJ-01, REJ-03)."""
    engine, tag = config.habits.texts, fault.ref_tag
    code = fault.reason if fault.reason is not None else _CODES.get(fault.rule)
    if fault.rule == "HDR-02" and not config.habits.comp_id_ref_tag:
        tag = None
    if engine == "own":
        return Words(fault.text, fault.reason, tag)
    old = config.begin_string in _OLD
    if fault.rule == "HDR-07" or fault.business is not None:
        text = _BUSINESS.get(fault.business or 3, fault.text)
        if old and engine == "quickfix":
            text = text.capitalize()  # its Reject is not worded as its BusinessMessageReject
        return Words(text, None, tag)
    if code == _GROUP_ORDER and engine != "quickfixj":
        code = _GROUP_COUNT
        tag = fault.count_tag if engine == "quickfix" else tag
    if fault.rule in _NO_TAG[engine]:
        tag = None
    text = _REASONS.get(code, fault.text) if code is not None else fault.text
    if tag is not None and engine == "quickfixj" and (old or fault.rule in _OF_DICTIONARY):
        text = f"{text}, field={tag}"
    elif tag is not None and old:
        text = f"{text} ({tag})"
    return Words(text, None if fault.reason is None else code, tag)


def begin_string(config: SessionConfig, found: str) -> str:
    """Text(58) of the Logout over another BeginString(8) than the session's (HDR-01)."""
    expected, found = config.begin_string, found[:16]
    return {
        "own": f"Incorrect BeginString, expected {expected} but received {found}",
        "quickfix": "Incorrect BeginString",
        "quickfixj": f"Incorrect BeginString: Message version '{found}' does not match the "
        f"session version '{expected}'",
        "quickfixn": f"Incorrect BeginString: {found}",
    }[config.habits.texts]


def next_expected(config: SessionConfig, sent: int, expected: int) -> str:
    """Text(58) of the Logout over a NextExpectedMsgSeqNum(789) above NextNumOut (LGN-23)."""
    if config.habits.texts == "quickfixj":
        return (
            f"Tag 789 (NextExpectedMsgSeqNum) is higher than expected. Expected {sent}, "
            f"Received {expected}"
        )
    return f"NextExpectedMsgSeqNum too high, expecting {sent} but received {expected}"


def logout(rule: str, text: str, config: SessionConfig) -> str:
    """Text(58) of a Logout over the error `rule`, which fixlab words `text` (LGO-12)."""
    return _LOGOUTS.get(config.habits.texts, {}).get(rule, text)
