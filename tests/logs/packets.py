"""Captures made by hand: Ethernet frames of TCP segments, in pcap and pcapng."""

from __future__ import annotations

import struct
from typing import NamedTuple

CLIENT, SERVER = (b"\x0a\x00\x00\x01", 40_000), (b"\x0a\x00\x00\x02", 9_880)
FIN, SYN, RST, ACK = 1, 2, 4, 16
NS = 1_000_000_000


class Packet(NamedTuple):
    """Time in ns, and the bytes on the wire."""

    time: int
    data: bytes


def segment(
    time: int,
    number: int,
    data: bytes = b"",
    *,
    back: bool = False,
    flags: int = ACK,
    vlans: int = 0,
    version: int = 4,
    pad: int = 0,
) -> Packet:
    """A TCP segment from the client, or `back` from the server."""
    source, target = (SERVER, CLIENT) if back else (CLIENT, SERVER)
    head = struct.pack(
        "!HHIIBBHHH", source[1], target[1], number % 2**32, 0, 5 << 4, flags, 1000, 0, 0
    )
    tcp = head + data
    if version == 4:
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0)
        packet, kind = ip + source[0] + target[0] + tcp, 0x0800
    else:
        ip = struct.pack("!IHBB", 6 << 28, len(tcp), 6, 64)
        packet, kind = ip + (source[0] + target[0]) * 4 + tcp, 0x86DD
        six = [b"\x20\x01" + bytes(10) + side[0] for side in (source, target)]
        packet = ip + six[0] + six[1] + tcp
    tags = b"".join(struct.pack("!HH", 0x8100, 5 + i) for i in range(vlans))
    return Packet(time, bytes(12) + tags + struct.pack("!H", kind) + packet + bytes(pad))


def pcap(packets: list[Packet], *, nano: bool = True, link: int = 1) -> bytes:
    magic, unit = (0xA1B23C4D, 1) if nano else (0xA1B2C3D4, 1000)
    parts = [struct.pack("<IHHiIII", magic, 2, 4, 0, 0, 65_535, link)]
    for time, data in packets:
        head = struct.pack("<IIII", time // NS, time % NS // unit, len(data), len(data))
        parts.append(head + data)
    return b"".join(parts)


def pcapng(packets: list[Packet]) -> bytes:
    """With times in ns, which its option says."""
    options = struct.pack("<HHB3xHH", 9, 1, 9, 0, 0)
    parts = [
        _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)),
        _block(1, struct.pack("<HHI", 1, 0, 65_535) + options),
    ]
    for time, data in packets:
        head = struct.pack("<IIIII", 0, time >> 32, time % 2**32, len(data), len(data))
        parts.append(_block(6, head + data + bytes(-len(data) % 4)))
    return b"".join(parts)


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size
