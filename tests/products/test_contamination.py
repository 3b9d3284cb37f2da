"""Benchmarks in pages: what is found, how it scores, and what common texts and mirrors do to the scores."""

from __future__ import annotations

import importlib.util
import json
import random
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash
from click.testing import CliRunner

from pipeline import recipe as recipes
from pipeline.answers.decontaminate import Wanted, decontaminate
from pipeline.cli import main
from pipeline.errors import UserError
from pipeline.recipe import finished
from pipeline.recipe.yaml_file import ConfigError
from pipeline.store.storage import Store
from stages import contamination as product
from stages import overlaps, schemas
from stages.contamination import planning
from stages.kernels.columns.ragged import text_buffers
from stages.rules import contamination
from stages.rules.contamination import Benchmark, Benchmarks, Thresholds
from stages.tokenizers import load as load_tokenizer
from tests.support.corpora import write_mixture
from tests.support.shard_folders import write_folder

WORDS = """
river mill stone wheel grain sack flour weir sluice miller carter oven loaf market bridge valley forest charcoal
hammer anvil smith copper silver ledger candle tallow barrel cooper vintner orchard meadow shepherd fleece weaver
loom dye indigo madder harbour sailor anchor rigging canvas compass lantern beacon granite quarry mason chisel
"""
QUESTION = "If a miller grinds three sacks of grain in two hours, how many sacks does he grind in ten hours of work?"
SHORT = "Which river turns the oldest mill?"
NOTICE = (
    "The carter of this market gives no warranty for any barrel, candle or fleece that leaves the harbour by night, and"
    " the ledger of the quarry is open to each mason who asks the smith for it in writing before the lantern is lit."
)
ASKED = f"{NOTICE} Whom does a cooper sue when the beacon goes out?"
SOLUTION = """
    total = sacks * hours
    for wheel in range(weir):
        total -= wheel
    if total < 0:
        raise ValueError(total)
    return [total, weir, max(total, sacks), min(grain, flour)]
"""


def prose(seed: int, words: int = 120) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choices(WORDS.split(), k=words))


def texts_of(pages: list[str]) -> pa.RecordBatch:
    rows = pa.array(range(len(pages)), pa.int64())
    text = pa.array(pages, pa.large_string())
    return pa.RecordBatch.from_arrays(
        [pa.array(["x"] * len(pages)), rows, pa.nulls(len(pages), pa.string()), text], schema=finished.TEXTS
    )


def looked_for(folder: Path, rows: list[dict[str, Any]], **more: Any) -> Benchmarks:
    path = folder / "exam.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Benchmarks(files=(Benchmark(path=str(path), **more),))


def found(params: Benchmarks, pages: list[str]) -> dict[int, dict[str, Any]]:
    """Rows of `finished.FOUND` by page."""
    table, _ = finished.examine(params, [texts_of(pages)], contamination.SCORE, 1)
    return {row["row"]: row for row in table.to_pylist()}


@pytest.fixture
def exam(tmp_path: Path) -> Benchmarks:
    rows = [
        {"question": QUESTION, "answer": "15 sacks of grain"},
        {"question": SHORT, "answer": "the Weir"},
        {"question": ASKED},
        {"question": "Which is true?", "choices": ["A weir turns the sluice of a mill", "A loom grinds indigo dye"]},
        {"passage": prose(7, 60), "question": "What did the weaver bring to the shepherd of the meadow at dawn?"},
        {"question": "", "solution": SOLUTION},
        {"question": "Why?"},
        {"question": ""},
    ]
    return looked_for(tmp_path, rows)


@pytest.mark.parametrize(
    ("planted", "item"),
    [
        (QUESTION, 0),
        (QUESTION.upper().replace(" ", "\n"), 0),
        (QUESTION.replace("three", "3").replace("ten", "10"), 0),
        (QUESTION.replace("grinds", "mills").replace("work", "toil"), 0),
        (f'{{"q": "{QUESTION.replace(" if ", " ")}", "a": 15}}', 0),
        ("<td>" + QUESTION.replace("how many", "<b>how</b> many") + "</td>", 0),
        (SHORT, 1),
        ("Q: which  RIVER turns the oldest mill -- the Weir", 1),
        ("Which is true?\nB) A loom grinds indigo dye\nA) A weir turns the sluice of a mill", 3),
        (prose(7, 60) + "\nWhat did the weaver bring to the shepherd of the meadow at dawn?", 4),
        (SOLUTION.strip().replace("    ", "\t"), 5),
    ],
)
def test_an_item_is_found_however_it_is_written(exam: Benchmarks, planted: str, item: int) -> None:
    page = f"{prose(1)}\n{planted}\n{prose(2)}"
    row = found(exam, [prose(3), page])[1]
    assert (row["contaminated"], row["benchmark"][0], row["item"][0]) == (True, "exam", item)
    [span] = row["span"]
    text = page.encode()[span["start"] : span["stop"]].decode()
    assert planted[:6] in page[:4] + text[:20] or text[:6] in planted
    assert abs(len(text) - len(planted)) < 0.25 * len(planted)


@pytest.mark.parametrize(
    "planted",
    [
        "15 sacks of grain",
        "A weir turns the sluice of a mill, A loom grinds indigo dye",
        "Which is true?",
        "Which valley turns the oldest bridge?",
        " ".join(sorted(QUESTION.split())),
        "how many sacks does he grind",
        prose(7, 60),
        "Why?",
    ],
)
def test_what_gives_no_item_away_is_not_marked(exam: Benchmarks, planted: str) -> None:
    rows = found(exam, [prose(3), f"{prose(1)}\n{planted}\n{prose(2)}"])
    assert not any(row["contaminated"] for row in rows.values())


def test_a_text_common_in_the_corpus_marks_no_page_and_the_whole_item_does(exam: Benchmarks) -> None:
    notices = [f"{prose(n)}\n{NOTICE}\n{prose(n + 1)}" for n in range(40)]
    rows = found(exam, [*notices, f"{prose(91)}\n{ASKED}\n{prose(92)}"])
    assert [row for row in rows if rows[row]["contaminated"]] == [40]
    alone = found(exam, notices[:1])
    assert alone[0]["contaminated"], "on one page of the corpus it is most of the question"


def test_a_mirrored_item_does_not_become_common(exam: Benchmarks) -> None:
    pages = [f"{prose(n)}\n{QUESTION}\n{prose(n + 1)}\n{SHORT}" for n in range(300)]
    rows = found(exam, [*pages, *(prose(n) for n in range(1000, 1200))])
    assert sum(row["contaminated"] and {0, 1} <= set(row["item"]) for row in rows.values()) == 300


@pytest.mark.parametrize("items", [1, 2, 3])
def test_of_few_items_each_is_found(tmp_path: Path, items: int) -> None:
    rows = [{"question": QUESTION}, {"question": ASKED}, {"question": f"Who was it? {prose(205, 20)}"}][:items]
    pages = [prose(n) for n in range(60)]
    rows_found = found(looked_for(tmp_path, rows), [*pages, *(f"{prose(70)}\n{row['question']}" for row in rows)])
    assert [row for row in rows_found if rows_found[row]["contaminated"]] == [*range(60, 60 + items)]


def test_an_opening_of_many_items_is_nobody_s(tmp_path: Path) -> None:
    opening = "Read the ledger of the quarry below, weigh each sack of grain with care, and say whether it is right."
    rows = [{"question": f"{opening} {prose(n, 12)}"} for n in range(60)]
    params = looked_for(tmp_path, rows)
    marked = found(params, [f"{prose(500)}\n{opening}\n{prose(501)}", f"{prose(502)}\n{rows[7]['question']}"])
    assert (0 in marked and marked[0]["contaminated"], marked[1]["item"]) == (False, [7])


def test_parts_fields_and_usual_names_read_the_same_items(tmp_path: Path) -> None:
    arc = {"stem": "What?", "choices": {"text": ["x", "y"], "label": ["A", "B"]}, "answerKey": "B"}
    (tmp_path / "a.csv").write_text('id,prompt,gold\n1,"What is it,\n then?",mill\n')
    pq.write_table(pa.table({"q": ["What is it?"], "c": [["mill", "weir"]], "a": [1]}), tmp_path / "b.parquet")
    (tmp_path / "c.jsonl").write_text(json.dumps(arc))
    (tmp_path / "d.txt").write_text("another\n")
    parts = {"b.parquet": {"question": "q", "choices": "c", "answer": "a"}}
    parts |= {"c.jsonl": {"question": "stem", "choices": "choices", "answer": "answerKey"}}
    read = [
        next(contamination.items(Benchmark(path=str(tmp_path / name), parts=parts.get(name, {}))))
        for name in ("a.csv", "b.parquet", "c.jsonl", "d.txt")
    ]
    fields = [(item.question, item.answer, item.choices) for item in read]
    assert fields == [
        ("What is it,\n then?", "mill", ()),
        ("What is it?", "weir", ("mill", "weir")),
        ("What?", "y", ("x", "y")),
        ("another", "", ()),
    ]


@pytest.mark.parametrize(
    ("row", "answer", "choices"),
    [
        ({"choices": ["mill", "weir"], "answer": 0}, "mill", ("mill", "weir")),
        ({"choices": ["mill", "weir"], "answer": 1}, "weir", ("mill", "weir")),
        ({"choices": ["mill", "weir"], "answer": False}, "", ("mill", "weir")),
        ({"answer": "", "target": "weir"}, "weir", ()),
        ({"mc1_targets": {"choices": ["mill", "weir"], "labels": [1, 0]}}, "", ("mill", "weir")),
        ({"answers": {"text": ["weir"], "answer_start": [159]}}, "weir", ()),
        ({"answers": [{"text": "weir", "answer_start": 159}]}, "weir", ()),
        (
            {"options": [{"text": "mill", "label": "A"}, {"text": "weir", "label": "B"}], "gold": "b"},
            "weir",
            ("mill", "weir"),
        ),
        ({"choices": ["ss", "weir"], "answer": "ß"}, "ß", ("ss", "weir")),
    ],
)
def test_answers_and_choices_are_read_as_benchmarks_have_them(
    tmp_path: Path, row: dict[str, Any], answer: str, choices: tuple[str, ...]
) -> None:
    [item] = contamination.items(looked_for(tmp_path, [{"question": QUESTION, **row}]).files[0])
    assert (item.question, item.answer, item.choices) == (QUESTION, answer, choices)


def test_a_number_0_is_an_answer_and_no_other_part(tmp_path: Path) -> None:
    rows = [{"question": 0, "prompt": QUESTION, "solution": 0, "explanation": SOLUTION, "label": 0}]
    [item] = contamination.items(looked_for(tmp_path, rows).files[0])
    assert (item.question, item.answer, item.solution) == (QUESTION, "0", SOLUTION)


@pytest.mark.parametrize("name", ["e.jsonl", "e.csv", "e.parquet"])
def test_a_field_that_no_row_has_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "e.jsonl":
        rows = [{"q": QUESTION, "meta": {"a": "15"}}, {"q": SHORT, "options": ["Weir"]}]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif name == "e.csv":
        path.write_text(f'q,options,meta\n"{QUESTION}",Weir,15\n')
    else:
        pq.write_table(pa.table({"q": [QUESTION], "options": ["Weir"], "meta": ["15"]}), path)
    contamination.check(Benchmark(path=str(path), parts={"question": "q", "choices": "options"}))
    with pytest.raises(ValueError, match=r"(no row has|no column) 'optoins'; it has q, (meta|options), (meta|options)"):
        contamination.check(Benchmark(path=str(path), parts={"question": "q", "choices": "optoins"}))


@pytest.mark.parametrize(
    ("quality", "kept", "message"),
    [
        ("{benchmarks: {ngram: 8}}", "{}", "`ngram` is no more"),
        ("{benchmarks: {files: [{path: e.txt, parts: {answer: a}}]}}", "{}", "expected a question"),
        ("{benchmarks: {files: [{path: e.txt}, {path: e.txt}]}}", "{}", "'e' twice"),
        ("{benchmarks: {files: [{path: e.txt}]}}", "{rules: {contaminated: 3}}", "score from 0 to 1"),
        ("{benchmarks: {files: [{path: e.txt}]}}", "{contamination: {e: {passage: 7}}}", "score from 0 to 1 or false"),
    ],
)
def test_wrong_settings_are_reported_in_a_line(tmp_path: Path, quality: str, kept: str, message: str) -> None:
    (tmp_path / "e.txt").write_text("a b c d\n")
    mixture = write_mixture(tmp_path / "a.yaml", tmp_path)
    text = mixture.read_text().replace("kept:\n", f"quality: {quality}\nkept:\n", 1)
    mixture.write_text(text if kept == "{}" else re.sub(r"  rules: .*", f"  {kept[1:-1]}", text))
    with pytest.raises(ConfigError, match=message):
        recipes.load(mixture, Store(str(tmp_path)))


def test_thresholds_by_benchmark_and_part_decide_from_the_hits() -> None:
    hits = [
        {"benchmark": "a", "item": 1, "part": "question", "score": 0.8, "start": 10, "stop": 20},
        {"benchmark": "b", "item": 2, "part": "passage", "score": 0.9, "start": 15, "stop": 40},
    ]
    row = {"contamination_score": 0.8, "contamination_passage_score": 0.9, "contamination_hits": hits}
    row |= {"contamination_spans": [{"start": 10, "stop": 20, "replacement": ""}]}
    pages = pa.Table.from_pylist([row], schema=schemas.CONTAMINATION)

    def judged(**thresholds: Thresholds) -> tuple[bool, list[tuple[int, int]]]:
        made = contamination.applied(pages, thresholds).to_pylist()[0]
        spans = [(span["start"], span["stop"]) for span in made["contamination_spans"]]
        return made["contamination_score"] > contamination.SCORE, spans

    assert judged() == (True, [(10, 20)])
    assert judged(a=Thresholds(question=0.85)) == (False, [])
    assert judged(a=Thresholds(question=0.8)) == (False, []), "equality passes"
    assert judged(a=Thresholds(question=False), b=Thresholds(passage=0.5)) == (True, [(15, 40)])
    assert judged(**{"*": Thresholds(passage=0.5)}) == (True, [(10, 40)])


def exchanged(params: Benchmarks, store: Store, pages: list[str], size: int, backward: bool = False) -> pa.Table:
    """`schemas.CONTAMINATION` of pages, in splits of ``size``, by the exchange."""
    inputs = []
    for first in range(0, len(pages), size):
        batch = documents(pages[first : first + size], first)
        name = f"{first:02d}"
        store.write_table(f"d/{name}.parquet", pa.Table.from_batches([batch]))
        store.write_table(f"o/{name}.parquet", pa.Table.from_batches([overlaps.prepare(params)(batch)]))
        inputs.append(product.ContaminationInput(name, "web", f"d/{name}.parquet", f"o/{name}.parquet", batch.num_rows))
    labels = {entry.name: "web" for entry in inputs}
    for wave in product.plan(params, inputs[::-1] if backward else inputs, "out", labels):
        for task in wave.tasks:
            module, _, function = task.job.partition(":")
            getattr(importlib.import_module(module), function)(store, **task.args)
    return pa.concat_tables([store.read_table(f"out/{entry.name}.parquet") for entry in inputs])


@pytest.mark.parametrize("size", [200, 7])
@pytest.mark.parametrize("group", [64, 2])
def test_many_addresses_of_one_text_make_no_part_of_an_item_common(
    exam: Benchmarks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, group: int
) -> None:
    monkeypatch.setattr(planning, "GROUP", group)
    monkeypatch.setattr(planning, "MEMORY", 1 << 10)  # many ranges of hashes
    half = f"{prose(1)}\n{NOTICE}\n{prose(2)}"
    others = [prose(n) for n in range(10, 80)]
    alone = exchanged(exam, Store(str(tmp_path / "alone")), [half, *others], size).to_pylist()
    assert alone[0]["contamination_score"] > contamination.SCORE
    store = Store(str(tmp_path / "copies"))
    copies = exchanged(exam, store, [half] * 15 + others + [half] * 15, size).to_pylist()
    assert [row for row in copies if row["contamination_score"]] == [alone[0]] * 30
    sampled = len(overlaps.sampled_pages(documents([half, *others], 0).column("text_hash")).nonzero()[0])
    assert store.read_json("out/summary.json")["corpus"] == {"pages": 100, "sampled": sampled}
    pages = [half] * 30 + others
    rows = finished.examine(exam, [texts_of(pages[:20]), texts_of(pages[20:])], contamination.SCORE, 2)[0].to_pylist()
    scores = {row["score"] for row in rows if row["contaminated"]}
    assert (sum(row["contaminated"] for row in rows), scores) == (30, {alone[0]["contamination_score"]})


def test_neither_order_nor_division_nor_a_second_count_changes_a_byte(exam: Benchmarks, tmp_path: Path) -> None:
    pages = [f"{prose(n)}\n{NOTICE if n % 3 else ASKED}\n{QUESTION if n % 4 == 0 else ''}" for n in range(24)]
    made = []
    for number, (size, backward) in enumerate(((24, False), (5, True))):
        store = Store(str(tmp_path / f"root{number}"))
        rows = exchanged(exam, store, pages, size, backward)
        assert rows.schema.equals(schemas.CONTAMINATION)
        summary = store.read_json("out/summary.json")
        made.append((rows.to_pylist(), summary["verdicts"], summary["items"], summary["corpus"]))
    assert made[0] == made[1]
    assert {"benchmark": "exam", "source": "web", "verdict": "found", "pages": 12} in made[0][1]
    assert any(entry["verdict"] == "common_text" for entry in made[0][1])


def documents(pages: list[str], first: int) -> pa.RecordBatch:
    return pa.record_batch(
        {
            "doc_id": pa.array([(first + n).to_bytes(16, "big") for n in range(len(pages))], pa.binary(16)),
            "url": pa.array([f"https://x.example/{first + n}" for n in range(len(pages))]),
            "text": pa.array(pages, pa.large_string()),
            "text_hash": pa.array([xxhash.xxh3_128_digest(page.encode()) for page in pages], pa.binary(16)),
        }
    )


def test_a_finished_corpus_is_answered_for_from_text_and_from_tokens(tmp_path: Path, exam: Benchmarks) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    pages = [prose(1), f"{prose(2)}\n{QUESTION}", f"{prose(3)}\n{SHORT}"]
    (folder / "a.jsonl").write_text("".join(json.dumps({"text": page}) + "\n" for page in pages[:2]))
    pq.write_table(pa.table({"text": pages[2:], "doc_id": [b"\x01" * 16]}), folder / "b.parquet")
    out = tmp_path / "found.jsonl"
    arguments = ["decontaminate", "--shards", str(folder), "--benchmarks", f"sheet={exam.files[0].path}"]
    result = CliRunner().invoke(main, [*arguments, "--out", str(out), "--workers", "2"])
    assert result.exit_code == 0, result.output
    assert "2 documents marked" in result.output
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["file"], row["row"], row["doc_id"], row["item"]) for row in rows if row["contaminated"]] == [
        ("a.jsonl", 1, None, [0]),
        ("b.parquet", 0, "01" * 16, [1]),
    ]
    assert rows[0]["text"].startswith("If a miller grinds three")
    with pytest.raises(UserError, match="no text in 'body'"):
        decontaminate(Wanted(str(folder / "a.jsonl"), (exam.files[0].path,), text="body"))
    with pytest.raises(UserError, match="expected PART=FIELD"):
        decontaminate(Wanted(str(folder), (exam.files[0].path,), parts=("title=x",)))
    with pytest.raises(UserError, match=r"^--benchmarks: \S+none\.jsonl: No such file or directory$"):
        decontaminate(Wanted(str(folder), (str(folder / "none.jsonl"),)))


def test_token_shards_are_decoded_and_answered_as_their_texts_are(tmp_path: Path, exam: Benchmarks) -> None:
    planted = [QUESTION, "", f"{SHORT} – naïve «weir» 磨坊", "", ASKED, "\t total = weir", QUESTION.upper()]
    pages = [f"{prose(n)}\n{text}\n{prose(n + 1, 30)}" for n, text in enumerate(planted)]
    (tmp_path / "texts").mkdir()
    pq.write_table(pa.table({"text": pages}), tmp_path / "texts" / "a.parquet")
    tokenizer = load_tokenizer()
    data, offsets = text_buffers(pa.array(pages, pa.large_string()))
    ids, bounds = tokenizer.encode(data, offsets)
    rows = [ids[a:b] for a, b in pairwise(bounds)]
    assert all(row[-1] == tokenizer.eos_id for row in rows)
    shards = tmp_path / "shards"  # three record batches in two shards
    write_folder(shards, [[rows[:2], rows[2:4]], [rows[4:]]], **tokenizer.identity())
    wanted = {"benchmarks": (str(exam.files[0].path),), "workers": 2}
    (of_text, counts), (of_tokens, decoded) = (
        decontaminate(Wanted(str(folder), **wanted)) for folder in (tmp_path / "texts", shards)
    )
    assert [row["row"] for row in of_text.to_pylist() if row["contaminated"]] == [0, 2, 4, 6]
    places = [("train/data-00000-of-00002.arrow", n) for n in (0, 1)] * 2
    places += [("train/data-00001-of-00002.arrow", n) for n in (0, 1, 2)]
    rows = of_tokens.to_pylist()
    assert [(row["file"], row["row"]) for row in rows] == [places[row["row"]] for row in of_text.to_pylist()]
    same = [name for name in finished.FOUND.names if name not in ("file", "row")]
    assert of_tokens.select(same).equals(of_text.select(same))
    assert decoded == counts
    with pytest.raises(UserError, match="another tokenizer"):
        decontaminate(Wanted(str(shards), **wanted, tokenizer="tekken"))


LEAST = {"precision": 0.98, "recall": 0.97}


def test_the_development_set_is_separated(shared: Path) -> None:
    """A third of `reference/decontamination`; the figures wanted are those of the whole."""
    folder = shared / "reference" / "decontamination"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    spec = importlib.util.spec_from_file_location("score", folder / "score.py")
    assert spec is not None
    assert spec.loader is not None
    scorer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(scorer)
    table = pq.read_table(folder / "documents.parquet").take(list(range(0, 11451, 3)))
    names = sorted(str(path) for path in (folder / "benchmarks").glob("*.jsonl"))
    params = Benchmarks(files=tuple(Benchmark(path=name) for name in names))
    columns = {"file": ["x"] * len(table), "row": range(len(table)), "doc_id": table["doc_id"].to_pylist()}
    arrays = [pa.array(values, field.type) for values, field in zip(columns.values(), finished.TEXTS, strict=False)]
    text = table["text"].combine_chunks().cast(pa.large_string())
    batch = pa.RecordBatch.from_arrays([*arrays, text], schema=finished.TEXTS)
    rows, _ = finished.examine(params, [batch], contamination.SCORE, 1)
    result = scorer.score(table.to_pylist(), rows.to_pylist(), contamination.SCORE)
    assert {name: result[name] for name in LEAST if result[name] < LEAST[name]} == {}
    assert {kind: share for kind, share in result["recall_by_kind"].items() if share < 0.9} == {}
    assert {kind: share for kind, share in result["false_positives_by_kind"].items() if share > 0.03} == {}
    assert result["attribution"]["item"] >= 0.98
    assert result["attribution"]["items_of_all_planted"] >= 0.95
    assert result["span"]["iou"] >= 0.88
