"""Log: a log that was read, as frames, and each message of it whole."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any

import pandas as pd

from fixlab import frames, redact
from fixlab.dictionary import Dictionary, explain
from fixlab.dictionary.explanation import Explained
from fixlab.errors import ConfigError
from fixlab.frames import LOG_FILES, LOG_SESSIONS
from fixlab.logs._blocks import Account
from fixlab.logs._capture import records_of
from fixlab.logs._columns import Book
from fixlab.logs._contents import Span, contents, wire_of
from fixlab.logs._frame import Rows
from fixlab.logs._pairs import Pairs
from fixlab.logs._sides import CONFIDENCE, Pair, Seen, Side, sides
from fixlab.logs._sources import Source, opened
from fixlab.vocabulary import DIRECTION_SOURCES
from fixlab.wire.message import Message

HTML_ROWS = 10


# What a direction was taken from, in words.
_GROUNDS = {
    "": "unknown",
    "given": "as given",
    "captured": "as captured",
    "logged": "as logged",
    "file_name": "by the file's name",
    "comp_ids": "by the CompIDs",
    "timing": "by the times",
}
assert tuple(_GROUNDS) == DIRECTION_SOURCES


class Log:
    """A log that was read: `frame` has one row a message. Whatever takes a frame takes a Log.

    - `frame`: schema `fixlab.frames.MESSAGES`, and a column for each tag asked for.
    - `files`: one row a file, schema `LOG_FILES`: what became of each of its bytes.
    - `sessions`: one row a session, schema `LOG_SESSIONS`: which side kept the log, and why.
    - `message(i)`, `decode(i)`, `raw(i)`: the whole message in row `i`, read from its file.
    - `summary`: what was read, in words; `notes`: what went wrong with a file.
    """

    def __init__(
        self,
        load: Callable[[], pd.DataFrame],
        found: Sequence[Source],
        accounts: Sequence[Account],
        pairs: dict[Pair, tuple[Seen, Side]],
        notes: Sequence[str],
    ) -> None:
        self.files = _files(accounts)
        self.sessions = _sessions(pairs)
        self.notes = tuple(notes)  # what the reader should know of the reading, in words
        self._load = load
        self._sources = {source.name: source for source in found}
        self._accounts = {account.name: account for account in accounts}

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row a message; of a log in Parquet, all of that file is loaded on first use."""
        return self._load()

    def raw(self, row: int) -> bytes:
        """The bytes of a row as the file has them, secrets masked.

        Raises `ConfigError` when there is no such row, or the file is no longer there or has
        changed.
        """
        return redact.mask(self._bytes(row))

    def message(self, row: int) -> Message:
        """The message in a row, its delimiters turned into SOH. Raises as `raw` does.

        What shows it masks secrets. A row that is not valid gives what can be read of it.
        """
        raw = self._bytes(row)
        account = self._accounts[str(self.frame["file"].iloc[row])]
        return Message.from_wire(wire_of(raw, account.style.delimiter))

    def messages(self, rows: Sequence[int] | None = None) -> Iterator[Message]:
        """The messages of `rows`, or of all, which ascend: each file is read once.

        Raises `ConfigError` when a file is no longer there or has changed.
        """
        frame = self.frame
        chosen = range(len(frame)) if rows is None else rows
        file = frame["file"].cat.codes.to_numpy()
        names = [str(name) for name in frame["file"].cat.categories]
        offset, length = frame["offset"].to_numpy(), frame["length"].to_numpy()
        for code, group in groupby(chosen, lambda row: int(file[row])):
            account = self._accounts[names[code]]
            spans = (Span(int(offset[row]), int(length[row])) for row in group)
            for raw in contents(self._sources[names[code]], account, spans):
                yield Message.from_wire(wire_of(raw, account.style.delimiter))

    def decode(self, row: int, dictionary: Dictionary | None = None) -> Explained:
        """The message in a row field by field, with names and meanings. Raises as `raw` does.

        Names are those of `dictionary`, or else of the specification.
        """
        return explain(self.message(row), dictionary)

    def __len__(self) -> int:
        return int(self.files["rows"].sum())

    @property
    def summary(self) -> str:
        """What was read, in a few lines."""
        files = self.files
        bad = int(files["defects"].sum())
        size = int(files["bytes"].sum())
        text_lines = int(files["text_lines"].sum())
        text = f"{int(files['text_bytes'].sum()):,} in {_lines_of(text_lines)} of other text"
        lines = [
            f"{len(self):,} rows, {bad:,} with a defect, from {_files_of(len(files))}, "
            f"{size:,} bytes:",
            f"  {int(files['row_bytes'].sum()):,} bytes in rows, "
            f"{int(files['around_bytes'].sum()):,} around them, "
            + (text if text_lines else "no other text"),
        ]
        shown = self.sessions.head(HTML_ROWS)
        for name, out, into, unknown, source, confidence in shown.itertuples(index=False):
            way = f"{out:,} out, {into:,} in" if source else f"{unknown:,} either way"
            lines.append(
                f"  {name!s}: {way} (direction {_GROUNDS[source]}, confidence {confidence!s})"
            )
        if len(self.sessions) > len(shown):
            lines.append(f"  … and {len(self.sessions) - len(shown):,} more sessions")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])

    def __repr__(self) -> str:
        return f"<Log {self.summary}>"

    def _repr_html_(self) -> str:
        table = self.frame.head(HTML_ROWS).to_html(max_cols=20, escape=True)
        return f"<pre>{redact.escape_lines(self.summary)}</pre>{table}"

    def _bytes(self, row: int) -> bytes:
        if not -len(self) <= row < len(self):
            raise ConfigError(f"expected a row from 0 to {len(self) - 1}, found {row}")
        name = str(self.frame["file"].iloc[row])
        offset, length = (
            int(self.frame["offset"].iloc[row]),
            int(self.frame["length"].iloc[row]),
        )
        found = bytes_at(self._sources[name], self._accounts[name], offset, length)
        if len(found) < length:
            raise ConfigError(
                f"{name} has changed: expected {length} bytes at {offset}, found {len(found)}"
            )
        return found


# Made of what was seen ----------------------------------------------------------------------


def log_from(
    found: Sequence[Source], accounts: Sequence[Account], rows: Rows, ours: Collection[str]
) -> Log:
    """The log of rows, which are used up."""
    names = [source.name for source in found]
    decided = sides_of(found, accounts, rows.pairs, ours)
    frame = rows.frame(names, decided, captures_of(accounts))
    return log_of(found, accounts, rows.book, rows.pairs, ours, lambda: frame)


def sides_of(
    found: Sequence[Source], accounts: Sequence[Account], seen: Pairs, ours: Collection[str]
) -> dict[Pair, Side]:
    """The session and direction of each pair, from all that was seen of them."""
    pairs = _decided(seen, ours, [source.name for source in found], accounts)
    return {pair: side for pair, (_, side) in pairs.items()}


def log_of(
    found: Sequence[Source],
    accounts: Sequence[Account],
    book: Book,
    seen: Pairs,
    ours: Collection[str],
    load: Callable[[], pd.DataFrame],
) -> Log:
    """A log of what was seen, whose frame `load` gives."""
    pairs = _decided(seen, ours, [source.name for source in found], accounts)
    notes = [
        *(note for source in found for note in source.notes),
        *_notes(accounts, book, seen),
    ]
    return Log(load, found, accounts, pairs, notes)


def captures_of(accounts: Sequence[Account]) -> list[int]:
    """Which files are captures."""
    return [i for i, account in enumerate(accounts) if account.captured]


def _decided(
    pairs: Pairs, ours: Collection[str], names: Sequence[str], accounts: Sequence[Account]
) -> dict[Pair, tuple[Seen, Side]]:
    seen = pairs.seen()
    all_captured = all(account.captured for account in accounts)
    found = sides(seen, ours, names, captured=all_captured)
    return {pair: (seen[pair], found[pair]) for pair in seen}


def _notes(accounts: Sequence[Account], book: Book, pairs: Pairs) -> list[str]:
    notes = [f"{each.name} {each.problem}" for each in accounts if each.problem]
    notes += [
        f"more distinct values than are kept in {names}: all further ones read …"
        for names in (*book.overflowed, *(["session"] if pairs.overflowed else []))
    ]
    return notes


def bytes_at(source: Source, account: Account, offset: int, length: int) -> bytes:
    """Some bytes of a file, as many of them as there are."""
    if account.captured:
        rows = records_of(source, Account(account.name))
        return next((row.wire[:length] for row in rows if row.start == offset), b"")
    stream = opened(source)
    try:
        return stream.read_at(offset, length)
    finally:
        stream.close()


def _files(accounts: Sequence[Account]) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "file": [each.name for each in accounts],
        "bytes": [each.bytes for each in accounts],
        "rows": [each.rows for each in accounts],
        "defects": [each.defects for each in accounts],
        "row_bytes": [each.row_bytes for each in accounts],
        "around_bytes": [each.tally.around_bytes for each in accounts],
        "text_bytes": [each.tally.text_bytes for each in accounts],
        "text_lines": [each.tally.text_lines for each in accounts],
        "delimiter": [ascii(each.style.delimiter.decode())[1:-1] for each in accounts],
        "problem": [redact.printable(each.problem) for each in accounts],
    }
    return frames.build(LOG_FILES, columns)


def _sessions(pairs: dict[Pair, tuple[Seen, Side]]) -> pd.DataFrame:
    counts: dict[str, dict[str, int]] = {}
    source: dict[str, str] = {}
    for seen, side in pairs.values():
        of_session = counts.setdefault(side.session, {"": 0, "in": 0, "out": 0})
        of_session[side.direction] += seen.rows
        source[side.session] = side.source
    names = [name for name in counts if name]
    return frames.build(
        LOG_SESSIONS,
        {
            "session": names,
            "out_messages": [counts[name]["out"] for name in names],
            "in_messages": [counts[name]["in"] for name in names],
            "unknown_messages": [counts[name][""] for name in names],
            "direction_from": [source[name] for name in names],
            "confidence": [CONFIDENCE[source[name]] for name in names],
        },
    )


def _lines_of(count: int) -> str:
    return "one line" if count == 1 else f"{count:,} lines"


def _files_of(count: int) -> str:
    return "one file" if count == 1 else f"{count:,} files"
