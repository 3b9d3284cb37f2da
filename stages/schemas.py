"""Arrow schemas of all products: the only place where stages meet.

`documents` holds the text once; `language`, `quality`, `signatures`, `clusters` and `kept` are sidecars,
row for row beside it, in a file of their own per split. `docs/formats.md` describes every column.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pyarrow as pa

DOC_ID = pa.binary(16)
"""128-bit hash of (source, file relative to the source's base, position of the record in the file)."""

DOCUMENTS = pa.schema(
    [
        pa.field("doc_id", DOC_ID, nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        # Where the record starts: byte of the compressed file (WARC), byte of the uncompressed text (JSONL),
        # row number (Parquet, Arrow).
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("time", pa.timestamp("s", tz="UTC")),
        pa.field("content_type", pa.string()),
        pa.field("charset", pa.string()),
        pa.field("language_declared", pa.string()),
        pa.field("title", pa.string()),
        pa.field("licence", pa.string()),
        pa.field("canonical", pa.string()),  # absolute address of <link rel=canonical>
        pa.field("published", pa.timestamp("s", tz="UTC")),  # as the page states it
        # What page and HTTP head ask of robots: 'noai,noindex', 'ccbot:nofollow', 'tdm-reservation'; null: nothing.
        pa.field("robots", pa.string()),
        pa.field("record_id", pa.string()),  # the id its row or line came with
        pa.field("raw_bytes", pa.int64(), nullable=False),
        pa.field("text_bytes", pa.int64(), nullable=False),
        pa.field("text_hash", pa.binary(16), nullable=False),
        # null, or why text or payload is not whole: 'truncated', 'over_limit', ...
        pa.field("note", pa.string()),
        pa.field("text", pa.large_string(), nullable=False),
    ]
)


GRID_MARK = "--"
"""Between the parts of the name of a domain in a grid: grid, label, bucket; other domains have none in theirs."""


def is_within(name: str, wanted: Collection[str]) -> bool:
    """Whether a domain is one of those named, be it by the name of its grid, or of that and its label."""
    parts = name.split(GRID_MARK)
    return any(GRID_MARK.join(parts[:count]) in wanted for count in range(1, len(parts) + 1))


def carried_column(name: str) -> str:
    """The column of `documents`, behind all others, that holds what a source carries of its input under a name."""
    return f"input_{name}"


def label_column(name: str) -> str:
    """The column of `labels` that holds the best label of a labeller."""
    return f"{name}_label"


def is_label(column: str) -> bool:
    """Whether a column holds labels, and not numbers."""
    return column.endswith("_label") and "_probability_" not in column


def id_bytes(doc_ids: pa.FixedSizeBinaryArray) -> memoryview:
    """The bytes of a doc_id column, 16 a row, whatever it is a slice of."""
    start = doc_ids.offset * 16
    return memoryview(doc_ids.buffers()[1])[start : start + len(doc_ids) * 16]


LANGUAGE = pa.schema(
    [
        pa.field("language", pa.string(), nullable=False),  # 'en', 'zh', ...; 'und' where there is nothing to tell
        pa.field("script", pa.string(), nullable=False),  # ISO 15924: 'Latn', 'Cyrl', ...; 'Zyyy' if none
        pa.field("confidence", pa.float32(), nullable=False),  # 0..1
    ]
)

# `quality` composes its schema from the rule files: one column per measurement, named rule_measurement.

SIGNATURE_FIELDS = (
    pa.field("doc_id", DOC_ID, nullable=False),
    pa.field("exact_hash", pa.binary(16), nullable=False),  # of the normalised text
    pa.field("num_shingles", pa.int32(), nullable=False),
)


def signatures(num_permutations: int) -> pa.Schema:
    """`signatures`: the fixed fields and a MinHash of ``num_permutations`` unsigned 32-bit minima."""
    minhash = pa.list_(pa.field("item", pa.uint32(), nullable=False), num_permutations)
    return pa.schema([*SIGNATURE_FIELDS, pa.field("minhash", minhash, nullable=False)])


ELIGIBLE = pa.schema(
    [
        # it passes every rule but those about duplicates: who stays is chosen among such pages
        pa.field("eligible", pa.bool_(), nullable=False),
        # similarity from which near_duplicate drops it, below clusters.threshold that; null: never, the rule is off
        pa.field("near_duplicate", pa.float64()),
        # whether exact_duplicate and same_address, the rules, are on for it: where one is off, it does not go for that
        pa.field("exact_duplicate", pa.bool_(), nullable=False),
        pa.field("same_address", pa.bool_(), nullable=False),
        pa.field("parent", DOC_ID),  # the page it was made of, for which it does not go; null: it was read, or it goes
    ]
)

CLUSTERS = pa.schema(
    [
        pa.field("cluster", DOC_ID),  # smallest doc_id of the cluster; null: the page has no duplicate
        pa.field("cluster_size", pa.int32(), nullable=False),  # pages in it, the survivor included; 1 if alone
        pa.field("survivor", DOC_ID),  # the page that stays in this one's place; null: this page stays
        pa.field("similarity", pa.float32()),  # verified Jaccard to the survivor; null: this page stays, or 'url'
        pa.field("match", pa.string()),  # 'exact', 'fuzzy' or (where asked for) 'url'; null: this page stays
        pa.field("via", DOC_ID),  # the page this one equals, where that is not the survivor but goes for it; else null
    ]
)

# The last column of a `clusters` file: of a cluster's survivor, the pages it stands for, itself included, by source
# (sorted by name); null for every other page.
CLUSTER_COPIES = pa.field(
    "copies",
    pa.list_(
        pa.struct([pa.field("source", pa.string(), nullable=False), pa.field("pages", pa.int32(), nullable=False)])
    ),
)

SPAN = pa.struct(
    [
        pa.field("start", pa.int32(), nullable=False),  # byte of the UTF-8 text
        pa.field("stop", pa.int32(), nullable=False),
        pa.field("replacement", pa.string(), nullable=False),  # '' cuts
    ]
)


OWN_SPAN = pa.struct([*SPAN, pa.field("kind", pa.string(), nullable=False)])
"""A span, and the name of the rule of `lines.rules` that marks it."""


def _recurring(unit: str) -> list[pa.Field]:
    return [
        pa.field(f"num_{unit}", pa.int32(), nullable=False),  # those with anything but white space
        pa.field(f"num_repeated_{unit}", pa.int32(), nullable=False),  # equal to an earlier one of the page
        pa.field(f"repeated_{unit}_fraction", pa.float32()),  # of the bytes of its lines; null: it has none
        pa.field(f"repeated_{unit}_spans", pa.list_(SPAN), nullable=False),
        pa.field(f"num_frequent_{unit}", pa.int32(), nullable=False),  # on at least min_pages pages of the scope
        pa.field(f"frequent_{unit}_fraction", pa.float32()),
        pa.field(f"frequent_{unit}_spans", pa.list_(SPAN), nullable=False),
    ]


LINES = pa.schema([*_recurring("lines"), *_recurring("paragraphs")])

REPEAT = pa.struct(
    [
        pa.field("start", pa.int32(), nullable=False),  # byte of the UTF-8 text
        pa.field("stop", pa.int32(), nullable=False),
        pa.field("doc_id", DOC_ID, nullable=False),  # the page that keeps this text
        pa.field("at", pa.int32(), nullable=False),  # byte of that page's text where it begins
    ]
)

REPEATS = pa.schema(
    [
        pa.field("num_repeats", pa.int32(), nullable=False),
        pa.field("repeats_bytes", pa.int32(), nullable=False),  # bytes that stay elsewhere
        pa.field("repeats_fraction", pa.float32()),  # of the text; null: it has none, or the page takes no part
        pa.field("repeats_kept_bytes", pa.int32(), nullable=False),  # bytes that stay here for others
        pa.field("repeats_spare_fraction", pa.float32()),  # repeats_fraction; null also where the page keeps any
        pa.field("repeats_spans", pa.list_(SPAN), nullable=False),  # joined and widened, for the view
        pa.field("repeats", pa.list_(REPEAT), nullable=False),  # as they are, sorted, not overlapping
    ]
)

OVERLAP = pa.struct(
    [
        pa.field("sequence", pa.int32(), nullable=False),  # part of an item, by number (`stages.rules.known_items`)
        pa.field("alignment", pa.int32(), nullable=False),  # runs of one place of the page belong together
        pa.field("first", pa.int32(), nullable=False),  # words of the sequence
        pa.field("behind", pa.int32(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),  # bytes of the UTF-8 text
        pa.field("stop", pa.int32(), nullable=False),
    ]
)

TOKEN_COUNTS = pa.schema([pa.field("num_tokens", pa.int64(), nullable=False)])

OVERLAPS = pa.schema(
    [
        pa.field("overlaps", pa.list_(OVERLAP), nullable=False),
        pa.field("item_words", pa.list_(pa.int32())),  # words of benchmarks that a sampled page has; null: not sampled
    ]
)

HIT = pa.struct(
    [
        pa.field("benchmark", pa.string(), nullable=False),
        pa.field("item", pa.int64(), nullable=False),  # row of its file, from 0
        pa.field("part", pa.string(), nullable=False),  # 'question', 'question_answer', 'solution' or 'passage'
        pa.field("score", pa.float32(), nullable=False),  # 0..1
        pa.field("start", pa.int32(), nullable=False),  # byte of the UTF-8 text
        pa.field("stop", pa.int32(), nullable=False),
    ]
)

CONTAMINATION = pa.schema(
    [
        pa.field("contamination_score", pa.float32(), nullable=False),  # best of its hits, passages alone left out; 0
        pa.field("contamination_benchmark", pa.string()),  # of that hit; null: none is above 0.7
        pa.field("contamination_item", pa.int64()),
        pa.field("contamination_part", pa.string()),
        pa.field("contamination_spans", pa.list_(SPAN), nullable=False),  # of hits above 0.7, joined; for the view
        pa.field("contamination_passage_score", pa.float32(), nullable=False),  # best passage that stands alone; 0
        pa.field("contamination_hits", pa.list_(HIT), nullable=False),  # best first
    ]
)

KEPT = pa.schema(
    [
        pa.field("keep", pa.bool_(), nullable=False),
        pa.field("reason", pa.string()),  # first rule that failed, null if kept
        # every rule that failed, in the order of the reasons
        pa.field("failed", pa.list_(pa.field("item", pa.string(), nullable=False)), nullable=False),
        pa.field("domain", pa.string()),  # null if dropped
        pa.field("spans", pa.list_(SPAN)),  # sorted, not overlapping; null or empty: the text as it is
        pa.field("listed", pa.string()),  # 'list: entry' its URL falls under, an allow-list's too; null: none
    ]
)


def tokens(id_type: pa.DataType, scores: Sequence[str] = ()) -> pa.Schema:
    """`tokens` of one split: kept pages ordered by (domain, order_key, doc_id).

    ``id_type`` is uint16 when every id fits, else uint32. ``input_ids`` ends with EOS, once. ``scores`` are columns of
    `quality`, `labels` and others that travel with the document; null where it was not measured.
    """
    return pa.schema(
        [
            pa.field("domain", pa.string(), nullable=False),
            pa.field("order_key", pa.uint64(), nullable=False),  # keyed hash of doc_id
            pa.field("doc_id", DOC_ID, nullable=False),
            pa.field("input_ids", pa.large_list(pa.field("item", id_type, nullable=False)), nullable=False),
            pa.field("text_bytes", pa.int64(), nullable=False),  # of the text that was tokenized
            pa.field("text_hash", pa.binary(16), nullable=False),  # of the text as extracted; decides held-out splits
            *DOC_FIELDS[2:],
            *(pa.field(name, pa.string() if is_label(name) else pa.float32()) for name in scores),
        ]
    )


PIECE = pa.field("piece", pa.int32(), nullable=False)
"""Number of a row's piece of its document, from 0 on: a column more where long ones are cut
(`tokens.max_document_tokens`)."""


def score_fields(columns: pa.Schema) -> list[pa.Field]:
    """The scores among the columns of a `tokens` file or of docs.parquet, and `PIECE`: what no other table has."""
    known = {*tokens(pa.uint16()).names, *DOCS.names, "domain", "pass"}
    return [field for field in columns if field.name not in known]


# The text metadata that travels with a training document into docs.parquet beside each shard.
DOC_FIELDS = (
    pa.field("doc_id", DOC_ID, nullable=False),
    pa.field("num_tokens", pa.int64(), nullable=False),
    pa.field("url", pa.string()),
    pa.field("time", pa.timestamp("s", tz="UTC")),
    pa.field("source", pa.string(), nullable=False),
    pa.field("file", pa.string(), nullable=False),
    pa.field("offset", pa.int64(), nullable=False),
    pa.field("language", pa.string(), nullable=False),
    pa.field("confidence", pa.float32(), nullable=False),
    pa.field("cluster_size", pa.int32(), nullable=False),
)
DOCS = pa.schema([*DOC_FIELDS, pa.field("text_bytes", pa.int64(), nullable=False)])
