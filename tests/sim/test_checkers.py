"""Checkers: each invariant is broken on purpose here, by a defect put into a session."""

import pickle
from collections.abc import Callable
from dataclasses import replace

import pytest

from fixlab.errors import FixLabError, Violation
from fixlab.faults import Faults, PeerFaults, StoreFaults
from fixlab.session import lifecycle, liveness
from fixlab.session.config import SessionConfig
from fixlab.session.core import Core
from fixlab.session.ending import Ending
from fixlab.session.outbound import Composer, Replay
from fixlab.session.recovering import Recovering
from fixlab.session.session import Session
from fixlab.session.transitions import TransitionKind
from fixlab.sim import Scenario, scenarios, sweep
from fixlab.sim.checkers import INVARIANTS
from fixlab.sim.loopback import Loopback
from fixlab.stores.memory import MemoryStore
from fixlab.wire.message import Message

Patch = pytest.MonkeyPatch
BUY = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL")
SELL = BUY.mirrored()
SEEDS = 300  # more than any of the defects below needs


def no_heartbeats(patch: Patch) -> None:
    due = liveness.due

    def late(*given: object, **more: object) -> object:
        found = due(*given, **more)  # type: ignore[arg-type]  # passed on
        return None if found is liveness.Due.HEARTBEAT else found

    patch.setattr("fixlab.session.liveness.due", late)


def late_heartbeats(patch: Patch) -> None:
    of = liveness.Pulse.of
    patch.setattr(
        liveness.Pulse,
        "of",
        lambda config, seconds: (pulse := of(config, seconds))._replace(
            beat_after=pulse.beat_after * 2
        ),
    )


def a_store_behind(patch: Patch) -> None:
    patch.setattr(MemoryStore, "observed_in", lambda store, number: None)


def another_number(patch: Patch) -> None:
    message = Composer.message

    def wrong(composer: Composer, kind: bytes, number: int, *rest: object) -> bytes:
        return message(composer, kind, number + (number == 4), *rest)  # type: ignore[arg-type]

    patch.setattr(Composer, "message", wrong)


def probes_unanswered(patch: Patch) -> None:
    patch.setattr(Recovering, "_answer_test", lambda session, message: None)


def gaps_not_asked_for(patch: Patch) -> None:
    patch.setattr(Recovering, "_request_missing", lambda session: None)


def fills_one_short(patch: Patch) -> None:
    fill = Replay._fill

    def short(replay: Replay, first: int, new: int, *rest: object) -> object:
        return fill(replay, first, max(first + 1, new - 1), *rest)  # type: ignore[arg-type]

    patch.setattr(Replay, "_fill", short)


def replays_without_their_time(patch: Patch) -> None:
    replay = Composer.replay

    def wrong(composer: Composer, raw: bytes, now: int) -> bytes:
        return replay(composer, raw.replace(b"\x0138=100\x01", b"\x0138=101\x01"), now)

    patch.setattr(Composer, "replay", wrong)


def drops_a_delivery(patch: Patch) -> None:
    expected = Session._on_expected

    def lose(session: Session, message: Message, head: object) -> None:
        expected(session, message, head)  # type: ignore[arg-type]
        session._events = [e for e in session._events if type(e).__name__ != "Received"]

    patch.setattr(Session, "_on_expected", lose)


def resets_on_a_whim(patch: Patch) -> None:
    patch.setattr(Session, "_resets_at_logon", lambda session: session._next_out > 6)


def a_row_out_of_place(patch: Patch) -> None:
    note = Core._note

    def twice(session: Core, kind: TransitionKind, *rest: object, **more: object) -> None:
        note(session, kind, *rest, **more)  # type: ignore[arg-type]
        if kind is TransitionKind.GAP_OPENED:
            session._rows[-1] = session._rows[-1]._replace(next_in_before=1)

    patch.setattr(Core, "_note", twice)


def logs_out_in_silence(patch: Patch) -> None:
    def silent(session: Ending) -> None:
        session._disconnect("LGO-02", "gone", clean=True)

    patch.setattr(Ending, "_answer_logout", silent)


DEFECTS: list[tuple[Callable[[Patch], None], set[str]]] = [
    (no_heartbeats, {"timers"}),
    (late_heartbeats, {"timers"}),
    (a_store_behind, {"store"}),
    (another_number, {"bytes"}),
    (probes_unanswered, {"answers"}),
    (gaps_not_asked_for, {"requests"}),
    (fills_one_short, {"replays"}),
    (replays_without_their_time, {"replays"}),
    (drops_a_delivery, {"delivery"}),
    (resets_on_a_whim, {"resets"}),
    (a_row_out_of_place, {"rows"}),
    (logs_out_in_silence, {"answers"}),
]


@pytest.mark.parametrize(
    ("defect", "found"), DEFECTS, ids=lambda each: getattr(each, "__name__", "")
)
def test_a_defect_is_found_and_named(
    defect: Callable[[Patch], None], found: set[str], monkeypatch: Patch
) -> None:
    defect(monkeypatch)
    runs = sweep(scenarios.anything, SEEDS, workers=1, stop_at_first=True, progress=False)
    last = runs.iloc[-1]
    assert not last["ok"]
    assert last["invariant"] in found, last["text"]


def test_a_checked_loopback_raises_what_it_finds_with_all_one_needs(
    monkeypatch: Patch,
) -> None:
    gaps_not_asked_for(monkeypatch)
    lab = Loopback(check=True, seed=5)
    lab.logon()
    lab.drop(sender="initiator", msg_seq_nums=[2])
    for n in range(2):
        lab.initiator.send(Message("D", {11: n}))
    with pytest.raises(Violation) as caught:
        lab.run(seconds=1)
    violation = caught.value
    assert isinstance(violation, FixLabError)
    assert violation.invariant == "requests"
    assert violation.sentence == INVARIANTS["requests"]
    assert violation.session == lab.acceptor.id
    assert violation.seed == 5
    assert violation.rule == "SEQ-05"
    assert violation.time == lab.clock.now()
    assert "Gap(begin=2, end=2, held=1) is open" in str(violation)


def test_an_unchecked_loopback_raises_nothing(monkeypatch: Patch) -> None:
    gaps_not_asked_for(monkeypatch)
    lab = Loopback()
    lab.logon()
    lab.drop(sender="initiator", msg_seq_nums=[2])
    for n in range(2):
        lab.initiator.send(Message("D", {11: n}))
    lab.run(seconds=1)
    assert lab.acceptor.session.gap is not None


def a_lost_reset() -> Loopback:
    """The acceptor's store has lost a reset: it counts from 7 on, and the other end from 2."""
    lost = Faults(store=StoreFaults(lose_tail=(14,)))
    lab = Loopback(check=True, acceptor_faults=lost)
    lab.logon()
    for n in range(4):
        lab.initiator.send(Message("D", {11: n}))
    lab.run(seconds=1)
    lab.initiator.reset()
    lab.run(seconds=1)
    lab.crash("acceptor")
    assert (lab.acceptor.session.next_in, lab.initiator.session.next_out) == (7, 2)
    return lab


def test_who_lost_a_reset_finds_numbers_too_low_until_they_reach_its_own() -> None:
    lab = a_lost_reset()
    lab.heal()
    assert lab.acceptor.session.next_in == lab.initiator.session.next_out > 7
    compose, now = lab.initiator.session._compose, lab.clock.now()
    again = compose.message(b"D", 7, b"", b"11=again\x01", now)
    with pytest.raises(Violation, match="never uses a number twice"):
        lab.acceptor._arrive(again, now)


# Who beats too slowly reads 15 s in the first Logon, which says 5 s; then one who takes any.
@pytest.mark.parametrize(("misread", "legal"), [((1,), True), ((3,), False)])
def test_only_a_logon_that_is_read_otherwise_may_come_up_against_the_settings(
    monkeypatch: Patch, misread: tuple[int, ...], legal: bool
) -> None:
    if not legal:
        monkeypatch.setattr(lifecycle, "_check_interval", lambda *given: None)
    lab = Loopback(
        check=True,
        config=replace(BUY, heartbeat_seconds=5),
        acceptor_config=replace(SELL, heartbeat_range_seconds=(10, 60)),
        acceptor_faults=Faults(peer=PeerFaults(slow_heartbeats=misread)),
    )
    lab.logon()
    if legal:
        lab.heal()
        return
    with pytest.raises(Violation, match="they cannot log on, and did"):
        lab.heal()


# Faults after which less can be demanded, or of other numbers; and a seed that shows it.
BROKEN = {
    "a reset nobody asked for, and a request, in one read": (
        202119,
        Scenario(
            initiator=BUY,
            acceptor=SELL,
            initiator_faults=Faults(peer=PeerFaults(drop=(1,))),
            acceptor_faults=Faults(peer=PeerFaults(reset_unasked=(1,))),
            steps=(("logon",), ("logon",)),
        ),
    ),
    "a crash behind a reset that was lost twice": (
        0,
        Scenario(
            initiator=BUY,
            acceptor=SELL,
            steps=(
                ("logon",),
                ("reset", "acceptor"),
                ("lose", "acceptor", 2),
                ("run", 3),
                ("logon",),
                ("crash", "acceptor"),
                ("logon",),
            ),
        ),
    ),
    "beats agreed on that are faster than both settings": (
        204923,
        Scenario(
            initiator=replace(
                BUY, profile="quickfixj", heartbeat_seconds=5, reset_on_disconnect=True
            ),
            acceptor=SELL,
            initiator_faults=Faults(
                peer=PeerFaults(number_reused=(4, 7), slow_heartbeats=((1, 2), (1, 3), 6))
            ),
            acceptor_faults=Faults(peer=PeerFaults(bad_begin_string=(7, 11))),
            steps=(("logon",), ("run", 31), ("connect",)),
        ),
    ),
}


@pytest.mark.parametrize("why", BROKEN)
def test_what_a_broken_engine_may_do_is_no_fault_of_a_session(why: str) -> None:
    seed, scenario = BROKEN[why]
    outcome = scenario.run(seed)
    assert outcome.ok, outcome.text


def test_each_invariant_has_a_sentence() -> None:
    assert all(text.endswith(".") and text[0].isupper() for text in INVARIANTS.values())
    assert pickle.loads(pickle.dumps(dict(INVARIANTS))) == INVARIANTS
