"""Frames written down row by row, naming only what matters to a test."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from fixlab.journal import Journal
from fixlab.session.transitions import SessionState, Transition, TransitionKind

T0 = 1_767_603_600_000_000_000  # 2026-01-05 09:00:00 UTC
MS = 1_000_000
BUY = "FIX.4.4:BUY->SELL"
SELL = "FIX.4.4:SELL->BUY"
ACTIVE = SessionState.ACTIVE
DOWN = SessionState.DISCONNECTED


def at(ms: float) -> pd.Timestamp:
    return pd.Timestamp(T0 + round(ms * MS), unit="ns", tz="UTC")


def row(
    session: str,
    ms: float,
    kind: str,
    msg_type: str = "",
    seq: int | None = None,
    *,
    step: int,
    dup: bool = False,
    begin: int | None = None,
    end: int | None = None,
    gap: int | None = None,
    next_in: int = 1,
    state_before: SessionState = ACTIVE,
    state: SessionState = ACTIVE,
    text: str = "",
) -> Transition:
    """One transition of `session`, `ms` after T0."""
    return Transition(
        time=T0 + round(ms * MS),
        session=session,
        step=step,
        kind=TransitionKind(kind),
        state_before=state_before,
        state=state,
        next_in_before=1,
        next_in=next_in,
        next_out_before=1,
        next_out=1,
        msg_type=msg_type,
        msg_seq_num=seq,
        poss_dup=dup,
        begin_seq_no=begin,
        end_seq_no=end,
        gap=gap,
        rule="",
        text=text,
    )


def frame_of(rows: Iterable[Transition]) -> pd.DataFrame:
    journal = Journal()
    journal.extend(rows)
    return journal.to_frame()
