"""flights(): one row for each message on the wire, from its sender to its fate."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab.frames import (
    ARRIVALS,
    DEPARTURES,
    FLIGHTS,
    LOST,
    MISSING,
    TRANSITIONS,
    build,
    categorical,
    check,
    codes,
    nanoseconds,
    numbers,
)
from fixlab.session.transitions import SessionState
from fixlab.session.transitions import TransitionKind as Kind

Ints = npt.NDArray[np.int64]
Positions = npt.NDArray[np.int64]  # of rows, or codes

_ABSENT = -1  # in place of a row: this end of the flight is not recorded
_CODE = {kind: code for code, kind in enumerate(Kind)}
_FATES = FLIGHTS["fate"].categories or ()


def flights(frame: pd.DataFrame) -> pd.DataFrame:
    """One row for each message on the wire, by the time it left, or else arrived.

    Parameters: a `transitions` frame of one or both ends of any number of sessions.

    Returns: a frame of schema `fixlab.frames.FLIGHTS`. An arrival belongs to the earliest
    departure of its direction, not yet taken, that has the same MsgType(35), MsgSeqNum(34) and
    PossDupFlag(43) and left no later: TCP keeps the order. Departures that an arrival passed
    over are LOST, and so are those after which the sender's connection ended. The rest is in
    flight, with fate "". When only one end is in the frame, the other end's columns are
    missing.

    Raises `SchemaError` when `frame` is not a `transitions` frame.
    """
    frame = check(frame, TRANSITIONS)
    rows = _Rows.of(frame)
    left, arrived, lost = _paired(rows)
    either = np.where(left >= 0, left, arrived)
    order = np.argsort(either, kind="stable")
    return _table(rows, left[order], arrived[order], lost[order])


@dataclass(frozen=True, slots=True)
class _Rows:
    """What is needed of all rows, by time; `at` tells where each stands in the frame."""

    frame: pd.DataFrame
    session: Positions  # codes into `sessions`
    sessions: list[str]
    time: Ints
    departs: npt.NDArray[np.bool_]
    arrives: npt.NDArray[np.bool_]
    ends: npt.NDArray[np.bool_]  # the connection of the row's session ends here
    message: Positions  # equal for equal MsgType, MsgSeqNum and PossDupFlag

    @classmethod
    def of(cls, frame: pd.DataFrame) -> _Rows:
        time = nanoseconds(frame, "time")
        if np.any(time[1:] < time[:-1]):
            # Two recordings, one behind the other: bring them into one order.
            order = np.argsort(time, kind="stable")
            frame, time = frame.iloc[order], time[order]
        session = codes(frame, "session")
        kind = codes(frame, "kind")
        number = numbers(frame, "msg_seq_num")
        is_arrival = _among(kind, ARRIVALS) & (number != MISSING)
        disconnected = list(SessionState).index(SessionState.DISCONNECTED)
        before = codes(frame, "state_before")
        after = codes(frame, "state")
        return cls(
            frame=frame,
            session=session,
            sessions=[str(name) for name in frame["session"].cat.categories],
            time=time,
            departs=_among(kind, DEPARTURES),
            arrives=is_arrival & _first_of_step(session, frame["step"].to_numpy(np.int64)),
            ends=(after == disconnected) & (before != disconnected),
            message=_message_codes(frame, number),
        )


def _among(kind: Positions, kinds: tuple[Kind, ...]) -> npt.NDArray[np.bool_]:
    chosen = np.zeros(len(Kind), np.bool_)
    chosen[[_CODE[wanted] for wanted in kinds]] = True
    return chosen[kind]


def _first_of_step(session: Positions, step: Ints) -> npt.NDArray[np.bool_]:
    """The first row of each step: the decision on what came in; the rest are consequences."""
    order = np.argsort(session, kind="stable")
    of_session, of_step = session[order], step[order]
    starts = np.ones(len(order), np.bool_)
    starts[1:] = (of_session[1:] != of_session[:-1]) | (of_step[1:] != of_step[:-1])
    first = np.empty(len(order), np.bool_)
    first[order] = starts
    return first


def _message_codes(frame: pd.DataFrame, number: Ints) -> Positions:
    distinct, _ = pd.factorize(number)
    msg_type = codes(frame, "msg_type")
    poss_dup = frame["poss_dup"].to_numpy(np.int64)
    types = len(frame["msg_type"].cat.categories)
    code: Positions = (distinct.astype(np.int64) * types + msg_type) * 2 + poss_dup
    return code


def mirrored(session: str, known: frozenset[str] = frozenset()) -> str:
    """The same session seen from the other end: `FIX.4.4:A->B` gives `FIX.4.4:B->A`.

    A CompID may itself contain `->`; then the reading that is among `known` counts.
    """
    begin_string, _, comp_ids = session.partition(":")
    parts = comp_ids.split("->")
    readings = [
        f"{begin_string}:{'->'.join(parts[i:])}->{'->'.join(parts[:i])}"
        for i in range(1, len(parts))
    ]
    return next((name for name in readings if name in known), (readings or [session])[0])


def _paired(rows: _Rows) -> tuple[Positions, Positions, npt.NDArray[np.bool_]]:
    """Departure row, arrival row (or `_ABSENT`) and whether it is lost, of every flight."""
    known = frozenset(rows.sessions)
    position = {name: code for code, name in enumerate(rows.sessions)}
    directions = [
        (sender, position.get(mirrored(name, known), _ABSENT))
        for name, sender in position.items()
    ]
    # What comes from a sender that is not in the frame.
    reached = {receiver for _, receiver in directions}
    directions += [(_ABSENT, code) for code in position.values() if code not in reached]
    parts = [_direction(rows, sender, receiver) for sender, receiver in directions]
    nothing = np.empty(0, np.int64)
    return (
        np.concatenate([nothing, *(part[0] for part in parts)]),
        np.concatenate([nothing, *(part[1] for part in parts)]),
        np.concatenate([nothing.astype(np.bool_), *(part[2] for part in parts)]),
    )


def _direction(
    rows: _Rows, sender: int, receiver: int
) -> tuple[Positions, Positions, npt.NDArray[np.bool_]]:
    departures = np.flatnonzero(rows.departs & (rows.session == sender))
    arrivals = np.flatnonzero(rows.arrives & (rows.session == receiver))
    if not len(departures) or not len(arrivals):
        match = np.full(len(departures), _ABSENT, np.int64)
        passed = 0
    else:
        match, passed = _match(rows, departures, arrivals, sender, receiver)
    lost = np.zeros(len(departures), np.bool_)
    if receiver != _ABSENT and np.any(rows.session == receiver):
        lost[:passed] = True
        endings = np.flatnonzero(rows.ends & (rows.session == sender))
        if len(endings):
            lost |= departures < endings[-1]
        lost &= match == _ABSENT
    strangers = np.setdiff1d(arrivals, match)
    nobody = np.full(len(strangers), _ABSENT, np.int64)
    return (
        np.concatenate([departures, nobody]),
        np.concatenate([match, strangers]),
        np.concatenate([lost, np.zeros(len(strangers), np.bool_)]),
    )


def _match(
    rows: _Rows, departures: Positions, arrivals: Positions, sender: int, receiver: int
) -> tuple[Positions, int]:
    """The arrival row of each departure, and how many departures the arrivals passed."""
    match = np.full(len(departures), _ABSENT, np.int64)
    departing = rows.message[departures].tolist()
    leaving = rows.time[departures].tolist()
    expired = _expired(rows, departures, arrivals, sender, receiver)
    places: dict[int, list[int]] = {}  # filled once an arrival is not simply the next one
    following = 0
    arriving = zip(
        arrivals.tolist(),
        rows.message[arrivals].tolist(),
        rows.time[arrivals].tolist(),
        expired,
        strict=True,
    )
    for row, message, time, first_alive in arriving:
        following = max(following, first_alive)
        place = following
        if place >= len(departing) or departing[place] != message:
            if not places:
                for index, departed in enumerate(departing):
                    places.setdefault(departed, []).append(index)
            candidates = places.get(message, [])
            at = bisect_left(candidates, following)
            if at == len(candidates):
                continue
            place = candidates[at]
        if leaving[place] <= time:
            match[place] = row
            following = place + 1
    return match, following


def _expired(
    rows: _Rows, departures: Positions, arrivals: Positions, sender: int, receiver: int
) -> Sequence[int]:
    """For each arrival, how many departures are too old for it.

    Bytes do not outlive their connection: what left before both ends saw their connection end
    cannot arrive after that.
    """
    ended_there = np.flatnonzero(rows.ends & (rows.session == sender))
    ended_here = np.flatnonzero(rows.ends & (rows.session == receiver))
    last_there = _last_before(ended_there, arrivals)
    last_here = _last_before(ended_here, arrivals)
    oldest = np.minimum(last_there, last_here)
    return [int(n) for n in np.searchsorted(departures, oldest)]


def _last_before(endings: Positions, arrivals: Positions) -> Positions:
    """The last ending before each arrival, or `_ABSENT`."""
    at = np.searchsorted(endings, arrivals) - 1
    return np.where(at >= 0, np.append(endings, _ABSENT)[at], _ABSENT)


def _table(
    rows: _Rows, left: Positions, arrived: Positions, lost: npt.NDArray[np.bool_]
) -> pd.DataFrame:
    frame = rows.frame
    seen = np.where(left >= 0, left, arrived)  # a row that describes the message
    sender, receiver = _ends(rows, seen, left >= 0)
    begin, end = _range(frame, left, arrived)
    return build(
        FLIGHTS,
        {
            "sender": sender,
            "receiver": receiver,
            "sent": _taken(rows.time, left),
            "arrived": _taken(rows.time, arrived),
            "msg_type": frame["msg_type"].iloc[seen].astype("str").tolist(),
            "msg_seq_num": _taken(numbers(frame, "msg_seq_num"), seen),
            "poss_dup": frame["poss_dup"].to_numpy(np.bool_)[seen],
            "kind": categorical(_kinds(frame, left, "kind"), FLIGHTS["kind"].categories or ()),
            "fate": categorical(
                np.where(lost, _FATES.index(LOST), _kinds(frame, arrived, "fate")), _FATES
            ),
            "begin_seq_no": begin,
            "end_seq_no": end,
            "gap": _taken(numbers(frame, "gap"), arrived),
            "text": _texts(frame, left, arrived),
        },
    )


def _ends(
    rows: _Rows, seen: Positions, by_sender: npt.NDArray[np.bool_]
) -> tuple[list[str], list[str]]:
    """Sender and receiver of each flight, whichever of them recorded it."""
    known = frozenset(rows.sessions)
    this_end = np.array(rows.sessions, np.object_)
    other_end = np.array([mirrored(name, known) for name in rows.sessions], np.object_)
    session = rows.session[seen]
    sender = np.where(by_sender, this_end[session], other_end[session])
    receiver = np.where(by_sender, other_end[session], this_end[session])
    return sender.tolist(), receiver.tolist()


def _range(frame: pd.DataFrame, left: Positions, arrived: Positions) -> tuple[Ints, Ints]:
    """The range that each message speaks of; the one of an early message is its gap's."""
    begin, end = numbers(frame, "begin_seq_no"), numbers(frame, "end_seq_no")
    kind = codes(frame, "kind")
    own = np.where((arrived >= 0) & (kind[arrived] != _CODE[Kind.HELD]), arrived, _ABSENT)
    told = left >= 0
    told[told] = begin[left[told]] != MISSING
    source = np.where(told, left, own)
    return _taken(begin, source), _taken(end, source)


def _kinds(frame: pd.DataFrame, positions: Positions, column: str) -> Positions:
    """Codes into the categories of `column` for the kinds of those rows; "" without a row."""
    categories = FLIGHTS[column].categories or ()
    code = np.zeros(len(Kind) + 1, np.int64)  # the last one, reached by _ABSENT, stays ""
    for kind in Kind:
        if kind.value in categories:
            code[_CODE[kind]] = categories.index(kind.value)
    kinds = np.append(codes(frame, "kind"), _ABSENT)
    found: Positions = code[kinds[positions]]
    return found


def _texts(frame: pd.DataFrame, left: Positions, arrived: Positions) -> list[str]:
    text = np.append(frame["text"].to_numpy(np.object_), "")  # _ABSENT reaches the last
    of_arrival = text[arrived]
    return list(np.where(of_arrival != "", of_arrival, text[left]))


def _taken(values: Ints, positions: Positions) -> Ints:
    """The values at the positions; `MISSING` where there is no row."""
    return np.append(values, MISSING)[positions]
