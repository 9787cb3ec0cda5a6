"""What a stored message says about itself, and whether it is whole."""

from __future__ import annotations

from typing import NamedTuple

from fixlab.redact import mask, printable
from fixlab.times import parse_utc
from fixlab.wire.message import checksum
from fixlab.wire.tags import ADMIN_TYPES, HEADER_TAGS

_HEADER = frozenset(b"%d" % tag for tag in HEADER_TAGS)


class Facts(NamedTuple):
    """The header of a message as far as it can be read, and what is wrong with its frame."""

    msg_type: str
    number: str  # MsgSeqNum(34) as it stands there
    begin_string: str
    sender: str
    target: str
    sending_time: int | None
    poss_dup: bool
    poss_resend: bool
    defect: str  # "" when the frame is sound

    @property
    def admin(self) -> bool:
        """Whether it belongs to the session layer."""
        return self.msg_type in ADMIN_TYPES


def read(raw: bytes) -> Facts:
    """The facts of one message; never raises, whatever the bytes are."""
    header: dict[bytes, bytes] = {}
    for part in raw.split(b"\x01"):
        tag, equals, value = part.partition(b"=")
        if not equals or tag not in _HEADER:
            break  # FRM-14: the body begins
        header.setdefault(tag, value)
    text = {tag: header.get(tag, b"").decode("latin-1") for tag in _TEXTS}
    return Facts(
        msg_type=text[b"35"],
        number=text[b"34"],
        begin_string=text[b"8"],
        sender=text[b"49"],
        target=text[b"56"],
        sending_time=parse_utc(header.get(b"52", b"")),
        poss_dup=header.get(b"43") == b"Y",
        poss_resend=header.get(b"97") == b"Y",
        defect=_defect(raw),
    )


_TEXTS = (b"35", b"34", b"8", b"49", b"56")


def _defect(raw: bytes) -> str:
    """What is wrong with the frame of a message, "" when nothing is."""
    head = raw.split(b"\x01", 3)
    # FRM-01: BeginString(8), BodyLength(9) and MsgType(35) come first, in this order.
    if len(head) < 4 or not (
        head[0][:2] == b"8=" and head[1][:2] == b"9=" and head[2][:3] == b"35="
    ):
        # Secrets may stand anywhere in what is no message.
        return f"does not start as a FIX message: {printable(mask(raw)[:16])!r}"
    length = head[1][2:]
    # FRM-05: CheckSum(10) is last, with three digits and an SOH.
    if raw[-8:-4] != b"\x0110=" or raw[-1:] != b"\x01" or not raw[-4:-1].isdigit():
        return "does not end with CheckSum(10)"
    body = len(raw) - 7 - len(head[0]) - len(head[1]) - 2
    if not length.isdigit() or int(length[:9]) != body:
        return f"BodyLength(9) is {printable(length[:12])}, counted {body} (FRM-03)"
    total = checksum(raw[:-7])
    if int(raw[-4:-1]) != total:
        return f"CheckSum(10) is {raw[-4:-1].decode()}, summed up {total:03d} (FRM-04)"
    return ""
