"""FaultyPeer: makes a misbehaving engine of a session that behaves.

It stands between one session and its wire. What the session sends goes through `outgoing()`,
what comes in through `incoming()`; the session never knows. So its own record and store show
what it did and the peer's what arrived, as with an engine that has such a fault.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from fixlab.errors import ConfigError
from fixlab.faults.dice import Dice
from fixlab.faults.draft import (
    Draft,
    garbled,
    with_bad_begin_string,
    with_bad_body_length,
    with_bad_check_sum,
)
from fixlab.faults.plan import NO_FAULTS, PeerFaults, Strike, When
from fixlab.faults.rewriting import (
    ANSWERS,
    NEW,
    RECEIVED,
    Rewrite,
    asked,
    infinity,
    is_gap_fill,
    resets,
    shifted,
)
from fixlab.wire.fields import Field
from fixlab.wire.framer import Framer
from fixlab.wire.message import Message
from fixlab.wire.tags import (
    BEGIN_SEQ_NO,
    END_SEQ_NO,
    HEADER_TAGS,
    HEART_BT_INT,
    LOGON,
    LOGOUT,
    MSG_SEQ_NUM,
    NEW_SEQ_NO,
    ORIG_SENDING_TIME,
    POSS_DUP_FLAG,
    RESEND_REQUEST,
    RESET_SEQ_NUM_FLAG,
    SENDING_TIME,
    TEST_REQ_ID,
    TEST_REQUEST,
)

_SKIP_MAX = 3  # numbers that one `skip` uses up at most
_RESET_SKIP_MAX = 1_000_000  # as many as `Session.skip()` takes
_STORM = 4  # requests more than the one that is due
_LOOP_REQUESTS = 10  # a loop ends then, so that nothing goes on for ever
_SLOWER = 3
_HELD_MAX = 10_000  # messages kept back, or that wait for another to carry them

# `incoming()` has to see messages for these, and the caller has to do things for those.
_RECEIVING = frozenset(
    {
        *(each.fault for each in RECEIVED),
        "resend_loop",
        "slow_heartbeats",
        "request_before_logon",
    }
)
_ACTING = frozenset(
    {
        "skip",
        "reset_not_applied",
        "second_logon",
        "request_storm",
        "request_overlap",
        "request_unjustified",
        "request_before_logon",
        "resend_loop",
    }
)
_LAST_WORDS = frozenset({"refuse_logon", "logout_on_gap"})  # silence follows


@dataclass
class _Loop:
    """A ResendRequest that is asked again and again, and how often it was."""

    request: list[Field]
    begin: int
    last: int  # the number that ends an answer
    requests: int = 1


class FaultyPeer:
    """What one session sends and gets, as a broken engine would have it.

    Parameters: `faults`, and `dice` that decide on them. Without faults every byte passes as it
    is, until messages are to be lost by hand; `changes_sent`, `changes_received` and `acts` say
    whether there is a need to ask.

    Whoever drives the session does these things:

    - `connected()` before each connection;
    - `outgoing(data)` on whole messages that are about to be written, and write what it gives;
    - `incoming(data)` on bytes that came, in any split, and give the session what it gives;
    - while `acts`, before each step of the session `skip_before(session.next_out)`, and when
      that is not 0, `session.skip()` so many numbers; and after each step (one that received
      nothing, because `incoming()` kept it all, is one) `errands()`, and for each of these
      TestReqIDs `session.test_request(now, test_req_id)` if it is ACTIVE. The TestRequest never
      leaves: it gives its number to another message of this engine.
    """

    def __init__(self, faults: PeerFaults = NO_FAULTS.peer, dice: Dice | None = None) -> None:
        self._dice = dice or Dice(0, "", "peer")
        self._newest = self._newest_in = 0  # MsgSeqNum(34) of the last new message, each way
        self._skip_asked = self._skip_owed = 0
        self._errands_made = 0
        self._lose_next = 0
        self._lose_numbers: set[int] = set()
        self.lost = 0  # messages taken out so far by `lose_next()` and `lose_numbers()`
        self._unread = bytearray()  # came, and is not a whole message yet
        self._plan(faults)
        self.connected()

    def _plan(self, faults: PeerFaults) -> None:
        self._set: dict[str, When] = {
            each.name: when
            for each in fields(faults)
            if not each.name.endswith("_seconds") and (when := getattr(faults, each.name))
        }
        self._offset = faults.clock_offset_seconds
        self._new = tuple(each for each in NEW if each.fault in self._set)
        self._answers = tuple(each for each in ANSWERS if each.fault in self._set)
        self._received = tuple(each for each in RECEIVED if each.fault in self._set)
        self.acts = not _ACTING.isdisjoint(self._set)
        self.changes_received = bool(self._unread) or not _RECEIVING.isdisjoint(self._set)
        self._look()

    def _look(self) -> None:
        self.changes_sent = bool(self._set or self._offset or self.pending)

    def connected(self) -> None:
        """A new connection: silence is over; what was kept back is lost with the old one."""
        self._unread.clear()
        self._reader = Framer()
        self.other_pace = False  # session and peer hold another HeartBtInt(108) for agreed
        self._start_over()

    def _start_over(self) -> None:
        self._silent = False
        self._slow: bool | None = None  # not decided yet on this connection
        self._reordered = b""  # leaves behind the next new message
        self._late: dict[int, bytes] = {}  # leave behind their replay
        self._interrupted: list[bytes] = []  # a replay that leaves behind the next new message
        self._logon: list[Field] = []  # body of the last own Logon
        self._logon_came = False  # one that is not answered yet
        self._errands: list[str] = []
        self._carried: dict[str, tuple[str, list[Field]]] = {}  # TestReqID -> what leaves
        self._loop: _Loop | None = None

    def heal(self) -> None:
        """Nothing goes wrong any more: neither what was planned, nor what was yet to be lost.

        What was kept back is lost.
        """
        self._lose_next = self._skip_owed = 0
        self._lose_numbers.clear()
        self._start_over()
        self._plan(PeerFaults())

    # Losing messages by hand ------------------------------------------------------------

    def lose_next(self, count: int) -> None:
        """Lose the next `count` messages, whatever they are; adds to what is still due."""
        if count < 0:
            raise ConfigError(f"cannot lose {count} messages")
        self._lose_next += count
        self._look()

    def lose_numbers(self, msg_seq_nums: Iterable[int]) -> None:
        """Lose the first transmission of each of these numbers; replays (43=Y) get through."""
        self._lose_numbers.update(msg_seq_nums)
        self._look()

    @property
    def pending(self) -> int:
        """Messages still to be lost by `lose_next()` and `lose_numbers()`."""
        return self._lose_next + len(self._lose_numbers)

    def _loses(self, number: int, *, replay: bool) -> bool:
        if number in self._lose_numbers and not replay:
            self._lose_numbers.discard(number)
        elif self._lose_next:
            self._lose_next -= 1
        else:
            return False
        self.lost += 1
        self._look()
        return True

    # What the session is made to do -----------------------------------------------------

    def skip_before(self, number: int) -> int:
        """How many numbers to use up before `number`, which is NextNumOut; mostly 0."""
        if self._skip_owed:
            count, self._skip_owed = self._skip_owed, 0
        elif number == self._skip_asked:
            return 0
        else:
            self._skip_asked = number
            strike = self._strike("skip", number)
            if strike is None:
                return 0
            count = 1 + int(self._dice.amount(strike) * _SKIP_MAX)
        self._skip_asked = number + count
        return count

    def errands(self) -> list[str]:
        """TestReqIDs of the TestRequests that carry what this engine says of its own accord."""
        errands, self._errands = self._errands, []
        return errands

    def _owe(self, msg_type: str, body: list[Field]) -> None:
        if len(self._carried) >= _HELD_MAX:
            return
        self._errands_made += 1
        test_req_id = f"carries a fault {self._errands_made}"
        self._carried[test_req_id] = (msg_type, body)
        self._errands.append(test_req_id)

    # What leaves ------------------------------------------------------------------------

    def outgoing(self, data: bytes) -> bytes:
        """What of `data`, whole messages of the session, reaches the wire, and how."""
        if not (data and self.changes_sent):
            return data
        left: list[bytes] = []
        for message in Framer(max(len(data), 256)).feed(data):
            assert isinstance(message, Message), "a session writes well-formed messages"
            left += self._leave(message)
        return b"".join(left)

    def _leave(self, message: Message) -> list[bytes]:
        draft = Draft(message)
        number, replay = draft.number(MSG_SEQ_NUM), draft[POSS_DUP_FLAG] == b"Y"
        before = self._newest
        if not replay:
            self._newest = number
        if self._loses(number, replay=replay) or self._silent:
            return []
        raw = message.raw
        assert raw is not None, "it was framed"
        if self._offset:
            for tag in (SENDING_TIME, ORIG_SENDING_TIME):
                if tag in draft:
                    draft.put(tag, shifted(draft[tag], self._offset))
            raw = draft.raw()
        if not self._set:
            return [raw]
        if replay:
            return self._answer(draft, raw, number)
        carried = self._carried.pop(draft[TEST_REQ_ID].decode("latin-1"), None)
        if carried is not None and draft.msg_type == TEST_REQUEST:
            draft.become(*carried)
            behind, self._reordered = self._reordered, b""
            return [draft.raw(), behind]
        return self._new_message(draft, raw, number, before)

    def _new_message(self, draft: Draft, raw: bytes, number: int, before: int) -> list[bytes]:
        self._silent = self._strike("silent", number) is not None
        if self._silent or self._strike("drop", number):
            return []
        self._say_more(draft, number)
        if resets(draft) and before and self._strike("reset_not_applied", number):
            self._skip_owed = min(before, _RESET_SKIP_MAX)
        slowed = draft.msg_type == LOGON and self._slow_down(draft, number)
        struck = self._rewrite(self._new, draft, number, before)
        if struck or slowed:
            raw = draft.raw()
        self._silent = not _LAST_WORDS.isdisjoint(struck)
        raw = self._misframed(raw, number)
        if draft.msg_type == LOGON and self._logon_came:
            self._logon_came = False
            if self._strike("request_before_logon", number):
                self._owe(RESEND_REQUEST, _request(1, infinity(draft.begin_string)))
                self._reordered = raw
                return []
        if len(self._late) < _HELD_MAX and self._strike("late", number):
            self._late[number] = raw
            return []
        left = [raw, raw] if self._strike("repeat", number) else [raw]
        behind, self._reordered = self._reordered, b""
        if not behind and self._strike("reorder", number):
            self._reordered = b"".join(left)
            return []
        interrupted, self._interrupted = self._interrupted, []
        return [*left, behind, *interrupted]

    def _answer(self, draft: Draft, raw: bytes, number: int) -> list[bytes]:
        if self._rewrite(self._answers, draft, number, self._newest):
            raw = draft.raw()
        left = [raw]
        if number in self._late:
            left.append(self._late.pop(number))
        if self._interrupted or self._strike("replay_interleaved", number):
            self._interrupted += left
            if len(self._interrupted) < _HELD_MAX:
                return []
            left, self._interrupted = self._interrupted, []
        return left

    def _rewrite(
        self, rewrites: tuple[Rewrite, ...], draft: Draft, number: int, newest: int
    ) -> list[str]:
        """The faults that struck and changed `draft`."""
        struck = []
        for fault, applies, change in rewrites:
            if applies(draft, newest) and self._strike(fault, number):
                change(draft, newest)
                struck.append(fault)
        return struck

    def _misframed(self, raw: bytes, number: int) -> bytes:
        if self._strike("bad_begin_string", number):
            raw = with_bad_begin_string(raw)
        if self._strike("bad_body_length", number):
            raw = with_bad_body_length(raw)
        if self._strike("bad_check_sum", number):
            raw = with_bad_check_sum(raw)
        strike = self._strike("garble", number)
        return garbled(raw, self._dice.amount(strike)) if strike else raw

    def _say_more(self, draft: Draft, number: int) -> None:
        """Messages that follow this one, and that no engine in its right mind would send."""
        msg_type, open_end = draft.msg_type, infinity(draft.begin_string)
        if msg_type == LOGON:
            self._logon = [
                field
                for field in draft.fields
                if field[0] not in HEADER_TAGS and field[0] != RESET_SEQ_NUM_FLAG
            ]
        elif msg_type == RESEND_REQUEST:
            self._ask_more(draft, number)
        elif msg_type != LOGOUT:
            if self._logon and self._strike("second_logon", number):
                self._owe(LOGON, self._logon)
            if self._strike("request_unjustified", number):
                self._owe(RESEND_REQUEST, _request(1, open_end))

    def _ask_more(self, draft: Draft, number: int) -> None:
        begin, end = draft.number(BEGIN_SEQ_NO), draft.number(END_SEQ_NO)
        last = asked(draft, self._newest_in)[1]
        if self._strike("request_storm", number):
            for _ in range(_STORM):
                self._owe(RESEND_REQUEST, _request(begin, end))
        if self._strike("request_overlap", number):
            self._owe(RESEND_REQUEST, _request(begin + 1, end))
        if self._loop is None and self._strike("resend_loop", number):
            self._loop = _Loop(_request(begin, end), begin, max(last, begin))

    # What comes in ----------------------------------------------------------------------

    def incoming(self, data: bytes) -> bytes:
        """What the session gets of `data`, in any split; what is not whole yet comes later."""
        if not self.changes_received:
            return data
        self._unread += data
        items = self._reader.feed(data)
        whole = len(self._unread) - self._reader.waiting
        ready = bytes(self._unread[:whole])
        del self._unread[:whole]
        if not self._set:
            # Healed in the middle of a message: with its end there is no need to look any more.
            ready, self.changes_received = ready + bytes(self._unread), False
            self._unread.clear()
            return ready
        given, position = [], 0
        for item in items:
            if isinstance(item, Message):
                raw = item.raw or b""
                start = ready.index(raw, position)  # what is garbled stands before it
                given += [ready[position:start], self._received_as(item, raw)]
                position = start + len(raw)
        return b"".join([*given, ready[position:]])

    def _received_as(self, message: Message, raw: bytes) -> bytes:
        if message.defect is not None:
            return raw
        draft = Draft(message)
        number = draft.number(MSG_SEQ_NUM)
        if self._loop is not None and self._withholds(self._loop, draft, number):
            return b""
        if draft[POSS_DUP_FLAG] != b"Y":
            self._newest_in = number
        self._logon_came = self._logon_came or draft.msg_type == LOGON
        slowed = draft.msg_type == LOGON and self._slow_down(draft, number, received=True)
        struck = self._rewrite(self._received, draft, number, self._newest)
        return draft.raw() if struck or slowed else raw

    def _withholds(self, loop: _Loop, draft: Draft, number: int) -> bool:
        """Whether a message belongs to an answer that the loop takes no notice of."""
        fill = is_gap_fill(draft)
        if number < loop.begin or not (fill or draft[POSS_DUP_FLAG] == b"Y"):
            return False
        done = max(number, draft.number(NEW_SEQ_NO) - 1 if fill else 0) >= loop.last
        withheld = loop.requests < _LOOP_REQUESTS
        if done and withheld:
            loop.requests += 1
            self._owe(RESEND_REQUEST, loop.request)
        elif done:
            self._loop = None
        return withheld

    def _slow_down(self, draft: Draft, number: int, *, received: bool = False) -> bool:
        """Agree on one HeartBtInt(108) with the peer and on another with the session."""
        if self._slow is None:
            self._slow = self._strike("slow_heartbeats", number) is not None
        seconds = draft.number(HEART_BT_INT)
        if not (self._slow and seconds):
            return False
        self.other_pace = True
        draft.put(HEART_BT_INT, seconds * _SLOWER if received else max(seconds // _SLOWER, 1))
        return True

    def _strike(self, fault: str, number: int) -> Strike | None:
        when = self._set.get(fault)
        return None if when is None else self._dice.strike(fault, when, number)


def _request(begin: int, end: int) -> list[Field]:
    return [(BEGIN_SEQ_NO, b"%d" % begin), (END_SEQ_NO, b"%d" % end)]
