"""Repeats in whole runs: what `kept` cuts, what `why` and the report say, what an edit does again, wrong settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline import recipe as recipes
from pipeline.answers.stats import stats_of
from pipeline.answers.why import lives
from pipeline.answers.why_text import life_text
from pipeline.errors import UserError
from pipeline.recipe import snapshot as snapshots
from pipeline.run import driver
from pipeline.store.storage import Store
from stages.report import render_html, render_text
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import run_inline


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder / "in", files=3)
    return folder


SECTION = "repeats: {enabled: true, min_bytes: 100}\n"


def with_repeats(path: Path, folder: Path, *, min_words: int = 50, limit: float = 0.3) -> Path:
    write_mixture(path, folder, min_words=min_words, extra=SECTION)
    text = path.read_text().replace(
        "  families: [gopher_quality]\n", "  families: [gopher_quality, repeats]\n  views: [without_repeats]\n"
    )
    old = f"too_few_words: {min_words}"
    path.write_text(text.replace(old, f"{old}, mostly_repeats: {limit}"))
    return path


def decided(store: Store) -> Iterator[tuple[bytes, str, dict[str, Any], dict[str, Any]]]:
    """Of every page its doc_id, text, row of `repeats` and row of `kept`."""
    snapshot = snapshots.load(store)
    products = [snapshot.product(product) for product in ("documents", "repeats", "kept")]
    for documents, measured, kept in zip(*products, strict=True):
        pages = store.read_table(documents.address, ["doc_id", "text"]).to_pylist()
        rows = zip(pages, *(store.read_table(e.address).to_pylist() for e in (measured, kept)), strict=True)
        for page, row, decision in rows:
            yield page["doc_id"], page["text"], row, decision


def test_every_copy_that_kept_cuts_stays_on_a_page_that_is_kept(corpus: Path) -> None:
    path = with_repeats(corpus / "a.yaml", corpus / "in")
    job = run_inline(path, corpus / "root")
    assert [step.product for step in job.steps].count("kept") == 1
    store = Store(str(corpus / "root"))
    rows = list(decided(store))
    kept = {doc_id: text.encode() for doc_id, text, _, decision in rows if decision["keep"]}
    reasons = {decision["reason"] for _, _, _, decision in rows}
    assert {"mostly_repeats", "too_few_alphabetic_words", None} <= reasons
    cut = 0
    for _, text, row, decision in rows:
        if decision["reason"] == "mostly_repeats":
            assert row["repeats_spare_fraction"] > 0.3
        elif not decision["keep"]:
            assert row["repeats_fraction"] is None or "nothing_left" in decision["reason"]
        if decision["keep"]:
            assert (decision["spans"] or []) == row["repeats_spans"]
        for span in row["repeats"]:
            stays = kept[span["doc_id"]][span["at"] :]
            assert stays.startswith(text.encode()[span["start"] : span["stop"]])
            cut += span["stop"] - span["start"]
    assert cut > 10_000
    assert not any(run_inline(path, corpus / "root").steps[k].to_do for k in range(len(job.steps)))
    report = stats_of(snapshots.load(store))["repeats"]
    assert sum(counts["repeats_bytes"] for counts in report["sources"].values()) == cut
    assert report["most_repeated"][0]["places"] > 1


def test_why_names_the_page_that_keeps_each_cut_and_the_report_shows_them(corpus: Path) -> None:
    store = Store(str(corpus / "root"))
    run_inline(with_repeats(corpus / "a.yaml", corpus / "in"), corpus / "root")
    doc_id, text, row = next(
        (doc_id, text, row) for doc_id, text, row, decision in decided(store) if row["num_repeats"] and decision["keep"]
    )
    (life,) = lives(snapshots.load(store), doc_id.hex(), lambda _: None)
    repeats = life["repeats"]
    assert repeats["cut"]
    for shown, span in zip(repeats["repeats"], row["repeats"], strict=False):
        assert (shown["start"], shown["stop"], shown["at"]) == (span["start"], span["stop"], span["at"])
        assert shown["stays_on"] == span["doc_id"].hex()
        assert shown["url"].startswith(("https://docs.example/", "https://mirror.", "https://old.", "https://code."))
        piece = text.encode()[span["start"] : span["stop"]].decode(errors="ignore")
        assert shown["excerpt"][:20] == " ".join(piece.split())[:20]
    said = life_text(life)
    assert f"{row['num_repeats']:,} stretches stay elsewhere, {row['repeats_bytes']:,} bytes" in said
    assert f"stay on {repeats['repeats'][0]['url']}, from byte {row['repeats'][0]['at']:,}" in said
    stats = stats_of(snapshots.load(store))
    assert "bytes that stay elsewhere" in render_text(stats)
    page = render_html(stats)
    assert "Repeats found, by source" in page
    assert "Passages that most pages have" in page


def test_an_edit_that_keeps_the_same_pages_finds_no_repeats_again(corpus: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    run_inline(with_repeats(tmp_path / "a.yaml", corpus / "in"), root)
    again = run_inline(with_repeats(tmp_path / "a.yaml", corpus / "in", limit=0.5), root)
    made = {step.product: step.to_do for step in again.steps}
    assert made["repeats"] == made["kept before repeats"] == 0
    assert made["kept"] > 0
    again = run_inline(with_repeats(tmp_path / "a.yaml", corpus / "in", min_words=90), root)
    made = {step.product: step.to_do for step in again.steps}
    assert made["kept before repeats"] > 0
    assert made["repeats"] > 0
    text = driver.plan(str(tmp_path / "a.yaml"), Store(str(root)))
    assert "repeats: reads 0." in text
    assert "temporary disk" in text


def test_mistakes_in_the_section_are_reported_with_their_line(corpus: Path, tmp_path: Path) -> None:
    path = with_repeats(tmp_path / "a.yaml", corpus / "in")
    good = path.read_text()
    ranked = good.replace("docs: {sources: [web]}", "docs: {sources: [web], percentiles: {repeats_fraction: [0, 50]}}")
    path.write_text(ranked)
    with pytest.raises(UserError, match=r"domains\.docs\.percentiles\.repeats_fraction: pages are ranked before"):
        recipes.load(path, Store(str(tmp_path / "root")))
    for section, said in {
        "repeats: {enabled: true, min_bytes: 20}\n": r"a.yaml.*repeats.min_bytes.*32",
        "repeats: {enabled: true, min_bytes: 64, anchor_bytes: 65}\n": r"anchor_bytes \(65\) may not exceed min_bytes",
        "": r"repeats_spare_fraction.*set repeats.enabled: true",
    }.items():
        path.write_text(good.replace(SECTION, section))
        with pytest.raises(UserError, match=f"(?s){said}"):
            recipes.load(path, Store(str(tmp_path / "root")))
