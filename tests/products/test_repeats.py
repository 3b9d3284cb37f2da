"""Repeats: exactly the windows that the plain look-up finds, one whole copy of each left, whatever the layout."""

from __future__ import annotations

import importlib
import json
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.run import rebuild
from pipeline.store.storage import Store
from stages import repeats, schemas
from stages.contract import Wave
from stages.repeats import planning
from tests.clusters.test_faults import maker
from tests.slow import repeats as slow
from tests.support.deadly_job import MortalExecutor
from tests.support.dedup_corpus import Page, documents_table
from tests.support.thorough import some

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write_splits(store: Store, pages: Sequence[Page], cuts: int, rows: int) -> list[tuple[Any, list[Page]]]:
    """Splits of a source each, ``rows`` pages to a row group, with their pages."""
    found = []
    for source in sorted({page.source for page in pages}):
        mine = [page for page in pages if page.source == source]
        for cut in range(cuts):
            part = mine[cut::cuts]
            name = f"{source}-{cuts}-{cut}"
            with store.table_writer(f"documents/{name}.parquet", schemas.DOCUMENTS) as writer:
                for batch in documents_table(part).to_batches(max_chunksize=rows):
                    writer.write(batch)
            size = sum(len(page.text.encode()) for page in part)
            entry = repeats.RepeatsInput(name, source, f"documents/{name}.parquet", len(part), size)
            found.append((entry, part))
    return found


def run(store: Store, waves: Sequence[Wave]) -> None:
    """Run what is missing, wave by wave."""
    for wave in waves:
        for task in wave.tasks:
            if not all(store.exists(address) for address in task.outputs):
                module, _, function = task.job.partition(":")
                getattr(importlib.import_module(module), function)(store, **task.args)
        for prefix in wave.discard:
            store.remove(prefix)


def run_repeats(
    store: Store, pages: Sequence[Page], params: repeats.Params, cuts: int = 1, rows: int = 7
) -> dict[str, dict[str, Any]]:
    """The row of every page, by its key."""
    splits = write_splits(store, pages, cuts, rows)
    run(store, repeats.plan(params, [entry for entry, _ in splits][::-1], "repeats/run"))
    assert not store.list("repeats/run/work")
    found: dict[str, dict[str, Any]] = {}
    for entry, part in splits:
        table = store.read_table(f"repeats/run/{entry.name}.parquet").to_pylist()
        found |= {page.key: row for page, row in zip(part, table, strict=True)}
    return found


def in_order(pages: Sequence[Page]) -> list[Page]:
    """The longest first, then the newest, then the smaller doc_id: the default policy."""
    return sorted(pages, key=lambda page: (-len(page.text.encode()), -page.seconds, page.doc_id))


def check(pages: Sequence[Page], rows: dict[str, dict[str, Any]], params: repeats.Params) -> int:
    """Compare with the oracle, and every span with the copy it names; the bytes cut."""
    order = in_order(pages)
    texts = {page.doc_id: page.text.encode() for page in pages}
    marks = slow.marked([texts[page.doc_id] for page in order], params.min_bytes, params.within_page)
    covered = {page.doc_id: mark.cut for page, mark in zip(order, marks, strict=True)}
    total = 0
    for page, mark in zip(order, marks, strict=True):
        row, text = rows[page.key], texts[page.doc_id]
        cut = [False] * len(text)
        for span in row["repeats"]:
            assert not any(cut[span["start"] : span["stop"]])
            cut[span["start"] : span["stop"]] = [True] * (span["stop"] - span["start"])
            size = span["stop"] - span["start"]
            kept = texts[span["doc_id"]][span["at"] : span["at"] + size]
            assert kept == text[span["start"] : span["stop"]]
            assert not any(covered[span["doc_id"]][span["at"] : span["at"] + size]), "the copy named is cut itself"
        assert cut == mark.cut, page.key
        assert row["num_repeats"] == len(row["repeats"])
        assert row["repeats_bytes"] == sum(mark.cut)
        assert row["repeats_kept_bytes"] == sum(mark.kept)
        check_view(text, row, mark, params)
        total += sum(cut)
    return total


def check_view(text: bytes, row: dict[str, Any], mark: slow.Marked, params: repeats.Params) -> None:
    """The view cuts whole characters, what the twin says, and nothing that is kept."""
    spans = [(span["start"], span["stop"]) for span in row["repeats_spans"]]
    exact = [(span["start"], span["stop"]) for span in row["repeats"]]
    assert spans == slow.shown(text, exact, mark.kept, params.join, params.widen)
    for start, stop in spans:
        text[:start].decode()
        text[start:stop].decode()
        assert not any(mark.kept[start:stop])


PIECES = [
    "abcabcabc",
    "x",
    "yy",
    "0123456789",
    "aaaaaaaa",
    "ünï",
    "日本語。",
    "the same again and again. ",
    "\n",
    "ab",
    "日本語！の",
    ".  x",
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


PARAMS = st.fixed_dictionaries(
    {
        "min_bytes": st.integers(32, 60),
        "anchor_bytes": st.one_of(st.none(), st.integers(8, 32)),
        "within_page": st.booleans(),
        "passes": st.integers(1, 3),
        "join": st.sampled_from([0.0, 0.1, 0.5]),
        "widen": st.sampled_from(["character", "line", "sentence"]),
    }
).map(repeats.Params.model_validate)


@SETTINGS
@given(st.lists(TEXTS, min_size=1, max_size=12), PARAMS, st.integers(1, 3), st.integers(1, 5))
def test_what_is_cut_equals_the_plain_look_up(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], params: repeats.Params, cuts: int, rows: int
) -> None:
    pages = [Page(str(number), text, seconds=number % 3) for number, text in enumerate(texts)]
    found = run_repeats(Store(str(tmp_path_factory.mktemp("root"))), pages, params, cuts, rows)
    check(pages, found, params)


def many() -> list[Page]:
    """Pages with a notice, quotes and paragraphs in common, some within a page, some to the very end of it."""
    draw = random.Random(5)
    words = [f"word{number}" for number in range(400)]
    passages = [" ".join(draw.choices(words, k=40)) for _ in range(12)]
    pages = []
    for number in range(90):
        parts = [" ".join(draw.choices(words, k=draw.randint(3, 60))) for _ in range(3)]
        parts[1:1] = draw.choices(passages, k=number % 4)
        parts += [passages[0]] * (number % 3) + [passages[number % 12][: number * 2]] * (number % 2)
        address = f"https://host{number % 5}.example/{number}"
        source = "books" if number % 4 == 0 else "web"
        pages.append(Page(str(number), "\n".join(parts), source, number % 7, url=address))
    return pages


def results(store: Store) -> dict[str, bytes]:
    return {address: store.read_bytes(address) for address, _ in store.list("repeats")}


def put_back(store: Store, files: dict[str, bytes]) -> None:
    """The results as they were."""
    store.remove("repeats")
    for address, data in files.items():
        store.write_bytes(address, data)


def cut_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan as if every anchor were huge: many groups, ranges and places."""
    monkeypatch.setattr(planning, "KEY_BYTES", 10**6)
    monkeypatch.setattr(planning, "CONTEXT_BYTES", 4 * 10**5)


@pytest.mark.parametrize("within", [False, True])
def test_layout_passes_memory_and_anchors_change_no_row_and_no_byte_of_the_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, within: bool
) -> None:
    pages = many()
    store = Store(str(tmp_path / "one"))
    params = repeats.Params(min_bytes=64, within_page=within)
    expected = run_repeats(store, pages, params, 1, 100)
    assert check(pages, expected, params) > 10_000
    summary = json.loads(store.read_bytes("repeats/run/summary.json"))
    assert summary["repeats_bytes"] == sum(row["repeats_bytes"] for row in expected.values())
    assert sum(counts["repeats_bytes"] for counts in summary["sources"].values()) == summary["repeats_bytes"]
    cut_small(monkeypatch)
    layouts = ((5, 2, 3, 16), (3, 11, 1, 16), (2, 50, 7, 11))
    for cuts, rows, passes, anchor in layouts if within else some(layouts, 3):
        other = Store(str(tmp_path / str(cuts)))
        changed = params.model_copy(update={"memory": 1 << 26, "passes": passes, "anchor_bytes": anchor})
        assert run_repeats(other, pages[::-1], changed, cuts, rows) == expected
        if anchor == params.anchor:
            assert json.loads(other.read_bytes("repeats/run/summary.json")) == summary


def planned(root: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Store, list[Wave]]:
    cut_small(monkeypatch)
    store = Store(str(root))
    params = repeats.Params(min_bytes=64, within_page=True, memory=1 << 26, passes=2)
    splits = write_splits(store, many(), 3, 11)
    return store, repeats.plan(params, [entry for entry, _ in splits], "repeats/run")


def test_the_bytes_do_not_depend_on_how_many_workers_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for workers in (1, 4):
        store, waves = planned(tmp_path / str(workers), monkeypatch)
        draw = random.Random(workers)
        with ThreadPoolExecutor(workers) as threads:
            for wave in waves:
                tasks = [[replace(wave, tasks=(task,), discard=())] for task in wave.tasks]
                draw.shuffle(tasks)
                list(threads.map(run, [store] * len(tasks), tasks))
                run(store, [wave])  # which only discards
        found.append(results(store))
    assert len(found[0]) > 3
    assert found[0] == found[1]


def test_an_intermediate_file_damaged_before_any_wave_is_made_again_in_the_same_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, waves = planned(tmp_path / "root", monkeypatch)
    maker(store).run_waves("repeats", waves)
    expected = results(store)
    assert not any("/work/" in address for address in expected)
    struck = reading = 0
    before: dict[str, bytes] = {}
    for number, wave in enumerate(waves):
        read = sorted(rebuild.inputs_of(wave.tasks, waves))
        own = {a.rpartition("/")[0]: a for a in read if "/work/" in a}
        reading += bool(own)
        for address in some(own.values(), 8):
            put_back(store, before)
            good = store.read_bytes(address)
            bad = (good[:5] + bytes([good[5] ^ 1]) + good[6:], good[:-9], b"")[struck % 3] if len(good) > 200 else b""
            store.write_bytes(address, bad)
            maker(store).run_waves("repeats", waves)
            assert results(store) == expected, (wave.name, address)
            struck += 1
        put_back(store, before)
        maker(store).run_waves("repeats", waves[: number + 1])
        before = results(store)
    assert struck >= reading > 3


def test_a_worker_killed_in_every_wave_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, waves = planned(tmp_path / "calm", monkeypatch)
    maker(store).run_waves("repeats", waves)
    expected = results(store)
    store, waves = planned(tmp_path / "killed", monkeypatch)
    markers = tmp_path / "markers"
    markers.mkdir()
    deadly = []
    for number, wave in enumerate(waves):
        first, *others = wave.tasks
        args = {"job": first.job, "args": first.args, "marker": str(markers / str(number))}
        deadly.append(replace(wave, tasks=(replace(first, job="tests.support.deadly_job:once", args=args), *others)))
    work = maker(store, MortalExecutor(store.root))
    work.run_waves("repeats", deadly)
    assert work.scheduler.retries == len(waves) == len(list(markers.iterdir()))
    assert results(store) == expected


def test_every_task_names_all_it_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, waves = planned(tmp_path / "root", monkeypatch)
    run(store, [replace(wave, discard=()) for wave in waves])
    whole = results(store)
    for wave in waves[1:]:
        task = wave.tasks[-1]
        for address in whole.keys() - rebuild.inputs_of([task], waves):
            store.remove(address)
        run(store, [Wave("one", (task,))])
        for address in task.outputs:
            assert store.read_bytes(address) == whole[address]
        for address, data in whole.items():
            store.write_bytes(address, data)


def fibonacci(size: int) -> str:
    one, other = "a", "ab"
    while len(other) < size:
        one, other = other, other + one
    return other[:size]


HOSTILE = {
    "zeros": ["0" * 900, "x" + "0" * 700, "0" * 80 + "y" + "0" * 90, "0" * 64, "0" * 63],
    "fibonacci": [fibonacci(800), fibonacci(700)[3:], "b" + fibonacci(300)],
    "one change": ["abcdefg" * 90, "abcdefg" * 40 + "!" + "abcdefg" * 40, "bcdefga" * 30],
    "ends": ["p" * 20 + "q" * 20 + "r" * 60, "q" * 20 + "r" * 60, "z" + "q" * 20 + "r" * 60 + "z", "r" * 64],
    "characters": ["é" * 90 + "日本語" * 30, "ù" * 3 + "日本語" * 30 + "end", "è" + "日本語" * 29 + "日本誤" * 9],
    "touching": [
        ("".join(map(str, range(60))) + "\n") * 3,
        "".join(map(str, range(60))) * 2,
        "".join(map(str, range(59))),
    ],
}


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_texts_are_cut_as_the_plain_look_up_says(store: Store, kind: str, within: bool) -> None:
    pages = [Page(str(number), text) for number, text in enumerate(HOSTILE[kind])]
    params = repeats.Params(min_bytes=64, within_page=within)
    assert check(pages, run_repeats(store, pages, params, 2), params) > 0


def test_one_byte_a_million_times_leaves_one_copy(store: Store) -> None:
    pages = [Page("a", "0" * 1_000_000 + "end"), Page("b", "0" * 1_000_000)]
    rows = run_repeats(store, pages, repeats.Params())
    assert (rows["a"]["repeats_bytes"], rows["b"]["repeats_bytes"]) == (0, 1_000_000)
    rows = run_repeats(Store(store.root + "-within"), pages, repeats.Params(within_page=True))
    assert (rows["a"]["repeats_bytes"], rows["b"]["repeats_bytes"]) == (1_000_000 - 500, 1_000_000)


def test_a_passage_on_many_pages_takes_linear_work(tmp_path: Path) -> None:
    passage = " ".join(f"word{number * 7919 % 1000}" for number in range(140))
    seconds = []
    for count in (2_000, 20_000):
        pages = [
            Page(str(number), f"{number} {passage} {number * 31 % 10007}", seconds=number) for number in range(count)
        ]
        store = Store(str(tmp_path / str(count)))
        started = time.process_time()
        rows = run_repeats(store, pages, repeats.Params(), 4, 1000)
        seconds.append(time.process_time() - started)
        assert sum(row["num_repeats"] > 0 for row in rows.values()) == count - 1
        (most,) = json.loads(store.read_bytes("repeats/run/summary.json"))["most_repeated"][:1]
        assert most["places"] == count
        assert most["text"][:40] in passage
    assert seconds[1] < 10 * max(seconds[0], 0.5) * 3


def texts_left(pages: Sequence[Page], rows: dict[str, dict[str, Any]], column: str = "repeats_spans") -> dict[str, str]:
    left = {}
    for page in pages:
        data, at, parts = page.text.encode(), 0, []
        for span in rows[page.key][column]:
            parts.append(data[at : span["start"]])
            at = span["stop"]
        left[page.key] = b"".join([*parts, data[at:]]).decode()
    return left


SENTENCE = "Every stretch of text that stands in several places is found. "


def test_scope_says_where_copies_are_looked_for(tmp_path: Path) -> None:
    places = [("web", "https://a.example/1"), ("web", "https://b.example/2"), ("books", "https://a.example/3")]
    places += [("web", "http://user@A.example:80/4")]
    pages = [Page(str(n), f"{n} {SENTENCE * 2}{n}", source, url=url) for n, (source, url) in enumerate(places)]
    first = [page.key for page in in_order(pages)]
    expected = {"everything": first[1:], "source": [k for k in first if k != "2"][1:]}
    expected["host"] = [k for k in first if k in ("0", "3")][1:]
    for scope, cut in expected.items():
        rows = run_repeats(Store(str(tmp_path / scope)), pages, repeats.Params(min_bytes=64, scope=scope))
        assert sorted(key for key, row in rows.items() if row["num_repeats"]) == sorted(cut)


def test_the_policy_says_which_page_keeps(tmp_path: Path) -> None:
    pages = [
        Page("a", f"a {SENTENCE * 2}", "web", seconds=5),
        Page("b", f"b {SENTENCE * 2}and more of it", "web", seconds=1),
        Page("c", f"c {SENTENCE * 2}b", "books", seconds=9),
    ]
    policies = {("longest",): "b", ("newest",): "c", ("oldest",): "b", ("source", "newest"): "a"}
    for policy, keeps in policies.items():
        params = repeats.Params(min_bytes=64, survivor=policy, source_priority=("web",))
        rows = run_repeats(Store(str(tmp_path / "-".join(policy))), pages, params)
        assert [key for key, row in rows.items() if row["repeats_kept_bytes"]] == [keeps]
        assert [key for key, row in rows.items() if not row["num_repeats"]] == [keeps]
        kept = next(page for page in pages if page.key == keeps)
        assert {span["doc_id"] for row in rows.values() for span in row["repeats"]} == {kept.doc_id}


def test_pages_that_take_no_part_keep_nothing_and_are_not_cut(store: Store) -> None:
    pages = [Page(str(n), f"{n} {SENTENCE * 2}{'!' * n}") for n in range(4)]
    ((entry, part),) = write_splits(store, pages, 1, 2)
    keep = [page.key in ("0", "2") for page in part]
    store.write_table("decided.parquet", pa.table({"keep": keep}))
    plan = repeats.plan(repeats.Params(min_bytes=64), [replace(entry, decided="decided.parquet")], "repeats/run")
    run(store, plan)
    rows = store.read_table("repeats/run/web-1-0.parquet").to_pylist()
    found = {page.key: row for page, row in zip(part, rows, strict=True)}
    assert [found[key]["num_repeats"] for key in "0123"] == [1, 0, 0, 0]
    assert found["0"]["repeats"][0]["doc_id"] == pages[2].doc_id
    assert [found[key]["repeats_fraction"] is None for key in "0123"] == [False, True, False, True]
    assert [found[key]["repeats_spare_fraction"] is None for key in "0123"] == [False, True, True, True]
    store.write_table("decided.parquet", pa.table({"keep": keep[:3]}))
    store.remove("repeats")
    with pytest.raises(ValueError, match=r"decided.parquet: expected 4 rows as in documents/.*, found 3"):
        run(store, plan)


OTHER = "Another passage that is long enough to stand in several places"
COPIED = "The first sentence is copied. The second one of the passage is copied too. And so is the third."


def test_cuts_are_joined_and_widened_as_asked(tmp_path: Path) -> None:
    longest = f"Top line\n{COPIED} {'pad ' * 40}\n{OTHER}, is it not?\n"
    page = f"Begins. It says: {COPIED[5:]}, doesn't it? Ends.\nOwn.\nX{OTHER[7:]}, is it so?\n"
    pages = [Page("a", longest), Page("b", page)]
    widened = {}
    for widen in ("character", "sentence", "line"):
        for join in (0.0, 0.5):
            params = repeats.Params(min_bytes=40, widen=widen, join=join)
            rows = run_repeats(Store(str(tmp_path / f"{widen}{join}")), pages, params)
            assert texts_left(pages, rows)["a"] == longest
            widened[widen, join] = texts_left(pages, rows)["b"]
            assert texts_left(pages, rows, "repeats")["b"] == widened["character", 0.0]
    assert widened["character", 0.0] == "Begins. It says: , doesn't it? Ends.\nOwn.\nXso?\n"
    assert widened["sentence", 0.0] == "Begins. Ends.\nOwn.\n"
    assert widened["line", 0.0] == "Own.\n"
    assert widened["character", 0.5] == "Begins. It says: so?\n"
    assert widened["line", 0.5] == ""


@pytest.mark.parametrize(
    ("given_params", "said"),
    [
        ({"min_bytes": 31}, "greater than or equal to 32"),
        ({"min_bytes": 100, "anchor_bytes": 101}, r"anchor_bytes \(101\) may not exceed min_bytes \(100\)"),
        ({"survivor": ["quality"]}, "set quality_column"),
        ({"survivor": ["source"]}, "set source_priority"),
        ({"join": 0.6}, "less than or equal to 0.5"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given_params: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        repeats.Params.model_validate(given_params)


def test_there_is_nothing_to_do_for_nothing(store: Store) -> None:
    assert repeats.plan(repeats.Params(), [], "repeats/none") == []
    rows = run_repeats(store, [Page("a", ""), Page("b", "short")], repeats.Params())
    assert [row["repeats_fraction"] for row in rows.values()] == [None, 0.0]
    assert json.loads(store.read_bytes("repeats/run/summary.json"))["most_repeated"] == []
