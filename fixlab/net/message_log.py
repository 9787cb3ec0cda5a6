"""MessageLog: a live session's messages and events in the two log files of C++ QuickFIX."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path

from fixlab import redact
from fixlab.errors import ConfigError
from fixlab.net.rows import logged, short
from fixlab.session.config import SessionConfig
from fixlab.session.framing import framer_of
from fixlab.session.transitions import Transition
from fixlab.stores._layouts import prefix_of
from fixlab.times import format_utc
from fixlab.wire.framer import Framer

_BROKEN_MAX = 1 << 16  # bytes kept of a stretch that is no message
_EVENT_MAX = 1_000  # characters of an event


class MessageLog:
    """The log of one session in `folder`, which is made when there is none yet.

    Two files, each appended to, named as QuickFIX names them (own side first, behind them the
    SessionQualifier if there is one):

    - `FIX.4.4-BUY-SELL.messages.current.log`: each message in and out as it went over the
      wire, in order. A read is logged before its answers; what `lose_next()` took is not there.
    - `FIX.4.4-BUY-SELL.event.current.log`: session up, gaps, rejects, resets, timeouts and the
      end with its reason, in words of fixlab's own, mostly with the rule.

    Each line is `YYYYMMDD-HH:MM:SS.nnnnnnnnn : ` (UTC) and the text. Messages are raw: SOH
    between fields, and a data field may hold a line's end. Bytes that are no message are logged
    as they came, once their stretch ends, the first 64 KiB of it. Nothing tells the direction;
    the CompIDs do.

    **Secrets** (`redact.SECRET_TAGS`, and what `redact.hide()` was given) are masked, on
    purpose at the price of the BodyLength(9) and CheckSum(10) of these messages, which no
    longer fit. In a broken message all that may belong to a secret is masked.

    **Errors.** A folder or file that cannot be used raises `ConfigError` when the log is made,
    as does a session that cannot be a file's name (a slash in a CompID). Later errors, such as
    a full disk, never touch the session: `error` keeps the first, and nothing more is logged.

    Sessions whose names read the same with dashes in between (`A-B` to `C`, `A` to `B-C`) would
    share their files; give them folders of their own.
    """

    def __init__(self, folder: str | os.PathLike[str], config: SessionConfig) -> None:
        names = (config.begin_string, config.sender_comp_id, config.target_comp_id)
        prefix = prefix_of([*names, config.session_qualifier or ""])
        place = log_folder(folder)
        self.messages_path = place / f"{prefix}.messages.current.log"
        self.events_path = place / f"{prefix}.event.current.log"
        self.error: OSError | None = None
        self._paths = (self.messages_path, self.events_path)
        self._files: tuple[FileIO, FileIO] | None = None
        self._lines: tuple[list[bytes], list[bytes]] = ([], [])  # not written yet
        self._framer_of = framer_of(config)
        self._message_bytes_max = config.message_bytes_max
        self._renew()
        try:
            self._open()
        except OSError as error:
            raise _unusable(place / prefix, error) from None
        self.close()

    def __repr__(self) -> str:
        state = "" if self.error is None else f", stopped: {self.error}"
        return f"<MessageLog {self.messages_path}{state}>"

    # What happens --------------------------------------------------------------------------

    def received(self, data: bytes, now: int) -> None:
        """Bytes came in, cut anyhow; `now` in ns."""
        if self.error is not None:
            return
        for message in self._whole(data):
            self._add(0, now, message)

    def sent(self, data: bytes, now: int) -> None:
        """Whole messages leave."""
        if self.error is not None:
            return
        # A data field may hold what looks like a message, so only a framer tells them apart.
        for message in Framer(max(len(data), 256)).feed(data):
            self._add(0, now, message.raw or b"")

    def rows(self, rows: Iterable[Transition]) -> None:
        """Decisions were made, and committed."""
        if self.error is not None:
            return
        for row in rows:
            text = logged(row)
            if text:
                self.event(text, row.time)

    def event(self, text: str, now: int) -> None:
        """Something happened, in words."""
        if self.error is None:
            line = short(text, _EVENT_MAX).encode("utf-8", "backslashreplace")
            self._add(1, now, line)

    def ended(self, reason: str, now: int) -> None:
        """The connection is over: writes what waits, and closes the files until the next."""
        if self.error is None:
            # A message that was cut short comes no further.
            self._broken += self._pending[: _BROKEN_MAX - len(self._broken)]
            if self._broken:
                self._add(0, now, bytes(self._broken))
            self._renew()
            self.event(f"ended: {reason}", now)
        self.close()

    def flush(self) -> None:
        """Write what waits, each file at once."""
        if not any(self._lines):
            return
        try:
            for file, lines in zip(self._files or self._open(), self._lines, strict=True):
                if lines:
                    _write(file, b"".join(lines))
                    lines.clear()
        except (OSError, ValueError) as error:
            # ValueError: the file was closed by somebody else.
            self.error = error if isinstance(error, OSError) else OSError(str(error))
            for lines in self._lines:
                lines.clear()
            self._close_files()

    def close(self) -> None:
        """Write what waits and close the files; what comes later opens them again."""
        self.flush()
        self._close_files()

    # Bytes ---------------------------------------------------------------------------------

    def _renew(self) -> None:
        """A new connection starts with a new message."""
        self._framer = self._framer_of(self._message_bytes_max)
        self._pending = bytearray()  # what the framer has not decided about
        self._broken = bytearray()  # the stretch that is no message, as far as it has come

    def _whole(self, data: bytes) -> Iterator[bytes]:
        """The messages that `data` completes, and the stretches between them, in order."""
        pending = self._pending
        pending += data
        found = self._framer.feed(data)
        decided = len(pending) - self._framer.waiting
        position = 0
        for item in found:
            raw = item.raw
            if not raw:
                continue  # of a broken stretch a framer keeps nothing
            start = pending.find(raw, position, decided)
            yield from self._between(pending[position:start])
            yield raw
            position = start + len(raw)
        # Held back while it goes on: in pieces, a secret in it would lose its tag.
        rest = pending[position:decided]
        self._broken += rest[: _BROKEN_MAX - len(self._broken)]
        del pending[:decided]

    def _between(self, stretch: bytearray) -> Iterator[bytes]:
        self._broken += stretch[: _BROKEN_MAX - len(self._broken)]
        if self._broken:
            yield bytes(self._broken)
            self._broken.clear()

    def _add(self, which: int, now: int, text: bytes) -> None:
        text = redact.mask(text) if which == 0 else text  # an event is masked already
        self._lines[which].append(b"%b : %b\n" % (format_utc(now, 9), text))

    # Files ---------------------------------------------------------------------------------

    def _open(self) -> tuple[FileIO, FileIO]:
        opened: list[FileIO] = []
        try:
            for path in self._paths:
                file = FileIO(path, "a+")
                opened.append(file)
                if file.tell() == 0:
                    continue
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    _write(file, b"\n")  # behind the line that a crash cut short
        except BaseException:
            for file in opened:
                file.close()
            raise
        self._files = (opened[0], opened[1])
        return self._files

    def _close_files(self) -> None:
        files, self._files = self._files, None
        for file in files or ():
            with suppress(OSError):
                file.close()


def log_folder(folder: str | os.PathLike[str]) -> Path:
    """The folder, made when there is none; raises `ConfigError` when it cannot be."""
    place = Path(folder).absolute()
    try:
        place.mkdir(exist_ok=True)  # but none above it: that would be a slip of the pen
    except (OSError, ValueError) as error:
        raise _unusable(place, error) from None
    return place


def _unusable(path: Path, error: OSError | ValueError) -> ConfigError:
    why = getattr(error, "strerror", None) or error
    return ConfigError(f"{path}: no log can be written there: {why}")


def _write(file: FileIO, content: bytes) -> None:
    """Write all of `content`; a disk that fills up takes a part, and then says why."""
    while content:
        written = file.write(content)
        if not written:
            raise OSError(f"{file.name}: nothing can be written")
        content = content[written:]
