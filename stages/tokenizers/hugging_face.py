"""Hugging Face tokenizer.json: the library `tokenizers` as reference, gigatoken where it supports the model."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from stages.tokenizers.giga import from_tokenizer_json
from stages.tokenizers.tokenizer import FastEncode, Ids, Opened, TokenizerError

MOST_IDS = 1 << 24
"""Ids that a vocabulary may have: tables of them are made in memory, and published ones have a fiftieth of that."""
_EOS_SPELLINGS = ("</s>", "<|endoftext|>", "<|end_of_text|>", "<eos>", "<|im_end|>")
_BOS_SPELLINGS = ("<s>", "<|begin_of_text|>", "<bos>")
_PAD_SPELLINGS = ("<pad>", "[PAD]", "<|padding|>")


class HuggingFaceReference:
    """`tokenizers` on a tokenizer.json, special tokens never recognised in text, no post-processor."""

    library = "tokenizers"

    def __init__(self, data: bytes, config: dict[str, Any]) -> None:
        try:
            import tokenizers
        except ImportError as error:
            raise TokenizerError("a tokenizer.json needs the package tokenizers: pip install tokenizers") from error
        plain, self._hidden = without_spellings(config)
        if self._hidden:
            data = json.dumps(plain, ensure_ascii=False).encode("utf-8", "surrogatepass")
        try:
            self._tokenizer = tokenizers.Tokenizer.from_str(data.decode())
        except Exception as error:  # the library raises bare Exception for a file it cannot read
            raise TokenizerError(f"not a tokenizer.json: {error}") from error
        self._tokenizer.encode_special_tokens = True
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.library_version = importlib.metadata.version("tokenizers")
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=True)
        self.vocab_size = max(vocabulary.values()) + 1
        self.special_spellings = tuple(t["content"] for t in config.get("added_tokens") or [] if t.get("special"))
        self.bos_id = self._first(_BOS_SPELLINGS)
        self.eos_id = self._first(_EOS_SPELLINGS)
        self.pad_id = self._first(_PAD_SPELLINGS)
        unknown = config["model"].get("unk_token")
        self.unk_id = self.id_of(unknown) if isinstance(unknown, str) else None

    def _first(self, spellings: tuple[str, ...]) -> int | None:
        """The id of the first of these spellings that is a special token; only one may be one."""
        found = [spelling for spelling in spellings if spelling in self.special_spellings]
        return self.id_of(found[0]) if len(found) == 1 else None

    def encode(self, text: bytes) -> Ids:
        try:
            return np.array(self._tokenizer.encode(text.decode(), add_special_tokens=False).ids, np.uint32)
        except Exception as error:  # bare: of a model without a token for what it does not know
            raise TokenizerError(
                f"its library cannot encode {text[:40].decode(errors='replace')!r}: {error}"
            ) from error

    def decode(self, ids: Sequence[int]) -> bytes:
        hidden = set(self._hidden.values())
        plain = [int(one) for one in ids if int(one) not in hidden]
        return str(self._tokenizer.decode(plain, skip_special_tokens=True)).encode()

    def id_of(self, piece: str) -> int | None:
        found = self._hidden.get(piece, self._tokenizer.token_to_id(piece))
        return None if found is None else int(found)


def without_spellings(config: dict[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
    """The settings without spellings of special tokens that a model would find in a text, and the ids of these tokens.

    Unigram, WordLevel and WordPiece models look up pieces of a text among all of their vocabulary, special tokens
    included (T5, XLM-R): these get spellings there that no text has, as SentencePiece leaves its control pieces out.
    The token for what is unknown stays where the model finds it by its spelling. BPE models make pieces by merges.
    """
    model, added = config["model"], config.get("added_tokens") or []
    if not isinstance(model, dict) or model.get("merges") is not None:
        return config, {}
    vocabulary = model.get("vocab") or {}
    special = {token["content"] for token in added if isinstance(token, dict) and token.get("special")}
    if isinstance(vocabulary, list):  # [piece, score] by id
        hidden = {one[0]: number for number, one in enumerate(vocabulary) if _is_piece(one) and one[0] in special}
        changed: Any = [
            [_unspelt(one[0]), one[1]] if _is_piece(one) and one[0] in hidden else one for one in vocabulary
        ]
    else:
        special -= {model.get("unk_token")}
        hidden = {piece: number for piece, number in vocabulary.items() if piece in special}
        changed = {_unspelt(piece) if piece in hidden else piece: number for piece, number in vocabulary.items()}
    left = [token for token in added if not (isinstance(token, dict) and token.get("content") in hidden)]
    return {**config, "model": {**model, "vocab": changed}, "added_tokens": left}, hidden


def _is_piece(one: Any) -> bool:
    return isinstance(one, list) and len(one) == 2 and isinstance(one[0], str)


def _unspelt(piece: str) -> str:
    return f"\0 {hashlib.sha256(piece.encode()).hexdigest()}"


def hugging_face_fast(config: dict[str, Any]) -> FastEncode:
    """gigatoken on the same file without its special tokens, which it would recognise in text."""
    added = [token for token in config.get("added_tokens") or [] if not token.get("special")]
    plain = {**config, "added_tokens": added, "post_processor": None, "truncation": None, "padding": None}
    return from_tokenizer_json(json.dumps(plain, ensure_ascii=False))


def open_model(data: bytes, shown: str) -> Opened:
    """A tokenizer.json, opened (`stages.tokenizers.KINDS`).

    ``dropout`` (BPE-dropout, Provilkov et al. 2020, arXiv 1910.13267) is for a model in training, and left out: by it
    the ids of a text are drawn anew each time.
    """
    config = json.loads(data)
    model = config["model"]
    if isinstance(model, dict) and model.get("dropout") is not None:
        config = {**config, "model": {**model, "dropout": None}}
        data = json.dumps(config, ensure_ascii=False).encode()
    if _most_ids(config) > MOST_IDS:
        raise TokenizerError(f"tokenizer {shown!r}: expected ids below {MOST_IDS:,}, found {_most_ids(config) - 1:,}")
    return HuggingFaceReference(data, config), [lambda: hugging_face_fast(config)]


def _most_ids(config: dict[str, Any]) -> int:
    """Its largest id and one; entries that are none are left to the library, which names them."""
    vocabulary = config["model"].get("vocab") if isinstance(config["model"], dict) else None
    added = [token.get("id") for token in config.get("added_tokens") or [] if isinstance(token, dict)]
    listed = vocabulary.values() if isinstance(vocabulary, dict) else [len(vocabulary or []) - 1]
    return max((found for found in (*listed, *added) if isinstance(found, int)), default=-1) + 1
