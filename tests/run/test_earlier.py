"""A new crawl against an earlier one of its root: nothing of that corpus comes again, and its text is not needed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline import recipe as recipes
from pipeline.answers import why
from pipeline.errors import UserError
from pipeline.recipe import snapshot as snapshots
from pipeline.store.storage import Store, inside
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import made, run_inline

POLICY = "clusters: {{survivor: [{first}, longest], earlier: [old]}}\n"
ELSEWHERE = "clusters: {survivor: [earlier, longest], earlier: [../root/mixtures/old.json]}\n"


def mixture(path: Path, folder: Path, name: str, parts: str, extra: str = "") -> Path:
    """The mixture of `write_mixture` over some of the WARC files; the sources go by the same names."""
    write_mixture(path, folder, extra=extra)
    text = path.read_text().replace("name: small", f"name: {name}").replace("*.warc.gz", f"part-{parts}.warc.gz")
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def crawls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crawls")
    write_corpus(folder / "in")
    run_inline(mixture(folder / "old.yaml", folder / "in", "old", "00[0-3]"), folder / "root")
    return folder


def rows(store: Store, name: str) -> Iterator[dict[str, Any]]:
    snapshot = snapshots.load(store, name)
    products = [snapshot.product(product) for product in ("signatures", "clusters", "kept")]
    for signed, clustered, kept in zip(*products, strict=True):
        tables = (
            store.read_table(signed.address, ["doc_id", "exact_hash", "num_shingles"]),
            store.read_table(clustered.address, ["survivor", "match"]),
            store.read_table(kept.address, ["keep"]),
        )
        for parts in zip(*(table.to_pylist() for table in tables), strict=True):
            yield {key: value for part in parts for key, value in part.items()}


def kept_again(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> set[bytes]:
    """Texts of kept pages of both, those of a split that both read left out."""
    shared = {row["doc_id"] for row in old} & {row["doc_id"] for row in new}
    assert shared
    one, other = (
        {row["exact_hash"] for row in found if row["keep"] and row["doc_id"] not in shared} for found in (old, new)
    )
    assert one
    assert other
    return one & other


def test_nothing_that_the_earlier_corpus_holds_is_kept_again(crawls: Path) -> None:
    path = mixture(crawls / "new.yaml", crawls / "in", "new", "00[45]", POLICY.format(first="earlier"))
    store = Store(str(crawls / "root"))
    run_inline(path, crawls / "root")
    old, new = list(rows(store, "old")), list(rows(store, "new"))
    assert kept_again(old, new) == set()
    stayed = {row["doc_id"] for row in old if row["keep"]}
    gone = [row for row in new if row["survivor"] in stayed]
    assert {row["match"] for row in gone} == {"exact", "fuzzy"}
    # the code is in both mixtures: its split counts as new, so no page goes for itself
    assert all(row["survivor"] != row["doc_id"] for row in new)
    # a page the earlier mixture did not keep is no reason to drop one
    dropped = {row["doc_id"] for row in old if not row["keep"]}
    assert not dropped & {row["survivor"] for row in new}
    life = why.lives(snapshots.load(store, "new"), gone[0]["doc_id"].hex())[0]
    assert life["cluster"]["survivor_page"]["url"].startswith("https://")


def test_earlier_pages_lose_where_the_policy_says_so_and_their_corpus_stays_as_it_is(crawls: Path) -> None:
    path = mixture(crawls / "later.yaml", crawls / "in", "later", "00[45]", POLICY.format(first="later"))
    store = Store(str(crawls / "root"))
    before = list(rows(store, "old"))
    run_inline(path, crawls / "root")
    stayed = {row["doc_id"] for row in before if row["keep"]}
    assert not stayed & {row["survivor"] for row in rows(store, "later")}
    assert list(rows(store, "old")) == before
    summary = store.read_json(f"{snapshots.load(store, 'later').data['clusters']}/summary.json")
    assert summary["earlier"]["removed"] > 5
    assert summary["rows"] == sum(1 for _ in rows(store, "later"))


def test_the_earlier_text_may_be_gone(crawls: Path) -> None:
    store = Store(str(crawls / "root"))
    path = mixture(crawls / "light.yaml", crawls / "in", "light", "00[45]", POLICY.format(first="earlier"))
    documents = [entry.address for entry in snapshots.load(store, "old").product("documents")]
    kept = {address: store.read_bytes(address) for address in documents}
    for address in kept:
        store.remove(address)
    try:
        run_inline(path, crawls / "root")
    finally:
        for address, data in kept.items():
            if not store.exists(address):
                store.write_bytes(address, data)
    assert kept_again(list(rows(store, "old")), list(rows(store, "light"))) == set()


def test_an_earlier_crawl_of_another_root_is_compared_without_its_text_and_wherever_it_lies(
    crawls: Path, tmp_path: Path
) -> None:
    home, moved = tmp_path / "before" / "root", tmp_path / "after" / "root"
    shutil.copytree(crawls / "root", home)
    shutil.rmtree(home / "documents")
    before = sorted(str(path) for path in home.rglob("*"))
    store = Store(str(tmp_path / "mine"))
    for place in (home, moved):
        folder = place.parent / "mixtures"
        folder.mkdir(parents=True)
        path = mixture(folder / "new.yaml", crawls / "in", "new", "00[45]", ELSEWHERE)
        if place == moved:
            home.rename(moved)
        job = run_inline(path, tmp_path / "mine")
        assert ("clusters" in made(job)) == (place == home)
    assert sorted(str(path).replace(str(moved), str(home)) for path in moved.rglob("*")) == before
    old, new = list(rows(Store(str(moved)), "old")), list(rows(store, "new"))
    assert kept_again(old, new) == set()
    gone = [row for row in new if row["survivor"] in {row["doc_id"] for row in old if row["keep"]}]
    assert {row["match"] for row in gone} == {"exact", "fuzzy"}
    assert not any(row["survivor"] in {row["doc_id"] for row in old if not row["keep"]} for row in new)


def test_another_root_is_named_by_path_or_uri() -> None:
    assert snapshots.elsewhere("old") is None
    assert snapshots.elsewhere("/data/root/mixtures/old.json") == ("/data/root", "old")
    uri = "s3://bucket/root/mixtures/old.json?region=eu-west-1"
    assert snapshots.elsewhere(uri) == ("s3://bucket/root?region=eu-west-1", "old")
    assert inside("s3://bucket/root?region=x", "kept/a.parquet") == "s3://bucket/root/kept/a.parquet?region=x"


@pytest.mark.parametrize("entry", ["old", "root/mixtures/old.json"])
def test_signatures_made_in_another_way_are_refused_with_the_difference(crawls: Path, entry: str) -> None:
    extra = f"clusters: {{survivor: [earlier], earlier: [{entry}]}}\nsignatures: {{ngram: 7}}\n"
    path = mixture(crawls / "other.yaml", crawls / "in", "other", "00[45]", extra)
    with pytest.raises(UserError, match=r"cannot be compared with these: ngram: 5 -> 7; sign its pages again"):
        run_inline(path, crawls / "root")


def test_an_earlier_mixture_must_be_there_and_the_policy_must_say_who_wins(crawls: Path, tmp_path: Path) -> None:
    store = Store(str(crawls / "root"))
    path = mixture(tmp_path / "a.yaml", crawls / "in", "a", "00[45]", "clusters: {earlier: [old]}\n")
    with pytest.raises(UserError, match=r"`survivor` must say who wins"):
        recipes.load(path, store)
    path = mixture(tmp_path / "c.yaml", crawls / "in", "c", "00[45]", ELSEWHERE.replace("mixtures/old.json", "old"))
    with pytest.raises(UserError, match=r"expected a mixture's name, or ROOT/mixtures/NAME.json of another root"):
        recipes.load(path, store)
    path = mixture(tmp_path / "d.yaml", crawls / "in", "d", "00[45]", ELSEWHERE)
    with pytest.raises(UserError, match=r"clusters.earlier: .*holds no finished mixture 'old'"):
        run_inline(path, crawls / "root")
    path = mixture(
        tmp_path / "b.yaml", crawls / "in", "b", "00[45]", POLICY.format(first="earlier").replace("old", "odl")
    )
    with pytest.raises(UserError, match=r"no finished mixture 'odl'"):
        run_inline(path, crawls / "root")
    with pytest.raises(UserError, match=r"no finished mixture 'odl'"):
        run_inline(path, tmp_path / "root")
    assert not (tmp_path / "root" / "documents").exists()  # it is told before any page is measured
