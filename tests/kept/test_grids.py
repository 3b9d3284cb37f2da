"""Grids: a domain for every label and bucket, percentiles within language and label, shares for labels, bad input."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline import recipe as recipes
from pipeline.answers import stats as reporting
from pipeline.answers.why import lives
from pipeline.errors import RunError
from pipeline.recipe import mixing
from pipeline.recipe.snapshot import load
from pipeline.recipe.yaml_file import ConfigError
from pipeline.store.storage import Store
from stages import kept, percentiles
from stages.kept import buckets
from stages.kept.grid import Grid, spellings, spelt_edge
from stages.report.terminal import domains as domains_text
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import made, run_inline

EDGES = (0, 30, 50, 80, 100)


def test_names_of_cells_are_names_of_files_each_its_own() -> None:
    labels = ["science", "art & design", "art @ design", "科学", "文化", "a--b", "--"]
    spelt = spellings(labels)
    assert spelt["science"] == "science"
    assert spelt["a--b"] == "a-b"
    assert len(set(spelt.values())) == len(labels)
    assert all(text.replace("_", "a").replace("-", "a").isalnum() and "--" not in text for text in spelt.values())
    assert [spelt_edge(edge) for edge in (0, 5, 5.5, 40, 99.5, 100)] == ["00", "05", "05.5", "40", "99.5", "100"]
    grid = Grid.model_validate({"by": "t", "percentiles": {"of": "x_score", "within": "t", "edges": EDGES}})
    cells = grid.cells("web", ["b", "a"])
    assert [cell.domain.name for cell in cells][:5] == [
        "web--b--00-30", "web--b--30-50", "web--b--50-80", "web--b--80-100", "web--a--00-30",
    ]  # fmt: skip
    assert cells[1].domain.labels == {"t": ("b",)}
    assert cells[1].domain.percentiles == {"x_score": (30, 50)}


def test_each_language_and_label_is_divided_at_its_own_edges_however_the_input_is_divided() -> None:
    chosen = np.random.default_rng(5)
    rows = 4000
    pages = pa.table(
        {
            "source": chosen.choice(["web", "books"], rows),
            "language": chosen.choice(["en", "de"], rows),
            "t_label": pa.array([[None, "a", "b b"][k] for k in chosen.choice(3, rows, p=[0.1, 0.6, 0.3])]),
            "confidence": np.ones(rows),
            "text_bytes": np.full(rows, 10),
            "x_score": chosen.permutation(rows) / rows,
        }
    )
    grid = Grid.model_validate({"by": "t", "percentiles": {"of": "x_score", "within": "t", "edges": EDGES}})
    domains = [cell.domain for cell in grid.cells("g", ["a", "b b"])] + [kept.Domain(name="rest")]
    wanted = buckets.wanted_of(domains)
    assert buckets.columns_of(wanted) == ["x_score within t"]
    parts = [buckets.histograms(pages.slice(at, 700), buckets.columns_of(wanted)) for at in range(0, rows, 700)]
    edges = buckets.edges(percentiles.added(parts[::-1]), wanted)
    decided = kept.prepare(kept.Params(families=()), domains, edges=edges)(pages).column("domain").to_pylist()
    for language in ("en", "de"):
        for label, spelt in (("a", "a"), ("b b", "b_b")):
            mine = [
                (row["x_score"], domain)
                for row, domain in zip(pages.to_pylist(), decided, strict=True)
                if (row["language"], row["t_label"]) == (language, label)
            ]
            counts = Counter(domain for _, domain in mine)
            for low, high in pairwise(EDGES):
                share = counts[f"g--{spelt}--{spelt_edge(low)}-{spelt_edge(high)}"] / len(mine)
                assert share == pytest.approx((high - low) / 100, abs=1.01 / len(mine))
            ordered = [domain for _, domain in sorted(mine)]
            assert ordered == sorted(ordered, key=lambda name: int(name.rpartition("--")[2].partition("-")[0]))
    assert {domain for row, domain in zip(pages.to_pylist(), decided, strict=True) if row["t_label"] is None} == {
        "rest"
    }


GRID = """labels:
  labellers:
    size: {function: "tests.products.test_labels:by_length", labels: [short, long]}
"""
DOMAINS = "web: {sources: [web], by: size, percentiles: {of: gopher_num_words, within: size, edges: [0, 50, 90, 100]}}"
MIXED = """mixture:
  solver: quality-curve
  max_epochs: 4
  on_shortfall: redistribute
  domains:
    web: {share: 0.8, labels: {short: 0.4, long: 0.6}}
    code: {share: 0.2}
"""


def gridded(tmp_path: Path, corpus: bool = False) -> Path:
    folder = write_corpus(tmp_path / "in", files=2) if corpus else tmp_path
    mixture = write_mixture(tmp_path / "a.yaml", folder)
    text = mixture.read_text()
    text = text[: text.index("mixture:\n")] + MIXED + GRID
    mixture.write_text(text.replace("docs: {sources: [web]}", DOMAINS))
    return mixture


@pytest.mark.slow
def test_a_run_of_a_grid_spreads_each_label_over_its_buckets(tmp_path: Path) -> None:
    mixture, root = gridded(tmp_path, corpus=True), tmp_path / "root"
    mixture.write_text(mixture.read_text().replace("families: [gopher_quality]", "families: [gopher_quality]\n"
                       "  overrides: [{domains: [web--short], rules: {too_few_words: 10}}]"))  # fmt: skip
    run_inline(mixture, root)
    assert made(run_inline(mixture, root)) == {}
    snapshot = load(Store(str(root)))
    figures = reporting.stats_of(snapshot)
    shares = {row["domain"]: row for row in figures["mixture"]}
    for label, share in (("short", 0.32), ("long", 0.48)):
        rows = [shares[f"web--{label}--{bucket}"] for bucket in ("00-50", "50-90", "90-100")]
        assert sum(row["requested_share"] for row in rows) == pytest.approx(share, abs=1e-4)
        epochs = [row["target_tokens"] / row["available_tokens"] for row in rows]
        assert epochs == sorted(epochs)
        assert epochs[2] <= 4.001
    assert shares["code"]["requested_share"] == pytest.approx(0.2, abs=1e-4)
    assert "web--short--00-50" in domains_text(figures)  # few enough to be shown one by one
    folded = dict.fromkeys(row["label"] for row in figures["buckets"])
    assert set(folded) == {"short", "long"}
    pages = 0
    web = next(entry for entry in snapshot.product("documents") if entry.report["source"] == "web")
    for row in snapshot.store.read_table(web.address, ["url"]).to_pylist()[:12]:
        [page] = lives(snapshot, row["url"])
        [bucket] = page["decision"]["buckets"] or [None]
        if bucket:
            pages += 1
            least, below = bucket["least"], bucket["below"]
            assert least is None or bucket["value"] >= least
            assert below is None or bucket["value"] < below
    assert pages


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("by: size", "by: sise", "domains.web.by: no such labeller 'sise'; did you mean 'size'?"),
        ("within: size", "within: topic", "domains.web.percentiles: no such labeller 'topic'"),
        (", labels: [short, long]", "", "labeller 'size' does not say its labels: give labels.labellers.size.labels"),
        ("[0, 50, 90, 100]", "[0, 90, 50, 100]", "expected rising percentiles from 0 to 100, found 0, 90, 50, 100"),
        ("[0, 50, 90, 100]", "[0, 50, 101]", "expected rising percentiles from 0 to 100"),
        ("of: gopher_num_words", "of: gopher_num_wrods", "no column 'gopher_num_wrods' is measured in source web"),
        ("labels: {short: 0.4", "labels: {shirt: 0.4", "domains.web.labels.shirt: grid 'web' has no label 'shirt'"),
        ("labels: {short: 0.4", "labels: {xyzzy: 0.4", "grid 'web' has no label 'xyzzy'; known: long, short"),
        ("long: 0.6}", "long: 0.7}", "those of its labels must sum to 1, found 1.1"),
        ("short: 0.4", "short: -0.4", "labels.short: expected a share from 0 to 1, found -0.4"),
        ("{share: 0.8, labels", "{shre: 0.8, labels", "mixture.domains.web.shre: no such key for a grid"),
        ("solver: quality-curve", "alpha: 0.3", "set solver: quality-curve"),
        ("  code: {sources: [code]}", "  my--code: {sources: [code]}", "expected no '--' in the name of a domain"),
        ("by: size", "by: [size]", "domains.web.by: expected text, found ['size']"),
        ("sources: [web], by", "sources: [wbe], by", "no such source 'wbe'; did you mean 'web'?"),
        ("sources: [web], by", "sources: [], by", "domains.web.sources: expected at least one name, found []"),
        ("by: size, perc", "labels: {size: []}, by: size, perc", "domains.web.labels: "),
        ("size: {function", "size: {model: x.bin, function", "found model and function"),
        ("by: size, perc", "labels: {size: [shrt]}, by: size, perc", "labeller 'size' has no label 'shrt'"),
    ],
)
def test_mistakes_are_reported_in_a_line_with_their_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    mixture = gridded(tmp_path)
    text = mixture.read_text()
    assert old in text
    mixture.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        recipes.load(mixture, Store(str(tmp_path / "root")))
    problems = caught.value.problems
    assert any(message in f"{problem.key}: {problem.message}" for problem in problems), problems
    assert all(problem.line > 1 for problem in problems)
    # nothing that only follows from it, but where the mixture names what is gone now
    assert len(problems) == 1 or "my--code" in new or "shrt" in new, problems


def test_an_empty_bucket_gives_nothing_and_an_empty_label_is_reported(tmp_path: Path) -> None:
    recipe = recipes.load(gridded(tmp_path), Store(str(tmp_path / "root")))
    available = dict.fromkeys(recipe.domains, 1000)
    available["web--short--50-90"] = 0
    solved = mixing.solve(recipe, available, {"sha256": ""})
    assert solved.targets["web--short--50-90"] == 0
    assert sum(plan.requested_share for plan in solved.domains) == pytest.approx(1)
    for bucket in ("00-50", "50-90", "90-100"):
        available[f"web--long--{bucket}"] = 0
    with pytest.raises(RunError, match=r"a\.yaml: mixture: group 'web--long' has no tokens in any bucket"):
        mixing.solve(recipe, available, {"sha256": ""})
    available["web--long--00-50"] = 10
    mixture = tmp_path / "a.yaml"
    mixture.write_text(mixture.read_text().replace("quality-curve", "quality-curve\n  curve_start: 0.6"))
    recipe = recipes.load(mixture, Store(str(tmp_path / "root")))
    with pytest.raises(RunError, match=r"no bucket of group 'web--long' above curve_start 0\.6 has a token"):
        mixing.solve(recipe, available, {"sha256": ""})
