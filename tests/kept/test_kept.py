"""`kept`: every reason has a page that triggers it and a neighbour that passes; the report adds up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.quality_agreement import braced_formulas
from pipeline.store.storage import Store
from stages import kept, quality, schemas
from stages.rules import families
from tests.slow.rules import OTHER_MARKS

PASSES: dict[str, Any] = {
    "source": "web",
    "text_bytes": 6000,
    "language": "en",
    "confidence": 0.9,
    "match": None,
    "via": None,
    "similarity": None,
    "cluster_size": 1,
    "robots": None,
    "licence": None,
}
for _rule in kept.PUBLISHED.values():
    PASSES.setdefault(_rule.column, _rule.threshold)


def pages(*rows: dict[str, Any]) -> pa.Table:
    types = {
        "source": pa.string(),
        "language": pa.string(),
        "match": pa.string(),
        "via": pa.binary(16),
        "text_bytes": pa.int64(),
        "robots": pa.string(),
        "licence": pa.string(),
    }
    columns = {name: [(PASSES | row)[name] for row in rows] for name in PASSES | rows[0]}
    return pa.table({name: pa.array(values, types.get(name, pa.float64())) for name, values in columns.items()})


def decide(*rows: dict[str, Any], domains: list[kept.Domain] | None = None, **params: Any) -> list[dict[str, Any]]:
    given = {"families": tuple(name for name in families.RULES if name != "opencoder")} | params
    decided = kept.prepare(kept.Params(**given), domains or [])(pages(*rows))
    assert decided.schema == schemas.KEPT
    return decided.to_pylist()


def reasons(*rows: dict[str, Any], domains: list[kept.Domain] | None = None, **params: Any) -> list[str | None]:
    return [row["reason"] for row in decide(*rows, domains=domains, **params)]


FIXED_CASES = [
    ("empty_text", {"text_bytes": 0}, {"text_bytes": 1}, {}),
    ("language_not_selected", {"language": "de"}, {"language": "en"}, {"languages": ("en",)}),
    ("asked_not_to_be_used", {"robots": "noai,noindex"}, {"robots": "noindex"}, {"robots": {}}),
    ("asked_not_to_be_used", {"robots": "tdm-reservation"}, {"robots": "ccbot:noai"}, {"robots": {}}),
    ("asked_not_to_be_used", {"robots": "ccbot:noai"}, {"robots": "gptbot:noai"}, {"robots": {"agents": ("CCBot",)}}),
    ("asked_not_to_be_used", {"robots": "none"}, {"robots": "noai"}, {"robots": {"directives": ("none",)}}),
    (
        "licence_not_wanted",
        {"licence": "https://creativecommons.org/licenses/by-nc/4.0/"},
        {"licence": "http://creativecommons.org/licenses/by/3.0/de/"},
        {"licences": {"drop": ("by-nc", "by-nc-sa")}},
    ),
    ("licence_not_wanted", {"licence": "proprietary"}, {"licence": "MIT"}, {"licences": {"keep": ("mit", "zero")}}),
    ("licence_not_wanted", {}, {"licence": "MIT"}, {"licences": {"keep": ("mit",), "missing": "drop"}}),
    ("low_language_confidence", {"confidence": 0.49}, {"confidence": 0.5}, {"min_confidence": 0.5}),
    ("low_language_confidence", {"confidence": 0.69}, {"confidence": 0.7}, {"min_confidences": {"en": 0.7}}),
    ("exact_duplicate", {"match": "exact", "similarity": 1.0}, {}, {}),
    ("near_duplicate", {"match": "fuzzy", "similarity": 0.8}, {"cluster_size": 7}, {}),
    (
        "near_duplicate",
        {"match": "fuzzy", "similarity": 0.9},
        {"match": "fuzzy", "similarity": 0.89},
        {"rules": {"near_duplicate": 0.9}},
    ),
    # of two copies of a page that near_duplicate does not drop, one goes; with it they all do
    (
        "exact_duplicate",
        {"match": "exact", "similarity": 0.85, "via": b"x" * 16},
        {},
        {"rules": {"near_duplicate": 0.9}},
    ),
    (
        "near_duplicate",
        {"match": "exact", "similarity": 0.9, "via": b"x" * 16},
        {"match": "exact", "similarity": 1.0},
        {"rules": {"exact_duplicate": False}},
    ),
    ("same_address", {"match": "url"}, {}, {}),
]


@pytest.mark.parametrize(("reason", "fails", "passes", "params"), FIXED_CASES)
def test_each_fixed_reason_has_its_page_and_its_neighbour(
    reason: str, fails: dict[str, Any], passes: dict[str, Any], params: dict[str, Any]
) -> None:
    assert reasons(fails, passes, **params) == [reason, None]


@pytest.mark.parametrize("name", kept.PUBLISHED)
def test_each_published_rule_fails_beyond_its_threshold_and_keeps_at_it(name: str) -> None:
    rule = kept.PUBLISHED[name]
    beyond = rule.threshold - 1e-9 if rule.side == "min" else rule.threshold + 1e-9
    alone = {other: False for other in kept.PUBLISHED if other != name}
    rows = [{rule.column: beyond}, {rule.column: rule.threshold}, {rule.column: None}]
    assert reasons(*rows, rules=alone | {name: True}) == [name, None, None]
    assert reasons(*rows, rules=alone | {name: False}) == [None, None, None]


def test_a_limit_on_any_column_is_a_rule_of_the_users_own() -> None:
    rules = {"below_min_redpajama_digit_fraction": 0.1, "above_max_redpajama_digit_fraction": 0.2}
    rows = [{"redpajama_digit_fraction": value} for value in (0.09, 0.1, 0.2, 0.21, None)]
    names = ["below_min_redpajama_digit_fraction", None, None, "above_max_redpajama_digit_fraction", None]
    assert reasons(*rows, families=(), rules=rules) == names
    assert kept.quality_columns(kept.Params(families=(), rules=rules), []) == ["redpajama_digit_fraction"]
    with pytest.raises(ValueError, match="expected a number or false"):
        kept.Params(rules={"below_min_x": True})


def view_of(
    spans: dict[str, list[list[dict[str, Any]] | None]], text_bytes: int, **params: Any
) -> list[dict[str, Any]]:
    table = pages(*({"text_bytes": text_bytes} for _ in next(iter(spans.values()))))
    for name, lists in spans.items():
        table = table.append_column(name, pa.array(lists))
    return kept.prepare(kept.Params(families=(), **params), [])(table).to_pylist()


def test_a_page_of_which_the_views_leave_nothing_is_dropped() -> None:
    def cut(start: int, stop: int) -> dict[str, Any]:
        return {"start": start, "stop": stop, "replacement": ""}

    rows = view_of({"c4_cleaned_spans": [[cut(0, 9)], [cut(0, 8)], []]}, 9, views=("c4_cleaned",))
    assert [(row["reason"], row["spans"]) for row in rows] == [
        ("nothing_left", None),
        (None, [cut(0, 8)]),
        (None, None),
    ]


def test_spans_of_several_views_become_one_list() -> None:
    private = [[{"start": 2, "stop": 5, "kind": "email"}, {"start": 20, "stop": 25, "kind": "ip"}]]
    cut = [[{"start": 0, "stop": 10, "replacement": "\n"}, {"start": 24, "stop": 30, "replacement": ""}]]
    spans = {"privacy_spans": private, "c4_cleaned_spans": cut}
    (row,) = view_of(spans, 40, views=("c4_cleaned", "redacted"), redaction={"ip": "X"})
    assert [tuple(span.values()) for span in row["spans"]] == [(0, 10, "\n"), (20, 30, "X")]


def test_every_reason_is_covered_here() -> None:
    assert {case[0] for case in FIXED_CASES} | set(kept.PUBLISHED) | {"no_domain", "nothing_left"} == set(kept.ORDER)


def test_a_page_without_domain_is_dropped_and_the_first_domain_wins() -> None:
    domains = [
        kept.Domain(name="long", min={"text_bytes": 5000}, sources=("web",)),
        kept.Domain(name="english", languages=("en",), max={"text_bytes": 9000}),
    ]
    rows = decide({}, {"text_bytes": 10}, {"language": "de", "text_bytes": 10}, {"source": "b"}, domains=domains)
    assert [(row["domain"], row["reason"]) for row in rows] == [
        ("long", None),
        ("english", None),
        (None, "no_domain"),
        ("english", None),
    ]


def test_the_first_reason_is_named_and_all_are_listed() -> None:
    params = kept.Params(languages=("en",), families=("gopher_quality",))
    assert kept.active_rules(params).index("language_not_selected") < kept.active_rules(params).index("too_few_words")
    (row,) = decide({"language": "de", "gopher_num_words": 3}, languages=("en",), families=("gopher_quality",))
    assert row["reason"] == "language_not_selected"
    assert row["failed"] == ["language_not_selected", "too_few_words"]


def test_overrides_apply_where_they_match_and_the_last_wins() -> None:
    domains = [kept.Domain(name="code", sources=("code",)), kept.Domain(name="rest")]
    overrides = (
        kept.Override(languages=("zh",), rules={"too_few_words": 10}),
        kept.Override(domains=("code",), rules={"too_few_words": False}),
        kept.Override(sources=("strict",), languages=("zh",), rules={"too_few_words": 40}),
    )
    few = {"gopher_num_words": 20}
    rows = [few, few | {"language": "zh"}, few | {"source": "code"}, few | {"source": "strict", "language": "zh"}]
    assert reasons(*rows, overrides=overrides, domains=domains) == ["too_few_words", None, None, "too_few_words"]


def test_a_least_confidence_of_nothing_lets_every_label_pass() -> None:
    free = {"low_language_confidence": 0}
    declared: dict[str, Any] = {"min_confidence": 0.65, "min_confidences": {"de": 0.9}}
    rows = [{"confidence": 0.1}, {"confidence": 0.1, "source": "free"}, {"confidence": 0.7, "language": "de"}]
    low = "low_language_confidence"
    assert reasons(*rows, **declared) == [low, low, low]
    assert reasons(*rows, **declared, overrides=(kept.Override(sources=("free",), rules=free),)) == [low, None, low]
    assert reasons(*rows, **declared, rules=free) == [None, None, None]
    half = (kept.Override(languages=("de",), rules={low: 0.5}),)
    assert reasons(*rows, **declared, overrides=half) == [low, low, None]


def test_a_rule_turned_on_by_an_override_alone_is_active() -> None:
    params = kept.Params(families=(), overrides=(kept.Override(sources=("web",), rules={"too_few_words": True}),))
    assert "too_few_words" in kept.active_rules(params)
    assert kept.quality_columns(params, []) == ["gopher_num_words"]


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="'too_few_words'"):
        kept.Params(rules={"too_few_word": 1})
    with pytest.raises(ValueError, match="unknown language 'qq'"):
        kept.Params(languages=("qq",))
    with pytest.raises(ValueError, match="always on"):
        kept.Params(rules={"no_domain": False})
    with pytest.raises(ValueError, match="gopher_quality"):
        kept.Params(families=("gopher",))


def write_split(store: Store, texts: list[str], clusters: bool) -> dict[str, Any]:
    batch = pa.RecordBatch.from_arrays([pa.array(texts, pa.large_string())], ["text"])
    store.write_table("q.parquet", pa.Table.from_batches([quality.prepare(quality.Params())(batch)]))
    sizes = pa.array([len(text.encode()) for text in texts], pa.int64())
    store.write_table("d.parquet", pa.table({"source": ["web"] * len(texts), "text_bytes": sizes, "text": texts}))
    language = [pa.array([value] * len(texts)) for value in ("en", "Latn")]
    confidence = pa.array([0.8] * len(texts), pa.float32())
    store.write_table("l.parquet", pa.Table.from_arrays([*language, confidence], schema=schemas.LANGUAGE))
    if clusters:
        alone = [None, 1, None, None, None, None]
        rows = [dict(zip(schemas.CLUSTERS.names, alone, strict=True)) for _ in texts]
        rows[0] |= {"survivor": b"x" * 16, "cluster": b"x" * 16, "match": "exact", "similarity": 1.0, "cluster_size": 2}
        store.write_table("c.parquet", pa.Table.from_pylist(rows, schema=schemas.CLUSTERS))
    return {
        "documents": "d.parquet",
        "language": "l.parquet",
        "quality": "q.parquet",
        **({"clusters": "c.parquet"} if clusters else {}),
    }


GOOD = "The people of the village have to be with that mill and its river. " * 20


def keep(store: Store, files: dict[str, Any], output: str, **params: Any) -> dict[str, Any]:
    params = {"families": ["gopher_quality"]} | params
    kept.keep(store, files=files, output=output, params=params, domains=[{"name": "all"}])
    return store.metadata(output)


@pytest.mark.parametrize(
    ("text", "spans", "reason"),
    [
        ("one\n\ntwo\n", [(0, 4), (5, 9)], "nothing_left"),
        ("\n\u3000one\n\ntwo \t\n", [(4, 8), (9, 13)], "nothing_left"),
        ("one\n\ntwo\n", [(0, 3), (5, 7)], None),
        ("one\n.\ntwo\n", [(0, 4), (6, 10)], None),
        ("one\n\n", [(0, 1), (2, 5)], None),
        ("one\n\ntwo\n", [], None),
    ],
)
def test_a_page_of_which_the_views_leave_white_space_alone_is_dropped(
    store: Store, text: str, spans: list[tuple[int, int]], reason: str | None
) -> None:
    files = write_split(store, ["a neighbour that stays", text, "another"], clusters=False)
    cut = [{"start": start, "stop": stop, "replacement": ""} for start, stop in spans]
    column = pa.array([[], cut, []], pa.list_(schemas.SPAN))
    store.write_table("v.parquet", pa.table({"c4_cleaned_spans": column}))
    keep(store, files | {"views": "v.parquet"}, "k.parquet", families=[], views=["c4_cleaned"])
    decided = store.read_table("k.parquet").to_pylist()
    assert [row["reason"] for row in decided] == [None, reason, None]
    assert [bool(row["spans"]) for row in decided] == [False, bool(spans) and reason is None, False]


def test_the_report_adds_up(store: Store) -> None:
    report = keep(store, write_split(store, [GOOD, GOOD, "short", "", GOOD], clusters=True), "k.parquet")
    assert (report["rows"], report["kept"]) == (5, 2)
    assert sum(group["documents"] for group in report["groups"]) == report["rows"]
    assert sum(group["documents"] for group in report["groups"] if group["reason"] is None) == report["kept"]
    assert report["failed"]["exact_duplicate"]["alone"] == report["failed"]["exact_duplicate"]["documents"] == 1
    assert report["failed"]["too_few_words"]["documents"] == 2
    assert report["failed"]["too_few_words"]["first"] == 1
    assert sum(rule["first"] for rule in report["failed"].values()) == report["rows"] - report["kept"]
    table = store.read_table("k.parquet")
    assert table.column("keep").to_pylist() == [False, True, False, False, True]


def test_the_selection_digest_follows_the_selection_alone(store: Store) -> None:
    files = write_split(store, [GOOD, "one two " * 30, "short"], clusters=False)
    base = keep(store, files, "k1.parquet")
    other_reason = keep(store, files, "k2.parquet", rules={"words_too_short": 3.1})
    more = keep(store, files, "k3.parquet", rules={"too_few_stop_words": False, "too_few_words": False})
    assert base["selection_digest"] == other_reason["selection_digest"] != more["selection_digest"]


def test_files_of_unequal_rows_are_refused(store: Store) -> None:
    files = write_split(store, [GOOD, GOOD], clusters=False)
    store.write_table("l.parquet", store.read_table("l.parquet").slice(0, 1))
    with pytest.raises(ValueError, match="expected 2 rows"):
        keep(store, files, "k.parquet")


# Family of ours -> (the reference's decision, rules to leave out).
REFERENCE = {
    "gopher_quality": ("gq_keep_ws", ()),
    "gopher_repetition": ("gr_keep_ws", ()),
    "c4": ("c4_keep_ws", ()),
    "c4_strict": ("c4t_keep_ws", ()),
    "fineweb": ("fw_keep_ws", ()),
    "gopher_quality without stop words": ("gq_nostop_keep_ws", ("too_few_stop_words",)),
}


@pytest.mark.slow
def test_decisions_agree_with_the_reference(shared: Path) -> None:
    table = pq.read_table(shared / "reference" / "quality" / "dev.parquet")
    text = table.column("text").cast(pa.large_string()).combine_chunks()
    written = quality.prepare(quality.Params())(pa.RecordBatch.from_arrays([text], ["text"]))
    measured = quality.prepare(quality.Params(unit="white_space"))(pa.RecordBatch.from_arrays([text], ["text"]))
    english = table.column("lang").to_numpy() == "en"
    words = [name for name in written.schema.names if name.startswith(("gopher", "repetition", "fineweb", "c4"))]
    strict = [name for name in words if name.startswith("c4_strict")]
    ascii_marks = ~np.array([any(mark in one for mark in OTHER_MARKS + "」』") for one in text.to_pylist()])
    for names, rows_of in (([n for n in words if n not in strict], english), (strict, english & ascii_marks)):
        ours, theirs = (one.select(names).filter(pa.array(rows_of)) for one in (written, measured))
        assert ours.equals(theirs)
    # the reference asks of every page what is asked of English ones here
    rows = pa.table({"source": ["web"] * len(text), "language": ["en"] * len(text), "text_bytes": table["n_bytes"]})
    rows = rows.append_column("confidence", table.column("lang_score"))
    for name in measured.schema.names:
        rows = rows.append_column(name, measured.column(name))
    for label, (column, without) in REFERENCE.items():
        params = kept.Params(families=(label.split()[0],), rules=dict.fromkeys(without, False))
        decided = kept.prepare(params, [])(rows).column("keep").to_numpy()
        equal = decided == table.column(column).to_numpy()
        if label.startswith("c4"):
            equal |= braced_formulas(text)  # by choice: braces of a formula are no sign of code
        assert equal.mean() >= 0.999, (label, equal.mean())


def test_the_report_counts_what_views_cut_and_what_was_redacted_in_kept_pages() -> None:
    texts = ["write to a@b.org or to c@d.org, or ask 8.8.8.8", "nothing here", "e@f.org is dropped"]
    batch = pa.RecordBatch.from_arrays([pa.array(texts, pa.large_string())], ["text"])
    measured = pa.Table.from_batches([quality.prepare(quality.Params(families=("privacy",)))(batch)])
    table = pages(*({"text_bytes": len(text), "language": "en"} for text in texts))
    table = table.set_column(table.column_names.index("language"), "language", pa.array(["en", "en", "de"]))
    table = table.drop_columns([name for name in measured.column_names if name in table.column_names])
    for name in measured.column_names:
        table = table.append_column(name, measured.column(name))
    params = kept.Params(families=(), languages=("en",), views=("redacted",))
    decided = kept.prepare(params, [])(table)
    [spans, none, dropped] = decided.column("spans").to_pylist()
    assert [span["replacement"] for span in spans] == ["email@example.com", "email@example.com", "192.0.2.1"]
    assert (none, dropped) == (None, None)
    belongs = kept.decide.domains_of(table, [])
    report = kept.account(table, decided, kept.active_rules(params), belongs, {"redacted": "privacy_spans"})
    assert report["views"] == {"redacted": {"documents": 1, "spans": 3, "bytes": 21, "kinds": {"email": 2, "ip": 1}}}


@pytest.mark.parametrize(
    ("column", "rule", "limit", "beyond"),
    [
        ("repeats_spare_fraction", "mostly_repeats", 0.8, 0.81),
        ("frequent_lines_fraction", "too_many_frequent_lines", 0.3, 0.31),
        ("contamination_score", "contaminated", 0.6, 0.61),
        ("t_confidence", "below_min_t_confidence", 0.9, 0.89),
        ("other_language_fraction", "above_max_other_language_fraction", 0.1, 0.11),
    ],
)
def test_a_limit_written_like_a_value_of_a_column_of_less_precision_is_equal_to_it(
    column: str, rule: str, limit: float, beyond: float
) -> None:
    families = ("repeats", "recurring_lines", "contamination")
    params = kept.Params(families=families, rules={rule: limit})
    table = pages({}, {})
    for name in kept.quality_columns(params, []):
        values = [limit, beyond] if name == column else [None, None]
        table = table.drop_columns([name] if name in table.column_names else [])
        table = table.append_column(name, pa.array(values, pa.float32()))
    assert kept.prepare(params, [])(table).column("reason").to_pylist() == [None, rule]


def test_a_domain_takes_pages_at_its_limits_whatever_the_precision_of_the_column() -> None:
    table = pages(*({} for _ in range(4))).drop_columns(["confidence"])
    table = table.append_column("confidence", pa.array([0.65, 0.6499, 0.8, 0.8001], pa.float32()))
    domains = [kept.Domain(name="between", min={"confidence": 0.65}, max={"confidence": 0.8}), kept.Domain(name="rest")]
    decided = kept.prepare(kept.Params(families=()), domains)(table).column("domain").to_pylist()
    assert decided == ["between", "rest", "between", "rest"]
