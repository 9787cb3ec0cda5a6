"""reconcile(): two logs of one session, and what became of each message between them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import fixlab
from fixlab.analysis import reconcile
from fixlab.analysis._clocks import estimate
from fixlab.analysis._reconcile import Reconciliation
from fixlab.errors import ConfigError, SchemaError
from fixlab.frames import RECONCILIATION, check
from fixlab.times import NANOSECONDS
from fixlab.wire.message import Message, encode
from tests.analysis.logged import T0, Line, Logs, read, script
from tests.analysis.planted import lab, trade

HEALTHY = """
    0 > A 1
    0.1 < A 1
    1 > D 2
    2 > D 3
    3 < 8 2
    4 > D 4
    5 < 0 3
    6 > 0 5
"""


def both(folder: Path, logs: Logs, style: str = "prefixed") -> Reconciliation:
    ours, theirs = (folder / name for name in ("ours", "theirs"))
    ours.mkdir()
    theirs.mkdir()
    return reconcile(
        read(ours, logs["BUY"], style), read(theirs, logs["SELL"], style, ours="SELL")
    )


def rewritten(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The same message with something changed, its length and sum right again."""
    content = data[data.index(b"\x0135=") + 1 : data.rindex(b"10=")]
    return encode(b"FIX.4.4", change(content))


def fates(found: Reconciliation) -> list[tuple[str, int, str]]:
    odd = found.table[found.table["fate"] != "arrived"]
    return list(
        zip(
            odd["sender"].astype(str),
            odd["msg_seq_num"].tolist(),
            odd["fate"].astype(str),
            strict=True,
        )
    )


@pytest.mark.parametrize("style", ["quickfix", "prefixed", "raw"])
def test_a_healthy_session_arrives_whole(tmp_path: Path, style: str) -> None:
    found = both(tmp_path, script(HEALTHY), style)
    assert fates(found) == []
    assert len(check(found.table, RECONCILIATION)) == 8
    assert found.clock.known is (style != "raw")


def test_what_left_and_never_arrived_is_lost(tmp_path: Path) -> None:
    found = both(tmp_path, script(HEALTHY.replace("2 > D 3", "2 > D 3 lost")))
    assert fates(found) == [("BUY", 3, "lost")]
    assert found.lost["ours_row"].tolist() == [3]
    assert found.lost["theirs_row"].isna().all()


def test_a_change_that_keeps_length_and_sum_is_seen_and_told(tmp_path: Path) -> None:
    logs = script(HEALTHY.replace("1 > D 2", "1 > D 2 44=12"))
    line = logs["SELL"][2]
    swapped = rewritten(line.data, lambda text: text.replace(b"44=12", b"44=21"))
    assert swapped[-7:] == line.data[-7:]
    logs["SELL"][2] = line._replace(data=swapped)
    found = both(tmp_path, logs)
    assert fates(found) == [("BUY", 2, "changed")]
    assert found.differences(int(found.changed.index[0])) == ((44, "12", "21"),)


def test_a_message_known_by_its_number_only_is_changed(tmp_path: Path) -> None:
    logs = script(HEALTHY)
    line = logs["SELL"][2]
    late = rewritten(line.data, lambda text: text.replace(b"09:00:01", b"09:00:09"))
    logs["SELL"][2] = line._replace(data=late)
    found = both(tmp_path, logs)
    assert fates(found) == [("BUY", 2, "changed")]
    assert [each.tag for each in found.differences(int(found.changed.index[0]))] == [52]


def test_what_arrives_twice_is_doubled_once(tmp_path: Path) -> None:
    logs = script(HEALTHY)
    logs["SELL"].insert(4, logs["SELL"][3])
    found = both(tmp_path, logs)
    assert fates(found) == [("BUY", 3, "doubled")]


def test_a_replay_is_not_its_original(tmp_path: Path) -> None:
    text = HEALTHY.replace("2 > D 3", "2 > D 3 lost") + "7 > D 3 dup\n8 > D 6\n"
    found = both(tmp_path, script(text))
    assert fates(found) == [("BUY", 3, "lost")]
    threes = found.table[(found.table["sender"] == "BUY") & (found.table["msg_seq_num"] == 3)]
    assert threes["poss_dup"].tolist() == [False, True]


def test_what_the_other_log_does_not_cover_is_not_lost(tmp_path: Path) -> None:
    logs = script(HEALTHY)
    logs["SELL"] = logs["SELL"][3:-2]
    assert {fate for *_, fate in fates(both(tmp_path, logs))} == {"uncovered"}


def test_equal_numbers_of_two_epochs_stay_apart(tmp_path: Path) -> None:
    again = """
        10 > A 1 141=Y
        10.1 < A 1 141=Y
        11 > D 2 lost
        12 > D 3
        13 < 0 2
    """
    logs = script(HEALTHY + again)
    logs["SELL"] = logs["SELL"][2:]  # it begins later, and so counts the same epochs
    found = both(tmp_path, logs)
    lost = found.lost
    assert (lost["msg_seq_num"].tolist(), lost["epoch"].tolist()) == ([2], [1])


def test_an_epoch_that_one_log_began_behind_is_matched(tmp_path: Path) -> None:
    again = "10 > A 1 141=Y\n10.1 < A 1 141=Y\n11 > D 2\n12 > D 3\n13 < 0 2\n"
    logs = script(HEALTHY + again)
    late = logs["SELL"][-3]
    changed = rewritten(late.data, lambda text: text.replace(b"09:00:11", b"09:00:19"))
    logs["SELL"] = [late._replace(data=changed), *logs["SELL"][-2:]]
    found = both(tmp_path, logs)
    assert found.changed["msg_seq_num"].tolist() == [2]
    assert found.changed["epoch"].tolist() == [1]


def test_cuts_and_resets_of_a_simulation_lose_what_was_in_flight(tmp_path: Path) -> None:
    made, recorder = lab()
    made.logon()
    trade(made, 5)
    made.initiator.send(Message("D", {11: "cut"}))
    made.cut()
    made.run(seconds=1)
    made.logon()
    made.run(seconds=30)
    made.acceptor.reset()
    made.run(seconds=30)
    trade(made, 2, sell=2)
    made.logout()
    found = both(tmp_path, recorder.finish())
    assert fates(found) == [("BUY", 7, "lost")]
    assert set(found.table["epoch"]) == {0, 1}


def test_masked_secrets_are_no_change(tmp_path: Path) -> None:
    logs = script(HEALTHY.replace("0 > A 1", "0 > A 1 554=hush"))
    line = logs["SELL"][0]
    logs["SELL"][0] = line._replace(data=line.data.replace(b"554=hush", b"554=***"))
    assert fates(both(tmp_path, logs)) == []


def test_a_frame_alone_will_do(tmp_path: Path) -> None:
    logs = script(HEALTHY.replace("2 > D 3", "2 > D 3 lost"))
    ours, theirs = tmp_path / "a", tmp_path / "b"
    ours.mkdir()
    theirs.mkdir()
    first = read(ours, logs["BUY"], "prefixed").frame
    second = read(theirs, logs["SELL"], "prefixed", ours="SELL").frame
    found = reconcile(first, second)
    assert fates(found) == [("BUY", 3, "lost")]
    with pytest.raises(ConfigError, match=r"needs both logs as read_log gives them"):
        found.differences(0)


def test_two_logs_of_one_side_and_of_two_sessions_are_refused(tmp_path: Path) -> None:
    log = read(tmp_path, script(HEALTHY)["BUY"], "prefixed")
    with pytest.raises(ConfigError, match="both logs were kept by BUY"):
        reconcile(log, log)
    other = Line(T0, True, script(HEALTHY)["BUY"][0].data.replace(b"56=SELL", b"56=CELL"))
    elsewhere = tmp_path / "x"
    elsewhere.mkdir()
    with pytest.raises(ConfigError, match="no session in common"):
        reconcile(log, read(elsewhere, [other], "raw"))
    with pytest.raises(SchemaError):
        reconcile(log, [])


def test_the_page_is_escaped_and_says_what_was_found(tmp_path: Path) -> None:
    found = both(tmp_path, script(HEALTHY.replace("2 > D 3", "2 > D 3 lost")))
    assert "8 messages: 7 arrived, 1 lost" in repr(found)
    page = found._repr_html_()
    assert "<pre>8 messages" in page
    assert "lost" in page


# Clocks ------------------------------------------------------------------------------------


def times_of(offset: float, ppm: float, *, seed: int = 1) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    ours = np.sort(rng.integers(0, 3600 * NANOSECONDS, 4000)) + T0
    there = rng.random(4000) < 0.5
    way = (5e6 + rng.exponential(20e6, 4000)).astype(np.int64)
    skew = (offset * NANOSECONDS + ppm * 1e-6 * (ours - T0 - 1800 * NANOSECONDS)).astype(
        np.int64
    )
    return ours, ours + skew + np.where(there, way, -way), there


@pytest.mark.parametrize(("offset", "ppm"), [(0, 0), (3600, 50), (-0.25, -20)])
def test_the_clock_is_found_in_spite_of_slow_messages(offset: float, ppm: float) -> None:
    clock = estimate(*times_of(offset, ppm))
    assert clock.offset_ms == pytest.approx(offset * 1e3, abs=1)
    assert clock.drift_ppm == pytest.approx(ppm, abs=1)
    assert clock.uncertainty_ms == pytest.approx(5, abs=1)


def test_one_direction_bounds_the_clock_and_says_so() -> None:
    ours, theirs, there = times_of(1, 0)
    clock = estimate(ours[there], theirs[there], there[there])
    assert clock.offset_ms == pytest.approx(1005, abs=1)
    assert np.isnan(clock.uncertainty_ms)
    assert "one direction only" in str(clock)


def moved(lines: list[Line], move: Callable[[int], int]) -> list[Line]:
    """The same lines as another clock stamps them; SendingTime(52) stays."""
    return [line._replace(time=move(line.time)) for line in lines]


def test_logs_without_times_are_reconciled_by_sending_times(tmp_path: Path) -> None:
    found = both(tmp_path, script(HEALTHY.replace("2 > D 3", "2 > D 3 lost")), "raw")
    assert fates(found) == [("BUY", 3, "lost")]
    assert not found.clock.known
    assert found.table["latency_ms"].isna().all()


def test_stamps_of_whole_seconds_lose_nothing(tmp_path: Path) -> None:
    logs = script(HEALTHY.replace("2 > D 3", "2 > D 3 lost"))
    whole = {
        side: moved(lines, lambda time: time // NANOSECONDS * NANOSECONDS)
        for side, lines in logs.items()
    }
    found = both(tmp_path, whole)
    assert fates(found) == [("BUY", 3, "lost")]
    assert abs(found.clock.offset_ms) <= 1_000


def test_a_clock_that_is_set_in_between_is_unsure_and_blames_nobody(tmp_path: Path) -> None:
    logs = script(HEALTHY)
    logs["SELL"] = moved(
        logs["SELL"], lambda time: time + 30 * NANOSECONDS * (time > T0 + 2 * NANOSECONDS)
    )
    cut = logs | {"SELL": logs["SELL"][:-1]}  # and it ends before the last message
    found = both(tmp_path, cut)
    assert found.clock.uncertainty_ms > 10_000
    assert {fate for *_, fate in fates(found)} == {"uncovered"}


@pytest.mark.parametrize("hours", [-26, -1, 5, 400])
def test_a_clock_that_is_hours_off_loses_what_was_lost(tmp_path: Path, hours: int) -> None:
    logs = script(HEALTHY.replace("2 > D 3", "2 > D 3 lost"))
    logs["SELL"] = moved(logs["SELL"], lambda time: time + hours * 3_600 * NANOSECONDS)
    found = both(tmp_path, logs)
    assert fates(found) == [("BUY", 3, "lost")]
    assert found.clock.offset_ms == pytest.approx(hours * 3.6e6, abs=200)


def test_times_that_go_back_and_single_wrong_ones_are_outvoted(tmp_path: Path) -> None:
    logs = script(HEALTHY.replace("2 > D 3", "2 > D 3 lost"))
    logs["SELL"][3] = logs["SELL"][3]._replace(time=T0 + 7_200 * NANOSECONDS)
    found = both(tmp_path, logs)
    assert ("BUY", 3, "lost") in fates(found) or ("BUY", 3, "uncovered") in fates(found)
    assert {number for _, number, _ in fates(found)} == {3}


def test_a_log_that_holds_a_file_twice_counts_it_once(tmp_path: Path) -> None:
    logs = script(HEALTHY.replace("2 > D 3", "2 > D 3 lost"))
    places = [tmp_path / name for name in ("ours", "again", "theirs")]
    for place in places:
        place.mkdir()
    for place in places[:2]:
        read(place, logs["BUY"], "prefixed")
    paths = [next(place.iterdir()) for place in places[:2]]
    # Not byte for byte, which the reader would notice.
    paths[1].write_bytes(b"# exported\n" + paths[1].read_bytes())
    twice = fixlab.read_log(paths, ours="BUY")
    assert len(twice) == 2 * len(logs["BUY"])
    found = reconcile(twice, read(places[2], logs["SELL"], "prefixed", ours="SELL"))
    assert fates(found) == [("BUY", 3, "lost")]
    assert f"{len(logs['BUY'])} rows of the first log stand in two of its files" in repr(found)
