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

from fixlab import redact, times
from fixlab.analysis import (
    _finds_bytes,
    _finds_connections,
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
from fixlab.analysis._reconstruct import reconstruct
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
_SHOWN_MAX = 20
_NUMBER_MAX = int(np.iinfo(np.int64).max)
_EVIDENCE_MAX = 12
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

    Returns `Findings`. One trouble is one finding, at its root; what follows from it names it
    in `caused_by` and counts as info. What the log cannot tell lowers the confidence.

    Raises `SchemaError` when `log` is no such frame; `ConfigError` for an `expected_start`
    with a CompID that is not in the log, or a number below 1.

    Source: each finding names its rule.
    """
    frame = check(log, MESSAGES).reset_index(drop=True)
    case = Case(frame, reconstruct(frame, expected_start=expected_start))
    found = in_order([*found_in(case, schedule), *_finds_bytes.defects(case)])
    kept, left_out = capped(found)
    lines = log if hasattr(log, "raw") else None
    return Findings(case, kept, roots(kept), left_out, lines)


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
    - `evidence(i)`: the messages that show finding `i`.
    - `to_html(path)`: all of it as a page to send.
    - `only(session)`: the findings of one session.
    - `gaps`, `ledger`, `resends`, `intervals`: the frames behind the findings.
    - `left_out`: code -> findings of a kind beyond the first 100, which are not in `table`.
    """

    def __init__(
        self,
        case: Shown,
        found: Sequence[Found],
        caused_by: Sequence[int | None],
        left_out: Mapping[str, int],
        lines: _Lines | None,
        session: str | None = None,
    ) -> None:
        self.session = session  # None: of all that are in the log
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
            session,
        )

    def to_html(
        self,
        path: str | os.PathLike[str],
        *,
        about: Mapping[str, str] | None = None,
    ) -> None:
        """Write all of it to `path`: one page of HTML, fit to send to a counterparty.

        Findings with their rules and the messages that show them, and what became of each
        missing number; secrets masked.

        `about` are rows of its heading that only the caller knows, such as
        `{"Ticket": "4711"}`. A log may hold sessions with others as well: `only` leaves them
        out. Raises as `evidence` does.
        """
        from fixlab.analysis.report import Content, page  # here: most findings are no pages

        content = Content(
            table=self.table,
            messages=self.messages,
            session=self.session,
            ledger=self.ledger,
            resends=self.resends,
            evidence=self.evidence,
            notes=[
                f"{count:,} more of {code} in the log are not listed."
                for code, count in self.left_out.items()
            ],
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
        made = self._case.derived(name)
        return made if self.session is None else made[made["session"] == self.session]

    # In words ------------------------------------------------------------------------------

    def summary(self) -> str:
        """What happened, in words: who did what and when, what was lost, what to do."""
        return "\n".join(self._told())

    def _told(self) -> Iterator[str]:
        yield from self._about()
        shown = self._in_order()
        for number, i in enumerate(shown[:_SHOWN_MAX], 1):
            yield ""
            yield from self._paragraph(number, i)
        if len(shown) > _SHOWN_MAX:
            yield ""
            yield f"… and {len(shown) - _SHOWN_MAX:,} more: see `table`."
        notes = [n for n in self._notes() if n]
        if notes:
            yield ""
            yield from notes

    def _in_order(self) -> list[int]:
        """Roots that are faults or risks, the worst first."""
        severity = self.table["severity"].astype("str").tolist()
        roots = [
            i for i in range(len(self)) if severity[i] != "info" and self._caused_by[i] is None
        ]
        return sorted(roots, key=lambda i: (SEVERITIES.index(severity[i]), i))

    def _about(self) -> Iterator[str]:
        case = self._case
        names = list(dict.fromkeys(one.session for one in case.made.directions))
        if self.session is not None:
            names = [self.session]
        rows, first, last = case.extent(self.session)
        when = f", {_clock(first)} to {_clock(last)} UTC" if first != MISSING else ""
        shown = ", ".join(redact.printable(name) for name in names[:3])
        more = f" and {len(names) - 3:,} more sessions" if len(names) > 3 else ""
        yield f"{shown or 'No session'}{more}: {rows:,} messages{when}."
        faults, risks = self.faults, self._count("risk")
        if faults or risks:
            yield f"{_some(faults, 'fault')}, {_some(risks, 'risk')}."
        elif rows:
            yield "Nothing wrong: no rule is broken as far as this log shows."
        else:
            yield "Nothing to tell: the log has no messages."

    def _paragraph(self, number: int, i: int) -> Iterator[str]:
        each, code = self._found[i], CODES[self._found[i].code]
        time = int(self._case.time[each.row])
        when = "" if time == MISSING else f" at {_clock(time)}"
        who = f"{each.side} is at fault" if each.side else "nobody shown to be at fault"
        sure = f", {each.confidence} confidence" if each.confidence != "high" else ""
        yield (
            f"{number}. {each.code} ({each.level}, {code.rule}){when}, row {each.row}: "
            f"{redact.printable(who)}{sure}."
        )
        yield f"   {redact.printable(each.summary)}"
        yield f"   It should have been: {code.expected}"
        yield f"   What to do: {code.advice}"
        follow = [j for j, root in enumerate(self._caused_by) if root == i]
        if follow:
            codes = ", ".join(dict.fromkeys(self._found[j].code for j in follow))
            yield f"   From this follows: {codes}."

    def _notes(self) -> Iterator[str]:
        infos = [
            each
            for each, root, level in zip(
                self._found, self._caused_by, self.table["severity"], strict=True
            )
            if level == "info" and root is None
        ]
        for each in infos[:_SHOWN_MAX]:
            yield f"Note: {redact.printable(each.summary)}"
        if len(infos) > _SHOWN_MAX:
            yield f"Note: … and {len(infos) - _SHOWN_MAX:,} more: see `table`."
        if any(self._case.one_sided[name] for name in self._own_sessions()):
            yield "Note: the log shows one side only; whether the other answered is not known."
        for code, count in self.left_out.items():
            yield f"Note: {count:,} more of {code} are not listed."

    def _own_sessions(self) -> list[str]:
        return list(self._case.one_sided) if self.session is None else [self.session]

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


def _clock(time: int) -> str:
    text = times.format_utc(time, 3).decode()
    return f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[9:]}"


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
            "rule": [CODES[each.code].rule for each in found],
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
