"""Deduplication and buckets once more, for the figures of the report: plain Python over DuckDB's rows.

`clusters` nominates candidate pairs from the signatures by the rules of `stages.kernels.dedup.band_buckets`, compares
their texts as sets of words, and goes through the survivors in the order of `stages.kernels.dedup.survivors`, counting
comparisons.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.slow import dedup as slow_dedup

if TYPE_CHECKING:
    from tests.slow.files import Files

Row = dict[str, Any]
Pairs = dict[tuple[int, int], float]
SMALL, NEAREST, OTHERS, OF_CLUSTER, LARGEST, EXAMPLES = 16, 8, 64, 16, 20, 3
SMALL_FAMILY = 8


def edges(files: Files, domains: Row) -> dict[tuple[str, str], dict[str, tuple[float | None, float | None]]]:
    """(least, below) of every bucket: (domain, column) -> language -> limits.

    Ranked are the pages that fail no rule, of the domain's sources; an edge is the smallest number below which so
    many pages lie.
    """
    found = {}
    for name, domain in domains.items():
        for column, (low, high) in (domain.get("percentiles") or {}).items():
            where = "coalesce(reason, 'no_domain') IN ('no_domain', 'nothing_left')"
            if domain.get("sources"):
                where += f" AND source IN ({', '.join(repr(source) for source in domain['sources'])})"
            text = f"SELECT language, {column}::DOUBLE AS v FROM pages WHERE {where} AND {column} IS NOT NULL"
            numbers: dict[str, list[float]] = defaultdict(list)
            for row in files.rows(text):
                numbers[row["language"]].append(row["v"])
            limits = {language: (edge(values, low), edge(values, high)) for language, values in numbers.items()}
            found[name, column] = limits
    return found


def edge(values: list[float], percentile: float) -> float | None:
    if percentile in (0, 100):
        return None
    ends = np.sort(values)
    for end in np.unique(ends):
        if np.searchsorted(ends, end) >= Fraction(str(percentile)) * len(ends) / 100:
            return float(end)
    return float(np.nextafter(ends[-1], np.inf))


def clusters(files: Files) -> Row:
    """The figures of `clusters`: from its files, and from the signatures and texts it was made of."""
    removed = {f"{kind}_removed": f"count(*) FILTER (eligible AND match = '{name}')" for kind, name in KINDS.items()}
    whole_counts = ["count(*) AS rows", "count(*) FILTER (eligible) AS passing"]
    counts = ", ".join([*whole_counts, *(f"{text} AS {name}" for name, text in removed.items())])
    whole = files.rows(f"SELECT {counts} FROM pages")[0]
    del whole["url_removed"]
    sizes = files.rows(
        "SELECT 1::BIGINT << floor(log2(cluster_size))::BIGINT AS size, count(*) AS n FROM pages"
        " WHERE eligible AND survivor IS NULL AND cluster_size > 1 GROUP BY ALL"
    )
    found = whole | {"cluster_sizes": {str(row["size"]): row["n"] for row in sizes}}
    for name in ("source", "language"):
        rows = files.rows(f"SELECT {name} AS name, {counts} FROM pages GROUP BY ALL")
        found[f"{name}s"] = {row.pop("name"): row for row in rows}
    return found | compared(files)


KINDS = {"exact": "exact", "fuzzy": "fuzzy", "url": "url"}


def compared(files: Files) -> Row:
    """Pairs by similarity, how many were compared, and the largest clusters."""
    settings = files.snapshot.store.read_json(f"{files.snapshot.data['clusters'].rsplit('-', 1)[0]}/about.json")[
        "params"
    ]
    signatures = [
        f"SELECT s.exact_hash, s.num_shingles, s.minhash, {place} AS place, s.file_row_number AS row"
        f" FROM read_parquet('{path}', file_row_number = true) s"
        for place, path in enumerate(files.paths("signatures"))
    ]
    files.sql.execute(f"CREATE OR REPLACE TABLE signatures AS {' UNION ALL '.join(signatures)}")
    # a text is what stands under one hash; it is represented by its longest, newest page of the smallest id
    nodes = files.rows("""
        SELECT * FROM (
            SELECT s.*, p.doc_id, p.cluster, p.text_bytes, p.time,
                row_number() OVER (
                    PARTITION BY s.exact_hash ORDER BY p.text_bytes DESC, p.time DESC NULLS LAST, p.doc_id
                ) AS n
            FROM signatures s JOIN pages p USING (place, row)
            WHERE s.num_shingles > 0
        ) WHERE n = 1 ORDER BY exact_hash
    """)
    minima = np.array([node["minhash"] for node in nodes], np.uint32)
    pairs = nominated(minima, settings)
    sets = shingle_sets(files, nodes, {text for pair in pairs for text in pair})
    similarities = {pair: slow_dedup.jaccard(sets[pair[0]], sets[pair[1]]) for pair in sorted(pairs)}
    bins = Counter(f"{min(math.floor(value * 20), 20) / 20:.2f}" for value in similarities.values())
    ranks = sorted(sets, key=lambda t: (-nodes[t]["text_bytes"], -when(nodes[t]), nodes[t]["doc_id"]))
    noted = comparisons(sets, similarities, ranks, settings["threshold"])
    more = len(noted | small_families(sets, similarities, settings["threshold"])) - len(similarities)
    members = defaultdict(list)
    for page in files.rows("SELECT cluster, doc_id FROM pages WHERE eligible AND coalesce(match, 'fuzzy') = 'fuzzy'"):
        members[page["cluster"]].append(page["doc_id"].hex())
    sizes = files.rows(
        "SELECT cluster, count(*) AS pages FROM pages WHERE cluster IS NOT NULL AND eligible GROUP BY ALL"
    )
    largest = sorted(sizes, key=lambda row: (-row["pages"], row["cluster"]))
    return {
        "pairs_compared": len(pairs) + more,
        "pairs_verified": sum(value >= settings["threshold"] for value in similarities.values()),
        "pairs_by_similarity": dict(bins),
        "largest_clusters": [
            {
                "cluster": row["cluster"].hex(),
                "pages": row["pages"],
                "examples": sorted(members[row["cluster"]])[:EXAMPLES],
            }
            for row in largest[:LARGEST]
        ],
    }


def when(node: Row) -> float:
    return node["time"].timestamp() if node["time"] is not None else -math.inf


def nominated(minima: Any, settings: Row) -> set[tuple[int, int]]:
    """Candidate pairs: texts that share a band and whose sketches differ in few bits."""
    permutations = minima.shape[1]
    share = (1 - settings["threshold"]) / 2
    sigma = math.sqrt(permutations * share * (1 - share))
    near, far = math.floor(permutations * share - 2 * sigma), math.ceil(permutations * share + 4 * sigma)
    bits = (minima * np.uint32(0x9E3779B1)) >> np.uint32(31)
    sketches = [int("".join(map(str, row)), 2) for row in bits.tolist()]
    found = set()
    for band in range(settings["bands"]):
        buckets = defaultdict(list)
        for text, key in enumerate(map(bytes, minima[:, band * settings["rows"] : (band + 1) * settings["rows"]])):
            buckets[key].append(text)
        for bucket in buckets.values():
            if len(bucket) <= SMALL:
                found |= {pair for pair in combinations(bucket, 2) if differing(sketches, *pair) <= far}
            else:
                found |= with_leaders(bucket, sketches, near, far)
    return found


def differing(sketches: list[int], a: int, b: int) -> int:
    return (sketches[a] ^ sketches[b]).bit_count()


def with_leaders(bucket: list[int], sketches: list[int], near: int, far: int) -> set[tuple[int, int]]:
    found, leaders = set(), []
    for text in bucket:
        seen = sorted((differing(sketches, text, leader), place) for place, leader in enumerate(leaders))
        seen = [(count, place) for count, place in seen if count <= far][:NEAREST]
        close = bool(seen) and seen[0][0] <= near
        found |= {(leaders[place], text) for _, place in (seen[:1] if close else seen)}
        if not close:
            leaders.append(text)
    return found


def shingle_sets(files: Files, nodes: list[Row], wanted: set[int]) -> dict[int, set[Any]]:
    """Sets of runs of five words (characters, in scripts without spaces) of the texts wanted."""
    paths = files.paths("documents")
    by_place = defaultdict(list)
    for text in wanted:
        by_place[nodes[text]["place"]].append(text)
    found: dict[int, set[Any]] = {}
    for place, texts in by_place.items():
        rows = {nodes[text]["row"]: text for text in texts}
        read = f"SELECT file_row_number AS row, text FROM read_parquet('{paths[place]}', file_row_number = true)"
        for page in files.rows(f"{read} WHERE file_row_number IN ({', '.join(map(str, rows))})"):
            found[rows[page["row"]]] = slow_dedup.shingles(page["text"], 5)
    return found


def small_families(sets: dict[int, set[Any]], similarities: Pairs, threshold: float) -> set[tuple[int, int]]:
    """Pairs of families of up to `SMALL_FAMILY` texts whose sizes do not rule them out."""
    families = defaultdict(list)
    for text, label in joined(sets, list(similarities)).items():
        families[label].append(text)
    return {
        (a, b)
        for family in families.values()
        if len(family) <= SMALL_FAMILY
        for a, b in combinations(sorted(family), 2)
        if near_in_size(len(sets[a]), len(sets[b]), threshold)
    }


def near_in_size(a: int, b: int, threshold: float) -> bool:
    return min(a, b) >= threshold * max(a, b) * 0.999999


def comparisons(
    sets: dict[int, set[Any]], similarities: Pairs, ranks: list[int], threshold: float
) -> set[tuple[int, int]]:
    """The candidate pairs, and those that are compared beyond them while the survivors are chosen among all texts."""
    rank = {text: place for place, text in enumerate(ranks)}
    beside = defaultdict(list)
    for a, b in similarities:
        beside[a].append(b)
        beside[b].append(a)
    for others in beside.values():
        others.sort(key=rank.__getitem__)
    label = joined(sets, [pair for pair, value in similarities.items() if value >= threshold])
    survivor: dict[int, int | None] = {}
    attached, of_cluster = defaultdict(list), defaultdict(list)
    compared = set(similarities)
    for text in ranks:
        known = {text}
        best, most = None, 0.0
        for other in beside[text]:
            if survivor.get(other, -1) is None:
                known.add(other)
                value = similarities[min(text, other), max(text, other)]
                if value > most:
                    best, most = other, value
        budget = OTHERS
        for other in beside[text]:
            for candidate in (survivor.get(other), *attached[other]):
                if not budget or candidate is None or candidate in known:
                    continue
                known.add(candidate)
                if not near_in_size(len(sets[text]), len(sets[candidate]), threshold):
                    continue
                budget -= 1
                compared.add((min(text, candidate), max(text, candidate)))
                value = slow_dedup.jaccard(sets[text], sets[candidate])
                if value > most or (value == most and best is not None and rank[candidate] < rank[best]):
                    best, most = candidate, value
        for candidate in of_cluster[label[text]][:OF_CLUSTER]:
            if most >= threshold:
                break
            if candidate not in known and near_in_size(len(sets[text]), len(sets[candidate]), threshold):
                compared.add((min(text, candidate), max(text, candidate)))
                value = slow_dedup.jaccard(sets[text], sets[candidate])
                if value > most:
                    best, most = candidate, value
        survivor[text] = best if best is not None and most >= threshold else None
        if survivor[text] is None:
            of_cluster[label[text]].append(text)
            for other in beside[text]:
                attached[other].append(text)
    return compared


def joined(texts: Any, pairs: list[tuple[int, int]]) -> dict[int, int]:
    """The smallest text of each one's component."""
    label = {text: text for text in texts}

    def root(text: int) -> int:
        while label[text] != text:
            text = label[text]
        return text

    for a, b in pairs:
        low, high = sorted((root(a), root(b)))
        label[high] = low
    return {text: root(text) for text in label}
