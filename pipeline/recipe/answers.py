"""Facts of the stages about single pages, files and names: for the commands that answer questions."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.errors import UserError
from pipeline.recipe import robots_files
from pipeline.store.storage import Store
from stages import clusters, documents, kept, percentiles
from stages.clusters import explain, judge
from stages.contract import Split
from stages.kept import failures
from stages.rules import classifier_training, contamination, families, row_files, url_files, url_lists, urls
from stages.rules import robots_files as robots_table
from stages.rules.reasons import words_of
from stages.tokenizers import load as load_tokenizer


def duplicates_text(store: Store, folder: str, splits: list[dict[str, Any]], largest: int) -> str:
    """The report of deduplication, for people; ``splits`` are the fields of `stages.clusters.ClusterInput`."""
    report = explain.dedup_report(store, [clusters.ClusterInput(**split) for split in splits], folder, largest)
    return "\n".join(explain.report_lines(report)) + "\n"


def judged_text(texts: Sequence[str], pairs: list[dict[str, Any]], ngram: int) -> str:
    """Labelled pairs against what deduplication did (`stages.clusters.judge`), for people.

    Args:
        pairs: ``pages``, ``duplicate``, ``stays`` and ``eligible`` of a `judge.Judged`, and ``texts``: the places of
            the two texts.
    """
    left, right = zip(*(pair.pop("texts") for pair in pairs), strict=True)
    similarities = judge.similarities(texts, left, right, ngram)
    judged = [judge.Judged(**pair, similarity=found) for pair, found in zip(pairs, similarities, strict=True)]
    return "\n".join(judge.judged_lines(judge.judge(judged))) + "\n"


def compile_lists(params: kept.Params, store: Store, place: str) -> list[str]:
    """Compile the lists of addresses of `kept` into one file under the root; returns remarks about doubtful ones.

    Raises:
        ValueError, OSError: a list cannot be read, or is no list of addresses.
    """
    url_lists.save(store, place, url_lists.compile_lists(params.urls))
    return list(url_lists.doubtful(params.urls))


def compile_robots(params: kept.Params, store: Store, place: str) -> list[str]:
    """Compile the files of `kept.robots` into one table under the root; returns remarks about them.

    Raises:
        ValueError, OSError: a file is damaged, or names no service.
    """
    assert params.robots is not None
    return robots_files.compile_files(params.robots, store, place)


def host_spellings(host: str) -> list[str]:
    """A host in lower case and, beyond ASCII, in letters and in punycode."""
    return [name.decode() for name in url_files.spellings(host.encode())]


def failed_robots(store: Store, place: str, params: dict[str, Any], url: str | None) -> list[dict[str, Any]]:
    """The rules of `kept.robots.files` that a page at ``url`` fails, each with its line in the file.

    Args:
        place: of the compiled files.
        params: of `kept`, as ``about.json`` beside its file has them.
    """
    robots = kept.Params(**params).robots
    drop_missing = robots is not None and robots.missing == "drop"
    return robots_table.load(store, place).explain(url, drop_missing)


def raw_record(source: str, file: str, uri: str, params: dict[str, Any], offset: int) -> bytes:
    """The record a page was made of, byte for byte, from the input file at ``uri``.

    Raises:
        LookupError: there is none.
    """
    split = Split(source, file, 0, 0, "file", uri, 0, "")
    return documents.raw_record(split, documents.Params(**params), file, offset)


def rules() -> list[tuple[str, str, str, str, float]]:
    """Every published rule: family, name, column of `quality`, 'min' or 'max', the published threshold."""
    return [
        (family, rule.name, rule.column, rule.side, rule.threshold)
        for family, members in families.RULES.items()
        for rule in members
    ]


def train_classifier(
    texts: Iterable[tuple[str, str, str]], output: str, settings: dict[str, Any], data: list[dict[str, Any]]
) -> dict[str, Any]:
    """Train a classifier (`stages.rules.classifier_training.train`); returns the content of its sidecar.

    Args:
        texts: (label, text, URL or nothing).

    Raises:
        ValueError: where a label has too few texts.
    """
    labelled = (
        classifier_training.Labelled(label, text, urls.registered_domain(urls.host(url)) if url else "")
        for label, text, url in texts
    )
    return classifier_training.train(labelled, output, classifier_training.Training(**settings), data)


def tokenizer_identity(name: str, eos: str | int | None = None) -> dict[str, Any]:
    """The identity of a tokenizer for a trainer (`stages.tokenizers`), by shipped name, path or URI.

    Raises:
        UserError: when it cannot be found or used.
    """
    try:
        return load_tokenizer(name, eos).identity()
    except ValueError as error:
        raise UserError(str(error)) from error


def failed_rules(failed: Sequence[str] | int, rules: Sequence[str]) -> list[str]:
    """The rules that a page failed, from its value of ``failed`` in `kept`; ``rules``: of the file's report."""
    return failures.names_of(failed, rules)


def page_rules(about: dict[str, Any], page: pa.Table, edges: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The rules of `kept` that held for a page.

    Args:
        about: the content of ``about.json`` beside its file.
        edges: of the percentiles that domains name, where any does.
    """
    domains = [kept.Domain(**domain) for _, domain in about["identity"]["domains"]]
    return kept.page_rules(page, kept.Params(**about["params"]), domains, edges)


def says(reason: str) -> str:
    """The condition under which a page gets a reason, in words."""
    return words_of(reason).replace("`", "")


def bucket_edges(domains: list[tuple[str, dict[str, Any]]], edges: dict[str, Any]) -> list[dict[str, Any]]:
    """The buckets that domains select by, one row a domain, column and language.

    Args:
        domains: (name, settings) as ``about.json`` beside `kept` has them.
        edges: of `stages.kept.buckets`.
    """
    rows = []
    for name, settings in domains:
        domain = kept.Domain(name=name, **{key: value for key, value in settings.items() if key != "name"})
        for column, limits in domain.percentiles.items():
            for ranked, values in edges[domain.group(column)].items():
                language, _, label = ranked.partition(" ")
                if domain.within is not None and label not in domain.labels.get(domain.within, (label,)):
                    continue
                place = {"domain": name, "column": column, "language": language, "from": limits[0], "to": limits[1]}
                place |= {"label": label} if domain.within is not None else {}
                least, below = (percentiles.edge_at(values, percentile) for percentile in limits)
                rows.append(place | {"least": at_most(least), "below": None if below == math.inf else below})
    return rows


def at_most(edge: float | None) -> float | None:
    """An edge as JSON can say it: that above all numbers, infinite ones too, as the largest there is."""
    return None if edge is None else min(edge, sys.float_info.max)


CONTAMINATED = contamination.SCORE
"""Score above which an item of a benchmark counts as found."""


def benchmarks(files: Sequence[str], parts: Sequence[str]) -> contamination.Benchmarks:
    """Benchmarks by FILE or NAME=FILE, and the fields of their parts by PART=FIELD.

    Raises:
        ValueError, OSError: a file cannot be read or holds no text, or a part is none.
    """
    fields: dict[str, tuple[str, ...]] = {}
    for entry in parts:
        part, mark, named = entry.partition("=")
        if not mark or part not in contamination.PARTS:
            raise ValueError(f"expected PART=FIELD with a part of {', '.join(contamination.PARTS)}, found {entry!r}")
        fields[part] = (*fields.get(part, ()), named)
    entries = [entry.rpartition("=") if not Path(entry).exists() else ("", "", entry) for entry in files]
    made = contamination.Benchmarks.model_validate(
        {"files": [{"path": path, "name": name, "parts": fields} for name, _, path in entries]}
    )
    for one in made.files:
        contamination.check(one, every_field=len(files) == 1)  # of several, one may have no answers, another no choices
    return made


def text_lines(path: str | Path) -> list[bytes]:
    """The lines of a text file, without the byte order mark that it may begin with.

    Raises:
        OSError: it cannot be read.
    """
    return row_files.in_utf8(Path(path).read_bytes()).splitlines()


def write_rows(table: pa.Table, path: str) -> None:
    """A table as JSONL."""
    with open(path, "w", encoding="utf-8") as file:
        for batch in table.to_batches(1024):
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch.to_pylist())


def decoder(identity: dict[str, Any], name: str | None) -> Callable[[Any], bytes]:
    """A function from token ids to text, by the tokenizer that made them.

    Raises:
        ValueError: it is not at hand, or another one.
    """
    found = load_tokenizer(name or str(identity["name"]))
    if found.sha256 != identity["sha256"]:
        raise ValueError(f"the ids are of another tokenizer than {found.name}: its file has another checksum")
    return found.reference.decode
