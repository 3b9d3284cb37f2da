"""Files of which nothing can be read: they count by their bytes, alone or read with many, and are named with advice."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.answers.status import status_text
from pipeline.errors import RunError
from pipeline.run.bad_input import unread_part
from pipeline.store.storage import Store
from stages.contract import Split
from tests.support.runs import run_inline

TEXT = [f"Row {number} says that the river turns the wheel of the mill in the valley." for number in range(300)]
MIXTURE = (
    "sources: {web: {paths: 'in/*'}}\nkept: {families: []}\nclusters: {enabled: false}\n"
    "domains: {all: {}}\nmixture: {domains: {all: {share: 1}}}\n"
)


def small_files(folder: Path) -> None:
    """Nine small Parquet files and one without its footer; one split reads them all."""
    folder.mkdir()
    for number in range(10):
        pq.write_table(pa.table({"text": [f"{text} {number}" for text in TEXT]}), folder / f"{number}.parquet")
    whole = (folder / "9.parquet").read_bytes()
    (folder / "9.parquet").write_bytes(whole[: len(whole) * 3 // 4])


def test_a_small_file_without_its_footer_counts_by_its_bytes_though_it_is_read_with_others(tmp_path: Path) -> None:
    small_files(tmp_path / "in")
    mixture, store = tmp_path / "m.yaml", Store(str(tmp_path / "root"))
    mixture.write_text(MIXTURE)
    sizes = [file.stat().st_size for file in sorted((tmp_path / "in").iterdir())]
    share = f"{sizes[9] / sum(sizes):.2%}"
    with pytest.raises(RunError) as error:
        run_inline(mixture, tmp_path / "root")
    message = str(error.value)
    assert message.startswith(
        f"source web: {share} of its input is bad (files of which nothing could be read, by bytes;"
    )
    assert f"{tmp_path}/in/9.parquet: not_parquet (it is none, or its end with the footer is cut off" in message
    mixture.write_text(f"{MIXTURE}run: {{max_bad_fraction: 0.2}}\n")
    run_inline(mixture, tmp_path / "root")
    assert "bad: web/9.parquet at 0: not_parquet (it is none" in status_text(store)


def test_quarantined_records_are_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text('{"text": "The river turns the wheel."}\n' * 9 + "{broken\n")
    (tmp_path / "m.yaml").write_text(MIXTURE)
    said = r"source web: 10\.00% of its input is bad \(quarantined records; for example .*/a\.jsonl: not_json\)"
    with pytest.raises(RunError, match=said):
        run_inline(tmp_path / "m.yaml", tmp_path / "root")


@pytest.mark.parametrize(
    ("bad", "share", "example"),
    [
        ([("b", 0, "not_arrow")], 0.3, ("/in/b", "not_arrow")),
        ([("b", 7, "not_arrow"), ("c", 0, "damaged_batch")], 0.0, ("", "")),  # something of them was read
        ([("a", 0, "no_records"), ("c", 0, "not_parquet")], 0.7, ("/in/a", "no_records")),
    ],
)
def test_the_part_of_a_group_that_could_not_be_read(
    bad: list[tuple[str, int, str]], share: float, example: tuple[str, str]
) -> None:
    parts = (("a", "/in/a", 10), ("b", "/in/b", 30), ("c", "/in/c", 60))
    split = Split("web", "a", 0, 0, "files", "/in/a", 100, "tag", parts)
    entries = [{"file": file, "offset": offset, "reason": reason} for file, offset, reason in bad]
    assert unread_part(split, entries) == (share, example)
