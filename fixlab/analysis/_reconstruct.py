"""The one state machine that follows the counters of both sides of each session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fixlab.analysis._events import Reconstruction


def reconstruct(
    frame: Any, *, expected_start: Mapping[str, int] | None = None
) -> Reconstruction:
    """The events of a `messages` frame, a `Log`, or a `transitions` frame.

    `expected_start`: CompID -> the first MsgSeqNum(34) due from it, where the caller knows.

    Raises `SchemaError` for another frame, and `ConfigError` for an `expected_start` that
    names a CompID that is not in it, or a number below 1.
    """
    raise NotImplementedError
