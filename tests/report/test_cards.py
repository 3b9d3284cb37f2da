"""The cards: figures equal to the report's, accepted by the public validators where these are installed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.corpus import selection
from stages.report import build_stats
from stages.report.cards import ABOUT, DOCS, croissant, dataset_card, encode_croissant, escaped, size_category
from tests.report.test_page import HOSTILE, hostile_run
from tests.support.report_runs import make_run

Stats = dict[str, Any]


@pytest.fixture
def stats() -> Stats:
    return build_stats("crawl", **make_run(3, files=8, pages=90))


def a_croissant(stats: Stats) -> dict[str, Any]:
    about = {
        "url": "https://data.example/crawl",
        "licence": "https://spdx.org/licenses/ODC-By-1.0",
        "creators": ["Somebody"],
    }
    return croissant(stats, manifest_sha256="0" * 64, manifest_bytes=123, date="2026-01-02", **about)


def test_the_head_of_the_card_is_what_the_hub_expects(stats: Stats) -> None:
    card = dataset_card(stats, licence="odc-by", title="A crawl")
    _, head, body = card.split("---\n", 2)
    found = yaml.safe_load(head)
    assert found["license"] == "odc-by"
    assert found["language"][0] == stats["languages"][0]["language"]
    assert found["configs"][0]["data_files"] == [{"split": "train", "path": "train/data-*.arrow"}]
    assert f"{stats['totals']['training_tokens']:,} tokens" in body
    for row in stats["mixture"]:
        assert f"| {escaped(row['domain'])} |" in body


def test_the_hub_library_reads_the_card(stats: Stats) -> None:
    hub = pytest.importorskip("huggingface_hub")
    card = hub.DatasetCard(dataset_card(stats, licence="odc-by"))
    assert card.data.license == "odc-by"
    assert card.data.size_categories == ["n<1K"]
    assert card.data.language


def test_mlcroissant_accepts_the_description(stats: Stats, tmp_path: Path) -> None:
    croissants = pytest.importorskip("mlcroissant")
    path = tmp_path / "croissant.json"
    path.write_bytes(encode_croissant(a_croissant(stats)))
    dataset = croissants.Dataset(str(path))
    assert dataset.metadata.name == "crawl"
    assert [record_set.id for record_set in dataset.metadata.record_sets] == ["documents"]
    assert len(dataset.metadata.record_sets[0].fields) == len(DOCS)


def test_the_description_names_every_column_of_the_documents(stats: Stats) -> None:
    assert DOCS.names == selection.DOCS.names
    assert set(ABOUT) == set(DOCS.names)
    fields = a_croissant(stats)["recordSet"][0]["field"]
    assert [field["source"]["extract"]["column"] for field in fields] == DOCS.names


def test_hostile_names_are_no_markup_in_either() -> None:
    stats = build_stats(HOSTILE[0], **hostile_run())
    card = dataset_card(stats)
    assert yaml.safe_load(card.split("---\n", 2)[1])["pretty_name"] == HOSTILE[0]
    body = card.split("---\n", 2)[2]
    assert not re.search(r"(?<!\\)<(script|img)", body)
    assert not re.search("[\u202a-\u202e\x00]", body)
    assert json.loads(encode_croissant(a_croissant(stats)))["name"] == re.sub(r"[^A-Za-z0-9_.-]", "-", HOSTILE[0])


def test_what_is_not_given_is_left_out(stats: Stats) -> None:
    assert "license" not in dataset_card(stats)
    found = croissant(stats, manifest_sha256="0" * 64, manifest_bytes=1, url="https://data.example")
    assert not {"license", "creator", "datePublished"} & found.keys()


@pytest.mark.parametrize(
    ("rows", "name"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (5 * 10**6, "1M<n<10M"), (10**12, "n>1T"), (10**11, "100B<n<1T")],
)
def test_sizes_fall_into_the_classes_of_the_hub(rows: int, name: str) -> None:
    assert size_category(rows) == name
