from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from fixlab.stores import FileStore, MemoryStore, SQLiteStore, Store
from tests.stores.contract import MACHINE_SETTINGS, StoreContract, StoreMachine


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()


class TestSQLiteStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        with SQLiteStore(tmp_path / "session.db") as store:
            yield store


class TestDurableSQLiteStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        with SQLiteStore(tmp_path / "session.db", durability="power") as store:
            yield store


class TestFileStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        with FileStore(tmp_path, "FIX.4.4:BUY->SELL") as store:
            yield store


class MemoryMachine(StoreMachine):
    def make(self) -> Store:
        return MemoryStore()


class SQLiteMachine(StoreMachine):
    def make(self) -> Store:
        self.folder = TemporaryDirectory()
        return SQLiteStore(Path(self.folder.name) / "session.db")

    def reopen(self) -> None:
        self.store.close()
        self.store = SQLiteStore(Path(self.folder.name) / "session.db")

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "folder"):
            self.folder.cleanup()


class FileMachine(StoreMachine):
    def make(self) -> Store:
        self.folder = TemporaryDirectory()
        return FileStore(self.folder.name, "FIX.4.4:BUY->SELL")

    def reopen(self) -> None:
        self.store.close()
        self.store = FileStore(self.folder.name)

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "folder"):
            self.folder.cleanup()


TestMemoryMachine = MemoryMachine.TestCase
TestMemoryMachine.settings = MACHINE_SETTINGS
TestSQLiteMachine = SQLiteMachine.TestCase
TestSQLiteMachine.settings = MACHINE_SETTINGS
TestFileMachine = FileMachine.TestCase
TestFileMachine.settings = MACHINE_SETTINGS
