"""Two sessions and two links under one virtual clock, for schedules that are made up at random.

After every input the invariants of a session are checked; `heal` ends all trouble and demands
that both sides agree. A schedule is a list of plain tuples, so a failing one shrinks and reads
well.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from fixlab.faults import FaultyPeer
from fixlab.session.config import SessionConfig
from fixlab.session.core import Output
from fixlab.session.events import Received
from fixlab.session.session import Session
from fixlab.session.transitions import Role, SessionState, Transition, TransitionKind
from fixlab.times import NANOSECONDS
from fixlab.wire.message import Message
from fixlab.wire.tags import POSS_DUP_FLAG, RESET_SEQ_NUM_FLAG
from tests.session.script import NOW, config, messages, wire

_S, _K = SessionState, TransitionKind

RAISES_OUT = {_K.SENT, _K.QUEUED, _K.SKIPPED}
RAISES_IN = {_K.ACCEPTED, _K.GAP_FILLED, _K.RESET_IN, _K.REJECTED, _K.IGNORED}
STEPS_MAX = 3_000  # inputs that one healing may need
CONNECTIONS_MAX = 3  # connections that one healing may need

Op = tuple[str | float, ...]


@dataclass
class End:
    """One session, the link that leaves it, and what its application saw."""

    session: Session
    link: bytearray = field(default_factory=bytearray)  # bytes on their way to the other end
    loss: FaultyPeer = field(default_factory=FaultyPeer)
    sent: int = 0  # application messages handed to send(), numbered 1, 2, 3, ...
    owed: set[int] = field(default_factory=set)  # those that must arrive
    got: list[int] = field(default_factory=list)  # those that the other end sent and came here
    old: list[bytes] = field(default_factory=list)  # application messages, as they were sent
    last: Transition | None = None
    requests: int = 0  # ResendRequests sent
    number: int = 0  # the highest new MsgSeqNum written in this epoch


class Pair:
    """An initiator (end 0) and an acceptor (end 1)."""

    def __init__(self, seed: int = 0, **settings: object) -> None:
        settings = {"sending_time_tolerance_seconds": None} | settings
        mine: SessionConfig = config(**settings)
        self.ends = (
            End(Session(mine, Role.INITIATOR)),
            End(Session(mine.mirrored(), Role.ACCEPTOR)),
        )
        self.now = NOW
        self.random = random.Random(seed)
        self.resets = 0

    # Inputs ------------------------------------------------------------------------------

    def apply(self, op: Op) -> None:
        name, *arguments = op
        getattr(self, str(name))(*arguments)

    def step(self, who: int, output: Output) -> None:
        """Check and carry out what one input to end `who` led to."""
        end, other = self.ends[who], self.ends[1 - who]
        for row in output.transitions:
            self._check_row(end, row)
        end.session.store.commit()
        for event in output.events:
            if isinstance(event, Received):
                number = int(event.message[11])
                # Invariant 3: at most once, in increasing order.
                assert not end.got or number > end.got[-1], (end.session.id, number, end.got)
                assert number <= other.sent
                end.got.append(number)
                other.owed.discard(number)
        for message in messages(output.data):
            self._check_written(end, message)
        if any(row.rule == "SCH-06" for row in output.transitions):
            end.number = 0  # reset behind what was written, as the connection ended
        assert end.session.next_in == end.session.store.current_in()
        assert end.session.next_out == end.session.store.peek_out()
        if end.session.state is not _S.DISCONNECTED or output.disconnect is not None:
            end.link += end.loss.outgoing(output.data)
        if output.disconnect is not None:
            assert end.session.state is _S.DISCONNECTED
            # The bytes arrive, then the transport is gone for the other end.
            data = bytes(end.link)
            end.link.clear()
            other.link.clear()
            if data:
                self.step(1 - who, other.session.receive(data, self.now))
            self.step(1 - who, other.session.disconnected(self.now))
            other.link.clear()

    def _check_row(self, end: End, row: Transition) -> None:
        last, end.last = end.last, row
        if last is not None:
            assert row.state_before is last.state
            assert row.next_in_before == last.next_in
            assert row.next_out_before == last.next_out
            assert row.time >= last.time
            assert row.step >= last.step
        if row.kind is _K.RESET_BOTH:
            assert row.next_in == 1
            assert row.next_out in (1, 2)
            self.resets += 1
            for each in self.ends:  # SCH-04: what was sent before a reset is gone
                each.owed.clear()
            if row.rule == "LGN-20":  # the Logon that is out already counts as number 1
                end.number = 1
            elif row.rule == "SCH-02":  # no 141=Y tells of it
                end.number = 0
            return
        # Invariant 1: nothing but a reset lowers a counter, and each kind moves only its own.
        assert row.next_in >= row.next_in_before
        assert row.next_out >= row.next_out_before
        assert row.next_in == row.next_in_before or row.kind in RAISES_IN, row
        assert row.next_out == row.next_out_before or row.kind in RAISES_OUT, row
        end.requests += row.kind is _K.RESEND_REQUESTED

    def _check_written(self, end: End, message: Message) -> None:
        number = message.number
        assert number is not None
        if message.get(POSS_DUP_FLAG) == "Y":
            # What was written before a reset in the same step is judged by what was sent then.
            assert number <= max(end.number, end.session.next_out - 1)
            return
        if message.get(RESET_SEQ_NUM_FLAG) == "Y":
            assert number == 1
            end.number = 1
            return
        # SEQ-01: new numbers rise; numbers that were queued or skipped are left out.
        assert number > end.number, (number, end.number, str(message))
        end.number = number
        if message.msg_type == "D":
            end.old.append(message.raw or b"")

    def connect(self) -> None:
        if all(end.session.state is _S.DISCONNECTED for end in self.ends):
            self.step(1, self.ends[1].session.connected(self.now))
            self.step(0, self.ends[0].session.connected(self.now))

    def cut(self) -> None:
        for who, end in enumerate(self.ends):
            end.link.clear()
            self.step(who, end.session.disconnected(self.now))
            end.link.clear()

    def deliver(self, who: int, count: int) -> None:
        """Bytes from end `who` arrive at the other one."""
        end, other = self.ends[who], self.ends[1 - who]
        data = bytes(end.link[:count])
        del end.link[:count]
        if data and other.session.state is not _S.DISCONNECTED:
            self.step(1 - who, other.session.receive(data, self.now))

    def flow(self) -> None:
        """All that is on the way arrives, and what it leads to."""
        for _ in range(STEPS_MAX):
            if not any(end.link for end in self.ends):
                return
            for who in (0, 1):
                self.deliver(who, len(self.ends[who].link))
        raise AssertionError("the two sides never come to rest")

    def send(self, who: int, count: int = 1) -> None:
        end = self.ends[who]
        for _ in range(count):
            if end.session._resetting:
                return
            end.sent += 1
            end.owed.add(end.sent)
            message = Message("D", {11: end.sent})
            self.step(who, end.session.send(message, self.now))

    def lose(self, who: int, count: int) -> None:
        self.ends[who].loss.lose_next(count)

    def skip(self, who: int, count: int) -> None:
        self.step(who, self.ends[who].session.skip(count, self.now))

    def duplicate(self, who: int, which: int) -> None:
        """An old message of end `who` comes again, flagged (PRS-01)."""
        end, other = self.ends[who], self.ends[1 - who]
        if not end.old or other.session.state is not _S.ACTIVE:
            return
        raw = end.old[which % len(end.old)]
        number = next(f[3:] for f in raw.split(b"\x01") if f.startswith(b"34="))
        if int(number) >= other.session.next_in:
            return
        again = end.session._compose.replay(raw, self.now)
        self.step(1 - who, other.session.receive(again, self.now))

    def reset_to(self, who: int, above: int) -> None:
        """End `who` loses patience and sends SequenceReset-Reset: what was missing is gone."""
        end, other = self.ends[who], self.ends[1 - who]
        if end.session.state is not _S.ACTIVE or other.session.state is not _S.ACTIVE:
            return
        self.skip(who, above)
        end.owed.clear()
        me = end.session.config
        raw = wire(
            f"35=4|34=1|49={me.sender_comp_id}|56={me.target_comp_id}|"
            f"36={end.session.next_out}|",
            begin_string=me.begin_string,
            now=self.now,
            digits=me.sending_time_digits,
        )
        end.link += raw

    def lift(self, who: int, above: int) -> None:
        """End `who` does so by the book (SQR-14)."""
        session = self.ends[who].session
        if session.state is _S.ACTIVE and not session.replaying and not session._resetting:
            self.ends[who].owed.clear()
            self.step(who, session.sequence_reset(session.next_out + above, self.now))

    def test(self, who: int) -> None:
        if self.ends[who].session.state is _S.ACTIVE:
            self.step(who, self.ends[who].session.test_request(self.now))

    def logout(self, who: int) -> None:
        if self.ends[who].session.state is _S.ACTIVE:
            self.step(who, self.ends[who].session.logout(self.now, "enough"))

    def reset(self, who: int) -> None:
        session = self.ends[who].session
        if (session.state is _S.ACTIVE and not session.gap and not session._replays) or (
            session.state is _S.DISCONNECTED and session.role is Role.INITIATOR
        ):
            self.step(who, session.reset(self.now))

    def wait(self, seconds: float) -> None:
        """Time passes, from deadline to deadline; what is sent is delivered."""
        until = self.now + round(seconds * NANOSECONDS)
        self.flow()
        for _ in range(STEPS_MAX):
            due = [d for end in self.ends if (d := end.session.deadline) is not None]
            if not due or min(due) > until:
                break
            self.now = max(self.now, min(due))
            self.tick()
            self.flow()
        else:
            raise AssertionError("time stands still")
        self.now = until

    def jump(self, seconds: float) -> None:
        """Time passes while this process sleeps: nothing ticks, then everything is late."""
        self.now += round(seconds * NANOSECONDS)
        self.tick()

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
            ), "a tick that changes nothing would spin"
            self.step(who, output)

    # The end -------------------------------------------------------------------------------

    def settled(self) -> bool:
        one, two = (end.session for end in self.ends)
        return (
            one.state is two.state is _S.ACTIVE
            and one.next_in == two.next_out
            and two.next_in == one.next_out
            and one.gap is two.gap is None
        )

    def heal(self) -> None:
        """No more trouble: a good connection, and both sides must come to agree."""
        for end in self.ends:
            end.loss.heal()
        for _ in range(CONNECTIONS_MAX):
            self.cut()
            self.connect()
            self.flow()
            self.wait(200)
            if all(end.session.state is _S.ACTIVE for end in self.ends):
                break
        for who in (0, 1):
            self.test(who)
            self.flow()
        self.wait(1)
        assert self.settled(), [end.session for end in self.ends]
        for end in self.ends:
            assert not end.owed, (end.session.id, end.owed)


def run(ops: Sequence[Op], **settings: object) -> Pair:
    """A schedule from the first connection to agreement."""
    pair = Pair(**settings)  # type: ignore[arg-type]
    pair.connect()
    pair.flow()
    for op in ops:
        pair.apply(op)
    pair.heal()
    return pair
