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

import numpy as np

from stages.formats.locations import is_uri, open_file, place_of
from stages.kernels.columns.ragged import offsets_of
from stages.tokenizers import hugging_face, pieces, probe, ranks
from stages.tokenizers.tokenizer import (
    FastEncode,
    FastEncoderError,
    Opened,
    Proven,
    Reference,
    Tokenizer,
    TokenizerError,
    first_difference,
)

__all__ = ["DEFAULT", "SHIPPED", "FastEncoderError", "Tokenizer", "check_eos", "first_difference", "load", "read_model"]

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
    offsets = offsets_of([len(text) for text in texts])
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


def check_eos(tokenizer: Tokenizer) -> None:
    """Whether the token that ends documents is inside none: nothing that a page spells may become it.

    Raises:
        TokenizerError: the spelling of the token, in a text, is the token.
    """
    reference, number = tokenizer.reference, tokenizer.eos_id
    spellings = [spelling for spelling in reference.special_spellings if reference.id_of(spelling) == number]
    for text in (*(spelling.encode() for spelling in spellings), *_ordinary(reference, number)):
        if number in reference.encode(text):
            raise TokenizerError(
                f"tokenizer {tokenizer.name!r}: a page that holds {text.decode(errors='replace')!r} would hold id"
                f" {number}, which ends every document; choose another `eos`, a special token that texts are not made"
                " of (in a tokenizer.json `special: true` makes one)"
            )


def _ordinary(reference: Reference, number: int) -> tuple[bytes, ...]:
    """The text of an id, if it has one."""
    text = reference.decode([number])
    return (text, b" " + text, b"a" + text) if text else ()


def read_model(name: str) -> tuple[bytes, str]:
    """The bytes of a model and the name to show for it: a shipped name, or the file name of a path or URI."""
    if name in SHIPPED:
        spec = importlib.util.find_spec("mistral_common")
        if spec is None or spec.origin is None:
            raise TokenizerError(f"tokenizer {name!r} comes with the package mistral-common, which is not installed")
        return (Path(spec.origin).parent / "data" / SHIPPED[name]).read_bytes(), name
    try:
        if is_uri(name):
            with open_file(name) as file:
                return file.read(), Path(place_of(name).path).name
        if Path(name).is_file():
            return Path(name).read_bytes(), Path(name).name
    except (OSError, ValueError) as error:
        raise TokenizerError(f"tokenizer {name!r} cannot be read: {error}") from error
    near = difflib.get_close_matches(name, SHIPPED, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"shipped names: {', '.join(SHIPPED)}"
    raise TokenizerError(f"tokenizer {name!r} is neither a shipped name nor a file; {hint}")


@dataclass(frozen=True)
class Kind:
    """One kind of model file: how its content or name shows it, and who opens it."""

    name: str
    is_one: Callable[[bytes, str], bool]
    open: Callable[[bytes, str], Opened]


def _is_json(data: bytes) -> bool:
    """Whether a file begins as a JSON object does, behind white space; a line feed begins SentencePiece models too."""
    return data[:64].lstrip(b" \t\r\n")[:1] == b"{"


def _json_with(key: str, inner: str = "") -> Callable[[bytes, str], bool]:
    def is_one(data: bytes, shown: str) -> bool:
        if not _is_json(data):
            return False
        try:
            config = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise TokenizerError(f"tokenizer {shown!r}: not JSON: {error}") from error
        return key in config and (not inner or (isinstance(config[key], dict) and inner in config[key]))

    return is_one


KINDS = (
    Kind("a SentencePiece model", lambda data, shown: data[:1] == b"\x0a" and not _is_json(data), pieces.open_model),
    Kind("a Tekken JSON file", _json_with("config", "pattern"), ranks.open_tekken),
    Kind("a tokenizer.json", _json_with("model"), hugging_face.open_model),
    Kind("a .tiktoken file", lambda data, shown: shown.endswith(".tiktoken"), ranks.open_tiktoken),
)
"""The model files that can be read; the first kind that a file is of opens it."""


def _open(data: bytes, shown: str) -> Opened:
    """Reference library and fast encoders to try for a model file."""
    for kind in KINDS:
        if kind.is_one(data, shown):
            return kind.open(data, shown)
    names = ", ".join(kind.name for kind in KINDS)
    raise TokenizerError(f"tokenizer {shown!r}: expected one of: {names}")
