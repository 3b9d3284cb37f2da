"""gigatoken over (data, offsets): one call per batch, no Python object per text or token."""

from __future__ import annotations

from typing import Any

import numpy as np

from stages.kernels.ragged import Bytes, Offsets
from stages.tokenizers import FastEncode, Ids


class FastEncoderError(RuntimeError):
    """The fast encoder broke down on a text; the reference has to do the work."""


def from_tokenizer_json(config: str) -> FastEncode:
    """A batch encoder for the contents of a Hugging Face tokenizer.json, on the calling thread alone."""
    import gigatoken

    return _encoder(gigatoken.Tokenizer.from_json(config))


def from_ranks(path: str, scheme: str) -> FastEncode:
    """A batch encoder for a .tiktoken file, its pattern by gigatoken's name for it, without special tokens."""
    import gigatoken

    return _encoder(gigatoken.Tokenizer.from_tiktoken(path, pretokenizer=scheme, special_tokens={}))


def _encoder(tokenizer: Any) -> FastEncode:
    import awkward

    # Ray gives every process its own cores: no thread pool of the library's own beside them.
    contents, index = awkward.contents, awkward.index

    def encode(data: Bytes, offsets: Offsets) -> tuple[Ids, Offsets]:
        letters = contents.NumpyArray(data, parameters={"__array__": "byte"})
        texts = contents.ListOffsetArray(index.Index64(offsets), letters, parameters={"__array__": "bytestring"})
        try:
            layout = tokenizer.encode_batch(awkward.Array(texts), parallel=False).layout
        except BaseException as error:
            if type(error).__name__ == "PanicException":  # how a Rust panic arrives; not an Exception
                raise FastEncoderError(f"gigatoken panicked: {error}") from error
            raise
        return np.asarray(layout.content.data), np.asarray(layout.offsets.data)

    return encode
