"""Facts beside manifests: runs and reports that go by them say what the manifests say, and what is lost comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.answers import stats
from pipeline.recipe import snapshot as snapshots
from pipeline.run.spool import Spool, Sums, pack
from pipeline.store import facts, manifest
from pipeline.store.storage import Store
from stages.report.ledger import ConservationError, Counted, add_up
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import run_inline

DOCUMENTS = {"source": "s", "file": "f", "records": 3, "rows": 3, "raw_bytes": 9, "text_bytes": 30, "dropped": {}}
DOCUMENTS |= {"quarantined": [], "bad": []}


def kept_report(documents: int = 2) -> dict[str, object]:
    rows = ((None, documents), ("too_few_words", 3 - documents))
    groups = [
        {"source": "s", "language": "en", "domain": "d", "reason": reason, "documents": count, "text_bytes": 10 * count}
        for reason, count in rows
    ]
    return {"rows": 3, "kept": documents, "rules": ["too_few_words"], "groups": groups, "failed": {}}


def test_what_stands_beside_manifests_says_what_they_say_and_is_made_again(tmp_path: Path) -> None:
    write_corpus(tmp_path / "in", files=1)
    mixture = write_mixture(tmp_path / "m.yaml", tmp_path / "in")
    run_inline(mixture, tmp_path / "root")
    store = Store(str(tmp_path / "root"))
    snapshot = snapshots.load(store)
    places = {name: facts.address_of(address) for name, address in snapshot.data["products"].items()}
    before = {place: store.read_bytes(place) for place in places.values()}
    for name, address in snapshot.data["products"].items():
        entries = list(manifest.read(store, address))
        held = facts.read(store, address)
        assert held.beside, name
        assert list(held) == [entry.facts for entry in entries]
        assert held.column("address") == [entry.address for entry in entries]
        assert [dict(zip(("bytes", "xxh3_128"), pair, strict=True)) for pair in sums_of(held)] == [
            entry.checksum for entry in entries
        ]
    assert all(stats.counted(snapshot, name) for name in ("kept", "tokens"))
    written = store.read_json(f"{stats.folder_of(snapshot)}/stats.json")
    store.remove(f"{stats.folder_of(snapshot)}/stats.json")
    assert stats.stats_of(snapshot) == written
    for place, data in before.items():
        (tmp_path / "root" / place).write_bytes(b"" if "kept" in place else data[:-9])
    assert all(stats.counted(snapshot, name) is None for name in ("kept", "tokens"))
    assert stats.stats_of(snapshot) == written
    run_inline(mixture, tmp_path / "root")
    assert {place: store.read_bytes(place) for place in before} == before


def sums_of(held: facts.Facts) -> list[tuple[int, str]]:
    return list(zip(held.column("bytes"), held.column("xxh3_128"), strict=True))


def test_files_in_any_order_give_the_same_lines_and_facts() -> None:
    reports = [kept_report(number) for number in (0, 1, 2, 3)]
    found = []
    for order in ((0, 1, 2, 3), (3, 1, 0, 2)):
        spool = Spool(4)
        for number in order:
            packed = pack(reports[number], "stages.report.tally:kept")
            spool.add(number, f"kept/{number}", {"bytes": number, "xxh3_128": "0"}, packed)
        found.append((list(spool.lines(spool.facts())), spool.facts().table.to_pylist(), spool.counts()))
    assert found[0] == found[1]
    assert [manifest.entry_of(line).report for line in found[0][0]] == reports


def test_sums_are_those_of_the_reports_and_a_file_that_does_not_agree_is_named() -> None:
    reports = [kept_report(number) for number in (1, 2)]
    sums = Sums()
    for report in reports:
        tally = pack(report, "stages.report.tally:kept").tally
        assert tally is not None
        sums.add(*tally)
    rows, size, left = (
        facts.Facts.of([{"rows": n} for n in row]).numbers("rows") for row in ((3, 3), (30, 30), (1, 2))
    )
    counted = Counted(sums.result(), rows, size, left, lambda: reports)
    plain = add_up([DOCUMENTS, DOCUMENTS], reports, [])
    assert add_up([DOCUMENTS, DOCUMENTS], counted, []) == plain
    with pytest.raises(ConservationError, match=r"kept: s/f: expected 4 rows, found 3"):
        add_up([DOCUMENTS, DOCUMENTS | {"records": 4, "rows": 4}], counted, [])


def test_values_of_nested_facts_are_the_same_however_few_are_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"domain_digests": {"a": "1", "b": "2"}}, {"domain_digests": {}}, {"domain_digests": {"c": "3", "a": "4"}}]
    held = facts.Facts.of(rows)
    expected = [("a", ["1", "4"]), ("b", ["2"]), ("c", ["3"]), ("d", [])]
    assert list(held.values("domain_digests", ["a", "b", "c", "d"])) == expected
    monkeypatch.setattr(facts, "AT_ONCE", 1)
    assert list(held.values("domain_digests", ["a", "b", "c", "d"])) == expected


def test_a_fact_that_is_held_reads_as_its_column_does() -> None:
    rows = [{"digest": f"d{n}" if n % 3 else None, "rows": n or None} for n in range(10)]
    held = facts.Facts(facts.Facts.of(rows).table)
    each = held.each("digest")
    column = held.column("digest")
    assert list(each) == column
    assert [each[n] for n in range(len(each))] == column
    assert each[2:5] == column[2:5]
    assert each[::3] == column[::3]
    assert each[-1] == column[-1]
    assert held.numbers("rows").tolist() == list(range(10))
