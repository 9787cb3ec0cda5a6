"""fixlab over TCP as the system under test, with an application that echoes orders."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterable
from typing import Any

from fixlab.conformance import CASES, ListeningTarget, LiveTarget
from fixlab.conformance.application import EchoApplication, order_to_send
from fixlab.conformance.model import Case
from fixlab.conformance.targets import Hook, Identity
from fixlab.errors import FixLabError
from fixlab.net.acceptor import Acceptor
from fixlab.net.driver import Driver
from fixlab.net.initiator import Initiator
from fixlab.session.config import SessionConfig
from fixlab.session.events import Event, Received
from tests.dictionary.published import published


class Venue:
    """The sessions of one engine, each with its application, and the hooks of an operator."""

    def __init__(self, begin_string: str) -> None:
        self.begin_string = begin_string
        self.drivers: dict[str, Driver] = {}  # by CompID of the runner
        self._applications: dict[str, EchoApplication] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def config(self, runner: str, heartbeat_seconds: int = 30) -> SessionConfig:
        return SessionConfig(
            sender_comp_id="SUT",
            target_comp_id=runner,
            begin_string=self.begin_string,
            dictionary=published(self.begin_string),
            supported_types=frozenset({"D"}),
            heartbeat_seconds=heartbeat_seconds,
            # Shorter than usual: a test has better things to do than to wait.
            logout_timeout_seconds=1.0,
            disconnect_wait_seconds=0.2,
        )

    def on_event(self, runner: str, event: Event) -> None:
        if isinstance(event, Received):
            for answer in self.application(runner).answers(event.message):
                self.drivers[runner].send_nowait(answer)

    def application(self, runner: str) -> EchoApplication:
        return self._applications.setdefault(runner, EchoApplication())

    def hooks(self) -> dict[str, Hook]:
        def stop(identity: Identity, count: int) -> None:
            self.start(self.drivers[identity.runner].logout())

        def app_send(identity: Identity, count: int) -> None:
            for number in range(count):
                order = order_to_send(self.begin_string, number, "20260105-09:00:00")
                self.drivers[identity.runner].send_nowait(order)

        def app_down(identity: Identity, count: int) -> None:
            self.application(identity.runner).down = True

        def app_up(identity: Identity, count: int) -> None:
            self.application(identity.runner).down = False

        return {"stop": stop, "app-send": app_send, "app-down": app_down, "app-up": app_up}

    def start(self, story: Any) -> None:
        async def quietly() -> None:
            # The case ends it as it likes; what the engine thinks of that is its own affair.
            with contextlib.suppress(FixLabError, TimeoutError):
                await story

        task = asyncio.ensure_future(quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def names(cases: Iterable[str]) -> dict[str, str]:
    """A CompID of the runner for each case."""
    return {ref: f"R{number}" for number, ref in enumerate(cases)}


@contextlib.asynccontextmanager
async def acceptor(
    cases: Iterable[str],
    begin_string: str = "FIX.4.4",
    *,
    engine_tls: ssl.SSLContext | None = None,
    **settings: Any,
) -> AsyncIterator[LiveTarget]:
    """fixlab's Acceptor, with a session for each case; `settings` of the target."""
    venue, named = Venue(begin_string), names(cases)

    def on_event(session: str, event: Event) -> None:
        venue.on_event(session.rpartition(">")[2], event)

    configs = [venue.config(name) for name in named.values()]
    async with Acceptor(configs, on_event=on_event, tls=engine_tls) as it:
        venue.drivers |= {s.rpartition(">")[2]: driver for s, driver in it.sessions.items()}
        yield LiveTarget(
            "127.0.0.1",
            it.port,
            **{
                "identities": lambda case: (named[case.ref], "SUT"),
                "begin_string": begin_string,
                "reset": "fresh",
                "hooks": venue.hooks(),
                "pause_seconds": 0,
                "parallel": 60,
                **settings,
            },
        )
        await venue.settle()


@contextlib.asynccontextmanager
async def initiators(
    cases: Iterable[str],
    begin_string: str = "FIX.4.4",
    *,
    engine_tls: ssl.SSLContext | None = None,
    **settings: Any,
) -> AsyncIterator[ListeningTarget]:
    """An Initiator of fixlab for each case, which connects when its case waits for it."""
    venue, named = Venue(begin_string), names(cases)
    beats = {named[ref]: CASES[ref].heartbeat_seconds for ref in named}

    def connect(identity: Identity, count: int) -> None:
        runner = identity.runner
        if runner not in venue.drivers:
            beat = beats.get(runner)
            venue.drivers[runner] = Initiator(
                venue.config(runner, 30 if beat is None else beat),
                port=target.port,
                on_event=lambda event: venue.on_event(runner, event),
                reconnects_max=0,
                tls=engine_tls,
            )
        driver = venue.drivers[runner]
        assert isinstance(driver, Initiator)
        venue.start(_come(driver))

    def identity(case: Case) -> tuple[str, str]:
        return named[case.ref], "SUT"

    target = ListeningTarget(
        **{
            "identities": identity,
            "begin_string": begin_string,
            "reset": "fresh",
            "hooks": {**venue.hooks(), "connect": connect},
            "parallel": 60,
            **settings,
        }
    )
    yield target
    await venue.settle()
    for driver in venue.drivers.values():
        await driver.close()


async def _come(driver: Initiator) -> None:
    """Connect as soon as it is over with the connection before."""
    for _ in range(100):
        try:
            await driver.connect()
            return
        except FixLabError:
            await asyncio.sleep(0.02)
