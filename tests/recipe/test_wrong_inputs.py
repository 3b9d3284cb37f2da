"""Inputs, rules and columns of a mixture file that are not what it says: told before any work, each with its place."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from tests.support.wrong_mixtures import MIXTURE, mill, refused


def test_a_source_that_is_wrong_blames_no_threshold_that_its_pages_have(tmp_path: Path) -> None:
    changes = ("{paths: a.jsonl}", "a.jsonl"), ("{paths: b.jsonl}", "{paths: b.jsonl, kept: {families: []}}")
    rules = ("families: [gopher_quality]}\ndomains", "families: [gopher_quality], rules: {too_few_words: 9}}\ndomains")
    [line] = refused(tmp_path, mill(tmp_path, *changes, rules))
    assert line.startswith("2: sources.a: expected a mapping")


def test_a_rule_that_is_none_is_named_where_it_stands_alone(tmp_path: Path) -> None:
    own = ("{paths: b.jsonl}", "{paths: b.jsonl, kept: {rules: {too_few_words: 9}}}")
    rules = ("families: [gopher_quality]}\ndomains", "families: [gopher_quality], rules: {near: 0.8}}\ndomains")
    assert [line.partition(":")[0] for line in refused(tmp_path, mill(tmp_path, own, rules))] == ["5"]
    both = ("too_few_words: 9}", "too_few_words: 9, near: 0.8}")
    assert [line.partition(":")[0] for line in refused(tmp_path, mill(tmp_path, own, rules, both))] == ["3", "5"]


@pytest.mark.parametrize(
    ("rule", "number"),
    [("too_few_words", 2), ("near_duplicate", 1), ("too_few_letters", 0), ("too_much_text_in_top_3_gram", 2.5)],
)
def test_numbers_that_a_column_can_have_are_taken(tmp_path: Path, rule: str, number: float) -> None:
    families = (
        ("[gopher_quality]", "[gopher_quality, code, gopher_repetition]"),
        ("[en], ", f"[en], rules: {{{rule}: {number}}}, "),
    )
    (tmp_path / "m.yaml").write_text(mill(tmp_path, *families))
    result = CliRunner().invoke(main, ["plan", str(tmp_path / "m.yaml"), "--root", str(tmp_path / "root")])
    assert result.exit_code == 0, result.stderr


def test_papers_that_text_types_does_not_take_are_told_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    for name in ("a.pdf", "b.PDF", "c.docx"):
        (tmp_path / "papers" / name).write_bytes(b"%PDF-1.4 cut")
    text = mill(tmp_path, ("paths: a.jsonl", "paths: papers"))
    advice = "no text is read from {} files: to read it, documents: {{text_types: [{}]}}"
    assert refused(tmp_path, text) == ["2: sources.a.paths: " + advice.format("1 docx, 2 pdf", "docx, pdf")]
    text += "documents: {text_types: [pdf]}\n"
    (tmp_path / "m.yaml").write_text(text)
    result = CliRunner().invoke(main, ["plan", str(tmp_path / "m.yaml"), "--root", str(tmp_path / "root")])
    assert result.exit_code == 0, result.stderr
    assert f"source a: {advice.format('1 docx', 'pdf, docx')}" in result.stdout


def test_a_damaged_first_line_is_no_other_format(tmp_path: Path) -> None:
    text = mill(tmp_path)
    (tmp_path / "a.jsonl").write_text("{cut\n" + (tmp_path / "a.jsonl").read_text())
    (tmp_path / "m.yaml").write_text(text)
    result = CliRunner().invoke(main, ["plan", str(tmp_path / "m.yaml"), "--root", str(tmp_path / "root")])
    assert result.exit_code == 0, result.stderr


def test_a_uri_with_one_slash_too_few_is_answered_with_the_uri(tmp_path: Path) -> None:
    [line] = refused(tmp_path, mill(tmp_path, ("a.jsonl}", "'s3:/bucket/*.jsonl'}")))
    assert line.endswith("s3:/bucket does not exist; did you mean s3://bucket/*.jsonl?")


def test_a_root_or_report_with_one_slash_too_few_makes_no_local_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.yaml").write_text(mill(tmp_path))
    asked = ("run", "m.yaml", "--root", "s3:/bucket/x"), ("stats", "--root", "gs:/bucket/x"), ("prune", "s3:/bucket/x")
    for command in asked:
        result = CliRunner().invoke(main, [*command])
        assert result.exit_code == 2, command
        assert "expected a path, or a URI with two slashes; did you mean " in result.stderr
        assert "://bucket/x?" in result.stderr
    assert not (tmp_path / "s3:").exists()


def test_a_misspelt_section_that_is_needed_blames_nothing_that_names_its_entries(tmp_path: Path) -> None:
    text = "sorces: {a: {paths: x}}\ndomains: {d: {sources: [a]}}\nmixture: {domains: {d: {share: 1}}}\n"
    assert refused(tmp_path, text) == [
        "1: sorces: no such key; did you mean 'sources'?",
        "1: sources: expected at least one entry: a mapping of names",
    ]


def test_what_people_write_first_is_answered_with_what_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "1", "text": "some words"}\n')
    sources = "sources: {a: {paths: a.jsonl}}\n"
    [line] = refused(tmp_path, "sources: {a: {paths: ${DATA}/a.jsonl}}\n" + MIXTURE)
    assert line.startswith('1: file: a value with ${ inside braces or brackets must stand in quotes: {paths: "${NAME}')
    [line] = refused(tmp_path, sources + "kept: {languages: [English, german]}\n" + MIXTURE.replace("a, b", "a"))
    unknown = "unknown language 'English'; did you mean 'en'?; unknown language 'german'; did you mean 'de'?"
    assert line == f"2: kept.languages: {unknown}; languages are written as codes: en, de, zh"
    [line] = refused(tmp_path, sources + "domains: {d: {}}\nmixture: {domains: {d: {share: 50%}}}\n")
    assert line == "3: mixture.domains.d.share: expected a number, found '50%'; write 0.5"
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    found = refused(tmp_path, sources + "documents: {extractor: trafilatura}\n" + MIXTURE.replace("a, b", "a"))
    hint = "`extractor: trafilatura` needs the library: pip install 'gristmill[trafilatura]'"
    assert f"2: documents.extractor: {hint}" in found


def test_a_column_that_no_row_of_json_lines_has_is_reported_and_one_that_some_have_is_not(tmp_path: Path) -> None:
    rows = ['{"text": "some words", "meta": {"link": null}}'] * 50 + ['{"text": "some words", "when": "2020-01-01"}']
    (tmp_path / "a.jsonl").write_text("\n".join(rows))
    mixture = MIXTURE.replace("a, b", "a")
    text = "sources: {a: {paths: a.jsonl, columns: {url: adress, time: when}, carry: {link: meta.link}}}\n" + mixture
    [line] = refused(tmp_path, text)
    assert line == "1: sources.a.columns: a.jsonl: no row has 'adress' for url; rows have text, when"
