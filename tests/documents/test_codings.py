"""Codings of HTTP bodies: undone if the bytes bear them out, whatever is declared; damage costs what it damages."""

from __future__ import annotations

import gzip
import random
import zlib
from pathlib import Path

import brotli
import pytest
import zstandard

from stages.documents.http import decode_body
from tests.support.archives import read, record, write

LIMIT = 5 << 20
WORDS = " ".join(str(number * 7919 % 10007) for number in range(900))
PAGE = f"<!DOCTYPE html><html><head><title>Mills</title></head><body><p>Été {WORDS}</p></body></html>".encode()


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACK = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "deflate": zlib.compress,
    "raw deflate": raw_deflate,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
}
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"


def name_of(coding: str) -> str:
    return coding.split()[-1]


@pytest.mark.parametrize("declared", ["gzip", "deflate", "br", "zstd", "brotli", "x-gzip", "compress", "gzip;q=1.0"])
@pytest.mark.parametrize("held", PACK)
def test_a_coding_under_the_name_of_another_is_undone(held: str, declared: str) -> None:
    assert decode_body(PACK[held](PAGE), "", declared, LIMIT) == (PAGE, None)


@pytest.mark.parametrize("inner", PACK)
@pytest.mark.parametrize("outer", PACK)
def test_codings_are_undone_from_the_last_to_the_first(inner: str, outer: str) -> None:
    body = PACK[outer](PACK[inner](PAGE))
    assert decode_body(body, "", f"{name_of(inner)}, {name_of(outer)}", LIMIT) == (PAGE, None)


@pytest.mark.parametrize("held", PACK)
def test_codings_of_the_transfer_are_undone(held: str) -> None:
    body = PACK[held](PAGE)
    chunked = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    assert decode_body(chunked, f"{name_of(held)}, chunked", "", LIMIT) == (PAGE, None)
    assert decode_body(body, name_of(held), "", LIMIT) == (PAGE, None)


@pytest.mark.parametrize("behind", [bytes(100), bytes(2), b"trailing garbage", b"\r\n"])
@pytest.mark.parametrize("held", PACK)
def test_what_stands_behind_costs_nothing(held: str, behind: bytes) -> None:
    assert decode_body(PACK[held](PAGE) + behind, "", name_of(held), LIMIT) == (PAGE, None)


@pytest.mark.parametrize("place", [-8, -5])
def test_a_wrong_checksum_of_gzip_costs_nothing_and_is_noted(place: int) -> None:
    body = bytearray(PACK["gzip"](PAGE))
    body[place] ^= 0xFF
    assert decode_body(bytes(body), "", "gzip", LIMIT) == (PAGE, "damaged_body")


def test_a_wrong_checksum_of_zlib_costs_nothing_and_is_noted() -> None:
    body = bytearray(PACK["deflate"](PAGE))
    body[-2] ^= 0xFF
    assert decode_body(bytes(body), "", "deflate", LIMIT) == (PAGE, "damaged_body")


@pytest.mark.parametrize("held", ["gzip", "deflate"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_what_comes_before_a_wrong_byte_is_kept(held: str, share: float) -> None:
    body = bytearray(PACK[held](PAGE))
    place = int(len(body) * share)
    body[place : place + 60] = bytes(60)
    plain, note = decode_body(bytes(body), "", name_of(held), LIMIT)
    sound = len(next((PAGE[:n] for n in range(len(PAGE), 0, -1) if plain.startswith(PAGE[:n])), b""))
    assert note in ("damaged_body", "truncated")
    assert sound > (share - 0.1) * len(PAGE)


@pytest.mark.parametrize("held", PACK)
def test_a_cut_body_is_noted(held: str) -> None:
    plain, note = decode_body(PACK[held](PAGE)[:-40], "", name_of(held), LIMIT)
    assert (PAGE.startswith(plain), note) == (True, "truncated")


@pytest.mark.parametrize("between", [b"", bytes(8)])
@pytest.mark.parametrize("held", ["gzip", "zstd"])
def test_members_are_joined_over_padding(held: str, between: bytes) -> None:
    body = PACK[held](PAGE[:3000]) + between + PACK[held](PAGE[3000:])
    assert decode_body(body, "", "", LIMIT) == (PAGE, None)


def test_skippable_frames_are_passed_over() -> None:
    body = SKIPPABLE + PACK["zstd"](PAGE[:100]) + SKIPPABLE + PACK["zstd"](PAGE[100:]) + SKIPPABLE
    assert decode_body(body, "", "zstd", LIMIT) == (PAGE, None)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, br"])
def test_text_under_a_coding_stays_as_it_is(coding: str) -> None:
    draw = random.Random(4)
    starts = [b"<!DOCTYPE html>", b"{", b'{"', b"\xef\xbb\xbf<html>", b"plain", b"\n", b"x\x5e", "Été".encode("cp1252")]
    for number in range(800):
        body = starts[number % 8] + bytes(draw.choices(b"abcdefgh <>/\n=\"'{}", k=draw.randint(60, 300)))
        assert decode_body(body, "", coding, LIMIT) == (body, None)


@pytest.mark.parametrize("held", PACK)
def test_a_bomb_gives_no_more_than_the_limit(held: str) -> None:
    body = PACK[held](b"<p>" + b" " * (20 << 20))
    plain, note = decode_body(body, "", name_of(held), 1 << 20)
    assert (len(plain), note) == (1 << 20, "over_limit")


@pytest.mark.parametrize("held", PACK)
def test_a_page_with_a_damaged_end_is_a_row(tmp_path: Path, held: str) -> None:
    http = f"Content-Type: text/html; charset=utf-8\r\nContent-Encoding: {name_of(held)}"
    made = [record(PACK[held](PAGE) + bytes(4), http=http), record(PACK[held](PAGE), http=http)]
    rows, report = read(write(tmp_path / "a.warc.gz", made))
    assert [row["text"] for row in rows] == [f"Été {WORDS}"] * 2
    assert report["dropped"] == {}
