"""The block classifier as arrays, read from ``model.json``.

The file is what `train` writes and a person can read: two classifiers (`trees`), each a bias and a list of trees; a tree
names the features it asks about, the limits, and its leaves in 4096ths of a logit. ``words`` are tables of weights (`block_words`): one
signed byte a place, packed by zlib, in base64. ``odds`` is the chance,
in 4096ths, that a block of each score (`trees.byte_scores` of the second sum) belongs to the text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.kernels.html.block_words import PLACES, ROLES, WORDS, inverse_roots
from stages.kernels.html.context import CONTEXT
from stages.kernels.html.features import FEATURES
from stages.kernels.html.oblivious import AT_ONCE, DEPTH, planes_of

MODEL_FILE = "model.json"


@dataclass(frozen=True)
class Classifier:
    """Trees as `trees.sum_trees` takes them: T trees of K questions, their leaves as `oblivious.planes_of` lays them out."""

    features_TK: npt.NDArray[np.int64]
    limits_TK: npt.NDArray[np.uint8]
    planes_TP: npt.NDArray[np.uint8]
    bias: int


@dataclass(frozen=True)
class Words:
    """Weights of words, as `block_words.score_words` takes them: of text by place, of names by place and role, in 32nds of a logit."""

    text_W: npt.NDArray[np.int8]
    names_W: npt.NDArray[np.int8]
    biases_2: npt.NDArray[np.int64]
    roots: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Model:
    """First and second classifier, words between them, and the chances of scores; ``digest`` is the SHA-256 of the file, for provenance."""

    first: Classifier
    second: Classifier
    words: Words
    odds_256: npt.NDArray[np.int64]
    digest: str


def _classifier(parsed: dict[str, Any], names: Sequence[str]) -> Classifier:
    trees = parsed["trees"]
    depth = DEPTH
    row = {name: number for number, name in enumerate(names)}
    size = -(-len(trees) // AT_ONCE) * AT_ONCE  # those beyond add nothing
    features = np.zeros((size, depth), np.int64)
    limits = np.full((size, depth), 255, np.uint8)
    leaves = np.zeros((size, 1 << depth), np.int64)
    for number, tree in enumerate(trees):
        count = len(tree["features"])
        unknown = [name for name in tree["features"] if name not in row]
        if unknown or count > depth or len(tree["limits"]) != count or len(tree["leaves"]) != 1 << count:
            raise ValueError(
                f"tree {number}: expected up to {depth} known features, as many limits and 2**n leaves; found {tree}"
            )
        features[number, :count] = [row[name] for name in tree["features"]]
        limits[number, :count] = tree["limits"]
        leaves[number, : 1 << count] = tree["leaves"]
    return Classifier(features, limits, planes_of(leaves), int(parsed["bias"]))


def pack_weights(weights: npt.NDArray[np.int8]) -> str:
    """A table of weights as the file holds it."""
    return base64.b64encode(zlib.compress(weights.tobytes(), 9)).decode()


def _weights(packed: str, size: int) -> npt.NDArray[np.int8]:
    weights = np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.int8).copy()
    if len(weights) != size:
        raise ValueError(f"expected {size} weights of words, found {len(weights)}")
    return weights


def _words(parsed: dict[str, Any]) -> Words:
    return Words(
        _weights(parsed["text"], PLACES),
        _weights(parsed["names"], PLACES * ROLES),
        np.array(parsed["biases"], np.int64),
        inverse_roots(),
    )


def parse_model(content: bytes) -> Model:
    """A model from the bytes of its file.

    Raises:
        ValueError: if a tree asks about a feature that `features` does not measure, or a table of weights has another size.
    """
    parsed = json.loads(content)
    return Model(
        _classifier(parsed["first"], FEATURES),
        _classifier(parsed["second"], (*FEATURES, *CONTEXT, *WORDS)),
        _words(parsed["words"]),
        np.array(parsed["odds"], np.int64),
        hashlib.sha256(content).hexdigest(),
    )


@cache
def load_model() -> Model:
    """The model that ships with the package."""
    return parse_model(files(__package__).joinpath(MODEL_FILE).read_bytes())
