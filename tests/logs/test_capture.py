"""Captures: each direction put in order, whatever TCP did to it."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fixlab as fx
from fixlab.errors import FixLabError, LogFormatError
from fixlab.frames import MESSAGES, check
from fixlab.logs import _tcp
from fixlab.logs._tcp import Flow
from tests.logs.packets import ACK, FIN, NS, RST, SYN, Packet, pcap, pcapng, segment
from tests.logs.test_sources import message

T0 = 1_767_603_600 * NS + 123_456_789
ASKS = b"".join(message(n) for n in range(1, 6))
ANSWERS = b"".join(message(n, sender="SELL", target="BUY") for n in range(1, 4))


def read(tmp_path: Path, data: bytes) -> fx.Log:
    path = tmp_path / "a.pcap"
    path.write_bytes(data)
    return fx.read_log(path)


def conversation(*, isn: int = 1_000, **kind: Any) -> list[Packet]:
    """A connection: five messages there, three back, cut anywhere."""
    rng = random.Random(7)
    packets = [
        segment(T0, isn, flags=SYN, **kind),
        segment(T0 + 1, 77, flags=SYN | ACK, back=True, **kind),
    ]
    for text, begin, back in ((ASKS, isn + 1, False), (ANSWERS, 78, True)):
        at = 0
        while at < len(text):
            size = rng.randrange(1, 150)
            time = T0 + (len(packets) + 1) * 1_000_000
            part = text[at : at + size]
            packets.append(segment(time, begin + at, part, back=back, **kind))
            at += size
    return packets


def seen(log: fx.Log) -> list[tuple[str, int]]:
    frame = log.frame
    return sorted(
        zip(frame["sender"].astype(str), frame["msg_seq_num"].astype(int), strict=True)
    )


EXPECTED = sorted([("BUY", n) for n in range(1, 6)] + [("SELL", n) for n in range(1, 4)])


def test_a_clock_beyond_all_times_gives_none(tmp_path: Path) -> None:
    made = [Packet(2**63, packet.data) for packet in conversation()]
    frame = read(tmp_path, pcapng(made)).frame
    assert len(frame) > 0
    assert (frame["time_from"] == "sending_time").all()


@pytest.mark.parametrize("form", ["pcap", "pcap in us", "pcapng", "gz"])
def test_both_directions_with_the_times_of_their_packets(tmp_path: Path, form: str) -> None:
    packets = conversation()
    data = {
        "pcap": lambda: pcap(packets),
        "pcap in us": lambda: pcap(packets, nano=False),
        "pcapng": lambda: pcapng(packets),
        "gz": lambda: gzip.compress(pcap(packets)),
    }[form]()
    log = read(tmp_path, data)
    frame = check(log, MESSAGES)
    assert seen(log) == EXPECTED
    assert frame["valid"].all()
    assert set(frame["time_from"].astype(str)) == {"capture"}
    # The side that called is the one whose messages go out.
    assert set(frame.loc[frame["direction"] == "out", "sender"].astype(str)) == {"BUY"}
    assert set(frame.loc[frame["direction"] == "in", "sender"].astype(str)) == {"SELL"}
    assert set(frame["direction_from"].astype(str)) == {"captured"}
    unit = 1_000 if form == "pcap in us" else 1
    times = {packet.time // unit * unit for packet in packets}
    assert set(frame["time"].astype("int64")) <= times
    assert log.raw(0) == message(1)
    assert log.message(7)[49] == "SELL"


@pytest.mark.parametrize("kind", [{"vlans": 1}, {"vlans": 2}, {"version": 6}, {"pad": 6}])
def test_vlan_tags_ipv6_and_padding(tmp_path: Path, kind: dict[str, int]) -> None:
    assert seen(read(tmp_path, pcap(conversation(**kind)))) == EXPECTED


def test_sequence_numbers_of_tcp_may_wrap_around(tmp_path: Path) -> None:
    assert seen(read(tmp_path, pcap(conversation(isn=2**32 - 200)))) == EXPECTED


@pytest.mark.parametrize("seed", range(5))
def test_out_of_order_and_repeated_segments(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    head, rest = conversation()[:2], conversation()[2:]
    rest += rng.sample(rest, 5)
    rng.shuffle(rest)
    log = read(tmp_path, pcap(head + rest))
    assert seen(log) == EXPECTED
    assert "bytes of TCP came again" in log.notes[0]


def test_a_capture_that_begins_late_reads_from_the_next_message(tmp_path: Path) -> None:
    packets = [p for p in conversation()[2:] if p.time > T0 + 4_000_000]
    log = read(tmp_path, pcap(packets))
    assert log.frame["valid"].sum() >= 6
    assert set(log.frame["direction"].astype(str)) <= {"", "in", "out"}


def test_missing_bytes_are_said_and_cost_what_they_are_in(tmp_path: Path) -> None:
    packets = conversation()
    lost = packets.pop(4)
    log = read(tmp_path, pcap(packets))
    payload = len(lost.data) - 54
    assert f"{payload} bytes of TCP are missing" in log.notes[0]
    valid = log.frame[log.frame["valid"]]
    assert len(valid) >= 6
    assert len(log.frame) > len(valid) or len(valid) < 8


def test_a_second_connection_of_the_same_ports_is_another_one(tmp_path: Path) -> None:
    first = conversation()
    end = [segment(T0 + 10**9, 1_001 + len(ASKS), flags=FIN | ACK)]
    end += [segment(T0 + 10**9, 78 + len(ANSWERS), flags=RST, back=True)]
    second = [Packet(p.time + 10**10, p.data) for p in conversation(isn=5_000)]
    log = read(tmp_path, pcap(first + end + second))
    assert seen(log) == sorted(EXPECTED * 2)


def test_what_is_no_fix_is_passed_over_and_counted(tmp_path: Path) -> None:
    noise = [
        segment(T0 + n, 1 + 1_000 * n, b"\x17\x03\x03" + bytes(997), back=True)
        for n in range(100)
    ]
    arp = Packet(T0, bytes(12) + b"\x08\x06" + bytes(28))
    log = read(tmp_path, pcap([arp, *noise]))
    assert len(log) == 0
    assert "100,000 bytes of connections without FIX" in log.notes[0]
    assert "1 packets are no TCP" in log.notes[0]


def test_a_capture_cut_short_gives_what_is_there(tmp_path: Path) -> None:
    data = pcap(conversation())
    log = read(tmp_path, data[:-20])
    assert len(log) >= 7
    with pytest.raises(LogFormatError, match=r"a\.pcap is no capture that can be read"):
        read(tmp_path, data[:10])


@settings(max_examples=200, deadline=None)
@given(
    st.binary(min_size=1, max_size=300),
    st.lists(st.tuples(st.integers(0, 299), st.integers(1, 60)), max_size=60),
    st.integers(0, 2**32 - 1),
)
def test_any_segments_that_cover_a_stream_give_the_stream(
    text: bytes, cuts: list[tuple[int, int]], begin: int
) -> None:
    flow = Flow()
    flow.start(begin - 1)
    covered = [*cuts, *((at, 20) for at in range(0, len(text), 20))]
    found = b""
    for at, size in covered:
        part = text[at : at + size]
        found += b"".join(flow.take((begin + at) % 2**32, part))
    found += b"".join(flow.finish())
    assert found == text
    assert flow.missing == 0


def test_early_segments_are_given_up_at_their_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tcp, "EARLY_MAX", 3)
    flow = Flow()
    flow.start(0)
    for at in (11, 21, 31):
        assert flow.take(at, b"x" * 10) == []
    assert flow.take(41, b"x" * 10) == [b"", *[b"x" * 10] * 4]
    assert flow.missing == 10


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damaged_captures_raise_nothing_but_a_fixlab_error(data: st.DataObject) -> None:
    good = data.draw(st.sampled_from((pcap(conversation()), pcapng(conversation()))))
    text = bytearray(good)
    for _ in range(data.draw(st.integers(1, 20))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    import io

    from fixlab.logs._sources import Source
    from fixlab.logs.read import _read

    source = Source("a", "a", lambda: io.BytesIO(bytes(text)), len(text))
    try:
        log = _read([source], (), (), 1 << 20)
    except FixLabError:
        return
    places = log.files.iloc[0]
    parts = places["row_bytes"] + places["around_bytes"] + places["text_bytes"]
    assert parts == places["bytes"]
