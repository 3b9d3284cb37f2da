"""Mutated PDFs through a whole run: each is a row, a reason or quarantined, and none kills the run.

``python -m benchmarks.pdf_fuzz [--count N] [--engine ray|inline]``: small PDFs of several shapes are broken in bytes,
in numbers and names, and inside their streams (inflated, broken and put back), written as records of WARC files, and
run to the end of a mixture with `text_types: [pdf]`.
"""

from __future__ import annotations

import argparse
import gzip
import random
import re
import tempfile
import time
import zlib
from pathlib import Path

from pipeline.api import load
from tests.documents.test_pdf import ENCRYPTED, document, typst
from tests.documents.test_pdf_actual_text import body_of, clusters, written
from tests.support.archives import record

FILES = 10
_STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_NAME = re.compile(rb"/[A-Za-z]+")
EXTREMES = (b"0", b"-1", b"2147483647", b"2147483648", b"-2147483649", b"4294967295", b"1e309", b"0.0000001", b"65536")

MIXTURE = """
sources: {{web: {{paths: "{folder}/*.warc.gz"}}}}
documents: {{text_types: [pdf], max_record_bytes: 4194304}}
kept: {{families: []}}
run: {{max_bad_fraction: 1.0}}
clusters: {{enabled: false}}
domains: {{all: {{}}}}
mixture: {{budget: 1000, domains: {{all: {{share: 1}}}}, on_shortfall: shrink}}
"""


def seeds() -> list[bytes]:
    """Sound PDFs of one page each, and one with a password."""
    shapes = (
        b"= A\n#lorem(60)",
        b"#set page(columns: 2)\n#lorem(150)",
        b"#table(columns: 3, [a], [b], [c], [1], [2], [3])\n$ sum_(i=0)^n x^i / 2 $",
        b'#link("https://a.example")[b] #rect(fill: gradient.linear(red, blue))\n#lorem(20)',
    )
    plain = [typst.compile(shape) for shape in shapes]
    plain.append(body_of(written(clusters([["हि", "न्दी"], ["भा", "षा"]] * 8, 20, 200))))
    return [*plain, *map(inflated, plain), document(1, count=3)[0], ENCRYPTED]


def inflated(body: bytes) -> bytes:
    """A PDF with plain streams: what PDFium reads is then in reach of a broken byte."""

    def open_stream(found: re.Match[bytes]) -> bytes:
        try:
            return b"stream\n" + zlib.decompress(found[1]) + b"\nendstream"
        except zlib.error:
            return found[0]

    return _STREAM.sub(open_stream, body).replace(b"/Filter/FlateDecode", b"").replace(b"/Filter /FlateDecode", b"")


def broken(body: bytes, others: list[bytes], draw: random.Random) -> bytes:
    """A PDF with some things wrong."""
    out = bytearray(body)
    for _ in range(draw.choice((1, 2, 8, 40))):
        at, way = draw.randrange(len(out)), draw.randrange(7)
        size = draw.randrange(1, draw.choice((8, 60, 600)))
        if way == 0:
            out[at] = draw.randrange(256)
        elif way == 1:
            del out[at : at + size]
        elif way == 2:
            out[at:at] = out[at : at + size] * draw.choice((1, 2, 30))
        elif way == 3:
            other = draw.choice(others)
            start = draw.randrange(len(other))
            out[at : at + size] = other[start : start + size]
        else:
            pattern, values = (
                (_NUMBER, EXTREMES) if way < 6 else (_NAME, tuple(set(_NAME.findall(bytes(body)))) or (b"/X",))
            )
            if found := pattern.search(out, at):
                out[found.start() : found.end()] = draw.choice(values)
        if len(out) < 20:
            out += body
    out[:5] = b"%PDF-"
    return bytes(out) + (b"\n%%EOF\n" if draw.random() < 0.8 else b"")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--engine", choices=["ray", "inline"], default="ray")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    draw, sound = random.Random(11), seeds()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for number in range(FILES):
            with (folder / f"{number}.warc.gz").open("wb") as file:
                for one in range(number, given.count, FILES):
                    body = broken(draw.choice(sound), sound, draw)
                    url = f"https://a.example/{one}"
                    data = record(body, http="Content-Type: application/pdf", url=url)
                    file.write(gzip.compress(data, 1, mtime=0))
        (folder / "fuzz.yaml").write_text(MIXTURE.format(folder=folder))
        mixture = load(folder / "fuzz.yaml", folder / "root")
        begun = time.perf_counter()
        mixture.run(engine=given.engine, workers=given.workers, quiet=True)
        totals = mixture.stats()
        seconds = time.perf_counter() - begun
        print(f"{given.count:,} mutated PDFs in {seconds:.0f} s on {given.workers} workers ({given.engine})")
        print({key: totals["totals"][key] for key in ("records", "pages", "quarantined") if key in totals["totals"]})
        dropped: dict[str, int] = {}
        held: dict[str, int] = {}
        for report in reports(mixture):
            for reason, count in report["dropped"].items():
                dropped[reason] = dropped.get(reason, 0) + count["records"]
            for place in report["quarantined"]:
                held[place["reason"]] = held.get(place["reason"], 0) + 1
        print("dropped", dict(sorted(dropped.items())))
        print("quarantined", held)


def reports(mixture: object) -> list[dict]:
    from pipeline.recipe import snapshot
    from pipeline.store.storage import Store

    found = snapshot.load(Store(mixture.root), mixture.name)  # type: ignore[attr-defined]
    return [entry.report for entry in found.product("documents")]


if __name__ == "__main__":
    main()
