"""Files of which nothing can be read: they count by their bytes, alone or read with many, and are named with advice."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.answers.status import status_text
from pipeline.errors import RunError
from pipeline.run.bad_input import count_files, share_of, told_apart
from pipeline.store.storage import Store
from stages import documents
from stages.contract import Split
from stages.sources import SourceParams, list_splits
from tests.support.archives import record
from tests.support.corpora import page
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
    assert f"{tmp_path}/in/9.parquet: truncated_file (its end is cut off; copy it again)" in message
    mixture.write_text(f"{MIXTURE}run: {{max_bad_fraction: 0.2}}\n")
    run_inline(mixture, tmp_path / "root")
    assert "bad: web/9.parquet at 0: truncated_file (its end is cut off" in status_text(store)


def test_quarantined_records_are_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text('{"text": "The river turns the wheel."}\n' * 9 + "{broken\n")
    (tmp_path / "m.yaml").write_text(MIXTURE)
    said = r"source web: 10\.00% of its input is bad \(quarantined records; for example .*/a\.jsonl: not_json\)"
    with pytest.raises(RunError, match=said):
        run_inline(tmp_path / "m.yaml", tmp_path / "root")


def warc(text: str) -> bytes:
    return gzip.compress(record(page("a", text)))


def as_parquet(text: str) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"text": [text]}), out)
    return out.getvalue()


def as_arrow(text: str) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_file(out, pa.schema([("text", pa.string())])) as writer:
        writer.write_table(pa.table({"text": [text]}))
    return out.getvalue()


def as_tar(text: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("a.txt")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()


def as_zip(text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.txt", text)
    return out.getvalue()


NOISE = bytes(range(1, 256)) * 8
KINDS: dict[str, tuple[Callable[[str], bytes], bytes]] = {
    "jsonl": (lambda text: f'{{"text": "{text}"}}\n'.encode() * 3, b"{broken\n" * 3),
    "jsonl.gz": (lambda text: gzip.compress(f'{{"text": "{text}"}}\n'.encode()), b"no gzip at all" * 9),
    "csv": (lambda text: f'text,n\n"{text}",1\n'.encode(), b"text,n\n1,2,3\n4,5,6\n"),
    "warc.gz": (warc, NOISE),
    "parquet": (as_parquet, as_parquet("x" * 999)[:300]),
    "arrow": (as_arrow, NOISE),
    "tar": (as_tar, NOISE),
    "tar.gz": (lambda text: gzip.compress(as_tar(text)), NOISE),
    "zip": (as_zip, NOISE),
}


@pytest.mark.parametrize("kind", KINDS)
def test_one_file_of_a_group_of_which_nothing_can_be_read_counts_by_its_bytes(tmp_path: Path, kind: str) -> None:
    whole, broken = KINDS[kind]
    contents = {f"{number}.{kind}": whole(f"{TEXT[number]} {number}") for number in range(4)}
    contents[f"1.{kind}"] = broken
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    [split] = list_splits("web", SourceParams(paths=(f"{tmp_path}/*",)), print)
    batches = documents.read(split, documents.Params())
    assert sum(batch.num_rows for batch in batches) >= 3
    unread = batches.report["unread"]
    assert (unread["files"], unread["bytes"]) == (1, len(broken))
    assert unread["first"]["file"] == f"1.{kind}"


def test_more_files_than_troubles_are_listed_count_all_and_a_share_at_the_limit_is_not_above(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(1210):
        (tmp_path / "in" / f"{number:04}.arrow").write_bytes(b"no arrow" * 10)
    line = '{"text": "The river turns the wheel."}\n'
    size = 1210 * 80 * 9
    (tmp_path / "in" / "x.jsonl").write_text((line * (size // len(line) + 1))[: size - 1] + "\n")
    (tmp_path / "m.yaml").write_text(MIXTURE + "run: {max_bad_fraction: 0.0999}\n")
    with pytest.raises(RunError, match=r"source web: 10\.00% of its input is bad \(files .*0000\.arrow: not_arrow"):
        run_inline(tmp_path / "m.yaml", tmp_path / "root")
    (tmp_path / "m.yaml").write_text(MIXTURE + "run: {max_bad_fraction: 0.1}\n")
    run_inline(tmp_path / "m.yaml", tmp_path / "root")


def test_a_share_at_its_limit_is_not_above_it_and_one_above_is_shown_as_such() -> None:
    assert share_of(np.array([100.0]), np.array([7 / 100])) == 0.07
    assert told_apart(0.1, 0.01) == ("10.00%", "1.00%")
    assert told_apart(0.00001, 0) == ("0.001%", "0.000%")


def test_an_empty_file_is_no_example_of_bytes_that_could_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_bytes(b"")
    (tmp_path / "in" / "b.jsonl").write_text('{"text": "The river turns the wheel."}\n' * 9)
    (tmp_path / "in" / "c.arrow").write_bytes(b"no arrow" * 9)
    (tmp_path / "m.yaml").write_text(MIXTURE)
    with pytest.raises(RunError, match=r"by bytes; for example \S+c\.arrow: not_arrow"):
        run_inline(tmp_path / "m.yaml", tmp_path / "root")


def test_files_are_counted_not_splits() -> None:
    group = Split("web", "a", 0, 0, "files", "/in/a", 100, "tag", (("a", "/in/a", 10), ("b", "/in/b", 30)))
    parts = [Split("web", "c", start, start + 5, "bytes", "/in/c", 5, "tag") for start in (0, 5)]
    assert (count_files([group, *parts]), count_files(parts)) == (3, 1)
