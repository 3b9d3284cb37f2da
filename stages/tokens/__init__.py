"""`tokens`: the kept pages of one split as token ids, ordered so that a shard can read its part of them.

Input: the aligned Parquet files of one split (`documents`, `language`, `kept`, `clusters` if there was deduplication,
`quality` if ``scores`` are carried). Output: one Arrow IPC *file* with the schema `stages.schemas.tokens`, rows
ordered by (domain, order_key, doc_id), cut into record batches of about a megabyte that never hold two domains, so
that a reader finds one domain's range of keys by random access. ``order_key`` is a keyed hash of doc_id: neighbours
in a shard have nothing to do with each other, and any prefix is an unbiased sample.

Documents begin with BOS where ``bos`` asks for it, and are rearranged to fill in the middle where ``fim`` draws them
(`stages.tokenizers.arrangement`); every document ends with EOS, its only one.

The spans of `kept` are cut or replaced before tokenization. A page of which nothing is left makes no row and is
counted (``empty_documents``). A sample of the pages is encoded by the reference library too; one difference and the
whole split is encoded by the reference (``fast: false`` and why).

With ``max_document_tokens`` longer documents are cut into pieces at paragraphs (`stages.tokenizers.long_documents`), a
row each: of one doc_id and order_key, in order, numbered in the column ``piece``, each with a text_hash of its own, by
which held-out splits are drawn.

The report in the metadata of the file is `stages.reports.TokensReport`.

Price: tokenization, then two copies of the ids; memory is about twice the ids of the split.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.contract import Store
from stages.formats.file_states import replaced
from stages.tokenizers import FastEncoderError, check_eos, load
from stages.tokenizers.arrangement import arrange, arrangement
from stages.tokens.encoding import Difference, cuts_of, divided, encode
from stages.tokens.output import write
from stages.tokens.pages import READ, Pages, pages_of, read_pages, read_scores
from stages.tokens.params import Params, deciding, order_keys

__all__ = ["READ", "VERSION", "Params", "check", "deciding", "identity", "order_keys", "page_ids", "tokenize"]

VERSION = 4


def identity(params: Params) -> dict[str, Any]:
    """Everything beside the parameters that decides the ids: the tokenizer's model, library and behaviour."""
    tokenizer = load(params.tokenizer, params.eos)
    return {"tokenizer": tokenizer.identity() | arrangement(tokenizer, params.bos, params.fim).identity()}


def check(params: Params) -> None:
    """Whether pages can be made tokens so.

    Raises:
        TokenizerError: no such tokenizer, or it has not the tokens that are wanted, or its EOS may stand in a text.
    """
    tokenizer = load(params.tokenizer, params.eos)
    arrangement(tokenizer, params.bos, params.fim)
    check_eos(tokenizer)


def tokenize(
    store: Store, *, files: dict[str, str], output: str, params: dict[str, Any], tokenizer: str = ""
) -> dict[str, Any]:
    """Job: tokenize the kept pages of one split; returns the report without its batches.

    ``files``: addresses by product: those of `READ`, and those that have the scores to carry; ``tokenizer``: SHA-256 of
    the model by which the address was made.

    Raises:
        ValueError: the tokenizer was replaced while the run went on.
    """
    settings = Params.model_validate(params)
    model = load(settings.tokenizer, settings.eos)
    if tokenizer and model.sha256 != tokenizer:
        raise ValueError(replaced(settings.tokenizer))
    carried = read_scores(store, files, settings.scores)
    try:
        encoded = encode(read_pages(store, files, carried), model, settings, model.why_slow)
    except (Difference, FastEncoderError) as difference:
        encoded = encode(read_pages(store, files, carried), model, settings, str(difference))
    report = write(store, output, encoded, model, settings)
    return {key: value for key, value in report.items() if key != "batches"}


def page_ids(
    store: Store, *, documents: str, kept: str, row: int, params: Mapping[str, Any], piece: int = 0
) -> npt.NDArray[np.integer]:
    """Ids of one page, or one piece of it, as a shard must hold them, from its text by the reference library."""
    settings = Params.model_validate(params)
    [(_, table)] = store.read_rows(documents, [row], ["doc_id", "text_hash", "text"])
    decided = store.read_table(kept, ["domain", "spans"]).slice(row, 1)
    for name in ("domain", "spans"):
        table = table.append_column(name, decided[name])
    pages, tokenizer = pages_of(table, documents), load(settings.tokenizer, settings.eos)
    if settings.max_document_tokens is not None:
        pages = divided(pages, tokenizer, settings, fast=False)
        pages = Pages(pages.data, pages.offsets[piece : piece + 2], pages.columns.slice(piece, 1))
    made = arrangement(tokenizer, settings.bos, settings.fim)
    cuts = cuts_of(made, pages)
    ids, bounds = tokenizer.encode(pages.data, cuts.offsets, fast=False)
    return arrange(made, cuts, ids, bounds)[0]
