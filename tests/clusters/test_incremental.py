"""A new crawl against an earlier one: its text is read for colliding pages only, or not at all."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from pipeline.store.storage import Store
from stages import clusters, signatures
from tests.support.dedup_corpus import Page, cluster, run_phases, write_split

SIGNED = signatures.Params()


def crawls() -> tuple[list[Page], list[Page]]:
    """Earlier and new pages: 20 near-copies, 10 exact copies, the rest unrelated; some copies among themselves."""
    draw = random.Random(5)
    texts = [[f"w{draw.randrange(9999)}" for _ in range(400)] for _ in range(60)]
    old = [Page(f"old {i}", " ".join(text), seconds=i) for i, text in enumerate(texts[:40])]
    old += [Page("old again", old[0].text + " again", seconds=3)]
    new = [Page(f"near {i}", " ".join([*texts[i][:-3], "a", "b", "c"]), seconds=1000) for i in range(20)]
    new += [Page(f"same {i}", old[i].text.upper(), seconds=1000) for i in range(20, 30)]
    new += [Page(f"new {i}", " ".join(text), seconds=1000) for i, text in enumerate(texts[40:])]
    return old, new


@pytest.mark.parametrize("with_text", [True, False])
@pytest.mark.parametrize("first", ["earlier", "later"])
def test_earlier_pages_win_or_lose_by_policy(store: Store, with_text: bool, first: str) -> None:
    old, new = crawls()
    earlier = write_split(store, "old", old, SIGNED)
    cluster(store, [earlier], clusters.Params(), "clusters/before")
    earlier = replace(earlier, earlier=True, decided="clusters/before/old.parquet")
    if not with_text:
        store.remove(str(earlier.documents))
        earlier = replace(earlier, documents=None)
    params = clusters.Params(survivor=(first, "longest"))
    run_phases(store, clusters.plan(params, [write_split(store, "new", new, SIGNED), earlier], "clusters/after"))
    found = {
        name: dict(
            zip(
                [page.key for page in pages],
                store.read_table(f"clusters/after/{name}.parquet").to_pylist(),
                strict=True,
            )
        )
        for name, pages in (("old", old), ("new", new))
    }
    gone_new = {key for key, row in found["new"].items() if row["survivor"] is not None}
    gone_old = {key for key, row in found["old"].items() if row["survivor"] is not None}
    # whichever of the first two earlier pages lost before takes no part and says nothing now
    collide_old = {f"old {i}" for i in range(30)}
    if first == "earlier":
        assert gone_new == {key for key in found["new"] if not key.startswith("new")}
        assert gone_old == set()
    else:
        assert gone_new == set()
        assert gone_old >= collide_old - {"old 0"}
        assert gone_old <= collide_old | {"old again"}
    for rows in found.values():
        for key, row in rows.items():
            if row["match"] == "fuzzy":
                assert row["similarity"] >= 0.8
                assert with_text or row["similarity"] < 0.95, key


@pytest.mark.parametrize("with_text", [True, False])
def test_what_an_earlier_crawl_kept_stands_for_new_pages_however_alike_its_own_pages_are(
    store: Store, with_text: bool
) -> None:
    draw = random.Random(11)
    text, more = [f"w{draw.randrange(9999)}" for _ in range(400)], [f"w{draw.randrange(9999)}" for _ in range(60)]
    edited = [*text[:9], "one", *text[10:200], "two", *text[201:300], "three", *text[301:]]
    old = [Page("longest", " ".join(text + more)), Page("kept", " ".join(edited))]  # J 0.83, kept under 0.9
    new = [Page("copy", " ".join([*edited[:50], "new", *edited[51:150], "new", *edited[151:]]))]  # J 0.95 and 0.79
    earlier = write_split(store, "old", old, SIGNED)
    before = cluster(store, [earlier], clusters.Params(threshold=0.9), "clusters/before")
    assert all(row["survivor"] is None for row in before.values())
    earlier = replace(earlier, earlier=True, decided="clusters/before/old.parquet")
    if not with_text:
        store.remove(str(earlier.documents))
        earlier = replace(earlier, documents=None)
    split = write_split(store, "new", new, SIGNED)
    params = clusters.Params(threshold=0.8, survivor=("earlier", "longest"))
    run_phases(store, clusters.plan(params, [earlier, split], "clusters/after"))
    [row] = store.read_table("clusters/after/new.parquet").to_pylist()
    assert row["survivor"] == old[1].doc_id
    assert store.read_table("clusters/after/old.parquet")["survivor"].null_count == 2
    assert store.read_json("clusters/after/summary.json")["earlier"] == {"rows": 2, "removed": 0}


def test_a_page_removed_earlier_does_not_come_back_as_a_survivor(store: Store) -> None:
    old, _ = crawls()
    earlier = write_split(store, "old", old, SIGNED)
    before = cluster(store, [earlier], clusters.Params(), "clusters/before")
    lost = [page for page in old if before[page.doc_id]["survivor"] is not None]
    assert len(lost) == 1
    earlier = replace(earlier, earlier=True, decided="clusters/before/old.parquet")
    new = write_split(store, "new", [Page("copy", lost[0].text)], SIGNED)
    rows = cluster(store, [earlier, new], clusters.Params(survivor=("earlier",)), "clusters/after")
    assert rows[Page("copy", "").doc_id]["survivor"] == before[lost[0].doc_id]["survivor"]


def test_a_new_split_without_documents_is_refused(store: Store) -> None:
    split = replace(write_split(store, "one", crawls()[0], SIGNED), documents=None)
    with pytest.raises(ValueError, match="split one has no documents"):
        cluster(store, [split], clusters.Params())
