"""Main text of pages: what is kept, how it is written, and that no damage of a page breaks it."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from stages.extraction import ExtractionParams, main_text
from stages.extraction.html_to_text import all_text
from stages.extraction.model import parse_model
from stages.extraction.scanning import groups
from stages.kernels.html.byte_scan import count_byte
from stages.kernels.html.oblivious import (
    AT_ONCE,
    DEPTH,
    LANES,
    MOST_LEAF,
    NUM_LEAVES,
    _single_trees,
    add_trees,
    planes_of,
)
from stages.kernels.html.trees import evaluate_trees
from stages.kernels.jit import lean_kernel
from tests.support.html_fuzz import SEEDS, run
from tests.support.thorough import THOROUGH

ARTICLE = """<!doctype html><html lang="en"><head><title>Bees &amp; bread</title><link rel=canonical href="https://x.org/b">
<meta property="article:published_time" content="2024-05-01"><script>var leaked = "<p>no</p>";</script></head><body>
<header><nav class="menu"><ul><li><a href=/>Home</a></li><li><a href=/n>News</a></li><li><a href=/c>Contact</a></li></ul></nav>
</header><main><article class="post"><h1>Bees and bread</h1>
<p>Bees gather pollen and nectar from flowers all summer long, and the hive turns both into food for the winter. A strong
colony can hold tens of thousands of workers.</p>
<p>Bakers have used honey for thousands of years, because it keeps bread moist and gives the crust its colour. In many
villages the miller kept the hives behind the mill, and nobody thought it strange.</p>
<p>Today both crafts are taught again in evening schools, and the waiting lists are longer than anyone expected.</p>
</article></main><footer class="footer"><a href=/p>Privacy policy</a> <a href=/t>Terms</a> Copyright 2024</footer></body></html>"""


def pages(*content: str | bytes) -> pa.LargeBinaryArray:
    return pa.array([c.encode() if isinstance(c, str) else c for c in content], pa.large_binary())


def test_article_is_kept_and_menu_script_and_footer_are_not() -> None:
    text = main_text(pages(ARTICLE))[0].as_py()
    assert "Bees gather pollen" in text
    assert "longer than anyone expected." in text
    for junk in ("Contact", "leaked", "Privacy policy", "Copyright"):
        assert junk not in text


def test_lists_tables_headings_and_code_keep_their_form() -> None:
    page = "<h2>H</h2><ul><li>a<li>b</ul><table><tr><th>k<th>v<tr><td>1<td>2</table><pre>x\n  y</pre><p>l<br>m"
    assert all_text(pages(page), ExtractionParams())[0].as_py() == "H\n\n- a\n- b\n\nk | v\n1 | 2\n\nx\n  y\n\nl\nm"


def test_tables_for_layout_are_paragraphs() -> None:
    page = "<table><tr><td><h1>T</h1><td>a<p>b</table>"
    assert all_text(pages(page), ExtractionParams())[0].as_py() == "T\n\na\n\nb"


def test_rows_do_not_depend_on_their_batch() -> None:
    content = [ARTICLE, "", "<p>x", ARTICLE.replace("Bees", "Wasps"), *SEEDS] * 30
    alone = [main_text(pages(page))[0].as_py() for page in content[: 4 + len(SEEDS)]] * 30
    assert main_text(pages(*content)).to_pylist() == alone
    sliced = pages("<p>skip", *content).slice(1)
    assert main_text(sliced).to_pylist() == alone


def test_empty_input_and_null_pages_give_rows() -> None:
    assert len(main_text(pages())) == 0
    assert main_text(pa.array([None, b""], pa.large_binary())).to_pylist() == ["", ""]


def test_strictness_keeps_less() -> None:
    result = [len(main_text(pages(ARTICLE), ExtractionParams(strictness=s))[0].as_py()) for s in (-256, 0, 256)]
    assert result[0] >= result[1] > result[2] == 0


SENTENCE = "The miller kept the hives behind the mill, and nobody in the village thought it strange at all. "


@pytest.mark.parametrize(
    ("page", "kept", "junk"),
    [
        (f"<p>{SENTENCE * 3}</p><script>var a = 'junk';" * 2, "hives", "junk"),
        (f"<script>junk</script><p>{SENTENCE * 3}<script>more junk", "hives", "junk"),
        (f"<img src='data:image/png;base64,{'Junk' * 10_000_000}'><p>{SENTENCE * 3}", "hives", "Junk"),
        (f"<p title='{'junk ' * 1000}><p>{SENTENCE * 3}", "", "junk"),
        ("<frameset cols='20%,80%'><frame src=a><frame src=b><noframes>junk</noframes></frameset>", "", "junk"),
        (f"<table><tr><td><table><tr><td>{SENTENCE * 3}<tr><td>{SENTENCE * 2}</table></table>", "hives", "|"),
        (f"<div dir=rtl><p>{'كان الطحان يحتفظ بخلايا النحل خلف الطاحونة، ولم يستغرب أحد. ' * 4}", "الطحان", "<"),
        (f"<b><p>{SENTENCE}<i></b>{SENTENCE}</p></i></div></td>{SENTENCE}<p></b>{SENTENCE}", "hives", "<"),
        (f"<body><style>junk {{}} <p>{SENTENCE}", "", "junk"),
    ],
)
def test_damaged_pages_give_their_text_or_nothing_and_no_junk(page: str, kept: str, junk: str) -> None:
    text = str(main_text(pages(page))[0].as_py())
    assert kept in text
    assert junk not in text


def test_utf16_without_a_charset_and_nuls_give_valid_text() -> None:
    for content in (SENTENCE.encode("utf-16"), b"\0".join([b"<p>", SENTENCE.encode(), b"</p>"]), b"\0" * 5000):
        column = main_text(pages(content))
        column.validate(full=True)
        assert "\0" not in column[0].as_py()


def test_bytes_are_counted() -> None:
    data = np.random.default_rng(5).integers(58, 64, 1000).astype(np.uint8)
    assert [count_byte(data[:size], 60) for size in (0, 1, 63, 64, 65, 1000)] == [
        int((data[:size] == 60).sum()) for size in (0, 1, 63, 64, 65, 1000)
    ]


def test_groups_cover_every_page_once() -> None:
    offsets = np.cumsum([0, 5, 3 << 20, 0, 1 << 19, 1 << 19, 1 << 19, 7]).astype(np.int64)
    found = list(groups(offsets))
    assert [page for first, last in found for page in range(first, last)] == list(range(7))


@lean_kernel
def both_sums(X, features, limits, planes, tree, sums, slow_sums):  # type: ignore[no-untyped-def]
    add_trees(X, LANES, features, limits, planes, tree, sums)
    _single_trees(X, LANES, features, limits, planes, tree, slow_sums)


def test_trees_equal_a_plain_loop() -> None:
    rng = np.random.default_rng(3)
    num, rows = 3 * AT_ONCE, 50
    leaves = rng.integers(-MOST_LEAF, MOST_LEAF + 1, (num, NUM_LEAVES))
    features, limits = rng.integers(0, rows, (num, DEPTH)), rng.integers(0, 256, (num, DEPTH)).astype(np.uint8)
    X = rng.integers(0, 256, (rows, LANES * 3), dtype=np.uint8)
    sums = np.zeros(LANES * 3, np.int32)
    evaluate_trees(X, features, limits, planes_of(leaves), -77, sums)
    answers = X[features] > limits[:, :, None]
    index = (answers << np.arange(DEPTH)[None, :, None]).sum(1)
    assert sums.tolist() == (np.take_along_axis(leaves, index, 1).sum(0) - 77).tolist()
    for tree in range(0, num, AT_ONCE):
        fast, slow = sums.copy(), sums.copy()
        both_sums(X, features, limits, planes_of(leaves), tree, fast, slow)
        assert fast.tolist() == slow.tolist() != sums.tolist()


def test_leaves_that_four_at_a_time_might_overflow_are_refused() -> None:
    tree = b'{"features": ["chars"], "limits": [1], "leaves": [0, 8192]}'
    content = b'{"first": {"bias": 0, "trees": [' + tree + b"]}}"
    with pytest.raises(ValueError, match="expected leaves within 8191, found 8192"):
        parse_model(content)


def test_model_with_an_unknown_feature_is_refused() -> None:
    tree = b'{"features": ["nonsense"], "limits": [1], "leaves": [0, 1]}'
    part = b'{"bias": 0, "trees": [' + tree + b"]}"
    with pytest.raises(ValueError, match="nonsense"):
        parse_model(b'{"odds": [], "first": ' + part + b', "second": ' + part + b"}")


def test_mutated_pages_give_valid_text() -> None:
    assert run([*SEEDS, ARTICLE.encode()], 2000) > 0


@pytest.mark.slow
@pytest.mark.skipif(not THOROUGH, reason="a minute of compiling; `make thorough` does it")
def test_no_index_leaves_its_array_on_mutated_pages(tmp_path: os.PathLike[str]) -> None:
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_OPT": "0", "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "tests.support.html_fuzz", "--pages", "1500"]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=900)


def test_pages_of_text_alone_outgrow_the_room_first_made_and_stay_whole() -> None:
    content = ["&amp; word " * num for num in (0, 30_000, 1, 300_000, 7)]
    text = all_text(pages(*content), ExtractionParams()).to_pylist()
    assert text == [("& word " * num).strip() for num in (0, 30_000, 1, 300_000, 7)]
