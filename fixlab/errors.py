"""Every exception that fixlab raises on purpose.

A peer's fault is data (a transition that names its rule) and never raises. What raises is the
caller's mistake or a broken store. Each message says what was found, what was expected and
where.
"""

from __future__ import annotations

from datetime import UTC, datetime


class FixLabError(Exception):
    """Base of all fixlab exceptions; catch this one to catch them all."""


class ConfigError(FixLabError, ValueError):
    """A setting or an argument has a value that cannot work."""


class StateError(FixLabError, RuntimeError):
    """A call came at a time when it makes no sense, such as `reset()` with a gap open."""


class StoreError(FixLabError, OSError):
    """A store could not be read or written: locked, full, corrupt, or not a store."""


class MessageError(FixLabError, ValueError):
    """A message to be sent cannot be written as FIX, or text to be parsed is not FIX."""


class DictionaryError(FixLabError, ValueError):
    """A dictionary file cannot be read, or contradicts itself: which file, line and element."""


class LogFormatError(FixLabError, ValueError):
    """A log file is not what its format promises."""


class SchemaError(FixLabError, ValueError):
    """A frame lacks a column, or a column has another dtype than its schema says."""


class ConnectError(FixLabError, ConnectionError):
    """A live session could not be brought up, or did not come back within its limits."""


class Violation(FixLabError, AssertionError):  # noqa: N818  # it is one; nothing went wrong with it
    """A simulated session broke an invariant: `fixlab.sim.checkers.INVARIANTS` has them all.

    Attributes: `invariant`, its id; `sentence`, what must hold; `found`, what was; `rule`, the
    rule that decided the row, or ""; `session`; `time` (ns, UTC); `row`, the `Transition` that
    shows it, or None; `seed` of the run.
    """

    def __init__(
        self,
        *,
        invariant: str,
        sentence: str,
        found: str,
        rule: str,
        session: str,
        time: int,
        row: object,
        seed: int,
    ) -> None:
        self.invariant, self.sentence, self.found = invariant, sentence, found
        self.rule, self.session, self.time = rule, session, time
        self.row, self.seed = row, seed
        moment = datetime.fromtimestamp(time // 1_000_000_000, UTC).strftime(
            "%Y-%m-%d %H:%M:%S"
        )
        where = f"{session}, seed {seed}, {moment} UTC" + (f", {rule}" if rule else "")
        super().__init__(f"{invariant}: {sentence} In {where}: {found}")
