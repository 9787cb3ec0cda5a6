"""The state table, and pure decisions on a Logon: may it establish the session?"""

from __future__ import annotations

import hmac
import re
from typing import NamedTuple

from fixlab.session.config import APPL_VER_IDS, SessionConfig
from fixlab.session.faults import Answer, Fault
from fixlab.session.inbound import required, to_number
from fixlab.session.transitions import Role, SessionState
from fixlab.wire.message import Message
from fixlab.wire.tags import (
    DEFAULT_APPL_VER_ID,
    ENCRYPT_METHOD,
    HEART_BT_INT,
    MAX_MESSAGE_SIZE,
    MSG_SEQ_NUM,
    NEXT_EXPECTED_MSG_SEQ_NUM,
    PASSWORD,
    RESET_SEQ_NUM_FLAG,
    TEST_MESSAGE_INDICATOR,
    USERNAME,
)

_S = SessionState
_SHORT_NUMBER = re.compile(r"-?[0-9]{1,9}")

# From each state, the states that may follow. Anything else is our own broken invariant.
NEXT_STATES: dict[SessionState, frozenset[SessionState]] = {
    _S.DISCONNECTED: frozenset({_S.CONNECTED, _S.LOGON_SENT}),
    _S.CONNECTED: frozenset({_S.ACTIVE, _S.CLOSING, _S.DISCONNECTED}),
    _S.LOGON_SENT: frozenset({_S.ACTIVE, _S.CLOSING, _S.DISCONNECTED}),
    _S.ACTIVE: frozenset(
        {_S.RESET_SENT, _S.LOGOUT_SENT, _S.LOGOUT_ANSWERED, _S.CLOSING, _S.DISCONNECTED}
    ),
    _S.RESET_SENT: frozenset({_S.ACTIVE, _S.CLOSING, _S.DISCONNECTED}),
    _S.LOGOUT_SENT: frozenset({_S.DISCONNECTED}),
    _S.LOGOUT_ANSWERED: frozenset({_S.DISCONNECTED}),
    _S.CLOSING: frozenset({_S.DISCONNECTED}),
}


# LGN-26, LGO-09: SessionStatus(1409) that a Logout of FIXT carries, by the rule it is sent for.
# The newer codes 9 (number too low) and 10 (789 too high) are left to Text(58): a peer with a
# published dictionary, which ends at 8, would reject the Logout for them.
SESSION_STATUS = {
    "LGO-02": 4,  # Logout complete
    "LGO-05": 4,
    "LGN-26": 5,  # invalid user name or password
    "LGN-33": 7,  # no logons at this time
}

# Engines that leave Text(58) out of most error Logouts still write it for these rules, and
# those that close over an invalid Logon without a word say so much of it: the number too low,
# another BeginString, and what the operator or the application asked to be refused.
SAID_BY_ALL = frozenset(
    {
        "SEQ-03", "SQR-05", "RSP-14", "LGO-07", "LGN-11", "HDR-01",
        "LGN-14", "LGN-23", "LGN-26", "HDR-13", "FRM-13",
    }
)  # fmt: skip

MESSAGE_BYTES_MIN = 256  # FRM-13: less than this holds no Logout with a reason
_WITH_SIZE = ("FIX.4.2", "FIX.4.3", "FIX.4.4", "FIXT.1.1")
_WITH_TEST = ("FIX.4.3", "FIX.4.4", "FIXT.1.1")
_WITH_NEXT_EXPECTED = ("FIX.4.4", "FIXT.1.1")


class Terms(NamedTuple):
    """What a good Logon agrees on."""

    heartbeat_seconds: int
    reset: bool  # ResetSeqNumFlag(141)=Y, and the version knows it
    next_expected: int | None = None  # NextExpectedMsgSeqNum(789), where it is heeded
    bytes_max: int | None = None  # MaxMessageSize(383)


def read_logon(message: Message, config: SessionConfig, role: Role) -> Terms | Fault:
    """The terms of a Logon, or the first rule it breaks.

    LGN-08, LGN-13 to LGN-16, LGN-18, LGN-23, LGN-25, LGN-26, HDR-13 and FRM-13. The lists of
    message types (LGN-31) and the names of engine and application (LGN-34) are information
    for whoever reads the log; nothing is decided on them.
    """
    defect = message.defect
    if defect is not None:
        return Fault("LGN-08", Answer.LOGOUT, f"Invalid Logon: {defect.text}")
    fault = (
        _check_encryption(message, config)
        or _check_version(message, config)
        or _check_test(message, config)
    )
    if fault is not None:
        return fault
    heartbeat = to_number(message.get(HEART_BT_INT))
    if HEART_BT_INT not in message:
        return _logout(required(HEART_BT_INT, rule="LGN-08"))
    if heartbeat is None or heartbeat > 86_400 * 365:
        return Fault(
            "LGN-16",
            Answer.LOGOUT,
            f"Invalid Logon: HeartBtInt(108) must be 0 or more seconds, received "
            f"{_quoted(message[HEART_BT_INT])}",
        )
    fault = _check_interval(heartbeat, config, role)
    if fault is not None:
        return fault
    flag = message.get(RESET_SEQ_NUM_FLAG)
    # FIX.4.0 does not know the flag (LGN-17 starts at 4.1).
    reset = flag == "Y" and config.begin_string != "FIX.4.0"
    if flag not in (None, "Y", "N"):
        return Fault("LGN-08", Answer.LOGOUT, "Invalid Logon: ResetSeqNumFlag(141) not Y or N")
    number = to_number(message.get(MSG_SEQ_NUM))
    if reset and number != 1 and config.habits.reset_number == "one":
        return Fault(
            "LGN-18",
            Answer.LOGOUT,
            f"ResetSeqNumFlag(141)=Y needs MsgSeqNum(34) 1, received {number}",
        )
    if role is Role.ACCEPTOR and not _may_enter(message, config):
        # LGN-26: what was sent instead is never repeated; it may be a secret mistyped.
        return Fault("LGN-26", Answer.LOGOUT, "Invalid Username(553) or Password(554)")
    size = _read_size(message, config)
    if isinstance(size, Fault):
        return size
    expected = None if reset else _read_next_expected(message, config)
    return expected if isinstance(expected, Fault) else Terms(heartbeat, reset, expected, size)


def _check_interval(seconds: int, config: SessionConfig, role: Role) -> Fault | None:
    """LGN-14, LGN-15: the initiator proposes; the acceptor refuses or repeats the value."""
    if role is Role.INITIATOR:
        if seconds == config.heartbeat_seconds or config.habits.heartbeat_answer == "any":
            return None
        return Fault(
            "LGN-15",
            Answer.LOGOUT,
            f"HeartBtInt(108) {seconds} in the Logon answer, {config.heartbeat_seconds} "
            f"was asked for",
        )
    least, most = config.heartbeat_range_seconds or (0, seconds)
    if least <= seconds <= most:
        return None
    return Fault(
        "LGN-14",
        Answer.LOGOUT,
        f"HeartBtInt(108) must be {least} to {most} seconds, received {seconds}",
    )


def _check_test(message: Message, config: SessionConfig) -> Fault | None:
    """HDR-13: a test system and a production system do not talk to each other."""
    if config.test_session is None or config.begin_string not in _WITH_TEST:
        return None
    if (message.get(TEST_MESSAGE_INDICATOR) == "Y") == config.test_session:
        return None
    own = "a test" if config.test_session else "no test"
    return Fault("HDR-13", Answer.LOGOUT, f"TestMessageIndicator(464): this is {own} session")


def _read_size(message: Message, config: SessionConfig) -> int | Fault | None:
    """FRM-13: MaxMessageSize(383), if it is enough to work with."""
    text = message.get(MAX_MESSAGE_SIZE)
    if text is None or config.begin_string not in _WITH_SIZE:
        return None
    size = to_number(text)
    if size is None:
        return Fault(
            "LGN-08",
            Answer.LOGOUT,
            f"Invalid Logon: MaxMessageSize(383) must be a number, received {_quoted(text)}",
        )
    if size < MESSAGE_BYTES_MIN:
        return Fault(
            "FRM-13",
            Answer.LOGOUT,
            f"MaxMessageSize(383) {size} is too small, {MESSAGE_BYTES_MIN} are needed",
        )
    return size


def _read_next_expected(message: Message, config: SessionConfig) -> int | Fault | None:
    """NextExpectedMsgSeqNum(789), None when it is not heeded (LGN-22, LGN-23)."""
    heeds = config.next_expected or config.habits.heeds_next_expected
    if not heeds or config.begin_string not in _WITH_NEXT_EXPECTED:
        return None
    text = message.get(NEXT_EXPECTED_MSG_SEQ_NUM)
    if text is None and not config.next_expected:
        return None
    if text is None:
        fault = required(NEXT_EXPECTED_MSG_SEQ_NUM, rule="LGN-23")
        return fault._replace(answer=Answer.LOGOUT, text=f"Invalid Logon: {fault.text}")
    return to_number(text) or Fault(
        "LGN-23",
        Answer.LOGOUT,
        f"Invalid Logon: NextExpectedMsgSeqNum(789) must be 1 or more, received "
        f"{_quoted(text)}",
    )


def _quoted(value: str) -> str:
    """A number as it came; anything else may be a secret that strayed into the wrong field."""
    return value if _SHORT_NUMBER.fullmatch(value) else "what is no number"


def _check_encryption(message: Message, config: SessionConfig) -> Fault | None:
    method = message.get(ENCRYPT_METHOD)
    if method is None:
        return _logout(required(ENCRYPT_METHOD, rule="LGN-08"))
    if method != "0" and config.habits.encrypt_method == "none":
        # TLS-04: secrecy belongs to TLS below; FIX's own encryption is obsolete (REJ-17).
        return Fault(
            "LGN-13",
            Answer.REJECT_LOGOUT,
            f"EncryptMethod(98) must be 0 (none), received {_quoted(method)}",
            7,
            ENCRYPT_METHOD,
        )
    return None


def _check_version(message: Message, config: SessionConfig) -> Fault | None:
    if config.begin_string != "FIXT.1.1":
        return None
    version = message.get(DEFAULT_APPL_VER_ID)
    if version is None:
        return _logout(required(DEFAULT_APPL_VER_ID, rule="LGN-25"))
    if version not in APPL_VER_IDS.values():
        return Fault(
            "LGN-25",
            Answer.LOGOUT,
            f"DefaultApplVerID(1137) is not supported, received {_quoted(version)}",
        )
    return None


def _may_enter(message: Message, config: SessionConfig) -> bool:
    for tag, wanted in ((USERNAME, config.username), (PASSWORD, config.password)):
        given = message.get(tag, "")
        assert given is not None
        if wanted is not None and not hmac.compare_digest(
            given.encode("latin-1"), wanted.encode("latin-1")
        ):
            return False
    return True


def _logout(fault: Fault) -> Fault:
    """The same fault in a Logon: no Reject before the session is up (REJ-21)."""
    return fault._replace(answer=Answer.LOGOUT, text=f"Invalid Logon: {fault.text}")
