"""Wrong mixture files on the command line: all mistakes of one file at once, each with its place."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.wrong_mixtures import MIXTURE, mill, refused


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
        ("share: 1", "share: 1.2.3%", "9: mixture.domains.d.share: expected a number, found '1.2.3%'"),
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
