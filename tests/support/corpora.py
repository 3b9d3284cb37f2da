"""Small inputs of real text for whole runs: pages made of the standard library's own documentation.

Real sentences, a few hundred pages in several WARC files, exact and near copies among them, an empty page, a picture,
and a JSONL of sources; small enough that a run takes seconds.
"""

from __future__ import annotations

import gzip
import html
import importlib
import inspect
import json
from pathlib import Path

from tests.support.archives import record

MODULES = """
    argparse asyncio.queues bisect calendar codecs collections configparser contextlib csv datetime decimal difflib
    email.message enum fractions functools gzip heapq http.client inspect io ipaddress itertools json logging mailbox
    optparse pathlib pickle pprint queue random re sched shelve shutil smtplib socket sqlite3 statistics string
    subprocess tarfile tempfile textwrap threading timeit tokenize trace traceback types unittest.mock urllib.request
    uuid warnings wave weakref xml.dom.minidom zipfile
""".split()  # noqa: SIM905 - a list of 60 short words


MIRRORED = 7
"""Of so many pages one stands a second time, word for word, on another host."""


def documented() -> list[tuple[str, str]]:
    """(dotted name, documentation) of the public classes and functions of `MODULES` that have much to say."""
    found = {}
    for name in MODULES:
        module = importlib.import_module(name)
        for member, value in sorted(vars(module).items()):
            if member.startswith("_") or not callable(value):
                continue
            parts = [inspect.getdoc(value) or ""]
            if inspect.isclass(value):
                parts += [inspect.getdoc(method) or "" for _, method in sorted(vars(value).items()) if callable(method)]
            text = "\n\n".join(part for part in dict.fromkeys(parts) if part)
            if len(text) > 600:
                found[f"{name}.{member}"] = text
    return sorted(found.items())


def page(name: str, text: str) -> bytes:
    paragraphs = "".join(f"<p>{html.escape(part)}</p>\n" for part in text.split("\n\n"))
    head = f"<!DOCTYPE html><html lang=en><head><title>{html.escape(name)}</title></head>"
    return f"{head}<body><article><h1>{name}</h1>{paragraphs}</article></body></html>".encode()


def write_corpus(folder: Path, files: int = 6) -> Path:
    """WARC files under ``folder/web`` and a JSONL under ``folder/code``; the same bytes every time."""
    web, code = folder / "web", folder / "code"
    web.mkdir(parents=True)
    code.mkdir()
    docs = documented()
    pages = [(f"https://docs.example/{name}", page(name, text)) for name, text in docs]
    pages += [(f"https://mirror.example/{name}", page(name, text)) for name, text in docs[::MIRRORED]]
    pages += [
        (f"https://old.example/{name}", page(name, text + "\n\nThis page describes an older version of the library."))
        for name, text in docs[::9]
        if len(text) > 2000
    ]
    pages += [("https://docs.example/empty", b"<html><body></body></html>")]
    for number in range(files):
        records = [record(body, url=url) for url, body in pages[number::files]]
        records.append(record(b"\x89PNG", http="Content-Type: image/png", url=f"https://docs.example/{number}.png"))
        data = b"".join(gzip.compress(one, 6, mtime=0) for one in records)
        (web / f"part-{number:03}.warc.gz").write_bytes(data)
    lines = [
        json.dumps({"id": name, "text": Path(file).read_text(encoding="utf-8"), "url": f"https://code.example/{name}"})
        for name in MODULES
        if (file := getattr(importlib.import_module(name), "__file__", None)) and file.endswith(".py")
    ]
    (code / "code.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


MIXTURE = """\
name: small
sources:
  web: {{paths: "{folder}/web/*.warc.gz", group_bytes: 0}}
  code:
    paths: "{folder}/code/*.jsonl"
    kept: {{families: [], rules: {{low_language_confidence: false}}}}
kept:
  families: [gopher_quality]
  rules: {{too_few_words: {min_words}}}
domains:
  docs: {{sources: [web]}}
  code: {{sources: [code]}}
shards: {{target_tokens: 40000}}
corpus: {{target_tokens: 30000}}
mixture:
  domains:
    docs: {{share: {docs}}}
    code: {{share: {code}}}
"""


def write_mixture(path: Path, folder: Path, *, docs: float = 0.7, min_words: int = 50, extra: str = "") -> Path:
    """A mixture file over `write_corpus`."""
    text = MIXTURE.format(folder=folder, docs=docs, code=round(1 - docs, 6), min_words=min_words)
    path.write_text(text + extra, encoding="utf-8")
    return path
