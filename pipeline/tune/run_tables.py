"""Tables of runs, as people bring them: CSV or Parquet, a row a run. For `fit` and `fit-law`.

A mixture table names its rows by the first of the columns ``run``, ``name``, ``file``, ``mixture`` and ``index`` that
it shares with the table of results: so RegMix's two tables join by ``index``, Olmix's ratios and metrics by ``run``.
"""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import UserError

KEYS = ("run", "name", "file", "mixture", "index")
"""Columns that may name a run, the first found first."""


@dataclass(frozen=True)
class RunTable:
    """A table in memory: text or numbers by column, and where each row stands in its file."""

    path: str
    columns: dict[str, list[Any]]
    rows: int

    def place(self, row: int) -> str:
        """The place of a row, for messages."""
        return f"{self.path}, row {row + 1}"

    def numbers(self, column: str) -> list[float]:
        """A column as finite numbers.

        Raises:
            UserError: naming the first row that holds none.
        """
        found = []
        for row, value in enumerate(self.columns[column]):
            try:
                number = float(value)
            except (TypeError, ValueError):
                number = math.nan
            if not math.isfinite(number):
                shown = "nothing" if value in (None, "") else repr(value)
                raise UserError(f"{self.place(row)}: {column} must be a finite number, found {shown}")
            found.append(number)
        return found

    def is_text(self, column: str) -> bool:
        """Whether no value of a column is a number, though there are some."""
        values = [value for value in self.columns[column] if value not in (None, "")]
        return bool(values) and not any(_number(value) for value in values)


def read_table(path: str) -> RunTable:
    """A CSV (by a header line) or Parquet file.

    Raises:
        UserError: it cannot be read, has no row, two columns of one name, or a row of another width.
    """
    try:
        names, rows = _parquet(path) if Path(path).suffix == ".parquet" else _csv(path)
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowInvalid) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).partition("\n")[0]
        raise UserError(f"{path} cannot be read as CSV or Parquet: {reason}") from error
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        raise UserError(f"{path}: two columns are called {twice[0]!r}; give each a name of its own")
    if not rows:
        raise UserError(f"{path}: no run in it; expected a header line and a row a run")
    for position, row in enumerate(rows):
        if len(row) != len(names):
            raise UserError(f"{path}, row {position + 1}: expected {len(names)} values, found {len(row)}")
    columns = {name: [row[k] for row in rows] for k, name in enumerate(names) if name}
    return RunTable(path, columns, len(rows))


def _csv(path: str) -> tuple[list[str], list[list[Any]]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        lines = [line for line in csv.reader(file) if line]
    return ([name.strip() for name in lines[0]], list(lines[1:])) if lines else ([], [])


def _parquet(path: str) -> tuple[list[str], list[list[Any]]]:
    table = pq.read_table(path)
    columns = [column.to_pylist() for column in table.columns]
    return table.column_names, [list(row) for row in zip(*columns, strict=True)]


def run_names(table: RunTable, key: str) -> list[str]:
    """The name of every row's run: a path or file name without its folder and ending.

    Raises:
        UserError: for a run that stands in the table twice, or a row without name.
    """
    names: list[str] = []
    seen: dict[str, int] = {}
    for row, value in enumerate(table.columns[key]):
        name = _name(value)
        if not name:
            raise UserError(f"{table.place(row)}: {key} is empty; every row needs the name of its run")
        if name in seen:
            raise UserError(f"{table.place(row)}: run {name} stands in row {seen[name] + 1} too; keep one of them")
        seen[name] = row
        names.append(name)
    return names


def key_of(table: RunTable, other: RunTable | None = None) -> str:
    """The column that names the runs, in this table and in ``other``.

    Raises:
        UserError: when there is none.
    """
    found = [key for key in KEYS if key in table.columns and (other is None or key in other.columns)]
    if not found:
        both = f" and in {other.path}" if other else ""
        raise UserError(f"{table.path}: no column names the runs; expected one of {', '.join(KEYS)} in it{both}")
    return found[0]


def _name(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = "" if value is None else str(value).strip()
    return re.sub(r"\.ya?ml$", "", text.replace("\\", "/").rpartition("/")[2])


def _number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
