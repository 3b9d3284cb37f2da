"""`remove`: pages on the take-down list are in no shard, only what held them is made again, and the receipt is true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from click.testing import CliRunner, Result

from pipeline.answers.verify import verify_root
from pipeline.cli import main
from pipeline.errors import RunError, UserError
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.removed import removed_ids
from pipeline.recipe.snapshot import Snapshot
from pipeline.run import takedown
from pipeline.store.storage import Store
from stages import schemas
from stages.kept.params import DUPLICATES
from stages.kept.takedown import taken_down
from tests.support.corpora import documented, write_corpus, write_mixture
from tests.support.runs import made, run_inline, tree


def call(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture
def small(tmp_path: Path) -> Path:
    write_corpus(tmp_path / "in", files=3)
    run_inline(write_mixture(tmp_path / "small.yaml", tmp_path / "in"), tmp_path / "root")
    return tmp_path


def remove(small: Path, *lines: str, options: tuple[str, ...] = ()) -> Result:
    (small / "list.txt").write_text("\n".join(("# taken down", "", *lines)))
    args = ("remove", small / "list.txt", small / "small.yaml", "--root", small / "root", "--engine", "inline")
    return call(*args, *options)


def load(small: Path) -> Snapshot:
    return snapshots.load(Store(str(small / "root")))


def pages(snapshot: Snapshot) -> list[dict[str, Any]]:
    found = []
    products = [snapshot.product(name) for name in ("documents", "clusters", "kept")]
    for texts, clusters, kept in zip(*products, strict=True):
        rows = snapshot.store.read_table(texts.address, ["doc_id", "url"]).to_pylist()
        copies = snapshot.store.read_table(clusters.address, ["survivor"]).to_pylist()
        decided = snapshot.store.read_table(kept.address).to_pylist()
        found += [page | copy | decision for page, copy, decision in zip(rows, copies, decided, strict=True)]
    return found


def in_shards(snapshot: Snapshot) -> set[bytes]:
    """doc_ids in all shards, the slow way."""
    found: set[bytes] = set()
    for address in [snapshot.data["corpus"], *snapshot.data["shards"].values()]:
        folder = address.rpartition("/")[0]
        for entry in snapshot.store.read_json(address)["shards"]:
            with snapshot.store.open(f"{folder}/{entry['path']}") as file:
                found |= set(pa.ipc.open_stream(file).read_all().column("doc_id").to_pylist())
    return found


def test_removed_pages_are_in_no_shard_and_all_others_stay(small: Path) -> None:
    before = pages(load(small))
    kept = [page for page in before if page["keep"] and page["url"].startswith("https://docs.example/")]
    by_url, by_id = kept[3], kept[20]
    result = remove(small, by_url["url"], by_id["doc_id"].hex(), "code.example", "https://nowhere.example/")
    assert result.exit_code == 1  # of the domain `code`, nothing is left
    assert "code" in result.stderr
    result = call("why", "https://code.example/bisect", "--root", small / "root")
    assert ": dropped, taken_down" in result.stdout.splitlines()[0]  # a stopped run answers too
    assert json.loads(call("stats", "--root", small / "root", "--json").stdout)["complete"] is False
    result = remove(small, by_url["url"], by_id["doc_id"].hex(), "old.example", "https://nowhere.example/")
    assert result.exit_code == 1  # the list holds what it held
    (small / "root" / takedown.LIST).unlink()
    result = remove(small, by_url["url"], by_id["doc_id"].hex(), "old.example", "https://nowhere.example/")
    assert result.exit_code == 0, result.stderr
    assert "no page of mixture small: https://nowhere.example/" in result.stdout
    wanted = {by_url["doc_id"], by_id["doc_id"]} | {
        page["doc_id"] for page in before if "//old.example/" in page["url"]
    }
    after = pages(load(small))
    assert {page["doc_id"] for page in before if page["keep"]} - {page["doc_id"] for page in after if page["keep"]} == {
        page["doc_id"] for page in before if page["keep"] and page["doc_id"] in wanted
    }
    assert {page["doc_id"] for page in after if page["keep"]} == in_shards(load(small))
    for old, new in zip(before, after, strict=True):
        if old["doc_id"] in wanted:
            assert new["reason"] == ("taken_down" if old["reason"] in (None, *DUPLICATES) else old["reason"])
        elif old["survivor"] in wanted and old["reason"] in DUPLICATES:  # the page it went for is gone
            assert new["survivor"] not in wanted
            assert new["reason"] == (old["reason"] if new["survivor"] else None)
        else:
            assert new["reason"] == old["reason"]
    assert "all is well" in verify_root(Store(str(small / "root")), None)
    life = call("why", by_url["url"], "--root", small / "root").stdout
    assert ": dropped, taken_down" in life.splitlines()[0]
    stats = json.loads(call("stats", "--root", small / "root", "--json").stdout)
    assert next(row for row in stats["reasons"] if row["reason"] == "taken_down")["documents"] == len(
        [page for page in after if page["reason"] == "taken_down"]
    )


def test_only_the_splits_that_held_a_page_are_made_again_and_the_receipt_names_shards_and_pages(small: Path) -> None:
    store = Store(str(small / "root"))
    page = next(page for page in pages(load(small)) if page["keep"] and page["url"].startswith("https://docs.example/"))
    old = load(small).data["corpus"].rpartition("/")[0]
    takedown.add(store, [{"kind": "url", "value": page["url"], "copies": False}])
    work = made(run_inline(small / "small.yaml", small / "root"))
    assert work["kept"] == work["eligible"] == 1
    assert not {"documents", "quality", "signatures", "families"} & {*work}
    assert made(run_inline(small / "small.yaml", small / "root")) == {}
    result = remove(small, page["url"])
    assert result.exit_code == 0, result.stderr
    address = next(line.split()[1] for line in result.stdout.splitlines() if line.startswith("receipt"))
    receipt = json.loads(Path(address).read_text())
    assert receipt["pages"] == [page["doc_id"].hex()]
    assert old in receipt["superseded"]
    listed = {
        f"{manifest.rpartition('/')[0]}/{entry['path']}"
        for manifest in [load(small).data["corpus"], *load(small).data["shards"].values()]
        for entry in store.read_json(manifest)["shards"]
    }
    assert {shard["shard"] for shard in receipt["shards"]} == listed
    assert all(shard["found"] == 0 for shard in receipt["shards"])


def test_a_receipt_is_refused_while_a_shard_holds_the_page(small: Path) -> None:
    snapshot = load(small)
    page = next(page for page in pages(snapshot) if page["keep"])
    takedown.add(snapshot.store, [{"kind": "url", "value": page["url"], "copies": False}])
    with pytest.raises(RunError, match="still hold pages"):
        takedown.receipt(snapshot, {0: [page["doc_id"].hex()]})


def test_with_copies_the_page_that_stayed_for_a_duplicate_goes_too(small: Path) -> None:
    snapshot = load(small)
    gone = None
    for entry, texts in zip(snapshot.product("clusters"), snapshot.product("documents"), strict=True):
        rows = snapshot.store.read_table(entry.address).to_pylist()
        urls = snapshot.store.read_table(texts.address, ["url"]).column("url").to_pylist()
        gone = gone or next(
            ((url, row["survivor"]) for url, row in zip(urls, rows, strict=True) if row["survivor"]), None
        )
    assert gone is not None
    assert gone[1] in in_shards(snapshot)
    assert remove(small, gone[0]).exit_code == 0
    assert gone[1] in in_shards(load(small))
    assert remove(small, gone[0], options=("--copies",)).exit_code == 0
    assert gone[1] not in in_shards(load(small))


def test_a_root_made_with_the_list_from_the_start_has_the_same_bytes(small: Path, tmp_path: Path) -> None:
    page = next(page for page in pages(load(small)) if page["keep"])
    takedown.add(Store(str(small / "root")), [{"kind": "url", "value": page["url"], "copies": False}])
    run_inline(small / "small.yaml", small / "root")
    other = tmp_path / "other"
    takedown.add(Store(str(other)), [{"kind": "url", "value": page["url"], "copies": False}])
    run_inline(small / "small.yaml", other)
    mine, fresh = tree(small / "root"), tree(other)
    assert {name: mine[name] for name in fresh} == fresh


@pytest.mark.parametrize(
    "line", ["what is this", "localhost", "localhost.", "f" * 31, "-.example", "...", "a b.example", "*.example"]
)
def test_a_list_with_a_line_that_means_nothing_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "list").write_text(f"https://a.example/\n{line}\n")
    with pytest.raises(UserError, match="list:2: expected a URL"):
        takedown.read_list(tmp_path / "list", copies=False)


def test_a_host_with_a_dot_at_its_end_is_that_host(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("Bad.example.\n")
    assert takedown.read_list(tmp_path / "list", False) == [{"kind": "host", "value": "bad.example", "copies": False}]


SHORT = "below_min_gopher_num_words"
PASSAGE = (
    "A Quetzalcoatlus glided over the marsh while seventeen curious otters catalogued every shimmering pebble along the"
    " riverbank and asked whether the keeper of the old lighthouse would ever bring the salted plums he had promised."
)


def test_the_report_shows_no_text_of_a_page_taken_down(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    rows = [{"url": f"https://stays.example/{n}", "text": text} for n, (_, text) in enumerate(documented()[:3])]
    rows += [
        {"url": f"https://goes.example/{n}", "text": f"Quetzalcoatlus {n}\n\n{f'{PASSAGE} {text}' if n else 'Short.'}"}
        for n, (_, text) in enumerate(documented()[20:26])
    ]
    (tmp_path / "in" / "code.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "small.yaml").write_text(
        f"name: small\nsources: {{code: {{paths: {tmp_path}/in/code.jsonl}}}}\n"
        "lines: {rules: {named: {pattern: Quetzalcoatlus}}}\nrepeats: {enabled: true, min_bytes: 100}\n"
        "quality:\n  families: [gopher_quality, contamination]\n  benchmarks:\n    files:\n"
        f"      - {{path: {tmp_path}/items.jsonl, fields: [question]}}\n"
        "kept: {families: [], rules: {low_language_confidence: false, below_min_gopher_num_words: 20}}\n"
        "domains: {all: {}}\nmixture: {domains: {all: {share: 1}}}\n"
    )
    (tmp_path / "items.jsonl").write_text(json.dumps({"question": PASSAGE}) + "\n")
    root = tmp_path / "root"
    run_inline(tmp_path / "small.yaml", root)
    before = json.loads(call("stats", "--root", root, "--json").stdout)
    shown = (before["repeats"]["most_repeated"], before["contamination"]["examples"])
    assert all("Quetzal" in json.dumps(one) for one in shown)
    assert {one["rule"] for one in before["own_lines"]} == {"named"}
    assert {one["reason"] for one in before["survey"]["samples"] if "Quetzal" in one["text"]} == {None, SHORT}
    assert "Quetzalcoatlus" in (root / "runs" / "small" / "report.html").read_text()
    result = remove(tmp_path, "goes.example")
    assert result.exit_code == 0, result.stderr
    after = json.loads(call("stats", "--root", root, "--json").stdout)
    assert {row["reason"]: row["documents"] for row in after["reasons"]}["taken_down"] == 5
    assert after["own_lines"] == []
    assert not {"taken_down", SHORT} & {one["reason"] for one in after["survey"]["samples"]}
    assert "Quetzalcoatlus" not in json.dumps(after)
    assert "Quetzalcoatlus" not in (root / "runs" / "small" / "report.html").read_text()


@pytest.mark.parametrize("copies", [False, True])
def test_the_report_shows_copies_only_where_they_stay(tmp_path: Path, copies: bool) -> None:
    (tmp_path / "in").mkdir()
    texts = [text for _, text in documented()]
    rows = [{"url": f"https://other.example/{n}", "text": text} for n, text in enumerate(texts[:3])]
    rows += [{"url": f"https://{host}.example/", "text": f"{PASSAGE}\n\n{texts[20]}"} for host in ("goes", "a", "b")]
    (tmp_path / "in" / "code.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "small.yaml").write_text(
        f"name: small\nsources: {{code: {{paths: {tmp_path}/in/code.jsonl}}}}\n"
        "kept: {families: [], rules: {low_language_confidence: false}}\n"
        "domains: {all: {}}\nmixture: {domains: {all: {share: 1}}}\n"
    )
    run_inline(tmp_path / "small.yaml", tmp_path / "root")
    assert remove(tmp_path, "goes.example", options=("--copies",) if copies else ()).exit_code == 0
    with pytest.MonkeyPatch.context() as patch:  # which reads the manifest to that place, for every split
        patch.setattr(Snapshot, "entry", None)
        removed = removed_ids(load(tmp_path))
    after = pages(load(tmp_path))
    gone = {page["url"].split("/")[2][:-8] for page in after if page["doc_id"].hex() in removed}
    assert gone == ({"goes", "a", "b"} if copies else {"goes"})
    samples = json.loads(call("stats", "--root", tmp_path / "root", "--json").stdout)["survey"]["samples"]
    assert any("Quetzalcoatlus" in one["text"] for one in samples) is not copies
    assert {one["url"] for one in samples} >= {"https://other.example/1", "https://other.example/2"}


def test_a_host_is_found_in_either_spelling_and_with_underscores(tmp_path: Path) -> None:
    hosts = ["münchen.example", "xn--mnchen-3ya.example", "xn--kln-sna.example", "my_shop.example", "other.example"]
    (tmp_path / "in").mkdir()
    rows = [
        {"url": f" https://{host}/{n}", "text": text} for n, (_, text) in enumerate(documented()[:20]) for host in hosts
    ]
    rows = [row | {"text": f"{row['url']}\n\n{row['text']}"} for row in rows]
    (tmp_path / "in" / "code.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "small.yaml").write_text(
        f"name: small\nsources: {{code: {{paths: {tmp_path}/in/code.jsonl}}}}\nclusters: null\n"
        "kept: {families: [], rules: {low_language_confidence: false}}\n"
        "domains: {all: {}}\nmixture: {domains: {all: {share: 1}}}\n"
    )
    result = remove(tmp_path, "MÜNCHEN.example", "Ko\u0308ln.example", "My_Shop.example.", "nobody_here.example")
    assert result.exit_code == 0, result.stderr
    assert "80 pages taken down" in result.stdout
    assert "no page of mixture small: nobody_here.example" in result.stdout
    root = Path(tmp_path / "root")
    entries = json.loads((root / takedown.LIST).read_text())["entries"]
    assert [one["value"] for one in entries] == [
        "köln.example",
        "my_shop.example",
        "münchen.example",
        "nobody_here.example",
    ]
    snapshot = load(tmp_path)
    kept = [
        url
        for texts, entry in zip(snapshot.product("documents"), snapshot.product("kept"), strict=True)
        for url, keep in zip(
            snapshot.store.read_table(texts.address, ["url"]).column("url").to_pylist(),
            snapshot.store.read_table(entry.address, ["keep"]).column("keep").to_pylist(),
            strict=True,
        )
        if keep
    ]
    assert {url.split("/")[2] for url in kept} == {"other.example"}
    assert len(kept) > 15


def test_a_page_dropped_before_keeps_its_reason_and_what_it_failed() -> None:
    kept = pa.table(
        {
            "keep": [True, False, True],
            "reason": pa.array([None, "empty_text", None], pa.string()),
            "failed": pa.array([[], ["empty_text"], []], schemas.KEPT.field("failed").type),
            "domain": pa.array(["a", None, "a"], pa.string()),
            "spans": pa.array(
                [[{"start": 0, "stop": 1, "replacement": ""}], None, None], schemas.KEPT.field("spans").type
            ),
            "listed": pa.nulls(3, pa.string()),
        }
    )
    ids = pa.chunked_array([pa.array([bytes([n] * 16) for n in range(3)], pa.binary(16))])
    found = taken_down(kept, ids, ["00" * 16, "01" * 16], ["empty_text", "no_domain"]).to_pylist()
    assert [row["reason"] for row in found] == ["taken_down", "empty_text", None]
    assert [row["failed"] for row in found] == [["taken_down"], ["empty_text", "taken_down"], []]
    assert [(row["keep"], row["domain"], row["spans"]) for row in found] == [
        (False, None, None),
        (False, None, None),
        (True, "a", None),
    ]
    assert pc.sum(taken_down(kept, ids, ["03" * 16], ["empty_text"]).column("keep")).as_py() == 2


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_list_with_a_byte_order_mark_names_its_first_page(tmp_path: Path, encoding: str, end: str) -> None:
    lines = ["https://example.org/é", "example.com"]
    (tmp_path / "list.txt").write_bytes((end.join(lines) + end).encode(encoding))
    entries = takedown.read_list(tmp_path / "list.txt", False)
    assert [(entry["kind"], entry["value"]) for entry in entries] == [("url", lines[0]), ("host", lines[1])]


def test_a_list_that_is_no_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"example.com\nhttps://example.org/\xe9\n")
    with pytest.raises(UserError, match=r"list\.txt:2: expected text in UTF-8"):
        takedown.read_list(tmp_path / "list.txt", False)
