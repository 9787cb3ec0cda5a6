"""What shows that a message arrived: without it, silence about it is nobody's fault.

The log of who sent a message shows that it left. TCP keeps the order, so whatever its receiver
answers that left no earlier proves that it had come too, unless it was lost alone on the way.
"""

from __future__ import annotations

from fixlab.analysis._case import HEARTBEAT_SECONDS, SECOND, Case
from fixlab.analysis._events import Event, Kind
from fixlab.frames import MISSING

# HBT-04: a side that hears nothing asks after 1.2 intervals, and the slowest engines after 1.5.
_PROBE_AFTER = 1.5
_SLACK_SECONDS = 5.0


def arrival(case: Case, event: Event, sender: str, receiver: str, until: int) -> int | None:
    """The first row up to `until` that proves that the message in `event.row` had arrived.

    `event` is about a message of `sender`, in its row. None: the log does not prove it.
    """
    row = event.row
    if case.view.get((event.session, sender)) == "in":
        return row
    found = [
        e.row
        for e in (
            *case.after(Kind.PROBE_ANSWERED, event, sender=receiver),
            # One with a reason may be no answer, but have crossed.
            *(
                e
                for e in case.after(Kind.LOGOUT, event, sender=receiver)
                if not case.text_of(e.row)
            ),
            *case.after(Kind.LOGON, event, sender=receiver),
        )
        if e.other is not None and row <= e.other < e.row <= until
    ]
    asked = {
        e.request for e in case.after(Kind.ASKED, event, sender=receiver) if e.by == sender
    }
    found += [
        e.row
        for kind in (Kind.REPLAYED, Kind.REPEATED, Kind.FILLED)
        for e in case.after(kind, event, sender=receiver)
        if e.request in asked and e.request is not None and e.row <= until
    ]
    return min(found) if found else None


def missed(case: Case, event: Event, sender: str) -> bool:
    """Whether its receiver asks for the number of the message in `event.row`, or is past it.

    Then it was lost alone on the way, and its number is replayed or filled.
    """
    number = int(case.number[event.row])
    if number == MISSING:
        return False
    return any(
        e.begin is not None and e.begin <= number <= (e.end or number)
        for kind in (Kind.ASKED, Kind.FILLED)
        for e in case.after(kind, event, sender=sender)
    )


def would_ask(case: Case, event: Event, sender: str, receiver: str, until: int) -> int | None:
    """The row that shows that `receiver` must hear `sender`, for it does not ask whether it is.

    It goes on sending for so long after `event.row` that a dead line would have had it send a
    TestRequest(1) (HBT-04). None: no such row up to `until`.
    """
    seconds = case.heartbeat.get((event.session, event.connection), HEARTBEAT_SECONDS)
    limit = _PROBE_AFTER * max(seconds, 1) + _SLACK_SECONDS
    rows = case.between(event.session, receiver, event.row, until)
    rows = rows[case.valid[rows] & ~case.poss_dup[rows]]
    if case.is_type(rows, "1", "5", "A").any():
        stop = int(rows[case.is_type(rows, "1", "5", "A")][0])
        rows = rows[rows < stop]
    late = [int(row) for row in rows if _spoke_after(case, event.row, int(row)) > limit]
    return late[0] if late else None


def _spoke_after(case: Case, row: int, later: int) -> float:
    """Seconds between two messages: by the clock of who sent the later one, if that is less."""
    sent = case.sending
    logged = case.seconds(row, later)
    if MISSING in (int(sent[row]), int(sent[later])):
        return logged
    return min(logged, (int(sent[later]) - int(sent[row])) / SECOND)
