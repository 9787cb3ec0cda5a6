"""One regular expression that recognises the usual message of a session, whole.

Nearly all traffic is application messages with a plain header in the usual order. Matching
such a message in one go proves that it breaks no rule that `inbound.check_header` and
`check_content` check; whatever does not match is read field by field by those. So this module
may be slow to recognise, but never recognise too much: a test holds the two paths equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from fixlab import times
from fixlab.session.config import SessionConfig

# A field the slow path must see: PossDupFlag and OrigSendingTime, a second copy of what the
# header says, the trailer, and every length of a data field (or any tag that looks like one).
_SPECIAL = (
    rb"(?:8|9|10|34|35|49|52|56|43|122|9[035]|212|3[456][0-9]|445|6(?:18|21|64)"
    rb"|[12][0-9]{3}|4[0-9]{4})="
)
_FIELD = rb"(?:(?!" + _SPECIAL + rb")[1-9][0-9]{0,8}+=[^\x01]++\x01)"
_TIME = rb"52=([0-9]{8}-[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,12})?)\x01"

Found = tuple[bytes, bytes]  # MsgType(35) and MsgSeqNum(34)


def usual_message(config: SessionConfig) -> Callable[[bytes | None, int], Found | None]:
    """A function of a framed message and `now`: what it found, or None to read it slowly.

    It recognises application messages of this session, not flagged as possible duplicates,
    with SendingTime(52) inside the tolerance and fields that are all well formed.
    """
    begin = re.escape(config.begin_string.encode())
    sender = b"49=" + re.escape(config.target_comp_id.encode()) + rb"\x01"
    target = b"56=" + re.escape(config.sender_comp_id.encode()) + rb"\x01"
    number = rb"34=([1-9][0-9]{0,17})\x01"
    start = rb"8=" + begin + rb"\x019=[0-9]+\x0135=((?![0-5A]\x01)[!-~]+)\x01"
    # The two orders in which nearly all engines write the required header.
    orders = (
        number + sender + _TIME + target,
        sender + target + number + _TIME,
    )
    matchers = [
        re.compile(start + order + _FIELD + rb"*+10=[0-9]{3}\x01").fullmatch
        for order in orders
    ]
    tolerance = config.sending_time_tolerance_seconds
    window = None if tolerance is None else times.seconds(tolerance)
    parse_utc = times.parse_utc
    last_text: bytes = b""
    last_sent = 0

    def usual(raw: bytes | None, now: int) -> Found | None:
        nonlocal last_text, last_sent
        assert raw is not None, "only messages from the wire come here"
        found = matchers[0](raw)
        if found is None:
            found = matchers[1](raw)
            if found is None:
                return None
            matchers.reverse()  # a peer writes all its messages in one order
        msg_type, number_text, time_text = found.groups()
        if time_text != last_text:
            sent = parse_utc(time_text)
            if sent is None:
                return None
            last_text, last_sent = time_text, sent
        if window is not None and abs(last_sent - now) > window:
            return None
        return msg_type, number_text

    return usual
