"""Whole runs in one process: what is made, what is reused, and that equal inputs give equal bytes."""

from __future__ import annotations

import gc
import gzip
import hashlib
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.answers.verify import verify_root
from pipeline.errors import RunError
from pipeline.progress import Reporter
from pipeline.recipe import snapshot as snapshots
from pipeline.run.bad_input import share_of
from pipeline.store.storage import Store
from tests.support.archives import record, write
from tests.support.corpora import documented, page, write_corpus, write_mixture
from tests.support.range_server import RangeServer
from tests.support.runs import made, run_inline, tree


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus' inputs, its mixture file, and a finished root; tests copy what they change."""
    folder = tmp_path_factory.mktemp("finished")
    write_corpus(folder / "in")
    write_mixture(folder / "small.yaml", folder / "in")
    run_inline(folder / "small.yaml", folder / "root")
    return folder


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """A root of its own over the shared inputs."""
    shutil.copytree(finished / "root", tmp_path / "root")
    return tmp_path


def addresses(store: Store, product: str) -> list[str]:
    return [entry.address for entry in snapshots.load(store).product(product)]


def test_a_run_ends_in_a_corpus_that_verifies(finished: Path) -> None:
    store = Store(str(finished / "root"))
    manifest = store.read_json(store.read_json("mixtures/small.json")["corpus"])
    assert manifest["tokens"] == sum(domain["tokens"] for domain in manifest["domains"].values()) > 100_000
    for domain in manifest["domains"].values():
        assert abs(domain["realised_share"] - domain["requested_share"]) < 0.05
    assert len(manifest["shards"]) > 3
    assert "all is well" in verify_root(store, None)


def test_every_kept_page_is_in_the_shards_of_its_domain_once(finished: Path) -> None:
    store = Store(str(finished / "root"))
    snapshot = store.read_json("mixtures/small.json")
    kept: dict[str, set[bytes]] = {"docs": set(), "code": set()}
    documents, decisions = (addresses(store, product) for product in ("documents", "kept"))
    for texts, decided in zip(documents, decisions, strict=True):
        ids = store.read_table(texts, ["doc_id"]).column("doc_id").to_pylist()
        for doc_id, domain in zip(ids, store.read_table(decided, ["domain"]).column("domain").to_pylist(), strict=True):
            if domain is not None:
                kept[domain].add(doc_id)
    for domain, address in snapshot["shards"].items():
        folder = address.rpartition("/")[0]
        found: list[bytes] = []
        for shard in store.read_json(address)["shards"]:
            with store.open(f"{folder}/{shard['path']}") as file:
                found += pa.ipc.open_stream(file).read_all().column("doc_id").to_pylist()
        assert len(found) == len(set(found))
        assert set(found) == kept[domain]


def test_duplicates_name_a_survivor_that_stays(finished: Path) -> None:
    store = Store(str(finished / "root"))
    removed, staying = {}, set()
    for texts, clusters in zip(addresses(store, "documents"), addresses(store, "clusters"), strict=True):
        ids = store.read_table(texts, ["doc_id", "url"]).to_pylist()
        for document, row in zip(ids, store.read_table(clusters).to_pylist(), strict=True):
            if row["survivor"] is None:
                staying.add(document["doc_id"])
            else:
                removed[document["url"]] = row
    assert len(removed) >= 30
    assert {row["survivor"] for row in removed.values()} <= staying
    assert all(row["similarity"] >= 0.8 for row in removed.values())
    assert {row["match"] for row in removed.values()} == {"exact", "fuzzy"}


def test_a_second_run_makes_nothing_and_changes_no_byte(finished: Path, copied: Path) -> None:
    before = tree(copied / "root")
    assert made(run_inline(finished / "small.yaml", copied / "root")) == {}
    assert tree(copied / "root") == before


def test_another_root_has_the_same_bytes_under_the_same_names(finished: Path, tmp_path: Path) -> None:
    run_inline(finished / "small.yaml", tmp_path / "other")
    assert tree(tmp_path / "other") == tree(finished / "root")


def test_a_root_in_a_bucket_has_the_bytes_of_one_on_a_disk(tmp_path: Path, s3: str) -> None:
    write(
        tmp_path / "in.warc.gz",
        [record(page(name, text), url=f"https://e.org/{name}") for name, text in documented()[:40]],
    )
    settings = f'sources: {{web: {{paths: "{tmp_path}/in.warc.gz"}}}}\ndomains: {{en: {{}}}}\nname: small\n'
    (tmp_path / "small.yaml").write_text(settings + "mixture: {domains: {en: {share: 1}}}\n")
    root = f"s3://roots/run{s3}&allow_bucket_creation=true"
    store = Store(root)
    store.fs.create_dir("roots")
    for place in (tmp_path / "root", root, root):
        job = run_inline(tmp_path / "small.yaml", place)
    assert made(job) == {}
    stored = {address: hashlib.sha256(store.read_bytes(address)).hexdigest() for address, _ in store.list("")}
    assert {name: digest for name, digest in stored.items() if not name.startswith("runs/")} == tree(tmp_path / "root")


def test_a_changed_share_redoes_only_the_corpus(finished: Path, copied: Path) -> None:
    changed = write_mixture(copied / "small.yaml", finished / "in", docs=0.6)
    job = run_inline(changed, copied / "root")
    assert made(job) == {"corpus": 1}
    why = next(step.why for step in job.steps if step.product == "corpus")
    assert "share" in why


def test_a_changed_threshold_redoes_kept_and_what_follows(finished: Path, copied: Path) -> None:
    job = run_inline(write_mixture(copied / "small.yaml", finished / "in", min_words=120), copied / "root")
    assert set(made(job)) == {"eligible", "clusters", "kept", "survey", "tokens", "shards", "corpus"}
    assert made(job)["kept"] == 7
    why = next(step.why for step in job.steps if step.product == "kept")
    assert "too_few_words: 50" in why
    assert "120" in why


def test_a_threshold_that_drops_no_other_page_tokenizes_nothing_again(finished: Path, copied: Path) -> None:
    extra = "# the rule is tighter, but no page lies between\n"
    text = (
        (finished / "small.yaml").read_text().replace("too_few_words: 50", "too_few_words: 50, too_many_words: 99999")
    )
    (copied / "small.yaml").write_text(text + extra)
    assert set(made(run_inline(copied / "small.yaml", copied / "root"))) == {"eligible", "kept", "survey"}


def test_going_back_costs_nothing(finished: Path, copied: Path) -> None:
    run_inline(write_mixture(copied / "small.yaml", finished / "in", min_words=120, docs=0.5), copied / "root")
    assert made(run_inline(finished / "small.yaml", copied / "root")) == {}


def test_a_new_input_file_costs_itself_and_the_global_products(finished: Path, copied: Path) -> None:
    shutil.copytree(finished / "in", copied / "in", copy_function=shutil.copy2)
    text = "Entirely new words stand on this page, and they say that the river was wide. " * 12
    write(copied / "in" / "web" / "part-900.warc.gz", [record(page("new", text), url="https://new.example/1")])
    job = run_inline(write_mixture(copied / "small.yaml", copied / "in"), copied / "root")
    work = made(job)
    assert work["documents"] == work["language"] == work["quality"] == work["signatures"] == 1
    assert work["kept"] == work["survey"] == work["tokens"] == 1
    assert work["clusters"] == 8
    assert work["shards"] == 1


def test_a_source_without_documents_fails_unless_allowed(tmp_path: Path) -> None:
    write_corpus(tmp_path / "in", files=1)
    for file in (tmp_path / "in" / "code").iterdir():
        file.write_text("")
    mixture = write_mixture(tmp_path / "m.yaml", tmp_path / "in", docs=1.0, extra="run: {max_bad_fraction: 1}\n")
    with pytest.raises(RunError, match="source code: no document in its file;"):
        run_inline(mixture, tmp_path / "root")
    assert Store(str(tmp_path / "root")).list("runs/costs")  # of what was made before it failed
    mixture.write_text(mixture.read_text().replace("max_bad_fraction: 1", "max_bad_fraction: 1, allow_empty: [code]"))
    run_inline(mixture, tmp_path / "root")


def test_too_much_bad_input_fails_the_run_and_names_an_example(tmp_path: Path) -> None:
    write_corpus(tmp_path / "in")
    (tmp_path / "in" / "web" / "part-700.warc.gz").write_bytes(b"this is no WARC" * 10_000)
    mixture = write_mixture(tmp_path / "m.yaml", tmp_path / "in")
    with pytest.raises(RunError, match=r"source web: [0-9.]+% of its input is bad .*part-700.warc.gz"):
        run_inline(mixture, tmp_path / "root")
    mixture.write_text(mixture.read_text() + "run: {max_bad_fraction: 0.9}\n")
    run_inline(mixture, tmp_path / "root")


@pytest.mark.parametrize("content", [b"", b"<html>maintenance</html>\n", gzip.compress(b"\0" * 3000, mtime=0)])
def test_files_of_a_list_on_a_web_server_count_for_the_bad_though_their_sizes_are_not_asked_for(
    tmp_path: Path, content: bytes
) -> None:
    web = tmp_path / "web"
    web.mkdir()
    line = json.dumps({"text": "The river rises in the northern hills and runs to the sea."}) + "\n"
    for number in range(4):
        (web / f"{number}.jsonl").write_text(line * 200)
    (web / "1.jsonl").write_bytes(content)
    with RangeServer(web) as server:
        (tmp_path / "all.paths").write_text("".join(f"{server.address}/{number}.jsonl\n" for number in range(4)))
        mixture = tmp_path / "m.yaml"
        mixture.write_text(
            "sources: {web: {paths: all.paths}}\nkept: {families: []}\ndomains: {all: {sources: [web]}}\n"
            "mixture: {domains: {all: {share: 1}}}\n"
        )
        with pytest.raises(RunError, match=r"source web: 25.00% of its input is bad .*/1.jsonl"):
            run_inline(mixture, tmp_path / "root")
        (web / "1.jsonl").unlink()
        mixture.write_text(mixture.read_text().replace("all.paths}", "all.paths, missing: skip}"))
        [documents] = [step for step in run_inline(mixture, tmp_path / "skipped").steps if step.product == "documents"]
        assert documents.total == 4


@pytest.mark.parametrize(
    ("sizes", "chosen", "share"),
    [
        ([10, 30], [True, False], 0.25),
        ([math.nan, math.nan, math.nan, math.nan], [True, False, False, True], 0.5),
        ([math.nan, 10, 50], [True, False, False], 30 / 90),
        ([0, 0], [True, True], 0.0),
        ([], [], 0.0),
    ],
)
def test_files_of_unknown_size_count_as_the_others_do_on_average(
    sizes: list[float], chosen: list[bool], share: float
) -> None:
    assert share_of(np.array(sizes, float), np.array(chosen, bool)) == share


def test_too_many_quarantined_lines_fail_the_run_and_name_their_file(tmp_path: Path) -> None:
    write_corpus(tmp_path / "in", files=1)
    (tmp_path / "in" / "code" / "bad.jsonl").write_bytes(b"{no json\n" * 1000)
    with pytest.raises(RunError, match=r"source code: [0-9.]+% of its input is bad .*bad.jsonl"):
        run_inline(write_mixture(tmp_path / "m.yaml", tmp_path / "in"), tmp_path / "root")


def test_a_column_that_is_not_there_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_corpus(tmp_path / "in", files=1)
    for file in (tmp_path / "in" / "code").iterdir():
        file.unlink()
    (tmp_path / "in" / "code" / "a.jsonl").write_bytes(b'{"body": "words"}\n')
    with pytest.raises(RunError, match="no row has 'text or content' for text; rows have body"):
        run_inline(write_mixture(tmp_path / "m.yaml", tmp_path / "in"), tmp_path / "root")
    gc.collect()
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("budget", [2000, 1])
def test_a_share_that_rounds_to_no_token_takes_none_and_says_so(
    tmp_path: Path, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        rows = [json.dumps({"text": f"{name} {row} " + "some words that make a page " * 20}) for row in range(40)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows))
    (tmp_path / "m.yaml").write_text(
        "name: m\nsources: {a: {paths: a.jsonl}, b: {paths: b.jsonl}}\nkept: {families: []}\n"
        "clusters: {enabled: false}\ndomains: {da: {sources: [a]}, db: {sources: [b]}}\n"
        f"mixture: {{budget: {budget}, domains: {{da: {{share: 0.999999}}, db: {{share: 0.000001}}}}}}\n"
    )
    said: list[str] = []
    monkeypatch.setattr(Reporter, "say", lambda _, line: said.append(line))
    run_inline(tmp_path / "m.yaml", tmp_path / "root")
    store = Store(str(tmp_path / "root"))
    manifest = store.read_json(store.read_json("mixtures/m.json")["corpus"])
    assert manifest["tokens"] > 0
    assert manifest["domains"]["db"]["tokens"] == 0
    assert any("'db' gives no token of its" in line and f"budget of {budget:,} rounds to 0" in line for line in said)
    assert "all is well" in verify_root(store, None)
