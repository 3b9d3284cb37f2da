"""Tokens around and between the ids of a document: the token that begins it, and fill-in-the-middle.

FIM (Bavarian et al. 2022, arXiv 2207.14255): a document is cut at two random characters into prefix, middle and suffix,
each tokenized alone, and written so that a model learns to fill the middle in:

    PSM: <prefix> P <suffix> S <middle> M EOS        SPM: <prefix> <suffix> S <middle> P M EOS

The SPM form is the paper's second one, as StarCoder trains it. Which documents, which form and where they are cut
follow from xxh3_64 of the doc_id, "fim" behind it, and a seed: the same whatever the batches, the workers or the order,
and nothing to do with that order. Cuts stand between characters of UTF-8; a part may be empty.

Limit: a SentencePiece model with a dummy prefix begins every part with a space, as its own library does; byte-level
models keep the text as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash
from pydantic import Field, model_validator

from stages.contract import StageParams
from stages.kernels.columns.ragged import Bytes, Offsets, Unsigned, offsets_of
from stages.schemas import is_within
from stages.tokenizers.tokenizer import Tokenizer, TokenizerError

SENTINELS = (
    ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"),
    ("<fim_prefix>", "<fim_middle>", "<fim_suffix>"),
    ("<fim-prefix>", "<fim-middle>", "<fim-suffix>"),
    ("[PREFIX]", "[MIDDLE]", "[SUFFIX]"),
    ("▁<PRE>", "▁<MID>", "▁<SUF>"),
)
"""Spellings of prefix, middle and suffix: Qwen and OpenAI, StarCoder, SantaCoder, Mistral, Code Llama."""
_CONTINUES = 0b10
"""The two highest bits of a byte of UTF-8 that continues a character."""


class FimParams(StageParams):
    """Fill-in-the-middle for some domains."""

    domains: tuple[str, ...] = Field(
        min_length=1, description="domains, grids or labels of them (GRID--LABEL) whose documents are rearranged"
    )
    rate: float = Field(0.5, gt=0, le=1, description="part of their documents")
    spm_rate: float = Field(0.5, ge=0, le=1, description="part of those with the suffix first (SPM), the others PSM")
    prefix: str | int | None = Field(None, description="token before the prefix; none: found by its usual spellings")
    middle: str | int | None = Field(None, description="token before the middle")
    suffix: str | int | None = Field(None, description="token before the suffix")
    seed: int = Field(0, ge=0, lt=1 << 32, description="draws documents, forms and cuts")

    @model_validator(mode="after")
    def _sound(self) -> FimParams:
        given = [value is not None for value in (self.prefix, self.middle, self.suffix)]
        if any(given) and not all(given):
            raise ValueError("give all of `prefix`, `middle` and `suffix`, or none")
        return self


@dataclass(frozen=True)
class Arrangement:
    """Tokens that are put around the ids of every document."""

    bos_id: int | None = None
    fim: FimParams | None = None
    prefix_id: int = 0
    middle_id: int = 0
    suffix_id: int = 0

    @property
    def plain(self) -> bool:
        return self.bos_id is None and self.fim is None

    def identity(self) -> dict[str, Any]:
        """Its entries in the `tokenizer` block of manifests; none where it does nothing."""
        found: dict[str, Any] = {} if self.bos_id is None else {"add_bos": True}
        if self.fim is not None:
            ids = {"prefix_id": self.prefix_id, "middle_id": self.middle_id, "suffix_id": self.suffix_id}
            found["fim"] = {
                **ids,
                "domains": list(self.fim.domains),
                "rate": self.fim.rate,
                "spm_rate": self.fim.spm_rate,
            }
        return found


def arrangement(tokenizer: Tokenizer, bos: bool, fim: FimParams | None) -> Arrangement:
    """The arrangement with a tokenizer's own ids.

    Raises:
        TokenizerError: the model has no BOS, or not the tokens that FIM needs.
    """
    reference = tokenizer.reference
    bos_id = reference.bos_id if bos else None
    if bos and bos_id is None:
        raise TokenizerError(f"tokenizer {tokenizer.name!r} names no token that begins a document; take `bos` out")
    if fim is None:
        return Arrangement(bos_id)
    if fim.prefix is not None and fim.middle is not None and fim.suffix is not None:
        spelt: tuple[tuple[str | int, ...], ...] = ((fim.prefix, fim.middle, fim.suffix),)
    else:
        spelt = SENTINELS
    for spellings in spelt:
        ids = [_sentinel(tokenizer, piece) for piece in spellings]
        found = [number for number in ids if number is not None and 0 <= number < reference.vocab_size]
        if len(set(found)) == 3 and tokenizer.eos_id not in found:
            return Arrangement(bos_id, fim, *found)
    wanted = ", ".join(map(repr, spelt[0])) if len(spelt) == 1 else "the usual ones"
    raise TokenizerError(
        f"tokenizer {tokenizer.name!r} has no three tokens for fim (looked for {wanted}); name its own with `prefix`,"
        " `middle` and `suffix`, as pieces or ids"
    )


def _sentinel(tokenizer: Tokenizer, piece: str | int) -> int | None:
    """The id of a token that no text can hold; None where the model has none so spelt."""
    if isinstance(piece, int):
        return piece
    special = piece in tokenizer.reference.special_spellings or any(piece in known for known in SENTINELS)
    return tokenizer.reference.id_of(piece) if special else None


@dataclass(frozen=True)
class Cuts:
    """Division of the documents of a batch: R documents, and the texts that are tokenized instead of them."""

    offsets: Offsets
    """Offsets of the texts, in the same bytes: a document of FIM is three of them."""
    first: Offsets
    """(R + 1,), the number of each document's first text."""
    suffix_first: npt.NDArray[np.bool_]
    """(R,), of documents of FIM whether they are in the SPM form."""

    @property
    def divided(self) -> npt.NDArray[np.bool_]:
        return np.asarray(np.diff(self.first) == 3)


def cut(made: Arrangement, data: Bytes, offsets: Offsets, doc_ids: Bytes, domains: npt.NDArray[np.object_]) -> Cuts:
    """Divide the documents that FIM draws; ``doc_ids``: 16 bytes each."""
    rows = len(offsets) - 1
    divided, suffix_first = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
    places = np.zeros((rows, 2), np.int64)
    if made.fim is not None:
        wanted = [name for name in set(domains.tolist()) if is_within(name, made.fim.domains)]
        for row in np.flatnonzero(np.isin(domains, wanted)).tolist():
            name = doc_ids[16 * row : 16 * row + 16].tobytes()
            chosen, form, *drawn = (_unit(name, 4 * made.fim.seed + k) for k in range(4))
            if chosen < made.fim.rate:
                divided[row], suffix_first[row] = True, form < made.fim.spm_rate
                text = data[offsets[row] : offsets[row + 1]]
                begins = np.append(np.flatnonzero(text >> 6 != _CONTINUES), len(text))
                places[row] = offsets[row] + np.sort(begins[[int(part * len(begins)) for part in drawn]])
    texts = np.where(divided, 3, 1)
    first = offsets_of(texts)
    found = np.empty(int(first[-1]) + 1, np.int64)
    found[-1] = offsets[-1]
    found[first[:-1]] = offsets[:-1]
    found[first[:-1][divided] + 1] = places[divided, 0]
    found[first[:-1][divided] + 2] = places[divided, 1]
    return Cuts(found, first, suffix_first)


def _unit(name: bytes, seed: int) -> float:
    """A number from 0 to below 1."""
    return xxhash.xxh3_64_intdigest(name + b"fim", seed) / 2**64  # not the hash that orders documents


def arrange(made: Arrangement, cuts: Cuts, ids: Unsigned, bounds: Offsets) -> tuple[Unsigned, Offsets]:
    """Ids of whole documents from those of their texts, each of which ends with EOS.

    A document is eight pieces, most of them empty: BOS, prefix token, P (of PSM), suffix token, S, middle token, P (of
    SPM), and the middle, or all of a document that is not divided.
    """
    rows, divided = len(cuts.first) - 1, cuts.divided
    marks = [made.bos_id or 0, made.prefix_id, made.suffix_id, made.middle_id]
    source = np.concatenate([ids, np.array(marks, ids.dtype)])
    starts, sizes = np.zeros((rows, 8), np.int64), np.zeros((rows, 8), np.int64)
    starts[:, [0, 1, 3, 5]] = len(ids) + np.arange(4)
    sizes[:, 0] = made.bos_id is not None
    sizes[:, [1, 3, 5]] = divided[:, None]
    one, three = cuts.first[:-1][~divided], cuts.first[:-1][divided]
    starts[~divided, 7], sizes[~divided, 7] = bounds[one], bounds[one + 1] - bounds[one]
    behind = cuts.suffix_first[divided]
    place = np.where(behind, 6, 2)
    where = np.flatnonzero(divided)
    starts[where, place], sizes[where, place] = bounds[three], bounds[three + 1] - bounds[three] - 1
    starts[where, 4], sizes[where, 4] = bounds[three + 2], bounds[three + 3] - bounds[three + 2] - 1
    starts[where, 7], sizes[where, 7] = bounds[three + 1], bounds[three + 2] - bounds[three + 1]
    flat, lengths = starts.reshape(-1), sizes.reshape(-1)
    ends = offsets_of(lengths)
    index = np.repeat(flat - ends[:-1], lengths) + np.arange(ends[-1])
    return source[index], ends[::8].copy()
