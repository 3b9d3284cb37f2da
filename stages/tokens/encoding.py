"""Text to ids: a split's pages, encoded in groups, a sample of them compared with the reference library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from stages import schemas
from stages.kernels.columns.ragged import Bytes, Offsets, Unsigned, offsets_of
from stages.kernels.columns.rows import Pieces, take_rows
from stages.shard_format import fixed_bytes
from stages.tokenizers import Tokenizer
from stages.tokenizers.arrangement import Arrangement, Cuts, arrange, arrangement, cut
from stages.tokenizers.long_documents import cut_long
from stages.tokens.pages import Pages
from stages.tokens.params import PIECE, Params, order_keys

ENCODED_BYTES = 32 << 20
"""Text encoded by one call: gigatoken begins each with an empty cache of words. From 4 MB on it is a quarter faster."""
_MAX_CHECKED_BYTES = 1 << 18


@dataclass
class Encoded:
    """All pages of the split: their ids (with EOS), how many each has, and the columns beside them."""

    ids: Pieces
    sizes: Offsets
    columns: pa.Table
    keys: npt.NDArray[np.uint64]
    empty: int
    further: int
    """Pieces of documents beyond the first of each."""
    checked: int
    why_slow: str | None


def encode(groups: Iterator[Pages], tokenizer: Tokenizer, settings: Params, why_slow: str | None) -> Encoded:
    """Encode a split, by the reference where ``why_slow`` is given; else stop with `Difference` at the first one."""
    made = arrangement(tokenizer, settings.bos, settings.fim)
    ids: list[Bytes] = []
    sizes: list[Offsets] = [np.empty(0, np.int64)]
    columns: list[pa.Table] = []
    keys: list[npt.NDArray[np.uint64]] = []
    empty = checked = further = 0
    for group in _gathered(groups):
        rows = np.flatnonzero(np.diff(group.offsets))
        if len(rows) < len(group.columns):
            empty += len(group.columns) - len(rows)
            data, offsets = take_rows(group.data, group.offsets, rows)
            group = Pages(data, offsets, group.columns.take(pa.array(rows)))
        if settings.max_document_tokens is not None:
            group = divided(group, tokenizer, settings, fast=why_slow is None)
            further += int((group.columns[PIECE].to_numpy() > 0).sum())
        group_keys = order_keys(fixed_bytes(group.columns["doc_id"]), settings.seed)
        cuts = cuts_of(made, group)
        found, bounds = tokenizer.encode(group.data, cuts.offsets, fast=why_slow is None)
        if why_slow is None:
            chosen = _sample(group, group_keys, settings.check_one_in, first=not checked)
            _compare(group, chosen, cuts, found, bounds, tokenizer)
            checked += len(chosen)
        if not made.plain:
            found, bounds = arrange(made, cuts, found, bounds)
        ids.append(found.view(np.uint8))
        sizes.append(np.diff(bounds))
        keys.append(group_keys)
        columns.append(group.columns.append_column("text_bytes", pa.array(np.diff(group.offsets), pa.int64())))
    all_sizes = np.concatenate(sizes)
    return Encoded(
        ids=Pieces(ids, offsets_of(all_sizes), tokenizer.dtype),
        sizes=all_sizes,
        columns=pa.concat_tables(columns).combine_chunks() if columns else None,
        keys=np.concatenate(keys) if keys else np.empty(0, np.uint64),
        empty=empty,
        further=further,
        checked=checked,
        why_slow=why_slow,
    )


def divided(group: Pages, tokenizer: Tokenizer, settings: Params, fast: bool) -> Pages:
    """The pages with long ones cut into pieces, in order: one doc_id, `PIECE` from 0 on, a text_hash for each.

    The hash decides held-out splits: equal texts have equal pieces, which fall into one split; those of one text need
    not, so that a split has the size that was asked for.
    """
    most = settings.max_document_tokens or 0
    offsets, parents = cut_long(group.data, group.offsets, tokenizer, most, settings.cut, fast)
    numbers = np.arange(len(parents)) - np.searchsorted(parents, parents)
    columns = group.columns.take(pa.array(parents))
    hashes = columns["text_hash"].to_pylist()
    for row in np.flatnonzero(np.bincount(parents)[parents] > 1).tolist():
        hashes[row] = xxhash.xxh3_128_digest(hashes[row] + int(numbers[row]).to_bytes(8, "little"))
    place = columns.column_names.index("text_hash")
    columns = columns.set_column(place, columns.schema.field("text_hash"), pa.array(hashes, pa.binary(16)))
    return Pages(group.data, offsets, columns.append_column(schemas.PIECE, pa.array(numbers, pa.int32())))


class Difference(Exception):
    """The fast encoder gave other ids than the reference; the message names the document."""


def _gathered(groups: Iterator[Pages]) -> Iterator[Pages]:
    """These pages in groups of about ENCODED_BYTES of text."""
    waiting: list[Pages] = []
    for group in groups:
        waiting.append(group)
        if sum(int(pages.offsets[-1] - pages.offsets[0]) for pages in waiting) >= ENCODED_BYTES:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(groups: list[Pages]) -> Pages:
    if len(groups) == 1:
        return groups[0]
    data = np.concatenate([pages.data[pages.offsets[0] : pages.offsets[-1]] for pages in groups])
    offsets = offsets_of(np.concatenate([np.diff(pages.offsets) for pages in groups]))
    return Pages(data, offsets, pa.concat_tables([pages.columns for pages in groups]).combine_chunks())


def _sample(group: Pages, keys: npt.NDArray[np.uint64], one_in: int, first: bool) -> Offsets:
    """The pages to compare with the reference, by order_key.

    ``first`` adds the page of the smallest key, so that a split with few pages is checked too.
    """
    small = np.diff(group.offsets) <= _MAX_CHECKED_BYTES
    chosen = small & (keys % np.uint64(one_in) == 0)
    if first and small.any():
        chosen[np.flatnonzero(small)[np.argmin(keys[small])]] = True
    return np.flatnonzero(chosen)


def _compare(group: Pages, rows: Offsets, cuts: Cuts, ids: Unsigned, bounds: Offsets, tokenizer: Tokenizer) -> None:
    """Stop with `Difference` at the first of the rows whose ids are not the reference's."""
    for row in rows.tolist():
        for text in range(cuts.first[row], cuts.first[row + 1]):
            data = group.data[cuts.offsets[text] : cuts.offsets[text + 1]]
            if not tokenizer.is_right(data, ids[bounds[text] : bounds[text + 1]]):
                doc_id = group.columns["doc_id"][row].as_py().hex()
                raise Difference(f"the fast encoder differs from {tokenizer.reference.library} on document {doc_id}")


def cuts_of(made: Arrangement, pages: Pages) -> Cuts:
    domains = pages.columns["domain"].to_numpy() if made.fim else np.empty(0, object)
    return cut(made, pages.data, pages.offsets, fixed_bytes(pages.columns["doc_id"]), domains)
