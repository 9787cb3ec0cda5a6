"""A log into a Parquet file, some rows at a time, and that file as a frame again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fixlab.errors import ConfigError
from fixlab.frames import MESSAGES
from fixlab.logs._sources import optional

GROUP_ROWS = 1 << 18  # rows written at once


class Writer:
    """Appends frames to one file. Raises `ConfigError` when it cannot be written."""

    def __init__(self, path: Path) -> None:
        self._arrow = optional("pyarrow", "writing Parquet")
        self._parquet = optional("pyarrow.parquet", "writing Parquet")
        self._path = path
        self._writer: Any = None

    def write(self, frame: pd.DataFrame) -> None:
        """Add the rows of `frame`, which has the columns of those before."""
        table = self._arrow.table(
            [self._column(frame[name]) for name in frame.columns], names=list(frame.columns)
        )
        # What tells pandas which dtypes to give back.
        notes = self._arrow.Schema.from_pandas(frame, preserve_index=False).metadata
        table = table.replace_schema_metadata(notes)
        try:
            if self._writer is None:
                self._writer = self._parquet.ParquetWriter(self._path, table.schema)
            self._writer.write_table(table)
        except OSError as error:
            raise ConfigError(f"{self._path} cannot be written: {error}") from None

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _column(self, column: pd.Series[Any]) -> Any:
        if isinstance(column.dtype, pd.CategoricalDtype):
            # Codes of one width, whatever number of texts a group of rows has.
            codes = self._arrow.array(column.cat.codes.to_numpy("int32"))
            texts = self._arrow.array(list(column.cat.categories), self._arrow.string())
            return self._arrow.DictionaryArray.from_arrays(codes, texts)
        return self._arrow.Array.from_pandas(column)


def load(path: Path, tags: Sequence[str]) -> pd.DataFrame:
    """The whole file, with the dtypes and categories of schema `messages`."""
    optional("pyarrow", "reading Parquet")
    found = pd.read_parquet(path)
    for column in MESSAGES.columns:
        values = found[column.name]
        if column.dtype == "category":
            texts = values.astype("category").cat.remove_unused_categories()
            categories = column.categories or sorted(texts.cat.categories)
            index = pd.Index(list(categories), dtype="str")
            found[column.name] = texts.cat.set_categories(index, ordered=False)
        elif str(values.dtype) != column.dtype:
            found[column.name] = values.astype(column.dtype)  # type: ignore[call-overload]
    for name in tags:
        if isinstance(found[name].dtype, pd.CategoricalDtype):
            texts = found[name].cat.remove_unused_categories()
            index = pd.Index(sorted(texts.cat.categories), dtype="str")
            found[name] = texts.cat.set_categories(index)
    return found
