"""The reports of products, as types: what stands in the metadata of a file or in a manifest beside `stages.schemas`.

A report is written once, as JSON, and read by other tasks, by the driver and by people; its keys are a format like a
column's name. They are types for the checker and plain dicts when they run: a run reads them by the hundred thousand.
A key that a root made by an older version lacks is ``NotRequired``.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

# ---- documents


class Dropped(TypedDict):
    """Records of one reason that became no page, and the bytes of them."""

    records: int
    bytes: int


class Place(TypedDict):
    """A record that could not be read as what it claims to be, or a stretch of a file in which none can be read."""

    file: str
    offset: int
    reason: str
    line: NotRequired[int]
    """Number of the line from 1, in files of lines."""


class Unread(TypedDict):
    """Small files of a group of which nothing could be read: bad or quarantined from end to end."""

    files: int
    bytes: int
    first: Place


class Indexed(TypedDict):
    """Cost of reading records by an index at the place where they lie: ``bytes_used`` are the records' own."""

    wanted: int
    requests: int
    bytes_asked: int
    bytes_used: int


ADVICE = {
    "not_parquet": "it begins as no Parquet file does; look whether it is one",
    "arrow_not_parquet": "it is an Arrow file; call it .arrow, or name `format: arrow`",
    "encrypted_parquet": "it is encrypted; decrypt it before",
    "damaged_footer": "bytes at its end are wrong; copy it again",
    "unreadable_schema": "Arrow makes nothing of its columns' types; write it anew, or copy it again",
    "not_arrow": "neither an Arrow file nor a stream; look whether it is one",
    "feather_v1": "Feather V1 is not read; write it anew as Feather V2 or Parquet",
    "parquet_not_arrow": "it is a Parquet file; call it .parquet, or name `format: parquet`",
    "damaged_schema": "bytes at its begin are wrong; copy it again",
    "truncated_file": "its end is cut off; copy it again",
    "truncated_member": "its end is cut off; copy it again",
    "no_head_line": "the line with the names of its columns is lost by damage; copy it again",
    "empty_file": "it has no bytes; copy it again, or take it out of `paths`",
    "no_record_head": "no WARC or ARC record begins here; look whether it is one",
}
"""What a reason of a stretch of input that cannot be read means, and what to do."""


def with_advice(reason: str) -> str:
    """A reason, and what to do where that is known."""
    return f"{reason} ({ADVICE[reason]})" if reason in ADVICE else reason


class DocumentsReport(TypedDict):
    """One split: ``records`` = ``rows`` + records dropped + ``num_quarantined``."""

    source: NotRequired[str]
    """Added by the map task, with ``file``."""
    file: NotRequired[str]
    records: int
    rows: int
    raw_bytes: int
    text_bytes: int
    dropped: dict[str, Dropped]
    quarantined: list[Place]
    """The first of them; all are counted in ``num_quarantined``."""
    num_quarantined: NotRequired[int]
    bad: list[Place]
    num_bad: NotRequired[int]
    unread: NotRequired[Unread]
    """Of a split that reads many files, where there are such."""
    content_types: NotRequired[dict[str, int]]
    notes: NotRequired[dict[str, int]]
    indexed: NotRequired[Indexed]
    """Figures of records read by ranges."""
    parents: NotRequired[int]
    """Pages of the split of which derived pages may be made."""
    parents_taken: NotRequired[int]
    """Pages that were given to the transform."""
    reasons: NotRequired[dict[str, int]]
    """Quarantined records by reason."""


# ---- kept


class KeptGroup(TypedDict):
    """Pages of one source, language, domain (None: they belong to none) and reason (None: they stay)."""

    source: str
    language: str
    domain: str | None
    reason: str | None
    documents: int
    text_bytes: int


class Failed(TypedDict):
    """Pages that fail a rule: what it drops when it is the only one, and when it comes last."""

    documents: int
    text_bytes: int
    first: int
    """Pages that name it as their reason."""
    alone: int
    """Pages that fail nothing else: what turning it off brings back."""


class Cut(TypedDict):
    """Cuts or replacements of a view in the pages kept."""

    documents: int
    spans: int
    bytes: int
    kinds: NotRequired[dict[str, int]]
    """Spans of each kind, for personal data."""


class AskedGroup(TypedDict):
    """Pages that fail one rule of `stages.rules.robots_files`; ``alone``: those that fail nothing else."""

    source: str
    language: str
    rule: str
    documents: int
    text_bytes: int
    alone: int


class KeptReport(TypedDict):
    """One split; ``rules``: all that were active, in the order of reasons."""

    rows: int
    kept: int
    rules: list[str]
    selection_digest: str
    """xxh3-128 of what tokenization depends on: kept rows, their domains and spans."""
    kept_rows: str
    """xxh3-64 of the kept rows."""
    groups: list[KeptGroup]
    failed: dict[str, Failed]
    entries: NotRequired[dict[str, int]]
    """``list: entry`` of lists of addresses -> pages under it, those with most."""
    views: NotRequired[dict[str, Cut]]
    asked: NotRequired[list[AskedGroup]]
    """Pages that the files of their services ask not to use, whatever else they fail."""
    robots: NotRequired[str]
    """Address of the compiled files of ``kept.robots``."""


# ---- tokens


class TokensGroup(TypedDict):
    source: str
    language: str
    domain: str
    documents: int
    text_bytes: int
    tokens: int
    further_pieces: NotRequired[int]
    """Documents that are pieces beyond the first of their page, where long ones are cut."""


class TokensBatch(TypedDict):
    """A record batch of the file: one domain, in order of key (16 hex digits)."""

    domain: str
    first_key: str
    last_key: str
    rows: int
    tokens: int


class TokensReport(TypedDict):
    """One split; kept pages = ``rows`` - ``further_pieces`` + ``empty_documents`` (of which the views left nothing)."""

    rows: int
    tokens: int
    text_bytes: int
    empty_documents: int
    further_pieces: NotRequired[int]
    """Rows beyond the first of their page, where long documents are cut."""
    checked_documents: int
    """Encoded by the reference library too."""
    fast: bool
    why_slow: str | None
    """The reason why the whole split was encoded by the reference library."""
    tokenizer: dict[str, Any]
    """`stages.tokenizers`: what its ids depend on."""
    seed: int
    groups: list[TokensGroup]
    lengths: dict[str, Any]
    """Domain -> documents by number of tokens, packed bins (`stages.kernels.columns.bins`)."""
    batches: list[TokensBatch]
    domain_digests: dict[str, str]
    """Domain -> xxh3-128 of its batches."""


# ---- shards and corpora


class ShardBatch(TypedDict):
    """A record batch of a shard, and where its three buffers lie in the file."""

    rows: int
    tokens: int
    offsets_position: int
    offsets_bytes: int
    values_position: int
    values_bytes: int
    doc_id_position: int


class Shard(TypedDict):
    """A shard's line of the manifest. Paths are relative to it."""

    path: str
    docs: str
    split: NotRequired[str]
    rows: int
    tokens: int
    bytes: int
    xxh3_128: str
    blocks_xxh3_64: NotRequired[list[str]]
    min_id: int
    max_id: int
    eos_count: int
    fim_documents: NotRequired[int]
    batches: list[ShardBatch]
    docs_bytes: int
    docs_xxh3_128: str
    domains: dict[str, int]
    """Domain -> tokens."""
    domain_documents: dict[str, int]
    domain_text_bytes: dict[str, int]
    first_key: NotRequired[str | None]
    """With ``last_key``, in a domain's shards: the range of order keys it holds."""
    last_key: NotRequired[str | None]
    multiplicity: NotRequired[int]
    """Number of times that a corpus of references reads it."""


class Totals(TypedDict):
    documents: int
    tokens: int
    text_bytes: int


class Realised(Totals):
    """A corpus's request to a domain, and what it holds of it."""

    requested_share: float
    requested_tokens: int
    target_tokens: int
    realised_share: float
    epochs: float
    available_tokens: int
    unique_tokens: int
    window: NotRequired[list[int]]
    """Place in phases of training: first token and the one after the last of the domain's sequence."""


class ShardManifest(TypedDict):
    """``documents``, ``tokens`` and ``domains`` speak of the split ``train``, ``splits`` of all."""

    format: str
    version: int
    kind: str
    name: str
    seed: int
    tokenizer: dict[str, Any]
    domains: dict[str, Any]
    """Domain -> `Realised` in a corpus, `Totals` in a domain's own shards."""
    documents: int
    tokens: int
    splits: dict[str, dict[str, int]]
    shards: list[Shard]
