"""SQLStore: sessions in any SQL database, in the tables that QuickFIX uses.

Needs SQLAlchemy, which `pip install "fixlab[sql]"` brings, and the database's own driver. The
only store that is more than the standard library, so it lives outside `fixlab.stores`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, NamedTuple, Self

from fixlab.errors import ConfigError, StoreError
from fixlab.session.config import SessionConfig
from fixlab.stores._columns import bytes_of, text_of
from fixlab.stores._layouts import sane_time

try:
    import sqlalchemy as sa
    from sqlalchemy import exc
except ImportError as error:
    raise ImportError(
        f'SQLStore needs SQLAlchemy ({error}); install it: pip install "fixlab[sql]"'
    ) from None

# The columns that make a row the session's own, with their widths.
_KEY = {"beginstring": 8, "sendercompid": 64, "targetcompid": 64, "session_qualifier": 64}
# QuickFIX/J has these in its keys as well; an unset one is stored as an empty string.
_KEY_OF_JAVA = ("sendersubid", "senderlocid", "targetsubid", "targetlocid")
_SESSIONS = ("creation_time", "incoming_seqnum", "outgoing_seqnum")
_MESSAGES = ("msgseqnum", "message")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_KNOWN = datetime(1900, 1, 1, tzinfo=UTC)  # QuickFIX's column takes no NULL
_INTEGER_MAX = 2**63 - 1  # the largest BIGINT
# What is read at a time for a replay, which bounds its memory: messages, and about how many
# bytes. A database sends all it was asked for, so the size of the last ones tells how many to
# ask for next; a few at first, and no more than this many times as many as before.
_READ_CHUNK = 256
_READ_BYTES = 1 << 18
_READ_GROWTH = 16
_WORDS_MAX = 300  # characters kept of what a database says
_SECRETS = ("password", "passwd", "pwd", "secret", "token")  # in the query of a URL


class _Numbers(NamedTuple):
    """One row of `sessions`: the next numbers, and when both were 1 (ns), if known."""

    next_out: int
    next_in: int
    epoch: int | None


class _OtherOwnerError(Exception):
    """The row of the session holds what this store did not write."""


class SQLStore:
    """One session's numbers and sent messages in a SQL database, which many sessions share.

    ```python
    store = SQLStore("postgresql+psycopg://fix@db.example/fix", session=config)
    ```

    Parameters: `database`, a URL of SQLAlchemy or its `Engine` (the URL's own engine is
    disposed of with the store; many stores do better with one `Engine`); `session`, a
    `SessionConfig` or (BeginString, SenderCompID, TargetCompID[, SessionQualifier]), own side
    first; `create`, whether to make the tables that are missing.

    The tables are QuickFIX's `sessions` and `messages`, those that an engine wrote included: a
    session goes on from its numbers. In tables made here `message` holds bytes. A text column
    gives the same bytes back, but PostgreSQL's cannot hold NUL. `creation_time` keeps
    microseconds, UTC; a time before 1970 stands for "not known".

    A `commit()` is one transaction, a round trip in which the event loop waits. It also checks
    that the row still holds what this store wrote last: when somebody else uses the session,
    nothing of the step is stored, and the store is over.

    Raises `ConfigError` for arguments that cannot work, `StoreError` when the database fails;
    neither shows a password.
    """

    def __init__(
        self,
        database: str | sa.URL | sa.Engine,
        session: SessionConfig | tuple[str, ...],
        *,
        create: bool = True,
    ) -> None:
        self._key = _key_of(session)
        begin, sender, target, qualifier = self._key.values()
        self._session = f"{begin}:{sender}->{target}" + (f"/{qualifier}" if qualifier else "")
        self._own_engine = not isinstance(database, sa.Engine)
        self._engine = database if isinstance(database, sa.Engine) else _engine(database)
        self._where = f"{_place(self._engine.url)}, session {self._session}"
        self._step: dict[int, bytes] = {}
        self._was_reset = self._changed = False
        self._ahead = _READ_GROWTH  # messages to read at a time
        self._over = ""  # why no call works any more
        self._tried: _Numbers | None = None  # a commit that may or may not have happened
        try:
            self._open(create)
            self._stored = self._fetch() or self._insert()
        except (exc.SQLAlchemyError, ValueError) as error:
            self._dispose()
            raise self._error(error) from None
        except BaseException:
            self._dispose()
            raise
        self._out, self._in, self._epoch = self._stored

    @property
    def session(self) -> str:
        """Whose numbers these are, such as `FIX.4.4:BUY->SELL`."""
        return self._session

    @property
    def epoch(self) -> int | None:
        """When both counters last went back to 1 (ns, UTC); None when that is not known."""
        return self._epoch

    def next_out(self) -> int:
        """Allocate and return NextNumOut, and advance it by one (SEQ-15)."""
        self._ready()
        seq = self._out
        self._out = seq + 1
        self._changed = True
        return seq

    def peek_out(self) -> int:
        """NextNumOut, allocating nothing."""
        self._ready()
        return self._out

    def observed_in(self, seq: int) -> None:
        """Record that `seq` and all below it were processed; a lower `seq` is no news."""
        self._ready()
        if seq >= self._in:
            self._in = seq + 1
            self._changed = True

    def current_in(self) -> int:
        """NextNumIn: one past the highest number observed."""
        self._ready()
        return self._in

    def reset(self, now: int | None = None) -> None:
        """Both counters back to 1, stored messages dropped; `now` dates the new epoch (ns)."""
        self._ready()
        self._out = self._in = 1
        self._epoch = now
        self._step.clear()
        self._was_reset = self._changed = True

    def save_sent(self, seq: int, raw: bytes) -> None:
        """Keep the wire bytes of a message sent under `seq`; a second save replaces it."""
        self._ready()
        self._step[seq] = raw
        self._changed = True

    def sent(self, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Stored messages from `begin` to `end`, both inclusive, ascending.

        Read in chunks while iterating, so a long replay needs little memory. Raises
        `StoreError` when the database cannot be read.
        """
        self._ready()
        return self._walk(begin, end)

    def commit(self) -> None:
        """End of a step: all that was changed since the last commit is now durable.

        Raises `StoreError` when it cannot be written. The step is then undone as a whole. If
        the connection broke so that nobody knows whether it was, the next call asks the
        database first, and raises for as long as that fails.
        """
        self._ready()
        if not self._changed:
            return
        new = _Numbers(self._out, self._in, self._epoch)
        try:
            self._write_step(new)
        except _OtherOwnerError:
            raise self._lost(self._look()) from None
        except (exc.SQLAlchemyError, OverflowError, ValueError) as error:
            raise self._undo(error, new) from None
        self._stored = new
        self._forget_step()

    def rollback(self) -> None:
        """Go back to the last commit, as a crash does."""
        self._ready()
        self._forget_step()

    def close(self) -> None:
        """Release the database; what was not committed is dropped. Twice is harmless."""
        if not self._over:
            self._over = "the store is closed; open it again to go on"
        self._step.clear()
        self._dispose()

    # The step --------------------------------------------------------------------------

    def _ready(self) -> None:
        if self._over:
            raise StoreError(f"{self._where}: {self._over}")
        if self._tried is not None:
            self._resolve(self._tried)

    def _forget_step(self) -> None:
        self._out, self._in, self._epoch = self._stored
        self._step.clear()
        self._was_reset = self._changed = False

    def _write_step(self, new: _Numbers) -> None:
        old, row = self._stored, self._sessions
        values: dict[str, object] = {
            "outgoing_seqnum": new.next_out,
            "incoming_seqnum": new.next_in,
        }
        if self._was_reset:
            values["creation_time"] = _datetime(new.epoch)
        with self._engine.begin() as db:
            # First, for it locks the row: a second owner waits here, and then sees the change.
            done = db.execute(
                sa.update(row)
                .where(
                    self._mine(row),
                    row.c.outgoing_seqnum == old.next_out,
                    row.c.incoming_seqnum == old.next_in,
                )
                .values(values)
            )
            if done.rowcount != 1:
                raise _OtherOwnerError
            self._write_messages(db)

    def _write_messages(self, db: sa.Connection) -> None:
        table = self._messages
        if self._was_reset:
            db.execute(sa.delete(table).where(self._mine(table)))
        if not self._step:
            return
        if not self._was_reset:
            # No database agrees with another on how to replace a row, but all can do this.
            same = sa.delete(table).where(
                self._mine(table), table.c.msgseqnum == sa.bindparam("seq")
            )
            db.execute(same, [{"seq": seq} for seq in self._step])
        db.execute(
            sa.insert(table),
            [
                {
                    **self._key,
                    "msgseqnum": seq,
                    "message": raw if self._binary else text_of(raw),
                }
                for seq, raw in self._step.items()
            ],
        )

    def _undo(self, error: Exception, new: _Numbers) -> StoreError:
        """Undo the step after a failed commit; the error to raise about it."""
        why = self._explain(error)
        self._forget_step()
        self._tried = new
        try:
            self._resolve(new)
        except StoreError as second:
            if self._over:
                return second
            return StoreError(
                f"{self._where}: the step may not be stored: {why}. Send nothing of it and "
                f"drop the connection; the next call looks again"
            )
        return StoreError(
            f"{self._where}: the step failed: {why}. The store is at NextNumOut {self._out} "
            f"and NextNumIn {self._in}, which the database holds; send nothing of this step, "
            f"drop the connection and log on again"
        )

    def _resolve(self, tried: _Numbers) -> None:
        """Find out whether a broken commit happened; then the store can go on."""
        found = self._look()
        if found is None or found[:2] not in (self._stored[:2], tried[:2]):
            raise self._lost(found)
        self._tried = None
        self._stored = found
        self._forget_step()

    def _lost(self, found: _Numbers | None) -> StoreError:
        """Somebody else writes this session: two owners would use a number twice."""
        ours = self._stored
        theirs = (
            "has no row of this session any more"
            if found is None
            else f"holds NextNumOut {found.next_out} and NextNumIn {found.next_in}"
        )
        self._over = (
            f"another program or another SQLStore uses this session: this store last wrote "
            f"NextNumOut {ours.next_out} and NextNumIn {ours.next_in}, the database {theirs}. "
            f"The step was not stored; end one of the two, then open the store again"
        )
        self._forget_step()
        return StoreError(f"{self._where}: {self._over}")

    # Reading ---------------------------------------------------------------------------

    def _look(self) -> _Numbers | None:
        try:
            return self._fetch()
        except (exc.SQLAlchemyError, ValueError) as error:
            raise self._error(error) from None

    def _fetch(self) -> _Numbers | None:
        row = self._sessions
        wanted = sa.select(row.c.outgoing_seqnum, row.c.incoming_seqnum, row.c.creation_time)
        with self._engine.connect() as db:
            try:
                found = db.execute(wanted.where(self._mine(row))).fetchall()
            except TypeError as error:  # SQLite keeps anything in any column
                raise ValueError(f"`creation_time` is no time: {error}") from None
        if len(found) > 1:
            raise ValueError(f"`sessions` has {len(found)} rows of this session, expected one")
        if not found:
            return None
        next_out, next_in, created = found[0]
        return _Numbers(_counter(next_out), _counter(next_in), _nanoseconds(created))

    def _bytes(self, seq: object, value: object) -> bytes:
        if not isinstance(value, str | bytes | memoryview):
            kind = type(value).__name__
            raise ValueError(f"message {seq} is {kind}, expected text or bytes")
        return bytes_of(value, binary=self._binary)

    def _insert(self) -> _Numbers:
        """The row of a session that the database does not know yet."""
        new = _Numbers(1, 1, None)
        values: dict[str, object] = {
            **self._key,
            "creation_time": _datetime(None),
            "incoming_seqnum": 1,
            "outgoing_seqnum": 1,
        }
        with self._engine.begin() as db:
            db.execute(sa.insert(self._sessions).values(values))
        return new

    def _walk(self, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        position, end = max(begin, 0), min(end, _INTEGER_MAX)
        while position <= end:
            found, whole = self._chunk(position, end)
            last = end if whole else max(found)
            found.update(
                (seq, raw) for seq, raw in self._step.items() if position <= seq <= last
            )
            for seq in sorted(found):
                yield seq, found[seq]
            position = last + 1

    def _chunk(self, begin: int, end: int) -> tuple[dict[int, bytes], bool]:
        """The first messages of the range that were committed and not reset away since.

        And whether that is all of them.
        """
        self._ready()
        if self._was_reset:
            return {}, True
        table, limit = self._messages, self._ahead
        # Not through the column's type: a column may hold text and bytes side by side.
        message: sa.ColumnClause[Any] = sa.literal_column("message")
        wanted = (
            sa.select(table.c.msgseqnum, message)
            .where(self._mine(table), table.c.msgseqnum.between(begin, end))
            .order_by(table.c.msgseqnum)
            .limit(limit)
        )
        try:
            with self._engine.connect() as db:
                rows = db.execute(wanted).fetchall()
            found = {int(seq): self._bytes(seq, value) for seq, value in rows}
        except (exc.SQLAlchemyError, ValueError) as error:
            raise self._error(error) from None
        if size := sum(map(len, found.values())):
            fitting = max(1, _READ_BYTES * len(found) // size)
            self._ahead = min(fitting, limit * _READ_GROWTH, _READ_CHUNK)
        return found, len(rows) < limit

    # The tables ------------------------------------------------------------------------

    def _open(self, create: bool) -> None:
        """Find the two tables, or make them, and learn how they differ from ours."""
        columns = self._columns()
        missing = [name for name, found in columns.items() if not found]
        if missing and create:
            sessions, messages = _tables((), binary=True)
            wanted = [table for table in (sessions, messages) if table.name in missing]
            try:
                sessions.metadata.create_all(self._engine, wanted)
            except exc.SQLAlchemyError:
                # Another program may have made them in between, which is as good.
                if not all(self._columns().values()):
                    raise
            columns = self._columns()
        for name, needed in (("sessions", _SESSIONS), ("messages", _MESSAGES)):
            if not columns[name]:
                raise StoreError(f"{self._where}: there is no table `{name}`; use create=True")
            absent = [column for column in (*_KEY, *needed) if column not in columns[name]]
            if absent:
                raise StoreError(
                    f"{self._where}: table `{name}` is not QuickFIX's: it has no column "
                    f"{', '.join(absent)}; choose another database or schema"
                )
        extra = tuple(name for name in _KEY_OF_JAVA if name in columns["sessions"])
        self._key.update(dict.fromkeys(extra, ""))
        self._binary = isinstance(
            columns["messages"]["message"],
            sa.LargeBinary | sa.types.BINARY | sa.types.VARBINARY,
        )
        self._sessions, self._messages = _tables(extra, binary=self._binary)

    def _columns(self) -> dict[str, dict[str, sa.types.TypeEngine[Any]]]:
        """The columns of both tables by lower-case name; none for a table that is missing."""
        inspector = sa.inspect(self._engine)
        return {
            name: {c["name"].lower(): c["type"] for c in inspector.get_columns(name)}
            if inspector.has_table(name)
            else {}
            for name in ("sessions", "messages")
        }

    def _mine(self, table: sa.Table) -> sa.ColumnElement[bool]:
        return sa.and_(*(table.c[name] == value for name, value in self._key.items()))

    # Errors ----------------------------------------------------------------------------

    def _error(self, error: Exception) -> StoreError:
        return StoreError(f"{self._where}: {self._explain(error)}")

    def _explain(self, error: Exception) -> str:
        """What went wrong, in the database's words, without statement, values or password."""
        if isinstance(error, OverflowError):
            return f"a number or a time is too large for the table; at most {_INTEGER_MAX} fits"
        if not isinstance(error, exc.DBAPIError):
            return _clean(str(error).partition("\n[SQL")[0], self._engine.url)
        # Only the first sentence: what follows may quote the row, and so a Logon's password.
        said = str(error.orig).partition("\nDETAIL")[0].partition("\nLINE")[0]
        return f"the database says: {_clean(said, self._engine.url)}"

    def _dispose(self) -> None:
        if self._own_engine:
            self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._over:
            return f"SQLStore({self._session!r}, closed)"
        return f"SQLStore({self._session!r}, next_out={self._out}, next_in={self._in})"


def _key_of(session: SessionConfig | tuple[str, ...]) -> dict[str, str]:
    if isinstance(session, SessionConfig):
        names: tuple[str, ...] = (
            session.begin_string,
            session.sender_comp_id,
            session.target_comp_id,
            session.session_qualifier or "",
        )
    else:
        names = session if len(session) == len(_KEY) else (*session, "")
    if isinstance(session, str) or len(names) != len(_KEY) or not all(names[:3]):
        raise ConfigError(
            f"session must be a SessionConfig or (BeginString, SenderCompID, TargetCompID"
            f"[, SessionQualifier]), found {session!r}"
        )
    for (column, width), name in zip(_KEY.items(), names, strict=True):
        if len(name) > width:
            raise ConfigError(f"{column} has room for {width} characters, found {name!r}")
    return dict(zip(_KEY, names, strict=True))


def _engine(database: str | sa.URL) -> sa.Engine:
    try:
        # The parameters of a statement are messages; they belong into no log.
        return sa.create_engine(database, hide_parameters=True)
    except exc.NoSuchModuleError as error:
        raise ConfigError(f"SQLAlchemy knows no such kind of database: {error}") from None
    except (exc.ArgumentError, ValueError):
        # Its words would quote the URL, and so the password.
        raise ConfigError(
            "database must be a URL such as postgresql+psycopg://user:password@host/name or "
            "sqlite:///path; what was given is none"
        ) from None
    except ImportError as error:
        raise ConfigError(
            f"the driver of this database is not installed ({error}); install it, or name "
            f"another one in the URL, as in postgresql+psycopg://"
        ) from None


def _tables(extra: tuple[str, ...], *, binary: bool) -> tuple[sa.Table, sa.Table]:
    """QuickFIX's two tables, with `extra` columns in the keys."""
    metadata = sa.MetaData()

    def key() -> list[sa.Column[Any]]:
        begin, *rest = _KEY.items()
        return [
            sa.Column(begin[0], sa.CHAR(begin[1]), primary_key=True),
            *(sa.Column(name, sa.String(width), primary_key=True) for name, width in rest),
            *(sa.Column(name, sa.String(64), primary_key=True) for name in extra),
        ]

    sessions = sa.Table(
        "sessions",
        metadata,
        *key(),
        sa.Column("creation_time", sa.DateTime, nullable=False),
        sa.Column("incoming_seqnum", sa.BigInteger, nullable=False),
        sa.Column("outgoing_seqnum", sa.BigInteger, nullable=False),
    )
    messages = sa.Table(
        "messages",
        metadata,
        *key(),
        sa.Column("msgseqnum", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("message", sa.LargeBinary if binary else sa.Text, nullable=False),
    )
    return sessions, messages


def _datetime(epoch: int | None) -> datetime:
    moment = _NOT_KNOWN if epoch is None else _EPOCH + timedelta(microseconds=epoch // 1000)
    return moment.replace(tzinfo=None)  # QuickFIX keeps UTC in a column without a zone


def _counter(value: Any) -> int:
    """A counter as the database gives it: an int or, of a NUMERIC column, a Decimal."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = 0
    if not 1 <= number <= _INTEGER_MAX or (number != value and not isinstance(value, str)):
        raise ValueError(f"a counter is {value!r}, expected a whole number from 1")
    return number


def _nanoseconds(created: datetime | None) -> int | None:
    if created is None:
        return None
    moment = created if created.tzinfo else created.replace(tzinfo=UTC)
    return sane_time((moment - _EPOCH) // timedelta(microseconds=1) * 1000)


def _place(url: sa.URL) -> str:
    """Which database, without user, password or options."""
    host = f"{url.host or ''}:{url.port}" if url.port else url.host or ""
    return f"{url.get_backend_name()}://{host}/{url.database or ''}"


def _clean(words: str, url: sa.URL) -> str:
    """One line of `words` in which no password of the URL stands."""
    query: Mapping[str, Any] = url.query
    hidden = [url.password, *(query[name] for name in query if name.lower() in _SECRETS)]
    for secret in hidden:
        if isinstance(secret, str) and secret:
            words = words.replace(secret, "***")
    return " ".join(words.split())[:_WORDS_MAX]
