"""Byte-level BPE by ranks: Tekken files (as Mistral publishes them) and .tiktoken files; tiktoken is the reference.

A Tekken file carries its pattern; ids 0 to 999 are special tokens and the vocabulary follows, cut to the size the
file names. A .tiktoken file carries ranks alone: pattern and special tokens come with the names that tiktoken
defines (`r50k_base`, `cl100k_base`, `o200k_base`, ...), so such a file must bear its encoding's name.
"""

from __future__ import annotations

import base64
import binascii
import importlib.metadata
import json
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tiktoken
from tiktoken_ext import openai_public

from stages.kernels.bpe import rank_merges as kernels
from stages.kernels.columns.ragged import offsets_of
from stages.tokenizers.giga import from_ranks, from_tokenizer_json
from stages.tokenizers.tokenizer import FastEncode, Ids, Opened, TokenizerError

# fmt: off
_TEKKEN_SPECIALS = (
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>",
    "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
)
# fmt: on
"""Special tokens of Tekken files that list none, in order of their ids."""


_SCHEMES = {"gpt2": "gpt2", "r50k_base": "gpt2", "cl100k_base": "gpt4", "o200k_base": "o200k"}
"""gigatoken's names for the patterns of tiktoken's encodings."""


class RankReference:
    """`tiktoken` with a pattern, ranks, and special tokens that are never recognised in text."""

    library = "tiktoken"

    def __init__(
        self,
        pattern: str,
        ranks: dict[bytes, int],
        specials: Mapping[str, int],
        shift: int = 0,
        scheme: str | None = None,
    ) -> None:
        self.pattern, self.ranks, self.shift = pattern, ranks, shift
        self.scheme = scheme
        """gigatoken's name for the pattern, where it goes by names."""
        self._specials = dict(specials)
        self._encoding = tiktoken.Encoding("ranks", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
        self.library_version = importlib.metadata.version("tiktoken")
        self.vocab_size = max([max(ranks.values()) + shift, *self._specials.values()]) + 1
        self.bos_id = self._specials.get("<s>")
        self.eos_id = self._specials.get("</s>", self._specials.get("<|endoftext|>"))
        self.pad_id = self._specials.get("<pad>")
        self.unk_id = self._specials.get("<unk>")
        self.special_spellings = tuple(self._specials)

    def encode(self, text: bytes) -> Ids:
        ids = self._encoding.encode_to_numpy(text.decode(), disallowed_special=())
        return ids.astype(np.uint32) + np.uint32(self.shift)

    def decode(self, ids: Sequence[int]) -> bytes:
        special = set(self._specials.values())
        plain = [int(one) - self.shift for one in ids if int(one) not in special and int(one) >= self.shift]
        return bytes(self._encoding.decode_bytes(plain))

    def id_of(self, piece: str) -> int | None:
        if piece in self._specials:
            return self._specials[piece]
        rank = self.ranks.get(piece.encode())
        return None if rank is None else rank + self.shift


def tekken_reference(config: dict[str, Any]) -> RankReference:
    """A Tekken JSON file."""
    try:
        settings = config["config"]
        num_special = int(settings["default_num_special_tokens"])
        inner = int(settings["default_vocab_size"]) - num_special
        listed = config.get("special_tokens")
        specials = (
            {str(token["token_str"]): int(token["rank"]) for token in listed}
            if listed
            else {piece: number for number, piece in enumerate(_TEKKEN_SPECIALS)}
        )
        ranks = {base64.b64decode(token["token_bytes"]): int(token["rank"]) for token in config["vocab"][:inner]}
    except (KeyError, TypeError, ValueError) as error:
        raise TokenizerError(f"not a Tekken model: {error!r}") from error
    if inner <= 256 or inner != len(ranks):
        raise TokenizerError(f"Tekken model: {len(ranks)} tokens listed, {inner} promised")
    return RankReference(str(settings["pattern"]), ranks, specials, shift=num_special)


def tiktoken_reference(data: bytes, shown: str) -> RankReference:
    """A .tiktoken file that bears the name of one of tiktoken's encodings."""
    name = shown.removesuffix(".tiktoken")
    try:
        pairs = (line.split() for line in data.splitlines() if line)
        ranks = {base64.b64decode(token, validate=True): int(rank) for token, rank in pairs}
    except (ValueError, binascii.Error) as error:
        raise TokenizerError(f"tokenizer {shown!r}: not a file of ranks: {error}") from error

    if name not in openai_public.ENCODING_CONSTRUCTORS:
        known = ", ".join(sorted(openai_public.ENCODING_CONSTRUCTORS))
        raise TokenizerError(
            f"tokenizer {shown!r}: a file of ranks has no pattern of its own; name it after its encoding ({known})"
        )
    definition = _definition(openai_public, name, ranks)
    return RankReference(definition["pat_str"], ranks, definition["special_tokens"], scheme=_SCHEMES.get(name))


def _definition(module: Any, name: str, ranks: dict[bytes, int]) -> dict[str, Any]:
    """tiktoken's own definition of an encoding, with our ranks instead of the file it would download."""
    loaders = ("load_tiktoken_bpe", "data_gym_to_mergeable_bpe_ranks")
    kept = {loader: getattr(module, loader) for loader in loaders}
    try:
        for loader in loaders:
            setattr(module, loader, lambda *_, **__: ranks)
        definition: dict[str, Any] = module.ENCODING_CONSTRUCTORS[name]()
    finally:
        for loader in loaders:
            setattr(module, loader, kept[loader])
    return definition


def rank_fast(reference: RankReference) -> FastEncode:
    """gigatoken on the ranks and a pattern it knows by name, or on a tokenizer.json made from pattern and ranks."""
    if reference.scheme is not None:
        return _fast_by_scheme(reference, reference.scheme)

    tokens = [b""] * len(reference.ranks)
    for token, rank in reference.ranks.items():
        if rank >= len(tokens):
            raise ValueError("its ranks have gaps")
        tokens[rank] = token
    offsets = offsets_of([len(token) for token in tokens])
    joined = np.frombuffer(b"".join(tokens), np.uint8)
    pairs = kernels.merges_of(joined, offsets)
    letters = _letters()
    spelt = ["".join(letters[byte] for byte in token) for token in tokens]
    merges = [(spelt[left], spelt[right]) for left, right in pairs.tolist() if left >= 0]
    split = {"type": "Split", "pattern": {"Regex": reference.pattern}, "behavior": "Isolated", "invert": False}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    config: dict[str, Any] = {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": True,
            "vocab": {piece: rank for rank, piece in enumerate(spelt)},
            "merges": merges,
        },
    }
    return from_tokenizer_json(json.dumps(config, ensure_ascii=False), reference.shift)


def _fast_by_scheme(reference: RankReference, scheme: str) -> FastEncode:
    ordered = sorted(reference.ranks.items(), key=lambda item: item[1])
    with tempfile.NamedTemporaryFile("w", suffix=".tiktoken") as file:
        file.writelines(f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ordered)
        file.flush()
        return from_ranks(file.name, scheme)


def _letters() -> list[str]:
    """The letter that stands for each byte in a byte-level vocabulary: itself if printable, else U+0100 and on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in printable}
    others = (byte for byte in range(256) if byte not in letters)
    letters.update({byte: chr(256 + n) for n, byte in enumerate(others)})
    return [letters[byte] for byte in range(256)]


def open_tekken(data: bytes, shown: str) -> Opened:
    """A Tekken JSON file, opened (`stages.tokenizers.KINDS`)."""
    reference = tekken_reference(json.loads(data))
    return reference, [lambda: rank_fast(reference)]


def open_tiktoken(data: bytes, shown: str) -> Opened:
    """A .tiktoken file, opened (`stages.tokenizers.KINDS`)."""
    reference = tiktoken_reference(data, shown)
    return reference, [lambda: rank_fast(reference)]
