"""First half of the exchange: how many pages have a line, and which lines are frequent.

`count_lines` (a group of splits) writes (key, pages) per distinct line and paragraph of the group, by range of keys,
where pages that copy the text of another are none (`stages.text_copies`); `find_frequent` (a range) adds them up and
writes the frequent ones back, to each group those that it has. A key is the hash, its lowest bit 1 for a paragraph.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.contract import Store
from stages.exchange_file import Columns, concatenate, partition_of, read_partition, write_partitioned
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.words.line_hashes import HashedLines, hash_lines, paragraphs_of
from stages.lines.params import Params
from stages.scopes import scope_salts
from stages.text_copies import copies_of, counted

Units = tuple[HashedLines, HashedLines]
"""Lines and paragraphs of a batch."""
_ONE = np.uint64(1)


def count_lines(
    store: Store,
    *,
    params: dict[str, Any],
    splits: list[dict[str, Any]],
    texts: str,
    copies: list[str],
    group: int,
    ranges: int,
    output: str,
) -> dict[str, Any]:
    """Pages that have each line and each paragraph of these splits; pages that copy the text of another are none."""
    settings = Params.model_validate(params)
    places = copies_of(store, texts, copies, group)
    keys, pages = np.zeros(0, np.uint64), np.zeros(0, np.int64)
    for split in splits:
        counts = counted(places, split["first"], split["rows"])
        here, row = [], 0
        for text, units in batches(store, settings, split):
            once, row = counts[row : row + len(text)], row + len(text)
            for unit, lines in enumerate(units):
                of_page = np.repeat(once, np.diff(lines.lines_D1))
                here.append(keys_of(lines, unit)[countable(lines, settings) & ~lines.repeated_L & of_page])
        keys, pages = summed(
            np.concatenate([keys, *here]), np.concatenate([pages, np.ones(sum(map(len, here)), np.int64)])
        )
    columns: Columns = {"key": keys, "pages": pages.astype(np.uint32)}
    write_partitioned(store, output, columns, partition_of(keys, ranges), ranges)
    return {"lines": len(keys)}


def find_frequent(
    store: Store, *, params: dict[str, Any], inputs: list[str], partition: int, output: str
) -> dict[str, Any]:
    """The frequent lines of one range of keys: (key, pages) for every group that has them."""
    settings = Params.model_validate(params)
    parts = [read_partition(store, address, partition) for address in inputs]
    whole = concatenate(parts)
    keys, pages = summed(whole["key"], whole["pages"].astype(np.int64))
    frequent = pages >= settings.min_pages
    keys, pages = keys[frequent], pages[frequent]
    found = []
    for part in parts:
        places = np.searchsorted(keys, part["key"])
        places = (
            places[(places < len(keys)) & (keys[np.minimum(places, len(keys) - 1)] == part["key"])]
            if len(keys)
            else places[:0]
        )
        found.append({"key": keys[places], "pages": pages[places]})
    groups = np.repeat(np.arange(len(parts)), [len(part["key"]) for part in found])
    num_paragraphs = int((keys & _ONE).sum())
    about = {"keys": len(whole["key"]), "lines": len(keys) - num_paragraphs, "paragraphs": num_paragraphs}
    write_partitioned(store, output, concatenate(found), groups, len(parts), about)
    return about


def summed(keys: npt.NDArray[np.uint64], pages: npt.NDArray[np.int64]) -> tuple[Any, Any]:
    """Distinct keys, ascending, and the sums of their pages."""
    order = np.argsort(keys)
    keys = keys[order]
    first = np.ones(len(keys), np.bool_)
    first[1:] = keys[1:] != keys[:-1]
    starts = np.flatnonzero(first)
    return keys[starts], np.add.reduceat(pages[order], starts) if len(starts) else pages


def keys_of(lines: HashedLines, unit: int) -> npt.NDArray[np.uint64]:
    """Keys of lines (``unit`` 0) or of paragraphs (1)."""
    return lines.hashes_L & ~_ONE | np.uint64(unit)


def countable(lines: HashedLines, settings: Params) -> npt.NDArray[np.bool_]:
    """Lines or paragraphs of enough bytes to be frequent or repeated."""
    found: npt.NDArray[np.bool_] = lines.sizes_L >= settings.min_bytes
    return found


def batches(store: Store, settings: Params, split: dict[str, Any]) -> Iterator[tuple[pa.Array, Units]]:
    """Text of a split, its lines and its paragraphs, row group by row group."""
    columns = ["text", "url"] if settings.scope == "host" else ["text"]
    for _, table in store.row_groups(split["documents"], columns):
        text = table.column("text").combine_chunks()
        hosts = table.column("url") if settings.scope == "host" else None
        lines = hash_lines(*text_buffers(text), scope_salts(split["source"], hosts, len(text)))
        yield text, (lines, paragraphs_of(lines))
