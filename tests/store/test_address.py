"""Addresses: the digest of a value is that of its canonical JSON, however long and in whatever sequence."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from pipeline.store import address
from pipeline.store.address import digest, split_id
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


def test_what_is_no_json_has_no_digest() -> None:
    with pytest.raises(TypeError, match="set"):
        digest([{1}])


def test_the_id_of_a_split_is_the_digest_of_what_it_holds() -> None:
    split = Split("web", 'a "b" é\n.gz', 3, 9, "bytes", "/somewhere", 7, "etag")
    assert split_id(split) == digest([split.source, split.file, 3, 9, "bytes", 7, "etag"])
