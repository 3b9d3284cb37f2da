"""Tekken models (byte-level BPE in JSON, as Mistral publishes it): tiktoken as reference.

Ids 0 to 999 are special tokens; the byte-level vocabulary follows, cut to the size the file names.
"""

from __future__ import annotations

import base64
import importlib.metadata
from typing import Any

import numpy as np
import tiktoken

from stages.tokenizers import FastEncode, Ids, TokenizerError

# fmt: off
_SPECIALS = (
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>",
    "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
)
# fmt: on
"""Special tokens of files that list none, in order of their ids."""


class TekkenReference:
    """`tiktoken` with the pattern and ranks of a Tekken file."""

    library = "tiktoken"

    def __init__(self, config: dict[str, Any]) -> None:
        settings = config["config"]
        self.num_special = int(settings["default_num_special_tokens"])
        self.vocab_size = int(settings["default_vocab_size"])
        inner = self.vocab_size - self.num_special
        if inner <= 256 or inner > len(config["vocab"]):
            raise TokenizerError(f"Tekken model: {len(config['vocab'])} tokens listed, {inner} promised")
        self.ranks = {base64.b64decode(token["token_bytes"]): int(token["rank"]) for token in config["vocab"][:inner]}
        self.pattern = str(settings["pattern"])
        self._encoding = tiktoken.Encoding(
            "tekken", pat_str=self.pattern, mergeable_ranks=self.ranks, special_tokens={}
        )
        self.library_version = importlib.metadata.version("tiktoken")
        listed = config.get("special_tokens")
        self._specials = (
            {str(token["token_str"]): int(token["rank"]) for token in listed}
            if listed
            else {piece: number for number, piece in enumerate(_SPECIALS)}
        )
        self.bos_id = self._specials.get("<s>")
        self.eos_id = self._specials.get("</s>")
        self.pad_id = self._specials.get("<pad>")
        self.unk_id = self._specials.get("<unk>")
        self.special_spellings = tuple(self._specials)

    def encode(self, text: bytes) -> Ids:
        ids = self._encoding.encode_to_numpy(text.decode(), disallowed_special=())
        return ids.astype(np.uint32) + np.uint32(self.num_special)

    def id_of(self, piece: str) -> int | None:
        if piece in self._specials:
            return self._specials[piece]
        rank = self.ranks.get(piece.encode())
        return None if rank is None else rank + self.num_special


def tekken_fast(reference: TekkenReference) -> FastEncode:
    """Not yet proven: no fast encoder."""
    raise NotImplementedError("Tekken patterns are read by tiktoken alone")
