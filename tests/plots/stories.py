"""Stories for the plots, written down by hand: what two sessions record of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd

from fixlab import frames
from fixlab.journal import Journal
from fixlab.session.transitions import SessionState, Transition, TransitionKind

START = 1_767_603_600_000_000_000  # 2026-01-05 09:00:00 UTC
BUY = "FIX.4.4:BUY->SELL"
SELL = "FIX.4.4:SELL->BUY"
MS = 1_000_000


def to_frame(rows: Iterable[Transition]) -> pd.DataFrame:
    """Transitions as the frame of that schema."""
    journal = Journal()
    journal.extend(rows)
    return journal.to_frame()


def told(*chapters: Callable[[Scribe], None]) -> pd.DataFrame:
    """The frame of some chapters, in order."""
    scribe = Scribe()
    for chapter in chapters:
        chapter(scribe)
    return to_frame(scribe.rows)


class Scribe:
    """Writes transitions of both ends in order, and keeps their counters."""

    def __init__(self) -> None:
        self.rows: list[Transition] = []
        self.time = START
        self.numbers = {BUY: [1, 1], SELL: [1, 1]}
        self.state = {BUY: SessionState.DISCONNECTED, SELL: SessionState.DISCONNECTED}
        self.steps = {BUY: 0, SELL: 0}

    def at(self, milliseconds: int) -> None:
        self.time = START + milliseconds * MS

    def row(
        self,
        session: str,
        kind: str,
        *,
        msg_type: str = "",
        seq: int | None = None,
        dup: bool = False,
        span: tuple[int, int] | None = None,
        gap: int | None = None,
        state: str | None = None,
        next_in: int | None = None,
        next_out: int | None = None,
        rule: str = "",
        text: str = "",
    ) -> None:
        numbers, before = self.numbers[session], self.state[session]
        was_in, was_out = numbers
        numbers[0] = was_in if next_in is None else next_in
        numbers[1] = was_out if next_out is None else next_out
        self.state[session] = before if state is None else SessionState(state)
        self.rows.append(
            Transition(
                time=self.time,
                session=session,
                step=self.steps[session],
                kind=TransitionKind(kind),
                state_before=before,
                state=self.state[session],
                next_in_before=was_in,
                next_in=numbers[0],
                next_out_before=was_out,
                next_out=numbers[1],
                msg_type=msg_type,
                msg_seq_num=seq,
                poss_dup=dup,
                begin_seq_no=None if span is None else span[0],
                end_seq_no=None if span is None else span[1],
                gap=gap,
                rule=rule,
                text=text,
            )
        )

    def send(self, session: str, msg_type: str, *, state: str | None = None) -> int:
        seq = self.numbers[session][1]
        self.steps[session] += 1
        self.row(session, "SENT", msg_type=msg_type, seq=seq, next_out=seq + 1, state=state)
        return seq

    def queue(self, session: str, msg_type: str, count: int = 1) -> None:
        for _ in range(count):
            seq = self.numbers[session][1]
            self.steps[session] += 1
            self.row(session, "QUEUED", msg_type=msg_type, seq=seq, next_out=seq + 1)

    def accept(
        self,
        session: str,
        msg_type: str,
        seq: int,
        *,
        dup: bool = False,
        gap: int | None = None,
        state: str | None = None,
    ) -> None:
        self.steps[session] += 1
        self.row(
            session,
            "ACCEPTED",
            msg_type=msg_type,
            seq=seq,
            dup=dup,
            gap=gap,
            next_in=seq + 1,
            state=state,
        )

    def pass_on(
        self, sender: str, msg_type: str, *, sent: str | None = None, got: str | None = None
    ) -> None:
        """One message that leaves now and is accepted 20 ms later."""
        seq = self.send(sender, msg_type, state=sent)
        self.time += 20 * MS
        self.accept(SELL if sender == BUY else BUY, msg_type, seq, state=got)


def log_on(scribe: Scribe) -> None:
    scribe.row(SELL, "STATE", state="CONNECTED")
    scribe.row(BUY, "STATE", state="CONNECTED")
    scribe.pass_on(BUY, "A", sent="LOGON_SENT", got="ACTIVE")
    scribe.pass_on(SELL, "A", got="ACTIVE")


def lost_and_recovered(scribe: Scribe) -> None:
    """Orders 2 and 3, then 4 and 5 are lost, 6 is held, 4 and 5 come again, 7 and 8."""
    for second in (1, 2):
        scribe.at(second * 1_000)
        scribe.pass_on(BUY, "D")
    for second in (3, 4):
        scribe.at(second * 1_000)
        scribe.send(BUY, "D")
    scribe.at(5_000)
    seq = scribe.send(BUY, "D")
    scribe.at(5_020)
    scribe.steps[SELL] += 1
    scribe.row(SELL, "HELD", msg_type="D", seq=seq, gap=1)
    scribe.row(SELL, "GAP_OPENED", msg_type="D", seq=seq, span=(4, 5), gap=1)
    scribe.row(SELL, "SENT", msg_type="2", seq=2, next_out=3, span=(4, 0), gap=1)
    scribe.row(SELL, "RESEND_REQUESTED", msg_type="2", seq=2, span=(4, 0), gap=1)
    scribe.at(6_000)
    scribe.accept(BUY, "2", 2)
    for number in (4, 5):
        scribe.row(BUY, "RESENT", msg_type="D", seq=number, dup=True)
    scribe.row(BUY, "RESENT", msg_type="D", seq=6, dup=True)
    scribe.row(BUY, "RESEND_ANSWERED", msg_type="2", seq=2, span=(4, 0))
    scribe.at(6_020)
    scribe.accept(SELL, "D", 4, dup=True, gap=1)
    scribe.accept(SELL, "D", 5, dup=True, gap=1)
    scribe.row(SELL, "GAP_CLOSED", msg_type="D", seq=5, dup=True, span=(4, 5), gap=1)
    scribe.row(SELL, "ACCEPTED", msg_type="D", seq=6, next_in=7)
    scribe.steps[SELL] += 1
    scribe.row(SELL, "DUPLICATE", msg_type="D", seq=6, dup=True)
    for second in (7, 8):
        scribe.at(second * 1_000)
        scribe.pass_on(BUY, "D")


def cut_and_filled(scribe: Scribe) -> None:
    """Order 9 is lost by a cut; at the next Logon a gap fill stands for 9 and the Logon."""
    scribe.at(9_000)
    scribe.send(BUY, "D")
    scribe.at(9_010)
    for session in (BUY, SELL):
        scribe.row(session, "STATE", state="DISCONNECTED")
    scribe.at(10_000)
    scribe.row(SELL, "STATE", state="CONNECTED")
    scribe.row(BUY, "STATE", state="CONNECTED")
    seq = scribe.send(BUY, "A", state="LOGON_SENT")
    scribe.at(10_020)
    scribe.steps[SELL] += 1
    scribe.row(SELL, "HELD", msg_type="A", seq=seq, gap=2, state="ACTIVE")
    scribe.row(SELL, "GAP_OPENED", msg_type="A", seq=seq, span=(9, 9), gap=2)
    scribe.row(SELL, "SENT", msg_type="A", seq=3, next_out=4)
    scribe.row(SELL, "SENT", msg_type="2", seq=4, next_out=5, span=(9, 0), gap=2)
    scribe.row(SELL, "RESEND_REQUESTED", msg_type="2", seq=4, span=(9, 0), gap=2)
    scribe.at(10_040)
    scribe.accept(BUY, "A", 3, state="ACTIVE")
    scribe.accept(BUY, "2", 4)
    scribe.row(BUY, "FILL_SENT", msg_type="4", seq=9, dup=True, span=(9, 10))
    scribe.at(10_500)
    scribe.steps[SELL] += 1
    scribe.row(
        SELL, "GAP_FILLED", msg_type="4", seq=9, dup=True, span=(9, 10), gap=2, next_in=11
    )
    scribe.row(SELL, "GAP_CLOSED", msg_type="4", seq=9, dup=True, span=(9, 9), gap=2)


def resets(scribe: Scribe) -> None:
    """SequenceReset to 20, then both numbers restart with 141=Y, one order, logout."""
    scribe.at(12_000)
    scribe.row(BUY, "SENT", msg_type="4", seq=11, next_out=20)
    scribe.at(12_020)
    scribe.steps[SELL] += 1
    scribe.row(SELL, "RESET_IN", msg_type="4", seq=11, next_in=20)
    scribe.at(14_000)
    scribe.row(BUY, "RESET_BOTH", state="RESET_SENT", next_in=1, next_out=1)
    scribe.send(BUY, "A")
    scribe.at(14_020)
    scribe.steps[SELL] += 1
    scribe.row(SELL, "RESET_BOTH", msg_type="A", seq=1, next_in=1, next_out=1)
    scribe.row(SELL, "ACCEPTED", msg_type="A", seq=1, next_in=2)
    scribe.send(SELL, "A")
    scribe.at(14_040)
    scribe.accept(BUY, "A", 1, state="ACTIVE")
    scribe.at(15_000)
    scribe.pass_on(BUY, "D")


def warned(scribe: Scribe) -> None:
    """An order that a rule forbids and that is processed all the same."""
    scribe.at(1_000)
    scribe.pass_on(BUY, "D")
    text = "warn only: Value is incorrect (out of range) for this tag: Side(54)"
    scribe.row(SELL, "WARNED", msg_type="D", seq=2, rule="REJ-08", text=text)


def queued_and_dropped(scribe: Scribe) -> None:
    """Cut; 3 to 5 are stored and 3 is sent by replay, 4 and 5 passed over; 7 reset away."""
    scribe.at(2_000)
    for session in (BUY, SELL):
        scribe.row(session, "STATE", state="DISCONNECTED")
    for second in (3, 4, 5):
        scribe.at(second * 1_000)
        scribe.queue(BUY, "D")
    scribe.at(6_000)
    scribe.row(BUY, "RESENT", msg_type="D", seq=3, dup=True)
    scribe.row(BUY, "FILL_SENT", msg_type="4", seq=4, dup=True, span=(4, 6))
    scribe.at(7_000)
    scribe.numbers[BUY][1] = 7
    scribe.queue(BUY, "D")
    scribe.at(8_000)
    scribe.row(BUY, "IGNORED", span=(7, 7), rule="SCH-04", text="queued, dropped by the reset")
    scribe.row(BUY, "RESET_BOTH", next_in=1, next_out=1)


def log_out(scribe: Scribe) -> None:
    scribe.at(16_000)
    scribe.pass_on(BUY, "5", sent="LOGOUT_SENT", got="LOGOUT_ANSWERED")
    scribe.pass_on(SELL, "5")
    for session in (BUY, SELL):
        scribe.row(session, "STATE", state="DISCONNECTED")


def long_frame(numbers: int, lost: Sequence[int] = ()) -> pd.DataFrame:
    """One session that accepts `numbers` messages a millisecond apart.

    Each number in `lost` opens a gap in that millisecond and is accepted, replayed, closing
    the gap, half a millisecond later. Numbers are counted from 1.
    """
    kinds = [kind.value for kind in TransitionKind]
    gone = np.unique(np.asarray(lost, dtype=np.int64))
    number = np.concatenate((np.arange(1, numbers + 1), gone, gone))
    accepted, opened, closed = (
        kinds.index(kind) for kind in ("ACCEPTED", "GAP_OPENED", "GAP_CLOSED")
    )
    kind = np.repeat(
        np.array([accepted, opened, closed], dtype=np.int8), (numbers, len(gone), len(gone))
    )
    is_gap = np.isin(number, gone)
    late = is_gap & (kind != opened)
    order = np.lexsort((kind, late, number))
    number, kind, is_gap, late = number[order], kind[order], is_gap[order], late[order]
    size = len(number)
    ordinal = np.searchsorted(gone, number) + 1
    missing = np.full(size, frames.MISSING, dtype=np.int64)
    active = list(SessionState).index(SessionState.ACTIVE)
    states = frames.categorical(
        np.full(size, active, dtype=np.int8), [state.value for state in SessionState]
    )
    ones, zeros = np.ones(size, dtype=np.int64), np.zeros(size, dtype=np.int8)
    edge = kind != accepted
    return frames.build(
        frames.TRANSITIONS,
        {
            "time": START + number * MS + np.where(late, MS // 2, 0),
            "session": frames.categorical(zeros, [SELL]),
            "step": np.arange(size),
            "kind": frames.categorical(kind, kinds),
            "state_before": states,
            "state": states,
            "next_in_before": np.where(kind == closed, number + 1, number),
            "next_in": np.where(kind == opened, number, number + 1),
            "next_out_before": ones,
            "next_out": ones,
            "msg_type": frames.categorical(zeros, ["D"]),
            "msg_seq_num": number,
            "poss_dup": late,
            "begin_seq_no": np.where(edge, number, missing),
            "end_seq_no": np.where(edge, number, missing),
            "gap": np.where(is_gap, ordinal, missing),
            "rule": frames.categorical(zeros, [""]),
            "text": np.full(size, "", dtype=object),
        },
    )
