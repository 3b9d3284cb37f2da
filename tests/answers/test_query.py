"""`query`: SQL over products, against their files read the slow way; nothing but reading, and nothing but the root."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.answers import query, query_text
from pipeline.errors import UserError
from pipeline.recipe import graph
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.snapshot import Snapshot
from pipeline.store.storage import Store
from tests.support.answers import call, documents, made

pytest.importorskip("duckdb")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("query")) / "root"


@pytest.fixture(scope="module")
def snapshot(root: Path) -> Snapshot:
    return snapshots.load(Store(str(root)))


def rows(root: Path, sql: str) -> list[dict[str, object]]:
    result = call("query", root, sql, "--json")
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_every_aligned_product_joins_by_split_and_row(root: Path, snapshot: Snapshot) -> None:
    pages = {(page["split"], page["row"]): page for page in documents(snapshot)}
    for product in graph.sidecars():
        if not any(True for _ in snapshot.product(product)):
            continue
        table = pa.concat_tables(
            [snapshot.store.read_table(entry.address) for entry in snapshot.product(product)], promote_options="default"
        )
        column = table.column_names[0]
        found = rows(
            root,
            f"select d.doc_id, split, row, p.{column} as v from {product} p"
            " join documents d using (split, row) order by 2, 3",
        )
        assert [(one["split"], one["row"]) for one in found] == list(pages)
        assert [one["doc_id"] for one in found] == [page["doc_id"].hex() for page in pages.values()]
        assert [one["v"] for one in found] == [query_text.plain(value) for value in table[column].to_pylist()]


def test_tokens_shards_and_corpus_join_by_doc_id(root: Path, snapshot: Snapshot) -> None:
    [joined] = rows(
        root,
        "select count(*) as n, count(distinct t.split) as splits, sum(len(s.input_ids)) as ids"
        " from shards s join tokens t using (doc_id) join documents d using (doc_id)",
    )
    corpus = snapshot.corpus()
    assert corpus is not None
    [held] = rows(root, "select count(*) as n, sum(len(input_ids)) as ids, count(distinct shard) as files from corpus")
    assert (held["n"], held["ids"]) == (sum(one["rows"] for one in corpus["shards"]), corpus["tokens"])
    assert joined["n"] == sum(entry.report["rows"] for entry in snapshot.product("tokens"))
    assert joined["splits"] == len(snapshot.splits())
    assert rows(root, "select count(*) as n from sources") == [{"n": len(snapshot.splits())}]


def test_forms_say_the_same(root: Path) -> None:
    sql = "select reason, count(*) as pages, avg(split) as mean from kept group by all order by pages desc, reason"
    reasons = rows(root, sql)
    read = list(csv.reader(io.StringIO(call("query", root, sql, "--csv").stdout)))
    assert read[0] == ["reason", "pages", "mean"]
    assert [[one[0] or None, int(one[1])] for one in read[1:]] == [[one["reason"], one["pages"]] for one in reasons]
    lines = call("query", root, sql).stdout.splitlines()
    assert lines[0].split() == ["reason", "pages", "mean"]
    assert len(lines) == len(reasons) + 2
    short = call("query", root, "from documents", "--limit", 2)
    assert len(short.stdout.splitlines()) == 4
    assert "first 2 rows" in short.stderr
    assert "documents" in call("query", root, "show tables").stdout
    assert call("query", root, "explain select * from kept").exit_code == 0


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("selec 1", "syntax error"),
        ("", "found 0 statements"),
        ("select 1; select 2", "found 2 statements"),
        ("select nothing from documents", "nothing"),
        ("select reasn from kept", "Referenced column \"reasn\" not found in FROM clause; did you mean 'reason'"),
        ("select k.reasn from kept k", 'Table "k" does not have a column named "reasn"'),
        ("select * from nowhere", "does not exist; it has: sources, documents"),
        ("select * from labels", "has no table labels (yet); it has: sources"),
        ("create table a as select 1", "only reads: expected a SELECT, found CREATE"),
        ("insert into kept values (1)", "only reads"),
        ("copy (select 1) to 'ROOT/x.csv'", "only reads"),
        ("explain analyze copy (select 1) to 'ROOT/x.csv'", "only reads"),
        ("attach 'ROOT/x.db'", "only reads"),
        ("set enable_external_access = true", "only reads"),
        ("install httpfs", "only reads"),
        ("select * from read_text('/etc/passwd')", "disabled by configuration"),
        ("select * from read_csv('ROOT/../small.yaml')", "disabled by configuration"),
        ("select * from 'https://example.org/x.parquet'", "disabled by configuration"),
        ("select * from snapshot", "does not exist"),
        ("select cast('x' as int) from documents", "Could not convert"),
    ],
)
def test_what_is_wrong_or_more_than_reading_is_one_line(root: Path, sql: str, said: str) -> None:
    before = sorted(path for path in root.rglob("*"))
    result = call("query", root, sql.replace("ROOT", str(root)))
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert sorted(path for path in root.rglob("*")) == before


def test_hostile_text_is_harmless_in_every_form(root: Path) -> None:
    sql = "select chr(27) || ']52;c;x' || chr(7) || chr(8238) as a, '=1+1' as b, chr(10) || 'x' as \"c\u001b\""
    for form in ((), ("--csv",), ("--json",)):
        out = call("query", root, sql, *form).stdout
        assert not {"\x1b", "\x07", "\u202e"} & set(out)
    assert "'=1+1" in call("query", root, sql, "--csv").stdout
    assert len(call("query", root, sql).stdout.splitlines()) == 3


def test_values_of_every_kind_have_a_form(root: Path) -> None:
    [values] = rows(
        root,
        "select 170141183460469231731687303715884105727 as big, 1.5::decimal(9, 2) as d, 'nan'::double as n,"
        " date '2020-01-02' as day, {'a': [1, 2]} as s, map {'k': 1} as m, '\\x00'::blob as b, 1 as big",
    )
    assert values == {
        "big": 170141183460469231731687303715884105727,
        "d": 1.5,
        "n": None,
        "day": "2020-01-02",
        "s": {"a": [1, 2]},
        "m": {"k": 1},
        "b": "00",
        "big_2": 1,
    }


def test_sources_with_columns_of_their_own_are_null_elsewhere(tmp_path: Path, snapshot: Snapshot) -> None:
    store = Store(str(tmp_path))
    store.write_table("quality/a/1.parquet", pa.table({"x": [1], "y": [2]}))
    store.write_table("quality/b/2.parquet", pa.table({"x": [3]}))
    view = query._parquet_view(
        Snapshot(store, "m", {}, True), "quality", ["quality/b/2.parquet", "quality/a/1.parquet"]
    )
    with query.answered(snapshot, "select 1") as answer:
        assert next(answer.rows) == [(1,)]
    assert query.library().sql(view).fetchall() == [(0, 0, 3, None), (1, 0, 1, 2)]


def test_a_root_on_an_object_store_is_asked_in_the_same_words(root: Path, s3: str) -> None:
    far = Store(f"s3://asked/a [b]{s3}")
    far.fs.create_dir("asked")
    near = Store(str(root))
    for address, _ in near.list(""):
        far.write_bytes(address, near.read_bytes(address))
    for sql in (
        "select reason, count(*) from kept join documents using (split, row) group by all order by all",
        "select count(*), sum(len(corpus.input_ids)) from corpus join tokens using (doc_id)",
    ):
        result = call("query", far.root, sql, "--csv")
        assert not result.stderr
        assert result.stdout == call("query", root, sql, "--csv").stdout
    refused = call("query", far.root, "select * from read_text('/etc/passwd')")
    assert (refused.exit_code, "disabled by configuration" in refused.stderr) == (2, True)


def test_the_process_ends_without_a_word(root: Path) -> None:
    for sql, code in (("select count(*) from kept", 0), ("select x from kept", 2)):
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", "query", str(root), sql], capture_output=True, text=True, check=False
        )
        assert done.returncode == code
        assert len(done.stderr.splitlines()) == (code == 2)


def test_a_missing_library_says_how_it_is_installed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(UserError, match=r"pip install 'gristmill\[query\]'"):
        query.library()
