"""The state table, and pure decisions on a Logon: may it establish the session?"""

from __future__ import annotations

import hmac
import re
from typing import NamedTuple

from fixlab.session.config import APPL_VER_IDS, SessionConfig
from fixlab.session.inbound import Answer, Fault, required, to_number
from fixlab.session.transitions import Role, SessionState
from fixlab.wire.message import Message
from fixlab.wire.tags import (
    DEFAULT_APPL_VER_ID,
    ENCRYPT_METHOD,
    HEART_BT_INT,
    MSG_SEQ_NUM,
    PASSWORD,
    RESET_SEQ_NUM_FLAG,
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


class Terms(NamedTuple):
    """What a good Logon agrees on."""

    heartbeat_seconds: int
    reset: bool  # ResetSeqNumFlag(141)=Y, and the version knows it


def read_logon(message: Message, config: SessionConfig, role: Role) -> Terms | Fault:
    """The terms of a Logon, or the first rule it breaks (LGN-08, -13 to -16, -18, -25, -26)."""
    defect = message.defect
    if defect is not None:
        return Fault("LGN-08", Answer.LOGOUT, f"Invalid Logon: {defect.text}")
    fault = _check_encryption(message) or _check_version(message, config)
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
    if role is Role.INITIATOR and heartbeat != config.heartbeat_seconds:
        # LGN-15: the initiator proposes; the acceptor refuses or repeats the value.
        return Fault(
            "LGN-15",
            Answer.LOGOUT,
            f"HeartBtInt(108) {heartbeat} in the Logon answer, {config.heartbeat_seconds} "
            f"was asked for",
        )
    flag = message.get(RESET_SEQ_NUM_FLAG)
    # FIX.4.0 does not know the flag (LGN-17 starts at 4.1).
    reset = flag == "Y" and config.begin_string != "FIX.4.0"
    if flag not in (None, "Y", "N"):
        return Fault("LGN-08", Answer.LOGOUT, "Invalid Logon: ResetSeqNumFlag(141) not Y or N")
    number = to_number(message.get(MSG_SEQ_NUM))
    if reset and number != 1:
        return Fault(
            "LGN-18",
            Answer.LOGOUT,
            f"ResetSeqNumFlag(141)=Y needs MsgSeqNum(34) 1, received {number}",
        )
    if role is Role.ACCEPTOR and not _may_enter(message, config):
        # LGN-26: what was sent instead is never repeated; it may be a secret mistyped.
        return Fault("LGN-26", Answer.LOGOUT, "Invalid Username(553) or Password(554)")
    return Terms(heartbeat, reset)


def _quoted(value: str) -> str:
    """A number as it came; anything else may be a secret that strayed into the wrong field."""
    return value if _SHORT_NUMBER.fullmatch(value) else "what is no number"


def _check_encryption(message: Message) -> Fault | None:
    method = message.get(ENCRYPT_METHOD)
    if method is None:
        return _logout(required(ENCRYPT_METHOD, rule="LGN-08"))
    if method != "0":
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
