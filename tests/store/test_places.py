"""Places of files on object stores: a key is a name, and is written as it is read."""

from __future__ import annotations

import pytest

from stages.formats.locations import Place, locate, meant_uri, place_of
from tests.support.odd_keys import KEYS


@pytest.mark.parametrize(
    "uri",
    [
        "s3://b/a%2Bb #1?.jsonl",
        "s3://b/k?region=x",
        "gs://b/ü//x?anonymous=true",
        "/a/b?region=x",
        "s3://b/q?z=1",
        "/#",
    ],
)
def test_a_place_is_written_as_it_is_read(uri: str) -> None:
    assert place_of(uri).uri() == uri


@pytest.mark.parametrize("key", [*KEYS, "k?region=x", "k?", "k??", "k?region=x?", "k?anonymous=true&region=y"])
@pytest.mark.parametrize("options", [(), (("region", "x"), ("endpoint_override", "h:1/&? "))])
def test_every_key_survives_being_written_as_a_uri(key: str, options: tuple[tuple[str, str], ...]) -> None:
    place = Place("s3", f"bucket/{key}", options)
    assert place_of(place.uri()) == place


def test_a_uri_is_proposed_for_one_with_a_slash_too_few_and_for_no_other() -> None:
    assert meant_uri("s3:/bucket/a") == "; did you mean s3://bucket/a?"
    assert meant_uri("/tmp/https:/host/a") == "; did you mean https://host/a?"
    assert meant_uri("file:/tmp/a") == "; did you mean file:///tmp/a?"
    for right in ("s3://bucket/a", "https://host/a", "/tmp/a", "a"):
        assert meant_uri(right) == ""


def test_a_scheme_nobody_knows_and_a_missing_bucket_are_said() -> None:
    with pytest.raises(ValueError, match="expected a path or one of s3://, gs://"):
        locate("gopher://x/y")
    with pytest.raises(ValueError, match="expected a bucket"):
        locate("s3:///key")
    for wrong, meant in (("s3:/bucket/key", "s3://bucket/key"), ("https:/host/a.jsonl", "https://host/a.jsonl")):
        with pytest.raises(ValueError, match=f"two slashes; did you mean {meant}"):
            locate(wrong)
