"""`token_counts`: how many tokens the text of each page is, whether it is kept or not.

For `ensembles`, which divide all pages into parts of equal tokens; `tokens` has those of kept pages, as they are
trained on. Input: `documents` (text). Output, row for row:

    num_tokens    int64: tokens of the text as extracted, by the tokenizer of the mixture; no BOS, no EOS

Method: the encoder of `tokens` (`stages.tokenizers`), proven on its fixed texts; where it cannot do a batch, the
reference library does. Price: .1 ms for a page of 9 KB; made in the pass over the text, and only where it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from stages import schemas
from stages.contract import StageParams
from stages.kernels.columns.ragged import text_buffers
from stages.tokenizers import DEFAULT, FastEncoderError, load

VERSION = 1


class Params(StageParams):
    """The tokenizer, as `tokens` names it."""

    tokenizer: str = DEFAULT
    eos: str | int | None = None


def identity(params: Params) -> dict[str, Any]:
    """The tokenizer: its model, library and behaviour."""
    return {"tokenizer": load(params.tokenizer, params.eos).identity()}


def prepare(params: Params) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """The batch function: `documents` (text) in, `schemas.TOKEN_COUNTS` out, row for row."""
    tokenizer = load(params.tokenizer, params.eos)

    def count(batch: pa.RecordBatch) -> pa.RecordBatch:
        data, offsets = text_buffers(batch.column("text"))
        try:
            _, bounds = tokenizer.encode(data, offsets)
        except FastEncoderError:
            _, bounds = tokenizer.encode(data, offsets, fast=False)
        counts = np.diff(bounds) - 1  # EOS stands behind each
        return pa.RecordBatch.from_arrays([pa.array(counts, pa.int64())], schema=schemas.TOKEN_COUNTS)

    return count
