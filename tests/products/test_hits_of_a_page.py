"""Hits of several items and benchmarks on one page: which are given where they share words."""

from __future__ import annotations

import json
import random
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from pipeline.recipe import finished
from stages.contamination import scoring
from stages.rules import contamination
from stages.rules.contamination import Benchmark, Benchmarks, Thresholds
from tests.products.test_contamination import ASKED, QUESTION, SHORT, found, looked_for, prose, texts_of


def test_an_item_of_two_benchmarks_is_found_for_both_and_counted_once_a_page(tmp_path: Path) -> None:
    rows = [{"question": QUESTION}, {"question": ASKED}]
    files = []
    for name, items in (("a", rows[:1]), ("b", rows)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in items))
        files.append(Benchmark(path=str(tmp_path / f"{name}.jsonl")))
    pages = [f"{prose(1)}\n{QUESTION}\n{prose(2)}\n{QUESTION}", f"{prose(3)}\n{ASKED}"]
    table, counts = finished.examine(Benchmarks(files=tuple(files)), [texts_of(pages)], contamination.SCORE, 1)
    named = [(row["row"], set(zip(row["benchmark"], row["item"], strict=True))) for row in table.to_pylist()]
    assert named == [(0, {("a", 0), ("b", 0)}), (1, {("b", 1)})]
    assert sorted(counts["pages_of_items"]) == [["a", 0, 1], ["b", 0, 1], ["b", 1, 1]]
    assert counts["verdicts"] == [["a", "found", 1], ["b", "found", 2]]
    judged = table.select([]).append_column("contamination_hits", table.column("hits"))
    judged = judged.append_column("contamination_score", pa.nulls(len(table), pa.float32()))
    scores = contamination.applied(judged, {"a": Thresholds(question=False)}).column("contamination_score")
    assert [score > contamination.SCORE for score in scores.to_pylist()] == [True, True], "b wants it out all the same"


def test_a_question_inside_the_passage_of_another_item_is_found(tmp_path: Path) -> None:
    passage = f"{prose(5, 20)} {ASKED} {prose(6, 20)}"
    rows = [{"passage": passage, "question": "What did the cooper sell?"}, {"question": ASKED}]
    row = found(looked_for(tmp_path, rows), [f"{prose(1)}\n{passage}\n{prose(2)}"])[0]
    assert (row["item"], row["part"]) == ([1], ["question"])
    assert [(hit["item"], hit["part"]) for hit in row["hits"]] == [(0, "passage"), (1, "question")]
    assert row["contaminated"]


def test_a_page_that_mirrors_benchmarks_names_all_items_and_those_of_another_one(tmp_path: Path) -> None:
    draw = random.Random(4)
    words = [f"w{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(600)]
    rows = [{"question": " ".join(draw.choices(words, k=20))} for _ in range(250)]
    for name, items in (("a", rows), ("b", rows), ("c", [{"question": SHORT}])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in items))
    files = tuple(Benchmark(path=str(tmp_path / f"{name}.jsonl")) for name in "abc")
    page = "\n\n".join(row["question"] for row in rows) + f"\n{SHORT}"
    table, counts = finished.examine(Benchmarks(files=files), [texts_of([page])], contamination.SCORE, 1)
    [row] = table.to_pylist()
    named = sorted(zip(row["benchmark"], row["item"], strict=True))
    assert named == [*(("a", n) for n in range(250)), *(("b", n) for n in range(250)), ("c", 0)]
    assert counts["verdicts"] == [["a", "found", 1], ["b", "found", 1], ["c", "found", 1]]
    assert sum(span["stop"] - span["start"] for span in row["span"]) >= len(page) - 2 * 250, "all are cut"


ABOUT = "What did the {} bring to the {} of the {} at dawn when the beacon was out?"


def test_a_question_beside_its_passage_is_found_though_edited_and_so_are_others_of_the_passage(tmp_path: Path) -> None:
    passage, places = prose(7, 150), (("weaver", "shepherd", "meadow"), ("smith", "carter", "valley"))
    asked = [ABOUT.format(*names) for names in places]
    rows = [{"passage": passage, "question": question} for question in asked]
    params = looked_for(tmp_path, [*rows, *({"question": prose(n, 15)} for n in range(20, 40))])
    edited = asked[0].replace("bring", "sell")
    row = found(params, [f"{prose(1)}\n{passage}\n{edited}\n{prose(2)}"])[0]
    assert (row["contaminated"], row["item"], row["part"]) == (True, [0], ["question_answer"])
    page = f"{prose(1)}\n{passage}\n{asked[0]}\n{asked[1]}\n{prose(2)}"
    row = found(params, [page])[0]
    assert sorted(row["item"]) == [0, 1]
    assert page.encode()[row["span"][0]["stop"] - 13 : row["span"][0]["stop"]] == b"beacon was out"[1:]


def test_a_question_inside_its_own_passage_is_not_found_where_another_item_has_the_passage_too(tmp_path: Path) -> None:
    words = prose(7, 150).split()
    inside = " ".join([*words[40:52], "zebra", *words[53:60]])
    rows = [{"passage": " ".join(words), "question": text} for text in ("Whom did the smith ask for help?", inside)]
    params = looked_for(tmp_path, [*rows, {"passage": prose(9, 150), "question": prose(21, 15)}])
    row = found(params, [f"{prose(1)}\n{' '.join(words)}\n{prose(2)}"])[0]
    assert (row["contaminated"], [(hit["item"], hit["part"]) for hit in row["hits"]]) == (False, [(0, "passage")])


def test_hits_at_one_place_are_those_that_every_better_one_is_asked_for() -> None:
    draw = random.Random(3)
    known = SimpleNamespace(benchmark_I=[0] * 20 + [1] * 20)
    ranked = []
    for _ in range(400):
        start, part = draw.randrange(6000), draw.choice(contamination.FOUND)
        stop = start + draw.choice((0, 1, 2, 5, 40, 41, 900, 3000))
        ranked.append(scoring.Hit(1.0, 1.0, draw.randrange(40), part, start, stop, 4, (start, stop)))
    expected: list[scoring.Hit] = []
    for at, hit in enumerate(ranked):  # all pairs
        own = [other for other in ranked[:at] if other.part == "passage" and other.item == hit.item]
        if not any(scoring._stands_for(known, other, hit) for other in [*expected, *own]):  # type: ignore[arg-type]
            expected.append(hit)
    assert scoring._apart(known, ranked) == expected  # type: ignore[arg-type]
    assert 100 < len(expected) < 390


def test_hits_of_a_passage_are_compared_with_those_near_them_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page may repeat one passage: its price is linear."""
    compared: list[scoring.Hit] = []
    stands_for = scoring._stands_for
    monkeypatch.setattr(scoring, "_stands_for", lambda *three: compared.append(three[1]) or stands_for(*three))
    known = SimpleNamespace(benchmark_I=[0])
    places = [(part, 60 * n, 60 * n + 50) for n in range(3000) for part in ("passage", "question_answer")]
    ranked = [scoring.Hit(1.0, 1.0, 0, part, start, stop, 4, (start, stop)) for part, start, stop in places]
    assert scoring._apart(known, ranked) == ranked[::2]  # type: ignore[arg-type]
    assert len(compared) < 40 * len(ranked), "at most those of a block, from both lists"
