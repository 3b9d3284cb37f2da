"""The parameters of `tokens`: how kept pages become tokens, and the key that documents are ordered by."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, field_validator

from stages import schemas
from stages.contract import StageParams
from stages.kernels.columns.keyed_hash import hash_names
from stages.kernels.columns.ragged import Bytes
from stages.tokenizers import DEFAULT
from stages.tokenizers.arrangement import FimParams
from stages.tokenizers.long_documents import LEAST_TOKENS, CutAt

PIECE = schemas.PIECE.name


class Params(StageParams):
    """Settings by which kept pages become tokens."""

    tokenizer: str = Field(DEFAULT, description="a shipped name, or path or URI of a model file")
    eos: str | int | None = Field(
        None, description="token that ends a document, where the model names none; no text may spell it"
    )
    seed: int = Field(0, ge=0, lt=1 << 63, description="seed of the document order")
    scores: tuple[str, ...] = Field(
        (),
        description="columns of `quality`, `scores` or `labels`, as a classifier's, to carry into the docs beside the"
        " shards",
    )
    bos: bool = Field(False, description="begin every document with the model's BOS token")
    fim: FimParams | None = Field(None, description="fill-in-the-middle for some domains")
    max_document_tokens: int | None = Field(
        None,
        ge=LEAST_TOKENS,
        description="documents of more tokens are cut into pieces, at paragraphs; none: documents stay whole",
    )
    cut: CutAt = Field("paragraph", description="where, if there is such a place near: else at the next smaller one")
    check_one_in: int = Field(500, ge=1, description="one page in so many is compared with the reference library")

    @field_validator("scores")
    @classmethod
    def _scores(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        taken = {*schemas.tokens(pa.uint16()).names, *schemas.DOCS.names, "pass", PIECE} & set(names)
        if taken or len(set(names)) < len(names):
            raise ValueError(
                f"scores must be columns of `quality`, `scores` or `labels`, each once; found {', '.join(names)}"
            )
        return tuple(sorted(names))


def deciding(params: Params) -> dict[str, Any]:
    """The settings that decide the ids: those of cuts only where there are any."""
    cuts = {"max_document_tokens", "cut"} if params.max_document_tokens is None else set()
    return params.model_dump(mode="json", exclude=cuts)


def order_keys(doc_ids: Bytes, seed: int) -> npt.NDArray[np.uint64]:
    """xxh3_64 of every 16-byte doc_id, keyed with the seed."""
    return hash_names(doc_ids, seed)
