"""The ten families in which deduplication elsewhere has failed, made from a seed.

Their true similarities are known by brute force. Each is a list of (key, text); `all_families` is a crawl of all.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from tests.slow import dedup as slow
from tests.support.dedup_corpus import Page

Texts = list[tuple[str, str]]


def words(draw: random.Random, count: int, vocabulary: int = 20_000) -> list[str]:
    return [f"w{draw.randrange(vocabulary)}" for _ in range(count)]


def edited(draw: random.Random, text: Sequence[str], similarity: float) -> list[str]:
    """Replace words, far enough from each other, until the 5-gram Jaccard index is about ``similarity``."""
    edits = round(len(text) * (1 - similarity) / (1 + similarity) / 5)
    places = draw.sample(range(0, len(text) - 5, 5), edits) if edits else []
    changed = list(text)
    for place in places:
        changed[place] = f"x{draw.getrandbits(40):x}"
    return changed


def jaccard(a: str, b: str) -> float:
    return slow.jaccard(slow.shingles(a, 5), slow.shingles(b, 5))


def edits(draw: random.Random) -> Texts:
    """Pairs at a similarity of 0.5 to 0.97."""
    texts = []
    for index in range(60):
        text = words(draw, draw.randint(100, 300))
        texts.append((f"edit-{index}-a", " ".join(text)))
        texts.append((f"edit-{index}-b", " ".join(edited(draw, text, draw.uniform(0.5, 0.97)))))
    return texts


def chain(draw: random.Random) -> Texts:
    """Small steps from a text to one that has little to do with it."""
    text = words(draw, 400)
    texts = []
    for index in range(12):
        texts.append((f"chain-{index}", " ".join(text)))
        text = edited(draw, text, 0.88)
    return texts


def template(draw: random.Random) -> Texts:
    """One template, each page its own payload: similar, and no duplicates."""
    frame = words(draw, 160)
    return [(f"template-{index}", " ".join([*frame, *words(draw, 60)])) for index in range(40)]


def common_words(draw: random.Random) -> Texts:
    """Long unrelated texts of a small vocabulary."""
    return [(f"common-{index}", " ".join(words(draw, 3000, vocabulary=200))) for index in range(20)]


def short(draw: random.Random) -> Texts:
    """Empty, without a unit, shorter than a shingle and alike, of one word each, of exactly one shingle."""
    texts = []
    for index in range(6):
        texts += [(f"empty-{index}", " \n"), (f"marks-{index}", "... !!"), (f"short-{index}", "Page not found")]
        texts.append((f"single-{index}", f"word{index}"))
        texts.append((f"five-{index}", f"just these five words {'here' if index % 2 else 'there'}"))
    return texts


def containment(draw: random.Random) -> Texts:
    """A page and a beginning of it, from half of it to nearly all."""
    texts = []
    for index in range(15):
        text = words(draw, 200)
        texts.append((f"whole-{index}", " ".join(text)))
        texts.append((f"part-{index}", " ".join(text[: 100 + 7 * index])))
    return texts


def recognised(draw: random.Random) -> Texts:
    """Noise of character recognition, from none to one word in seven."""
    texts = []
    for index in range(15):
        text = words(draw, 300)
        texts.append((f"clean-{index}", " ".join(text)))
        texts.append((f"noisy-{index}", " ".join(w[:-1] + "0" if draw.random() < 0.01 * index else w for w in text)))
    return texts


def han(draw: random.Random) -> Texts:
    """Scripts without spaces, with marks and a few characters changed."""
    texts = []
    for index in range(15):
        characters = [chr(draw.randrange(0x4E00, 0x9000)) for _ in range(200)]
        texts.append((f"han-{index}-a", "".join(characters)))
        for place in draw.sample(range(0, 195, 5), index):
            characters[place] = chr(draw.randrange(0x3041, 0x3090))
        texts.append((f"han-{index}-b", "。".join(["".join(characters[:90]), "".join(characters[90:])])))
    return texts


def repeats(draw: random.Random) -> Texts:
    """A line 3, 30 and 31 times over; one word forty times over, which is one shingle."""
    texts = []
    for index in range(5):
        line = words(draw, 20)
        texts += [(f"repeat-{index}-{count}", " ".join(line * count)) for count in (3, 30, 31)]
        texts.append((f"one-shingle-{index}", "go " * (40 + index)))
    return texts


def hot_bucket(draw: random.Random) -> Texts:
    """One text many times, exactly and nearly."""
    text = words(draw, 150)
    texts = []
    for index in range(160):
        copy = list(text)
        if index % 3:
            copy[draw.randrange(150)] = f"date{index}"
        texts.append((f"hot-{index}", " ".join(copy)))
    return texts


FAMILIES: dict[str, Callable[[random.Random], Texts]] = {
    made.__name__: made
    for made in (
        edits, chain, template, common_words, short, containment, recognised, han, repeats, hot_bucket
    )
}  # fmt: skip


def family(name: str, seed: int = 1) -> list[Page]:
    """The pages of one family."""
    draw = random.Random(f"{name} {seed}")
    texts = FAMILIES[name](draw)
    return [Page(key, text, seconds=draw.randrange(10**6)) for key, text in texts]


def all_families(seed: int = 1) -> list[Page]:
    """The pages of all of them, one after the other."""
    return [page for name in FAMILIES for page in family(name, seed)]
