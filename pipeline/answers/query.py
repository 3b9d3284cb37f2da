"""`query`: SQL over the products of a mixture, through DuckDB (an extra: ``pip install gristmill[query]``).

Every product with files that are tables is a view of its name. Those with a row a page (`documents`, `language`,
`quality`, `clusters`, `kept`, ...) have ``split`` and ``row`` in front of their own columns: the number of the input
split and of the row in it, the same in each, so that they join ``using (split, row)``. `tokens` has ``split`` and
``doc_id``; `shards` and `corpus` have ``shard`` (the file) and ``doc_id``; `sources` is the list of splits.

It only reads. One statement that is a SELECT (``from``, ``with``, ``values``, ``describe``, ``summarize``, ``explain``
of one too); DuckDB itself then opens no file outside the root, loads no extension, sees no variable of Python, and no
setting can be changed.

Price: what DuckDB reads of the columns named; only the products that the statement names are opened. On object stores
their files are read through `Store`, and the shards of `shards` and `corpus` into memory. Limits: checksums are not
compared (`verify` does); a statement that needs more than four fifths of the memory spills to the system's temporary
folder.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.answers import paths
from pipeline.answers.query_files import SCHEME, RootFiles
from pipeline.errors import UserError
from pipeline.recipe import graph
from pipeline.recipe.snapshot import Snapshot

BATCH = 1024
_EXPLAIN = re.compile(r"\s*explain(?:\s+analyze)?\s", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """The columns of a result by name, and its rows as Python values, a list of at most `BATCH` at a time."""

    columns: list[str]
    rows: Iterator[list[tuple[Any, ...]]]


def library() -> Any:
    """DuckDB.

    Raises:
        UserError: it is not installed; the message shows how to install it.
    """
    try:
        import duckdb
        import fsspec  # noqa: F401 - through which DuckDB reads object stores
    except ImportError:
        raise UserError("`query` needs DuckDB: pip install 'gristmill[query]'") from None
    return duckdb


@contextmanager
def answered(snapshot: Snapshot, sql: str) -> Iterator[Answer]:
    """The answer to a statement about a mixture; its rows are taken inside the block.

    Raises:
        UserError: wrong SQL, a product that is not there, a statement that does more than read; here or with the rows.
    """
    duckdb = library()
    try:
        with ExitStack() as stack:
            spill = stack.enter_context(tempfile.TemporaryDirectory(prefix="gristmill-query-"))
            connection = duckdb.connect(config={"temp_directory": spill, "python_enable_replacements": False})
            stack.callback(connection.close)
            _must_read(duckdb, connection, sql)
            _open_views(connection, snapshot, sql)
            _lock(connection, snapshot)
            result = connection.execute(sql)
            names = [str(one[0]) for one in result.description or ()]
            yield Answer(_apart(names), iter(lambda: result.fetchmany(BATCH), []))
    except duckdb.Error as error:
        raise UserError(_one_line(error, snapshot)) from None


def _must_read(duckdb: Any, connection: Any, sql: str) -> None:
    """Refuse what is not one statement that reads."""
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise UserError(f"expected one SELECT, found {len(statements)} statements")
    kind = statements[0].type
    if kind == duckdb.StatementType.EXPLAIN and (found := _EXPLAIN.match(sql)):
        inner = connection.extract_statements(sql[found.end() :])
        kind = inner[0].type if len(inner) == 1 else kind
    if kind != duckdb.StatementType.SELECT:
        raise UserError(f"`query` only reads: expected a SELECT, found {str(kind).rpartition('.')[2]}")


def _lock(connection: Any, snapshot: Snapshot) -> None:
    """From here on no file outside the root is opened, nothing is loaded, and none of this can be undone."""
    folder = f"{SCHEME}://" if not snapshot.store.local else snapshot.store.base.rstrip("/") + "/"
    connection.execute(f"set allowed_directories = [{_quoted(folder)}]")
    for name, value in (
        ("autoinstall_known_extensions", "false"),
        ("autoload_known_extensions", "false"),
        ("enable_external_access", "false"),
        ("lock_configuration", "true"),
    ):
        connection.execute(f"set {name} = {value}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# Views


def _open_views(connection: Any, snapshot: Snapshot, sql: str) -> None:
    """A view for each product that the statement names; for all of them where it names none (``show tables``)."""
    words = {word.lower() for word in re.findall(r"\w+", sql)}
    tables = _tables(snapshot)
    if not snapshot.store.local:
        connection.register_filesystem(RootFiles(snapshot.store))
    for name in [name for name in tables if name in words] or tables:
        _open_view(connection, snapshot, name, tables[name])


def _tables(snapshot: Snapshot) -> dict[str, list[str]]:
    """The products that are tables and are there, with the addresses of their files."""
    found = {name: paths.addresses(snapshot, name) for name, product in graph.BY_NAME.items() if product.row != "none"}
    return {name: addresses for name, addresses in found.items() if addresses}


def _open_view(connection: Any, snapshot: Snapshot, product: str, found: list[str]) -> None:
    if product == "sources":
        splits = [_flat(split) for split in snapshot.splits()]
        connection.register(product, pa.Table.from_pylist(splits))
    elif product in ("shards", "corpus"):
        connection.register(product, _streams(snapshot, found))
    elif found[0].endswith(".arrow"):
        connection.register(product, _arrow_files(snapshot, found))
    else:
        connection.execute(f"create view {product} as {_parquet_view(snapshot, product, found)}")


def _flat(split: dict[str, Any]) -> dict[str, Any]:
    """A split without the lists that groups of files and ranges have."""
    return {key: value for key, value in split.items() if not isinstance(value, (list, tuple, dict))}


def _parquet_view(snapshot: Snapshot, product: str, addresses: Sequence[str]) -> str:
    store = snapshot.store
    where = [store.path(address) if store.local else f"{SCHEME}://{address}" for address in addresses]
    folders = {address.rpartition("/")[0] for address in addresses}  # sources may have columns of their own
    options = ", union_by_name = true" if len(folders) > 1 else ""
    place = "file_index as split, file_row_number as row, " if graph.BY_NAME[product].aligned else ""
    return f"select {place}* from read_parquet([{', '.join(map(_quoted, where))}]{options})"


def _arrow_files(snapshot: Snapshot, addresses: Sequence[str]) -> Any:
    """Arrow files as a dataset that knows of each file which split it is."""
    import pyarrow.dataset as ds  # with it comes pandas where that is: a fifth of the start of every command

    store, kind = snapshot.store, ds.IpcFileFormat()
    fragments = [
        kind.make_fragment(store.path(address), store.fs, ds.field("split") == pa.scalar(number, pa.int64()))
        for number, address in enumerate(addresses)
    ]
    schema = fragments[0].physical_schema.append(pa.field("split", pa.int64()))
    return ds.FileSystemDataset(fragments, schema.remove_metadata(), kind, store.fs)


def _streams(snapshot: Snapshot, addresses: Sequence[str]) -> Any:
    """Shards as one table; local ones are mapped, not read."""
    import pyarrow.dataset as ds

    tables = []
    for address in addresses:
        table = pa.ipc.open_stream(snapshot.store.open_unchecked(address)).read_all().replace_schema_metadata(None)
        name = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), len(table)), [address])
        tables.append(table.append_column("shard", name.cast(pa.string())))
    return ds.dataset(pa.concat_tables(tables))


# Names of columns, and errors


def _apart(names: Sequence[str]) -> list[str]:
    """Names of columns, the second of a name with ``_2`` behind it."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return found


def _near(lines: list[str]) -> str:
    """What DuckDB proposes in the place of a name: columns that are spelt like it, or a function."""
    for line in lines[1:]:
        if line.startswith(("Candidate bindings:", "Did you mean")):
            names = [f"'{name}'" for name in re.findall('"([^"]+)"', line)[:2]]
            return f"; did you mean {' or '.join(names)}?" if names else ""
    return ""


def _one_line(error: Exception, snapshot: Snapshot) -> str:
    """DuckDB's message without the picture of the statement: names that are near, and the products there are."""
    lines = [line.strip() for line in str(error).split("\n")]
    message = lines[0].removesuffix("!").replace("Values list", "Table")
    if not message.startswith("Catalog Error: Table"):
        return f"query: {message}{_near(lines)}"
    wanted = re.search(r"name (\w+)", message)
    absent = wanted is not None and wanted[1].lower() in graph.BY_NAME
    what = f"mixture {snapshot.name} has no table {wanted[1]} (yet)" if wanted and absent else message
    return f"query: {what}; it has: {', '.join(_tables(snapshot)) or 'none'}"
