"""Tokenizers by path or by shipped name: batches of text in, ids with one EOS behind every document out.

`load("mistral-v1")` gives a `Tokenizer`. Each has a *reference* (the library its makers use: sentencepiece,
tiktoken, tokenizers) that decides what the right ids are, and where possible a *fast* encoder (our own for
SentencePiece BPE, `stages.tokenizers.bpe`; gigatoken for other BPE models) that is used only as long as it is proven
equal: on the fixed texts of `probe` before its first use, then on a sample of the documents of every split
(`Tokenizer.is_right`). One difference and the reference does the work.

Policies, the same for all: the text is encoded as it stands, no BOS is put before it, EOS is put behind it once,
and the spelling of a special token inside a text is text. Ids are uint16 if the largest id is at most 65,535,
else uint32. `Tokenizer.identity` is what a trainer compares: hash of the model file, vocabulary, ids, policies,
reference library and the hash of the ids of the fixed texts.

Price: with a 32k SentencePiece model about 100 MB of text a second and core by the fast encoder, 4 by the
reference; `benchmarks/tokens.py` measures both. Loading takes about a second and 100 MB.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import importlib.util
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow.fs as pafs

from stages.kernels.columns.ragged import Bytes, Offsets, Unsigned, offsets_of
from stages.kernels.columns.rows import append_token
from stages.tokenizers import probe

Ids = npt.NDArray[np.uint32]

SHIPPED = {
    "mistral-v1": "tokenizer.model.v1",
    "mistral-v2": "mistral_instruct_tokenizer_240216.model.v2",
    "mistral-v3": "mistral_instruct_tokenizer_240323.model.v3",
    "mistral-v7": "mistral_instruct_tokenizer_241114.model.v7",
    "tekken": "tekken_240911.json",
    "tekken-240718": "tekken_240718.json",
    "tekken-240911": "tekken_240911.json",
}
"""Names of the tokenizers that the package mistral-common carries (Apache-2.0), and their files."""

DEFAULT = "mistral-v1"


class TokenizerError(ValueError):
    """A tokenizer that cannot be found, read or used; the message says what to do."""


class Reference(Protocol):
    """The library whose ids are right. ``encode`` adds no token and takes special spellings as text."""

    library: str
    library_version: str
    vocab_size: int
    """Largest id + 1, added and special tokens included."""
    bos_id: int | None
    eos_id: int | None
    pad_id: int | None
    unk_id: int | None
    special_spellings: tuple[str, ...]

    def encode(self, text: bytes) -> Ids: ...

    def id_of(self, piece: str) -> int | None: ...


class FastEncoderError(RuntimeError):
    """The fast encoder cannot do a text; the reference has to do the work."""


class FastEncode(Protocol):
    """A batch of texts to (ids, offsets): no special token anywhere, but ``eos`` behind each text where it is given."""

    def __call__(
        self, data: Bytes, offsets: Offsets, eos: int | None = None, dtype: npt.DTypeLike = np.uint32
    ) -> tuple[Unsigned, Offsets]: ...


Proven = tuple[FastEncode | None, str | None]
"""The fast encoder, or why there is none."""


@dataclass(frozen=True)
class Tokenizer:
    """One tokenizer, ready to encode batches. Not to be shared between threads."""

    name: str
    sha256: str
    reference: Reference
    eos_id: int
    probe_sha256: str
    proven: Callable[[], Proven]
    """Made and proven when it is first asked for: who only needs the identity does not wait for it."""

    @property
    def fast(self) -> FastEncode | None:
        return self.proven()[0]

    @property
    def why_slow(self) -> str | None:
        """Why there is no fast encoder; None if there is one."""
        return self.proven()[1]

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.uint16 if self.reference.vocab_size <= 1 << 16 else np.uint32)

    def identity(self) -> dict[str, Any]:
        """What makes two tokenizers the same for a trainer; the `tokenizer` block of every manifest."""
        reference = self.reference
        return {
            "name": self.name,
            "sha256": self.sha256,
            "library": reference.library,
            "library_version": reference.library_version,
            "vocab_size": reference.vocab_size,
            "bos_id": reference.bos_id,
            "eos_id": self.eos_id,
            "pad_id": reference.pad_id,
            "unk_id": reference.unk_id,
            "add_bos": False,
            "add_eos": True,
            "dtype": self.dtype.name,
            "probe_version": probe.PROBE_VERSION,
            "probe_sha256": self.probe_sha256,
        }

    def encode(self, data: Bytes, offsets: Offsets, fast: bool = True) -> tuple[Unsigned, Offsets]:
        """Ids of every text of a batch, EOS behind each, as (ids, offsets); ``fast=False``: by the reference."""
        if fast and self.fast:
            return self.fast(data, offsets, self.eos_id, self.dtype)
        ids, bounds = encode_by_reference(self.reference, data, offsets)
        return append_token(ids, bounds, self.eos_id, self.dtype)

    def is_right(self, text: Bytes, ids: Unsigned) -> bool:
        """Whether ``ids``, EOS at their end, are those of the reference for a text."""
        return np.array_equal(ids[:-1], self.reference.encode(text.tobytes())) and ids[-1] == self.eos_id


def encode_by_reference(reference: Reference, data: Bytes, offsets: Offsets) -> tuple[Ids, Offsets]:
    """A batch through the reference library, text by text."""
    rows = [reference.encode(data[offsets[d] : offsets[d + 1]].tobytes()) for d in range(len(offsets) - 1)]
    bounds = offsets_of(np.array([len(row) for row in rows], np.int64))
    return np.concatenate(rows).astype(np.uint32, copy=False) if rows else np.empty(0, np.uint32), bounds


def first_difference(fast: FastEncode, reference: Reference, data: Bytes, offsets: Offsets) -> int | None:
    """Row of the first text whose ids differ between the two; None if none does."""
    ids, bounds = fast(data, offsets)
    for d in range(len(offsets) - 1):
        expected = reference.encode(data[offsets[d] : offsets[d + 1]].tobytes())
        if not np.array_equal(expected, ids[bounds[d] : bounds[d + 1]]):
            return d
    return None


def load(name: str = DEFAULT, eos: str | int | None = None) -> Tokenizer:
    """A tokenizer by shipped name, path or URI; loaded once per process.

    Args:
        eos: the token that ends documents, by piece or id, where the model names none or another is wanted.

    Raises:
        TokenizerError: unknown name, unreadable or unsupported file, or no EOS to be found.
    """
    data, shown = read_model(name)
    return _load(data, shown, eos)


@functools.lru_cache(maxsize=4)
def _load(data: bytes, shown: str, eos: str | int | None) -> Tokenizer:
    reference, makers = _open(data, shown)
    return Tokenizer(
        name=shown,
        sha256=hashlib.sha256(data).hexdigest(),
        reference=reference,
        eos_id=_choose_eos(reference, shown, eos),
        probe_sha256=probe.digest(reference.encode),
        proven=functools.cache(lambda: _prove(reference, makers)),
    )


def _prove(reference: Reference, makers: Sequence[Callable[[], FastEncode]]) -> Proven:
    """The first fast encoder that agrees with the reference on every fixed text, else the reasons why none does."""
    texts = probe.texts(reference.special_spellings)
    offsets = offsets_of(np.array([len(text) for text in texts], np.int64))
    reasons = []
    for make in makers:
        try:
            fast = make()
        except (ImportError, ValueError, RuntimeError) as error:  # what gigatoken raises for models it does not know
            reasons.append(f"no fast encoder for this model: {str(error).splitlines()[0]}")
            continue
        row = first_difference(fast, reference, np.frombuffer(b"".join(texts), np.uint8), offsets)
        if row is None:
            return fast, None
        reasons.append(f"the fast encoder differs from {reference.library} on the fixed text {texts[row]!r}")
    return None, "; ".join(reasons)


def _choose_eos(reference: Reference, shown: str, eos: str | int | None) -> int:
    if isinstance(eos, str):
        found = reference.id_of(eos)
        if found is None:
            raise TokenizerError(f"tokenizer {shown!r} has no token {eos!r}; `eos` must be one of its tokens or ids")
        return found
    chosen = reference.eos_id if eos is None else eos
    if chosen is None:
        raise TokenizerError(f"tokenizer {shown!r} names no end-of-document token; choose one with `eos`")
    if not 0 <= chosen < reference.vocab_size:
        raise TokenizerError(f"tokenizer {shown!r}: `eos` {chosen} is not an id below {reference.vocab_size}")
    return chosen


def read_model(name: str) -> tuple[bytes, str]:
    """The bytes of a model and the name to show for it: a shipped name, or the file name of a path or URI."""
    if name in SHIPPED:
        spec = importlib.util.find_spec("mistral_common")
        if spec is None or spec.origin is None:
            raise TokenizerError(f"tokenizer {name!r} comes with the package mistral-common, which is not installed")
        return (Path(spec.origin).parent / "data" / SHIPPED[name]).read_bytes(), name
    try:
        if "://" in name:
            fs, path = pafs.FileSystem.from_uri(name)
            with fs.open_input_file(path) as file:
                return file.read(), Path(path).name
        if Path(name).is_file():
            return Path(name).read_bytes(), Path(name).name
    except (OSError, ValueError) as error:
        raise TokenizerError(f"tokenizer {name!r} cannot be read: {error}") from error
    near = difflib.get_close_matches(name, SHIPPED, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"shipped names: {', '.join(SHIPPED)}"
    raise TokenizerError(f"tokenizer {name!r} is neither a shipped name nor a file; {hint}")


def _open(data: bytes, shown: str) -> tuple[Reference, list[Callable[[], FastEncode]]]:
    """Reference library and fast encoders to try for a model file, told apart by what is in it."""
    if data[:1] == b"{":
        return _open_json(data, shown)
    if data[:1] == b"\x0a":
        from stages.tokenizers.pieces import PieceReference, own_fast, piece_fast

        pieces = PieceReference(data)
        return pieces, [lambda: own_fast(data), lambda: piece_fast(data, pieces)]
    if shown.endswith(".tiktoken"):
        from stages.tokenizers.ranks import rank_fast, tiktoken_reference

        ranks = tiktoken_reference(data, shown)
        return ranks, [lambda: rank_fast(ranks)]
    raise TokenizerError(
        f"tokenizer {shown!r}: expected a SentencePiece model, a tokenizer.json, a Tekken JSON file or a .tiktoken file"
    )


def _open_json(data: bytes, shown: str) -> tuple[Reference, list[Callable[[], FastEncode]]]:
    try:
        config = json.loads(data)
    except ValueError as error:
        raise TokenizerError(f"tokenizer {shown!r}: not JSON: {error}") from error
    if "pattern" in config.get("config", {}):
        from stages.tokenizers.ranks import rank_fast, tekken_reference

        tekken = tekken_reference(config)
        return tekken, [lambda: rank_fast(tekken)]
    if "model" in config:
        from stages.tokenizers.hugging_face import HuggingFaceReference, hugging_face_fast

        hugging_face = HuggingFaceReference(data, config)
        return hugging_face, [lambda: hugging_face_fast(config)]
    raise TokenizerError(f"tokenizer {shown!r}: a JSON file, but neither a tokenizer.json nor a Tekken model")
