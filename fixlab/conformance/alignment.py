"""Two transcripts of one case, line beside line, whatever the times, ids and texts in them.

`align` pairs the entries of two runs so that as many as possible say the same (Needleman and
Wunsch); `parting` is the first pair that does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fixlab.conformance.model import Entry

ENTRIES_MAX = 300  # of a transcript that are compared; the effort grows with the square
_SAME, _FIELDS_DIFFER, _INSTEAD = 6, 3, 1  # how much a pair is worth; a lone entry is worth 0
# What matters in a message of the counterparty, beside its MsgType(35): the value of these, ...
_VALUES = frozenset(
    (7, 16, 34, 36, 43, 45, 97, 98, 108, 123, 141, 371, 372, 373, 380, 789, 1137)
)
# ... and that these are there: texts and ids are everyone's own, and times never agree.
_PRESENT = frozenset((58, 112, 122))
_SENT = frozenset((34,))  # of a message of the runner: its stimuli are the same


class Pair(NamedTuple):
    """One line of two transcripts; None where one has nothing to set beside the other."""

    left: Entry | None
    right: Entry | None
    tags: tuple[int, ...] = ()  # fields that matter and differ
    # The other has the same, but before or behind messages that went the other way meanwhile.
    crossed: bool = False

    @property
    def same(self) -> bool:
        """Whether both say the same."""
        return self.left is not None and self.right is not None and not self.tags


class _Token(NamedTuple):
    """What of an entry is compared."""

    connection: int
    direction: str
    kind: str  # MsgType(35), or the words of what is no message
    fields: tuple[tuple[int, str], ...]

    @property
    def idle(self) -> bool:
        """A Heartbeat that nobody asked for: when it comes is a matter of time."""
        return self.kind == "0" and 112 not in dict(self.fields)


def fields_of(text: str) -> tuple[tuple[int, str], ...]:
    """The fields of a message as a transcript has it; none when it is not one."""
    pairs = [part.partition("=") for part in text.split("|")]
    if not text.startswith("8=") or "35" not in (tag for tag, _, _ in pairs):
        return ()
    return tuple(
        (int(tag), value) for tag, _, value in pairs if tag.isascii() and tag.isdigit()
    )


def align(left: Sequence[Entry], right: Sequence[Entry]) -> tuple[Pair, ...]:
    """Both transcripts in their order, each entry in one pair."""
    left, right = left[:ENTRIES_MAX], right[:ENTRIES_MAX]
    ours, theirs = [_token(one) for one in left], [_token(one) for one in right]
    crossed = _crossed(ours, theirs)
    pairs = []
    for i, j in _matched(ours, theirs):
        if i is not None and j is not None:
            pairs.append(Pair(left[i], right[j], _differing(ours[i], theirs[j])))
        elif i is not None:
            pairs.append(Pair(left[i], None, crossed=i in crossed[0]))
        elif j is not None:
            pairs.append(Pair(None, right[j], crossed=j in crossed[1]))
    return tuple(pairs)


def parting(pairs: Sequence[Pair]) -> int | None:
    """Where the two part: the first pair that is not the same, or None.

    A Heartbeat that nobody asked for counts only when nothing else differs and their number
    does, by more than one: one more or less is a matter of when each run ended.
    """
    idle = [0, 0]
    first_idle = None
    for at, pair in enumerate(pairs):
        if pair.same or pair.crossed:
            continue
        lone = pair.left or pair.right
        if (pair.left is None or pair.right is None) and lone and _token(lone).idle:
            idle[pair.left is None] += 1
            first_idle = at if first_idle is None else first_idle
            continue
        return at
    return first_idle if abs(idle[0] - idle[1]) > 1 else None


def _matched(
    ours: Sequence[_Token], theirs: Sequence[_Token]
) -> Iterator[tuple[int | None, int | None]]:
    """Positions that belong together, in order; None where one has nothing."""
    worth = _worth(ours, theirs)
    i = j = 0
    while i < len(ours) or j < len(theirs):
        here = worth[i][j]
        if i < len(ours) and j < len(theirs):
            score = _score(ours[i], theirs[j])
            if score and here == score + worth[i + 1][j + 1]:
                yield i, j
                i, j = i + 1, j + 1
                continue
        if j == len(theirs) or (i < len(ours) and here == worth[i + 1][j]):
            yield i, None
            i += 1
        else:
            yield None, j
            j += 1


def _crossed(ours: Sequence[_Token], theirs: Sequence[_Token]) -> tuple[set[int], set[int]]:
    """Positions of what is the same for whoever looks at one direction alone.

    Messages of both sides may cross on their way: which is noted first is a matter of time.
    """
    found: tuple[set[int], set[int]] = (set(), set())
    for sent in (True, False):
        left, right = (
            [at for at, token in enumerate(tokens) if (token.direction == ">") is sent]
            for tokens in (ours, theirs)
        )
        alone = _matched([ours[at] for at in left], [theirs[at] for at in right])
        for i, j in alone:
            if i is not None and j is not None and ours[left[i]] == theirs[right[j]]:
                found[0].add(left[i])
                found[1].add(right[j])
    return found


def _worth(ours: Sequence[_Token], theirs: Sequence[_Token]) -> list[list[int]]:
    """What the best alignment of the rest is worth, from each pair of positions on."""
    worth = [[0] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
    for i in range(len(ours) - 1, -1, -1):
        for j in range(len(theirs) - 1, -1, -1):
            score = _score(ours[i], theirs[j])
            paired = score + worth[i + 1][j + 1] if score else 0
            worth[i][j] = max(paired, worth[i + 1][j], worth[i][j + 1])
    return worth


def _score(left: _Token, right: _Token) -> int:
    if left == right:
        return _SAME
    if left[:2] != right[:2] or left.idle != right.idle:
        return 0
    return _FIELDS_DIFFER if left.kind == right.kind else _INSTEAD


def _token(entry: Entry) -> _Token:
    fields = fields_of(entry.text)
    if not fields:
        # Why a connection closed, in an operating system's words, and bytes that are no message
        # are told in brackets or behind a colon; what the runner sent of the kind is the same.
        words = re.split(r" ?[(:]", entry.text)[0]
        if entry.direction == ">":
            words = words.partition(" ")[0]
        return _Token(entry.connection, entry.direction, words, ())
    values = _SENT if entry.direction == ">" else _VALUES
    present = frozenset() if entry.direction == ">" else _PRESENT
    kept = [
        (tag, value if tag in values else "")
        for tag, value in fields
        if tag in values or tag in present
    ]
    kind = dict(fields)[35]
    return _Token(entry.connection, entry.direction, kind, tuple(sorted(kept)))


def _differing(left: _Token, right: _Token) -> tuple[int, ...]:
    """Tags whose fields differ; MsgType(35) for another message, or other words."""
    if left.kind != right.kind:
        return (35,)
    return tuple(sorted({tag for tag, _ in set(left.fields) ^ set(right.fields)}))
