"""What a session panel drives: one or two ends, the same verbs for loopback and live ones."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

import pandas as pd

from fixlab.errors import ConfigError
from fixlab.journal import Journal
from fixlab.plots.unsent import never_sent
from fixlab.session.recovery import Gap
from fixlab.session.session import Session
from fixlab.session.transitions import Role, SessionState, TransitionKind
from fixlab.sim.loopback import Loopback
from fixlab.times import Clock, SystemClock
from fixlab.wire.message import Message

NEVER_SENT = "never sent"  # key of a row: runs of queued numbers of which it says so
_QUEUED_ROWS = 2_000  # rows looked back for what a gap fill passed over


class End(Protocol):
    """One end of a session; a verb is done when it returns, or returns an awaitable."""

    @property
    def session(self) -> Session: ...
    def send(self, message: Message) -> object: ...
    def test_request(self) -> object: ...
    def skip(self, count: int) -> object: ...
    def lose_next(self, count: int) -> object: ...
    def cut(self) -> object: ...
    def reset(self) -> object: ...
    def logout(self) -> object: ...


# A verb that is not there yet would show only once its button is pressed.
_VERBS = ("send", "test_request", "skip", "lose_next", "cut", "reset", "logout")


class EndView(NamedTuple):
    """What is seen of one end at one moment."""

    id: str
    name: str  # SenderCompID(49)
    peer_name: str  # TargetCompID(56)
    begin_string: str
    role: Role
    state: SessionState
    next_in: int
    next_out: int
    gap: Gap | None
    to_lose: int  # messages that it is still to lose, as far as it tells
    connects: bool  # it can bring the connection up itself
    reason: str  # a live end: why its last connection ended
    reconnecting: bool  # a live end: it tries to come back by itself
    closed: bool  # a live end: it was closed for good


@dataclass(frozen=True)
class Ends:
    """The ends a panel sees, the initiator first, and where their transitions are kept."""

    ends: tuple[End, ...]
    journals: tuple[Journal, ...]  # one for each end; two ends may share one
    clock: Clock
    lab: Loopback | None  # whose virtual time the panel moves

    def look(self) -> tuple[EndView, ...]:
        """What is seen of each end now."""
        return tuple(_view(end) for end in self.ends)

    def over(self) -> bool:
        """Whether all ends are closed for good and their last connections have ended."""
        return all(
            view.closed and view.state is SessionState.DISCONNECTED for view in self.look()
        )

    def rows(self) -> int:
        """Transitions recorded so far, those a bounded journal has dropped included."""
        return sum(len(journal) + journal.dropped for journal in self._distinct())

    def begun(self) -> int | None:
        """When the first transition happened; None before that."""
        firsts = [
            int(journal.to_frame()["time"].iloc[0].value)
            for journal in self._distinct()
            if len(journal)
        ]
        return min(firsts, default=None)

    def last(self, count: int) -> list[dict[Hashable, Any]]:
        """The last `count` transitions of all ends, newest first, each by column.

        A row that says that queued messages never leave has their runs under `NEVER_SENT`.
        """
        rows: list[dict[Hashable, Any]] = []
        for journal in self._distinct():
            rows += _last(journal, count)
        # Stable, so that rows of one moment stay in the order in which they came about.
        rows.sort(key=lambda row: int(row["time"].value))
        return rows[: -count - 1 : -1]

    def frame(self, index: int, rows_max: int) -> pd.DataFrame:
        """The last transitions of one end; empty when it has none among them."""
        frame = self.journals[index].tail(rows_max)
        return frame[frame["session"] == self.ends[index].session.id]

    def _distinct(self) -> list[Journal]:
        return list({id(journal): journal for journal in self.journals}.values())


def ends_of(target: object, peer: object | None) -> Ends:
    """The ends of a `Loopback`, or a live end and, when it is in this process, its peer.

    Raises `ConfigError` for what is neither, naming what it lacks.
    """
    if isinstance(target, Loopback):
        if peer is not None:
            raise ConfigError("a Loopback has both ends already; leave `peer` out")
        both = (target.initiator, target.acceptor)
        return Ends(both, (target.journal, target.journal), target.clock, target)
    given = [target] if peer is None else [target, peer]
    ends = sorted((_checked(end) for end in given), key=_is_acceptor)
    if len(ends) == 2 and ends[0].session.role is ends[1].session.role:
        raise ConfigError(f"target and peer are both {ends[0].session.role}s")
    return Ends(tuple(ends), tuple(_journal(end) for end in ends), SystemClock(), None)


def _last(journal: Journal, count: int) -> list[dict[Hashable, Any]]:
    frame = journal.tail(count)
    rows = frame.to_dict("records")
    if not {TransitionKind.FILL_SENT, TransitionKind.IGNORED} & set(frame["kind"].unique()):
        return rows  # the rest of the journal has nothing to say about these
    longer = journal.tail(_QUEUED_ROWS)
    before = len(longer) - len(rows)
    for at, begin, end in never_sent(longer):
        if at >= before:
            rows[at - before].setdefault(NEVER_SENT, []).append((begin, end))
    return rows


def connect_of(end: End) -> Callable[[], object] | None:
    """What brings the connection of `end` up; None for a live acceptor, which waits."""
    connect: Callable[[], object] | None = getattr(end, "connect", None)
    return connect


def _is_acceptor(end: End) -> bool:
    return end.session.role is Role.ACCEPTOR


def _checked(end: object) -> End:
    missing = [name for name in ("session", "journal", *_VERBS) if not hasattr(end, name)]
    if missing:
        raise ConfigError(
            f"a session panel drives a Loopback or one end of a live session; "
            f"{type(end).__name__} has no {', '.join(missing)}"
        )
    return cast("End", end)


def _journal(end: End) -> Journal:
    # The ends of a Loopback share their lab's journal, so `End` itself does not ask for one.
    return cast("Journal", end.journal)  # type: ignore[attr-defined]


def _view(end: End) -> EndView:
    session = end.session
    config = session.config
    return EndView(
        id=session.id,
        name=config.sender_comp_id,
        peer_name=config.target_comp_id,
        begin_string=config.begin_string,
        role=session.role,
        state=session.state,
        next_in=session.next_in,
        next_out=session.next_out,
        gap=session.gap,
        to_lose=getattr(end, "to_lose", 0),
        connects=connect_of(end) is not None,
        reason=getattr(end, "reason", ""),
        reconnecting=getattr(end, "reconnecting", False),
        closed=getattr(end, "closed", False),
    )
