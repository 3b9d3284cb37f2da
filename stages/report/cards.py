"""Cards: what the Hub and data catalogues want to know of a corpus, from the same figures as the report.

    dataset_card   README.md with the YAML head of the Hugging Face Hub
    croissant      JSON-LD after Croissant 1.0 (mlcommons.org/croissant/1.0): files, columns, how the data was made

Nothing is guessed: licence, address and authors are given or left out. Names from outside are escaped for Markdown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import yaml

from stages import schemas
from stages.figures import exact, percent, size
from stages.report.columns import Table, shown
from stages.report.corpus_tables import domains, mixture
from stages.report.tables import languages, reasons
from stages.untrusted import cleaned, line

MAX_LANGUAGES = 100
LEAST_SHARE = 0.01
"""Share of the tokens from which on a card names a language."""
SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
"""Bounds of the Hub's classes, from 1,000 on by factors of ten."""
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "includes": "cr:includes",
    "key": "cr:key",
    "md5": "cr:md5",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "sc": "https://schema.org/",
    "source": "cr:source",
}
USAGE = (
    "```python\nfrom datasets import load_from_disk\n\ncorpus = load_from_disk('PATH')\n"
    "tokens = corpus['train'][0]['input_ids']\n```\n\n"
    "Each row is a document: `input_ids` end with the end token, once; `train/docs-*.parquet` says, row for row,"
    " where it came from. `manifest.json` has rows, tokens and checksums of every file."
)
# Columns of the Parquet beside each shard, as `stages.corpus` writes it.
DOCS = pa.schema([*schemas.DOCS, pa.field("domain", pa.string()), pa.field("pass", pa.int32())])
ABOUT = {
    "doc_id": "128-bit id of the document, the same in every file",
    "num_tokens": "tokens of the document, the end token included",
    "url": "address the page was fetched from",
    "time": "when it was fetched",
    "source": "name of the source in the mixture",
    "file": "file of the source that held the record",
    "offset": "where the record starts in that file",
    "language": "language label",
    "confidence": "of the language label, 0 to 1",
    "cluster_size": "near and exact copies found, itself included",
    "text_bytes": "bytes of UTF-8 text that were tokenized",
    "domain": "domain of the mixture",
    "pass": "0 for the first time the document is used, 1 for the second, and so on",
}


def dataset_card(
    stats: Mapping[str, Any],
    *,
    licence: str | None = None,
    title: str | None = None,
    description: str = "",
    croissant: bool = False,
) -> str:
    """README.md for a dataset repository that holds the corpus folder.

    Args:
        stats: of a finished run.
        licence: identifier as the Hub spells it (``apache-2.0``, ``odc-by``, ``other``); left out if not given.
        title: shown name; the mixture's name if not given.
        description: Markdown to put first.
        croissant: whether ``croissant.json`` stands beside it.
    """
    stats = cleaned({key: value for key, value in stats.items() if key != "survey"}) | {"survey": None}
    name = title or stats["name"]
    head = yaml.safe_dump(metadata(stats, name, licence, croissant), sort_keys=False, allow_unicode=True, width=120)
    parts = [f"---\n{head}---", f"# {escaped(name)}"]
    if description:
        parts.append(description)
    parts.append(summary(stats))
    parts.append("## Use\n\n" + USAGE)
    for heading, table in (
        ("Mixture", mixture(stats)),
        ("Tokens by domain, before the mixture", domains(stats)),
        ("Languages", languages(stats)),
        ("What was removed", reasons(stats)),
    ):
        if table.rows:
            parts.append(f"## {heading}\n\n{markdown(table)}")
    return "\n\n".join(parts) + "\n"


def metadata(stats: Mapping[str, Any], name: str, licence: str | None, croissant: bool = False) -> dict[str, Any]:
    """The YAML head; a language is named from `LEAST_SHARE` of the tokens on: labels of code are many and rare."""
    least = LEAST_SHARE * sum(row["tokens"] or 0 for row in stats["languages"])
    found = [row for row in stats["languages"] if row["tokens"] and row["tokens"] >= least]
    found = [row for row in found if re.fullmatch(r"[a-z]{2,3}", row["language"])]
    codes = [row["language"] for row in sorted(found, key=lambda row: -row["tokens"]) if row["language"] != "und"]
    shards = stats["shards"] or {"rows": 0, "bytes": 0}
    head: dict[str, Any] = {"pretty_name": name, "language": codes[:MAX_LANGUAGES]}
    if licence:
        head["license"] = licence
    return head | {
        "size_categories": [size_category(shards["rows"])],
        "task_categories": ["text-generation"],
        "tags": ["pretraining", "tokenized", *(["croissant"] if croissant else [])],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "train/data-*.arrow"}]}],
    }


def size_category(rows: int) -> str:
    """The Hub's classes of size by number of rows."""
    before = ""
    for power, name in enumerate(SIZES, 3):
        if rows < 10**power:
            return f"{before}<n<{name}" if before else f"n<{name}"
        before = name
    return f"n>{before}"


def summary(stats: Mapping[str, Any]) -> str:
    totals, shards = stats["totals"], stats["shards"]
    lines = [
        f"- {exact(totals['training_tokens'])} tokens in {shards_text(shards['files'] if shards else 0)}",
        f"- made of {exact(totals['pages'])} pages ({size(totals['text_bytes'])} of text) from {len(stats['sources'])}"
        f" sources, of which {exact(totals['kept'])} ({percent(totals['kept'], totals['pages'])}) were kept",
    ]
    tokenizer = stats["tokenizer"]
    if tokenizer:
        named = ", ".join(
            f"{key} {escaped(str(tokenizer[key]))}" for key in ("name", "vocab_size", "dtype") if key in tokenizer
        )
        lines.append(f"- tokenizer: {named}")
    return "\n".join(lines)


def shards_text(files: int) -> str:
    return "1 Arrow shard" if files == 1 else f"{exact(files)} Arrow shards"


def markdown(table: Table, limit: int = 30) -> str:
    """A Markdown table of the first rows; bars and helps are left out."""
    columns = [column for column in table.columns if column.kind != "parts"]
    heads = [column.label for column in columns]
    rule = ["---" if column.kind in ("text", "reason", "language") else "--:" for column in columns]
    rows = [
        [
            escaped(shown(value, column.kind)[0])
            for value, column in zip(row, table.columns, strict=True)
            if column.kind != "parts"
        ]
        for row in table.rows[:limit]
    ]
    text = "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, rule, *rows))
    return text + (f"\n\nand {len(table.rows) - limit} more" if len(table.rows) > limit else "")


def escaped(text: str) -> str:
    """One line of Markdown in which nothing is markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|!~$&])", r"\\\1", line(text)).replace("\n", " ")


def croissant(
    stats: Mapping[str, Any],
    *,
    manifest_sha256: str,
    manifest_bytes: int,
    url: str,
    licence: str | None = None,
    creators: Sequence[str] = (),
    description: str = "",
    version: str = "1.0.0",
    date: str | None = None,
) -> dict[str, Any]:
    """Croissant JSON-LD for the corpus folder; write it with `encode_croissant`.

    Args:
        manifest_sha256, manifest_bytes: of manifest.json, which in turn vouches for every shard.
        url: where the dataset is found.
        licence: address or SPDX identifier.
        creators: names.
        version: semantic version of this release.
        date: of publication, YYYY-MM-DD; left out if not given (no clock is read here).
    """
    stats = cleaned({key: value for key, value in stats.items() if key != "survey"}) | {"survey": None}
    found: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": re.sub(r"[^A-Za-z0-9_.-]", "-", stats["name"]),
        "description": description or summary(stats).replace("\\", ""),
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "url": url,
        "version": version,
        "inLanguage": metadata(stats, "", None)["language"],
        "rai:dataPreprocessingProtocol": protocol(stats),
        "distribution": distribution(manifest_sha256, manifest_bytes),
        "recordSet": [record_set()],
    }
    if licence:
        found["license"] = licence
    if creators:
        found["creator"] = [{"@type": "sc:Organization", "name": name} for name in creators]
    if date:
        found["datePublished"] = date
    return found


def protocol(stats: Mapping[str, Any]) -> list[str]:
    """One sentence a step of the funnel."""
    steps = stats["funnel"]
    sentences = []
    for step in steps[1:]:
        gone = ", ".join(f"{row['reason']} {row['documents']:,}" for row in step["removed"])
        left = f"{step['step']}: {step['documents']:,} documents left"
        sentences.append(f"{left}; removed: {gone}." if gone else f"{left}.")
    return sentences


def distribution(manifest_sha256: str, manifest_bytes: int) -> list[dict[str, Any]]:
    return [
        {
            "@type": "cr:FileObject",
            "@id": "manifest",
            "name": "manifest.json",
            "description": "Rows, tokens, bytes and checksums of every file of the corpus",
            "contentUrl": "manifest.json",
            "contentSize": f"{manifest_bytes} B",
            "encodingFormat": "application/json",
            "sha256": manifest_sha256,
        },
        file_set(
            "tokens", "application/vnd.apache.arrow.stream", "train/data-*.arrow", "Token ids, one row a document"
        ),
        file_set(
            "documents", "application/vnd.apache.parquet", "train/docs-*.parquet", "Where each document came from"
        ),
    ]


def file_set(name: str, encoding: str, includes: str, description: str) -> dict[str, Any]:
    files = {"@type": "cr:FileSet", "@id": f"{name}-files", "name": f"{name}-files", "description": description}
    return files | {"encodingFormat": encoding, "includes": includes}


def record_set() -> dict[str, Any]:
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"documents/{field.name}",
            "name": field.name,
            "description": ABOUT[field.name],
            "dataType": data_type(field.type),
            "source": {"fileSet": {"@id": "documents-files"}, "extract": {"column": field.name}},
        }
        for field in DOCS
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": "documents",
        "name": "documents",
        "description": "One record a training document, in the order of the token shards",
        "field": fields,
    }


def data_type(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind):
        return "sc:Integer"
    if pa.types.is_floating(kind):
        return "sc:Float"
    return "sc:DateTime" if pa.types.is_timestamp(kind) else "sc:Text"


def encode_croissant(found: Mapping[str, Any]) -> bytes:
    return (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace")
