"""The list of products: every one is verified, shown and counted, and no other list of products exists."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.answers.show import page_text
from pipeline.answers.status import status_text
from pipeline.answers.verify import verify_root
from pipeline.answers.why import lives
from pipeline.errors import RunError
from pipeline.recipe import graph
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.snapshot import Snapshot
from pipeline.store import costs
from pipeline.store.storage import Store
from stages.contract import Split
from tests.support.corpora import documented, write_corpus, write_mixture
from tests.support.runs import run_inline

PIPELINE = Path(__file__).resolve().parents[2] / "pipeline"
ALIGNED = [product.name for product in graph.PRODUCTS if product.aligned]
EVERYTHING = """
quality:
  benchmarks: {{files: [{{path: "{folder}/items.jsonl"}}]}}
  ensembles: {{best: {{of: [size]}}}}
lines: {{enabled: true, rules: {{short: {{max_bytes: 12, position: tail}}}}}}
repeats: {{enabled: true, min_bytes: 64}}
labels: {{labellers: {{size: {{function: "tests.products.test_labels:by_length"}}}}}}
scores: {{scorers: {{size: {{function: "tests.products.test_scores:characters", params: {{times: 2}}}}}}}}
"""
SPELT_OTHERWISE = {
    "minhash": "signatures are not shown number by number",
    "exact_duplicate": "`clusters` and `kept` say what came of it",
    "same_address": "`clusters` and `kept` say what came of it",
    "parent": "`derived_from` of `documents`",
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """A run with every product there is."""
    folder = tmp_path_factory.mktemp("graph")
    mixture = write_mixture(folder / "a.yaml", write_corpus(folder / "in", files=2))
    question = " ".join(documented()[0][1].split()[:30])
    (folder / "items.jsonl").write_text(json.dumps({"question": question}) + "\n")
    text = mixture.read_text() + EVERYTHING.format(folder=folder)
    best = "docs: {sources: [web], percentiles: {text_bytes: [10, 100]}}"
    mixture.write_text(text.replace("docs: {sources: [web]}", best))
    run_inline(mixture, folder / "root")
    return snapshots.load(Store(str(folder / "root")))


def test_a_run_with_everything_on_makes_every_product(finished: Snapshot) -> None:
    assert set(finished.data["products"]) == {*graph.in_manifests()}
    assert set(finished.data) >= {"sources", "survey", "shards", "corpus"}


@pytest.mark.parametrize("product", ALIGNED)
def test_one_damaged_byte_is_found_by_verify(finished: Snapshot, product: str) -> None:
    entry = finished.entry(product, 0)
    assert entry is not None
    path = Path(finished.store.root) / entry.address
    sound = path.read_bytes()
    path.chmod(0o644)
    try:
        path.write_bytes(sound[:200] + bytes([sound[200] ^ 1]) + sound[201:])
        with pytest.raises(RunError, match=entry.address):
            verify_root(finished.store, None)
    finally:
        path.write_bytes(sound)
    assert f"{product} " in verify_root(finished.store, None)


@pytest.mark.parametrize("product", ALIGNED)
def test_its_columns_are_shown_and_explained(finished: Snapshot, product: str) -> None:
    entry = finished.entry(product, 0)
    assert entry is not None
    columns = [name for name in finished.store.read_table(entry.address).column_names if name not in SPELT_OTHERWISE]
    address = f"https://docs.example/{documented()[0][0]}"
    shown = page_text(finished.store, None, address)
    assert not [name for name in columns if name not in shown]
    if product in ("signatures", "overlaps"):
        return  # hashes explain nothing; what evidence comes to, `contamination` says
    lives_text = json.dumps(lives(finished, address))
    assert not [name for name in columns if name not in lives_text]


@pytest.mark.parametrize("product", ALIGNED)
def test_its_rows_are_counted_by_status(finished: Snapshot, product: str) -> None:
    rows = sum(entry.report["rows"] for entry in finished.product("documents"))
    [line] = [line for line in status_text(finished.store).splitlines() if line.split()[:1] == [product]]
    assert line.split()[-1] == f"{rows:,}"


def test_no_task_is_named_by_a_hash(finished: Snapshot) -> None:
    """`watch` and the costs name what a task works on by input file, or by what it is of."""
    files = [address for address, _ in finished.store.list("runs/costs")]
    tasks = [task for address in files for task in costs.read(finished.store, address)[0].to_pylist()]
    hashed = [(task["phase"], task["label"]) for task in tasks if re.search(r"[0-9a-f]{16}", task["label"])]
    assert not hashed
    assert all(task["label"] for task in tasks)
    by_file = {task["phase"] for task in tasks if "web/part-000.warc.gz" in task["label"]}
    assert by_file >= {"measure", "scores", "eligible", "kept", "survey", "tokens"}
    assert by_file >= {"contamination: score", "ensembles: mark"}
    assert ("kept: percentiles: count", "code/code.jsonl and 2 more") in {
        (task["phase"], task["label"]) for task in tasks
    }


def test_parts_of_a_file_and_groups_of_files_are_named_apart() -> None:
    def split(**more: Any) -> Split:
        return Split(
            **{
                "source": "web",
                "file": "a.jsonl",
                "start": 0,
                "end": 0,
                "unit": "file",
                "uri": "",
                "size": 1,
                "etag": "",
                **more,
            }
        )

    assert split().label == "web/a.jsonl"
    assert split(unit="bytes", end=10_000).label == "web/a.jsonl"
    assert split(unit="bytes", start=10_000, end=20_000).label == "web/a.jsonl from byte 10,000 on"
    assert split(unit="row_groups", start=3, end=5).label == "web/a.jsonl from row group 3 on"
    assert split(unit="files", parts=tuple((f"{n}.txt", "", 1) for n in range(13))).label == "web/a.jsonl and 12 more"


def test_inputs_are_made_before_what_reads_them() -> None:
    seen: set[str] = set()
    for product in graph.PRODUCTS:
        assert set(product.inputs) <= seen, product.name
        seen.add(product.name)
    assert len(seen) == len(graph.PRODUCTS)


@pytest.mark.parametrize("path", sorted(PIPELINE.rglob("*.py")), ids=lambda path: str(path.relative_to(PIPELINE)))
def test_no_other_list_of_products_exists(path: Path) -> None:
    """No tuple, list, set or mapping of the pipeline names four products or more."""
    if path == PIPELINE / "recipe" / "graph.py":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        entries = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", [])
        named = {entry.value for entry in entries if isinstance(entry, ast.Constant)} & set(graph.BY_NAME)
        assert len(named) < 4, f"{path.name}:{node.lineno} lists {sorted(named)}: ask pipeline.recipe.graph"  # type: ignore[attr-defined]
