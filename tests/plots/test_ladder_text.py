from __future__ import annotations

import pandas as pd
import pytest

from fixlab.errors import ConfigError, SchemaError
from fixlab.plots import ladder_text
from tests.plots.stories import (
    BUY,
    MS,
    SELL,
    Scribe,
    log_on,
    lost_and_recovered,
    to_frame,
    told,
)

EXPECTED = """\
FIX.4.4 session of BUY and SELL, from 2026-01-05 09:00:00.000 UTC
seconds in/out  BUY                                            SELL  in/out
  0.000    1/2 |-- A Logon 1 ------------------------------------->| 2/1
  0.020    2/2 |<------------------------------------- A Logon 1 --| 2/2
  1.000    2/3 |-- D 2 ------------------------------------------->| 3/2
  2.000    2/4 |-- D 3 ------------------------------------------->| 4/2
  3.000    2/5 |-- D 4 -------------------X                        |        lost
  4.000    2/6 |-- D 5 -------------------X                        |        lost
  5.000    2/7 |-- D 6 ------------------------------------------->| 4/2    held
  5.020        |                         gap opened: 4-5 missing * |
  5.020    3/7 |<----------- 2 ResendRequest 2: 4-0 (to the end) --| 4/3
  6.000    3/7 |.. D 4 PossDup ...................................>| 5/3    arrives at 6.020
  6.000    3/7 |.. D 5 PossDup ...................................>| 6/3    arrives at 6.020
  6.000    3/7 |.. D 6 PossDup ...................................>| 7/3    at 6.020: duplicate
  6.020        |                                  gap 4-5 closed * |
  6.020        |                                processes held 6 * |
  7.000    3/8 |-- D 7 ------------------------------------------->| 8/3
  8.000    3/9 |-- D 8 ------------------------------------------->| 9/3
  9.000   3/10 |-- D 9 -------------------X                        |        lost
  9.010        |=================== disconnected ==================|
 10.000   3/11 |-- A Logon 10 ------------------------------------>| 9/3    held
 10.020        |                           gap opened: 9 missing * |
 10.020   4/11 |<------------------------------------- A Logon 3 --| 9/4    arrives at 10.040
 10.020   5/11 |<----------- 2 ResendRequest 4: 9-0 (to the end) --| 9/5
 10.040   5/11 |.. 4 GapFill 9->11 ...............................>| 11/5
 10.500        |                                    gap 9 closed * |
 12.000   5/20 |-- 4 SequenceReset 11->20 ------------------------>| 20/5   expects 20 now
 14.000        | * both numbers back to 1                          |
 14.000    1/2 |-- A Logon 1 ------------------------------------->| 1/1    both restart at 1
 14.020    2/2 |<------------------------------------- A Logon 1 --| 2/2
 15.000    2/3 |-- D 2 ------------------------------------------->| 3/2
 16.000    2/4 |-- 5 Logout 3 ------------------------------------>| 4/2
 16.020    3/4 |<------------------------------------ 5 Logout 2 --| 4/3
 16.040        |=================== disconnected ==================|

in/out: NextNumIn/NextNumOut afterwards; ....> replayed; ---X lost; * noticed by that end"""


def test_the_small_story_reads_like_this(story: pd.DataFrame) -> None:
    assert ladder_text(story) == EXPECTED


def body(text: str) -> list[str]:
    """The lines that have both lifelines."""
    return [line for line in text.split("\n") if line.count("|") == 2]


def heartbeats(count: int) -> Scribe:
    """Logon, Heartbeats each way, and an order."""
    scribe = Scribe()
    log_on(scribe)
    for beat in range(1, count + 1):
        scribe.at(beat * 30_000)
        scribe.pass_on(BUY, "0")
        scribe.pass_on(SELL, "0")
    scribe.pass_on(BUY, "D")
    return scribe


def test_runs_of_heartbeats_are_folded() -> None:
    lines = body(ladder_text(to_frame(heartbeats(40).rows)))
    assert len(lines) == 4
    assert "... 40 Heartbeats each way ..." in lines[2]
    assert "D 42" in lines[3]


def test_a_lone_heartbeat_is_shown() -> None:
    lines = body(ladder_text(to_frame(heartbeats(1).rows)))
    assert [line for line in lines if "0 Heartbeat 2" in line] == lines[2:4]


def test_with_too_many_messages_those_around_the_gap_are_shown() -> None:
    scribe = Scribe()
    log_on(scribe)
    scribe.rows.clear()  # the frame begins somewhere in the middle of a session
    lost_and_recovered(scribe)
    for second in range(10, 60):
        scribe.at(second * 1_000)
        scribe.pass_on(BUY, "D")
    text = ladder_text(to_frame(scribe.rows), messages_max=10)
    assert "51 later messages not shown" in text
    assert "gap opened: 4-5 missing" in text
    assert "gap 4-5 closed" in text


def test_of_one_end_the_other_is_not_recorded(one_gap: pd.DataFrame) -> None:
    text = ladder_text(one_gap[one_gap["session"] == SELL])
    assert "BUY was not recorded here" in text
    assert "SELL was not recorded" not in text
    assert "D 4 PossDup" in text


def test_text_from_the_wire_cannot_break_the_lines() -> None:
    scribe = Scribe()
    log_on(scribe)
    scribe.send(BUY, "\x1b[2J\n")
    scribe.steps[SELL] += 1
    scribe.row(
        SELL, "REJECTED", msg_type="\x1b[2J\n", seq=2, next_in=3, text="554=secret\x01\r\nX|Y"
    )
    text = ladder_text(to_frame(scribe.rows))
    assert text.replace("\n", "").isprintable()
    assert "secret" not in text
    assert "\\x1b[2J\\n" in text


@pytest.mark.parametrize("width", [60, 96, 140])
def test_no_line_is_wider_than_asked_for(story: pd.DataFrame, width: int) -> None:
    lines = ladder_text(story, width=width).split("\n")
    assert max(len(line) for line in lines) <= width


def test_the_same_frame_gives_the_same_text(story: pd.DataFrame) -> None:
    assert ladder_text(story) == ladder_text(story.copy())


def test_messages_under_way_at_the_same_time_say_when_they_arrive() -> None:
    scribe = Scribe()
    log_on(scribe)
    scribe.at(1_000)
    for session in (BUY, SELL):
        scribe.send(session, "D")
    scribe.time += 30 * MS
    scribe.accept(SELL, "D", 2)
    scribe.accept(BUY, "D", 2)
    lines = body(ladder_text(to_frame(scribe.rows)))
    assert lines[2].endswith("arrives at 1.030")


def test_an_empty_frame_says_so() -> None:
    assert ladder_text(told()) == "No transitions: nothing was recorded yet"


def test_limits_that_cannot_work_raise(story: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match="messages_max must be at least 1, found 0"):
        ladder_text(story, messages_max=0)
    with pytest.raises(ConfigError, match="width must be at least 60 columns, found 20"):
        ladder_text(story, width=20)
    with pytest.raises(SchemaError, match="kind"):
        ladder_text(story.drop(columns=["kind"]))


KEY_OF_STORED = "stores for later: numbered now, leaves later by replay"
KEY_OF_WARNING = "warning: the message broke a rule and was processed all the same"


def test_warnings_and_stored_messages_are_told_and_explained(stored: pd.DataFrame) -> None:
    text = ladder_text(stored)
    for line in (
        "warning on 2: Side(54): Value is incorrect (",
        "| * stores D 3-5 for later ",
        "| * never sends stored 4-5 ",
        "| * never sends stored 7 ",
    ):
        assert line in text
    explained = " ".join(text.split())
    assert KEY_OF_STORED in explained
    assert KEY_OF_WARNING in explained
    assert max(map(len, ladder_text(stored, width=60).split("\n"))) <= 60


def test_what_does_not_occur_is_not_explained(story: pd.DataFrame) -> None:
    explained = " ".join(ladder_text(story).split())
    assert KEY_OF_STORED not in explained
    assert KEY_OF_WARNING not in explained
