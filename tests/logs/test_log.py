"""Log: what engines write, whose log it is, columns on demand, whole messages, Parquet."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import fixlab as fx
from fixlab.errors import ConfigError
from fixlab.frames import LOG_FILES, LOG_SESSIONS, MESSAGES, check
from fixlab.logs import _parquet
from fixlab.net.message_log import MessageLog
from fixlab.times import format_utc, parse_start
from fixlab.wire.message import encode
from tests.logs.compare import log_of
from tests.logs.made import Maker
from tests.logs.test_sources import lines, message, numbers

START = parse_start("2026-01-05T09:00:00")


def wire(text: str) -> bytes:
    return encode(b"FIX.4.4", text.replace("|", "\x01").encode("latin-1"))


def sent(number: int, sender: str, target: str, more: str = "", *, late_ms: int = 0) -> bytes:
    time = format_utc(START + number * 10**9 - late_ms * 10**6).decode()
    return wire(f"35=0|34={number}|49={sender}|52={time}|56={target}|{more}")


def stamp(number: int) -> str:
    return format_utc(START + number * 10**9, 9).decode()


def two_sides(form: str, mark: str = "\x01") -> bytes:
    """A log of BUY: each second message is SELL's."""
    parts = []
    for n in range(1, 41):
        pair, way = (("BUY", "SELL"), "outgoing") if n % 2 else (("SELL", "BUY"), "incoming")
        text = sent(n, *pair).decode("latin-1").replace("\x01", mark)
        parts.append(form.format(time=stamp(n), ms=stamp(n)[:21], way=way, text=text))
    return "".join(parts).encode("latin-1")


STYLES = {
    "QuickFIX C++": ("{time} : {text}\n", "\x01", True, False),
    "QuickFIX C++ screen": (
        "\n<{ms}, FIX.4.4:BUY->SELL, {way}>\n  ({text})\n",
        "|",
        True,
        True,
    ),
    "QuickFIX/J": ("{text}\n", "\x01", False, False),
    "QuickFIX/J with times": ("{ms}: {text}\n", "\x01", True, False),
    "QuickFIX/J screen": ("<{ms}, FIX.4.4:BUY->SELL, {way}> ({text})\n", "|", True, True),
    "QuickFIX/J SLF4J": (
        "{ms} [pool-1] INFO quickfixj.msg.{way} - FIX.4.4:BUY->SELL: {text}\n",
        "\x01",
        True,
        True,
    ),
    "QuickFIX/n": ("{ms} : {text}\n", "\x01", True, False),
    "QuickFIX/n screen": ("<{way}> {text}\n", "|", False, True),
    "QuickFIX/Go": ("{ms} {text}\n", "\x01", True, False),
    "vi": ("{text}\r\n", "^A", False, False),
    "JSON": ('{{"ts":"{ms}","dir":"{way}","msg":"{text}"}}\n', "\\u0001", True, True),
    "one field a line": ("{text}", "\n", False, False),
    "glued": ("{text}", "\x01", False, False),
}


@pytest.mark.parametrize("name", STYLES)
def test_each_engines_lines_are_read(name: str) -> None:
    form, mark, timed, marked = STYLES[name]
    log = log_of(two_sides(form, mark))
    frame = check(log, MESSAGES)
    assert numbers(log) == list(range(1, 41))
    assert frame["valid"].all()
    assert set(frame["time_from"].astype(str)) == {"log" if timed else "sending_time"}
    expected = [pd.Timestamp(START + n * 10**9, unit="ns", tz="UTC") for n in range(1, 41)]
    assert frame["time"].tolist() == expected
    if marked:
        assert frame["direction"].astype(str).tolist() == ["out", "in"] * 20
        assert set(frame["direction_from"].astype(str)) == {"logged"}
        assert set(frame["session"].astype(str)) == {"FIX.4.4:BUY->SELL"}


def test_a_message_may_be_wrapped(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    text = message(1).decode("latin-1").replace("\x01", "|")
    path.write_text("".join(text[i : i + 30] + "\n    " for i in range(0, len(text), 30)))
    log = fx.read_log(path)
    assert log.frame["valid"].tolist() == [True]
    assert log.message(0).raw == message(1)


# Whose log it is --------------------------------------------------------------------------


def side_of(log: fx.Log) -> tuple[str, str]:
    (row,) = log.sessions[["session", "direction_from"]].astype(str).to_numpy().tolist()
    return row[0], row[1]


def test_the_side_given_is_certain(tmp_path: Path) -> None:
    path = tmp_path / "FIX.4.4-BUY-SELL.messages.log"
    path.write_bytes(two_sides("{text}\n"))
    log = fx.read_log(path, ours="SELL")
    assert side_of(log) == ("FIX.4.4:SELL->BUY", "given")
    assert log.frame["direction"].astype(str).tolist() == ["in", "out"] * 20


def test_the_name_of_a_file_says_whose_it_is(tmp_path: Path) -> None:
    path = tmp_path / "FIX.4.4-SELL-BUY.messages.current.log"
    path.write_bytes(two_sides("{time} : {text}\n"))
    assert side_of(fx.read_log(path)) == ("FIX.4.4:SELL->BUY", "file_name")


def test_a_comp_id_in_all_sessions_is_ours() -> None:
    pairs = (("A", "US"), ("US", "A"), ("B", "US"), ("C", "US"))
    log = log_of(b"".join(sent(n, *pair) + b"\n" for n, pair in enumerate(pairs, 1)))
    assert log.frame["direction"].astype(str).tolist() == ["in", "out", "in", "in"]
    assert set(log.sessions["direction_from"].astype(str)) == {"comp_ids"}
    assert set(log.sessions["confidence"].astype(str)) == {"medium"}


def test_times_tell_when_nothing_else_does() -> None:
    parts = []
    for n in range(1, 101):
        # What BUY sends is logged at once; what SELL sends comes 3 to 40 ms later.
        pair, late = (("BUY", "SELL"), 0) if n % 2 else (("SELL", "BUY"), 3 + n * 7 % 37)
        parts.append(f"{stamp(n)} : ".encode() + sent(n, *pair, late_ms=late) + b"\n")
    log = log_of(b"".join(parts))
    assert side_of(log) == ("FIX.4.4:BUY->SELL", "timing")
    assert log.sessions["confidence"].astype(str).tolist() == ["low"]


def test_without_a_reason_nobody_is_named() -> None:
    log = log_of(two_sides("{text}\n"))
    assert side_of(log) == ("FIX.4.4:BUY->SELL", "")
    assert set(log.frame["direction"].astype(str)) == {""}
    assert log.sessions["unknown_messages"].tolist() == [40]


def test_words_that_contradict_each_other_say_nothing() -> None:
    text = two_sides("{way} {text}\n").replace(b"incoming", b"outgoing")
    assert side_of(log_of(text))[1] == ""


# Columns and whole messages ---------------------------------------------------------------


def test_tags_are_named_and_typed() -> None:
    more = "11=A-1|44=10.50|38=100|60=20260105-09:00:01.5|5001=x|554=pw|114=Y|"
    bad = "11=|44=1e5|38=x|60=never|114=?|"
    text = sent(1, "BUY", "SELL", more) + b"\n" + sent(2, "BUY", "SELL", bad) + b"\n"
    frame = log_of(text, tags=(11, 44, 78, 60, 5001, 554, 114, 34)).frame
    added = frame.iloc[:, len(MESSAGES.names) :]
    assert {name: str(dtype) for name, dtype in added.dtypes.items()} == {
        "ClOrdID": "category",
        "Price": "float64",
        "NoAllocs": "Int64",
        "TransactTime": "datetime64[ns, UTC]",
        "5001": "category",
        "Password": "category",
        "LocateReqd": "boolean",
        "MsgSeqNum": "Int64",
    }
    assert added["Price"].tolist()[0] == 10.5
    assert added.iloc[1].isna().tolist() == [False, True, True, True, False, False, True, False]
    assert added["Password"].tolist() == ["***", ""]
    assert added["TransactTime"][0] == pd.Timestamp("2026-01-05 09:00:01.5", tz="UTC")


@pytest.mark.parametrize("tags", [["x"], [0], [True], [10**7], list(range(1, 200))])
def test_what_is_no_tag_is_refused(tmp_path: Path, tags: list[int]) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(lines(1))
    with pytest.raises(ConfigError, match=r"a tag is a whole number|at most 100 tags"):
        fx.read_log(path, tags=tags)


def test_secrets_are_found_and_stay_hidden(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    logon = sent(1, "BUY", "SELL", "98=0|108=30|554=hunter2|").replace(b"35=0", b"35=A")
    logon = wire(logon.decode("latin-1").split("\x01", 2)[2].rpartition("10=")[0])
    masked = wire("35=A|34=2|49=BUY|52=20260105-09:00:00|56=SELL|554=***|")
    raw = wire("35=A|34=3|49=BUY|52=20260105-09:00:00|56=SELL|95=3|96=a\x01b|")
    reject = wire("35=3|34=4|49=BUY|52=20260105-09:00:00|56=SELL|58=bad 554=hunter2|")
    path.write_bytes(b"\n".join((logon, masked, raw, reject)))
    log = fx.read_log(path, tags=[554])
    assert log.frame["secret"].tolist() == [True, False, True, False]
    assert log.frame["text"].tolist()[3] == "bad 554=***"
    shown = [log.frame.to_string(), repr(log), log._repr_html_()]
    shown += [f"{log.raw(i)!r}{log.message(i)}{log.decode(i)}" for i in range(4)]
    assert "hunter2" not in "".join(shown)


def test_escapes_of_terminals_and_pages_are_made_harmless() -> None:
    text = sent(1, "\x1b[2J", "<b>", "58=<script>\x1b]0;x\x07|").replace(b"35=0", b"35=3")
    log = log_of(wire(text.decode("latin-1").split("\x01", 2)[2].rpartition("10=")[0]))
    assert "\x1b" not in log.frame.to_string() + repr(log)
    page = log._repr_html_()
    assert "<script>" not in page
    assert "<b>" not in page.replace("&lt;b&gt;", "")


def test_rows_are_decoded_with_names(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"x " + message(1) + b"\n8=FIX.4.4\x019=5\x0135=0\x0134=9")
    log = fx.read_log(path)
    assert log.message(0)[34] == "1"
    assert "NewOrderSingle(D)" in str(log.decode(0))
    # What is not right is decoded as far as it goes.
    assert log.frame["defect"].tolist() == ["", "truncated"]
    assert log.message(1)[34] == "9"
    with pytest.raises(ConfigError, match="expected a row from 0 to 1, found 2"):
        log.raw(2)


def test_each_byte_is_accounted_for() -> None:
    text = b"start\n" + lines(1) + b"end 35\n" + message(2)[:-9] + b"\n" + b"35=D\x0111=x\n"
    log = log_of(text)
    check(log.files, LOG_FILES)
    check(log.sessions, LOG_SESSIONS)
    places = log.files.iloc[0]
    assert places["row_bytes"] + places["around_bytes"] + places["text_bytes"] == len(text)
    assert places["text_lines"] == 2
    assert log.frame["defect"].tolist() == ["", "truncated", "fragment"]
    assert f"3 rows, 2 with a defect, from one file, {len(text)} bytes" in log.summary


# Parquet ------------------------------------------------------------------------------------


def test_parquet_holds_the_same_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_parquet, "GROUP_ROWS", 50)
    monkeypatch.setattr("fixlab.logs.read.GROUP_ROWS", 50)
    monkeypatch.setattr("fixlab.logs.read.BLOCK_BYTES", 5_000)
    paths = []
    for seed in (5, 17):
        paths.append(tmp_path / f"{seed}.log")
        paths[-1].write_bytes(Maker(seed).log(300))
    tags = [11, 108, 43, 60]
    log = fx.read_log(paths, tags=tags)
    other = fx.read_log(paths, tags=tags, to_parquet=tmp_path / "a.parquet")
    assert len(other) == len(log) > 100
    assert_frame_equal(other.files, log.files)
    assert_frame_equal(other.sessions, log.sessions)
    assert_frame_equal(check(other, MESSAGES), log.frame)
    assert other.raw(7) == log.raw(7)


def test_parquet_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(lines(1))
    with pytest.raises(ConfigError, match="cannot be written"):
        fx.read_log(path, to_parquet=tmp_path / "no" / "such" / "folder.parquet")


def test_the_log_of_a_live_session_is_read_with_its_events(tmp_path: Path) -> None:
    config = fx.SessionConfig(sender_comp_id="BUY", target_comp_id="SELL")
    kept = MessageLog(tmp_path, config)
    kept.event("connected", START)
    for n in range(1, 4):
        kept.sent(sent(n, "BUY", "SELL"), START + n * 10**9)
        kept.received(sent(n, "SELL", "BUY"), START + n * 10**9 + 5)
    kept.ended("done", START + 10**10)
    log = fx.read_log(tmp_path)
    assert side_of(log) == ("FIX.4.4:BUY->SELL", "file_name")
    assert log.frame["direction"].astype(str).tolist() == ["out", "in"] * 3
    assert log.frame["time"].astype("int64").tolist()[1] == START + 10**9 + 5
    assert log.frame["valid"].all()
    assert log.files["text_lines"].sum() == 2
