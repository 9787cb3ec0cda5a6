"""Files that hold nothing new: a copy of another one, or one made while that was growing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from fixlab.logs._sources import Source, opened

_HEAD_BYTES = 1024  # nearly all files that differ do so in these
_CHUNK_BYTES = 1 << 18
_COMPARED_MAX = 16  # of files that begin alike, and none of which is all of another's beginning
_NAMED_MAX = 3


def without_copies(found: Sequence[Source]) -> list[Source]:
    """The files less those all of whose bytes, expanded, are the beginning of another one.

    What stays says in its `notes` what was left out for it; of equal ones the first stays.
    """
    if len(found) < 2:
        return list(found)
    within = _within(found)
    copies: dict[int, list[int]] = {}
    for i in sorted(within):
        original = within[i]
        while original in within:
            original = within[original]
        copies.setdefault(original, []).append(i)
    return [
        replace(source, notes=(_note(source, [found[j] for j in copies[i]]),))
        if i in copies
        else source
        for i, source in enumerate(found)
        if i not in within
    ]


def _within(found: Sequence[Source]) -> dict[int, int]:
    """Files that are the beginning of another one, and that one."""
    heads = [_head(source) for source in found]
    within: dict[int, int] = {}
    alike: list[int] = []  # what may be the beginning of the file at hand, or the other way
    # In this order what begins a text stands before it, with nothing but its like in between.
    for i in sorted(range(len(found)), key=lambda i: (heads[i], i)):
        while alike and not heads[i].startswith(heads[alike[-1]]):
            alike.pop()
        if not heads[i]:  # it begins everything, and is a copy of nothing
            continue
        for j in alike[-_COMPARED_MAX:]:
            beginning = _beginning(found[j], found[i])
            if beginning is found[i]:
                within[i] = j
                break
            if beginning is found[j]:
                within[j] = i
                alike.remove(j)
        if i not in within:
            alike.append(i)
    return within


def _head(source: Source) -> bytes:
    with closing(opened(source)) as stream:
        head = bytearray(_HEAD_BYTES)
        return bytes(head[: stream.readinto(memoryview(head))])


def _beginning(first: Source, second: Source) -> Source | None:
    """Which of two files the other one begins with; the second of equal ones."""
    with closing(opened(first)) as one, closing(opened(second)) as other:
        ours, theirs = bytearray(_CHUNK_BYTES), bytearray(_CHUNK_BYTES)
        while True:
            got, more = one.readinto(memoryview(ours)), other.readinto(memoryview(theirs))
            size = min(got, more)
            if ours[:size] != theirs[:size]:
                return None
            if size < _CHUNK_BYTES:
                return second if more == size else first


def _note(original: Source, copies: Sequence[Source]) -> str:
    path, paths = Path(original.path), [Path(copy.path) for copy in copies]
    # A folder is nobody's business, unless the names are the same.
    same = any(each.name == path.name for each in paths)
    whole, *names = (
        "/".join(each.parts[-2:]) if same else each.name for each in (path, *paths)
    )
    listed = ", ".join(names[:_NAMED_MAX])
    if len(names) == 1:
        return f"{listed} is left out: all that is in it stands in {whole} as well"
    more = f" and {len(names) - _NAMED_MAX:,} more" if len(names) > _NAMED_MAX else ""
    return f"{listed}{more} are left out: all that is in them stands in {whole} as well"
