"""`ladder_text()`: the messages between two ends as plain text."""

from __future__ import annotations

import textwrap

import pandas as pd

from fixlab.errors import ConfigError
from fixlab.plots import style
from fixlab.plots._story import Note, Sent, Story, short_name, tell
from fixlab.session.transitions import TransitionKind
from fixlab.times import NANOSECONDS, format_utc

_BODY_MIN = 28  # room for a label and an arrow's head between the two lines
_OUTCOME_MIN = 9  # room for one word on what became of a message
_WIDTH_MIN = 60


def ladder_text(transitions: pd.DataFrame, *, messages_max: int = 60, width: int = 96) -> str:
    """The messages between the two ends of a session, one a line, in plain ASCII.

    Each line has the seconds since the frame's first row, NextNumIn/NextNumOut of each end
    that the message moved (after it left, after it arrived), and the arrow with MsgType, name
    and MsgSeqNum. Dots instead of dashes mean replayed, an X means lost on the way. Lines with
    a star are what an end noticed. Runs of Heartbeats are folded.

    Parameters: `transitions`, a frame of that schema, of one end or of both; `messages_max`,
    as in `ladder()`; `width`, columns a line may take, at least 60.
    Returns lines without trailing spaces; the same frame always gives the same text.
    Raises `ConfigError` for a limit that cannot work, `SchemaError` for another frame.
    """
    if width < _WIDTH_MIN:
        raise ConfigError(f"width must be at least {_WIDTH_MIN} columns, found {width}")
    story = tell(transitions, messages_max=messages_max)
    if story is None:
        return "No transitions: nothing was recorded yet"
    return "\n".join(line.rstrip() for line in _Page(story, width).lines())


class _Page:
    """Column widths of one story, and its lines."""

    def __init__(self, story: Story, width: int) -> None:
        self.story = story
        self.width = width
        messages = [row for row in story.rows if isinstance(row, Sent)]
        span = (story.rows[-1].time - story.start) if story.rows else 0
        self.digits = 3 if span >= NANOSECONDS // 100 or span == 0 else 6
        self.time_width = max(len(self._time(story.start + span)) + 1, len("seconds"))
        self.numbers_width = max(
            [len("in/out")]
            + [len(row.numbers_sender) for row in messages]
            + [len(row.numbers_receiver) for row in messages]
        )
        room = width - self.time_width - 2 * self.numbers_width - 7
        outcomes = [len(self._outcome(i)) for i in range(len(story.rows))]
        # Labels come first: what does not fit behind them is cut short.
        labels = max([0, *(len(row.label) for row in messages)]) + 8
        spare = max(room - max(labels, _BODY_MIN), min(_OUTCOME_MIN, room - _BODY_MIN), 0)
        self.outcome_width = min(max([0, *outcomes]), spare)
        self.body_width = max(room - self.outcome_width, _BODY_MIN)

    def lines(self) -> list[str]:
        story = self.story
        version = story.left.split(":", 1)[0] if ":" in story.left else "FIX"
        start = format_utc(story.start, self.digits).decode("ascii")
        date = f"{start[:4]}-{start[4:6]}-{start[6:8]}"
        left, right = short_name(story.left), short_name(story.right)
        head = [
            f"{style.shorten(version, 8)} session of {style.shorten(left, 24)} and "
            f"{style.shorten(right, 24)}, from {date} {start[9:]} UTC"
        ]
        for name, recorded in ((left, story.left_recorded), (right, story.right_recorded)):
            if not recorded:
                head.append(f"{style.shorten(name, 24)} was not recorded here")
        if story.hidden:
            head.append(story.hidden)
        head = [part for line in head for part in textwrap.wrap(line, self.width)]
        half = self.body_width // 2 - 1
        names = style.shorten(left, half).ljust(half) + " " * (self.body_width - 2 * half)
        names += style.shorten(right, half).rjust(half)
        title = self._line("seconds", "in/out", names, "in/out", "", edge=" ")
        return [*head, title, *(self._row(i) for i in range(len(story.rows))), *self._key()]

    def _line(
        self, time: str, left: str, body: str, right: str, outcome: str, *, edge: str = "|"
    ) -> str:
        return (
            f"{time:>{self.time_width}} {left:>{self.numbers_width}} {edge}{body}{edge} "
            f"{right:<{self.numbers_width}} {outcome}"
        )

    def _time(self, time: int) -> str:
        return f"{(time - self.story.start) / NANOSECONDS:.{self.digits}f}"

    def _row(self, index: int) -> str:
        row = self.story.rows[index]
        if isinstance(row, Note):
            return self._line(self._time(row.time), "", self._note(row), "", "")
        left, right = row.numbers_sender, row.numbers_receiver
        if not row.from_left:
            left, right = right, left
        outcome = style.shorten(self._outcome(index), self.outcome_width)
        return self._line(self._time(row.time), left, self._arrow(row), right, outcome)

    def _outcome(self, index: int) -> str:
        """What became of it, and when, if something else came between."""
        row = self.story.rows[index]
        if isinstance(row, Note):
            return ""
        following = self.story.rows[index + 1] if index + 1 < len(self.story.rows) else None
        late = (
            row.arrival is not None
            and row.arrival_time is not None
            and following is not None
            and row.arrival > following.position
        )
        if not late:
            return row.outcome
        when = f"at {self._time(row.arrival_time or 0)}"
        return f"{when}: {row.outcome}" if row.outcome else f"arrives {when}"

    def _arrow(self, row: Sent) -> str:
        dash = "." if row.again else "-"
        room = self.body_width
        label = style.shorten(row.label, room - 8)
        stem = f"{dash * 2} {label} "
        if row.lost:
            body = f"{stem.ljust(room // 2, dash)}{dash}X"
            if not row.from_left:
                tail = f" {label} {dash * 2}"
                body = f"X{dash}{tail.rjust(room // 2, dash)}"
            return body.ljust(room) if row.from_left else body.rjust(room)
        if row.from_left:
            return f"{stem.ljust(room - 1, dash)}>"
        return f"<{f' {label} {dash * 2}'.rjust(room - 1, dash)}"

    def _note(self, note: Note) -> str:
        room = self.body_width
        text = style.shorten(note.text, room - 4)
        if note.side == "left":
            return f" * {text}".ljust(room)
        if note.side == "right":
            return f"{text} * ".rjust(room)
        if note.meaning == "FOLD":
            return text.center(room)
        return f" {text} ".center(room, "=")

    def _key(self) -> list[str]:
        """What the signs mean, of those that occur."""
        messages = [row for row in self.story.rows if isinstance(row, Sent)]
        signs = ["in/out: NextNumIn/NextNumOut afterwards"]
        if any(row.again for row in messages):
            signs.append("....> replayed")
        if any(row.lost for row in messages):
            signs.append("---X lost")
        if any(isinstance(row, Note) and row.side != "both" for row in self.story.rows):
            signs.append("* noticed by that end")
        noted = {row.meaning for row in self.story.rows if isinstance(row, Note)}
        if TransitionKind.WARNED in noted:
            signs.append("warning: the message broke a rule and was processed all the same")
        if TransitionKind.QUEUED in noted:
            signs.append("stores for later: numbered now, leaves later by replay")
        return ["", *textwrap.wrap("; ".join(signs), self.width)]
