"""What the checkers share: the invariants, what is known of each end, how one is broken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NoReturn

from fixlab.errors import Violation
from fixlab.faults import PeerFaults
from fixlab.session.liveness import Pulse
from fixlab.session.transitions import Role, SessionState, Transition, TransitionKind
from fixlab.sim.endpoint import Endpoint, Lab

_S, _K = SessionState, TransitionKind

INVARIANTS: Mapping[str, str] = MappingProxyType(
    {
        "rows": "Each row begins where the one before it ended: state, numbers, time and step.",
        "counters": "Only a reset lowers a number, and each kind of row moves only its own.",
        "store": "Session, store and the last row hold the same numbers after each step.",
        "bytes": "Each message written has its row and each such row its message, in order.",
        "sending": "Nothing is sent that the state of the session does not allow.",
        "numbers": "New messages bear rising numbers, each of them once between two resets.",
        "delivery": "The application sees each number once, in order, as it was sent.",
        "answers": "TestRequest, Logon and Logout are answered in the step that takes them.",
        "requests": "What is missing is asked for at once, and once, from the number due on.",
        "replays": "A replay covers each number asked for exactly once, as it was first sent.",
        "inbound": "What a correct peer sends is neither garbled, nor too low, nor rejected.",
        "resets": "Numbers restart only where an option, a schedule or a call wants it.",
        "timers": "Heartbeats, probes and time-outs come when they are due, and not before.",
        "effort": "Recovery ends: what is written is bounded by what was missing.",
        "crash": "A process that dies comes back with the numbers of its last commit.",
        "agreement": "Once nothing fails any more, both ends agree on both numbers.",
        "fates": "Each application message is delivered once, or a row says why it never is.",
    }
)

_CORRECT = PeerFaults()


@dataclass(slots=True)
class Watch:
    """What the checkers know of one end, on their own account."""

    last: Transition | None = None
    entered: int = 0  # when its state last changed
    sent_at: int = 0
    received_at: int = 0
    probed_at: int | None = None
    pulse: Pulse | None = None  # what the last Logon exchange agreed on
    fastest: int | None = None  # the least HeartBtInt(108) that one agreed on
    asked_at: int = 0  # when it last sent a ResendRequest, or NextNumIn moved
    asked: tuple[int, int] | None = None  # range of the open gap's last request
    asks: int = 0  # requests since NextNumIn last moved
    requests: int = 0  # all requests
    number: int = 0  # highest new number written since the last reset
    covered: list[tuple[int, int]] = field(default_factory=list)  # of the replay under way
    delivered: int = 0  # highest number delivered since the last reset
    ordinal: int = 0  # of the last order delivered
    originals: dict[int, bytes] = field(default_factory=dict)
    gap: bool = False  # numbers are missing
    prompt: set[int] = field(default_factory=set)  # queued on this connection: leaves on it
    waiting: set[int] = field(default_factory=set)  # queued, and not left yet
    untold: set[int] = field(default_factory=set)  # of these, dropped in this step
    used: int = 0  # highest number used when this step began
    fresh: bool = True  # no replay was under way then
    replaying: bool = False  # one is under way
    written: int = 0  # messages
    received: int = 0
    stale: bool = False  # its numbers are those of a step that was not committed
    forgiven: bool = False  # its store failed it: it may deliver once more what it delivered


class Watcher:
    """Both ends of a loopback, watched; the checks are in the layers above."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._watches = {role: Watch() for role in Role}
        configs = [lab._ends[role].session.config for role in Role]
        self._may_reset = any(
            c.reset_on_logon or c.reset_on_logout or c.reset_on_disconnect for c in configs
        )
        self._timely = all(c.sending_time_tolerance_seconds is None for c in configs)

    def refused(self) -> bool:
        """Whether the two cannot log on to each other at all."""
        one, two = (self._lab._ends[role].session.config for role in Role)
        asked = one.heartbeat_seconds
        least, most = two.heartbeat_range_seconds or (0, asked)
        flags = [bool(c.test_session) for c in (one, two)]
        tested = [c.test_session is not None for c in (one, two)]
        return not least <= asked <= most or (any(tested) and flags[0] != flags[1])

    def agrees(self) -> bool:
        """Whether the two must agree in the end, whatever happens."""
        ends = list(self._lab._ends.values())
        configs = [end.session.config for end in ends]
        # And a store that failed may have failed to keep a reset.
        died = any(end._died or self._watches[end.session.role].forgiven for end in ends)
        if died and any(
            end.session.config.schedule is not None and end.session.store.epoch is None
            for end in ends
        ):
            return False  # SCH-02: what was used before its first connection has no age
        if configs[0].next_expected != configs[1].next_expected:
            return False  # LGN-23: who agreed to 789 takes no Logon without it
        if any(c.reset_on_logon for c in configs):
            return True
        alone = [(c.reset_on_logout, c.reset_on_disconnect) for c in configs]
        if not any(map(any, alone)):
            return True
        # SCH-06: a process that dies does not see its connection end, and resets nothing.
        return all(map(all, alone)) and not died

    def _peer(self, end: Endpoint) -> Endpoint:
        ends = self._lab._ends
        role = end.session.role
        return ends[Role.ACCEPTOR if role is Role.INITIATOR else Role.INITIATOR]

    def _is_correct(self, end: Endpoint) -> bool:
        """Whether what `end` writes is what its session wrote, but for what is lost."""
        return end._faults.peer == _CORRECT

    def _fail(
        self, invariant: str, end: Endpoint, row: Transition | None, found: str
    ) -> NoReturn:
        if row is not None:
            found += (
                f" (row {row.kind} of step {row.step}, {row.msg_type or 'no'} message "
                f"{row.msg_seq_num or ''}, NextNumIn {row.next_in}, NextNumOut {row.next_out})"
            )
        raise Violation(
            invariant=invariant,
            sentence=INVARIANTS[invariant],
            found=found,
            rule=row.rule if row else "",
            session=end.id,
            time=self._lab.clock.now(),
            row=row,
            seed=self._lab.seed,
        )
