"""The survey of a run: distributions, hosts, months, licences and samples, added up file by file.

`survey` looks at the small columns of one split (never at text) and writes one Parquet file: a row per host, and in its
report everything else. `merge` adds such files up, to a tree of any shape, and `finish` makes of the last one what
stats.json holds; only there, text is read, of the few pages shown as samples.

    hosts    level, host, pages, kept, bytes, kept_bytes: hosts and registered domains, see `stages.report.hosts`
    report   {"rows", "histograms": {column: {"kind", "nulls", "all", "kept", "totals"}},
             "groups": {name: {value: sums}}, "samples": [...], "left_out"}; sums are [pages, kept, bytes, kept_bytes],
             totals (of whole numbers) [sum, sum of kept pages, pages that have any, kept pages that have any]

Every column of `quality` is looked at, whatever it is: numbers make a histogram, strings a group.

Samples are the pages with the smallest keyed hashes of doc_id per reason: the same pages in every run, however the
input is divided. Everything else is a sum, so the order of merging makes no difference (with more than
`MAX_HOSTS` hosts it does, within ``error``).

Price: about 2 µs a page; a merge of 64 surveys of 20,000 hosts each takes about a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from stages.contract import Phase, Store, Task
from stages.report import bins
from stages.report.hosts import (
    HOSTS,
    SUMS,
    add,
    added_up,
    host_rows,
    hosts_of,
    largest,
    nothing_left_out,
    sums_by,
    with_registered,
)
from stages.rules import families
from stages.rules.urls import suffix_list_version

VERSION = 2
MAX_GROUP_VALUES = 1000
SAMPLES = 4
"""Pages shown per reason."""
SHOWN = ("reason", "source", "url", "language", "text_bytes")
SAMPLE_CHARACTERS = 2000
FAN_IN = 64
SEED = 7

DOCUMENT_COLUMNS = ("doc_id", "source", "url", "time", "licence", "charset", "text_bytes")
CLUSTER_COLUMNS = ("similarity", "cluster_size")
RULE_COLUMNS = {rule.name: rule.column for rules in families.RULES.values() for rule in rules}
RULE_COLUMNS |= {"near_duplicate": "similarity", "low_language_confidence": "confidence"}

Report = dict[str, Any]


def version() -> str:
    """What decides a survey beside its input: this program, and the list of public suffixes."""
    return f"{VERSION}-{suffix_list_version()}"


@dataclass(frozen=True)
class SurveyInput:
    """Addresses of one split's products; ``clusters``, ``scores`` are None where there are none."""

    documents: str
    language: str
    quality: str
    kept: str
    clusters: str | None
    scores: str | None = None


def plan(inputs: Sequence[SurveyInput], outputs: Sequence[str], folder: str) -> list[Phase]:
    """Survey every split, then merge `FAN_IN` at a time down to ``folder``/survey.parquet.

    Args:
        outputs: where each split's survey goes; those that are there already are not made again.
    """
    first = [
        Task("stages.report.survey:survey", {**vars(entry), "output": output}, (output,), output, memory=512 << 20)
        for entry, output in zip(inputs, outputs, strict=True)
    ]
    phases = [Phase("survey", tuple(first))]
    level, names = 0, list(outputs)
    while True:
        groups = [names[start : start + FAN_IN] for start in range(0, len(names), FAN_IN)] or [[]]
        last = len(groups) == 1
        names = [
            f"{folder}/survey.parquet" if last else f"{folder}/merge-{level}/{i:05d}.parquet"
            for i in range(len(groups))
        ]
        tasks = [
            Task("stages.report.survey:merge", {"inputs": group, "output": name}, (name,), name, memory=1 << 30)
            for group, name in zip(groups, names, strict=True)
        ]
        phases.append(Phase(f"merge {level}", tuple(tasks), () if not level else (f"{folder}/merge-{level - 1}",)))
        if last:
            return phases
        level += 1


# One split


def survey(
    store: Store,
    *,
    documents: str,
    language: str,
    quality: str,
    kept: str,
    clusters: str | None,
    output: str,
    scores: str | None = None,
) -> dict[str, Any]:
    """Job: the survey of one split."""
    pages = store.read_table(documents, list(DOCUMENT_COLUMNS))
    parts = [store.read_table(language), flat(store, quality), store.read_table(kept, ["keep", "reason"])]
    if clusters is not None:
        parts.append(store.read_table(clusters, list(CLUSTER_COLUMNS)))
    if scores is not None:
        parts.append(store.read_table(scores))
    for part in parts:
        for name in part.column_names:
            pages = pages.append_column(name, part.column(name))
    hosts, report = look(pages, documents)
    store.write_table(output, hosts, report=report)
    return {"rows": report["rows"]}


def flat(store: Store, address: str) -> pa.Table:
    """The columns of a file that hold one value a page; lists of spans stay unread."""
    with store.open(address) as file:
        parquet = pq.ParquetFile(file)
        return parquet.read([field.name for field in parquet.schema_arrow if not pa.types.is_nested(field.type)])


def look(pages: pa.Table, address: str) -> tuple[pa.Table, Report]:
    """The survey of a table that has the columns of all products side by side; ``address`` is where its text is."""
    keep = pages.column("keep").to_numpy().astype(np.bool_)
    numeric = [
        name
        for name, kind in zip(pages.column_names, pages.schema.types, strict=True)
        if pa.types.is_integer(kind) or pa.types.is_floating(kind)
    ]
    report: Report = {
        "rows": pages.num_rows,
        "histograms": {name: histogram(name, pages.column(name), keep) for name in numeric},
        "groups": {name: group_sums(pages, column) for name, column in group_columns(pages).items()},
        "samples": samples(pages, address),
        "left_out": nothing_left_out(),
    }
    hosts = with_registered(sums_by(pages, "host", hosts_of(pages.column("url"))))
    return largest(hosts, report["left_out"]), report


def histogram(name: str, column: pa.ChunkedArray, keep: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Counts per bin of all pages and of the kept ones."""
    kind = bins.kind_of(name, integer=pa.types.is_integer(column.type))
    values = column.cast(pa.float64()).to_numpy()
    known = ~np.isnan(values)
    both = {"all": known, "kept": known & keep}
    counts: dict[str, Any] = {key: bins.packed(bins.count(kind, values[mask])) for key, mask in both.items()}
    if kind == "counts":
        whole = [pc.sum(column.filter(pa.array(mask))).as_py() or 0 for mask in both.values()]
        counts["totals"] = [*whole, *(int((values[mask] > 0).sum()) for mask in both.values())]
    return {"kind": kind, "nulls": int((~known).sum()), **counts}


def group_columns(pages: pa.Table) -> dict[str, pa.ChunkedArray]:
    """What pages are counted by, beside hosts."""
    months = pc.fill_null(pc.strftime(pages.column("time"), format="%Y-%m"), "")
    others = [
        name
        for name, kind in zip(pages.column_names, pages.schema.types, strict=True)
        if pa.types.is_string(kind) and name not in (*DOCUMENT_COLUMNS, "language", "script", "reason")
    ]
    by = {name: pc.fill_null(pages.column(name), "") for name in ("licence", "charset", "script", *others)}
    return {"month": months, **by}


def group_sums(pages: pa.Table, values: pa.ChunkedArray) -> dict[str, list[int]]:
    table = sums_by(pages, "value", values)
    columns = [table.column(name).to_pylist() for name in ("value", *SUMS)]
    return fewest({row[0]: list(row[1:]) for row in zip(*columns, strict=True)})


def fewest(groups: dict[str, list[int]]) -> dict[str, list[int]]:
    """The largest `MAX_GROUP_VALUES` values; the others are added up under "(other)"."""
    order = sorted(groups, key=lambda value: (value == "(other)", -groups[value][0], value))
    kept, rest = order[:MAX_GROUP_VALUES], order[MAX_GROUP_VALUES:]
    found = {value: groups[value] for value in kept}
    for value in rest:
        other = found.setdefault("(other)", [0] * len(SUMS))
        found["(other)"] = [a + b for a, b in zip(other, groups[value], strict=True)]
    return found


def samples(pages: pa.Table, address: str) -> list[dict[str, Any]]:
    """The `SAMPLES` pages of each reason (null: kept) with the smallest keys."""
    ids = pages.column("doc_id").combine_chunks()
    keys = np.array([xxhash.xxh3_64_intdigest(doc_id.as_py(), SEED) for doc_id in ids], np.uint64)
    order = np.argsort(keys, kind="stable")
    reasons = pages.column("reason").combine_chunks().dictionary_encode()
    codes = pc.fill_null(reasons.indices, -1).to_numpy()[order]
    chosen = np.sort(np.concatenate([order[codes == code][:SAMPLES] for code in np.unique(codes)] or [order]))
    measured = [column_of(reason) for reason in reasons.dictionary.to_pylist()]
    columns = ["doc_id", *SHOWN]
    columns += sorted({name for name in measured if name in pages.column_names and name not in columns})
    entries = []
    for row, i in zip(pages.select(columns).take(pa.array(chosen)).to_pylist(), chosen.tolist(), strict=True):
        name = column_of(row["reason"])
        shown = {key: row[key] for key in SHOWN} | {"column": name if name in row else None, "value": row.get(name)}
        place = {"doc_id": row["doc_id"].hex(), "key": f"{int(keys[i]):016x}", "documents": address, "row": i}
        entries.append({**shown, **place})
    return smallest(entries)


def column_of(reason: str | None) -> str:
    """The column whose value a reason is about; empty where there is none."""
    name = reason or ""
    if name.startswith(("below_min_", "above_max_")):
        return name[len("below_min_") :]
    return RULE_COLUMNS.get(name, "")


def smallest(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The `SAMPLES` entries of each reason with the smallest (key, doc_id)."""
    taken: dict[str | None, int] = {}
    found = []
    for entry in sorted(entries, key=lambda entry: (entry["reason"] or "", entry["key"], entry["doc_id"])):
        taken[entry["reason"]] = taken.get(entry["reason"], 0) + 1
        if taken[entry["reason"]] <= SAMPLES:
            found.append(entry)
    return found


# Many splits


def merge(store: Store, *, inputs: list[str], output: str) -> dict[str, Any]:
    """Job: add up surveys."""
    found = ((store.read_table(address), store.metadata(address)) for address in inputs)
    hosts, report = add_up(found)
    store.write_table(output, hosts, report=report)
    return {"rows": report["rows"], "surveys": len(inputs)}


def add_up(surveys: Iterable[tuple[pa.Table, Report]]) -> tuple[pa.Table, Report]:
    """The sum of surveys; of none, an empty one."""
    tables: list[pa.Table] = []
    histograms: dict[str, dict[str, Any]] = {}
    groups: dict[str, dict[str, list[int]]] = {}
    entries: list[dict[str, Any]] = []
    report: Report = {"rows": 0, "left_out": nothing_left_out()}
    for hosts, other in surveys:
        tables.append(hosts)
        report["rows"] += other["rows"]
        add(report["left_out"], other["left_out"])
        for name, entry in other["histograms"].items():
            add_histogram(histograms, name, entry)
        for name, values in other["groups"].items():
            mine = groups.setdefault(name, {})
            for value, counts in values.items():
                sums = mine.get(value)
                mine[value] = counts if sums is None else [a + b for a, b in zip(sums, counts, strict=True)]
        entries = smallest([*entries, *other["samples"]])
    for entry in histograms.values():
        entry.update({key: bins.packed(entry[key]) for key in ("all", "kept")})
    report |= {
        "histograms": histograms,
        "groups": {name: fewest(values) for name, values in groups.items()},
        "samples": entries,
    }
    together = pa.concat_tables(tables) if tables else HOSTS.empty_table()
    return largest(added_up(together, ["level", "host"]), report["left_out"]), report


def add_histogram(into: dict[str, dict[str, Any]], name: str, entry: Mapping[str, Any]) -> None:
    kind = entry["kind"]
    counts = {key: bins.unpacked(kind, entry[key]) for key in ("all", "kept")}
    mine = into.get(name)
    if mine is None:
        into[name] = {"kind": kind, "nulls": entry["nulls"], **counts}
        if "totals" in entry:
            into[name]["totals"] = entry["totals"]
        return
    if mine["kind"] != kind:
        raise ValueError(f"histogram of {name}: bins of {kind} in one survey, of {mine['kind']} in another")
    mine["nulls"] += entry["nulls"]
    if "totals" in entry:
        mine["totals"] = [a + b for a, b in zip(mine["totals"], entry["totals"], strict=True)]
    for key, found in counts.items():
        mine[key] = mine[key] + found


# For stats.json


def finish(store: Store, address: str, *, max_hosts: int = 10_000) -> dict[str, Any]:
    """What `build_stats` takes as ``survey``: the last merge, with the text of the samples."""
    hosts, report = store.read_table(address), store.metadata(address)
    return {
        "histograms": [
            {
                "column": name,
                "edges": bins.edges(entry["kind"]).tolist(),
                "all": bins.unpacked(entry["kind"], entry["all"]).tolist(),
                "kept": bins.unpacked(entry["kind"], entry["kept"]).tolist(),
                "nulls": entry["nulls"],
                "totals": entry.get("totals"),
                "thresholds": thresholds_of(name),
            }
            for name, entry in sorted(report["histograms"].items())
        ],
        "hosts": host_rows(hosts, report["left_out"], "host", max_hosts),
        "hosts_error": report["left_out"]["host"]["error"],
        "registered": host_rows(hosts, report["left_out"], "registered", max_hosts),
        "registered_error": report["left_out"]["registered"]["error"],
        "suffix_list": suffix_list_version(),
        "groups": {
            name: [{"value": value, **dict(zip(SUMS, counts, strict=True))} for value, counts in values.items()]
            for name, values in sorted(report["groups"].items())
        },
        "samples": with_text(store, report["samples"]),
    }


def thresholds_of(column: str) -> list[dict[str, Any]]:
    """The published rules that look at a column; `build_stats` keeps those in force, at their thresholds."""
    rules = [rule for rules in families.RULES.values() for rule in rules if rule.column == column]
    return [{"rule": rule.name, "side": rule.side, "value": rule.threshold} for rule in rules]


def with_text(store: Store, entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The samples with the first `SAMPLE_CHARACTERS` of their text, read row group by row group."""
    texts: dict[tuple[str, int], str] = {}
    for address in sorted({entry["documents"] for entry in entries}):
        rows = sorted(entry["row"] for entry in entries if entry["documents"] == address)
        with store.open(address) as file:
            parquet = pq.ParquetFile(file)
            first = 0
            for group in range(parquet.num_row_groups):
                size = parquet.metadata.row_group(group).num_rows
                inside = [row for row in rows if first <= row < first + size]
                if inside:
                    text = parquet.read_row_group(group, columns=["text"]).column("text")
                    texts |= {(address, row): text[row - first].as_py()[:SAMPLE_CHARACTERS] for row in inside}
                first += size
    shown = ("doc_id", *SHOWN, "column", "value")
    return [
        {**{key: entry[key] for key in shown}, "text": texts[entry["documents"], entry["row"]]} for entry in entries
    ]
