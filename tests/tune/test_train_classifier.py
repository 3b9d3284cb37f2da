"""`train-classifier` and `train-quality`: texts from roots and labelled files; the same model every time."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import recipe as recipes
from pipeline.errors import UserError
from pipeline.recipe.yaml_file import ConfigError
from pipeline.store.storage import Store
from pipeline.tune import train_classifier
from stages.rules import classifier_training
from tests.rules.test_classifiers import BAD, GOOD, SMALL
from tests.rules.test_classifiers import texts as words_of
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import gristmill, made, run_inline

SETTINGS = SMALL.model_dump()


def texts_of(words: str, seed: int) -> list[str]:
    return words_of(words, seed)[:20]


def texts(
    positives: tuple[str, ...] = (), negatives: tuple[str, ...] = (), labelled: tuple[str, ...] = ()
) -> train_classifier.Texts:
    places = [*(("positive", place) for place in positives), *(("negative", place) for place in negatives)]
    return train_classifier.Texts(
        tuple(places), labelled, "text", "label", None, 1000, train_classifier.POSITIVE_LABELS
    )


def test_labelled_rows_and_files_a_class_give_the_same_model(tmp_path: Path) -> None:
    labels = [1] * len(GOOD) + [0] * len(BAD)
    pq.write_table(pa.table({"text": GOOD + BAD, "label": labels}), tmp_path / "both.parquet")
    for name, rows in (("good", GOOD), ("bad", BAD)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
    one, two = tmp_path / "one.bin", tmp_path / "two.bin"
    given = texts(labelled=(str(tmp_path / "both.parquet"),))
    train_classifier.train_classifier(str(one), None, None, given, SETTINGS)
    files = {"positives": (str(tmp_path / "good.jsonl"),), "negatives": (str(tmp_path / "bad.jsonl"),)}
    said = train_classifier.train_classifier(str(two), None, None, texts(**files), SETTINGS)
    assert one.read_bytes() == two.read_bytes()
    assert "auc        1.0000" in said
    about = json.loads((tmp_path / "two.bin.json").read_text())
    assert [(entry["class"], entry["from"]) for entry in about["data"]] == [
        ("positive", "good.jsonl"),
        ("negative", "bad.jsonl"),
    ]
    assert sorted(path.name for path in tmp_path.iterdir() if "unfinished" in path.name) == []


def test_a_model_stays_as_small_as_it_may_be_reads_the_beginning_and_few_texts_are_reported(tmp_path: Path) -> None:
    given = texts(labelled=(str(tmp_path / "both.jsonl"),))
    rows = [
        {"text": row + " " + " ".join(f"rare{k}x{j}" for j in range(300)), "label": int(row in GOOD)}
        for k, row in enumerate(GOOD + BAD)
    ]
    (tmp_path / "both.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    sizes = []
    for most in (0, 400_000):
        model = tmp_path / f"{most}.bin"
        settings = {**SETTINGS, "buckets": 1000, "max_model_bytes": most}
        said = train_classifier.train_classifier(str(model), None, None, given, settings)
        sizes.append(model.stat().st_size)
        assert "fewer than 1,000 texts of negative, positive: the figures above say little" in said
    assert sizes[1] <= 400_000 < sizes[0]
    assert "auc        1.0000" in said, "what is left out is rare"
    with pytest.raises(UserError, match="a larger --max-model-bytes"):
        train_classifier.train_classifier(str(model), None, None, given, {**settings, "max_model_bytes": 1000})
    done = gristmill("train-quality", tmp_path / "q.bin", "--labelled", tmp_path / "both.jsonl")
    assert "max_bytes: 10000" in done.stdout, done.stderr
    assert (tmp_path / "q.bin").stat().st_size < 50e6


def test_many_labels_are_measured_on_sites_that_trained_nothing(tmp_path: Path) -> None:
    """A word that only tells the site would give it away, if one site stood on both sides."""
    topics = {"maths": "theorem proof lemma set", "shop": "buy cheap sale offer", "cook": "salt oven dough boil"}
    rows = []
    for label, words in topics.items():
        for site in range(6):
            for text in texts_of(words + f" www{label}{site}", site):
                rows.append({"text": text, "topic": label, "url": f"https://a.site{label}{site}.org/x"})
    rows += [{"text": text, "topic": "lonely", "url": "https://lonely.org/"} for text in texts_of("alone one", 9)]
    with gzip.open(tmp_path / "all.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    args = ("--labelled", tmp_path / "all.jsonl.gz", "--label-field", "topic", "--buckets", 1000, "--dimensions", 8)
    done = gristmill("train-classifier", tmp_path / "topic.bin", *args, "--epochs", 20, "--held-out", 0.2)
    assert done.returncode == 0, done.stderr
    about = json.loads((tmp_path / "topic.bin.json").read_text())
    assert about["sites"] == 19
    assert about["texts"] == {"cook": 120, "lonely": 20, "maths": 120, "shop": 120}
    held = about["held_out"]
    counts = {label: row["num_texts"] for label, row in held["labels"].items()}
    assert counts == {"cook": 40, "lonely": 0, "maths": 40, "shop": 40}  # whole sites of 20, a fifth or more
    right = sum(said.get(label, 0) for label, said in held["confusion"].items())
    assert held["accuracy"] == right / 120 > 0.9
    f1 = [row["f1"] for row in held["labels"].values() if row["num_texts"]]
    assert held["macro_f1"] == pytest.approx(sum(f1) / 3)
    assert "not measured: its texts are of too few sites" in done.stdout
    assert "labels:\n  labellers:\n    topic: {model: " in done.stdout
    for bad, message in (
        (("--texts", "maths"), "--texts: expected LABEL=PLACE, found 'maths'"),
        ((), "expected --labelled or --texts; found neither"),
        (("--texts", "a=source:x"), "source:x: which root? give --root"),
        (("--labelled", tmp_path / "all.jsonl.gz", "--label-field", "tpoic"), "no field 'tpoic'; it has text, topic"),
    ):
        done = gristmill("train-classifier", tmp_path / "no.bin", *bad)
        assert done.returncode == 2
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("no.bin*"))


def test_sites_held_out_are_whole_and_never_most_of_a_label() -> None:
    chosen = random.Random(3)
    for _ in range(30):
        sizes = [(f"s{k}", chosen.choice("abc"), chosen.randint(1, 30)) for k in range(12)]
        lines = [
            classifier_training._line_of(classifier_training.Labelled(label, f"{site} {n}", site), SMALL)
            for site, label, size in sizes
            for n in range(size)
        ]
        held = classifier_training.held_out(lines, 0.2)
        totals = {label: sum(n for _, own, n in sizes if own == label) for label in "abc"}
        for label, total in totals.items():
            out = sum(n for site, own, n in sizes if own == label and site in held)
            assert out <= total / 2
            left = [n for site, own, n in sizes if own == label and site not in held]
            assert out >= 0.2 * total or all(out + n > total / 2 for n in left)


def test_sources_and_domains_of_a_root_train_a_classifier_that_the_next_run_applies(tmp_path: Path) -> None:
    mixture, root = write_mixture(tmp_path / "small.yaml", write_corpus(tmp_path / "in", files=2)), tmp_path / "root"
    run_inline(mixture, root)
    model = tmp_path / "code.bin"
    rows = [{"text": text, "label": 0} for text in BAD]
    (tmp_path / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = texts(("source:code",), ("domain:docs",), (str(tmp_path / "more.jsonl"),))
    settings = {**SETTINGS, "divide_lone_sites": True}
    said = train_classifier.train_classifier(str(model), Store(str(root)), None, given, settings)
    assert "positive is of one site, which is on both sides" in said
    about = json.loads((tmp_path / "code.bin.json").read_text())
    assert about["sites_divided"] == ["positive"]  # all its pages are of one site
    assert about["held_out"]["num_positives"] > 0
    data = about["data"]
    assert data[0]["from"] == "source:code"
    assert data[1]["kept"].startswith("manifests/kept-")
    text = mixture.read_text()
    mixture.write_text(
        text.replace("domains:\n", "domains:\n  good: {sources: [web], min: {code_score: 0.5}}\n", 1)
        + f"quality:\n  families: [gopher_quality]\n  classifiers: {{code: {{model: {model}}}}}\n"
    )
    assert made(run_inline(mixture, root))["quality"] == 3
    wrong = texts(("source:wbe",), ("x",))
    with pytest.raises(UserError, match="source:wbe: no page; the root has sources code, web"):
        train_classifier.train_classifier(str(model), Store(str(root)), None, wrong, SETTINGS)


def test_what_cannot_be_trained_or_applied_is_said_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"txt": "x"}\n')
    done = gristmill("train-quality", tmp_path / "m.bin", "--labelled", tmp_path / "a.jsonl")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"gristmill: {tmp_path}/a.jsonl, row 1: no field 'text'; it has txt"]
    mixture = write_mixture(tmp_path / "small.yaml", tmp_path)
    text = mixture.read_text()
    for content, message in (
        (b"no model at all, but long enough for a header", "expected a supervised fastText model, found another kind"),
        (b"\xba\x16\x4f\x2f\x63\0\0\0" + bytes(60), "found format 99"),
    ):
        (tmp_path / "m.bin").write_bytes(content)
        mixture.write_text(text + "quality:\n  classifiers: {good: {model: m.bin}}\n")
        with pytest.raises(ConfigError) as caught:
            recipes.load(mixture, Store(str(tmp_path / "root")))
        [problem] = caught.value.problems
        assert problem.key == "quality.classifiers.good"
        assert message in problem.message


def jsonl(path: Path, rows: list[dict[str, object]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def labelled_rows(good: object, bad: object) -> list[dict[str, object]]:
    return [{"text": row, "label": good if row in GOOD else bad} for row in GOOD + BAD]


def trained(tmp_path: Path, command: str, *args: object, rows: list[dict[str, object]]) -> tuple[int, str]:
    small = ("--dimensions", 8, "--buckets", 1000)
    done = gristmill(command, tmp_path / "m.bin", "--labelled", jsonl(tmp_path / "rows.jsonl", rows), *small, *args)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        ({"label": ""}, "row 2: expected a label as 'label', found none"),
        ({"label": " \n"}, "row 2: expected a label as 'label', found none"),
        ({"label": None}, "row 2: no field 'label'"),
        ({"label": ["a", "b"]}, "row 2: expected text as 'label', found list"),
        ({"text": {"a": 1}}, "row 2: expected text as 'text', found dict"),
    ],
)
@pytest.mark.parametrize("command", ["train-classifier", "train-quality"])
def test_rows_without_a_label_or_text_teach_nothing(
    tmp_path: Path, odd: dict[str, object], message: str, command: str
) -> None:
    rows = labelled_rows("1", "0")
    rows[1] |= odd
    code, found = trained(tmp_path, command, rows=rows)
    assert code == 2
    assert message in found
    assert len(found.splitlines()) == 1


def test_blank_texts_are_left_out_and_labels_may_be_of_any_characters(tmp_path: Path) -> None:
    rows = labelled_rows("a\0b", "Überß 中\ud800")
    blank: list[dict[str, object]] = [{"text": " \n" * k, "label": "a\0b"} for k in range(30)]
    code, found = trained(tmp_path, "train-classifier", rows=rows + blank)
    assert code == 0, found
    about = json.loads((tmp_path / "m.bin.json").read_text())
    assert about["texts"] == {"a_b": len(GOOD), "Überß_中?": len(BAD)}
    assert about["held_out"]["accuracy"] == 1


def test_a_positive_label_that_no_row_has_is_refused(tmp_path: Path) -> None:
    rows = labelled_rows("good", "bad")
    code, found = trained(tmp_path, "train-quality", "--positive-label", "god", "--positive-label", "good", rows=rows)
    assert (code, found) == (2, "gristmill: --positive-label: no row has the label god; the labels are bad, good\n")
    code, found = trained(tmp_path, "train-quality", rows=labelled_rows(1.0, 0.0))
    assert code == 2
    assert "no row has the label 1 or positive or true or True; the labels are 0.0, 1.0" in found
    assert trained(tmp_path, "train-quality", "--positive-label", "good", rows=rows)[0] == 0
    good = jsonl(tmp_path / "good.jsonl", [{"text": row} for row in GOOD])
    negatives: list[dict[str, object]] = [{"text": row, "label": "0"} for row in BAD]
    assert trained(tmp_path, "train-quality", "--positives", good, "--negatives", good, rows=negatives)[0] == 0


def test_texts_without_an_address_are_counted_and_a_field_that_no_row_has_is_refused(tmp_path: Path) -> None:
    rows = labelled_rows("1", "0")
    code, found = trained(tmp_path, "train-quality", rows=rows)
    assert code == 0
    assert f"none on both sides; {len(rows)} texts without an address, each a site of its own" in found
    code, found = trained(tmp_path, "train-quality", "--url-field", "link", rows=rows)
    assert (code, found) == (2, "gristmill: --url-field link: no row has it, so no site can be held out\n")
    for number, row in enumerate(rows):
        row["link"] = f"https://www.site{number % 7}.example/{number}"
    code, found = trained(tmp_path, "train-quality", "--url-field", "link", rows=rows)
    assert code == 0
    assert "7 sites, none on both sides\n" in found


def test_settings_that_fasttext_cannot_train_by_are_one_line(tmp_path: Path) -> None:
    code, found = trained(tmp_path, "train-quality", "--learning-rate", "1e30", rows=labelled_rows("1", "0"))
    assert code == 2
    assert "fastText could not train the model: Encountered NaN.; a smaller learning rate may help\n" in found
    assert not (tmp_path / "m.bin").exists()
