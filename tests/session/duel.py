"""Two sessions that differ: in options, in profile, and in what may go wrong between them.

A `Scenario` is plain data: what both ends are set to, what each has of its own, and a schedule
of operations as in `pair`. `play` runs one from the first connection until both ends agree, or
shows that they cannot. What a scenario may lose is known beforehand (`Duel.lossy`); anything
else that is missing, doubled or out of order fails, as does a change without a row.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fixlab.dictionary import Dictionary
from fixlab.session.core import Output
from fixlab.session.events import Received
from fixlab.session.profiles import PROFILES
from fixlab.session.schedule import Schedule
from fixlab.session.session import Session
from fixlab.session.transitions import Role, SessionState, Transition, TransitionKind
from fixlab.stores.memory import MemoryStore
from fixlab.times import NANOSECONDS, format_utc, seconds
from fixlab.wire.message import Message
from fixlab.wire.tags import ADMIN_TYPES, POSS_DUP_FLAG
from tests.dictionary.published import published, published_path
from tests.session.pair import RAISES_IN, RAISES_OUT, STEPS_MAX, End, Op, Pair
from tests.session.script import config, messages, wire

_S, _K = SessionState, TransitionKind
Settings = Mapping[str, Any]

VERSIONS = (
    ("FIX.4.0", None),
    ("FIX.4.1", None),
    ("FIX.4.2", None),
    ("FIX.4.3", None),
    ("FIX.4.4", None),
    ("FIXT.1.1", "FIX.5.0"),
    ("FIXT.1.1", "FIX.5.0SP1"),
    ("FIXT.1.1", "FIX.5.0SP2"),
)
CONNECTIONS_MAX = 6  # connections that one healing may need
_WRITES = {_K.SENT, _K.RESENT, _K.FILL_SENT}
_DICTIONARIES: dict[tuple[str, str | None], Dictionary] = {}
# Options that reset one end alone, so that the two may never meet again (SCH-06).
_ALONE = ("reset_on_logout", "reset_on_disconnect")


@dataclass(frozen=True)
class Scenario:
    """What both ends have, what each has besides, and what happens."""

    both: Settings
    mine: Settings = field(default_factory=dict)
    yours: Settings = field(default_factory=dict)
    ops: tuple[Op, ...] = ()


class StuckError(AssertionError):
    """The two ends did not come to agree."""


def dictionary(begin_string: str, version: str | None) -> Dictionary:
    """The published dictionary of a session; `version` is the application's under FIXT."""
    key = (begin_string, version)
    if key not in _DICTIONARIES:
        _DICTIONARIES[key] = (
            published(begin_string)
            if version is None
            else Dictionary.from_quickfix_xml(
                published_path(begin_string), application=published_path(version)
            )
        )
    return _DICTIONARIES[key]


def order(begin_string: str, number: int, now: int, *, bad: bool) -> Message:
    """An order that its dictionary accepts, unless it is `bad`: a Side(54) unknown to all."""
    fields: dict[int, object] = {11: number}
    if begin_string != "FIXT.1.1":
        fields[21] = "1"
    if begin_string == "FIX.4.3":
        fields[460] = "5"
    fields |= {55: "ACME", 54: "Z" if bad else "1"}
    if begin_string not in ("FIX.4.0", "FIX.4.1"):
        fields[60] = format_utc(now, 0).decode()
    return Message("D", fields | {38: 100, 40: "1"})


class Duel(Pair):
    """The pair of a scenario, and what must hold of it at every step."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        base: dict[str, object] = {"sending_time_tolerance_seconds": None}
        mine = config(**(base | dict(scenario.both) | dict(scenario.mine)))
        other = config(**(base | dict(scenario.both) | dict(scenario.yours))).mirrored()
        super().__init__()
        self.ends = (
            End(Session(mine, Role.INITIATOR, MemoryStore())),
            End(Session(other, Role.ACCEPTOR, MemoryStore())),
        )
        self.numbers: tuple[dict[int, int], dict[int, int]] = ({}, {})  # MsgSeqNum -> order
        self.bad: tuple[set[int], set[int]] = (set(), set())
        # Orders that are lost for a stated reason, though they may still come.
        self.lost: tuple[dict[int, str], dict[int, str]] = ({}, {})
        self.crashing = ["", ""]
        # Numbers of orders that were stored and have not left, and those told as Dropped.
        self.waiting: tuple[set[int], set[int]] = (set(), set())
        self.dropped: tuple[set[int], set[int]] = (set(), set())
        self.written = [Counter[str](), Counter[str]()]
        self.random = random.Random(0)

    # Expectations -------------------------------------------------------------------------

    def refused(self) -> bool:
        """Whether the two cannot log on to each other at all."""
        one, two = (end.session.config for end in self.ends)
        asked = one.heartbeat_seconds
        least, most = two.heartbeat_range_seconds or (0, asked)
        flags = [bool(c.test_session) for c in (one, two)]
        tested = [c.test_session is not None for c in (one, two)]
        return not least <= asked <= most or (any(tested) and flags[0] != flags[1])

    def agrees(self) -> bool:
        """Whether the two must agree in the end, whatever happens."""
        configs = [end.session.config for end in self.ends]
        died = any(op[0] == "crash" for op in self.scenario.ops)
        if died and any(
            c.schedule is not None and end.session.store.epoch is None
            for c, end in zip(configs, self.ends, strict=True)
        ):
            return False  # SCH-02: of what was used before its first connection no age is known
        if configs[0].next_expected != configs[1].next_expected:
            return False  # LGN-23: who agreed to 789 takes no Logon without it
        if any(c.reset_on_logon for c in configs):
            return True
        alone = [[getattr(c, name) for name in _ALONE] for c in configs]
        if not any(map(any, alone)):
            return True
        # SCH-06: a process that dies does not see its connection end, and resets nothing.
        return all(map(all, alone)) and not died

    def withheld(self, who: int) -> bool:
        """Whether end `who` fills over its orders rather than resend them."""
        me = self.ends[who].session.config
        return "D" in me.gap_fill_types or not me.persist_messages

    # Steps --------------------------------------------------------------------------------

    def step(self, who: int, output: Output) -> None:
        end, other = self.ends[who], self.ends[1 - who]
        how, self.crashing[who] = self.crashing[who], ""
        if how == "before":
            self._restart(who)
            return
        for row in output.transitions:
            self._check_row(end, row)
        end.session.store.commit()
        for event in output.events:
            if isinstance(event, Received):
                number = int(event.message[11])
                assert number <= other.sent
                if self.agrees():
                    assert not end.got or number > end.got[-1], (who, number, end.got)
                end.got.append(number)
                other.owed.discard(number)
        self._check_written_all(who, output)
        assert end.session.next_in == end.session.store.current_in()
        assert end.session.next_out == end.session.store.peek_out()
        self._check_recovery(end.session)
        if how == "after":
            self._restart(who)
            return
        if end.session.state is not _S.DISCONNECTED or output.disconnect is not None:
            end.link += end.loss.outgoing(output.data)
        if output.disconnect is not None:
            assert end.session.state is _S.DISCONNECTED
            data = bytes(end.link)
            end.link.clear()
            other.link.clear()
            if data and other.session.state is not _S.DISCONNECTED:
                self.step(1 - who, other.session.receive(data, self.now))
            self.step(1 - who, other.session.disconnected(self.now))
            other.link.clear()

    def _check_recovery(self, session: Session) -> None:
        """No gap is forgotten: it was asked for, or what it waits for is known."""
        r = session._recovery
        if session.state is not _S.ACTIVE or not r.open:
            return
        assert session.next_in <= r.end, session
        assert r.requested or r.quiet or session.replaying, session
        if session.config.resend_timeout_seconds is not None and r.requested:
            assert session.deadline is not None

    def _check_row(self, end: End, row: Transition) -> None:
        who = self.ends.index(end)
        last, end.last = end.last, row
        if last is not None:
            assert row.state_before is last.state
            # While disconnected a session reads its store anew; nothing else changes it here.
            assert row.next_in_before == last.next_in, (last, row)
            assert row.next_out_before == last.next_out, (last, row)
            assert row.time >= last.time
            assert row.step >= last.step
        end.requests += row.kind is _K.RESEND_REQUESTED
        if row.kind is _K.RESET_BOTH:
            assert row.next_in == 1
            assert row.next_out in (1, 2)
            self.resets += 1
            # SCH-04: what never left is not lost in silence.
            assert self.waiting[who] <= self.dropped[who], (row, self.waiting[who])
            for known in (self.numbers[who], self.waiting[who], self.dropped[who]):
                known.clear()
            for each in self.ends:  # SCH-04: what was sent before a reset is gone
                each.owed.clear()
            return
        assert row.next_in >= row.next_in_before
        assert row.next_out >= row.next_out_before
        assert row.next_in == row.next_in_before or row.kind in RAISES_IN, row
        assert row.next_out == row.next_out_before or row.kind in RAISES_OUT, row
        number = row.msg_seq_num
        if row.kind in (_K.SENT, _K.QUEUED):
            assert number == row.next_out_before == row.next_out - 1
            self._check_sent(row)
            if row.msg_type == "D":
                self.numbers[who][number] = end.sent
                if row.kind is _K.QUEUED:
                    self.waiting[who].add(number)
        elif row.kind is _K.RESENT:
            assert number is not None
            self.waiting[who].discard(number)
        elif row.rule == "SCH-04":
            assert row.begin_seq_no is not None
            assert row.end_seq_no is not None
            self.dropped[who].update(range(row.begin_seq_no, row.end_seq_no + 1))
        elif row.kind is _K.FILL_SENT:
            assert row.begin_seq_no is not None
            assert row.end_seq_no is not None
            for filled in range(row.begin_seq_no, row.end_seq_no + 1):
                self.waiting[who].discard(filled)
                if filled in self.numbers[who]:
                    assert self.withheld(who), ("an order was filled over", row)
                    self._lose(who, self.numbers[who][filled], "withheld")
        elif row.kind is _K.REJECTED and row.next_in > row.next_in_before:
            self._check_rejected(who, row)
        elif row.kind is _K.GARBLED:
            raise AssertionError(row)

    def _check_sent(self, row: Transition) -> None:
        """Invariant 6: what may be sent in which state."""
        if row.kind is _K.QUEUED:
            return
        allowed = {
            _S.DISCONNECTED: {"A"},
            _S.CONNECTED: {"A", "5", "3"},
            _S.LOGON_SENT: {"5", "3"},
            _S.RESET_SENT: {"5", "3"},
            _S.LOGOUT_SENT: set[str](),
            _S.LOGOUT_ANSWERED: {"5"},
            _S.CLOSING: set[str](),
        }
        if row.state_before is not _S.ACTIVE:
            assert row.msg_type in allowed[row.state_before], row

    def _check_rejected(self, who: int, row: Transition) -> None:
        """Counted and not processed: only where something was wrong with the message."""
        number = row.msg_seq_num
        timed = row.rule in ("HDR-04", "HDR-09", "HDR-05")
        if timed:
            assert self.ends[who].session.config.sending_time_tolerance_seconds is not None, row
        if row.msg_type == "A":
            known = ("LGN-33", "LGN-17") if self.agrees() else ("LGN-33", "LGN-17", "LGN-23")
            assert self.refused() or timed or row.rule in known, row
            return
        assert number is not None
        if row.msg_type == "D":
            what = self.numbers[1 - who].get(number)
            if what is None:
                return  # the sender has reset since
            assert timed or what in self.bad[1 - who], row
            self._lose(1 - who, what, "rejected")
            return
        assert timed, row

    def _lose(self, who: int, what: int, why: str) -> None:
        if what in self.ends[who].owed:
            self.ends[who].owed.discard(what)
            self.lost[who][what] = why

    def _check_written_all(self, who: int, output: Output) -> None:
        """Each message written has its row, in order, and each such row its message."""
        found = messages(output.data)
        rows = [row for row in output.transitions if row.kind in _WRITES]
        assert [(m.msg_type, m.number) for m in found] == [
            (row.msg_type, row.msg_seq_num) for row in rows
        ]
        for message, row in zip(found, rows, strict=True):
            self.written[who][message.msg_type] += 1
            assert (message.get(POSS_DUP_FLAG) == "Y") == (row.kind is not _K.SENT), row
            if row.kind is _K.RESENT:
                assert message.msg_type not in ADMIN_TYPES - {"3"}
            elif row.kind is _K.SENT and message.msg_type == "D":
                self.ends[who].old.append(message.raw or b"")

    def _restart(self, who: int) -> None:
        """The process of end `who` dies and comes back; what was committed is there."""
        end, other = self.ends[who], self.ends[1 - who]
        store = end.session.store
        assert isinstance(store, MemoryStore)
        store.rollback()
        end.session = Session(end.session.config, end.session.role, store)
        if end.last is not None:
            assert end.session.next_in == end.last.next_in
            assert end.session.next_out == end.last.next_out
        end.last = None
        self.waiting[who].clear()  # only what a session itself has queued is told
        end.link.clear()
        other.link.clear()
        self.step(1 - who, other.session.disconnected(self.now))
        other.link.clear()

    # Operations ---------------------------------------------------------------------------

    def send(self, who: int, count: int = 1, bad: int = 0) -> None:
        end = self.ends[who]
        for _ in range(count):
            if end.session._resetting:
                return
            end.sent += 1
            me = end.session.config
            message = order(me.begin_string, end.sent, self.now, bad=bool(bad))
            if bad and self._strict(1 - who):
                self.bad[who].add(end.sent)
            end.owed.add(end.sent)
            dies = self.crashing[who] == "before"
            self.step(who, end.session.send(message, self.now))
            if dies:
                end.owed.discard(end.sent)

    def _strict(self, who: int) -> bool:
        me = self.ends[who].session.config
        return me.dictionary is not None and me.validation == "strict"

    def crash(self, who: int, how: str) -> None:
        """End `who` dies: now, or at its next step before or after that is committed."""
        if how == "now":
            self._restart(who)
        else:
            self.crashing[who] = how

    def half_cut(self, who: int) -> None:
        """End `who` sees the connection go; the other does not, and writes into the void."""
        end, other = self.ends[who], self.ends[1 - who]
        end.link.clear()
        other.link.clear()
        self.step(who, end.session.disconnected(self.now))

    def duplicate(self, who: int, which: int) -> None:
        if self.ends[1 - who].session._framer.idle:  # else it would split another message
            super().duplicate(who, which)

    def deliver(self, who: int, count: int) -> None:
        end, other = self.ends[who], self.ends[1 - who]
        if end.session.state is _S.DISCONNECTED or other.session.state is _S.DISCONNECTED:
            end.link.clear()
            return
        super().deliver(who, count)

    def reset(self, who: int) -> None:
        if self.ends[who].session.config.begin_string != "FIX.4.0":
            super().reset(who)

    def roll(self, after: float) -> None:
        """Time passes until `after` seconds behind the next end of the schedule."""
        schedule = self.ends[0].session.config.schedule
        if schedule is None:
            return
        until = (schedule.next_close(self.now) or self.now) + seconds(after)
        self.jump((until - self.now) / NANOSECONDS)

    def reset_to(self, who: int, above: int) -> None:
        """As `Pair.reset_to`, which writes no further header fields."""
        end, other = self.ends[who], self.ends[1 - who]
        if end.session.state is not _S.ACTIVE or other.session.state is not _S.ACTIVE:
            return
        self.skip(who, above)
        if end.session.state is not _S.ACTIVE:
            return
        end.owed.clear()
        me = end.session.config
        end.link += wire(
            f"35=4|34=1|49={me.sender_comp_id}|56={me.target_comp_id}|"
            f"36={end.session.next_out}|",
            begin_string=me.begin_string,
            now=self.now,
            digits=me.sending_time_digits,
        )

    def tick(self) -> None:
        for who, end in enumerate(self.ends):
            session = end.session
            limit = session.deadline
            early = limit is None or limit > self.now
            output = session.tick(self.now)
            assert not early or output == Output(b"", (), (), None)
            assert (
                session.deadline is None
                or session.deadline != limit
                or early
                or session._replays
                or output.transitions
            ), "a tick that changes nothing would spin"
            self.step(who, output)

    # The end ------------------------------------------------------------------------------

    def heal(self) -> None:
        self.crashing = ["", ""]
        for end in self.ends:
            end.loss.heal()
        schedule = self.ends[0].session.config.schedule
        if schedule is not None:
            closes = schedule.next_close(self.now)
            if closes is None or closes - self.now < seconds(2_000):
                self.cut()
                self.now = schedule.next_open(self.now) + 1
        before = [sum(count.values()) for count in self.written]
        requests = [end.requests for end in self.ends]
        sent = [end.session.next_out for end in self.ends]
        self.connections = 0
        for _ in range(CONNECTIONS_MAX):
            self.cut()
            self.connect()
            self.connections += 1
            self.wait(100)
            if all(end.session.state is _S.ACTIVE for end in self.ends):
                break
        # SQR-16: where early messages are dropped and no time-out is set, it takes two more of
        # them to notice that the answer to a ResendRequest has stopped short of them.
        for _ in range(3):
            for who in (0, 1):
                self.test(who)
                self.wait(0.01)
        self.wait(1)
        if not self.settled():
            if self.agrees() and not self.refused():
                raise StuckError([end.session for end in self.ends])
            self._check_effort(before, requests, sent)
            return
        assert not self.refused()
        self._check_effort(before, requests, sent)
        for end in self.ends:
            assert not end.owed or not self.agrees(), (end.session.id, end.owed)
        for who in (0, 1):
            self.send(who)
            self.wait(1)
            assert self.ends[1 - who].got[-1:] == [self.ends[who].sent]
        for who in (0, 1):
            self._check_answerable(who)

    def _check_effort(self, before: list[int], requests: list[int], sent: list[int]) -> None:
        """No storm: what a healing takes is bounded by what was missing."""
        parts = 2 * sum(sent) if any(map(self._in_parts, (0, 1))) else 0
        for who, end in enumerate(self.ends):
            beats = 2 * CONNECTIONS_MAX * 100 // max(1, end.session.config.heartbeat_seconds)
            asked = end.requests - requests[who]
            wrote = sum(self.written[who].values()) - before[who]
            limit = 4 * self.connections + parts + (beats if self.creeps() else 0)
            assert asked <= limit, (asked, sent, self.connections)
            limit = beats + 30 * self.connections + 8 * self.connections * sum(sent)
            assert wrote <= limit, (wrote, sent, self.written)

    def creeps(self) -> bool:
        """Whether each ResendRequest of both ends leaves a hole of one number at the other.

        RSP-12: two ends that answer an early request and never count it, and ask for exact
        ranges, may trail one number behind each other from Heartbeat to Heartbeat, until one
        of them happens to write alone. No order is lost by it, and each asks once a beat.
        """
        configs = [end.session.config for end in self.ends]
        return all(c.habits.early_request == "uncounted" for c in configs)

    def _in_parts(self, who: int) -> bool:
        me = self.ends[who].session.config
        return me.redundant_requests or me.resend_chunk_max is not None

    def _check_answerable(self, who: int) -> None:
        """Invariants 2 and 4: each number so far is resent or filled over, exactly once."""
        end, other = self.ends[who], self.ends[1 - who]
        session = end.session
        if session.state is not _S.ACTIVE:
            return
        me, last = session.config, session.next_out - 1
        raw = wire(
            f"35=2|34={other.session.next_out}|49={me.target_comp_id}|56={me.sender_comp_id}|"
            f"7=1|16={0 if me.begin_string not in ('FIX.4.0', 'FIX.4.1') else 999999}|",
            begin_string=me.begin_string,
            now=self.now,
            digits=me.sending_time_digits,
        )
        output, data = session.receive(raw, self.now), b""
        for _ in range(STEPS_MAX):
            data += output.data
            if not session.replaying:
                break
            output = session.tick(self.now)
        covered: list[int] = []
        for message in messages(data):
            if message.get(POSS_DUP_FLAG) != "Y":
                continue
            assert message.number is not None
            stop = int(message[36]) if message.msg_type == "4" else message.number + 1
            covered += range(message.number, stop)
        assert covered[:last] == list(range(1, last + 1))


def play(scenario: Scenario) -> Duel:
    """A scenario from the first connection to the end of its healing."""
    duel = Duel(scenario)
    duel.connect()
    duel.flow()
    for op in scenario.ops:
        duel.apply(op)
    duel.heal()
    return duel


# Making scenarios -------------------------------------------------------------------------


_SHARED: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("resend_range", ("open", "exact")),
    ("resend_chunk_max", (None, 1, 2, 3, 5)),
    ("redundant_requests", (False, True)),
    ("early_messages", ("hold", "drop")),
    ("resend_timeout_seconds", (None, 5, 30)),
    ("persist_messages", (True, False)),
    ("gap_fill_types", (ADMIN_TYPES, ADMIN_TYPES | {"D"}, ADMIN_TYPES - {"3"})),
    ("last_processed", (False, True)),
    ("replay_batch_max", (1, 2, 1000)),
    ("held_max", (1, 3, 10_000)),
    ("poss_dup_check", ("always", "too_low", "never")),
    ("check_silence", (True, False)),
    ("check_comp_id", (True, False)),
    ("check_length_and_checksum", (True, False)),
    ("logon_timeout_seconds", (1, 10)),
    ("test_req_id", (None, "TEST")),
)
_RESETS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("reset_on_logon", (True,)),
    ("reset_on_logout", (True,)),
    ("reset_on_disconnect", (True,)),
)
_TIMES = (0.5, 5, 11, 31, 80)


def draw(chance: random.Random) -> Scenario:
    """A scenario of any versions, options, profiles and troubles."""
    begin_string, version = chance.choice(VERSIONS)
    both: dict[str, Any] = {"begin_string": begin_string}
    if version is not None:
        both["default_appl_ver_id"] = version
    both["heartbeat_seconds"] = chance.choice((0, 5, 30))
    if chance.random() < 0.2:
        both["sending_time_tolerance_seconds"] = 120.0
    if chance.random() < 0.25:
        both["schedule"] = _schedule(chance)
    if chance.random() < 0.25 and begin_string in ("FIX.4.4", "FIXT.1.1"):
        both["next_expected"] = True
    if chance.random() < 0.15:
        both |= {"reset_on_logout": True, "reset_on_disconnect": True}
    own: list[dict[str, Any]] = [{}, {}]
    for settings in own:
        _draw_own(chance, settings, both)
    if chance.random() < 0.05:
        own[1]["heartbeat_range_seconds"] = (10, 60)
    return Scenario(both, own[0], own[1], _draw_ops(chance, both))


def _draw_own(chance: random.Random, own: dict[str, Any], both: Settings) -> None:
    begin_string = str(both["begin_string"])
    if chance.random() < 0.6:
        own["profile"] = chance.choice(tuple(PROFILES))
    for name, values in _SHARED:
        if chance.random() < 0.15:
            own[name] = chance.choice(values)
    if chance.random() < 0.15:
        name, values = chance.choice(_RESETS)
        own[name] = values[0]
    if chance.random() < 0.03 and begin_string in ("FIX.4.4", "FIXT.1.1"):
        own["next_expected"] = True
    if chance.random() < 0.1:
        own |= {"sender_sub_id": "DESK", "target_sub_id": "FLOOR"}
    if chance.random() < 0.25:
        own["dictionary"] = dictionary(
            begin_string,
            both.get("default_appl_ver_id"),
        )
        own["validation"] = chance.choice(("strict", "warn", "off"))
    if begin_string in ("FIX.4.0", "FIX.4.1"):
        own.pop("last_processed", None)
    if begin_string == "FIX.4.0":
        own.pop("reset_on_logon", None)
    profile = PROFILES[str(own.get("profile", "spec"))]
    if own.get("early_messages", profile.early_messages) == "drop":
        own.pop("resend_range", None)


def _schedule(chance: random.Random) -> Schedule:
    zone = chance.choice(("UTC", "America/New_York", "Asia/Kolkata"))
    if chance.random() < 0.3:
        return Schedule(
            start="08:00:00",
            end="20:00:00",
            start_day="Monday",
            end_day="Friday",
            time_zone=str(zone),
        )
    start, end = chance.choice(
        (("00:00:00", "00:00:00"), ("22:00:00", "21:30:00"), ("08:00:00", "17:00:00"))
    )
    return Schedule(start=start, end=end, time_zone=str(zone))


def _draw_ops(chance: random.Random, both: Settings) -> tuple[Op, ...]:
    side = (0, 1)
    plain = both["begin_string"] != "FIX.4.0" and chance.random() < 0.3
    kinds: tuple[str, ...] = (
        ("send",) * 4 + ("lose",) * 2 + ("deliver",) * 2 + ("flow",) * 4
        + ("cut", "half_cut", "connect", "connect", "skip", "duplicate", "test", "logout")
        + ("tick", "wait", "wait", "jump", "crash")
    )  # fmt: skip
    if plain:
        kinds += ("reset", "reset_to", "lift")
    if "schedule" in both:
        kinds += ("roll",)
    # Each schedule knows some of them only: that makes rare neighbours frequent ones.
    used = {kind for kind in kinds if chance.random() < 0.5} | {"send", "flow", "connect"}
    kinds = tuple(kind for kind in kinds if kind in used)
    ops: list[Op] = []
    for _ in range(chance.randint(0, 30)):
        kind = str(chance.choice(kinds))
        who = int(str(chance.choice(side)))
        count = chance.randint(1, 4)
        arguments: tuple[Any, ...]
        match kind:
            case "flow" | "cut" | "connect" | "tick":
                arguments = ()
            case "half_cut" | "test" | "logout" | "reset":
                arguments = (who,)
            case "send":
                arguments = (who, count, int(chance.random() < 0.1))
            case "deliver":
                arguments = (who, chance.choice((1, 40, 150, 10_000)))
            case "duplicate":
                arguments = (who, chance.randint(0, 50))
            case "wait":
                arguments = (chance.choice(_TIMES),)
            case "jump":
                arguments = (chance.choice((*_TIMES, 4_000)),)
            case "roll":
                arguments = (chance.choice((0, 1, 40_000)),)
            case "crash":
                arguments = (who, chance.choice(("now", "before", "after")))
            case _:
                arguments = (who, count)
        ops.append((kind, *arguments))
    return tuple(ops)


# Reducing them ----------------------------------------------------------------------------


def fails(scenario: Scenario) -> str | None:
    """What goes wrong in a scenario, as short as it can be told; None when nothing does."""
    try:
        play(scenario)
    except Exception as error:  # noqa: BLE001 - any of them is what is looked for
        trace = error.__traceback__
        where = ""
        while trace is not None:
            code = trace.tb_frame.f_code
            where = f"{code.co_name}:{trace.tb_lineno}"
            trace = trace.tb_next
        return f"{type(error).__name__} {where}"
    return None


def reduced(scenario: Scenario) -> Scenario:
    """The scenario with whatever may be left out and still fails alike, left out."""
    wanted = fails(scenario)
    again = True
    while again:
        again = False
        for smaller in _smaller(scenario):
            if fails(smaller) == wanted:
                scenario, again = smaller, True
                break
    return scenario


def _smaller(scenario: Scenario) -> list[Scenario]:
    ops, found = scenario.ops, []
    size = max(1, len(ops) // 2)
    while ops:
        for start in range(0, len(ops), size):
            found.append(replace(scenario, ops=ops[:start] + ops[start + size :]))
        if size == 1:
            break
        size //= 2
    for part in ("mine", "yours", "both"):
        settings = dict(getattr(scenario, part))
        for name in settings:
            if name != "begin_string":
                less = {key: value for key, value in settings.items() if key != name}
                changed: dict[str, Any] = {part: less}
                if name == "default_appl_ver_id":
                    continue
                found.append(replace(scenario, **changed))
    return found
