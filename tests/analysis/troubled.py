"""Made-up logs of sessions in trouble: mostly recoveries, most of them as they should be."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pandas as pd

from tests.analysis.framed import T0, Row, frame_of

_ODD = (
    "logon",
    "reset",
    "logout",
    "jump",
    "probe",
    "bad",
    "rewind",
    "stray",
    "nothing",
    "high",
)


class _Talk:
    """One session while it is made up: rows, and the next number of both sides."""

    def __init__(self, rng: random.Random, session: int, view: str, odd: float) -> None:
        self.rng, self._session, self._view, self._odd = rng, session, view, odd
        self.next = [rng.choice([1, 1, 7]), rng.choice([1, 1, 9])]
        self.rows: list[Row] = []

    def say(self, who: int, msg_type: str = "D", number: int | None = None, **more: Any) -> int:
        """A message; with its own number when none is given."""
        if number is None:
            number, self.next[who] = self.next[who], self.next[who] + 1
        names = ("US", f"THEM{self._session}")
        self.rows.append(
            {
                "session": f"FIX.4.4:US->THEM{self._session}",
                "direction": "" if not self._view else self._ways()[who],
                "sender": names[who],
                "target": names[1 - who],
                "msg_type": msg_type,
                "msg_seq_num": number,
                **more,
            }
        )
        return number

    def _oddly(self) -> bool:
        """Whether something goes another way than it should, this time."""
        return self.rng.random() < self._odd / 3

    def _ways(self) -> tuple[str, str]:
        return ("out", "in") if self._view == "ours" else ("in", "out")

    def chat(self, most: int = 4) -> None:
        for _ in range(self.rng.randint(0, most)):
            self.say(self.rng.randint(0, 1), self.rng.choice("D8D80"))

    def recover(self, who: int) -> None:
        """Numbers of `who` are lost, asked for, and come again; now and then oddly."""
        rng = self.rng
        hidden = rng.random() < 0.6  # the log does not show what is missing
        begin = self.next[who]
        count = rng.choice([1, 1, 2, 3, 5])
        if hidden:
            self.next[who] += count
        else:
            for _ in range(count):
                self.say(who)
        for _ in range(rng.randint(1, 3)):
            self.say(who)
            if rng.random() < 0.3:
                self.say(1 - who)
        reach = begin + count - 1
        if rng.random() < 0.9 or not hidden:
            reach = self._ask(who, begin, reach)
            if self._oddly():
                self._ask_once_more(who, begin, begin + count - 1)
        self._answer(who, begin, reach)

    def _ask_once_more(self, who: int, begin: int, end: int) -> None:
        self._ask(who, begin, end)

    def _ask(self, who: int, begin: int, end: int) -> int:
        """The last number that is asked for."""
        rng, last = self.rng, self.next[who] - 1
        if self._oddly():
            begin += rng.choice([-1, 1])
        end = rng.choice([end, end, 0, 0, end + 1, end + 50, 999_999])
        if self._oddly():
            end = rng.choice([end - 1, begin])
        self.say(1 - who, "2", begin_seq_no=max(begin, 0), end_seq_no=max(end, 0))
        return min(end, last) if end else last

    def _answer(self, who: int, begin: int, end: int) -> None:
        rng = self.rng
        top = self.next[who] - 1 if rng.random() < 0.2 else end
        top -= self._oddly()
        at = begin
        while at <= top:
            if rng.random() < 0.15:
                self.say(rng.randint(0, 1))
            if self._oddly():
                at += rng.choice([-1, 1])
            if rng.random() < 0.4:
                stop = rng.randint(at, max(at, top) + self._oddly())
                dup = rng.random() < 0.9
                self.say(who, "4", at, gap_fill=True, poss_dup=dup, new_seq_no=stop + 1)
                at = stop + 1
            else:
                self.say(who, "8", max(at, 1), poss_dup=not self._oddly())
                at += 1
            if self._oddly():
                return

    def odd(self, what: str) -> None:
        """Anything else that may happen."""
        rng, who = self.rng, self.rng.randint(0, 1)
        if what == "logon":
            self.say(who, "A", heart_bt_int=30)
            self.say(1 - who, "A", heart_bt_int=30)
        elif what == "reset":
            self.next = [1, 1]
            self.say(who, "A", reset=True)
            if rng.random() < 0.9:
                self.say(1 - who, "A", reset=rng.random() < 0.8)
        elif what == "logout":
            self.say(who, "5")
            if rng.random() < 0.8:
                self.say(1 - who, "5")
        elif what == "jump":
            new = self.next[who] + rng.randint(-1, 4)
            self.say(who, "4", self.next[who], new_seq_no=max(new, 1))
            self.next[who] = max(new, 1)
        elif what == "probe":
            self.say(who, "1", test_req_id="x")
            self.say(1 - who, "0", test_req_id="x")
        elif what == "bad":
            self.say(who, valid=False, defect=rng.choice(["check_sum", "truncated"]))
        elif what == "rewind":
            self.next[who] = max(self.next[who] - 3, 1)
            if rng.random() < 0.5:
                self.say(who, "A", heart_bt_int=30)
                self.say(1 - who, "A", heart_bt_int=30)
        elif what == "stray":
            self.say(who, "8", max(self.next[who] - rng.randint(-2, 5), 1), poss_dup=True)
        elif what == "high":
            self.say(who, "2", self.next[who] + 2, begin_seq_no=1, end_seq_no=0)


def troubled(
    seed: int, *, size: int = 40, odd: float = 0.12, sessions: int = 2
) -> pd.DataFrame:
    """A `messages` frame; `size` things happen in it, `odd` of them no recoveries."""
    rng = random.Random(f"{seed}/troubled")
    view = rng.choice(["", "ours", "theirs"])
    talks = [_Talk(rng, session, view, odd) for session in range(sessions)]
    for talk in talks:
        if rng.random() < 0.7:
            talk.odd("logon")
    for _ in range(size):
        talk = rng.choice(talks)
        talk.chat()
        if rng.random() < odd:
            talk.odd(rng.choice(_ODD))
        else:
            talk.recover(rng.randint(0, 1))
    return frame_of(_mixed(rng, talks))


def proper(seed: int, *, size: int = 25, odd: float = 0.1) -> pd.DataFrame:
    """A frame of sessions that the oracle knows.

    Connections begin with a Logon from each side, resets are answered, and a number is asked
    for once in a connection. Answers may be wrong in any way, or never come.
    """
    rng = random.Random(f"{seed}/proper")
    view = rng.choice(["", "ours", "theirs"])
    talks = [_Proper(rng, session, view, odd) for session in range(2)]
    for talk in talks:
        talk.next = [1, 1]
        talk.odd("logon")
    for _ in range(size):
        talk = rng.choice(talks)
        talk.chat()
        if rng.random() < 0.2:
            talk.odd(rng.choice(["logon", "reset", "logout", "jump", "stray", "probe"]))
        else:
            talk.recover(rng.randint(0, 1))
    return frame_of(_mixed(rng, talks))


class _Proper(_Talk):
    """A session in which both sides keep to the order of Logons, Logouts and requests."""

    def __init__(self, rng: random.Random, session: int, view: str, odd: float) -> None:
        super().__init__(rng, session, view, odd)
        self._left: dict[int, tuple[int, int]] = {}  # what an answer has left out

    def odd(self, what: str) -> None:
        """What the oracle knows of it."""
        who = self.rng.randint(0, 1)
        if what == "logout":
            self.say(who, "5")
            self.say(1 - who, "5")
        if what == "reset":
            self.next = [1, 1]
            self._left.clear()
            self.say(who, "A", reset=True)
            self.say(1 - who, "A", reset=True)
        elif what in ("logout", "logon"):
            super().odd("logon")
            self._ask_again()
        else:
            super().odd(what)

    def _ask_again(self) -> None:
        """RRQ-09: what the last connection left is asked for again, or is not."""
        for who, (begin, end) in list(self._left.items()):
            if self.rng.random() < 0.7:
                del self._left[who]
                end = self._ask(who, begin, end)
                self._answer(who, begin, end)

    def _ask(self, who: int, begin: int, end: int) -> int:
        """The last number that is asked for."""
        last = self.next[who] - 1
        end = self.rng.choice([end, end, 0, 0, end + 1, end + 50, 999_999])
        self.say(1 - who, "2", begin_seq_no=begin, end_seq_no=end)
        return min(end, last) if end else last

    def _ask_once_more(self, who: int, begin: int, end: int) -> None:
        """It does not."""

    def _answer(self, who: int, begin: int, end: int) -> None:
        if self.rng.random() < 0.1:
            self._left[who] = (begin, end)
        else:
            super()._answer(who, begin, end)


def _mixed(rng: random.Random, talks: Sequence[_Talk]) -> list[Row]:
    """The rows of all sessions, each in its order."""
    grouped = rng.random() < 0.2
    left = [list(reversed(talk.rows)) for talk in talks]
    rows: list[Row] = []
    while any(left):
        chosen = (
            next(one for one in left if one)
            if grouped
            else rng.choice([one for one in left if one])
        )
        rows.append(chosen.pop() | {"time": T0 + len(rows) * 1_000_000})
    return rows
