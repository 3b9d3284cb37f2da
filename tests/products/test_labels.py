"""`labels`: models, functions and columns of the input label pages; domains, rules, report and `find` know them."""

from __future__ import annotations

import json
from pathlib import Path

import fasttext
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import recipe as recipes
from pipeline.answers import stats
from pipeline.answers.verify import verify_root
from pipeline.answers.why import lives
from pipeline.recipe.snapshot import load
from pipeline.recipe.yaml_file import ConfigError
from pipeline.store.storage import Store
from stages import labels, language
from stages.report import crossed
from stages.report.page import build_tables
from stages.rules import classifier_training, text_models
from stages.rules.classifier_training import Labelled
from tests.support.corpora import documented, write_corpus, write_mixture
from tests.support.runs import gristmill, made, run_inline

TOPICS = {"web & net": ("http", "smtplib", "socket", "urllib", "email", "mailbox"), "data": ("csv", "json", "sqlite3")}


def topic_of(name: str) -> str:
    return next((topic for topic, modules in TOPICS.items() if name.partition(".")[0] in modules), "other")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Topics of the standard library's documentation, by module."""
    path = str(tmp_path_factory.mktemp("model") / "topic.bin")
    texts = [Labelled(topic_of(name), text) for name, text in documented()]
    classifier_training.train(
        texts, path, classifier_training.Training(dimensions=8, buckets=5000, epochs=50, learning_rate=1)
    )
    return path


def by_length(texts: pa.LargeStringArray, *, long: int = 2000) -> tuple[list[str | None], list[float]]:
    """A labeller for the tests."""
    sizes = [len(text.as_py()) for text in texts]
    return [("long" if size > long else "short") if size else None for size in sizes], [0.75] * len(sizes)


def matrix(texts: pa.LargeStringArray) -> np.ndarray:
    found = np.array([[len(text.as_py()), 100.0] for text in texts]).reshape(-1, 2)
    return found / found.sum(axis=1, keepdims=True)


def too_few(texts: pa.LargeStringArray) -> list[str]:
    return ["a"] * (len(texts) - 1)


def raising(texts: pa.LargeStringArray) -> list[str]:
    raise KeyError("oh")


def batch(texts: list[str], **more: list[str | None]) -> pa.RecordBatch:
    columns = {"text": pa.array(texts, pa.large_string()), **{k: pa.array(v, pa.string()) for k, v in more.items()}}
    return pa.RecordBatch.from_pydict(columns)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.999, -1])
def test_a_model_that_is_cut_off_is_refused_before_it_is_loaded(model: str, tmp_path: Path, kept: float) -> None:
    whole = Path(model).read_bytes()
    path = tmp_path / "cut.bin"
    path.write_bytes(whole[: int(kept * len(whole)) if kept > 0 else -1])
    labeller = labels.Labeller(model=str(path))
    with pytest.raises(ValueError, match=r"cut\.bin: .*cut off"):
        labels.check(labeller)
    with pytest.raises(ValueError, match=r"cut\.bin: .*cut off"):
        labels.prepare(labels.Params(labellers={"topic": labeller}))


def test_a_quantised_model_that_is_cut_off_is_refused_and_ends_no_process(tmp_path: Path) -> None:
    path = tmp_path / "cut.ftz"
    path.write_bytes(language.MODELS["lid.176"].read_bytes()[:700_000])
    with pytest.raises(ValueError, match=r"it ends at byte 700000, .*cut off"):
        labels.prepare(labels.Params(labellers={"topic": labels.Labeller(model=str(path))}))


GIVEN: dict[str, object] = {
    "logits": np.array([[5.0, -2.0]] * 3),
    "sure": (["a", "b", "c"], [0.5, 1.5, 0.5]),
    "endless": (["a", "b", "c"], [0.5, float("inf"), 0.5]),
    "numbers": [1, 2, 3],
    "nothing": None,
    "text": "abc",
    "words": (["a", "b", "c"], ["0.5", "x", "0.5"]),
    "rounded": (["a", "b", None], np.array([1.0039062, -0.001, np.nan])),
    "generator": ("abc"[k] for k in range(3)),
}


def given_by(texts: pa.LargeStringArray, *, name: str) -> object:
    return GIVEN[name]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("logits", "labeller x: expected probabilities of 0 to 1, found 5"),
        ("sure", "labeller x: expected probabilities of 0 to 1, found 1.5"),
        ("endless", "labeller x: expected probabilities of 0 to 1, found inf"),
        ("numbers", "labeller x: expected labels, one a text, or "),
        ("nothing", "labeller x: expected labels, one a text, or "),
        ("text", "labeller x: expected labels, one a text, or .*: a text"),
        ("words", "labeller x: expected labels, one a text, or .*could not convert"),
    ],
)
def test_what_is_no_label_or_no_probability_names_its_labeller(name: str, message: str) -> None:
    own = labels.Labeller(
        function="tests.products.test_labels:given_by",
        params={"name": name},
        labels=("p", "q") if name == "logits" else (),
    )
    with pytest.raises(ValueError, match=message):
        labels.prepare(labels.Params(labellers={"x": own}))(batch(["1", "2", "3"]))


@pytest.mark.parametrize(("name", "found"), [("rounded", ["a", "b", None]), ("generator", ["a", "b", "c"])])
def test_labels_of_any_kind_of_sequence_are_taken(name: str, found: list[str | None]) -> None:
    own = labels.Labeller(function="tests.products.test_labels:given_by", params={"name": name})
    table = labels.prepare(labels.Params(labellers={"x": own}))(batch(["1", "2", "3"]))
    assert table["x_label"].to_pylist() == found


def test_a_model_gives_what_fasttext_gives(model: str) -> None:
    known = text_models.model_labels(model)
    assert known == ("data", "other", "web_&_net") == tuple(sorted(x[9:] for x in fasttext.load_model(model).labels))
    texts = [text for _, text in documented()[:40]] + ["", "\n \n", "zzz☃", "line\nend"]
    params = labels.Params(labellers={"topic": {"model": model, "probabilities": True, "max_bytes": 0}})  # type: ignore[dict-item]
    table = labels.prepare(params)(batch(texts)).to_pylist()
    predict = text_models.load_model(Path(model))
    for row, text in zip(table, texts, strict=True):
        if not text.strip():
            assert row["topic_label"] is None
            assert row["topic_confidence"] == 0
            continue
        pieces = text_models.spread_pieces(np.frombuffer(text.encode(), np.uint8), 0, len(text.encode()), 1 << 30, 8)
        assert b"".join(pieces).decode() == text  # 0 reads all of it
        found = {name[9:]: value for value, name in predict(text.replace("\n", " ").encode() + b"\n", 9, 0.0, "strict")}
        best = max(found, key=lambda name: found[name])
        assert row["topic_label"] == best
        assert row["topic_confidence"] == pytest.approx(min(found[best], 1), abs=1e-6)
        for name in known:
            assert row[f"topic_probability_{name}"] == pytest.approx(min(found[name], 1), abs=1e-6)
    plain = labels.Params(labellers={"topic": {"model": model}})  # type: ignore[dict-item]
    assert labels.prepare(plain)(batch([])).schema.names == ["topic_label", "topic_confidence"]
    assert "model_sha256" in labels.identity(plain)["topic"]


def test_functions_and_columns_label_too() -> None:
    here = "tests.products.test_labels"
    given = {
        "a": {"function": f"{here}:by_length", "params": {"long": 3}},
        "b": {"function": f"{here}:matrix", "labels": ["chars", "hundred"], "probabilities": True},
        "c": {"column": "register"},
        "d": {"column": "absent"},
    }
    params = labels.Params(labellers=given)  # type: ignore[arg-type]
    found = labels.prepare(params)(batch(["abc", "abcd" * 100, ""], input_register=["law", None, "news"])).to_pylist()
    assert [row["a_label"] for row in found] == ["short", "long", None]
    assert [row["b_label"] for row in found] == ["hundred", "chars", "hundred"]
    assert found[1]["b_probability_chars"] == pytest.approx(0.8) == found[1]["b_confidence"]
    assert [row["c_label"] for row in found] == ["law", None, "news"]
    assert [row["d_label"] for row in found] == [None] * 3
    assert labels.prepare(params)(batch([])).schema == labels.schema(params)
    wrong = labels.Params(labellers={"x": {"function": f"{here}:too_few"}})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="labeller x: expected 2 labels, one a text, found 1"):
        labels.prepare(wrong)(batch(["a", "b"]))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("too_few", "labeller x: expected 10 labels, one a text, found 9"),
        ("raising", "called on ten texts, tests.products.test_labels:raising raised KeyError: 'oh'"),
    ],
)
def test_functions_are_called_on_ten_texts_before_a_run(tmp_path: Path, function: str, message: str) -> None:
    mixture = write_mixture(tmp_path / "a.yaml", write_corpus(tmp_path / "in", files=1))
    text = f'labels: {{labellers: {{x: {{function: "tests.products.test_labels:{function}"}}}}}}\n'
    mixture.write_text(mixture.read_text() + text)
    with pytest.raises(ConfigError) as caught:
        recipes.load(mixture, Store(str(tmp_path / "root")), look=True)
    [problem] = caught.value.problems
    assert (problem.key, problem.message) == ("labels.labellers.x.function", message)


def test_fifths_are_of_all_kept_pages() -> None:
    names = ["a"] * 50 + ["b"] * 50
    pages = pa.table({"t_label": names, "q_score": np.arange(100) / 100})
    [topic, other] = crossed.rows(crossed.count(pages, np.ones(100, np.bool_)))
    assert topic["fifths"] == pytest.approx([20, 20, 10, 0, 0], abs=1.1)
    assert other["fifths"] == pytest.approx([0, 0, 10, 20, 20], abs=1.1)
    halves: crossed.Crossed = {}
    for part in (pages.slice(60), pages.slice(0, 60)):
        crossed.add(halves, crossed.count(part, np.ones(part.num_rows, np.bool_)))
    assert crossed.rows(halves) == crossed.rows(crossed.count(pages, np.ones(100, np.bool_)))


MIXTURE = """
labels:
  labellers:
    topic: {{model: {model}}}
    size: {{function: "tests.products.test_labels:by_length"}}
    section: {{column: part}}
quality:
  families: [gopher_quality]
  classifiers: {{good: {{model: {model}, label: __label__data}}}}
tokens: {{scores: [good_score, section_label, topic_label]}}
"""


def labelled_mixture(tmp_path: Path, model: str) -> Path:
    """Domains, an override and a choice of `kept` by labels over the small corpus, whose code carries a column."""
    folder = write_corpus(tmp_path / "in", files=2)
    rows = [json.loads(line) for line in (folder / "code" / "code.jsonl").read_text().splitlines()]
    for row in rows:
        row["meta"] = {"part": row["id"][0]} if row["id"] > "d" else {}
    (folder / "code" / "code.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    mixture = write_mixture(tmp_path / "a.yaml", folder)
    text = mixture.read_text()
    for old, new in (
        (f'"{folder}/code/*.jsonl"', f'"{folder}/code/*.jsonl"\n    carry: {{part: meta.part}}'),
        ("domains:\n  docs:", 'domains:\n  net: {sources: [web], labels: {topic: ["web_&_net"]}}\n  docs:'),
        ("domains:\n    docs:", "domains:\n    net: {share: 0.1}\n    docs:"),
        ("0.7}", "0.6}"),
        (
            "kept:\n  families",
            "kept:\n  labels: {section: {drop: [s, t]}}\n"
            "  overrides: [{labels: {size: [long], topic: [other]}, rules: {below_min_topic_confidence: 0.9}}]\n"
            "  families",
        ),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    mixture.write_text(text + MIXTURE.format(model=model))
    return mixture


def test_labels_decide_and_are_shown_everywhere(tmp_path: Path, model: str) -> None:
    mixture, root = labelled_mixture(tmp_path, model), tmp_path / "root"
    assert made(run_inline(mixture, root))["labels"] == 3
    store, snapshot = Store(str(root)), load(Store(str(root)))
    pages = []
    for documents, own, kept in zip(*(snapshot.product(p) for p in ("documents", "labels", "kept")), strict=True):
        tables = [store.read_table(entry.address) for entry in (documents, own, kept)]
        pages += [
            {k: v for row in rows for k, v in row.items()}
            for rows in zip(
                *(
                    table.drop_columns([n for n in ("spans",) if n in table.column_names]).to_pylist()
                    for table in tables
                ),
                strict=True,
            )
        ]
    seen = set()
    for page in pages:
        unsure = page["topic_label"] == "other" and page["size_label"] == "long" and page["topic_confidence"] < 0.9
        if page["source"] == "code":
            assert page["section_label"] == (page["record_id"][0] if page["record_id"] > "d" else None)
        if page["reason"] == "below_min_topic_confidence":
            assert unsure
        if page["keep"]:
            assert not unsure
            assert page["section_label"] not in ("s", "t")
            assert page["domain"] == "code" or (page["domain"] == "net") == (page["topic_label"] == "web_&_net")
        seen |= {page["reason"], page["domain"]}
    assert {"unwanted_section", "below_min_topic_confidence", "net", "docs", "code"} <= seen
    figures = stats.stats_of(snapshot)
    names = {table.name: table for table in build_tables(figures)}
    table = names["topic_label_by_good_score"].records()
    assert {row["label"]: row["pages"] for row in table} == {
        topic or "(none)": sum(page["topic_label"] == topic for page in pages)
        for topic in {page["topic_label"] for page in pages}
    }
    assert sum(row["kept"] for row in table) == sum(page["keep"] for page in pages)
    assert "by_section_label" in names
    [dropped, *_] = [page for page in pages if page["reason"] == "unwanted_section"]
    [life] = lives(snapshot, dropped["url"])
    assert {"rule": "unwanted_section", "column": "section_label", "value": dropped["section_label"]}.items() <= (
        life["decision"]["failed"][0].items()
    )
    docs = [pq.read_table(file) for file in sorted(root.rglob("corpus/**/*.parquet"))]
    assert {"section_label", "topic_label", "good_score"} <= set(docs[0].column_names)
    by_url = {page["url"]: page for page in pages}
    for row in (row for doc in docs for row in doc.to_pylist()):
        assert row["topic_label"] == by_url[row["url"]]["topic_label"]
    verify_root(store, None)
    result = gristmill("find", "the", "--root", root, "--label", "topic=web_&_net", "--limit", 0, "--json")
    hits = [json.loads(line) for line in result.stdout.splitlines()]
    wanted = [page for page in pages if page["topic_label"] == "web_&_net" and "the" in page["text"]]
    assert len(hits) == len(wanted) > 0
    assert {hit["labels"]["topic_label"] for hit in hits} == {"web_&_net"}
    result = gristmill("find", "the", "--root", root, "--label", "tpic=x")
    assert (result.returncode, result.stderr) == (2, "gristmill: no labeller 'tpic'; there is section, size, topic\n")


def test_another_labeller_redoes_labels_and_what_decides_by_them(tmp_path: Path, model: str) -> None:
    mixture, root = labelled_mixture(tmp_path, model), tmp_path / "root"
    run_inline(mixture, root)
    assert made(run_inline(mixture, root)) == {}
    mixture.write_text(mixture.read_text().replace('by_length"}', 'by_length", params: {long: 3000}}'))
    again = made(run_inline(mixture, root))
    assert (again["labels"], again["kept"]) == (3, 3)
    assert not {"documents", "language", "quality", "signatures"} & set(again)


def test_what_was_decided_without_labels_stays_decided() -> None:
    from stages import kept

    assert "labels" not in kept.Domain(name="a").model_dump(mode="json")
    assert "labels" not in kept.Params().model_dump(mode="json")
    assert "labels" not in kept.Override(rules={}).model_dump(mode="json")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('topic: ["web_&_net"]', 'topic: ["web_and"]', "domains.net.labels.topic[0]: labeller 'topic' has no label"),
        ('topic: ["web_&_net"]', 'topic: ["sports"]', "known: data, other, web_&_net"),
        ('topic: ["web_&_net"]', "topc: [data]", "no such labeller 'topc'; did you mean 'topic'?"),
        ('topic: ["web_&_net"]', "topic: []", "topic: expected at least one label, found none"),
        ("{drop: [s, t]}", "{drop: [s], keep: [t]}", "expected labels to `keep` or labels to `drop`, one of the two"),
        ("{column: part}", "{column: prat}", "no source carries a column 'prat'; did you mean 'part'?"),
        ("{column: part}", "{column: part, model: x.bin}", "expected one of `model`, `function` and `column`"),
        ("{column: part}", "{}", "expected one of `model`, `function` and `column`, found none"),
        ("by_length", "by_lenght", "no attribute 'by_lenght'"),
        ("section: {column", "se-ction: {column", "letters, digits and _ in the name of a labeller, found 'se-ction'"),
        ("part: meta.part", "p-art: meta.part", "letters, digits and _ in a name, found 'p-art'"),
        ("scores: [good_score,", "scores: [good_scroe,", "no column 'good_scroe' is measured; did you mean 'good_sc"),
        ("overrides: [{labels: {size: [long]", "overrides: [{labels: {sise: [long]", "no such labeller 'sise'"),
    ],
)
def test_mistakes_are_reported_in_a_line_with_their_key(
    tmp_path: Path, model: str, old: str, new: str, message: str
) -> None:
    mixture = labelled_mixture(tmp_path, model)
    text = mixture.read_text()
    assert old in text
    mixture.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        recipes.load(mixture, Store(str(tmp_path / "root")))
    assert any(message in f"{problem.key}: {problem.message}" for problem in caught.value.problems), (
        caught.value.problems
    )
    assert all(problem.line for problem in caught.value.problems)
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(
    "content", [b"no model", b"\xba\x16\x4f\x2f\x0c\0\0\0" + bytes(28) + b"\x03\0\0\0" + bytes(60)]
)
def test_a_file_that_is_no_model_is_reported(tmp_path: Path, model: str, content: bytes) -> None:
    mixture = labelled_mixture(tmp_path, model)
    (tmp_path / "bad.bin").write_bytes(content)
    mixture.write_text(mixture.read_text().replace(f"topic: {{model: {model}", "topic: {model: bad.bin"))
    with pytest.raises(ConfigError, match=r"labels\.labellers\.topic\.model: expected a supervised fastText model"):
        recipes.load(mixture, Store(str(tmp_path / "root")))


def test_sources_may_label_in_their_own_way(tmp_path: Path, model: str) -> None:
    mixture = labelled_mixture(tmp_path, model)
    own = "carry: {part: meta.part}\n    labels: {labellers: {topic: {model: null, column: part, labels: [a, b]}}}"
    text = mixture.read_text()
    mixture.write_text(text.replace("carry: {part: meta.part}", own).replace('["web_&_net"]', '["web_&_net", a]'))
    recipe = recipes.load(mixture, Store(str(tmp_path / "root")))
    assert recipe.fingerprint("labels", "web") != recipe.fingerprint("labels", "code")
    mixture.write_text(text.replace("carry: {part: meta.part}", own.replace("topic:", "extra:")))
    with pytest.raises(ConfigError, match=r"code\.labels\.labellers\.extra: expected a labeller of the section"):
        recipes.load(mixture, Store(str(tmp_path / "root")))
