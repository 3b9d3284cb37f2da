"""Recurring lines: exactly those that the plain count finds, whatever the layout; and what `kept` makes of them."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import recipe as recipes
from pipeline.errors import UserError
from pipeline.recipe import snapshot as snapshots
from pipeline.run import driver, rebuild
from pipeline.store.storage import Store
from stages import exchange_file, lines, schemas, text_copies
from stages.lines import copies
from stages.scopes import scope_salts
from tests.slow import lines as slow
from tests.support.corpora import write_corpus, write_mixture
from tests.support.dedup_corpus import Page, documents_table
from tests.support.runs import run_inline


def run_lines(store: Store, pages: Sequence[Page], params: lines.Params, cuts: int = 1, rows: int = 7) -> list[Any]:
    """The row of every page, by the exchange; splits of a source each, ``rows`` pages to a row group."""
    inputs, places = [], []
    for source in sorted({page.source for page in pages}):
        mine = [page for page in pages if page.source == source]
        for cut in range(cuts):
            part = mine[cut::cuts]
            name = f"{source}-{cuts}-{cut}"
            with store.table_writer(f"documents/{name}.parquet", schemas.DOCUMENTS) as writer:
                for batch in documents_table(part).to_batches(max_chunksize=rows):
                    writer.write(batch)
            size = sum(len(page.text.encode()) for page in part)
            inputs.append(lines.LinesInput(name, source, f"documents/{name}.parquet", len(part), size))
            places.append(part)
    waves = lines.plan(params, inputs[::-1], "lines/run")
    for wave, tasks in zip(waves, rebuild.to_run(waves, lambda address: not store.exists(address)), strict=True):
        for task in tasks:
            module, _, function = task.job.partition(":")
            getattr(importlib.import_module(module), function)(store, **task.args)
        for prefix in wave.discard:
            store.remove(prefix)
    found: dict[str, Any] = {}
    for entry, part in zip(inputs, places, strict=True):
        table = store.read_table(f"lines/run/{entry.name}.parquet").to_pylist()
        found |= {page.key: row for page, row in zip(part, table, strict=True)}
    assert not store.list("lines/run/work")
    return [found[page.key] for page in pages]


TEXTS = st.lists(
    st.sampled_from(
        [
            "Home",
            " Home ",
            "Share this page",
            "Cookie notice: ünïcode ",
            "",
            "\t",
            "x",
            "one",
            "longer than eight bytes",
        ]
    ),
    max_size=9,
).map("\n".join)
URLS = st.sampled_from(
    ["https://a.example/x", "http://user@B.example:80/", "ftp://a.example", None, "no url", "https:///path"]
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(TEXTS, URLS, st.sampled_from(["web", "books"])), min_size=1, max_size=25),
    st.integers(2, 4),
    st.sampled_from(["host", "source"]),
    st.integers(1, 3),
    st.integers(1, 6),
)
def test_recurring_lines_and_paragraphs_equal_the_plain_count(
    tmp_path_factory: pytest.TempPathFactory, given_pages: list[Any], min_pages: int, scope: str, cuts: int, least: int
) -> None:
    pages = [Page(str(i), text, source, url=url) for i, (text, url, source) in enumerate(given_pages)]
    params = lines.Params(min_pages=min_pages, scope=scope, min_bytes=least)
    rows = run_lines(Store(str(tmp_path_factory.mktemp("root"))), pages, params, cuts)
    for row, expected in zip(rows, slow.recurring(pages, min_pages, scope, least), strict=True):
        for name, value in expected.items():
            assert row[name] == (pytest.approx(value, abs=1e-6) if isinstance(value, float) else value), name


def many(count: int = 300) -> list[Page]:
    menu = "Home\nAbout\n  Contact us  \n"
    pages = []
    for i in range(count):
        body = "\n".join(f"line {i} {k} of its own" for k in range(i % 7))
        text = f"{menu}{body}\nNext\nNext\n© {i % 5} example" if i % 3 else body
        pages.append(Page(str(i), text, url=f"https://host{i % 4}.example/{i}"))
    return pages


def test_layout_and_memory_change_no_row_and_no_byte_of_the_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stages.lines import planning

    pages = many()
    store = Store(str(tmp_path / "one"))
    expected = run_lines(store, pages, lines.Params(min_pages=10), 3, 50)
    summary = store.read_bytes("lines/run/summary.json")
    assert json.loads(summary)["most_frequent_lines"][0]["pages"] == 49  # of one text two
    assert json.loads(summary)["most_frequent_paragraphs"] == []
    monkeypatch.setattr(planning, "COUNT_BYTES", 10**6)
    monkeypatch.setattr(planning, "RANGE_BYTES", 10**6)
    monkeypatch.setattr(planning, "PAGE_BYTES", 10**6)
    for cuts, rows in ((3, 11), (5, 300)):
        store = Store(str(tmp_path / str(cuts)))
        params = lines.Params(min_pages=10, memory=1 << 26)
        assert run_lines(store, pages[::-1], params, cuts, rows)[::-1] == expected
        assert store.read_bytes("lines/run/summary.json") == summary


@pytest.mark.parametrize("cuts", [1, 4])
@pytest.mark.parametrize("scope", ["host", "source"])
def test_many_addresses_of_one_text_make_none_of_its_lines_frequent(
    store: Store, cuts: int, scope: Literal["host", "source"]
) -> None:
    article = "Home\n" + "\n".join(f"sentence {i} of the article" for i in range(8))
    pages = [Page(f"copy {i}", article, url=f"https://news.example/story?session={i}") for i in range(30)]
    pages += [Page(f"{i}", f"Home\nanother story {i}", url=f"https://news.example/{i}") for i in range(2)]
    pages += [Page("elsewhere", article, "books", url="https://news.example/")]
    rows = run_lines(store, pages, lines.Params(min_pages=3, scope=scope), cuts)
    assert [row["num_frequent_lines"] for row in rows] == [1] * 32 + [0]
    assert {row["num_frequent_paragraphs"] for row in rows} == {0}
    [shown] = json.loads(store.read_bytes("lines/run/summary.json"))["most_frequent_lines"]
    assert shown == {"pages": 3, "source": "web", "text": "Home"}


def test_a_text_of_most_pages_is_one_record_of_a_group_in_the_exchange(store: Store) -> None:
    for name, texts in (("a", ["", "same", "", "one", ""]), ("b", ["", "same", "same", "two"])):
        table = documents_table([Page(f"{name} {place}", text) for place, text in enumerate(texts)])
        store.write_table(f"documents/{name}.parquet", table)
    shapes = []
    for group, (name, first, rows) in enumerate((("a", 0, 5), ("b", 5, 4))):
        split = {"documents": f"documents/{name}.parquet", "source": "web", "first": first, "rows": rows}
        copies.map_texts(store, params={}, splits=[split], ranges=1, output=f"texts/{group}")
        shapes.append([len(part["place"]) for part in exchange_file.read_partitions(store, f"texts/{group}")])
    assert shapes == [[2, 3], [1, 3]]  # copies within the group, and a record a text
    text_copies.find_copies(store, inputs=["texts/0", "texts/1"], partition=0, output="copies")
    found = [text_copies.copies_of(store, f"texts/{group}", ["copies"], group).tolist() for group in range(2)]
    assert found == [[2, 4], [5, 6, 7]]


def test_a_page_without_lines_has_no_fraction(store: Store) -> None:
    rows = run_lines(store, [Page("a", ""), Page("b", " \n\t\n"), Page("c", "one")], lines.Params())
    assert [row["num_lines"] for row in rows] == [0, 0, 1]
    assert [row["frequent_lines_fraction"] for row in rows] == [None, None, 0.0]
    assert lines.plan(lines.Params(), [], "lines/none") == []


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder / "in", files=3)
    return folder


def test_a_frequent_paragraph_is_cut_whole_and_its_lines_alone_are_none(store: Store) -> None:
    notice = "Subscribe to our letter\nIt is  free\n"
    texts = [f"About {i}\n\n{notice}\n \nText {i} here\n\n" for i in range(3)]
    texts += ["It is  free\n\nSubscribe to our letter", "Subscribe to our letter\n\nIt is  free"]
    pages = [Page(str(i), text) for i, text in enumerate(texts)]
    rows = run_lines(store, pages, lines.Params(min_pages=3, scope="source"))
    assert [row["num_paragraphs"] for row in rows] == [3, 3, 3, 2, 2]
    assert [row["num_frequent_paragraphs"] for row in rows] == [1, 1, 1, 0, 0]
    assert [row["num_frequent_lines"] for row in rows] == [2, 2, 2, 2, 2]
    for page, row in zip(pages[:3], rows, strict=False):
        (span,) = row["frequent_paragraphs_spans"]
        assert page.text[: span["start"]] + page.text[span["stop"] :] == f"About {page.key}\n\nText {page.key} here\n\n"
    (shown,) = json.loads(store.read_bytes("lines/run/summary.json"))["most_frequent_paragraphs"]
    assert shown == {"pages": 3, "source": "web", "text": notice.strip()}


LINES = "lines: {enabled: true, min_pages: 4}\n"


@pytest.mark.parametrize("unit", ["lines", "paragraphs"])
def test_kept_cuts_what_is_frequent_and_drops_pages_of_nothing_much_else(corpus: Path, unit: str) -> None:
    path = write_mixture(corpus / f"{unit}.yaml", corpus / "in", extra=LINES)
    text = path.read_text().replace(
        "  families: [gopher_quality]\n",
        "  families: [gopher_quality, recurring_lines]\n  views: [without_frequent_UNIT]\n".replace("UNIT", unit),
    )
    path.write_text(text.replace("too_few_words: 50", "too_few_words: 50, too_many_frequent_lines: 0.2"))
    run_inline(path, corpus / "root")
    store = Store(str(corpus / "root"))
    snapshot = snapshots.load(store)
    dropped = cut = 0
    products = [snapshot.product(product) for product in ("documents", "lines", "kept")]
    for documents, measured, kept in zip(*products, strict=True):
        texts = store.read_table(documents.address, ["text"]).column(0).to_pylist()
        measures = store.read_table(measured.address).to_pylist()
        decisions = store.read_table(kept.address).to_pylist()
        for text, row, decision in zip(texts, measures, decisions, strict=True):
            if decision["reason"] == "too_many_frequent_lines":
                assert row["frequent_lines_fraction"] > 0.2
                dropped += 1
            if decision["keep"]:
                assert (decision["spans"] or []) == row[f"frequent_{unit}_spans"]
                cut += len(row[f"frequent_{unit}_spans"])
                assert len(text.encode()) >= sum(span["stop"] - span["start"] for span in decision["spans"] or [])
    assert dropped > 0
    assert cut > 10


def test_a_plan_tells_of_lines_before_anything_is_there(corpus: Path, tmp_path: Path) -> None:
    path = write_mixture(tmp_path / "planned.yaml", corpus / "in", extra=LINES)
    text = driver.plan(str(path), Store(str(tmp_path / "root")))
    assert [line.split()[0] for line in text.splitlines() if line.startswith(("lines", "kept"))] == ["lines", "kept"]


def test_what_lines_measures_is_not_asked_for_where_it_is_off(corpus: Path, tmp_path: Path) -> None:
    path = write_mixture(tmp_path / "off.yaml", corpus / "in")
    path.write_text(path.read_text().replace("  families: [gopher_quality]\n", "  families: [recurring_lines]\n"))
    with pytest.raises(UserError, match=r"frequent_lines_fraction.*set lines.enabled: true"):
        recipes.load(path, Store(str(tmp_path / "root")))


def test_a_dot_at_the_end_of_a_host_is_the_same_scope() -> None:
    urls = ["http://a.example/1", "http://A.example./2", "http://u@a.example.:80/3", "http://a.examples/", None]
    salts = scope_salts("web", pa.chunked_array([urls]), len(urls)).tolist()
    assert salts[0] == salts[1] == salts[2]
    assert len(set(salts)) == 3
