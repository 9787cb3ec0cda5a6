"""`fixlab accept`: a practice counterparty on a port, until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any, assert_never

from fixlab import redact, times
from fixlab.cli import _misbehave
from fixlab.cli._accept_plan import Plan, plan_of
from fixlab.errors import FixLabError
from fixlab.faults.plan import Strike
from fixlab.journal import Journal
from fixlab.net.acceptor import Acceptor, Refused
from fixlab.net.rows import numbers, short, told
from fixlab.session.events import (
    Dropped,
    Ended,
    Established,
    Event,
    GapClosed,
    GapNoticed,
    Received,
    RejectReceived,
    RoundTrip,
)
from fixlab.session.transitions import SessionState, Transition
from fixlab.wire.message import Message
from fixlab.wire.tags import HEADER_TAGS, TRAILER_TAGS

_JOURNAL_ROWS_MAX = 10_000  # nobody reads it here; it must not grow for weeks
_MESSAGE_MAX = 400  # characters shown of a message


def run(arguments: argparse.Namespace) -> int:
    """Listen until SIGTERM or Ctrl-C, then log out of all sessions; returns 0.

    2, with one line on stderr, when it cannot listen: the port is taken, a file is missing, a
    setting makes no sense. `--misbehave help` only lists the faults.
    """
    if arguments.misbehave == "help":
        print(_misbehave.help_text())
        return 0
    try:
        plan = plan_of(arguments)
        acceptor, voice = _prepare(plan, echo=arguments.echo)
    except (FixLabError, OSError, ImportError) as error:
        return _complain(error)
    return asyncio.run(_serve(acceptor, voice, plan))


def _prepare(plan: Plan, *, echo: bool) -> tuple[Acceptor, Voice]:
    voice = Voice(echo=echo)
    acceptor = Acceptor(
        plan.sessions,
        host=plan.host,
        port=plan.port,
        store=plan.store,
        log_path=plan.log,
        approve=plan.approve,
        journal=_Told(voice),
        on_event=voice.on_event,
        on_refused=voice.on_refused,
        tls=plan.tls,
        faults=plan.faults,
        seed=plan.seed,
        on_strike=voice.on_strike,
    )
    voice.acceptor = acceptor
    return acceptor, voice


def _complain(error: BaseException) -> int:
    print(f"fixlab accept: {redact.printable(str(error))}", file=sys.stderr)
    return 2


# Listening ----------------------------------------------------------------------------


async def _serve(acceptor: Acceptor, voice: Voice, plan: Plan) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    voice.gone = stop.set
    loop.set_exception_handler(voice.on_error)
    # Not `loop.add_signal_handler()`, which Windows lacks.
    handlers = {
        number: signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        async with acceptor:
            for note in plan.notes:
                voice.say(note)
            voice.say(
                f"listening on {plan.host}:{acceptor.port} for {plan.whom}; Ctrl-C ends it"
            )
            await stop.wait()
            active = sum(s.state is SessionState.ACTIVE for s in acceptor.sessions.values())
            voice.say(f"stopping, {active} sessions to log out")
    except (FixLabError, OSError) as error:
        return _complain(error)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if voice.broken is not None:
        raise voice.broken
    return 0


class Voice:
    """Says what happens, one line an event or decision, and echoes what it is told to."""

    def __init__(self, *, echo: bool) -> None:
        self.acceptor: Acceptor | None = None
        self.gone: Callable[[], None] = lambda: None  # what to do when nobody listens
        self.broken: BrokenPipeError | None = None
        self._echo = echo
        self._clock = times.SystemClock()

    def say(self, text: str) -> None:
        """One line with the time, UTC; secrets masked, nothing that a terminal would obey."""
        if self.broken is not None:
            return
        now = times.format_utc(self._clock.now()).decode()[9:]
        try:
            print(f"{now} {redact.printable(redact.mask(text))}", flush=True)
        except BrokenPipeError as error:
            self.broken = error
            self.gone()

    def on_event(self, session_id: str, event: Event) -> None:
        match event:
            case Established(heartbeat_seconds, reset):
                assert self.acceptor is not None
                caller = self.acceptor.sessions[session_id].caller
                where = f" from {caller.address}" if caller else ""
                both = ", both numbers back at 1" if reset else ""
                what = f"up{where}, heartbeat every {heartbeat_seconds} s{both}"
            case Received(message, _, poss_dup):
                again = " again" if poss_dup else ""
                what = f"received{again} {shown(message)}"
            case GapNoticed(begin, end):
                what = f"gap: {begin} to {end} are missing, asked for"
            case GapClosed(begin, end):
                what = f"gap closed: {begin} to {end}"
            case RejectReceived(_, ref_seq_num, text):
                number = "a message" if ref_seq_num is None else ref_seq_num
                what = f"the peer rejected {number}: {short(text)}"
            case RoundTrip(test_req_id, seconds):
                what = f"TestRequest {short(test_req_id)} answered after {seconds:.3f} s"
            case Dropped(begin, end):
                what = f"stored {numbers(begin, end)} will never be sent"
            case Ended(reason, rule, _):
                what = f"down: {reason}" + (f" ({rule})" if rule else "")
            case _:
                assert_never(event)
        self.say(f"{session_id} {what}")
        if self._echo and isinstance(event, Received):
            self._send_back(session_id, event.message)

    def _send_back(self, session_id: str, message: Message) -> None:
        assert self.acceptor is not None
        try:
            self.acceptor.sessions[session_id].send_nowait(body_of(message))
        except FixLabError as error:
            self.say(f"{session_id} not sent back: {error}")

    def on_row(self, row: Transition) -> None:
        """A committed decision, when it is one that no event tells."""
        what = told(row)
        if what:
            self.say(f"{row.session} {what}")

    def on_strike(self, session_id: str, strike: Strike) -> None:
        """A fault that was asked for has happened."""
        self.say(f"{session_id} on purpose: {_misbehave.told(strike)}")

    def on_refused(self, refused: Refused) -> None:
        self.say(f"refused {refused.address}: {refused.reason} ({refused.rule})")

    def on_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.say(f"error: {context['message']}: {context.get('exception')}")


class _Told(Journal):
    """A journal whose rows are said as they come; they come once they are committed."""

    def __init__(self, voice: Voice) -> None:
        super().__init__(rows_max=_JOURNAL_ROWS_MAX)
        self._voice = voice

    def extend(self, transitions: Iterable[Transition]) -> None:
        """Add transitions, and say those that no event tells."""
        rows = tuple(transitions)
        super().extend(rows)
        for row in rows:
            self._voice.on_row(row)


def shown(message: Message) -> str:
    """A message in one line with bars, secrets masked."""
    raw = message.raw or b""
    text = redact.mask(raw.decode("latin-1")).replace("\x01", "|")
    return text if len(text) <= _MESSAGE_MAX else text[:_MESSAGE_MAX] + "..."


def body_of(message: Message) -> Message:
    """A message to send with the same type and body, field by field."""
    others = HEADER_TAGS | TRAILER_TAGS
    fields = [(tag, value) for tag, value in message.fields if tag not in others]
    return Message(message.msg_type, fields)
