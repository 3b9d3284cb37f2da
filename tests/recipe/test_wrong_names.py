"""Names in a mixture file that are none: reported wherever they stand, once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from tests.support.wrong_mixtures import MIXTURE, mill, refused


def test_a_wrong_value_of_kept_hides_no_wrong_name_in_it_or_in_domains(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "some words"}\n')
    text = (
        "sources: {a: {paths: a.jsonl}}\nkept: {rules: {too_few_words: many, too_few_wrds: 3}, languages: [english]}\n"
    )
    text += "domains: {d: {min: {gopher_num_wrds: 5}}, e: {percentiles: {edu: [0, 50]}}}\n"
    text += "mixture: {domains: {d: {share: 1}}}\n"
    found = refused(tmp_path, text)
    assert [line.partition(": ")[2].partition(": ")[0] for line in found] == [
        "kept.languages", "kept.rules", "kept.rules.too_few_words",
        "domains.d.min.gopher_num_wrds", "domains.e.percentiles.edu",
    ]  # fmt: skip
    assert "did you mean 'too_few_words'" in found[1]
    assert found[-1].endswith(" more")


def test_a_scorer_that_cannot_be_found_is_reported_once(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "some words"}\n')
    text = 'sources: {a: {paths: a.jsonl}}\nscores: {scorers: {s: {function: "no_such_module_here:f"}}}\n'
    [line] = refused(tmp_path, text + MIXTURE.replace("a, b", "a"))
    assert line.startswith("2: scores.scorers.s: no_such_module_here:f: No module named")


KEPT = "kept: {families: [gopher_quality], overrides: [%s]}"


NAMING_SOURCES = {
    "kept.overrides[0].sources[1]": KEPT % "{sources: [a, zz], rules: {below_min_text_bytes: 3}}",
    "clusters.source_priority[0]": "clusters: {source_priority: [zz, a]}",
    "clusters.groups.g[1]": "clusters: {scope: group, groups: {g: [a, zz]}}",
    "clusters.exempt[0]": "clusters: {exempt: [zz]}",
    "clusters.max_source_losses.zz": "clusters: {max_source_losses: {zz: 0.1, a: 0.1}}",
    "repeats.source_priority[0]": "repeats: {enabled: true, source_priority: [zz]}",
    "run.allow_empty[0]": "run: {allow_empty: [zz]}",
}


def with_section(folder: Path, section: str) -> str:
    kept = "kept: {languages: [en], families: [gopher_quality]}\n"
    return mill(folder, (kept, section + "\n")) if section.startswith("kept") else mill(folder) + section + "\n"


@pytest.mark.parametrize("key", NAMING_SOURCES)
def test_a_source_that_is_none_is_reported_wherever_it_is_named(tmp_path: Path, key: str) -> None:
    (line,) = refused(tmp_path, with_section(tmp_path, NAMING_SOURCES[key]))
    assert line.partition(": ")[2] == f"{key}: no such source 'zz'"


@pytest.mark.parametrize("key", NAMING_SOURCES)
def test_a_source_that_is_one_may_be_named_there(tmp_path: Path, key: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(with_section(tmp_path, NAMING_SOURCES[key].replace("a, zz", "b").replace("zz", "b")))
    result = CliRunner().invoke(main, ["plan", str(path), "--root", str(tmp_path / "root")])
    assert result.exit_code == 0, result.stderr


def test_an_override_for_a_domain_that_is_none_is_reported(tmp_path: Path) -> None:
    section = KEPT % "{domains: [d, dd], rules: {below_min_text_bytes: 3}}"
    (line,) = refused(tmp_path, with_section(tmp_path, section))
    assert line.partition(": ")[2] == "kept.overrides[0].domains[1]: no such domain 'dd'; did you mean 'd'?"


def test_an_override_of_a_source_names_sources_too(tmp_path: Path) -> None:
    own = "a: {paths: a.jsonl, kept: {overrides: [{sources: [bb], rules: {below_min_text_bytes: 3}}]}}"
    (line,) = refused(tmp_path, mill(tmp_path, ("a: {paths: a.jsonl}", own)))
    assert line.partition(": ")[2].startswith("sources.a.kept.overrides[0].sources[0]: no such source 'bb'; did you")


@pytest.mark.parametrize(
    ("key", "old", "new"),
    [
        ("mixture.domains.d.share", "share: 1", "share: true"),
        ("tokens.seed", "mixture:", "tokens: {seed: true}\nmixture:"),
        ("clusters.threshold", "mixture:", "clusters: {threshold: true}\nmixture:"),
        ("sources.a.split_bytes", "a.jsonl}", "a.jsonl, split_bytes: true}"),
    ],
)
def test_true_is_no_number(tmp_path: Path, key: str, old: str, new: str) -> None:
    (line,) = refused(tmp_path, mill(tmp_path, (old, new)))
    assert line.partition(": ")[2] == f"{key}: expected a number, found true"


def test_a_type_of_text_that_is_none_is_reported(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, mill(tmp_path) + "documents: {text_types: [text/plain, doxc]}\n")
    wanted = "expected a media type such as text/plain, found 'doxc'; did you mean 'docx'?"
    assert line.partition(": ")[2] == f"documents.text_types: {wanted}"


def test_a_grid_by_copies_without_clusters_is_one_mistake(tmp_path: Path) -> None:
    rows = [{"first": 1, "last": 1, "repeats": 2}, {"first": 2, "last": None, "repeats": 3}]
    weights = {"kind": "rehydration", "version": 1, "languages": {"en": rows, "de": rows}}
    (tmp_path / "w.json").write_text(json.dumps(weights))
    grid = ("d: {sources: [a, b]}", "d: {sources: [a, b], copies: w.json}\nclusters: {enabled: false}")
    assert refused(
        tmp_path, mill(tmp_path, grid, ("{share: 1}}", "{share: 1}}\n  solver: quality-curve\n  budget: 1000"))
    ) == ["7: domains.d.copies: no column 'cluster_size' is measured in sources a, b; set clusters.enabled: true"]
