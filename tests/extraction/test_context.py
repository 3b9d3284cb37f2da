"""Features of the block classifiers from a page's title and of its best element, beside plain twins."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest

from stages.extraction.scanning import Scanned, Scanner
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.html import context, layout, titles
from stages.kernels.html.context import describe_best
from stages.kernels.html.measures import M_CHARS, MEASURES, SUM_SCORE, SUM_WEIGHT
from stages.kernels.html.titles import find_titles
from stages.kernels.jit import lean_kernel

STORY = """<html><head><title>{title}</title><meta property="{name}" content="{social}"></head><body>
<ul><li>Home</li><li>Big cats news</li></ul><div id=page><div><h1>Big cats of the north</h1><p>A lynx of the north is a cat.</p></div>
<div><div><p>It hunts 12 hares, and 2 of the big cats of the north of it.</p></div><p>Read more</p></div></div><p>北の猫 Про рысь</p></body></html>"""
PAGES = (
    STORY.format(title="Big cats of the north | Wild Site", name="og:title", social="Wild Site"),
    STORY.format(title="Wild", name="twitter:title", social="Big cats, of the North"),
    STORY.format(title="北の猫", name="og:title", social="ПРО РЫСЬ Про рысь"),
    STORY.format(title="", name="og:image", social="Big cats of the north"),
    STORY.format(title="of " * 200 + "the", name="og:title", social=" ".join(f"w{chr(97 + n % 26)}{n}x" for n in range(99))),
    "<p>no head at all</p><p>and two blocks</p>",
    "<title>of the Wild 北 20 x</title>"
    + "".join(f"<p>{'ab ' * (n % 3)}{'x' * (n % 71)}{sep}{'of the 北 wild ж20 ' * 3}</p>" for n, sep in enumerate([" ", "é", "-", "7", "北"] * 29)),
)  # fmt: skip


@lean_kernel
def find(X, data, text, blocks, nodes, pages, H):  # type: ignore[no-untyped-def]
    find_titles(X, 0, data, text, blocks, nodes, pages, 0, H)


@lean_kernel
def describe(X, scores, blocks, nodes, pages, measures):  # type: ignore[no-untyped-def]
    describe_best(X, 0, scores, blocks, nodes, pages, 0, measures)


def scan(page: str) -> tuple[np.ndarray, Scanned]:
    data, offsets = text_buffers(pa.array([page.encode()], pa.large_binary()))
    return data, Scanner().scan(data, offsets, 0, 1)


def words_of(text: str) -> list[str]:
    """Runs of letters (ASCII ones in lower case), numbers by how long they are, Han and kana alone."""
    found = re.findall(r"[0-9]+|[\u3000-\u9fff]|[a-z\u0080-\u2fff]+", re.sub("[A-Z]", lambda m: m[0].lower(), text))
    return [f"#{min(5, len(word))}" if word.isdigit() else word for word in found]


def up_to_both(s: Scanned, block: int, other: int) -> int:
    def ancestors(at: int) -> list[int]:
        chain = [int(s.nodes[layout.PARENT, at])]
        return [at] if chain[0] == at else [at, *ancestors(chain[0])]

    mine, its = (ancestors(int(s.blocks[layout.NODE, each])) for each in (block, other))
    return next(steps for steps, node in enumerate(mine) if node in its)


@pytest.mark.parametrize("page", PAGES)
def test_titles_are_found_as_the_twin_finds_them(page: str) -> None:
    data, s = scan(page)
    X = np.zeros((len(titles.TITLES), s.num_blocks), np.uint8)
    find(X, data, s.text, s.blocks, s.nodes, s.pages, titles.title_table())
    first = re.search("<title>(.*?)</title>", page)
    social = re.search('(?:og|twitter):title" content="(.*?)"', page)
    sets = [set(list(dict.fromkeys(words_of(found[1] if found else "")))[:60]) for found in (first, social)]
    last, count = None, 0
    for block in range(s.num_blocks):
        words = words_of(s.block_text(block))[: titles.READ]
        size, found = 0, 0
        for number, title in enumerate(sets):
            both = len(title & set(words))
            if number == 0 or both * (size + len(words)) > found * (len(title) + len(words)):
                size, found = len(title), both
        assert X[0, block] == 255 * found // max(1, size)
        assert X[1, block] == 255 * found // max(1, len(words))
        if len(words) > 1 and 4 * found >= 3 * len(words) and 5 * found >= 2 * size:
            last, count = block, count + 1
        assert X[2, block] == (titles.NEVER if last is None else block - last)
        assert X[3, block] == count
        assert X[4, block] == (titles.NEVER if last is None else up_to_both(s, block, last))
    assert set(X[5].tolist()) == {count}


def test_a_heading_that_repeats_the_title_is_known_and_a_menu_is_not() -> None:
    data, s = scan(PAGES[0])
    X = np.zeros((len(titles.TITLES), s.num_blocks), np.uint8)
    find(X, data, s.text, s.blocks, s.nodes, s.pages, titles.title_table())
    blocks = [s.block_text(block) for block in range(s.num_blocks)]
    assert [blocks[b] for b in np.flatnonzero(X[2] == 0)] == ["Big cats of the north"]
    assert X[2, blocks.index("Home")] == X[2, blocks.index("Big cats news")] == titles.NEVER
    assert X[4, blocks.index("A lynx of the north is a cat.")] < X[4, blocks.index("Read more")]


@pytest.mark.parametrize("seed", range(6))
def test_the_best_element_is_the_one_the_twin_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    page = "".join(
        f"<section>{''.join(f'<div><p>text {n} {k}</p><div><p>more of it {n}</p></div></div>' for k in range(3))}</section>"
        for n in range(4)
    )
    _, s = scan(f"<main>{page}</main><footer>foot<p>er</p></footer>")
    num = s.num_blocks
    scores = rng.integers(0, 256, num).astype(np.uint8)
    if seed == 5:
        scores[:] = 3  # nothing is wanted
    chars = np.array([len(s.block_text(block)) for block in range(num)])
    weights = chars + 8
    measures = np.zeros((MEASURES, num + 1), np.int64)
    measures[M_CHARS, :num] = chars
    measures[SUM_WEIGHT, 1:] = np.cumsum(weights)
    measures[SUM_SCORE, 1:] = np.cumsum(weights * scores)
    names = context.CONTEXT[context.CONTEXT.index("in_best") :]
    X = np.zeros((len(names), num), np.uint8)
    describe(X, scores, s.blocks, s.nodes, s.pages, measures)
    row = dict(zip(names, X.astype(int), strict=True))

    spans = [(int(s.nodes[layout.FIRST_BLOCK, n]), int(s.nodes[layout.LAST_BLOCK, n])) for n in range(s.num_nodes)]
    wanted = weights * (scores.astype(int) - 128)
    full = [n for n, (first, last) in enumerate(spans) if first < last]
    best = max(full, key=lambda n: (wanted[slice(*spans[n])].sum(), n))
    first, last = spans[best]
    liked = np.maximum(0, wanted)
    assert set(row["best_wanted"]) == {int(255 * liked[first:last].sum() // max(1, liked.sum()))}
    assert set(row["best_share"]) == {int(255 * weights[first:last].sum() // weights.sum())}
    assert set(row["best_mean"]) == {int((weights * scores)[first:last].sum() // weights[first:last].sum())}
    for block in range(num):
        inside = first <= block < last
        assert row["in_best"][block] == inside
        beyond = first - block if block < first else last - 1 - block
        assert row["from_best"][block] == (128 if inside else 128 - beyond)
        node, branch, steps = int(s.blocks[layout.NODE, block]), int(s.blocks[layout.NODE, block]), 0
        while not (spans[node][0] <= first and last <= spans[node][1]):
            node, branch, steps = int(s.nodes[layout.PARENT, node]), node, steps + 1
        held = slice(*spans[branch])
        assert row["below_best"][block] == steps
        assert row["branch"][block] == (weights * scores)[held].sum() // weights[held].sum()
        assert row["above_best"][block] == (0 if inside else s.nodes[layout.DEPTH, best] - s.nodes[layout.DEPTH, node])
