"""A peer may send anything: nothing raises, nothing depends on how it was cut, and the quick
way of reading a message finds what the slow way finds."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixlab import redact
from fixlab.session.core import Output
from fixlab.session.transitions import SessionState
from fixlab.times import NANOSECONDS, format_utc
from fixlab.wire.message import encode
from fixlab.wire.tags import LENGTH_TO_DATA
from tests.session.script import ACCEPTOR, INITIATOR, NOW, Bench, bench, wire

STAMP = format_utc(NOW)
NUMBERS = st.sampled_from(
    [
        b"1",
        b"2",
        b"3",
        b"4",
        b"5",
        b"7",
        b"9",
        b"0",
        b"-1",
        b"003",
        b"",
        b"x",
        b"99999999999",
        b"9" * 18,
        b"9" * 19,
        b"1e3",
        b" 2",
        b"2 ",
        b"+2",
    ]
)
TIMES = st.sampled_from(
    [
        STAMP,
        STAMP[:17],
        STAMP + b"123456",
        STAMP + b"1234567890",
        b"20260105-09:02:01",
        b"20260105-08:57:59",
        b"20260105-09:00:60",
        b"20261305-09:00:00",
        b"",
        b"now",
        b"0" * 21,
    ]
)
FLAGS = st.sampled_from([b"Y", b"N", b"X", b"", b"y"])
TYPES = st.sampled_from(
    [
        b"D",
        b"8",
        b"AE",
        b"U1",
        b"0",
        b"1",
        b"2",
        b"3",
        b"4",
        b"5",
        b"A",
        b"6",
        b"",
        b"\xe9",
        b"D" * 300,
        b"=",
        b"D E",
    ]
)
VALUES = st.sampled_from(
    [b"", b"x", b"=", b"8=FIX.4.4", b"\xff\x00\n", b"5", b"<b>", b"10=000"]
)
TAGS = st.sampled_from(
    [
        b"11",
        b"58",
        b"1",
        b"112",
        b"108",
        b"98",
        b"95",
        b"96",
        b"93",
        b"89",
        b"212",
        b"213",
        b"354",
        b"348",
        b"369",
        b"445",
        b"446",
        b"618",
        b"664",
        b"1184",
        b"2072",
        b"40004",
        b"43109",
        b"5000",
        b"10",
        b"8",
        b"9",
        b"34",
        b"35",
        b"49",
        b"56",
        b"52",
        b"43",
        b"122",
        b"123",
        b"36",
        b"7",
        b"16",
        b"141",
        b"45",
        b"0",
        b"007",
        b"-1",
        b"",
        b"x",
        b"11 ",
        b"1234567890",
        b"12345678901",
        b"999999999",
    ]
)


def odd_field() -> st.SearchStrategy[bytes]:
    known = st.one_of(
        st.tuples(st.sampled_from([b"34", b"7", b"16", b"36", b"45", b"108", b"98"]), NUMBERS),
        st.tuples(st.sampled_from([b"43", b"123", b"141", b"97"]), FLAGS),
        st.tuples(st.sampled_from([b"52", b"122"]), TIMES),
        st.tuples(TAGS, VALUES),
    ).map(lambda pair: b"=".join(pair))
    data = st.sampled_from(
        [
            b"95=3\x0196=a\x01b",
            b"95=3\x0196=abc",
            b"95=9\x0196=a",
            b"354=2\x01355=\x01\x01",
            b"90=1\x0191=\x01",
            b"nonsense",
            b"=",
            b"96=a\x01b",
            b"95=03\x0196=a=\x01",
        ]
    )
    return st.one_of(known, known, data)


@st.composite
def usual_messages(draw: st.DrawFn) -> list[bytes]:
    """Mostly good application messages in sequence, some with one thing wrong."""
    stream = []
    number = 2
    for _ in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from([b"D", b"D", b"8", b"AE", b"D", b"0", b"1"]))
        text = b"%d" % number
        sent = STAMP
        ids = [b"49=YOU", b"56=ME"]
        extra = [b"112=T"] if kind == b"1" else [b"11=A"]
        trouble = draw(st.integers(0, 9))
        if trouble == 0:
            text = draw(NUMBERS)
        elif trouble == 1:
            sent = draw(TIMES)
        elif trouble == 2:
            kind = draw(TYPES)
        elif trouble in (3, 4, 5):
            extra += draw(st.lists(odd_field(), min_size=1, max_size=3))
        elif trouble == 6:
            ids = draw(st.permutations([b"49=YOU", b"56=ME", draw(odd_field())]))
        elif trouble == 7:
            number += draw(st.integers(0, 2))
            text = b"%d" % number
        seq, stamp = b"34=" + text, b"52=" + sent
        order = draw(st.integers(0, 3))
        if order == 0:
            header = [seq, ids[0], stamp, *ids[1:]]
        elif order == 1:
            header = [*ids, seq, stamp]
        else:
            header = draw(st.permutations([seq, stamp, *ids]))
        content = b"".join(f + b"\x01" for f in [b"35=" + kind, *header, *extra])
        begin_string = b"FIX.4.4" if draw(st.integers(0, 19)) else b"FIX.4.2"
        stream.append(encode(begin_string, content))
        number += 1
    return stream


@st.composite
def any_messages(draw: st.DrawFn) -> bytes:
    """Well-framed messages of any type with any fields, and garbage between them."""
    parts = []
    for _ in range(draw(st.integers(1, 6))):
        if draw(st.integers(0, 9)) == 0:
            parts.append(draw(st.binary(max_size=20)))
            continue
        header = [b"35=" + draw(TYPES)]
        for field in (b"34=" + draw(NUMBERS), b"49=YOU", b"56=ME", b"52=" + STAMP):
            if draw(st.integers(0, 19)):
                header.append(field)
        body = draw(st.lists(odd_field(), max_size=6))
        parts.append(encode(b"FIX.4.4", b"".join(f + b"\x01" for f in [*header, *body])))
    return b"".join(parts)


def logon_sent() -> Bench:
    made = Bench(INITIATOR, password="pw", username="u")
    made.connected()
    made.send()
    return made


def connected() -> Bench:
    made = Bench(ACCEPTOR)
    made.connected()
    return made


def with_gap() -> Bench:
    made = bench()
    made.receive("35=D|34=4|11=x|", "35=5|34=6|")
    return made


def logging_out() -> Bench:
    made = bench(INITIATOR)
    made.send()
    made.logout("bye")
    return made


def logout_answered() -> Bench:
    made = bench()
    made.receive("35=5|34=2|")
    return made


def resetting() -> Bench:
    made = bench(INITIATOR)
    made.reset()
    made.receive(f"35=0|34=2|112={made.pending_test_id()}|")
    return made


def reset_asked() -> Bench:
    made = bench()
    made.reset()
    return made


def closing() -> Bench:
    made = bench()
    made.receive("35=D|34=1|11=x|")
    return made


def replaying() -> Bench:
    made = bench(replay_batch_max=1, replay_repeat_max=2)
    for _ in range(5):
        made.send()
    made.receive("35=2|34=2|7=1|16=0|")
    made.send()
    return made


def replaying_after_logout() -> Bench:
    made = replaying()
    made.receive("35=5|34=3|")
    return made


STATES: dict[str, Callable[[], Bench]] = {
    make.__name__: make
    for make in (
        bench,
        connected,
        logon_sent,
        with_gap,
        logging_out,
        logout_answered,
        resetting,
        reset_asked,
        closing,
        replaying,
        replaying_after_logout,
    )
}


def test_the_states_are_what_their_names_say() -> None:
    found = {name: make().state for name, make in STATES.items()}
    s = SessionState
    assert found == {
        "bench": s.ACTIVE,
        "connected": s.CONNECTED,
        "logon_sent": s.LOGON_SENT,
        "with_gap": s.ACTIVE,
        "logging_out": s.LOGOUT_SENT,
        "logout_answered": s.LOGOUT_ANSWERED,
        "resetting": s.RESET_SENT,
        "reset_asked": s.ACTIVE,
        "closing": s.CLOSING,
        "replaying": s.ACTIVE,
        "replaying_after_logout": s.LOGOUT_ANSWERED,
    }


def drain(made: Bench) -> None:
    """Ticks until the session rests or is over; it may not spin."""
    for _ in range(200):
        limit = made.session.deadline
        if limit is None:
            return
        made.now = max(made.now, limit)
        made.tick()
    raise AssertionError(f"{made.session} never ends")


@pytest.mark.parametrize("state", STATES)
@settings(max_examples=40, deadline=None)
@given(data=any_messages())
def test_no_message_in_any_state_raises_or_hangs(state: str, data: bytes) -> None:
    made = STATES[state]()
    made.receive_bytes(data)
    for row in made.output.transitions:
        assert row.next_in < 1 << 63
        assert row.kind == "RESET_BOTH" or row.next_in >= row.next_in_before
    made.tick(0)
    drain(made)
    assert made.state is SessionState.DISCONNECTED


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_data(data: bytes) -> None:
    for state in ("bench", "connected", "logon_sent", "replaying"):
        STATES[state]().receive_bytes(data)


def outcome(parts: list[bytes], made: Bench) -> tuple[bytes, list[object], str | None]:
    outputs = [made.session.receive(part, NOW) for part in parts]
    return (
        b"".join(output.data for output in outputs),
        [x for output in outputs for x in (*output.transitions, *output.events)],
        next((o.disconnect for o in outputs if o.disconnect), None),
    )


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(STATES)),
    st.one_of(usual_messages().map(b"".join), any_messages()),
    st.lists(st.integers(0, 1500), max_size=6),
)
def test_any_split_of_the_input_gives_the_same(
    state: str, data: bytes, cuts: list[int]
) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    parts = [data[a:b] for a, b in itertools.pairwise(edges)]
    whole, cut = outcome([data], STATES[state]()), outcome(parts, STATES[state]())
    assert (whole[0], whole[2]) == (cut[0], cut[2])
    # Rows and events interleave differently between one Output and many.
    assert sorted(map(repr, whole[1])) == sorted(map(repr, cut[1]))


def both_ways(stream: list[bytes], make: Callable[[], Bench]) -> None:
    quick, slow = make(), make()
    slow.session._usual = lambda data: ()
    for raw in stream:
        one, two = quick.session.receive(raw, NOW), slow.session.receive(raw, NOW)
        assert one == two
        assert quick.session.deadline == slow.session.deadline


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(usual_messages(), usual_messages().map(lambda parts: [b"".join(parts)])),
    st.sampled_from(["bench", "with_gap", "replaying", "reset_asked"]),
)
def test_the_quick_way_of_reading_equals_the_slow_way(stream: list[bytes], state: str) -> None:
    both_ways(stream, STATES[state])


def test_frm_07_the_quick_way_ends_a_broken_stretch_like_any_good_message() -> None:
    parts = [b"junk", wire("35=D|34=2|11=A|"), b"more junk"]
    split, whole = bench(), bench()
    rows = []
    for part in parts:
        split.receive_bytes(part)
        rows += split.rows
    whole.receive_bytes(b"".join(parts))
    assert rows == whole.rows == ["GARBLED FRM-07", "ACCEPTED SEQ-02", "GARBLED FRM-07"]


@pytest.mark.parametrize(("length_tag", "data_tag"), sorted(LENGTH_TO_DATA.items()))
def test_dat_01_03_the_quick_way_leaves_every_data_field_to_the_slow_way(
    length_tag: int, data_tag: int
) -> None:
    for length, data in (
        ("3", "a\x01b"),
        ("3", "abc"),
        ("9", "abc"),
        ("5", "a\x0158="),
        ("x", "a"),
    ):
        both_ways([wire(f"35=B|34=2|{length_tag}={length}|{data_tag}={data}|11=A|")], bench)


def test_the_quick_way_is_taken_at_all() -> None:
    made = bench()
    raw = wire("35=D|34=2|11=A|")
    assert [found[0] for found in made.session._usual(raw + raw + b"8=")] == [raw, raw, b""]


def test_the_quick_way_heeds_the_tolerance_at_its_edges() -> None:
    for tolerance in (None, 120.0):
        for seconds in (-120.001, -120, 0, 120, 120.001):
            raw = wire("35=D|34=2|11=A|", now=NOW + round(seconds * NANOSECONDS))
            both_ways([raw], lambda t=tolerance: bench(sending_time_tolerance_seconds=t))  # type: ignore[misc]


def test_output_is_compared_whole() -> None:
    assert Output(b"", (), (), None) != Output(b"", (), (), "x")


def test_lgn_26_of_a_megabyte_of_text_only_the_beginning_is_searched_for_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes: list[int] = []

    def mask(text: str) -> str:
        sizes.append(len(text))
        return real(text)

    real = redact.mask
    monkeypatch.setattr(redact, "mask", mask)
    made = bench()
    made.receive("35=1|34=2|112=T|58=" + "554=hunter2 " * 50_000 + "|")
    assert made.output.transitions[0].text == "554=***"
    assert max(sizes) <= 4_000
