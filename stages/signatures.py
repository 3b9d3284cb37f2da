"""`signatures`: what is needed to find pages that repeat each other, one row per page, aligned with `documents`.

For `clusters`, which compares them across all splits, and for later crawls, which compare against stored ones.
Reads `documents.text`; writes `schemas.signatures(permutations)`:

    doc_id        the page
    exact_hash    XXH3 (128 bit) of the normalised text in UTF-8: equal hashes, equal texts
    num_shingles  number of distinct shingles: `ngram` successive units; units are words, or code points where a
                  script has no spaces (decided from the text itself); a text of 1 to ngram - 1 units has one
                  shingle of all of them; a text without units has none and is never a duplicate of anything
    minhash       minima of the shingle hashes under `permutations` permutations; all 2**32 - 1 without shingles

Normal form: `stages.kernels.unicode.normalise` (NFKC, lower case, punctuation and symbols deleted, white space
collapsed). MinHash after Broder (1997), with 32-bit linear permutations over 64-bit shingle hashes:
`stages.kernels.dedup.minhash`.

Price: about 160 MB of text a second and core at 112 permutations; 470 bytes a page before compression (the minima
are random numbers and do not compress). Limit: 32-bit minima tell shingles apart up to about 1e7 a page.
"""

from __future__ import annotations

import itertools
import json
import unicodedata
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from pydantic import Field

from stages import schemas
from stages.contract import StageParams
from stages.kernels.columns.ragged import Bytes, Offsets, text_buffers
from stages.kernels.dedup import minhash
from stages.kernels.unicode.normalise import normalise

VERSION = 2
METHOD_KEY = "signatures"
"""Schema metadata: JSON of version, parameters and Unicode version. Signatures of two methods cannot be compared."""


class Params(StageParams):
    """Settings by which texts are cut and hashed. A change makes signatures that cannot be compared with old ones."""

    ngram: int = Field(default=5, ge=1, le=64)
    """Units in a shingle."""
    permutations: int = Field(default=112, ge=16, le=1024)
    """Minima in a signature; bands times rows of `clusters` may not exceed it."""
    seed: int = Field(default=1, ge=0, lt=2**64)
    """Draws the permutations."""


def schema(params: Params) -> pa.Schema:
    """Arrow schema for these parameters; its metadata says by which method and parameters the signatures were made."""
    method = {"version": VERSION, **params.model_dump(), **identity(params)}
    return schemas.signatures(params.permutations).with_metadata({METHOD_KEY: json.dumps(method, sort_keys=True)})


def identity(params: Params) -> dict[str, Any]:
    """The Unicode version decides the normal form of new characters."""
    return {"unicode": unicodedata.unidata_version}


def prepare(params: Params) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """Return the batch function: RecordBatch of `documents` (doc_id, text) in, `signatures` out, row for row."""
    multipliers, increments = minhash.permutations(params.permutations, params.seed)
    out_schema = schema(params)

    def sign(batch: pa.RecordBatch) -> pa.RecordBatch:
        data, offsets, spaceless = normalise(*text_buffers(batch.column("text")))
        minima, num_shingles = minhash.minhash(data, offsets, spaceless, params.ngram, multipliers, increments)
        columns = [
            batch.column("doc_id"),
            _exact_hashes(data, offsets),
            pa.array(num_shingles),
            pa.FixedSizeListArray.from_arrays(pa.array(minima.reshape(-1)), type=out_schema.field("minhash").type),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=out_schema)

    return sign


def _exact_hashes(data: Bytes, offsets: Offsets) -> pa.Array:
    view = np.ascontiguousarray(data).data
    digests = [xxhash.xxh3_128_digest(view[start:stop]) for start, stop in itertools.pairwise(offsets.tolist())]
    return pa.Array.from_buffers(pa.binary(16), len(digests), [None, pa.py_buffer(b"".join(digests))])
