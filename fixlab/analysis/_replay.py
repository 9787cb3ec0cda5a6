"""replay(): what an engine did in a log, beside what fixlab's own session would have done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd

from fixlab import redact, times
from fixlab.analysis._acts import Act
from fixlab.analysis._habits import Line, settings_of
from fixlab.analysis._once import once
from fixlab.analysis._rehearsal import Rehearsal
from fixlab.analysis._stage import Deviation
from fixlab.errors import ConfigError
from fixlab.frames import FINDINGS, MESSAGES, MISSING, REPLAY, build, check, nanoseconds
from fixlab.rules import RULES, Level
from fixlab.session.config import SessionConfig
from fixlab.session.profiles import PROFILES
from fixlab.session.transitions import SessionState
from fixlab.wire.message import Message

_SHOWN_MAX = 20
_SKEW_MAX = 60 * times.NANOSECONDS  # between log and SendingTime(52): more is another clock


class _Readable(Protocol):
    """A log whose messages can be read again."""

    @property
    def frame(self) -> pd.DataFrame: ...

    def messages(self, rows: Sequence[int] | None = None) -> Iterator[Message]: ...


class Step(NamedTuple):
    """One message of the log, and where fixlab's session stands behind it."""

    row: int  # in the log's frame
    time: int  # ns
    session: str
    received: Message | None  # what came to the engine
    sent: Message | None  # or what it sent
    expected: tuple[str, ...]  # what it has yet to send, by its rules
    state: SessionState
    next_in: int
    next_out: int
    deviations: tuple[Deviation, ...]  # that show in this row

    def __repr__(self) -> str:
        message = self.received or self.sent
        way = "in " if self.received is not None else "out"
        act = "" if message is None else str(Act.of(message))
        parts = [f"{way} {act}"]
        if self.expected:
            parts.append(f"owes {'; '.join(self.expected)}")
        parts += [f"{one.kind} ({one.rule}): {one.summary}" for one in self.deviations]
        return f"<Step row {self.row}: {' | '.join(parts)}>"


@dataclass(frozen=True, slots=True, repr=False)
class Replay:
    """An engine's deviations from its rules.

    - `table`: one row a deviation, schema `fixlab.frames.REPLAY`.
    - `findings`: the same rows with the columns of findings only.
    - `steps()`: each message of the log in turn, with the session's state behind it.
    - `configs`: how each session was set up, by its name.
    - `notes`: what limits the comparison, in words.
    """

    table: pd.DataFrame
    configs: dict[str, SessionConfig]
    notes: tuple[str, ...]
    _source: _Source

    @property
    def findings(self) -> pd.DataFrame:
        """The deviations as findings."""
        return self.table[FINDINGS.names]

    def steps(self) -> Iterator[Step]:
        """Walk through the log once more, one message at a time."""
        return self._source.steps()

    def __len__(self) -> int:
        return len(self.table)

    def _words(self) -> list[str]:
        names = ", ".join(
            f"{redact.printable(name)} ({config.profile})"
            for name, config in self.configs.items()
        )
        count = len(self.table)
        found = "no deviation" if not count else f"{count:,} deviation{'s'[: count > 1]}"
        lines = [f"{found} in {names or 'no session'}"]
        for row in self.table.head(_SHOWN_MAX).itertuples():
            lines.append(f"row {row.row}: {row.rule} {row.summary}")
        if count > _SHOWN_MAX:
            lines.append(f"… and {count - _SHOWN_MAX:,} more")
        return [*lines, *(f"note: {note}" for note in self.notes)]

    def __repr__(self) -> str:
        return "<Replay " + "\n  ".join(self._words()) + ">"

    def _repr_html_(self) -> str:
        text = redact.escape_lines("\n".join(self._words()))
        if not len(self.table):
            return f"<pre>{text}</pre>"
        columns = ["time", "rule", "severity", "side", "msg_seq_num", "summary", "expected"]
        shown = self.table[columns].head(_SHOWN_MAX)
        return f"<pre>{text}</pre>{shown.to_html(escape=True)}"


def replay(
    log: _Readable,
    *,
    side: str | None = None,
    profile: str = "spec",
    config: SessionConfig | None = None,
    tolerance_seconds: float = 5.0,
) -> Replay:
    """Feed what one side received through a `Session` and list where that side did otherwise.

    Parameters
    - `log`: as `read_log` gives it; each session in it that `side` takes part in is played.
    - `side`: the CompID whose engine is judged; who kept the log when None.
    - `profile`: the engine that it is, a name of `fixlab.session.profiles.PROFILES`.
    - `config`: its settings as seen from its own side; the profile is then the config's own.
      When None they are read off the log, and the waits that it cannot show have no end. A
      deviation that another setting would explain then has low confidence and names it.
    - `tolerance_seconds`: how long an answer may take, and how late a timer may be.

    The session runs on the times of the log. What the engine decides alone (orders, Logout,
    TestRequest, a reset, a Logon) is taken over. Behind a deviation the session goes on as the
    engine did, so that one trouble is told once. A log that begins in the middle is joined with
    the numbers it shows; what is due when a log, or a connection, ends is not held against
    anybody. Severity is `fault` where a MUST of the texts was broken, else `risk`.

    Returns a `Replay`. For example, what the engine should have done at each deviation:

        played = fixlab.replay(fixlab.read_log("venue.log"), profile="quickfix")
        played.table[["time", "rule", "summary", "expected"]]

    Raises `SchemaError` for what is no log, `ConfigError` for a frame without its messages, an
    unknown side or profile, and a config of another session.

    Source: all rules that `Session` follows; each row names its own.
    """
    frame = once(check(log, MESSAGES)).frame
    if not hasattr(log, "messages"):
        raise ConfigError("replay() needs the messages themselves: a log as read_log gives it")
    if profile not in PROFILES:
        raise ConfigError(f"profile must be one of {', '.join(PROFILES)}, found {profile!r}")
    if not 0 < tolerance_seconds <= 3_600:
        raise ConfigError(
            f"tolerance_seconds must be above 0, to 3600, found {tolerance_seconds}"
        )
    source = _Source(log, frame, side, profile, config, times.seconds(tolerance_seconds))
    found = [
        (session, deviation)
        for session in source.sessions
        for deviation in source.rehearse(session)
    ]
    configs = {one.name: one.config for one in source.sessions}
    return Replay(_table(found), configs, tuple(source.notes), source)


class _Played(NamedTuple):
    """One session that is played."""

    name: str
    side: str
    peer: str
    config: SessionConfig
    keeps_log: bool
    lines: list[Line]


class _Source:
    """The sessions of a log, and their messages."""

    def __init__(
        self,
        log: _Readable,
        frame: pd.DataFrame,
        side: str | None,
        profile: str,
        config: SessionConfig | None,
        tolerance: int,
    ) -> None:
        self._log, self._tolerance = log, tolerance
        self._side, self._profile, self._given = side, profile, config
        self.notes: list[str] = []
        self.sessions = [one for one in map(self._played, _sessions(frame)) if one is not None]
        if not self.sessions:
            names = ", ".join(redact.printable(one.name) for one in _sessions(frame)[:5])
            raise ConfigError(
                f"no session to play: expected one of {side or 'who kept the log'}, "
                f"found {names or 'none'}"
            )

    def rehearse(self, session: _Played) -> Iterator[Deviation]:
        """All deviations of one session, in their order."""
        for _, deviations in self._walk(session):
            yield from deviations

    def steps(self) -> Iterator[Step]:
        """All messages of all sessions, one session after the other."""
        for session in self.sessions:
            for step, _ in self._walk(session):
                if step is not None:
                    yield step

    def _walk(self, one: _Played) -> Iterator[tuple[Step | None, tuple[Deviation, ...]]]:
        rehearsal = Rehearsal(
            one.config,
            one.lines,
            self._tolerance,
            keeps_log=one.keeps_log,
            given=self._given is not None,
        )
        messages = self._log.messages([line.row for line in one.lines])
        for at, message in enumerate(messages):
            line = one.lines[at]
            deviations = rehearsal.take(at, message)
            session = rehearsal.session
            step = Step(
                line.row,
                line.time,
                one.name,
                None if line.out else message,
                message if line.out else None,
                tuple(rehearsal.due()),
                session.state,
                session.next_in,
                session.next_out,
                deviations,
            )
            yield step, deviations
        yield None, rehearsal.finish()

    def _played(self, found: _Session) -> _Played | None:
        side = self._side or found.keeper
        if not side or side not in (found.sides):
            return None
        peer = next((name for name in found.sides if name != side), side)
        lines = _lines(self._log, found, side)
        if not lines:
            return None
        config = self._given or self._deduced(found, side, peer, lines)
        if (config.sender_comp_id, config.target_comp_id) != (side, peer):
            raise ConfigError(
                f"config is of {config.session_id}, expected one of {side} to {peer}"
            )
        return _Played(found.name, side, peer, config, side == found.keeper, lines)

    def _deduced(
        self, found: _Session, side: str, peer: str, lines: Sequence[Line]
    ) -> SessionConfig:
        settings = settings_of(lines)
        if abs(found.skew) > _SKEW_MAX:
            settings["sending_time_tolerance_seconds"] = None
            self.notes.append(
                f"{redact.printable(found.name)}: times of the log and SendingTime(52) are "
                f"{found.skew / times.NANOSECONDS:.0f} s apart, so HDR-04 is not checked"
            )
        return SessionConfig(
            sender_comp_id=side,
            target_comp_id=peer,
            begin_string=found.begin_string,
            profile=self._profile,
            **settings,
        )


# What a log holds ---------------------------------------------------------------------------


class _Session(NamedTuple):
    """The rows of one session."""

    name: str
    begin_string: str
    keeper: str  # "" when nobody knows
    sides: tuple[str, str]
    rows: pd.DataFrame
    at: list[int]  # positions of the rows in the frame
    skew: float  # ns


def _sessions(frame: pd.DataFrame) -> list[_Session]:
    found = []
    for name, places in frame.groupby("session", observed=True).indices.items():
        at = np.asarray(places, np.int64)
        begin_string, _, pair = str(name).partition(":")
        rows = frame.iloc[at]
        senders = [str(one) for one in rows["sender"].astype("str").unique() if one]
        targets = [str(one) for one in rows["target"].astype("str").unique() if one]
        names = list(dict.fromkeys([*senders, *targets]))
        if len(names) != 2:
            continue  # nobody, or somebody who talks to himself
        known = rows["direction"].astype("str").ne("").any()
        keeper = next((one for one in names if pair.startswith(f"{one}->")), "")
        lag = (rows["time"] - rows["sending_time"]).dropna()
        skew = (
            float(np.median(lag.to_numpy("timedelta64[ns]").view(np.int64)))
            if len(lag)
            else 0.0
        )
        sides = (names[0], names[1])
        found.append(
            _Session(
                str(name), begin_string, keeper if known else "", sides, rows, at.tolist(), skew
            )
        )
    return found


def _lines(log: _Readable, found: _Session, side: str) -> list[Line]:
    """The messages of a session that an engine can have taken for one; times never fall."""
    rows = found.rows
    time = nanoseconds(rows, "time")
    sender = rows["sender"].astype("str").to_numpy(object)
    usable = (
        rows["valid"].to_numpy(bool)
        | rows["defect"].isin(["body_length", "check_sum"]).to_numpy(bool)
    ) & (time != MISSING)
    at = [row for row, good in zip(found.at, usable, strict=True) if good]
    beats = rows["heart_bt_int"].array
    lines, last = [], 0
    chosen = [place for place, good in enumerate(usable) if good]
    for row, place, message in zip(at, chosen, log.messages(at), strict=True):
        last = max(last, int(time[place]))
        beat = None if beats[place] is pd.NA else int(beats[place])
        lines.append(Line(row, last, sender[place] == side, Act.of(message), beat))
    return lines


# The table ----------------------------------------------------------------------------------


def _confidence(one: Deviation) -> str:
    if one.setting:
        return "low"
    return "medium" if one.deduced else "high"


def _table(found: Sequence[tuple[_Played, Deviation]]) -> pd.DataFrame:
    found = sorted(found, key=lambda one: one[1].row)
    deviations = [deviation for _, deviation in found]

    def column(name: str) -> list[Any]:
        return [getattr(one, name) for one in deviations]

    def integers(name: str) -> list[int]:
        return [MISSING if value is None else min(value, 2**63 - 1) for value in column(name)]

    rules = [RULES.get(one.rule) for one in deviations]
    musts = [rule is not None and rule.level is Level.MUST for rule in rules]
    return build(
        REPLAY,
        {
            "code": [f"REPLAY_{one.kind.upper()}" for one in deviations],
            "severity": ["fault" if must else "risk" for must in musts],
            "confidence": [_confidence(one) for one in deviations],
            "rule": column("rule"),
            "side": [session.side for session, _ in found],
            "by": [session.side if one.by_itself else session.peer for session, one in found],
            "session": [session.name for session, _ in found],
            "time": column("time"),
            "msg_seq_num": integers("number"),
            "begin_seq_no": integers("begin"),
            "end_seq_no": integers("end"),
            "caused_by": [MISSING] * len(found),
            "summary": column("summary"),
            "expected": column("expected"),
            "advice": ["" if rule is None else f"{rule.id}: {rule.expected}" for rule in rules],
            "kind": column("kind"),
            "row": column("row"),
            "cause_row": integers("cause_row"),
        },
    )
