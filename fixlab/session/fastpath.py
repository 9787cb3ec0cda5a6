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

# A field the slow path must see: PossDupFlag and OrigSendingTime, a second copy of what the
# header says, the trailer, and every length of a data field (or any tag that looks like one).
_SPECIAL = (
    rb"(?:8|9|10|34|35|49|52|56|43|122|9[035]|212|3[456][0-9]|445|6(?:18|21|64)"
    rb"|[12][0-9]{3}|4[0-9]{4})="
)
_FIELD = rb"(?:(?!" + _SPECIAL + rb")[1-9][0-9]{0,8}+=[^\x01]++\x01)"
_TIME = rb"52=([0-9]{8}-[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,12})?)\x01"

Find = Callable[[bytes, int], re.Match[bytes] | None]


def usual_messages(config: SessionConfig) -> Find:
    """A function of bytes and a position that matches one whole usual message there, or None.

    It matches application messages of this session, not flagged as possible duplicates, with
    fields that are all well formed. Groups: BodyLength(9), MsgType(35), then MsgSeqNum(34) and
    SendingTime(52) of a header in one order, and the same two of a header in the other. Their
    values, and CheckSum(10), are still to be compared.
    """
    begin = re.escape(config.begin_string.encode())
    sender = b"49=" + re.escape(config.target_comp_id.encode()) + rb"\x01"
    target = b"56=" + re.escape(config.sender_comp_id.encode()) + rb"\x01"
    number = rb"34=([1-9][0-9]{0,17})\x01"
    # The two orders in which nearly all engines write the required header.
    orders = number + sender + _TIME + target + b"|" + sender + target + number + _TIME
    return re.compile(
        rb"8=" + begin + rb"\x019=([0-9]{1,10})\x0135=((?![0-5A]\x01)[!-~]+)\x01(?:" + orders
        + b")" + _FIELD + rb"*+10=[0-9]{3}\x01"
    ).match  # fmt: skip
