"""Folder: files written for a user, who may change them and must never lose what they changed.

A small list beside the files holds the hash of what was written under each name. A file that
still has that hash is fixlab's own and may be replaced. Any other file is the user's: it stays,
and the new version goes beside it as `NAME.new.ext`.
"""

from __future__ import annotations

import contextlib
import json
import os
from enum import Enum
from hashlib import sha256
from itertools import chain, count, islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from fixlab.errors import FixLabError

LIST_NAME = ".fixlab-files.json"
_BESIDE_MAX = 99  # names NAME.new.ext, NAME.new2.ext, ... that are tried


class Fate(Enum):
    """What became of a file that was to be written."""

    WRITTEN = "written"  # new, or an older version of ours replaced
    SAME = "same"  # was there already, byte for byte
    KEPT = "kept"  # the user's own version stays; it was offered this version before
    BESIDE = "beside"  # the user's own version stays; the new one was put beside it


class Placed(NamedTuple):
    """Where a file went, relative to the folder, and what became of it."""

    name: str  # the name that was asked for
    path: str  # where this version is; the user's own file when KEPT
    fate: Fate


class Folder:
    """A folder for files of fixlab's; made when the first file is put there.

    A list that is damaged or missing counts as empty, which is safe: then every file that
    differs from what is to be written is the user's.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._list = path / LIST_NAME
        self._given = self._read()

    def put(self, name: str, content: bytes) -> Placed:
        """Place `content` as `name` (a relative path with `/`), or beside the user's own file.

        Raises `OSError` when the folder cannot be written to, `FixLabError` when the user has
        changed each of a hundred versions.
        """
        wanted = _hash(content)
        known = self._given.get(name)
        found = self._found(name)
        if found == wanted:
            self._remember(name, wanted)
            return Placed(name, name, Fate.SAME)
        if found is None or found == known:
            self._write(name, content)
            self._remember(name, wanted)
            return Placed(name, name, Fate.WRITTEN)
        if known == wanted:
            return Placed(name, name, Fate.KEPT)
        beside = self._put_beside(name, content, wanted)
        self._remember(name, wanted)
        return beside

    def _put_beside(self, name: str, content: bytes, wanted: str) -> Placed:
        for other in _beside(name):
            found = self._found(other)
            if found is None or found in (wanted, self._given.get(other)):
                if found != wanted:
                    self._write(other, content)
                self._remember(other, wanted)
                return Placed(name, other, Fate.BESIDE)
        raise FixLabError(
            f"{self.path / name} and {_BESIDE_MAX} files beside it are not fixlab's own; "
            "move them away, or choose another folder"
        )

    def _found(self, name: str) -> str | None:
        """Hash of what stands under `name`; None for nothing, "" for what is no file."""
        path = self.path / name
        if path.is_file():
            return _hash(path.read_bytes())
        return "" if os.path.lexists(path) else None

    def _write(self, name: str, content: bytes) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, content)

    def _remember(self, name: str, digest: str) -> None:
        if self._given.get(name) == digest:
            return
        self._given[name] = digest
        text = json.dumps(dict(sorted(self._given.items())), indent=1) + "\n"
        _replace(self._list, text.encode())

    def _read(self) -> dict[str, str]:
        try:
            given = json.loads(self._list.read_bytes())
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return {}
        if not isinstance(given, dict):
            return {}
        return {str(name): str(digest) for name, digest in given.items()}


def _hash(content: bytes) -> str:
    return sha256(content).hexdigest()


def _beside(name: str) -> list[str]:
    path = PurePosixPath(name)
    marks = islice(chain(("new",), (f"new{n}" for n in count(2))), _BESIDE_MAX)
    return [str(path.with_name(f"{path.stem}.{mark}{path.suffix}")) for mark in marks]


def _replace(path: Path, content: bytes) -> None:
    """Write all of it or nothing; a link is replaced, never followed."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        # "x": never through a file or a link that somebody left there.
        with unfinished.open("xb") as file:
            file.write(content)
        unfinished.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise
