"""A run of real data with everything on, small enough for a test: what a report may have to show, on real pages.

A file of the crawl and another that ends in the middle of a record, reference pages, some books and sources;
percentile buckets, two phases of training with a reserve, held-out splits, benchmarks made of the pages' own text,
personal data replaced, lists of addresses, robots.txt of some hosts, recurring lines, a scorer, and a domain that no
phase takes anything of.
"""

from __future__ import annotations

import gzip
import io
import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import zstandard

CUT = 1_790_000
"""Bytes of the second file that are there."""
BOOKS, SOURCES, REFERENCE = 4, 120, 700

MIXTURE = """\
name: everything
sources:
  web: {{paths: "{folder}/web/*.warc.gz", group_bytes: 0}}
  wiki: {{paths: "{folder}/wiki/*.parquet"}}
  books: {{paths: "{folder}/books/*.jsonl", kept: {{rules: {{too_many_words: false}}}}}}
  code: {{paths: "{folder}/code/*.jsonl", kept: {{families: [], rules: {{low_language_confidence: false}}}}}}
run: {{max_bad_fraction: 0.5}}
quality:
  benchmarks:
    files:
      - {{path: "{folder}/questions.jsonl", name: questions}}
      - {{path: "{folder}/passages.jsonl", name: passages, fields: [passage]}}
lines: {{enabled: true, min_pages: 10}}
scores:
  scorers:
    books: {{function: "stages.scorers.byte_model:bits_per_byte", params: {{train: "{folder}/books/books.jsonl"}}}}
kept:
  languages: [en, ja, zh, de, fr, es, ru, cs, ko]
  min_confidence: 0.3
  families: [gopher_quality, contamination]
  rules: {{too_few_stop_words: false}}
  views: [redacted, without_repeated_lines]
  urls:
    shut: {{domains: [creativecommons.org], substrings: [sitemap]}}
  robots: {{agents: [CCBot, GPTBot], files: "{folder}/robots"}}
  overrides:
    - {{languages: [en], rules: {{too_few_stop_words: true, too_few_words: 60}}}}
    - {{languages: [ja, zh], rules: {{too_few_words: false, words_too_long: false, too_few_alphabetic_words: false}}}}
clusters: {{threshold: 0.8, urls: true}}
domains:
  code: {{sources: [code]}}
  books: {{sources: [books]}}
  wiki: {{sources: [wiki]}}
  web-best: {{sources: [web], percentiles: {{books_score: [0, 30]}}}}
  web-middle: {{sources: [web], percentiles: {{books_score: [30, 70]}}}}
  web-long: {{sources: [web], percentiles: {{gopher_num_words: [50, 100]}}}}
  web-rest: {{sources: [web]}}
shards: {{target_tokens: 400000, valid_fraction: 0.05, test_fraction: 0.03}}
corpus: {{target_tokens: 500000}}
phases:
  budget: 3M
  phases:
    - name: stable
      until: 0.75
      mixture:
        max_epochs: 4
        domains: {{web-best: {{share: 0.4}}, web-middle: {{share: 0.3}}, code: {{share: 0.1}}, wiki: {{share: 0.2}}}}
    - name: anneal
      until: 1
      mixture:
        max_epochs: 4
        domains: {{web-best: {{share: 0.3}}, web-long: {{share: 0.2}}, books: {{share: 0.3}}, wiki: {{share: 0.2}}}}
      reserve: {{web-best: 0.3}}
"""


def write_robots(crawl: Path, folder: Path) -> None:
    """robots.txt for every third host of a file of the crawl."""
    with gzip.open(crawl) as file:
        hosts = sorted(set(re.findall(rb"WARC-Target-URI: https?://([a-z0-9.-]+)/", file.read())))
    for number, host in enumerate(hosts[::3]):
        (folder / host.decode()).mkdir(parents=True)
        agent = ("CCBot", "GPTBot", "*")[number % 3]
        (folder / host.decode() / "robots.txt").write_text(f"User-agent: {agent}\nDisallow: /\n")


def write(shared: Path, folder: Path) -> Path:
    """Inputs and the mixture file under ``folder``; the path of the latter."""
    data = shared / "data"
    for name in ("web", "wiki", "books", "code"):
        (folder / name).mkdir(parents=True)
    (folder / "web" / "crawl-00009.warc.gz").symlink_to(data / "crawl" / "crawl-00009.warc.gz")
    cut = (data / "crawl" / "crawl-00000.warc.gz").read_bytes()[:CUT]
    (folder / "web" / "cut.warc.gz").write_bytes(cut)
    write_robots(data / "crawl" / "crawl-00009.warc.gz", folder / "robots")
    wiki = pq.read_table(data / "wiki-like" / "wiki.parquet").slice(0, REFERENCE)
    pq.write_table(wiki, folder / "wiki" / "wiki.parquet")
    with gzip.open(data / "books" / "books.jsonl.gz") as file:
        books = [next(file) for _ in range(BOOKS)]
    (folder / "books" / "books.jsonl").write_bytes(b"".join(books))
    with zstandard.open(data / "code" / "code.jsonl.zst") as file:
        lines = io.BufferedReader(file)
        (folder / "code" / "code.jsonl").write_bytes(b"".join(lines.readline() for _ in range(SOURCES)))
    texts = wiki["text"].to_pylist()
    questions = [{"question": " ".join(text.split()[20:60])} for text in texts[::40] if len(text) > 800]
    passages = [{"passage": " ".join(json.loads(line)["text"].split()[5000:5040])} for line in books[:1]]
    for name, items in (("questions", questions), ("passages", passages)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, items)) + "\n", encoding="utf-8")
    path = folder / "everything.yaml"
    path.write_text(MIXTURE.format(folder=folder), encoding="utf-8")
    return path
