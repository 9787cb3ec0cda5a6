"""read() and SpreadLog: what the caller's side of it does."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab import redact
from fixlab.analysis._case import Extent, Shown
from fixlab.analysis._codes import CODES
from fixlab.analysis._events import Reconstruction
from fixlab.analysis._finds_connections import Schedule
from fixlab.analysis._finds_damage import ROWS_MAX
from fixlab.analysis._once import once, told
from fixlab.analysis.findings import Findings, capped, in_order, roots
from fixlab.errors import ConfigError
from fixlab.frames import MESSAGES, MISSING
from fixlab.logs._blocks import Account
from fixlab.logs._columns import Book
from fixlab.logs._log import bytes_at, log_of, sides_of
from fixlab.logs._pairs import Pairs
from fixlab.logs._segments import Part, parts_of, settled
from fixlab.logs._sides import Pair, Side
from fixlab.logs._sources import Source, Where
from fixlab.logs._tags import checked
from fixlab.logs.read import to_read
from fixlab.spread import _tasks
from fixlab.spread._stacking import renumbered, stacked
from fixlab.spread._tasks import SCHEMAS, Head, Plan, Told

PART_BYTES = 1 << 26
_GROUPS = 4  # for each thread of the cluster: they need not take equally long
_DAMAGE = ("CHECKSUM_BAD", "BODYLENGTH_BAD", "GARBLED")


def read(
    path: Where,
    *,
    client: Any = None,
    tags: Iterable[int] = (),
    ours: str | Collection[str] = (),
    part_bytes: int = PART_BYTES,
) -> SpreadLog:
    """Read logs on the workers of a Dask cluster: `fixlab.read_log` for what is larger.

    Parameters
    - `path`, `tags`, `ours`: as for `read_log`. Workers and caller must all reach the files.
    - `client`: a `distributed.Client`; without it the one that was made last.
    - `part_bytes`: about how much of a file one task reads. What is compressed, in UTF-16 or a
      capture is read by one task, whatever its size.

    Returns a `SpreadLog`, whose rows stay on the workers. They are those of `read_log`; only of
    more distinct texts than are kept (65,536 of a kind), others may be among those kept: then
    `log.notes` says so.

    Raises as `read_log` does, and `ConfigError` without Dask, or without a client.
    """
    cluster = _client(client)
    chosen = checked(tags)
    own = frozenset((ours,) if isinstance(ours, str) else ours)
    if part_bytes < 1:
        raise ConfigError(f"expected part_bytes from 1 on, found {part_bytes}")
    found = to_read(path)
    parts = [part for i, source in enumerate(found) for part in parts_of(i, source, part_bytes)]
    return SpreadLog(cluster, found, _heads(cluster, parts, chosen), chosen, own)


def _client(client: Any) -> Any:
    try:
        distributed = import_module("distributed")
    except ImportError:
        raise ConfigError(
            "spreading logs over machines needs Dask: pip install 'fixlab[dask]'"
        ) from None
    if client is not None:
        return client
    try:
        return distributed.default_client()
    except ValueError:
        raise ConfigError(
            "there is no Dask client; make one first: distributed.Client(n_workers=2)"
        ) from None


def _heads(cluster: Any, parts: Sequence[Part], tags: Sequence[int]) -> list[Head]:
    """All parts read, each as if one reader had come from those before."""
    hidden = redact.hidden()

    def read_again(part: Part) -> Head:
        segment = cluster.submit(_tasks.read_part, part, tags, hidden, pure=False)
        head: Head = cluster.submit(_tasks.head_of, segment, pure=False).result()
        head.segment = segment
        return head

    segments = cluster.map(_tasks.read_part, parts, tags=tags, hidden=hidden, pure=False)
    heads: list[Head] = cluster.gather(cluster.map(_tasks.head_of, segments, pure=False))
    for head, segment in zip(heads, segments, strict=True):
        head.segment = segment
    return list(settled(heads, read_again))


class SpreadLog:
    """A log whose rows are on the workers of a cluster, grouped by session.

    - `log`: a `Log`, with `files`, `sessions` and `summary`; its `frame` brings all rows here
      when it is asked for, so it must fit.
    - `analyze()`, `gaps()`, `ledger()`, `resends()`, `intervals()`: what the functions of these
      names give for `log`.
    - `raw(i)`: the bytes of row `i`, from its file.
    """

    def __init__(
        self,
        cluster: Any,
        found: Sequence[Source],
        heads: Sequence[Head],
        tags: Sequence[int],
        ours: Collection[str],
    ) -> None:
        self._cluster = cluster
        self._accounts = [Account(source.name) for source in found]
        self._sources = {source.name: source for source in found}
        book = Book()
        seen = Pairs(book)
        local = []
        for head in heads:
            self._accounts[head.part.file].add(head.account)
            codes = book.adopt(head.texts)
            local.append(seen.take(head.pairs, codes["begins"], codes["comp_ids"]))
        self.log = log_of(found, self._accounts, book, seen, ours, self._collected)
        decided = sides_of(found, self._accounts, seen, ours)
        self._senders = {pair.sender for pair, side in decided.items() if side.session}
        captures = [i for i, account in enumerate(self._accounts) if account.captured]
        plan = cluster.scatter(
            Plan(found, self._accounts, decided, captures, tags), broadcast=True
        )
        self._plan = plan
        self._groups = self._grouped(heads, local, seen.pairs, decided, plan)

    def _grouped(
        self,
        heads: Sequence[Head],
        local: Sequence[npt.NDArray[np.int32]],
        pairs: Sequence[Pair],
        decided: Mapping[Pair, Side],
        plan: Any,
    ) -> list[Any]:
        """Futures of the groups: the rows of their sessions from everywhere."""
        sessions = [decided[pair].session for pair in pairs]
        rows: dict[str, int] = {}
        for head, codes in zip(heads, local, strict=True):
            for code, count in zip(
                codes.tolist(), head.pairs.numbers["rows"].tolist(), strict=True
            ):
                rows[sessions[code]] = rows.get(sessions[code], 0) + count
        threads = sum(self._cluster.nthreads().values())
        group_of = _balanced({k: n for k, n in rows.items() if k}, _GROUPS * max(threads, 1))
        count = max(group_of.values(), default=0) + 1
        of_pair = np.array([group_of.get(name, -1) for name in sessions], np.int64)
        pieces: list[list[Any]] = [[] for _ in range(count)]
        start = 0
        for head, codes in zip(heads, local, strict=True):
            own = of_pair[codes]
            for group in range(count):
                wanted = (own == group) | (own < 0)
                if wanted.any():
                    pieces[group].append(
                        self._cluster.submit(
                            _tasks.piece_of, head.segment, wanted, start, pure=False
                        )
                    )
            start += head.account.rows
        return [
            self._cluster.submit(_tasks.group_of, plan, each, pure=False) for each in pieces
        ]

    def __len__(self) -> int:
        return len(self.log)

    def __repr__(self) -> str:
        return f"<SpreadLog in {len(self._groups)} groups: {self.log.summary}>"

    def raw(self, row: int) -> bytes:
        """The bytes of a row as its file has them, secrets masked.

        Raises `ConfigError` when there is no such row, or the file is not reached from here.
        """
        if not 0 <= row < len(self):
            raise ConfigError(f"expected a row from 0 to {len(self) - 1}, found {row}")
        found = self._of_groups(_tasks.place_of, row)
        place = next(each for each in found if each is not None)
        account = next(each for each in self._accounts if each.name == place.file)
        return redact.mask(bytes_at(self._sources[place.file], account, *place[1:]))

    # Frames --------------------------------------------------------------------------------

    def gaps(self, *, expected_start: Mapping[str, int] | None = None) -> pd.DataFrame:
        """One row a gap: see `fixlab.gaps`."""
        return self.derived("gaps", expected_start)

    def ledger(self, *, expected_start: Mapping[str, int] | None = None) -> pd.DataFrame:
        """One row a missing number: see `fixlab.ledger`.

        Its bound of two million rows holds for each group of sessions.
        """
        return self.derived("ledger", expected_start)

    def resends(self, *, expected_start: Mapping[str, int] | None = None) -> pd.DataFrame:
        """One row a ResendRequest: see `fixlab.resends`."""
        return self.derived("resends", expected_start)

    def intervals(self) -> pd.DataFrame:
        """One row a silence: see `fixlab.intervals`."""
        return self.derived("intervals", None)

    def derived(
        self, name: str, expected_start: Mapping[str, int] | None, session: str | None = None
    ) -> pd.DataFrame:
        """One of these frames, of the messages of one session or of all."""
        self._check(expected_start)
        parts = self._of_groups(_tasks.derive, name, expected_start, session)
        order = [part.order for part in parts]
        closed = {column.name: column.categories for column in SCHEMAS[name].columns}
        made = stacked([part.frame for part in parts], order, closed)
        if name == "resends":
            place = np.argsort(np.concatenate(order), kind="stable")
            owner = np.repeat(np.arange(len(parts)), [len(each) for each in order])
            made = renumbered(made, owner[place])
        return made

    def _check(self, expected_start: Mapping[str, int] | None) -> None:
        for sender, number in (expected_start or {}).items():
            if sender not in self._senders:
                raise ConfigError(
                    f"expected_start: no message has SenderCompID(49) {sender!r}; "
                    f"expected one of {sorted(self._senders)}"
                )
            if number < 1:
                raise ConfigError(
                    f"expected_start[{sender!r}]: found {number}, expected a number from 1"
                )

    def _collected(self) -> pd.DataFrame:
        """All rows, here."""
        groups = self._cluster.gather(self._groups)
        rows = np.concatenate([group.rows for group in groups])
        # Those of no session are in each group.
        _, first = np.unique(rows, return_index=True)
        closed = {column.name: column.categories for column in MESSAGES.columns}
        chosen = np.zeros(len(rows), np.bool_)
        chosen[first] = True
        bounds = np.cumsum([0, *(len(group.rows) for group in groups)])
        keep = [chosen[low:high] for low, high in pairwise(bounds)]
        frames = [group.frame[mask] for group, mask in zip(groups, keep, strict=True)]
        order = [group.rows[mask] for group, mask in zip(groups, keep, strict=True)]
        return stacked([_without_unused(frame, closed) for frame in frames], order, closed)

    # Findings ------------------------------------------------------------------------------

    def analyze(
        self,
        *,
        expected_start: Mapping[str, int] | None = None,
        schedule: Schedule | None = None,
    ) -> Findings:
        """What went wrong, who did it, and the messages that show it: see `fixlab.analyze`.

        Its `messages`, and so its page, bring all rows here.
        """
        self._check(expected_start)
        parts: list[Told] = [
            future.result()
            for future in [
                self._cluster.submit(
                    _tasks.told, group, self._plan, i == 0, expected_start, schedule, pure=False
                )
                for i, group in enumerate(self._groups)
            ]
        ]
        found = [each for part in parts for each in part.found]
        seen = {
            row: reduce(
                _tasks.merged_behind, [p.nameless[row] for p in parts if row in p.nameless]
            )
            for row in sorted({row for part in parts for row in part.nameless})[:ROWS_MAX]
        }
        if seen:
            found += self._cluster.submit(
                _tasks.nameless_found, self._groups[0], seen, pure=False
            ).result()
        found = list(_first(in_order(found)))
        kept, here = capped(found)
        counts = [here, *(part.left_out for part in parts)]
        total = {code: sum(each.get(code, 0) for each in counts) for code in CODES}
        left_out = {code: count for code, count in total.items() if count}
        case = _Remote(self, parts)
        return Findings(
            *(case, kept, roots(kept), left_out, self),
            expected_start=expected_start,
            notes=(*self.log.notes, *told(case.repeated)),
        )

    def _of_groups(self, task: Any, *arguments: Any) -> list[Any]:
        futures = [
            self._cluster.submit(task, group, *arguments, pure=False) for group in self._groups
        ]
        return list(self._cluster.gather(futures))


def _balanced(rows: Mapping[str, int], count: int) -> dict[str, int]:
    """Sessions to at most so many groups of about equal size: the largest first."""
    total = [0] * min(count, max(len(rows), 1))
    found = {}
    for name in sorted(rows, key=lambda each: (-rows[each], each)):
        group = total.index(min(total))
        total[group] += rows[name]
        found[name] = group
    return found


def _without_unused(
    frame: pd.DataFrame, closed: Mapping[str, tuple[str, ...] | None]
) -> pd.DataFrame:
    """The same with only those categories that occur, where their set is open."""
    for name in frame.columns:
        if isinstance(frame[name].dtype, pd.CategoricalDtype) and closed.get(name) is None:
            frame[name] = frame[name].cat.remove_unused_categories()
    return frame


def _first(found: Sequence[Any]) -> Iterator[Any]:
    """Of damaged messages and of Rejects only the first in the log are told."""
    count = {"damage": 0, "reject": 0}
    for each in found:
        kind = (
            "damage"
            if each.code in _DAMAGE
            else "reject"
            if each.code == "SESSION_REJECT"
            else ""
        )
        if kind:
            count[kind] += 1
        if not kind or count[kind] <= ROWS_MAX:
            yield each


class _Values:
    """A column of which only some rows are here."""

    def __init__(self, values: Mapping[int, int], rows: int) -> None:
        self._values, self._rows = values, rows

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, np.ndarray):
            return np.array([self._values[int(row)] for row in at], np.int64)
        return self._values[at]


class _Remote(Shown):
    """What `Findings` shows, of rows that are on the workers."""

    def __init__(self, log: SpreadLog, parts: Sequence[Told]) -> None:
        self._log = log
        self._extents = {
            name: extent
            for part in parts
            for name, extent in part.extents.items()
            if name is not None
        }
        whole = [part.extents[None] for part in parts]
        spans = [each.span for each in whole if each.span is not None]
        # Rows of no session are in each part.
        self.repeated = len(np.unique(np.concatenate([part.repeated for part in parts])))
        self._whole = Extent(
            len(log) - self.repeated,
            min((first for first, _ in spans), default=MISSING),
            max((last for _, last in spans), default=MISSING),
            any(each.exact for each in whole),
        )
        self._filtered = {name for part in parts for name in part.filtered}
        directions = sorted(
            (one for part in parts for one in part.directions), key=lambda one: one[0]
        )
        self._made = Reconstruction([], [one for _, one in directions], len(log), None)
        self._time = {row: time for part in parts for row, time in part.time.items()}
        self._number = {row: n for part in parts for row, n in part.number.items()}

    @property
    def time(self) -> Any:
        return _Values(self._time, len(self._log))

    @property
    def number(self) -> Any:
        return _Values(self._number, len(self._log))

    @property
    def sessions(self) -> list[str]:
        return sorted(self._extents)

    @property
    def one_sided(self) -> dict[str, bool]:
        return {one.session: one.one_sided for one in self._made.directions}

    @property
    def made(self) -> Reconstruction:
        return self._made

    @property
    def frame(self) -> pd.DataFrame:
        return once(self._log.log.frame).frame

    @property
    def filtered(self) -> set[str]:
        return self._filtered

    def extent(self, session: str | None) -> Extent:
        return self._whole if session is None else self._extents[session]

    def derived(
        self, name: str, session: str | None, expected_start: Mapping[str, int]
    ) -> pd.DataFrame:
        if name == "gaps" and session is not None:
            return self._log.derived(name, expected_start, session)
        made = self._log.derived(name, expected_start)
        return made if session is None else made[made["session"] == session]
