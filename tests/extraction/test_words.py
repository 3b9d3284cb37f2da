"""Words as evidence about a block: places and weights beside a plain twin, names where the scanner says they stand, the model's tables."""

from __future__ import annotations

import base64
import re
import zlib

import numpy as np
import pyarrow as pa
import pytest

from stages.extraction.model import Words, parse_model
from stages.extraction.scanning import Scanned, Scanner
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.html import block_words as w
from stages.kernels.html import layout, tokens
from stages.kernels.html.tables import FNV_START, fnv
from tools.word_weights import WordLists, fit_words, list_words

PAGES = (
    '<div class="site-main postBody"><p id="p1">Read 12 more, übrigens: 漢字 and 2024.</p></div><nav>Read more</nav>',
    '<body class="x"><div id="a-b_c"><table class="dataTable wide"><tr><td class=>One<td>Два слова</table>',
    "<p class='" + "word " * 200 + "'>" + "long text " * 400 + "</p>",
    "<p>&#128512; \u00a0 ... !?</p><p>\ue000\u3042\u3044</p>",
    "".join(f'<div class="level-{n} deep">' for n in range(200)) + "text",
)
MASK = (1 << 64) - 1


def scan(page: str) -> tuple[np.ndarray, Scanned]:
    data, offsets = text_buffers(pa.array([page.encode()], pa.large_binary()))
    return data, Scanner().scan(data, offsets, 0, 1)


def place(word: int, kind: int) -> int:
    mixed = (((word & MASK) ^ kind) * 1099511628211) & MASK
    return ((mixed * 0x9E3779B97F4A7C15) & MASK) >> (64 - w.BITS)


def mixed(start: int, values: list[int]) -> int:
    for value in values:
        start = (((start & MASK) ^ (value & MASK)) * 1099511628211) & MASK
    return start


def text_places(text: bytes) -> list[int]:
    found: list[int] = []
    before = 0
    for match in re.finditer(rb"[0-9]+|[\xe3-\xe9].{0,2}|[A-Za-z\x80-\xe2\xea-\xff]+", text, re.DOTALL):
        if len(found) + 3 > w.TEXT_WORDS:
            break
        token = match[0]
        if token[:1].isdigit():
            word = mixed(FNV_START, [48 + min(5, len(token))])
        else:
            word = mixed(FNV_START, list(token if 0xE3 <= token[0] <= 0xE9 else token.lower()))
        found += [place(word, 1), place(mixed(before, [word]), 2)]
        before = word
    return [*found, place(before, 2)] if found else []


def name_places(value: bytes) -> list[int]:
    found = []
    for name in value.split():
        whole, words = FNV_START, 0
        for match in re.finditer(rb"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[A-Z]|[^A-Za-z]", name):
            token = match[0]
            if not token.isalpha():
                whole = mixed(whole, [45])
                continue
            word = fnv(token.lower())
            words += 1
            whole = mixed(whole, [word])
            found += [place(word, 3)] if len(token) > 1 else []
        found += [place(whole, 4)] if words > 1 else []
    return found


def names_around(data: np.ndarray, s: Scanned, block: int) -> list[tuple[int, int]]:
    """(place, role) of every word around a block."""
    found, node, role = [], int(s.blocks[layout.NODE, block]), 0
    while True:
        places = [place(int(s.nodes[layout.TAG, node]), 5)]
        for row in (layout.CLASS_AT, layout.ID_AT):
            span = int(s.nodes[row, node])
            start = span >> layout.NAME_SHIFT
            places += name_places(data[start : start + span % (1 << layout.NAME_SHIFT)].tobytes())
        found += [(each, role) for each in places]
        if s.nodes[layout.PARENT, node] == node:
            return found
        node, role = int(s.nodes[layout.PARENT, node]), min(3, role + 1)


def lists_of(lists: WordLists) -> list[list[int]]:
    return [part.tolist() for part in np.split(lists.places, lists.offsets_B1[1:-1])]


@pytest.mark.parametrize("page", PAGES)
def test_places_are_those_of_the_twin(page: str) -> None:
    data, s = scan(page)
    text, names = list_words(data, s)
    for block, (found, around) in enumerate(zip(lists_of(text), lists_of(names), strict=True)):
        start, stop = s.blocks[layout.TEXT_START, block], s.blocks[layout.TEXT_STOP, block]
        assert found == text_places(s.text[start:stop].tobytes())
        assert around == [each * w.ROLES + role for each, role in names_around(data, s, block)][: w.NAME_WORDS]


def test_the_scanner_says_where_class_and_id_stand() -> None:
    data, s = scan('<div CLASS="one Two" id=three><p class=\'\' id>text <b class="no">of</b> it</p></div>')
    found = {}
    for node in range(s.num_nodes):
        for row in (layout.CLASS_AT, layout.ID_AT):
            span = int(s.nodes[row, node])
            start, size = span >> layout.NAME_SHIFT, span % (1 << layout.NAME_SHIFT)
            found[int(s.nodes[layout.TAG, node]), row] = data[start : start + size].tobytes() if span else None
    assert found[tokens.DIV, layout.CLASS_AT] == b"one Two"
    assert found[tokens.DIV, layout.ID_AT] == b"three"
    assert not found[tokens.P, layout.CLASS_AT]
    assert not found[tokens.P, layout.ID_AT]


@pytest.mark.parametrize("page", PAGES)
def test_weights_are_summed_as_the_twin_does_and_only_where_the_first_classifier_is_not_sure(page: str) -> None:
    data, s = scan(page)
    rng = np.random.default_rng(7)
    words = Words(
        rng.integers(-127, 128, w.PLACES).astype(np.int8),
        rng.integers(-127, 128, w.PLACES * w.ROLES).astype(np.int8),
        np.array([-9, 13]),
        w.inverse_roots(),
    )
    text, names = list_words(data, s)
    m = Scanner().measures(s)
    for score in (64, 65, 128, 191, 192):
        X = np.zeros((2, s.num_blocks), np.uint8)
        w.measure_words(
            X, np.full(s.num_blocks, score, np.uint8), data, s.text, s.blocks, s.nodes, s.pages,
            words.text_W, words.names_W, words.biases_2, words.roots, m.places, m.held,
        )  # fmt: skip
        for row, lists, weights, bias in ((0, text, words.text_W, -9), (1, names, words.names_W, 13)):
            for block, places in enumerate(lists_of(lists)):
                logit = (bias + weights[places].astype(int).sum() / max(1, len(places)) ** 0.5) / w.UNIT
                expected = np.clip(128 + 16 * logit, 0, 255) if 64 < score < 192 else w.NOTHING
                assert X[row, block] == pytest.approx(expected, abs=1.01)


def test_words_that_tell_are_learned() -> None:
    pages = [
        scan(f"<div class={name}><p>{text}</p></div>") for name, text in (("post", "a story"), ("menu", "log in")) * 8
    ]
    lists = [list_words(data, s) for data, s in pages]
    text, names = (WordLists.joined(each[k] for each in lists) for k in (0, 1))
    learned = fit_words(text, names, np.array([1, 0] * 8), np.ones(16))
    for twin, weights in ((text_places, learned.text_W), (name_places, learned.names_W.reshape(-1, w.ROLES)[:, 1])):
        good, bad = (b"story", b"log") if twin is text_places else (b"post", b"menu")
        assert weights[twin(good)[0]] > 0 > weights[twin(bad)[0]]
    nothing = fit_words(text, names, np.array([1, 0] * 8), np.zeros(16))
    assert not nothing.text_W.any()
    assert not nothing.names_W.any()


def test_a_table_of_another_size_is_refused() -> None:
    packed = base64.b64encode(zlib.compress(bytes(w.PLACES))).decode()
    part = '{"bias": 0, "trees": []}'
    content = f'{{"odds": [], "first": {part}, "second": {part}, "words": {{"biases": [0, 0], "text": "{packed}", "names": "{packed}"}}}}'
    with pytest.raises(ValueError, match=f"expected {w.PLACES * w.ROLES} weights"):
        parse_model(content.encode())
