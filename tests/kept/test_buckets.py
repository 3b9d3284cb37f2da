"""Buckets by percentile per language: the same edges however the input is divided, each bucket its share of pages."""

from __future__ import annotations

import json
import math
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import recipe as recipes
from pipeline.answers import stats as reporting
from pipeline.answers.why import lives
from pipeline.recipe import answers
from pipeline.recipe.snapshot import load
from pipeline.recipe.yaml_file import ConfigError
from pipeline.store.storage import Store
from stages import kept, percentiles
from stages.kept import buckets
from stages.kept.grid import Grid
from stages.kernels.columns import number_bins
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import made, run_inline

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(NUMBERS, min_size=1, max_size=50))
@settings(max_examples=200, deadline=None)
def test_bins_rise_with_the_numbers_and_begin_at_or_below_them(values: list[float]) -> None:
    ordered = np.sort(np.array(values))
    places = number_bins.bins(ordered)
    assert (np.diff(places) >= 0).all()
    ends = number_bins.numbers_of_orders(number_bins.first_orders(places))
    assert (ends <= ordered).all()
    assert (number_bins.bins(ends) == places).all()
    assert ((ordered - ends) <= np.abs(ordered) * 2**-15 + 1e-300).all()


def slow_edge(values: list[float], percentile: float) -> float:
    """The smallest number below which at least that share of the pages lies."""
    for value in sorted([*values, math.nextafter(max(values), math.inf)]):
        if 100 * sum(other < value for other in values) >= Fraction(str(percentile)) * len(values):
            return value + 0.0
    raise AssertionError


SCORES = st.one_of(st.floats(-1, 1), st.integers(0, 40).map(lambda k: math.ldexp(1 + k * 2.0**-52, -1)))
"""Many of them in one bin, and equal ones."""


@given(
    st.lists(SCORES, min_size=1, max_size=60), st.integers(1, 5), st.sampled_from([1.0, 25.0, 55.0, 90.0, 99.5])
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_edges_are_those_of_the_slow_twin_however_the_input_is_divided(
    values: list[float], parts: int, percentile: float
) -> None:
    columns = {"x_score": pa.array(values), "language": ["en"] * len(values)}
    columns["source"] = ["web" if row % 2 else "books" for row in range(len(values))]
    table = pa.table(columns)
    sizes = -(-len(values) // parts)
    pieces = [buckets.histograms(table.slice(at, sizes), ["x_score"]) for at in range(0, len(values), sizes)]
    domains = [kept.Domain(name="all", percentiles={"x_score": (percentile, 100)})]
    domains += [kept.Domain(name="web", sources=("web",), percentiles={"x_score": (0, percentile)})]
    wanted = buckets.wanted_of(domains)
    counts = percentiles.added(percentiles.in_bins(piece) for piece in pieces[::-1])
    near = percentiles.near(counts, [buckets.ranking(entry) for entry in wanted.values()])
    weights = percentiles.refined(counts, near, [percentiles.inside(piece, near) for piece in pieces])
    found = buckets.edges(weights, wanted)
    assert found == buckets.edges(percentiles.added(pieces), wanted)
    if len(values) > 1:
        assert found["x_score of web"]["en"] == {"0": None, f"{percentile:g}": slow_edge(values[1::2], percentile)}
    assert found["x_score"]["en"] == {f"{percentile:g}": slow_edge(values, percentile), "100": None}


def test_domains_divide_each_language_at_its_own_edges() -> None:
    steps = np.arange(1000) / 1000
    pages = pa.table(
        {
            "source": ["web"] * 2000,
            "language": ["en"] * 1000 + ["de"] * 1000,
            "confidence": [1.0] * 2000,
            "text_bytes": [10] * 2000,
            "x_score": np.concatenate([steps, steps / 10]),
        }
    )
    pages = pages.append_column("y_score", pa.nulls(2000, pa.float64()))
    domains = [
        kept.Domain(name="best", percentiles={"x_score": (90, 100)}),
        kept.Domain(name="none", percentiles={"y_score": (0, 100)}),
        kept.Domain(name="middle", percentiles={"x_score": (50, 90)}),
        kept.Domain(name="rest"),
    ]
    wanted = buckets.wanted_of(domains)
    assert {group: entry["percentiles"] for group, entry in wanted.items()} == {
        "x_score": [50, 90, 100],
        "y_score": [0, 100],
    }
    edges = buckets.edges(buckets.histograms(pages, buckets.columns_of(wanted)), wanted)
    decided = kept.prepare(kept.Params(families=()), domains, edges=edges)(pages)
    for language in ("en", "de"):
        rows = np.flatnonzero(pages.column("language").to_numpy() == language)
        names, counts = np.unique(decided.column("domain").to_numpy()[rows].astype(str), return_counts=True)
        assert dict(zip(names, counts, strict=True)) == {"best": 100, "middle": 400, "rest": 500}


def test_infinite_scores_are_in_the_buckets_at_the_ends() -> None:
    scores = [-math.inf, *range(8), math.inf, None]
    pages = pa.table(
        {
            "source": ["web"] * 11,
            "language": ["en"] * 11,
            "confidence": [1.0] * 11,
            "text_bytes": [10] * 11,
            "x_score": pa.array(scores, pa.float64()),
        }
    )
    domains = [
        kept.Domain(name="best", percentiles={"x_score": (80, 100)}),
        kept.Domain(name="worst", percentiles={"x_score": (0, 20)}),
        kept.Domain(name="rest"),
    ]
    wanted = buckets.wanted_of(domains)
    edges = buckets.edges(buckets.histograms(pages, buckets.columns_of(wanted)), wanted)
    decided = kept.prepare(kept.Params(families=()), domains, edges=edges)(pages)
    assert decided.column("domain").to_pylist() == ["worst"] * 2 + ["rest"] * 6 + ["best"] * 2 + ["rest"]


def test_where_most_scores_are_infinite_the_lower_bucket_has_all_and_the_report_is_json() -> None:
    pages = pa.table(
        {
            "source": ["web"] * 10,
            "language": ["en"] * 10,
            "confidence": [1.0] * 10,
            "text_bytes": [10] * 10,
            "x_score": [-math.inf, 1.0, 2.0, *[math.inf] * 7],
        }
    )
    domains = [
        kept.Domain(name="upper", percentiles={"x_score": (50, 100)}),
        kept.Domain(name="lower", percentiles={"x_score": (20, 50)}),
        kept.Domain(name="rest"),
    ]
    wanted = buckets.wanted_of(domains)
    edges = buckets.edges(buckets.histograms(pages, buckets.columns_of(wanted)), wanted)
    decided = kept.prepare(kept.Params(families=()), domains, edges=edges)(pages)
    assert decided.column("domain").to_pylist() == ["rest"] * 2 + ["lower"] * 8
    rows = answers.bucket_edges([(domain.name, domain.model_dump()) for domain in domains], edges)
    assert [(row["domain"], row["least"], row["below"]) for row in rows] == [
        ("upper", sys.float_info.max, None),
        ("lower", 2.0, None),
    ]
    json.dumps(rows, allow_nan=False)


def test_percentiles_that_six_digits_do_not_tell_apart_are_two() -> None:
    pages = pa.table(
        {
            "source": ["web"] * 1000,
            "language": ["en"] * 1000,
            "confidence": [1.0] * 1000,
            "text_bytes": [10] * 1000,
            "x_score": np.arange(1000.0),
        }
    )
    domains = [kept.Domain(name="best", percentiles={"x_score": (99.99999, 100)}), kept.Domain(name="rest")]
    wanted = buckets.wanted_of(domains)
    edges = buckets.edges(buckets.histograms(pages, buckets.columns_of(wanted)), wanted)
    assert edges == {"x_score": {"en": {"99.99999": math.nextafter(999.0, math.inf), "100": None}}}
    decided = kept.prepare(kept.Params(families=()), domains, edges=edges)(pages)
    assert set(decided.column("domain").to_pylist()) == {"rest"}
    [(_, settings)] = [(domain.name, domain.model_dump()) for domain in domains[:1]]
    assert answers.bucket_edges([("best", settings)], edges)[0]["least"] == math.nextafter(999.0, math.inf)
    before = {"x_score": {"en": {"33.3333": 7.0, "100": None}}}  # six digits of each, as roots made before have them
    settings["percentiles"] = {"x_score": (33.333333, 100)}
    assert answers.bucket_edges([("best", settings)], before)[0]["least"] == 7.0
    grid = Grid.model_validate({"percentiles": {"of": "x_score", "edges": (33.333333, 33.333334, 99.99999, 100)}})
    assert [cell.domain.name for cell in grid.cells("g", None)] == [
        "g--33.333333-33.333334",
        "g--33.333334-99.99999",
        "g--99.99999-100",
    ]


@pytest.mark.slow
def test_a_run_finds_its_edges_and_a_moved_percentile_redoes_kept_alone(tmp_path: Path) -> None:
    mixture, root = write_mixture(tmp_path / "a.yaml", write_corpus(tmp_path / "in", files=2)), tmp_path / "root"
    text = mixture.read_text()
    text = text.replace(
        "domains:\n", "domains:\n  long: {sources: [web], percentiles: {gopher_num_words: [80, 100]}}\n", 1
    )
    text = text.replace("mixture:\n  domains:\n", "mixture:\n  domains:\n    long: {share: 0.1}\n").replace(
        "0.7}", "0.6}"
    )
    mixture.write_text(text)
    run_inline(mixture, root)
    snapshot = load(Store(str(root)))
    stats = reporting.stats_of(snapshot)
    kept_pages = {row["domain"]: row["documents"] for row in stats["domains"]}
    assert kept_pages["long"] == pytest.approx(0.2 * (kept_pages["long"] + kept_pages["docs"]), rel=0.35)
    assert made(run_inline(mixture, root)) == {}
    edge = snapshot.store.read_json(snapshot.data["buckets"])["gopher_num_words of web"]["en"]["80"]
    for name in ("argparse.ArgumentParser", "tarfile.TarFile", "mailbox.Mailbox", "decimal.Context"):
        [page] = lives(snapshot, f"https://docs.example/{name}")
        words = {entry["column"]: entry["value"] for entry in page["measurements"]}["gopher_num_words"]
        assert page["decision"]["domain"] in (None, "long" if words >= edge else "docs")
    mixture.write_text(text.replace("[80, 100]", "[60, 100]"))
    again = made(run_inline(mixture, root))
    assert again["kept"] == 3
    assert not {"documents", "language", "quality", "signatures", "clusters"} & set(again)
    after = {row["domain"]: row["documents"] for row in reporting.stats_of(load(Store(str(root))))["domains"]}
    assert after["long"] > kept_pages["long"]
    mixture.write_text(text.replace("[80, 100]", "[100, 80]"))
    with pytest.raises(ConfigError, match="expected two rising percentiles"):
        recipes.load(mixture, Store(str(root)))
    mixture.write_text(text.replace("gopher_num_words: [80", "gopher_num_wrods: [80"))
    with pytest.raises(
        ConfigError, match=r"domains.long.percentiles.gopher_num_wrods: .*did you mean 'gopher_num_words'"
    ):
        recipes.load(mixture, Store(str(root)))
