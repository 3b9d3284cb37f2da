"""SentencePiece models: the library itself as reference, our own encoder or gigatoken for BPE with byte fallback."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence

import numpy as np
import sentencepiece

from stages.tokenizers import bpe
from stages.tokenizers.giga import from_tokenizer_json
from stages.tokenizers.tokenizer import FastEncode, Ids, Opened, TokenizerError


class PieceReference:
    """`sentencepiece` on a model file (BPE or unigram)."""

    library = "sentencepiece"

    def __init__(self, model: bytes) -> None:
        self._model = sentencepiece.SentencePieceProcessor()
        try:
            self._model.LoadFromSerializedProto(model)
        except RuntimeError as error:
            raise TokenizerError(f"not a SentencePiece model: {error}") from error
        self.library_version = importlib.metadata.version("sentencepiece")
        self.vocab_size = int(self._model.get_piece_size())
        self.bos_id = _id_or_none(self._model.bos_id())
        self.eos_id = _id_or_none(self._model.eos_id())
        self.pad_id = _id_or_none(self._model.pad_id())
        self.unk_id = _id_or_none(self._model.unk_id())
        self.special_spellings = tuple(
            self._model.id_to_piece(i)
            for i in range(self.vocab_size)
            if self._model.is_control(i) or self._model.is_unknown(i)
        )

    def encode(self, text: bytes) -> Ids:
        ids: Ids = self._model.encode_as_numpy(text).astype(np.uint32)
        return ids

    def decode(self, ids: Sequence[int]) -> bytes:
        return str(self._model.decode([int(one) for one in ids if not self._model.is_control(int(one))])).encode()

    def id_of(self, piece: str) -> int | None:
        found = int(self._model.piece_to_id(piece))
        return found if self._model.id_to_piece(found) == piece else None

    def is_reserved(self, number: int) -> bool:
        """Whether no text can produce this id by merging: control, unknown and byte pieces."""
        model = self._model
        return bool(model.is_control(number) or model.is_unknown(number) or model.is_byte(number))


def _id_or_none(number: int) -> int | None:
    return None if number < 0 else int(number)


def own_fast(model: bytes) -> FastEncode:
    """Our own kernels on the same model, where they do all that it needs."""
    return bpe.BpeEncoder(model)


def piece_fast(model: bytes, reference: PieceReference) -> FastEncode:
    """gigatoken on the same model.

    Its own loader recognises control tokens inside a text and would turn the letters `</s>` of a page into EOS.
    So the model is converted with its converter, and control tokens are taken out before it is loaded, together
    with merges that would build the spelling of a reserved piece.
    """
    from gigatoken._load.sentencepiece import sentencepiece_to_tokenizer_json

    config = json.loads(sentencepiece_to_tokenizer_json(model))
    vocabulary: dict[str, int] = config["model"]["vocab"]
    reserved = {piece for piece, number in vocabulary.items() if reference.is_reserved(number)}
    config["added_tokens"] = [token for token in config["added_tokens"] if token["content"] not in reserved]
    config["model"]["merges"] = [pair for pair in config["model"]["merges"] if pair[0] + pair[1] not in reserved]
    return from_tokenizer_json(json.dumps(config, ensure_ascii=False))


def open_model(data: bytes, shown: str) -> Opened:
    """A SentencePiece model, opened (`stages.tokenizers.KINDS`)."""
    reference = PieceReference(data)
    return reference, [lambda: own_fast(data), lambda: piece_fast(data, reference)]
