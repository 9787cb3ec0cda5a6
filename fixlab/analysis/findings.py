"""analyze(): what went wrong in a log, who did it, and the messages that show it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from fixlab import redact
from fixlab.analysis import (
    _finds_bytes,
    _finds_connections,
    _finds_damage,
    _finds_fills,
    _finds_gaps,
    _finds_numbers,
    _finds_requests,
    _finds_time,
)
from fixlab.analysis._case import Case, Found, Shown
from fixlab.analysis._codes import CODES, FOLLOWS
from fixlab.analysis._evidence import Evidence
from fixlab.analysis._finds_connections import Schedule
from fixlab.analysis._letter import Letter
from fixlab.analysis._once import once
from fixlab.analysis._reconstruct import reconstruct
from fixlab.analysis._uncollected import uncollected
from fixlab.errors import ConfigError
from fixlab.frames import (
    CONFIDENCES,
    FINDINGS,
    MESSAGES,
    MISSING,
    SEVERITIES,
    build,
    categorical,
    check,
)

_SAME_MAX = 100  # findings of one code, session and side that are told one by one
_NUMBER_MAX = int(np.iinfo(np.int64).max)
_EVIDENCE_MAX = 12
_BEGINS_MAX = 4  # sides in a note
_GROUPS = (
    *(_finds_gaps, _finds_requests, _finds_fills, _finds_numbers),
    *(_finds_connections, _finds_time, _finds_bytes),
)


class _Lines(Protocol):
    def raw(self, row: int) -> bytes:
        """The bytes of a row, secrets masked."""


def analyze(
    log: Any,
    *,
    expected_start: Mapping[str, int] | None = None,
    schedule: Schedule | None = None,
) -> Findings:
    """What went wrong in a log: each broken rule, the side at fault, and the rows that show it.

    Parameters
    - `log`: a `Log`, or a `messages` frame (then `evidence` shows columns, not lines).
    - `expected_start`: CompID -> the first MsgSeqNum(34) due from it, where the caller knows.
      Without it a log that begins in the middle is not judged on what came before.
    - `schedule`: when the session is open; Logons outside of it are findings.

    A message that stands in two files of the log, with the same times, counts once.

    Returns `Findings`. A finding is a "fault" where a rule was broken, a "risk" where none was
    and it will hurt all the same, and else an "info". One trouble is one finding, at its root;
    what follows from it names it in `caused_by` and counts as info. What the log cannot tell
    lowers the confidence.

    For example, who broke a rule, and the messages that show the first case:

        found = fixlab.analyze(fixlab.read_log("venue.log"))
        faults = found.table[found.table["severity"] == "fault"]
        faults[["time", "side", "rule", "summary"]]
        found.evidence(faults.index[0])

    Raises `SchemaError` when `log` is no such frame; `ConfigError` for an `expected_start`
    with a CompID that is not in the log, or a number below 1.

    Source: each finding names its rule.
    """
    frame = check(log, MESSAGES).reset_index(drop=True)
    lines = log if hasattr(log, "raw") else None
    looked_at = once(frame)
    with uncollected():
        made = reconstruct(looked_at.frame, expected_start=expected_start)
        case = Case(looked_at.frame, made, lines, repeated=looked_at.repeated)
        found = in_order([*found_in(case, schedule), *_finds_damage.defects(case)])
    kept, left_out = capped(found)
    return Findings(
        *(case, kept, roots(kept), left_out, lines),
        expected_start=expected_start,
        notes=(*getattr(log, "notes", ()), *looked_at.notes),
    )


def found_in(case: Case, schedule: Schedule | None) -> list[Found]:
    """All findings but those about damaged messages, which no session may own."""
    found: list[Found] = []
    for group in _GROUPS:
        for find in group.ALL:
            found += find(case)
    found += _finds_connections.outside(case, schedule)
    return found


def in_order(found: Sequence[Found]) -> list[Found]:
    """In the order of the log; what one row shows in the order of the codes."""
    place = {code: i for i, code in enumerate(CODES)}
    return sorted(found, key=lambda each: (each.row, place[each.code]))


def capped(found: Sequence[Found]) -> tuple[list[Found], dict[str, int]]:
    """At most `_SAME_MAX` of a kind, and how many were left out of which code."""
    count: Counter[tuple[str, str, str]] = Counter()
    left_out: Counter[str] = Counter()
    kept = []
    for each in found:
        key = (each.code, each.session, each.side)
        count[key] += 1
        if count[key] <= _SAME_MAX:
            kept.append(each)
        else:
            left_out[each.code] += 1
    return kept, {code: left_out[code] for code in CODES if code in left_out}


def roots(found: Sequence[Found]) -> list[int | None]:
    """For each finding the position of the one it follows from."""
    about: dict[tuple[Any, ...], list[int]] = {}
    for i, each in enumerate(found):
        for topic in dict.fromkeys(each.topics):
            about.setdefault(topic, []).append(i)
    cause: list[int | None] = [None] * len(found)
    for i, each in enumerate(found):
        near = {
            j
            for topic in each.topics
            for j in about[topic]
            # What only shares a connection comes later, but for how the one before it ended.
            if j != i
            and (
                topic[0] != "connection"
                or found[j].row <= each.row
                or each.code == "ENDED_WITHOUT_LOGOUT"
            )
        }
        first = [j for j in sorted(near) if each.code in FOLLOWS.get(found[j].code, ())]
        if first:
            cause[i] = first[0]
    # A root that follows from another one hands its consequences on.
    for i, at in enumerate(cause):
        seen = {i}
        while at is not None and cause[at] is not None and at not in seen:
            seen.add(at)
            at = cause[at]
        cause[i] = at
    return cause


class Findings:
    """What `analyze` found. `print(findings.summary())` tells it like a colleague would.

    - `table`: one row a finding, schema `fixlab.frames.FINDINGS`, in the order of the log.
    - `faults`: how many of them are faults.
    - `evidence(i)`: the messages that show finding `i`, which is its row in `table`.
    - `to_html(path)`: all of it as a page to send.
    - `only(session)`: the findings of one session.
    - `gaps`, `ledger`, `resends`, `intervals`: the frames behind the findings; `messages`: the
      log itself.
    - `left_out`: code -> findings of a kind beyond the first 100, which are not in `table`.
    - `notes`: what the reader should know of the reading of the log, in words.
    """

    def __init__(
        self,
        case: Shown,
        found: Sequence[Found],
        caused_by: Sequence[int | None],
        left_out: Mapping[str, int],
        lines: _Lines | None,
        *,
        session: str | None = None,
        expected_start: Mapping[str, int] | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.session = session  # None: of all that are in the log
        self.notes = tuple(notes)
        self._expected_start = dict(expected_start or {})
        self._case, self._found, self._caused_by = case, list(found), list(caused_by)
        self._lines = lines
        self.left_out = dict(left_out)
        self.table = _table(case, found, caused_by)

    def __len__(self) -> int:
        return len(self._found)

    @property
    def faults(self) -> int:
        """How many findings are faults: rules that were broken."""
        return self._count("fault")

    def _count(self, severity: str) -> int:
        return int((self.table["severity"] == severity).sum())

    def evidence(self, i: int) -> Evidence:
        """The messages that show finding `i`: at most 12, in the order of the log.

        Raises `ConfigError` when the log's file is gone or has changed, and `IndexError` when
        there is no such finding.
        """
        each = self._found[i]
        last = len(self._case.time)
        rows = sorted({row for row in (each.row, *each.rows) if 0 <= row < last})
        rows = rows[:_EVIDENCE_MAX]
        return Evidence(tuple(rows), tuple(self._line(row) for row in rows))

    def _line(self, row: int) -> str:
        if self._lines is not None:
            return redact.printable(self._lines.raw(row).replace(b"\x01", b"|"))
        case = self._case
        names = ("direction", "msg_type", "msg_seq_num", "poss_dup", "begin_seq_no",
                 "end_seq_no", "new_seq_no", "text")  # fmt: skip
        values = case.frame.loc[row, list(names)]
        return redact.printable(" ".join(f"{name}={values[name]}" for name in names))

    def only(self, session: str) -> Findings:
        """The findings of one session of the log, numbered anew.

        Raises `ConfigError` when the log has no such session.
        """
        known = [name for name in self._case.sessions if name]
        if session not in known:
            shown = ", ".join(known[:6]) + (", ..." if len(known) > 6 else "")
            raise ConfigError(f"no session {session!r} in the log; expected one of {shown}")
        kept = [i for i, each in enumerate(self._found) if each.session == session]
        place = {old: new for new, old in enumerate(kept)}
        return Findings(
            self._case,
            [self._found[i] for i in kept],
            [None if (at := self._caused_by[i]) is None else place[at] for i in kept],
            self.left_out,
            self._lines,
            session=session,
            expected_start=self._expected_start,
            notes=self.notes,
        )

    def to_html(
        self,
        path: str | os.PathLike[str],
        *,
        about: Mapping[str, str] | None = None,
    ) -> None:
        """Write all of it to `path`: one page of HTML, fit to send to a counterparty.

        Findings with their rules and the messages that show them, pictures of what was
        missing, asked for and silent, and what became of each missing number; secrets masked.
        The same findings always give the same page.

        `about` are rows of its heading that only the caller knows, such as
        `{"Ticket": "4711"}`. A log may hold sessions with others as well: `only` leaves them
        out. Raises as `evidence` does.
        """
        # Here, since most findings become no pages; and pictures are above this layer.
        from fixlab.analysis.report import Content, page
        from fixlab.plots.pictures import pictures

        content = Content(
            table=self.table,
            messages=self.messages,
            session=self.session,
            ledger=self._surely_missing(self.ledger),
            resends=self.resends,
            evidence=self.evidence,
            notes=list(self._notes()),
            figures=list(
                pictures(
                    self._case.extent(self.session).span,
                    self._own_sessions(),
                    gaps=self._surely_missing(self.gaps),
                    resends=self.resends,
                    intervals=self.intervals,
                )
            ),
            about=about or {},
        )
        text = page(content)
        Path(path).write_text(text, encoding="utf-8")

    # Frames --------------------------------------------------------------------------------

    @property
    def messages(self) -> pd.DataFrame:
        """The frame that was looked at, all of its sessions, rows numbered from 0."""
        return self._case.frame

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """One row a gap: see `fixlab.gaps`."""
        return self._view("gaps")

    @cached_property
    def ledger(self) -> pd.DataFrame:
        """One row a missing number: see `fixlab.ledger`."""
        return self._view("ledger")

    @cached_property
    def resends(self) -> pd.DataFrame:
        """One row a ResendRequest: see `fixlab.resends`."""
        return self._view("resends")

    @cached_property
    def intervals(self) -> pd.DataFrame:
        """One row a silence: see `fixlab.intervals`."""
        return self._view("intervals")

    def _view(self, name: str) -> pd.DataFrame:
        return self._case.derived(name, self.session, self._expected_start)

    def _surely_missing(self, made: pd.DataFrame) -> pd.DataFrame:
        """Gaps or a ledger less the sessions whose logger left messages out."""
        unsure = self._case.filtered
        if not unsure:
            return made
        # A gap's session is that of the side that missed.
        mirrored = {f"{v}:{b}->{a}" for v, a, b in map(_ends, unsure)}
        return made[~made["session"].isin(unsure | mirrored)]

    # In words ------------------------------------------------------------------------------

    def summary(self) -> str:
        """What happened, in words: who did what and when, what was lost, what to do.

        `[2]` is finding 2: `evidence(2)` shows its messages.
        """
        letter = Letter(
            table=self.table,
            rows=[each.row for each in self._found],
            extent=self._case.extent(self.session),
            ledger=self._surely_missing(self.ledger),
            sessions=self._own_sessions(),
            notes=list(self._notes()),
        )
        return letter.text()

    def _notes(self) -> Iterator[str]:
        if any(self._case.one_sided[name] for name in self._own_sessions()):
            yield "The log shows one side only; whether the other answered is not known."
        yield from self._begins_late()
        yield from self._told_of_the_log()

    def _begins_late(self) -> Iterator[str]:
        """What came before the log is not judged: with which numbers it begins."""
        late = [
            one
            for one in self._case.made.directions
            if one.begun is not None and one.begun > 1 and self.session in (None, one.session)
        ]
        if late:
            shown = [
                f"{one.begun} of {redact.printable(one.sender)}" for one in late[:_BEGINS_MAX]
            ]
            more = len(late) - len(shown)
            rest = f" and others of {more:,} more sides" if more else ""
            yield (
                f"The log begins with MsgSeqNum(34) {', '.join(shown)}{rest}; what came before "
                "is not known."
            )

    def _told_of_the_log(self) -> Iterator[str]:
        yield from (note if note.endswith(".") else f"{note}." for note in self.notes)
        for code, count in self.left_out.items():
            yield f"{count:,} more of {code} in the log are not listed."

    def _own_sessions(self) -> list[str]:
        return list(self._case.one_sided) if self.session is None else [self.session]

    def _in_order(self) -> list[int]:
        """Roots that are faults or risks, the worst first."""
        severity = self.table["severity"].astype("str").tolist()
        roots = [
            i for i in range(len(self)) if severity[i] != "info" and self._caused_by[i] is None
        ]
        return sorted(roots, key=lambda i: (SEVERITIES.index(severity[i]), i))

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{code} {count}" if count > 1 else code
            for code, count in Counter(self._found[i].code for i in self._in_order()).items()
        )
        return (
            f"<Findings {_some(self.faults, 'fault')}, {_some(self._count('risk'), 'risk')}, "
            f"{_some(self._count('info'), 'note')}{': ' + counts if counts else ''}>"
        )

    def _repr_html_(self) -> str:
        told = redact.escape_lines(self.summary())
        return f"<pre>{told}</pre>"


def _some(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _ends(session: str) -> tuple[str, str, str]:
    """Version, own and other CompID of a session."""
    version, _, ends = session.partition(":")
    own, _, other = ends.partition("->")
    return version, own, other


def _table(
    case: Shown, found: Sequence[Found], caused_by: Sequence[int | None]
) -> pd.DataFrame:
    def number(value: int | None) -> int:
        # One past the largest number that can be read is none that a column can hold.
        return MISSING if value is None else min(value, _NUMBER_MAX)

    rows = [each.row for each in found]
    levels = [
        "info" if root is not None else each.level
        for each, root in zip(found, caused_by, strict=True)
    ]
    return build(
        FINDINGS,
        {
            "code": categorical([list(CODES).index(each.code) for each in found], list(CODES)),
            "severity": categorical([SEVERITIES.index(each) for each in levels], SEVERITIES),
            "confidence": categorical(
                [CONFIDENCES.index(each.confidence) for each in found], CONFIDENCES
            ),
            "rule": [each.rule or CODES[each.code].rule for each in found],
            "side": [redact.printable(each.side) or None for each in found],
            "by": [redact.printable(each.by) or None for each in found],
            "session": [redact.printable(each.session) for each in found],
            "time": case.time[np.array(rows, np.int64)],
            "msg_seq_num": case.number[np.array(rows, np.int64)],
            "begin_seq_no": np.array([number(each.begin) for each in found], np.int64),
            "end_seq_no": np.array([number(each.end) for each in found], np.int64),
            "caused_by": np.array([number(root) for root in caused_by], np.int64),
            "summary": [redact.printable(each.summary) for each in found],
            "expected": [CODES[each.code].expected for each in found],
            "advice": [CODES[each.code].advice for each in found],
        },
    )
