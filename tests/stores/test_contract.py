from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from fixlab.stores import MemoryStore, SQLiteStore
from tests.stores.contract import MACHINE_SETTINGS, StoreContract, StoreMachine, Undoable


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Undoable:
        return MemoryStore()


class TestSQLiteStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Undoable]:
        with SQLiteStore(tmp_path / "session.db") as store:
            yield store


class TestDurableSQLiteStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Undoable]:
        with SQLiteStore(tmp_path / "session.db", durability="power") as store:
            yield store


class MemoryMachine(StoreMachine):
    def make(self) -> Undoable:
        return MemoryStore()


class SQLiteMachine(StoreMachine):
    def make(self) -> Undoable:
        self.folder = TemporaryDirectory()
        return SQLiteStore(Path(self.folder.name) / "session.db")

    def reopen(self) -> None:
        self.store.close()
        self.store = SQLiteStore(Path(self.folder.name) / "session.db")

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "folder"):
            self.folder.cleanup()


TestMemoryMachine = MemoryMachine.TestCase
TestMemoryMachine.settings = MACHINE_SETTINGS
TestSQLiteMachine = SQLiteMachine.TestCase
TestSQLiteMachine.settings = MACHINE_SETTINGS
