"""One regular expression that recognises the usual message of a session, whole.

Nearly all traffic is application messages with a plain header in the usual order. Matching
such a message in one go proves that it breaks no rule that `inbound.check_header` and
`check_content` check; whatever does not match is read field by field by those. So this module
may be slow to recognise, but never recognise too much: a test holds the two paths equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

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

# A body whose tags are known is recognised twice as fast as one that is looked at tag by tag.
# So many messages of other bodies go by before one of them is learnt; so many bodies, of so
# many fields at most, a session learns, for a peer may make up any number of them.
_LEARN_AFTER = 256
_BODIES_MAX = 8
_BODY_FIELDS_MAX = 64
_BODY = 7  # where the body stands among what is found

Find = Callable[[bytes], Sequence[tuple[bytes, ...]]]


def _never(data: bytes, /) -> tuple[()]:
    """What is held against a dictionary is read field by field anyway."""
    return ()


def usual_messages(config: SessionConfig) -> Find:
    """A function that finds all usual messages at the head of some bytes, in one go.

    They are application messages of this session, not flagged as possible duplicates, with
    fields that are all well formed. Of each it gives the bytes; BodyLength(9) and MsgType(35);
    MsgSeqNum(34) and SendingTime(52) of a header in one order, then of one in the other, of
    which two are empty; the body, empty when its tags are known; and CheckSum(10) as a whole
    field. The values are still to be compared. Where the bytes go on with anything else, one
    more entry is empty throughout.
    """
    return _never if uses_dictionary(config) else _Finder(_header(config)).find


def _header(config: SessionConfig) -> bytes:
    """A pattern of the usual header, in the two orders of nearly all engines."""
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
    orders = number + sender + time + target + b"|" + sender + target + number + time
    return (
        rb"8=" + begin + rb"\x019=([0-9]{1,10})\x0135=((?![0-5A]\x01)(?:" + types
        + rb"))\x01(?:" + orders + b")"
    )  # fmt: skip


class _Finder:
    """The pattern of a session's usual messages, which comes to know their bodies by heart.

    What it has learnt only makes it faster: tags that passed once pass again.
    """

    def __init__(self, header: bytes) -> None:
        self._header = header
        self._bodies: list[bytes] = []
        self._unknown = 0  # messages whose body was not known, since the last one was learnt
        self._compile()

    def find(self, data: bytes) -> Sequence[tuple[bytes, ...]]:
        """See `usual_messages`."""
        found = self._findall(data)
        if found and (body := found[0][_BODY]):
            self._unknown += len(found)
            if self._unknown >= _LEARN_AFTER and len(self._bodies) < _BODIES_MAX:
                self._learn(body)
        return found

    def _learn(self, body: bytes) -> None:
        self._unknown = 0
        fields = body.split(b"\x01")[:-1]
        if len(fields) <= _BODY_FIELDS_MAX:
            tags = [field[: field.index(b"=") + 1] for field in fields]
            self._bodies.append(b"".join([tag + rb"[^\x01]++\x01" for tag in tags]))
            self._compile()

    def _compile(self) -> None:
        bodies = b"|".join([*self._bodies, b"(" + _FIELD + b"*+)"])
        usual = b"(" + self._header + b"(?:" + bodies + rb")(10=[0-9]{3}\x01))"
        # The rest is passed over whole: `findall` would search it for the next usual message.
        self._findall = re.compile(usual + b"|(?s:.+)").findall
