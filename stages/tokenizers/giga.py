"""gigatoken over (data, offsets): one call per batch, no Python object per text or token."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets, Unsigned
from stages.kernels.columns.rows import append_token
from stages.tokenizers.tokenizer import FastEncode, FastEncoderError


def from_tokenizer_json(config: str, shift: int = 0) -> FastEncode:
    """A batch encoder for the contents of a Hugging Face tokenizer.json, on the calling thread alone.

    ``shift`` is added to every id.
    """
    import gigatoken

    return _encoder(gigatoken.Tokenizer.from_json(config), shift)


def from_ranks(path: str, scheme: str) -> FastEncode:
    """A batch encoder for a .tiktoken file, its pattern by gigatoken's name for it, without special tokens."""
    import gigatoken

    return _encoder(gigatoken.Tokenizer.from_tiktoken(path, pretokenizer=scheme, special_tokens={}))


def _encoder(tokenizer: Any, shift: int = 0) -> FastEncode:
    import awkward

    # Ray gives every process its own cores: no thread pool of the library's own beside them.
    contents, index = awkward.contents, awkward.index

    def encode(
        data: Bytes, offsets: Offsets, eos: int | None = None, dtype: npt.DTypeLike = np.uint32
    ) -> tuple[Unsigned, Offsets]:
        letters = contents.NumpyArray(data, parameters={"__array__": "byte"})
        texts = contents.ListOffsetArray(index.Index64(offsets), letters, parameters={"__array__": "bytestring"})
        try:
            layout = tokenizer.encode_batch(awkward.Array(texts), parallel=False).layout
        except BaseException as error:
            if type(error).__name__ == "PanicException":  # how a Rust panic arrives; not an Exception
                raise FastEncoderError(f"gigatoken panicked: {error}") from error
            raise
        ids, bounds = np.asarray(layout.content.data), np.asarray(layout.offsets.data)
        ids = ids + np.uint32(shift) if shift else ids
        return (ids, bounds) if eos is None else append_token(ids, bounds, eos, np.dtype(dtype))

    return encode
