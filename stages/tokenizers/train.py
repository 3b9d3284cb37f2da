"""`train-tokenizer`: a tokenizer from the mixture's own text, the same file for the same input and seed.

`sample_texts` picks pages of each domain by keyed hash of doc_id until the domain's part of the byte budget is
full, so what is picked does not depend on how the input is divided. `train` then makes

- ``bpe`` or ``unigram``: a SentencePiece model with byte fallback, digits split, white space kept as it is (no
  normalisation, so text comes back unchanged), trained by `sentencepiece` on one thread;
- ``byte-bpe``: a byte-level BPE tokenizer.json with GPT-4's split of words and digits in groups of three, trained by
  `tokenizers` (an optional dependency).

Control tokens are <unk>, <s>, </s> and <pad>, ids 0 to 3. Price: minutes a gigabyte; memory some ten times the text.
"""

from __future__ import annotations

import heapq
import io
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq
import sentencepiece
import xxhash
from pydantic import Field

from stages.contract import StageParams, Store
from stages.tokenizers.tokenizer import TokenizerError

SPECIALS = ("<unk>", "<s>", "</s>", "<pad>")
_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LONGEST_SENTENCE = 1 << 16


class TrainParams(StageParams):
    """Kind of tokenizer, its size, and the amount of text to learn it from."""

    kind: Literal["bpe", "unigram", "byte-bpe"] = "bpe"
    vocab_size: int = Field(32000, ge=300, le=1 << 20)
    sample_bytes: int = Field(200_000_000, ge=1, description="text to train on, over all domains")
    character_coverage: float = Field(0.9999, gt=0, le=1, description="of SentencePiece; the rest becomes bytes")
    seed: int = Field(0, ge=0, lt=1 << 63)


def sample_texts(
    store: Store, splits: Iterable[tuple[str, str]], shares: dict[str, float], params: TrainParams
) -> list[str]:
    """Pages of every domain by its share of ``sample_bytes``, those with the smallest keyed hash of doc_id.

    Args:
        splits: addresses of the `documents` and `kept` files of every split.
        shares: part of the sample by domain; the sum is taken as the whole.

    Price: one read of the `kept` and doc_id columns of all splits, then of the pages picked.
    """
    quotas = {domain: int(params.sample_bytes * share / sum(shares.values())) for domain, share in shares.items()}
    heaps: dict[str, list[tuple[int, bytes, int, str, int]]] = {domain: [] for domain in quotas}
    held = dict.fromkeys(quotas, 0)
    for documents, kept in splits:
        found = store.read_table(documents, ["doc_id", "text_bytes"])
        decided = store.read_table(kept, ["domain"])["domain"].to_pylist()
        sizes = found["text_bytes"].to_pylist()
        for row, (name, domain) in enumerate(zip(found["doc_id"].to_pylist(), decided, strict=True)):
            if domain not in quotas or not sizes[row]:
                continue
            heap = heaps[domain]
            key = xxhash.xxh3_64_intdigest(name, params.seed)
            heapq.heappush(heap, (-key, name, row, documents, sizes[row]))
            held[domain] += sizes[row]
            while len(heap) > 1 and held[domain] - heap[0][4] >= quotas[domain]:
                held[domain] -= heapq.heappop(heap)[4]
    picked = sorted((-item[0], item[1], item[3], item[2]) for heap in heaps.values() for item in heap)
    return _texts(store, [(address, row) for _, _, address, row in picked])


def _texts(store: Store, wanted: list[tuple[str, int]]) -> list[str]:
    """Texts by (address, row), in the order asked."""
    by_file: dict[str, list[int]] = {}
    for address, row in wanted:
        by_file.setdefault(address, []).append(row)
    found: dict[tuple[str, int], str] = {}
    for address, rows in by_file.items():
        with store.open(address) as file:
            column = pq.ParquetFile(file).read(columns=["text"])["text"]
            found.update({(address, row): column[row].as_py() for row in rows})
    return [found[item] for item in wanted]


def train(texts: Iterable[str], params: TrainParams) -> bytes:
    """The model file: a SentencePiece .model, or a tokenizer.json.

    Raises:
        TokenizerError: there is no text, or too little for the vocabulary.
    """
    texts = list(texts)
    if not any(texts):
        raise TokenizerError("expected text to train a tokenizer on, found none: no page is kept, or none has text")
    if params.kind == "byte-bpe":
        return _train_bytes(texts, params)
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_sentences(texts),
            model_writer=model,
            model_type=params.kind,
            vocab_size=params.vocab_size,
            character_coverage=params.character_coverage,
            byte_fallback=True,
            split_digits=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            allow_whitespace_only_pieces=True,
            max_sentence_length=_LONGEST_SENTENCE,
            unk_id=0,
            bos_id=1,
            eos_id=2,
            pad_id=3,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        if needed := re.search(r"required_chars\. (\d+) vs (\d+)", str(error)):
            found, least = needed.groups()
            raise TokenizerError(
                f"vocab_size {found} is less than the {least} characters and special tokens that the text needs;"
                f" set it to {least} or more"
            ) from error
        if most := re.search(r"size too high \((\d+)\).* value <= (\d+)", str(error)):
            found, gives = most.groups()
            raise TokenizerError(
                f"vocab_size {found} is more than the {gives} pieces that the text gives; set it to {gives} or less, or"
                " give more text"
            ) from error
        raise TokenizerError(f"training failed: {error}; a smaller vocab_size or more text may help") from error
    return model.getvalue()


def _sentences(texts: Iterable[str]) -> Iterator[str]:
    """Lines of bounded size with their line ends, which SentencePiece would otherwise never see."""
    for text in texts:
        for line in text.splitlines(keepends=True):
            for start in range(0, len(line), _LONGEST_SENTENCE // 4):
                yield line[start : start + _LONGEST_SENTENCE // 4]


def _train_bytes(texts: Iterable[str], params: TrainParams) -> bytes:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    except ImportError as error:
        raise TokenizerError("byte-bpe needs the package tokenizers: pip install tokenizers") from error
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(_PATTERN), behavior="isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    trainer: Any = trainers.BpeTrainer(
        vocab_size=params.vocab_size,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer.to_str(pretty=True).encode()


def train_tokenizer(
    store: Store, *, splits: list[list[str]], shares: dict[str, float], output: str, params: dict[str, Any]
) -> dict[str, Any]:
    """Job: sample, train, write the model to ``output``."""
    settings = TrainParams.model_validate(params)
    texts = sample_texts(store, [(documents, kept) for documents, kept in splits], shares, settings)
    model = train(texts, settings)
    store.write_bytes(output, model)
    sizes = np.array([len(text.encode()) for text in texts], np.int64)
    return {"documents": len(texts), "text_bytes": int(sizes.sum()), "model_bytes": len(model)}
