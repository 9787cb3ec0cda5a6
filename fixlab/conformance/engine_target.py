"""EngineTarget: a real engine as the system under test, with a session for each case."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping

from fixlab.conformance.catalogue import CASES
from fixlab.conformance.live import ListeningTarget, LiveTarget
from fixlab.conformance.model import Case, CaseResult
from fixlab.conformance.profile import Profile
from fixlab.conformance.targets import Hook, Identity
from fixlab.engines import Engine, EngineSession, dictionary_settings, engine_kind
from fixlab.errors import ConfigError
from fixlab.session.transitions import Role

_OWN = "QF"  # CompID of the engine
PARALLEL = 200  # cases at once; nearly all of them only wait
# Hooks of the runner, and what the engine is told. `connect` is for initiators alone.
_COMMANDS: Mapping[str, Callable[[int], tuple[object, ...]]] = {
    "connect": lambda count: ("logon",),
    "stop": lambda count: ("logout",),
    "app-send": lambda count: ("send", count, "APP", 0),
}


class EngineTarget:
    """A real engine in a process of its own, as acceptor or initiator, on this machine.

    It starts when a run begins and ends with it. Each case has a CompID of its own, hence fresh
    numbers, so that all are played at once. Its application echoes orders; the engine checks
    messages against the published dictionary. Comes with `pip install "fixlab[engines]"`.

    Parameters: `kind`, `"quickfix"` or `"fixcore"`; `role` of the engine; `begin_string`;
    `cases` that will be played, None: the catalogue; `settings`, further lines of the
    configuration of each session, such as `("CheckLatency=N",)`.

    Raises `ConfigError` when the package is missing, and, during a run, `ConnectError` when the
    engine does not start or has crashed.
    """

    def __init__(
        self,
        kind: str,
        role: Role | str = Role.ACCEPTOR,
        *,
        begin_string: str = "FIX.4.4",
        cases: Mapping[str, Case] | None = None,
        settings: Iterable[str] = (),
        parallel: int = PARALLEL,
    ) -> None:
        self._kind = engine_kind(kind)
        self._kind.require()
        self.role = Role(role)
        self.begin_string = begin_string
        self.parallel = parallel
        known = CASES if cases is None else cases
        self._names = {
            case.ref: f"C{number}-{re.sub('[^A-Za-z0-9-]', '-', case.ref)}"
            for number, case in enumerate(known.values(), 1)
        }
        lines = (*dictionary_settings(begin_string), *settings)
        self._sessions = [
            EngineSession(begin_string, self._names[case.ref], _settings(case, lines), _OWN)
            for case in known.values()
        ]
        self._engine: Engine | None = None
        self._live: LiveTarget | ListeningTarget | None = None
        commands = self._kind.replies
        self.hooks = frozenset(
            hook
            for hook, told in _COMMANDS.items()
            if told(0)[0] in commands and (hook != "connect" or self.role is Role.INITIATOR)
        )

    def __repr__(self) -> str:
        return f"<EngineTarget {self}>"

    def __str__(self) -> str:
        return f"{self._kind.title} as {self.role.value}, {self.begin_string}"

    async def open(self) -> None:
        """Start the engine."""
        engine = Engine(self._kind, self.role.value, self._sessions)
        try:
            await asyncio.to_thread(engine.start)
            live = self._new_target(engine)
            await live.open()
        except BaseException:
            engine.close()
            raise
        self._engine, self._live = engine, live

    async def close(self) -> None:
        """End the engine; twice is harmless."""
        engine, live = self._engine, self._live
        self._engine = self._live = None
        if engine is not None and live is not None:
            # First the engine: an initiator would go on to connect to whoever still listens.
            try:
                await asyncio.to_thread(engine.stop)
            finally:
                await live.close()

    async def play_live(self, case: Case, profile: Profile) -> CaseResult:
        """Play one case on a session of its own."""
        assert self._live is not None, "the target is not open"
        return await self._live.play_live(case, profile)

    def _new_target(self, engine: Engine) -> LiveTarget | ListeningTarget:
        hooks = {name: self._hook(name, engine) for name in self.hooks}
        if self.role is Role.ACCEPTOR:
            return LiveTarget(
                "127.0.0.1",
                engine.port,
                identities=self._identity,
                begin_string=self.begin_string,
                reset="fresh",
                hooks=hooks,
                pause_seconds=0,
                parallel=self.parallel,
            )
        return ListeningTarget(
            engine.port,
            identities=self._identity,
            begin_string=self.begin_string,
            reset="fresh",
            hooks=hooks,
            parallel=self.parallel,
        )

    def _identity(self, case: Case) -> tuple[str, str]:
        if case.ref not in self._names:
            raise ConfigError(
                f"the engine has no session for case {case.ref}; give EngineTarget its cases"
            )
        return self._names[case.ref], _OWN

    def _hook(self, name: str, engine: Engine) -> Hook:
        async def call(identity: Identity, count: int) -> None:
            session = EngineSession(
                self.begin_string, identity.runner, sender=identity.target
            ).id
            command, *arguments = _COMMANDS[name](count)
            if engine.kind.replies[str(command)]:
                await asyncio.to_thread(engine.ask, str(command), session, *arguments)
            else:
                engine.tell(str(command), session, *arguments)

        return call


def _settings(case: Case, lines: tuple[str, ...]) -> tuple[str, ...]:
    """An initiator proposes HeartBtInt(108) itself, so it is told what the case needs.

    QuickFIX knows no 0 there, so that it proposes its own and the case is SKIP.
    """
    if not case.heartbeat_seconds:
        return lines
    return (*lines, f"HeartBtInt={case.heartbeat_seconds}")
