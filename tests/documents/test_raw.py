"""From any row back to the record it was made of, in every container."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from stages import documents
from stages.sources import SourceError, SourceParams, list_splits
from tests.documents.test_tars import tarred
from tests.support.archives import PAGE, read, record, whole, write
from tests.support.tables_of_rows import FILES

PARAMS = documents.Params()


def pages() -> list[bytes]:
    return [record(url=f"https://e.org/{i}") for i in range(5)]


@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz"])
def test_every_page_of_an_archive_gives_its_record(tmp_path: Path, name: str) -> None:
    split = write(tmp_path / name, pages())
    raw = [documents.raw_record(split, PARAMS, row["file"], row["offset"]) for row in read(split)[0]]
    assert [one + b"\r\n\r\n" for one in raw] == pages()


def test_records_inside_one_member_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.warc.gz").write_bytes(gzip.compress(b"".join(pages())))
    split = whole(tmp_path / "a.warc.gz")
    raw = [documents.raw_record(split, PARAMS, row["file"], row["offset"]) for row in read(split)[0]]
    assert [one + b"\r\n\r\n" for one in raw] == pages()


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.parquet", "a.arrow", "stream.arrow"])
def test_a_row_of_a_table_gives_its_row(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FILES[name]())
    split = whole(tmp_path / name)
    row = read(split)[0][123]
    assert b"https://e.org/123" in documents.raw_record(split, PARAMS, row["file"], row["offset"])


def test_a_member_of_a_tar_gives_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tarred())
    split = whole(tmp_path / "a.tar")
    rows, _ = read(split)
    assert documents.raw_record(split, PARAMS, "a.tar", rows[0]["offset"]) == PAGE


def test_what_is_not_there_is_a_lookup_error(tmp_path: Path) -> None:
    split = write(tmp_path / "a.warc.gz", pages())
    with pytest.raises(LookupError, match="no record at 77"):
        documents.raw_record(split, PARAMS, "a.warc.gz", 77)
    with pytest.raises(LookupError, match="no file of this split"):
        documents.raw_record(split, PARAMS, "b.warc.gz", 0)


def test_a_bucket_is_listed_split_and_read_like_a_folder(s3: str, tmp_path: Path) -> None:
    boto3 = pytest.importorskip("boto3")
    many = [record(url=f"https://e.org/{i}") for i in range(3000)]
    split = write(tmp_path / "a.warc.gz", many)
    address = "http://" + s3.partition("endpoint_override=")[2].partition("&")[0]
    client = boto3.client("s3", endpoint_url=address, region_name="us-east-1")
    client.create_bucket(Bucket="crawl")
    client.put_object(Bucket="crawl", Key="data/a.warc.gz", Body=(tmp_path / "a.warc.gz").read_bytes())
    splits = list_splits("web", SourceParams(paths=("s3://crawl/data/*.warc.gz" + s3,), split_bytes=1 << 17))
    assert len(splits) > 1
    rows = [row for one in splits for row in read(one)[0]]
    assert rows == read(split)[0]
    raw = documents.raw_record(splits[0], PARAMS, rows[-1]["file"], rows[-1]["offset"])
    assert raw + b"\r\n\r\n" == many[-1]
    with pytest.raises(SourceError, match="does not exist"):
        list_splits("web", SourceParams(paths=("s3://crawl/other/*.warc.gz" + s3,)))


def test_credentials_that_do_not_work_are_one_line(s3: str) -> None:
    with pytest.raises(SourceError) as caught:
        list_splits("web", SourceParams(paths=("s3://no-such-bucket/x/*.warc.gz" + s3,)))
    assert "\n" not in str(caught.value)
