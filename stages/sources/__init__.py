"""`sources`: the fixed list of input splits of one entry under ``sources:`` in the YAML.

Two ways lead to `Split`s, both sorted by file and start and the same in every run: files under ``paths`` (`files`),
read whole or in equal parts; and records that an ``index`` names (`indexed`), of which only the wanted ones are read,
by ranges of bytes.
"""

from __future__ import annotations

from collections.abc import Callable

from stages.contract import Split
from stages.formats.listing import Say
from stages.sources import indexed
from stages.sources.files import file_splits, files_of
from stages.sources.indexed import Index, costs, from_table, to_table
from stages.sources.params import SourceError, SourceParams

__all__ = ["Index", "SourceError", "SourceParams", "costs", "from_table", "list_splits", "to_table"]

Keep = Callable[[str, Callable[[], Index]], Index]
"""Gives the index of an identity, from where it was kept or from the function, which scans it."""


def list_splits(
    name: str,
    params: SourceParams,
    say: Say = lambda _: None,
    keep: Keep = lambda _, find: find(),
    without: str = "",
) -> list[Split]:
    """All splits of the source ``name``, sorted by (file, start).

    Args:
        say: called with a line for every file that is left out, and why.
        keep: where scanned indices are kept, for sources that have one.
        without: the root of the run, a path or URI: a folder that it stands in is read without it.

    Raises:
        SourceError: a path that is missing or cannot be read, a glob that matches nothing, a file whose format its
            name does not show, two files with one name; an index without the columns that are needed.
    """
    if not params.index:
        return file_splits(name, params, say, without)
    indices = indexed.listed_indices(name, params, files_of, say)
    try:
        identity = indexed.identity(params, indices)
    except (OSError, ValueError) as error:
        raise SourceError(f"source {name}: cannot read where.urls {params.where.urls}: {error}") from error
    index = keep(identity, lambda: indexed.find(name, params, indices, say))
    if not index.places.num_rows:
        raise SourceError(f"source {name}: no row of the index meets `where`, of {index.rows:,} that were read")
    return indexed.splits(name, params, index)
