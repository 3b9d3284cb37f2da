"""Wrong mixture files on the command line: all mistakes of one file at once, each with its place."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main


def refused(folder: Path, text: str, *, job: str = "") -> list[str]:
    """The lines that `plan` says of a mixture file, without the file's name."""
    path = folder / "m.yaml"
    path.write_text(text)
    result = CliRunner().invoke(main, ["plan", str(path), "--root", str(folder / "root")], env={"RAY_JOB_ID": job})
    assert result.exit_code == 2, result.output + result.stderr
    return result.stderr.removeprefix("gristmill: ").replace(f"{path}:", "").splitlines()


MIXTURE = "domains: {d: {sources: [a, b]}}\nmixture: {domains: {d: {share: 1}}}\n"


def test_all_sources_that_are_missing_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    sources = "sources:\n  a: {paths: /nowhere/a.jsonl}\n  b: {paths: '/nowhere/*.gz'}\n"
    assert refused(tmp_path, sources + MIXTURE) == [
        "2: sources.a.paths: /nowhere/a.jsonl does not exist",
        "3: sources.b.paths: /nowhere does not exist",
    ]


def test_a_job_that_was_shipped_without_its_input_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "working_dir_files" / "pkg"
    folder.mkdir(parents=True)
    sources = "sources:\n  a: {paths: ../data/a.jsonl}\n  b: {paths: ../data/b.jsonl}\n"
    assert all("the job was shipped without" in line for line in refused(folder, sources + MIXTURE, job="1"))
    assert not any("the job was shipped" in line for line in refused(folder, sources + MIXTURE))


def test_one_mistake_hides_no_other(tmp_path: Path) -> None:
    text = """\
nmae: x
sources: {a: {path: a.jsonl}}
kept: {languages: en, rules: {too_few_words: many}}
domains: {d: {sources: [b], languages: [english]}, e: [a]}
mixture: {max_epochs: -1, domains: {f: {share: 0.5}}}
"""
    found = refused(tmp_path, text)
    assert [line.partition(": ")[2].partition(":")[0] for line in found] == [
        "nmae",
        "sources.a.path",
        "sources.a.paths",
        "kept.languages",
        "kept.rules.too_few_words",
        "domains.d.languages",
        "domains.d.sources[0]",
        "domains.e",
        "mixture.domains.f",
        "mixture.max_epochs",
    ]
    assert found[3] == "3: kept.languages: expected a list, found 'en'; write [en]"
    assert found[5].endswith(
        "unknown language 'english'; did you mean 'en'?; languages are written as codes: en, de, zh"
    )


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
    told = "unknown language 'English'; did you mean 'en'?; unknown language 'german'; did you mean 'de'?"
    assert line == f"2: kept.languages: {told}; languages are written as codes: en, de, zh"
    [line] = refused(tmp_path, sources + "domains: {d: {}}\nmixture: {domains: {d: {share: 50%}}}\n")
    assert line == "3: mixture.domains.d.share: expected a number, found '50%'; write 0.5"
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    found = refused(tmp_path, sources + "documents: {extractor: trafilatura}\n" + MIXTURE.replace("a, b", "a"))
    hint = "`extractor: trafilatura` needs the library: pip install 'gristmill[trafilatura]'"
    assert f"2: documents.extractor: {hint}" in found


def test_a_column_that_no_row_of_json_lines_has_is_told_and_one_that_some_have_is_not(tmp_path: Path) -> None:
    rows = ['{"text": "some words", "meta": {"link": null}}'] * 50 + ['{"text": "some words", "when": "2020-01-01"}']
    (tmp_path / "a.jsonl").write_text("\n".join(rows))
    mixture = MIXTURE.replace("a, b", "a")
    text = "sources: {a: {paths: a.jsonl, columns: {url: adress, time: when}, carry: {link: meta.link}}}\n" + mixture
    [line] = refused(tmp_path, text)
    assert line == "1: sources.a.columns: a.jsonl: no row has 'adress' for url; rows have text, when"


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


def test_a_scorer_that_cannot_be_found_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "some words"}\n')
    text = 'sources: {a: {paths: a.jsonl}}\nscores: {scorers: {s: {function: "no_such_module_here:f"}}}\n'
    [line] = refused(tmp_path, text + MIXTURE.replace("a, b", "a"))
    assert line.startswith("2: scores.scorers.s: no_such_module_here:f: No module named")
