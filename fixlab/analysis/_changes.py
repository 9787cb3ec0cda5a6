"""Whether two messages are the same, and the fields in which they are not."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fixlab import redact
from fixlab.analysis._joining import codes_of
from fixlab.analysis._two_logs import Fields, Readable, Side

Ints = npt.NDArray[np.int64]

_TRANSPORT_TAGS = frozenset({9, 10})  # they follow from the others
_VALUE_MAX = 200  # characters of a value that differs
# What tells that a message was changed, where its bytes are not at hand.
_CONTENT = ("body_length", "check_sum", "sending_time", "msg_type", "valid")


class Difference(NamedTuple):
    """A field that left otherwise than it arrived; None where it was not there at all."""

    tag: int
    sent: str | None
    arrived: str | None


def changed(first: Side, second: Side, at: Ints, there: Ints) -> Ints:
    """Which of these pairs do not hold the same message."""
    if first.log is None or second.log is None:
        ours, theirs = first.frame.iloc[first.row[at]], second.frame.iloc[second.row[there]]
        columns = [[_plain(part[name]) for name in _CONTENT] for part in (ours, theirs)]
        one, other = codes_of(*columns)
        return np.flatnonzero(one != other)
    digests = [
        _digests(log, rows)
        for log, rows in ((first.log, first.row[at]), (second.log, second.row[there]))
    ]
    odd = np.flatnonzero(digests[0] != digests[1])
    if not len(odd):
        return odd
    ours_rows, theirs_rows = first.row[at[odd]], second.row[there[odd]]
    found = [
        bool(differences(first.log.message(int(a)), second.log.message(int(b))))
        for a, b in zip(ours_rows, theirs_rows, strict=True)
    ]
    return odd[np.array(found, np.bool_)]


def _plain(column: Any) -> npt.NDArray[Any]:
    return np.asarray(column.astype("str").to_numpy(object))


def _digests(log: Readable, rows: Ints) -> Ints:
    """A hash of each message's bytes; each file is read once, in its order."""
    order = np.argsort(rows, kind="stable")
    found = np.empty(len(rows), np.int64)
    messages = log.messages(rows[order].tolist())
    found[order] = np.fromiter((hash(each.raw) for each in messages), np.int64, len(rows))
    return found


def differences(sent: Fields, arrived: Fields) -> tuple[Difference, ...]:
    """Fields that are not the same on both sides, in the order in which they left.

    What a log masks it may mask alone, and BodyLength(9) and CheckSum(10) follow.
    """
    one, other = _values(sent), _values(arrived)
    masked = any(
        tag in redact.SECRET_TAGS and redact.MASKED.encode() in values
        for side in (one, other)
        for tag, values in side.items()
    )
    odd = [tag for tag in dict.fromkeys([*one, *other]) if one.get(tag) != other.get(tag)]
    if masked:
        odd = [tag for tag in odd if tag not in redact.SECRET_TAGS | _TRANSPORT_TAGS]
    elif set(odd) - _TRANSPORT_TAGS:
        odd = [tag for tag in odd if tag not in _TRANSPORT_TAGS]
    found = tuple(Difference(tag, _shown(one, tag), _shown(other, tag)) for tag in odd)
    if not found and not masked and sent.fields != arrived.fields:
        return (Difference(0, "other order of fields", "other order of fields"),)
    return found


def _values(message: Fields) -> dict[int, list[bytes]]:
    values: dict[int, list[bytes]] = {}
    for tag, value in message.fields:
        values.setdefault(tag, []).append(value)
    return values


def _shown(values: dict[int, list[bytes]], tag: int) -> str | None:
    if tag not in values:
        return None
    text = redact.mask(b"\x01".join(b"%d=%b" % (tag, value) for value in values[tag]) + b"\x01")
    parts = [part.partition(b"=")[2] for part in text.rstrip(b"\x01").split(b"\x01")]
    return redact.printable(b" ".join(parts))[:_VALUE_MAX]
