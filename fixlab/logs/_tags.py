"""The columns that `tags=[...]` adds: named and typed as the specification has the field."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab import facts, frames
from fixlab.errors import ConfigError
from fixlab.frames import MISSING
from fixlab.logs import _tag_types, _words
from fixlab.logs._columns import shown
from fixlab.redact import MASKED, SECRET_TAGS

TAGS_MAX = 100  # columns added; whole messages are there on demand
_TAG_MAX = 9_999_999


def checked(tags: Iterable[int]) -> tuple[int, ...]:
    """The tags, each once. Raises `ConfigError` for what is none."""
    found = tuple(dict.fromkeys(tags))
    for tag in found:
        if not isinstance(tag, int) or isinstance(tag, bool) or not 0 < tag <= _TAG_MAX:
            raise ConfigError(f"a tag is a whole number from 1 to {_TAG_MAX}, found {tag!r}")
    if len(found) > TAGS_MAX:
        raise ConfigError(f"expected at most {TAGS_MAX} tags, found {len(found)}")
    return found


def name_of(tag: int) -> str:
    """The name of a column: that of the field, or else the number of the tag."""
    return facts.field_name(tag) or str(tag)


def typed(
    tag: int, rows: npt.NDArray[Any], texts: Sequence[bytes], count: int
) -> tuple[str, Any]:
    """Name and column of a tag; what cannot be read is missing, secrets are masked."""
    name = name_of(tag)
    if tag in SECRET_TAGS:
        texts = [MASKED.encode()] * len(texts)
    kind = _kinds().get(tag, "")
    if kind == "WHOLE":
        whole = np.full(count, MISSING, np.int64)
        whole[rows] = [_whole(text) for text in texts]
        return name, frames.array(whole, "Int64")
    if kind == "TIMES":
        times = np.full(count, MISSING, np.int64)
        times[rows] = [_words.time(text) for text in texts]
        return name, frames.array(times, frames.TIME)
    if kind == "DECIMAL":
        numbers = np.full(count, np.nan)
        numbers[rows] = [_decimal(text) for text in texts]
        return name, numbers
    if kind == "FLAGS":
        flags = np.full(count, -1, np.int8)
        flags[rows] = [{b"Y": 1, b"N": 0}.get(text, -1) for text in texts]
        return name, pd.arrays.BooleanArray(flags == 1, flags < 0)
    codes = np.zeros(count, np.int32)
    known = {b"": 0}
    codes[rows] = [known.setdefault(text, len(known)) for text in texts]
    return name, frames.renamed(codes, [shown(text).decode() for text in known])


def _whole(text: bytes) -> int:
    if text[:1] == b"-":
        value = _words.number(text[1:])
        return value if value == MISSING else -value
    return _words.number(text)


def _decimal(text: bytes) -> float:
    # Python reads more than FIX allows, such as "1e5", "1_0" and "nan".
    if not text.strip(b"0123456789.-+"):
        try:
            return float(text)
        except ValueError:
            pass  # what is no number is missing
    return np.nan


@cache
def _kinds() -> dict[int, str]:
    found: dict[int, str] = {}
    for kind in ("WHOLE", "DECIMAL", "TIMES", "FLAGS"):
        for word in getattr(_tag_types, kind).split():
            first, _, last = word.partition("-")
            for tag in range(int(first), int(last or first) + 1):
                found[tag] = kind
    return found
