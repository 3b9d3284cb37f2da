"""Wrong mixture files on the command line: all mistakes of one file at once, each with its place."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
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


def test_all_sources_that_are_missing_are_reported_at_once_with_their_lines(tmp_path: Path) -> None:
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


def mill(folder: Path, *changes: tuple[str, str]) -> str:
    """A mixture of two sources that is right, with some of its text replaced."""
    for name in ("a", "b"):
        (folder / f"{name}.jsonl").write_text('{"text": "The mill turns."}\n{"text": "And turns."}\n')
    text = """\
sources:
  a: {paths: a.jsonl}
  b: {paths: b.jsonl}
quality: {families: [gopher_quality]}
kept: {languages: [en], families: [gopher_quality]}
domains:
  d: {sources: [a, b]}
mixture:
  domains: {d: {share: 1}}
"""
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


LISTS = (
    "most of it cannot be read: not_json_object at 0; JSON Lines have an object a line;"
    " `jq -c '.[]'` makes them of lists"
)
NOT_READ = "most of it cannot be read: {} at 0; is it another format? `format` names one"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "families: [gopher_quality]}\ndomains",
            "familys: [x]}\ndomains",
            "5: kept.familys: no such key; did you mean 'families'?",
        ),
        (
            "kept: {languages: [en], families: [gopher_quality]}",
            "kept: [x]",
            "5: kept: expected a mapping of keys, found ['x']",
        ),
        (
            "languages: [en], families: [gopher_quality]",
            "families: [gopher_quality, c4]",
            "5: kept.families: family c4 is not measured in sources a, b: add it to quality.families,"
            " or name others here",
        ),
        (
            "families: [gopher_quality]}\ndomains",
            "views: [without_repeats], families: []}\ndomains",
            "5: kept.views: no column 'repeats_spans' is measured in sources a, b; set repeats.enabled: true",
        ),
        (
            "d: {sources: [a, b]}",
            "d:",
            "7: domains.d: expected a mapping of conditions, such as {sources: [NAME]}; {} takes every page",
        ),
        (
            "d: {sources: [a, b]}",
            "d: {sources: [a, b], min: {cluster_size: 2}}\nclusters: {enabled: false}",
            "7: domains.d.min.cluster_size: no column 'cluster_size' is measured in sources a, b;"
            " set clusters.enabled: true",
        ),
        (
            "families: [gopher_quality]}\ndomains",
            "families: [], rules: {above_max_similarity: 0.5}}\nclusters: {enabled: false}\ndomains",
            "5: kept.rules.above_max_similarity: no column 'similarity' is measured in sources a, b;"
            " set clusters.enabled: true",
        ),
        (
            "families: [gopher_quality]}\ndomains",
            "views: [without_repeats], families: []}\nrepeats: {enabled: true, min_bytes: 3}\ndomains",
            "6: repeats.min_bytes: expected 32 or more, found 3",
        ),
        (
            "families: [gopher_quality]}\ndomains",
            "families: [recurring_lines]}\nlines: {enabled: true, min_pages: 1}\ndomains",
            "6: lines.min_pages: expected 2 or more, found 1",
        ),
        (
            "families: [gopher_quality]}\ndomains",
            "families: [], rules: {below_min_cluster_size: 2}}\nclusters: {threshold: 7}\ndomains",
            "6: clusters.threshold: expected 1 or less, found 7",
        ),
        (
            "families: [gopher_quality]}\ndomains",
            "families: [], contamination: {exam: {question: 0.5}, '*': {passage: 0.5}}}\ndomains",
            "5: kept.contamination.exam: no such benchmark 'exam'; quality.benchmarks.files has none",
        ),
        (
            "languages: [en]",
            "languages: [eng]",
            "5: kept.languages: lid.176 knows no language 'eng'; did you mean 'en'?",
        ),
        (
            "[a, b]}",
            "[a, b], min: {language: 3}}",
            "7: domains.d.min.language: the column 'language' is no number, but text",
        ),
        (
            "[a, b]}",
            "[a, b], percentiles: {script: [0, 50]}}",
            "7: domains.d.percentiles.script: the column 'script' is no number, but text",
        ),
        (
            "families: [gopher_quality]}\ndomains",
            "families: [], overrides: [{languages: [en], rules: {above_max_source: 3}}]}\ndomains",
            "5: kept.overrides[0].rules.above_max_source: the column 'source' is no number, but text",
        ),
        (
            "[a, b]}",
            "[a, b], max: {other_language_fraction: 0.1}}",
            "7: domains.d.max.other_language_fraction: no column 'other_language_fraction' is measured in sources a, b;"
            " set language.segments",
        ),
        (
            "[a, b]}",
            "[a, b], min: {text_byts: 3}}",
            "7: domains.d.min.text_byts: no column 'text_byts' is measured in sources a, b; did you mean 'text_bytes'?",
        ),
        (
            "[a, b]}",
            "[a, b], min: {c4_num_sentences: 3}}",
            "7: domains.d.min.c4_num_sentences: no column 'c4_num_sentences' is measured in sources a, b;"
            " add c4 to quality.families",
        ),
        (
            "a.jsonl}",
            "a.jsonl, split_bytes: 256MB}",
            "2: sources.a.split_bytes: expected a whole number, found '256MB'; write 256000000",
        ),
        (
            "a.jsonl}",
            "a.jsonl, split_bytes: 1GiB}",
            "2: sources.a.split_bytes: expected a whole number, found '1GiB'; write 1073741824",
        ),
        (
            "{paths: a.jsonl}",
            "{paths: a.jsonl",
            "3: file: no YAML: expected ',' or '}', found ':' (while parsing a flow mapping, which begins in line 2);"
            " is a } missing?",
        ),
        (
            "sources:\n",
            "name: a: b\nsources:\n",
            "1: file: no YAML: mapping values are not allowed here; a value with ': ' in it must stand in quotes",
        ),
        (
            "paths: a.jsonl",
            "paths: *.jsonl",
            "2: file: no YAML: expected alphabetic or numeric character, but found '.' (while scanning an alias, which"
            " begins in line 2); text that begins with * must stand in quotes",
        ),
        (
            "paths: a.jsonl",
            "paths: *a",
            "2: file: no YAML: found undefined alias 'a'; text that begins with * must stand in quotes",
        ),
        (
            "share: 1",
            "share: %50",
            "9: file: no YAML: found character '%' that cannot start any token; text that begins with % must stand in"
            " quotes",
        ),
        (
            "paths: a.jsonl",
            "paths: x/{a,b}.jsonl",
            "2: file: no YAML: expected ',' or '}', found '{' (while parsing a flow mapping, which begins in line 2);"
            " is a comma missing, or are quotes around text with { in it?",
        ),
        (
            "paths: a.jsonl",
            'paths: "C:\\data"',
            "2: file: no YAML: found unknown escape character 'd' (while scanning a double-quoted scalar, which begins"
            " in line 2); in double quotes \\ begins an escape: write single quotes",
        ),
        (
            "[en], families",
            "[en] families",
            "5: file: no YAML: expected ',' or '}', found '<scalar>' (while parsing a flow mapping, which begins in"
            " line 5); is a comma missing, or a } before it?",
        ),
        (
            "kept: {languages",
            "kept:{languages",
            "5: file: no YAML: expected <block end>, but found ',' (while parsing a block mapping, which begins in"
            " line 1); a colon has a space behind it: kept: {languages: [en]",
        ),
        (
            "mixture:",
            "shards:\n  valid_fraction:0.1\n  test_fraction: 0.1\nmixture:",
            "10: file: no YAML: mapping values are not allowed here; a colon has a space behind it:"
            " valid_fraction: 0.1",
        ),
        (
            "mixture:",
            "shards:\n  valid_fraction: > 0.1\nmixture:",
            "9: file: no YAML: expected a comment or a line break, but found '0' (while scanning a block scalar, which"
            " begins in line 9); text that begins with > or | must stand in quotes",
        ),
        ("share: 1", "share:1", "9: mixture.domains.d.share:1: no such key; a colon has a space behind it: share: 1"),
        (
            "families: [gopher_quality]}\ndomains",
            "families: [gopher_quality], rules: {too_few_words:9}}\ndomains",
            "5: kept.rules.too_few_words:9: expected true or false, or a number, found nothing;"
            " a colon has a space behind it: too_few_words: 9",
        ),
        (
            "share: 1",
            "share: 0,5",
            "9: mixture.domains.d.5: no such key; is it part of a number? No number has a comma: 0.5, not 0,5;"
            " 1000, not 1,000",
        ),
        (
            "quality: {",
            "\u00a0quality: {",
            "4: \u00a0quality: no such key; it has a blank that is no plain space (U+00A0): indent with spaces",
        ),
        ("quality: {", "Quality: {", "4: Quality: no such key; did you mean 'quality'?"),
        (
            "  d: {sources: [a, b]}",
            "  - d: {sources: [a, b]}",
            "6: domains: expected at least one entry: a mapping of names, found a list: write `NAME: {...}`,"
            " without dashes",
        ),
        (
            "a: {paths: a.jsonl}",
            "a: a.jsonl",
            "2: sources.a: expected a mapping with at least `paths` or `index`, found 'a.jsonl';"
            " write {paths: 'a.jsonl'}",
        ),
        (
            "a.jsonl}",
            "a.jsonl, columns: {body: text}}",
            "2: sources.a.columns: expected ours: theirs, found {body: text}; write {text: body}",
        ),
        (
            "families: [gopher_quality]}\ndomains",
            "families: [gopher_quality], rules: {too_few_alphabetic_words: 80}}\ndomains",
            "5: kept.rules.too_few_alphabetic_words: gopher_alphabetic_word_fraction lies between 0 and 1, found 80;"
            " write 0.8",
        ),
        (
            "families: [gopher_quality]}\ndomains",
            "families: [], overrides: [{languages: [en], rules: {near_duplicate: 85}}]}\ndomains",
            "5: kept.overrides[0].rules.near_duplicate: similarity lies between 0 and 1, found 85; write 0.85",
        ),
        (
            "[a, b]}",
            "[a, b], max: {gopher_bullet_line_fraction: -0.5}}",
            "7: domains.d.max.gopher_bullet_line_fraction: gopher_bullet_line_fraction lies between 0 and 1,"
            " found -0.5",
        ),
        (
            "families: [gopher_quality]}\ndomains",
            "families: [], overrides: [{languages: [en], rules: {too_much_text_in_top_2_gram: 20}}]}\ndomains",
            "5: kept.overrides[0].rules.too_much_text_in_top_2_gram: repetition_top_2_gram_fraction lies between 0 and"
            " 2, found 20; write 0.2",
        ),
        (
            "share: 1",
            "share: 1.2.3%",
            "9: mixture.domains.d.share: expected a number, found '1.2.3%'",
        ),
        (
            "families: [gopher_quality]}\ndomains",
            f"families: [gopher_quality]}}\ndocuments: {{max_html_bytes: {'9' * 400}k}}\ndomains",
            f"6: documents.max_html_bytes: expected a whole number, found '{'9' * 79}...",
        ),
        (
            "a: {paths: a.jsonl}",
            f"a: {'x' * 3000}",
            f"2: sources.a: expected a mapping with at least `paths` or `index`, found '{'x' * 79}...;"
            f" write {{paths: '{'x' * 79}...}}",
        ),
        (
            "quality: {",
            '" quality": {',
            "4:  quality: no such key; it begins or ends with a space; did you mean 'quality'?",
        ),
        (
            "{paths: a.jsonl}",
            "\n    paths:\n      - a:jsonl\n    format: a: b",
            "5: file: no YAML: mapping values are not allowed here; a value with ': ' in it must stand in quotes",
        ),
        (
            "quality: {",
            "name:http://x\nquality: {",
            "5: file: no YAML: could not find expected ':' (while scanning a simple key, which begins in line 4);"
            " a colon has a space behind it: name: http://x",
        ),
        (
            "mixture:",
            "---\nmixture:",
            "8: file: no YAML: a line of three dashes begins another document: a file holds one mixture",
        ),
        (
            "mixture:",
            "...\nmixture:",
            "9: file: no YAML: a line of three dots ends the document before this: a file holds one mixture",
        ),
        ("a.jsonl}", "array.jsonl}", f"2: sources.a.paths: array.jsonl: {LISTS}"),
        ("a.jsonl}", "lines.jsonl}", f"2: sources.a.paths: lines.jsonl: {NOT_READ.format('not_json')}"),
        ("a.jsonl}", "a.parquet, format: jsonl}", f"2: sources.a.paths: a.parquet: {NOT_READ.format('not_json')}"),
    ],
)
def test_one_mistake_is_one_line(tmp_path: Path, old: str, new: str, line: str) -> None:
    (tmp_path / "array.jsonl").write_text('["The mill turns."]\n["And turns."]\n')
    (tmp_path / "lines.jsonl").write_text("{text: The mill turns.}\n")
    pq.write_table(pa.table({"text": ["The mill turns."]}), tmp_path / "a.parquet")
    assert refused(tmp_path, mill(tmp_path, (old, new))) == [line]


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
