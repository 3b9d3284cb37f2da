"""Cleaned text out, products by name and from Python: what a user gets who never reads a token shard."""

from __future__ import annotations

import io
import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import zstandard
from click.testing import CliRunner

from pipeline import api
from pipeline.cli import main
from pipeline.errors import UserError
from pipeline.store.storage import Store, inside
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import run_inline


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    write_corpus(folder / "in", files=3)
    with (folder / "in/code/code.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"id": "mail", "text": "# write to somebody@mill.example\nx = 1\n" * 40}) + "\n")
    mixture = write_mixture(folder / "m.yaml", folder / "in", extra="quality: {families: [gopher_quality, privacy]}\n")
    text = mixture.read_text().replace("kept:\n  families", "kept:\n  views: [redacted]\n  families")
    mixture.write_text(text.replace("mixture:\n", "mixture:\n  max_epochs: 3\n"))
    run_inline(mixture, folder / "root")
    return folder


def export(made: Path, *args: str) -> str:
    result = CliRunner().invoke(main, ["export", *args, "--root", str(made / "root")])
    assert result.exit_code == 0, result.stderr
    return str(result.output)


def test_kept_pages_go_out_as_parquet_with_views_applied_and_columns_chosen(made: Path, tmp_path: Path) -> None:
    message = export(made, "parquet", str(tmp_path / "out"), "--columns", "url,language,gopher_num_words,reason")
    figures = api.opened(made / "root").stats()
    table = pq.read_table(sorted((tmp_path / "out").glob("*/part-*.parquet")))
    assert table.column_names == ["doc_id", "text", "url", "language", "gopher_num_words", "reason", "domain"]
    assert f"{len(table):,} pages" in message
    assert len(table) == figures["totals"]["kept"]
    assert pc.all(pc.is_null(table["reason"])).as_py()
    mail = next(text for text in table["text"].to_pylist() if "# write to" in text)
    assert "email@example.com" in mail
    assert "somebody" not in mail
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["views"] == ["redacted"]
    assert sum(entry["rows"] for entry in manifest["files"]) == len(table)
    assert sum(entry["text_bytes"] for entry in manifest["files"]) == pc.sum(pc.binary_length(table["text"])).as_py()
    assert "data_files: code/*.parquet" in (tmp_path / "out/README.md").read_text()


def test_an_export_goes_on_where_it_was_stopped_and_never_writes_over_another(made: Path, tmp_path: Path) -> None:
    export(made, "jsonl", str(tmp_path / "out"))
    before = {path: path.read_bytes() for path in sorted((tmp_path / "out").rglob("*")) if path.is_file()}
    for name in ("manifest.json", "docs/part-00000.jsonl.zst"):
        (tmp_path / "out" / name).unlink()
    export(made, "jsonl", str(tmp_path / "out"))
    assert {path: path.read_bytes() for path in before} == before
    refused = CliRunner().invoke(
        main, ["export", "jsonl", str(tmp_path / "out"), "--as-extracted", "--root", str(made / "root")]
    )
    assert refused.exit_code == 2
    assert "holds another export" in refused.stderr
    with zstandard.open(tmp_path / "out/docs/part-00000.jsonl.zst", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    assert {"doc_id", "text", "url", "time", "source", "language", "domain"} == set(rows[0])


def test_the_selection_of_the_corpus_goes_out_with_how_often_it_takes_each_page(made: Path, tmp_path: Path) -> None:
    export(made, "arrow", str(tmp_path / "out"), "--selection", "corpus")
    manifest = json.loads(next(made.glob("root/corpus/*/manifest.json")).read_text())
    for domain, row in manifest["domains"].items():
        copies = 0
        for path in (tmp_path / "out" / domain).glob("*.arrow"):
            with io.BytesIO(path.read_bytes()) as file:
                copies += pc.sum(pa.ipc.open_file(file).read_all()["copies"]).as_py()
        assert copies == row["documents"]


def test_uris_are_written_to_or_refused_and_never_become_a_folder_of_that_name(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = ["--root", str(made / "root")]
    export(made, "parquet", f"file://{tmp_path}/out", "--domain", "code")
    assert (tmp_path / "out/manifest.json").exists()
    mixture = str(made / "m.yaml")
    for args in (
        ["export", "olmo", "s3://bucket/x", *root],
        ["sample", "s3://bucket/x"],
        ["swarm", mixture, "s3://bucket/x", *root, "--count", "2", "--budget", "1000"],
        ["fit", "a", "b.csv", "--out", "s3://bucket/best.yaml"],
        ["fit-law", "runs.csv", "--out", "s3://bucket/law.json"],
        ["rehydrate", mixture, *root, "--out", "s3://bucket/w.json"],
        ["train-quality", "s3://bucket/m.bin", "--labelled", "a.jsonl"],
        ["train-classifier", "s3://bucket/m.bin", "--labelled", "a.jsonl"],
        ["train-tokenizer", mixture, "s3://bucket/t.model", *root],
        ["decontaminate", "--shards", "x", "--benchmarks", "y", "--out", "s3://bucket/hits.jsonl"],
    ):
        result = CliRunner().invoke(main, args)
        assert result.exit_code == 2, args
        assert "on a disk" in result.stderr, args
    result = CliRunner().invoke(main, ["stats", *root, "--csv", f"file://{tmp_path}/tables"])
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "tables/domains.csv").exists()
    result = CliRunner().invoke(main, ["card", f"file://{tmp_path}/card", *root])
    assert result.exit_code == 0, result.stderr
    assert "croissant" not in (tmp_path / "card/README.md").read_text().partition("---\n#")[0]
    assert not list(tmp_path.glob("s3:*"))


def test_text_goes_out_to_a_bucket_byte_for_byte_as_to_a_folder(made: Path, tmp_path: Path, s3: str) -> None:
    boto3 = pytest.importorskip("boto3")
    endpoint = s3.partition("endpoint_override=")[2].partition("&")[0]
    client = boto3.client("s3", endpoint_url=f"http://{endpoint}", region_name="us-east-1")
    client.create_bucket(Bucket="text-out")
    place = f"s3://text-out/corpus/v1{s3}"
    for kind in ("jsonl", "arrow"):
        export(made, kind, str(tmp_path / kind), "--columns", "url")
        uri = inside(place, kind)
        export(made, kind, uri, "--columns", "url")
        listed = client.list_objects_v2(Bucket="text-out", Prefix=f"corpus/v1/{kind}/")["Contents"]
        there = {entry["Key"].removeprefix(f"corpus/v1/{kind}/"): entry["Key"] for entry in listed}
        here = {path.relative_to(tmp_path / kind).as_posix(): path for path in (tmp_path / kind).rglob("*.*")}
        assert there.keys() == here.keys()
        for name, key in there.items():
            assert client.get_object(Bucket="text-out", Key=key)["Body"].read() == here[name].read_bytes(), name


def test_a_product_by_name_opens_in_duckdb(made: Path) -> None:
    result = CliRunner().invoke(main, ["path", "kept", "--root", str(made / "root")])
    assert result.exit_code == 0, result.stderr
    files = result.output.split()
    [(kept,)] = duckdb.sql(f"SELECT count(*) FILTER (keep) FROM read_parquet({files})").fetchall()
    assert kept == api.opened(made / "root").stats()["totals"]["kept"]
    wrong = CliRunner().invoke(main, ["path", "kep", "--root", str(made / "root")])
    assert "did you mean 'kept'?" in wrong.stderr


def test_from_python_a_mixture_is_planned_and_its_products_joined_with_the_pages(made: Path) -> None:
    mixture = api.load(made / "m.yaml", root=made / "root")
    assert all(step.to_do == 0 for step in mixture.plan())
    table = mixture.table(["doc_id", "url", "gopher_num_words", "keep", "text"], kept=False, views=False)
    assert len(table) == mixture.dataset("quality").count_rows() == mixture.dataset("documents").count_rows()
    words = [len(text.split()) for text in table["text"].to_pylist()]
    real = mixture.table(["gopher_num_tokens"], kept=False)["gopher_num_tokens"].to_pylist()
    assert words == real
    assert mixture.table(["text"], domain="code", limit=5).num_rows == 5
    assert mixture.dataset("tokens").count_rows() == mixture.stats()["totals"]["kept"]
    assert mixture.dataset("corpus").count_rows() > 0
    with pytest.raises(UserError, match="no column 'langage'; did you mean 'language'"):
        mixture.table(["langage"])
    with pytest.raises(UserError, match="load its file"):
        api.opened(made / "root").plan()
    assert Store(str(made / "root")).exists("mixtures/small.json")
