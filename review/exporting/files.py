"""Writing one table as CSV, JSON Lines and Parquet at once, in constant memory."""

import csv
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from review.exporting.schema import SCHEMA_VERSION, Column, Kind

# Spreadsheets of Japanese, Chinese and Korean readers take the wide forms for the narrow ones.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
BATCH_ROWS = 1000
ARROW_TYPES = {
    Kind.INTEGER: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.TEXT: pa.string(),
    Kind.TIME: pa.timestamp("us", tz="UTC"),
    Kind.JSON: pa.string(),
}
Row = Mapping[str, Any]


def defused(text: str) -> str:
    """Return the text so that no spreadsheet runs it as a formula (OWASP, CSV injection)."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_STARTS) else text


class TableWriter:
    """Writes rows of one table to three files in a folder; a context manager."""

    def __init__(self, folder: Path, name: str, columns: Sequence[Column]) -> None:
        self.n_rows = 0
        self.paths = tuple(folder / f"{name}.{suffix}" for suffix in ("csv", "jsonl", "parquet"))
        self._columns = columns
        self._names = [column.name for column in columns]
        self._pending: list[dict[str, Any]] = []
        self._files = ExitStack()

    def __enter__(self) -> Self:
        csv_path, jsonl_path, parquet_path = self.paths
        with ExitStack() as opened:
            csv_file = opened.enter_context(csv_path.open("w", newline="", encoding="utf-8"))
            self._jsonl = opened.enter_context(jsonl_path.open("w", encoding="utf-8"))
            self._csv = csv.DictWriter(csv_file, self._names, quoting=csv.QUOTE_ALL)
            self._csv.writeheader()
            schema = pa.schema(
                [pa.field(c.name, ARROW_TYPES[c.kind]) for c in self._columns],
                metadata={"second_look_schema": SCHEMA_VERSION},
            )
            self._parquet = opened.enter_context(pq.ParquetWriter(parquet_path, schema))
            self._files = opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._flush()
        finally:
            self._files.close()

    def write(self, row: Row) -> None:
        """Write one row; it has exactly the table's columns.

        Raises:
            ValueError: If a column is missing or unknown.
        """
        if row.keys() != set(self._names):
            odd = sorted(row.keys() ^ set(self._names))
            raise ValueError(f"columns do not match the schema: {', '.join(odd)}")
        self._csv.writerow({c.name: _csv_cell(row[c.name], c.kind) for c in self._columns})
        plain = {c.name: _json_value(row[c.name]) for c in self._columns}
        self._jsonl.write(json.dumps(plain, ensure_ascii=False, allow_nan=False) + "\n")
        self._pending.append({c.name: _arrow_cell(row[c.name], c.kind) for c in self._columns})
        self.n_rows += 1
        if len(self._pending) >= BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            batch = pa.RecordBatch.from_pylist(self._pending, schema=self._parquet.schema)
            self._parquet.write_batch(batch)
            self._pending.clear()


def _json_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)


def _json_value(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _csv_cell(value: object, kind: Kind) -> object:
    if value is None:
        return ""
    if kind is Kind.JSON:
        return defused(_json_text(value))
    if kind is Kind.TEXT:
        return defused(str(value))
    return _json_value(value)


def _arrow_cell(value: object, kind: Kind) -> object:
    return _json_text(value) if kind is Kind.JSON and value is not None else value
