"""Transforms: what a function makes of pages becomes pages, whatever else it does, and goes where they go."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner

from pipeline import recipe as recipes
from pipeline.answers import trace
from pipeline.answers.stats import stats_of
from pipeline.answers.verify import verify_root
from pipeline.answers.why import lives
from pipeline.cli import main
from pipeline.recipe.snapshot import Snapshot, load
from pipeline.recipe.yaml_file import ConfigError
from pipeline.run import takedown
from pipeline.store.storage import Store
from stages import schemas
from stages.documents import derived
from stages.documents.batches import measure
from stages.documents.derived import Transform
from stages.transforms import process
from tests.run.test_crash_points import copied, watched
from tests.support.corpora import write_corpus, write_mixture
from tests.support.dedup_families import words
from tests.support.runs import made, run_inline, tree
from tests.support.thorough import some

HERE = "tests.support.transforms"


@pytest.fixture(autouse=True)
def _no_process_stays() -> Iterator[None]:
    yield
    process.close()


def transform(function: str, **more: Any) -> Transform:
    return Transform.model_validate({"function": f"{HERE}:{function}", "inputs": {"sources": ["web"]}, **more})


def children(name: str, transform: Transform, rows: pa.RecordBatch) -> Any:
    return derived.children(name, transform, derived.decided(transform), rows)


def parents(texts: list[str]) -> pa.RecordBatch:
    count = len(texts)
    column = pa.array(texts, pa.large_string())
    sizes, hashes = measure(column)
    columns: dict[str, Any] = {
        "doc_id": pa.array([n.to_bytes(16, "big") for n in range(count)], pa.binary(16)),
        "source": pa.array(["web"] * count),
        "file": pa.array(["a.warc.gz"] * count),
        "offset": pa.array(range(100, 100 + count), pa.int64()),
        "url": pa.array([f"https://x.example/{n}" for n in range(count)]),
        "licence": pa.array(["CC0"] * count),
        "raw_bytes": sizes,
        "text_bytes": sizes,
        "text_hash": hashes,
        "text": column,
    }
    arrays = [columns.get(field.name, pa.nulls(count, field.type)) for field in schemas.DOCUMENTS]
    return pa.RecordBatch.from_arrays(arrays, schema=schemas.DOCUMENTS)


def test_bad_pages_are_quarantined_with_a_reason_and_their_neighbours_are_not() -> None:
    asked = {
        "raise": "raised_an_error",
        "die": "killed_the_process",
        "hang": "took_too_long",
        "million": "made_too_many_rows",
        "endless": "made_too_many_rows",
        "long": "made_too_much_text",
        "invalid": "made_invalid_utf8",
        "surrogate": "made_invalid_utf8",
        "number": "made_no_text",
        "late": "raised_an_error",
    }
    texts = [text for bad in asked for text in ("before " + bad, bad)]
    texts += ["nothing", "empty", "parent", "twice", "print", "last"]
    settings = transform("as_asked", batch=26, seconds=1, max_rows=50, max_bytes=2000)
    table, report = children("made", settings, parents(texts))
    reasons = {texts[place["offset"] - 100]: place["reason"] for place in report["quarantined"]}
    assert reasons == asked
    counts = {reason: count for reason, (count, _) in report["dropped"].items()}
    assert counts == {"made_nothing": 1, "empty_text": 1, "unchanged": 1, "repeats_a_sibling": 1}
    good = [f"before {bad} again" for bad in asked] + ["same", "other", "said", "last again"]
    assert table.column("text").to_pylist() == good
    assert report["rows"] == len(good)


def test_a_function_that_gives_another_number_of_results_or_is_not_there_is_reported() -> None:
    _, report = children("made", transform("too_many"), parents(["a", "b"]))
    assert [place["reason"] for place in report["quarantined"]] == ["raised_an_error"] * 2
    with pytest.raises(ValueError, match="cannot be loaded in its process"):
        derived.children("made", transform("absent"), "", parents(["a"]))


def test_children_are_named_by_parent_transform_settings_and_ordinal_and_keep_what_is_the_parent_s() -> None:
    rows = parents(["one two three four", "five six seven eight"])
    table, _ = children("made", transform("halves"), rows)
    found = table.to_pylist()
    assert [(row["derived_from"], row["ordinal"]) for row in found] == [
        (rows.column("doc_id")[n].as_py(), ordinal) for n in range(2) for ordinal in range(2)
    ]
    assert {(row["source"], row["transform"], row["file"], row["licence"]) for row in found} == {
        ("made", "made", "web/a.warc.gz", "CC0")
    }
    assert [row["url"] for row in found] == ["https://x.example/0"] * 2 + ["https://x.example/1"] * 2
    again, _ = children("made", transform("halves", batch=1, gpus=1, seconds=9), rows.slice(1))
    assert again.column("doc_id").to_pylist() == table.column("doc_id").to_pylist()[2:]
    ids = set(table.column("doc_id").to_pylist())
    for other in (transform("halves", params={"mark": "x"}), transform("halves", max_rows=5)):
        assert not ids & set(children("made", other, rows)[0].column("doc_id").to_pylist())
    assert not ids & set(children("other", transform("halves"), rows)[0].column("doc_id").to_pylist())


def write_parents(store: Store, texts: list[str], group: int) -> dict[str, str]:
    rows = parents(texts)
    with store.table_writer("d/a.parquet", schemas.DOCUMENTS) as writer:
        for start in range(0, len(texts), group):
            writer.write(rows.slice(start, group))
    languages = ["en" if n % 3 else "de" for n in range(len(texts))]
    columns = [pa.array(languages), pa.array(["Latn"] * len(texts)), pa.array([0.9] * len(texts), pa.float32())]
    store.write_table("l/a.parquet", pa.table(columns, schema=schemas.LANGUAGE))
    return {"documents": "d/a.parquet", "language": "l/a.parquet"}


def test_conditions_choose_pages_and_batches_change_no_row(tmp_path: Path) -> None:
    texts = [f"{'word ' * n}{n}" for n in range(40)]
    found = []
    for number, (group, batch) in enumerate(((40, 64), (7, 3))):
        store = Store(str(tmp_path / str(number)))
        files = write_parents(store, texts, group)
        inputs = {"sources": ["web"], "languages": ["en"], "min": {"text_bytes": 20, "confidence": 0.9}}
        inputs["max"] = {"confidence": 0.95}
        own = transform("languages", batch=batch, inputs=inputs)
        settings = {"transform": own.model_dump(mode="json"), "settings": derived.decided(own)}
        report = derived.derive(store, name="made", **settings, files=files, file="a", output="c/a.parquet")
        assert report["reasons"] == {}
        rows = store.read_table("c/a.parquet")
        assert report["records"] == report["rows"] == rows.num_rows
        assert (report["parents"], report["parents_taken"]) == (40, rows.num_rows)
        found.append(rows)
    wanted = [n for n in range(40) if n % 3 and len(texts[n].encode()) >= 20]
    assert found[0].column("text").to_pylist() == [f"en None https://x.example/{n} {len(texts[n])}" for n in wanted]
    assert found[0].equals(found[1])


def test_what_was_made_before_a_kill_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"page {n}" for n in range(20)]
    (tmp_path / "log").mkdir()
    log = tmp_path / "log" / "calls"

    def run(root: str) -> Path:
        store = Store(str(tmp_path / root))
        files = write_parents(store, texts, 8)
        own = transform("counted", params={"log": str(log.parent)}, batch=2, resume_rows=4)
        settings = {"transform": own.model_dump(mode="json"), "settings": derived.decided(own)}
        derived.derive(store, name="made", **settings, files=files, file="a", output="c/a.parquet")
        assert store.list("runs/transforms") == []
        return Path(store.base) / "c" / "a.parquet"

    undisturbed = run("whole").read_bytes()
    assert sum(map(int, log.read_text().split())) == 20
    log.unlink()
    make = derived.children
    monkeypatch.setattr(derived, "children", dies_after(3, make))
    with pytest.raises(KeyboardInterrupt):
        run("killed")
    monkeypatch.setattr(derived, "children", make)
    assert run("killed").read_bytes() == undisturbed
    assert sum(map(int, log.read_text().split())) == 20, "every page was given once"


def dies_after(times: int, function: Any) -> Any:
    calls = iter(range(times))

    def called(*args: Any) -> Any:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return function(*args)

    return called


# In a run

ENTRY = """\
transforms:
  new:
    function: "tests.support.transforms:{function}"
    params: {params}
    inputs: {{sources: [web], min: {{text_bytes: 2000}}}}
{more}domains:
  new: {{sources: [new]}}
"""


def mixture_of(folder: Path, function: str = "halves", params: str = "{}", more: str = "") -> Path:
    path = write_mixture(folder / "small.yaml", folder / "in")
    text = path.read_text().replace("domains:\n", ENTRY.format(function=function, params=params, more=more), 1)
    text = text.replace("mixture:\n  domains:\n", "mixture:\n  domains:\n    new: {share: 0.1}\n")
    path.write_text(text.replace("docs: {share: 0.7}", "docs: {share: 0.6}"))
    return path


def rows_of(snapshot: Snapshot, *products: str) -> list[dict[str, Any]]:
    found = []
    for entries in zip(*(snapshot.product(name) for name in products), strict=True):
        tables = [snapshot.store.read_table(entry.address).to_pylist() for entry in entries]
        found += [{k: v for part in row for k, v in part.items()} for row in zip(*tables, strict=True)]
    return found


def ids_in_shards(snapshot: Snapshot) -> list[tuple[str, int, bytes]]:
    """(shard, row, doc_id) of every document of every shard, read with Arrow alone."""
    found = []
    for address in [snapshot.data["corpus"], *snapshot.data["shards"].values()]:
        folder = address.rpartition("/")[0]
        for entry in snapshot.store.read_json(address)["shards"]:
            path = f"{folder}/{entry['path']}"
            with snapshot.store.open(path) as file:
                ids = pa.ipc.open_stream(file).read_all().column("doc_id").to_pylist()
            found += [(path, row, doc_id) for row, doc_id in enumerate(ids)]
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("transforms")
    write_corpus(folder / "in", files=3)
    run_inline(mixture_of(folder), folder / "root")
    return folder


def test_derived_pages_go_the_way_of_all_pages_and_the_chain_is_shown(finished: Path) -> None:
    store = Store(str(finished / "root"))
    snapshot = load(store)
    pages = rows_of(snapshot, "documents", "language", "quality", "clusters", "kept")
    by_id = {page["doc_id"]: page for page in pages}
    children = [page for page in pages if page.get("derived_from")]
    taken = [page for page in pages if page["source"] == "web" and page["text_bytes"] >= 2000]
    assert sorted({page["derived_from"] for page in children}) == sorted(page["doc_id"] for page in taken)
    for child in children:
        assert child["text"] in by_id[child["derived_from"]]["text"] + " "
        assert (child["language"], child["gopher_num_words"] > 0) == ("en", True)
    assert {page["reason"] for page in children} > {None, "exact_duplicate"}
    assert "all is well" in verify_root(store, None)
    read = [page for page in pages if page["source"] == "web"]
    assert stats_of(snapshot)["transforms"] == [
        {"transform": "new", "parents": len(read), "taken": len(taken), "nothing": 0}
        | {"made": len(children), "left_out": 0, "quarantined": {}}
    ]
    shard, row, doc_id = next(one for one in ids_in_shards(snapshot) if "/new-" in one[0])
    parent = by_id[by_id[doc_id]["derived_from"]]
    traced = trace.trace(store, None, f"{shard}:{row}")
    assert traced["derived_from"]["doc_id"] == parent["doc_id"].hex()
    [life] = lives(snapshot, doc_id.hex())
    assert life["derived_from"]["page"]["url"] == parent["url"]
    assert life["derived_from"]["function"] == f"{HERE}:halves"
    [life] = lives(snapshot, parent["doc_id"].hex())
    assert doc_id.hex() in [entry["doc_id"] for entry in life["derived"]]
    text = CliRunner().invoke(main, ["why", doc_id.hex(), "--root", store.root]).output
    assert f"doc_id      {parent['doc_id'].hex()}" in text
    child, number = by_id[doc_id], next(n for n, s in enumerate(snapshot.splits()) if s["source"] == "new")
    raw = trace.raw_record(snapshot, number, child)
    assert parent["title"].encode() in raw


def test_a_second_run_does_nothing_and_other_settings_redo_that_transform_alone(finished: Path) -> None:
    assert made(run_inline(finished / "small.yaml", finished / "root")) == {}
    before = rows_of(load(Store(str(finished / "root"))), "documents")
    work = made(run_inline(mixture_of(finished, params='{mark: "Again: "}'), finished / "root"))
    assert [work[name] for name in ("documents", "language", "quality", "signatures")] == [3] * 4
    after = rows_of(load(Store(str(finished / "root"))), "documents")
    assert [row for row in before if row["source"] != "new"] == [row for row in after if row["source"] != "new"]
    assert made(run_inline(mixture_of(finished), finished / "root")).keys() <= {"report"}, "going back costs nothing"


def test_a_rewrite_is_no_duplicate_of_its_own_parent_unless_asked(tmp_path: Path) -> None:
    write_corpus(tmp_path / "in", files=2)
    (tmp_path / "log").mkdir()
    log = tmp_path / "log" / "calls"
    params = f'{{log: "{log.parent}"}}'
    mixture = mixture_of(tmp_path, "counted", params)
    run_inline(mixture, tmp_path / "root")
    pages = rows_of(load(Store(str(tmp_path / "root"))), "documents", "clusters", "kept")
    by_id = {page["doc_id"]: page for page in pages}
    children = [page for page in pages if page.get("derived_from")]
    alike = [page for page in children if page["cluster"] == by_id[page["derived_from"]]["cluster"] is not None]
    assert sum(page["keep"] for page in alike) > 20
    stays = [by_id[page["survivor"]] for page in alike if page["survivor"]]
    assert all(page["survivor"] != page["derived_from"] for page in alike)
    assert all(page["keep"] for page in stays)
    others = [page for page in children if page["survivor"] not in (None, page["derived_from"])]
    assert others, "children of mirrors go for the pages that stay"
    assert {page["reason"] for page in others} <= {"exact_duplicate", "near_duplicate"}
    read = [page for page in pages if not page.get("derived_from") and page["survivor"]]
    assert not [page for page in read if by_id[page["survivor"]].get("derived_from")], "a page read never goes for one"
    calls = log.read_text()
    asked = mixture_of(tmp_path, "counted", params, "    kept: {against_parent: true}\n")
    asked.write_text(asked.read_text().replace("    new: {share: 0.1}\n", "").replace("0.6}", "0.7}"))
    run_inline(asked, tmp_path / "root")
    pages = rows_of(load(Store(str(tmp_path / "root"))), "documents", "clusters", "kept")
    assert {page["reason"] for page in pages if page.get("derived_from") and page["survivor"]} <= {
        "exact_duplicate",
        "near_duplicate",
    }
    assert log.read_text() == calls, "no page was given again"


@pytest.mark.parametrize(
    ("asked", "stay"),
    [
        (["end", "end more"], 1),  # of two like the page and each other
        (["!", "end", "end more"], 1),  # of a copy of the page and two like it
        (["!", "!?"], 1),
        (["end", "another"], 2),
        (["another", "another end", "another end more"], 1),
        (["!", "another", "another end"], 2),
    ],
)
@pytest.mark.parametrize("against_parent", [False, True])
def test_of_texts_of_one_page_that_are_alike_one_stays_and_every_count_says_so(
    tmp_path: Path, asked: list[str], stay: int, against_parent: bool
) -> None:
    draw = random.Random(3)
    lines = [json.dumps({"url": f"https://x.example/{n}", "text": " ".join(words(draw, 60))}) for n in range(3)]
    (tmp_path / "pages.jsonl").write_text("\n".join(lines) + "\n")
    mixture = tmp_path / "several.yaml"
    settings = f"{{families: [], against_parent: {str(against_parent).lower()}}}"
    mixture.write_text(
        f"name: several\nsources: {{web: {{paths: {tmp_path}/pages.jsonl}}}}\n"
        f"transforms: {{new: {{function: '{HERE}:variants', params: {{kinds: {json.dumps(asked)}}}, "
        "inputs: {sources: [web]}}}\n"
        f"kept: {settings}\ndomains: {{all: {{}}}}\nmixture: {{domains: {{all: {{share: 1}}}}}}\n"
    )
    run_inline(mixture, tmp_path / "root")
    snapshot = load(Store(str(tmp_path / "root")))
    pages = rows_of(snapshot, "documents", "clusters", "kept")
    read = [page for page in pages if not page.get("derived_from")]
    assert [page["keep"] for page in read] == [True] * 3
    children = [page for page in pages if page.get("derived_from")]
    left = stay - any("another" not in kind for kind in asked) if against_parent else stay
    assert [sum(page["keep"] for page in children if page["derived_from"] == one["doc_id"]) for one in read] == [
        left
    ] * 3
    kept = {page["doc_id"] for page in pages if page["keep"]}
    assert all((page["survivor"] in kept) if not page["keep"] else page["survivor"] is None for page in pages)
    clusters = stats_of(snapshot)["clusters"]
    assert clusters["exact_removed"] + clusters["fuzzy_removed"] == 3 * (len(asked) - left)


def test_take_down_of_a_page_takes_what_was_made_of_it(finished: Path, tmp_path: Path) -> None:
    mixture, root = mixture_of(finished), finished / "root"
    run_inline(mixture, root)
    snapshot = load(Store(str(root)))
    pages = {page["doc_id"]: page for page in rows_of(snapshot, "documents", "kept")}
    held = {doc_id for _, _, doc_id in ids_in_shards(snapshot)}
    child = next(page for page in pages.values() if page.get("derived_from") and page["doc_id"] in held)
    parent = child["derived_from"]
    (tmp_path / "list.txt").write_text(f"{parent.hex()}\n")
    args = ["remove", str(tmp_path / "list.txt"), str(mixture), "--root", str(root), "--engine", "inline"]
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 0, result.output
    family = {parent, *(doc_id for doc_id, page in pages.items() if page.get("derived_from") == parent)}
    assert len(family) == 3
    assert "2 of them are what transforms made of the others" in result.output
    snapshot = load(Store(str(root)))
    assert not family & {doc_id for _, _, doc_id in ids_in_shards(snapshot)}, "by a scan of every shard"
    address = next(line.split()[1] for line in result.output.splitlines() if line.startswith("receipt"))
    receipt = json.loads(Path(address).read_text())
    assert receipt["pages"] == sorted(doc_id.hex() for doc_id in family)
    assert [pair["derived_from"] for pair in receipt["derived"]] == [parent.hex()] * 2
    gone = [page for page in rows_of(snapshot, "documents", "kept") if page["doc_id"] in family]
    assert {page["reason"] for page in gone} <= {"taken_down", "exact_duplicate"}
    assert pages[child["doc_id"]]["reason"] is None
    log = tmp_path / "log"
    log.mkdir()
    again = mixture_of(finished, "counted", f'{{log: "{log}"}}')
    run_inline(again, root)
    given = sum(map(int, (log / "calls").read_text().split()))
    snapshot = load(Store(str(root)))
    reports = [entry.report for entry in snapshot.product("documents") if "parents" in entry.report]
    assert given == sum(report["parents_taken"] for report in reports) - 1, "the page is not given to a later one"
    assert sum(report["dropped"].get("taken_down", {"records": 0})["records"] for report in reports) == 1
    assert parent not in {page.get("derived_from") for page in rows_of(snapshot, "documents")}
    (root / takedown.LIST).unlink()


def test_what_entries_of_the_list_name_is_left_out() -> None:
    urls = ["https://a.example/1", "https://b.example/1", None, "https://c.example:8080/x"]
    rows = pa.record_batch({"doc_id": pa.array([bytes([n]) * 16 for n in range(4)], pa.binary(16)), "url": urls})
    for kind, value, expected in (
        ("url", "https://a.example/1", [True, False, False, False]),
        ("host", "c.example", [False, False, False, True]),
        ("doc_id", (b"\2" * 16).hex(), [False, False, True, False]),
        ("url", "https://a.example/", [False] * 4),
    ):
        assert derived.taken_down(rows, [{"kind": kind, "value": value}]).to_pylist() == expected
    assert derived.taken_down(rows, []).to_pylist() == [False] * 4


def test_no_layout_of_the_input_files_changes_a_derived_page(finished: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "root"
    run_inline(mixture_of(finished, more="    batch: 5\n    resume_rows: 3\n"), fresh)
    run_inline(mixture_of(finished), finished / "root")
    mine, other = tree(finished / "root"), tree(fresh)
    assert {name: mine[name] for name in other} == other


@pytest.mark.slow
def test_a_run_killed_at_any_moment_of_a_transform_ends_in_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_corpus(tmp_path / "in", files=1)
    mixture = mixture_of(tmp_path, more="    resume_rows: 20\n")
    run_inline(mixture, tmp_path / "whole")
    states: list[Path] = []

    def before(what: str) -> None:
        if any((tmp_path / "again" / "documents").glob("*/*")) and not any((tmp_path / "again").glob("kept/*")):
            states.append(tmp_path / f"state-{len(states):04}")
            copied(tmp_path / "again", states[-1])

    with monkeypatch.context() as patch:
        (tmp_path / "again").mkdir()
        watched(patch, tmp_path / "again", before)
        run_inline(mixture, tmp_path / "again")
    expected = tree(tmp_path / "whole")
    assert tree(tmp_path / "again") == expected
    pieces = [state for state in states if any((state / "runs" / "transforms").rglob("*.parquet"))]
    assert 5 < len(pieces) < len(states)
    for state in [*some(pieces, 5), *some(states, max(1, len(states) // 4))]:
        if state.exists():
            run_inline(mixture, state)
            files = tree(state)
            left = {name: files[name] for name in files if not name.startswith(".tmp/")}  # swept by `run`
            assert left == expected, state.name
            assert not any((state / "runs" / "transforms").rglob("*.parquet"))
            shutil.rmtree(state)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('{function: "tests.support.transforms:halves"}', "inputs: this key is needed"),
        ('{function: "tests.support.transforms:halve", inputs: {sources: [web]}}', "no attribute 'halve'"),
        ('{function: "halves", inputs: {sources: [web]}}', "expected module:function"),
        ('{function: "tests.support.transforms:halves", inputs: {sources: [wab]}}', "no such source 'wab'; did you"),
        ('{function: "tests.support.transforms:halves", inputs: {sources: [new]}}', "'new' is a transform"),
        ('{function: "tests.support.transforms:halves", params: {x: 1}, inputs: {sources: [web]}}', "argument 'x'"),
        ('{function: "tests.support.transforms:halves", inputs: {sources: [web], min: {nois: 1}}}', "no column 'nois'"),
        ('{function: "tests.support.transforms:halves", inputs: {sources: [web]}, documents: {}}', "reads no files"),
        ('{function: "tests.support.transforms:halves", inputs: {sources: [web]}, rows: 3}', "no such key"),
    ],
)
def test_wrong_settings_are_reported_in_a_line(tmp_path: Path, entry: str, message: str) -> None:
    path = write_mixture(tmp_path / "a.yaml", tmp_path)
    path.write_text(path.read_text() + f"transforms:\n  new: {entry}\n")
    with pytest.raises(ConfigError) as error:
        recipes.load(path, Store(str(tmp_path)))
    assert message in str(error.value)
    assert "transforms.new" in str(error.value)


def test_the_mixtures_of_the_how_to_are_right(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "transforms.md").read_text(encoding="utf-8")
    whole, server = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "rewrite.txt").write_text("In other words: {text}")
    (tmp_path / "a.yaml").write_text(whole)
    made = recipes.load(tmp_path / "a.yaml", Store(str(tmp_path)))
    assert made.transforms()["glossary"].inputs.languages == ("en",)
    assert not made.sources["glossary"].sections["kept"].families
    own = server + whole.partition("transforms:\n")[2]
    (tmp_path / "b.yaml").write_text(whole.partition("transforms:\n")[0] + own)
    made = recipes.load(tmp_path / "b.yaml", Store(str(tmp_path)))
    params = made.transforms()["rewrite"].params
    assert (params["prompt"], params["url"]) == (str(tmp_path / "rewrite.txt"), "http://localhost:8000/v1")
    first = made.fingerprint("documents", "rewrite").hex
    (tmp_path / "rewrite.txt").write_text("In fewer words: {text}")
    assert recipes.load(tmp_path / "b.yaml", Store(str(tmp_path))).fingerprint("documents", "rewrite").hex != first
