"""One regular expression that recognises the usual message of a session, whole.

Nearly all traffic is application messages with a plain header in the usual order. Matching
such a message in one go proves that it breaks no rule that `inbound.check_header` and
`check_content` check; whatever does not match is read field by field by those. So this module
may be slow to recognise, but never recognise too much: a test holds the two paths equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from fixlab.session.config import SessionConfig
from fixlab.session.validation import uses_dictionary
from fixlab.wire.tags import ADMIN_TYPES

# A field the slow path must see: PossDupFlag and OrigSendingTime, a second copy of what the
# header says, LastMsgSeqNumProcessed, the trailer, and every data field and its length (or any
# tag that looks like one).
# Grouped by the first digit, for most fields are past after one look at it.
_SPECIAL = (
    rb"(?:89?|9[01356]?|1(?:0|22)|[12][0-9]{3}|21[23]|3[45]|3[456][0-9]"
    rb"|4(?:[39]|4[56]|[0-9]{4})|5[26]|6(?:18|19|21|22))="
)
_FIELD = rb"(?:(?!" + _SPECIAL + rb")[1-9][0-9]{0,8}+=[^\x01]++\x01)"
_SECONDS = rb"52=([0-9]{8}-[0-9]{2}:[0-9]{2}:[0-9]{2}"
_FRACTION = rb"(?:\.[0-9]{1,12})?"

Find = Callable[[bytes, int], re.Match[bytes] | None]


def _never(data: bytes, position: int, /) -> re.Match[bytes] | None:
    """What is held against a dictionary is read field by field anyway."""
    return None


def usual_messages(config: SessionConfig) -> Find:
    """A function of bytes and a position that matches one whole usual message there, or None.

    It matches application messages of this session, not flagged as possible duplicates, with
    fields that are all well formed. Groups: BodyLength(9), MsgType(35), then MsgSeqNum(34) and
    SendingTime(52) of a header in one order, and the same two of a header in the other. Their
    values, and CheckSum(10), are still to be compared.
    """
    if uses_dictionary(config):
        return _never
    begin = re.escape(config.begin_string.encode())
    sender = b"49=" + re.escape(config.target_comp_id.encode()) + rb"\x01"
    target = b"56=" + re.escape(config.sender_comp_id.encode()) + rb"\x01"
    number = rb"34=([1-9][0-9]{0,17})\x01"
    # HDR-05: a fraction only where the version or the agreement has one.
    time = _SECONDS + (_FRACTION if config.sending_time_digits else b"") + rb")\x01"
    types = rb"[!-~]+"
    if config.supported_types is not None:  # HDR-07
        names = sorted(config.supported_types - ADMIN_TYPES)
        types = b"|".join(re.escape(name.encode("latin-1")) for name in names) or rb"(?!)"
    # The two orders in which nearly all engines write the required header.
    orders = number + sender + time + target + b"|" + sender + target + number + time
    return re.compile(
        rb"8=" + begin + rb"\x019=([0-9]{1,10})\x0135=((?![0-5A]\x01)(?:" + types
        + rb"))\x01(?:" + orders + b")" + _FIELD + rb"*+10=[0-9]{3}\x01"
    ).match  # fmt: skip
