"""Addresses: the digest of a value is that of its canonical JSON, however long and in whatever sequence."""

from __future__ import annotations

import hashlib
import json
import pickle
from typing import Any

import pytest

from pipeline.store import address
from pipeline.store.address import Rows, digest, digest_of_list, digests, encoded, encoded_lists, split_id, split_ids
from stages.contract import Each, Split

VALUES: list[Any] = [
    "",
    'a "quoted" \\ back\u2028slash\n\x00é',
    [],
    ["a", "é"],
    ["a", 1, None, 1.5, True],
    ("x", ["y", {"b": 1, "a": [2]}]),
    [f"documents/{n}.parquet" for n in range(11)],
    ["folder", [{"name": f"n{n}", "rows": n} for n in range(12)], []],
    {"b": list(range(20)), "a": "x"},
]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("at_once", [3, 4096])
def test_a_digest_is_that_of_canonical_json(value: Any, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "AT_ONCE", at_once)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    expected = hashlib.sha256(text.encode()).hexdigest()[:16]
    assert digest(value) == expected
    if isinstance(value, list):
        assert digest(Each(value.__getitem__, len(value))) == expected
        nested = hashlib.sha256(f'["f",{text}]'.encode()).hexdigest()[:16]
        assert digest(["f", Each(value.__getitem__, len(value))]) == nested


ROWS: list[list[dict[str, Any]]] = [
    [{"name": f"n{n}", "rows": n, "é%s": 'a "b"', "none": None} for n in range(12)],
    [{"name": value, "rows": True} for value in (None, "x", 3, ["y"], {"b": 1, "a": 2})],
]


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("at_once", [3, 4096])
def test_rows_kept_as_columns_have_the_digest_of_their_dicts(
    rows: list[dict[str, Any]], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address, "AT_ONCE", at_once)
    columns = {name: [row[name] for row in rows] for name in sorted(rows[0]) if name != "rows"}
    columns["rows"] = [row["rows"] for row in rows]
    held = Rows(columns, fixed="%d", other=[1])
    whole = [{**row, "fixed": "%d", "other": [1]} for row in rows]
    assert list(held) == whole
    assert held[1:4] == whole[1:4]
    assert held[-1] == whole[-1]
    assert len(held) == len(whole)
    assert digest(held) == digest(whole) == digest_of_list(held.encoded())
    assert digest(["f", held]) == digest(["f", whole])
    assert pickle.loads(pickle.dumps(held)) == whole


def test_columns_of_rows_are_of_one_size() -> None:
    with pytest.raises(ValueError, match="unpack"):
        Rows({"a": [1, 2], "b": [1]})
    with pytest.raises(ValueError, match="shorter"):
        list(encoded_lists(["a", "b"], ["c"]))


def test_digests_of_many_are_those_of_each() -> None:
    names, counts = ["a", 'b"', "é"], [1, 2, None]
    assert digests(encoded(names)) == [digest(name) for name in names]
    assert digests(encoded_lists(names, counts)) == [digest(list(pair)) for pair in zip(names, counts, strict=True)]
    assert digest_of_list([]) == digest([])


def test_what_is_no_json_has_no_digest() -> None:
    with pytest.raises(TypeError, match="set"):
        digest([{1}])


def test_the_id_of_a_split_is_the_digest_of_what_it_holds() -> None:
    split = Split("web", 'a "b" é\n.gz', 3, 9, "bytes", "/somewhere", 7, "etag")
    assert split_id(split) == digest([split.source, split.file, 3, 9, "bytes", 7, "etag"])
    other = Split("web", "c.gz", 0, 0, "file", "/elsewhere", 1, "")
    assert split_ids([split, other]) == [split_id(split), split_id(other)]
