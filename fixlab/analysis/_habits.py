"""What a log tells of the engine that wrote it: its settings, its role, its first numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from fixlab import times
from fixlab.analysis._acts import OPEN_ENDS, Act
from fixlab.wire.tags import HEARTBEAT, LOGON, LOGOUT, RESEND_REQUEST, SEQUENCE_RESET

_LOOK_AHEAD = 50  # messages behind a Logon in which a first ResendRequest tells a number
ANSWER_MAX = times.seconds(10)  # LGN-28: what engines wait for the answer to a Logon
_BEAT_LEAST = 0.8  # of HeartBtInt(108): some engines beat so early
_AGES = 1e6  # seconds: a limit that the log does not tell is none


class Line(NamedTuple):
    """A message of one session, as one side saw it."""

    row: int
    time: int
    out: bool
    act: Act
    heart_bt_int: int | None


def is_initiator(lines: Sequence[Line]) -> bool:
    """Whether this side begins connections."""
    begins = _begins(lines)
    if begins is not None:
        return begins
    first = next((one for one in lines if _is_logon(one.act)), None)
    if first is None:
        return True  # nobody can tell, and nothing depends on it
    return first.out != _is_left_alone(lines)


def begins_with_answer(lines: Sequence[Line]) -> bool:
    """Whether the log begins with the second Logon of a pair: the other side just goes on."""
    if not _is_logon(lines[0].act):
        return False
    if lines[0].act.reset and _is_followed(lines):
        return False  # LGN-19: it asks for a reset in session
    begins = _begins(lines)
    return _is_left_alone(lines) if begins is None else lines[0].out != begins


def _is_followed(lines: Sequence[Line]) -> bool:
    """Whether the other side answers the first Logon, which resets, with one that does so."""
    answer = next((one for one in lines[1:] if one.act.msg_type == LOGON), None)
    return (
        answer is not None
        and answer.act.reset
        and answer.out != lines[0].out
        and answer.time - lines[0].time <= ANSWER_MAX
    )


def _begins(lines: Sequence[Line]) -> bool | None:
    """Whether this side begins connections, by which of the two explains the log better."""
    if len({one.out for one in lines if _is_logon(one.act)}) < 2:
        return None
    against = [_against(lines, out=out) for out in (True, False)]
    return None if against[0] == against[1] else against[0] < against[1]


def _against(lines: Sequence[Line], *, out: bool) -> int:
    """How many messages do not fit, if all connections are begun by the side `out`."""
    count, opened = 0, None
    for at, line in enumerate(lines):
        act = line.act
        if _is_logon(act):
            if line.out == out:
                opened = line
                continue
            if opened is None:
                # The first one answers what the log does not show; a reset anybody may ask for.
                count += at > 0 and not act.reset
            else:
                count += line.time - opened.time > ANSWER_MAX
            opened = None
        elif act.msg_type == LOGOUT:
            opened = None  # it may refuse the Logon
        elif opened is not None and not opened.act.reset:
            count += 1  # LGN-04: nothing comes before the answer
    return count


def _is_left_alone(lines: Sequence[Line]) -> bool:
    """Whether nobody answers the Logon with which the log begins: it is an answer itself."""
    if not _is_logon(lines[0].act):
        return False
    spoke = False
    for line in lines[1:]:
        own = line.out == lines[0].out
        if _is_logon(line.act):
            # It is tried again, or answered; a later one begins another connection.
            return spoke and not own and line.time - lines[0].time > ANSWER_MAX
        if not own:
            refuses = line.act.msg_type == LOGOUT and line.time - lines[0].time <= ANSWER_MAX
            return not refuses
        spoke = True
    return spoke


def _is_logon(act: Act) -> bool:
    return act.msg_type == LOGON and not act.poss_dup


def settings_of(lines: Sequence[Line]) -> dict[str, Any]:
    """Settings by which this side visibly works; waits that no log shows have no end."""
    out = [one for one in lines if one.out]
    logons = [one for one in lines if one.act.msg_type == LOGON]
    beat = next((one.heart_bt_int for one in logons if one.heart_bt_int is not None), 0)
    own = [one.act for one in out if one.act.msg_type == LOGON]
    requests = [one.act for one in out if one.act.msg_type == RESEND_REQUEST]
    after_cut, after_logout = _resets_silently(lines)
    exact = bool(requests) and all(act.end not in OPEN_ENDS for act in requests)
    return {
        "heartbeat_seconds": beat,
        "reset_on_logon": not is_initiator(lines) and _resets(logons),
        "reset_on_disconnect": after_cut,
        "reset_on_logout": after_logout,
        "next_expected": any(act.next_expected is not None for act in own),
        "resend_range": "exact" if exact else "open",
        # What is dropped is asked for with all that comes behind it.
        **({"early_messages": "hold"} if exact else {}),
        "resend_chunk_max": _chunk(requests),
        "logon_timeout_seconds": _AGES,
        "logout_timeout_seconds": _AGES,
        "disconnect_wait_seconds": _AGES,
        # A log that leaves Heartbeats out tells nothing of silence.
        "check_silence": any(one.act.msg_type == HEARTBEAT for one in lines),
    }


def _resets(logons: Sequence[Line]) -> bool:
    """LGN-20: whether this side answers with 141=Y where nobody asked for it."""
    pairs = pairwise(logons)
    return any(b.out and not a.out and b.act.reset and not a.act.reset for a, b in pairs)


def _resets_silently(lines: Sequence[Line]) -> tuple[bool, bool]:
    """SCH-06: whether numbers begin anew though no Logon says so: after a cut, after a Logout.

    The first message of a side in a connection speaks for it when it goes back, and is not
    refused, and against it when it just goes on. Where one went back, a request for all
    numbers behind the other side's Logon speaks for it, too.
    """
    last, left, refused = {True: 0, False: 0}, set[bool](), False
    scores = [[0, 0, 0], [0, 0, 0]]
    for at, line in enumerate(lines):
        act, logon = line.act, _is_logon(line.act)
        if act.number is None:
            continue
        if not act.is_new:
            last[line.out] = max(last[line.out], act.number if act.poss_dup else 0)
            continue
        refuses = act.msg_type == LOGOUT and at > 0 and _is_logon(lines[at - 1].act)
        first = refuses and not (at > 1 and _opens(lines[at - 2], line))
        if ((logon and not act.reset) or first) and last[line.out]:
            # Of a Logout over a Logon only the engine knows whether it was an end or a cut.
            which = scores if refused and len(left) == 2 else [scores[len(left) == 2]]
            claims = line.out and act.next_expected == 1 and last[False] > 0
            for score in which:
                if claims or act.number <= last[line.out]:
                    score[0] += line.out or _is_welcome(lines, at)
                elif not line.out and _asks_for_all(lines, at):
                    score[2] += 1
                else:
                    score[1] += act.number == last[line.out] + 1
        last[line.out] = act.number
        if act.msg_type == LOGOUT:
            left.add(line.out)
            refused |= refuses
        elif not logon:
            left.clear()
            refused = False
    after_cut, after_logout = (back > 0 and back + asks >= on for back, on, asks in scores)
    return after_cut, after_logout


def _asks_for_all(lines: Sequence[Line], at: int) -> bool:
    """Whether this side answers a Logon, and asks at once for all numbers from 1 on."""
    said = [one.act for one in lines[at + 1 : at + 3] if one.out]
    return len(said) == 2 and said[1].msg_type == RESEND_REQUEST and said[1].begin == 1


def _opens(before: Line, line: Line) -> bool:
    """Whether the side of `line` had sent the Logon just before."""
    return before.out == line.out and _is_logon(before.act)


def _is_welcome(lines: Sequence[Line], at: int) -> bool:
    """Whether what this side says next is a Logon, not a Logout; or anything else, behind the
    answer to its own Logon.
    """
    said = next((one for one in lines[at + 1 : at + 1 + _LOOK_AHEAD] if one.out), None)
    if said is None or said.act.msg_type == LOGOUT:
        return False
    asked = at > 0 and lines[at - 1].out and _is_logon(lines[at - 1].act)
    return asked or _is_logon(said.act)


def _chunk(requests: Sequence[Act]) -> int | None:
    """How much one request asks for, when one goes on where another one ended."""
    for one, following in pairwise(requests):
        if one.begin and one.end and following.begin == one.end + 1:
            return one.end - one.begin + 1
    return None


def hides_beats(lines: Sequence[Line], heartbeat_seconds: float) -> bool:
    """Whether the log leaves Heartbeats out: it has none, and holes where they were due."""
    if any(one.act.msg_type == HEARTBEAT for one in lines):
        return False
    out = [one for one in lines if one.out and one.act.is_new and one.act.number is not None]
    return any(
        are_beats(_between(a, b), b.time - a.time, heartbeat_seconds) for a, b in pairwise(out)
    )


def _between(one: Line, other: Line) -> int:
    return (other.act.number or 0) - (one.act.number or 0) - 1


def are_beats(count: int, silence: int, heartbeat_seconds: float) -> bool:
    """Whether so many numbers may be Heartbeats, in a silence of so many ns."""
    beat = times.seconds(heartbeat_seconds * _BEAT_LEAST)
    return count > 0 and beat > 0 and count * beat <= silence


def first_numbers(lines: Sequence[Line]) -> tuple[int, int]:
    """NextNumIn and NextNumOut when the log begins, as far as it tells."""
    first = _first(lines, out=False)
    claimed, heard = _first_claim(lines)
    if claimed is not None:
        # LGN-21: it says so itself; an acceptor has counted the Logon that it answers.
        first = min(first, claimed) if heard else claimed
    return first, _first(lines, out=True)


def _first_claim(lines: Sequence[Line]) -> tuple[int | None, bool]:
    """NextExpectedMsgSeqNum(789) of this side's first Logon, if it is about old numbers; and
    whether anything new came before it.
    """
    heard = False
    for line in lines:
        if line.act.reset:
            break
        if line.out and line.act.msg_type == LOGON:
            return line.act.next_expected or None, heard
        heard |= not line.out and line.act.is_new
    return None, heard


def _first(lines: Sequence[Line], *, out: bool) -> int:
    for at, line in enumerate(lines):
        act = line.act
        if not out and line.out and act.msg_type == RESEND_REQUEST and act.begin:
            return act.begin  # nothing new came before: that is what it expects
        if line.out != out or act.number is None or act.poss_dup:
            continue
        if act.msg_type == SEQUENCE_RESET:
            continue
        first = 1 if act.reset else act.number
        if not out and not act.reset:
            # It may be early itself: then it is asked for what stands before it.
            asked = _asked(lines[at + 1 : at + 1 + _LOOK_AHEAD])
            first = min(first, asked or first)
        return max(first, 1)
    return 1


def _asked(lines: Sequence[Line]) -> int | None:
    for line in lines:
        if line.act.reset:
            return None
        if line.out and line.act.msg_type == RESEND_REQUEST:
            return line.act.begin
    return None
