"""`verify`: every file of a mixture against what its manifest says, and every product against the one before it.

Checked are: size and checksum of every file; readability of every column; rows, counts and digests against the
reports; alignment of sidecars with their documents; conservation (records in = rows + dropped + quarantined; rows =
kept + dropped); hashes of the texts; the shards and the corpus byte by byte (`stages.verify`); that no corpus holds a
document that is held out; for a few documents of every folder, ids against the text
(`pipeline.answers.verify_shards`); and that every file there should be is there and is what its own checksum says
(`pipeline.answers.verify_files`). What was not checked is named.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from pipeline.answers import verify_files, verify_shards
from pipeline.answers.stats import folder_of, made_folder
from pipeline.errors import RunError
from pipeline.recipe import graph, verify_corpus
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.snapshot import Snapshot
from pipeline.store.manifest import Entry
from pipeline.store.storage import Store
from stages import schemas
from stages.seal import DamagedFile
from stages.shard_format import files_of

SHOWN = 20


def verify_root(store: Store, name: str | None) -> str:
    """Check a mixture; one line a product when all is well.

    Raises:
        RunError: with the problems found, each naming its file.
    """
    try:
        snapshot = snapshots.load(store, name)
        return _verify(snapshot)
    except DamagedFile as damage:  # it leads to all other files: nothing can be checked without it
        raise RunError(f"{damage.address}: {damage.what}: run the mixture again, which makes it again") from damage


def _verify(snapshot: Snapshot) -> str:
    problems: list[str] = []
    lines: list[str] = []
    seen: set[str] = set()
    for product in graph.in_manifests():
        problems += _check_product(snapshot, product, lines, seen)
    whole = _check_folders(snapshot, problems, lines, seen)
    if not problems:
        report = made_folder(snapshot)
        named = verify_files.named(snapshot, report)
        seen.update(named)
        account = verify_files.check(snapshot, named)
        problems += account.problems
        lines += account.lines()
        if snapshot.complete and report != folder_of(snapshot):
            lines.append("the report was written by an earlier version; a run writes it again")
    else:  # a damaged file may be a manifest, which names the files there should be
        problems += verify_files.check(snapshot, snapshot.data["products"].values()).problems
    if not problems and whole:  # what follows reads files that are known to be good
        problems += verify_shards.held_out_problems(snapshot)
        sample = verify_shards.Sample(snapshot)
        for manifest in whole:
            problems += sample.problems(manifest)
        lines.append(f"{'sample':<11} {sample.line()}")
    problems = list(dict.fromkeys(problems))
    if problems:
        more = f"\n... and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        mend = "\na run of the mixture makes again what is damaged or missing"
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise RunError(f"{snapshot.name}: {count}\n" + "\n".join(problems[:SHOWN]) + more + mend)
    unchecked = verify_files.unnamed(snapshot.store, seen)
    lines += [unchecked] if unchecked else []
    if not snapshot.complete:
        raise RunError(
            "\n".join(
                [
                    f"{snapshot.name} is incomplete: its last run is under way, or stopped before it was done;"
                    " run it again. What is there is sound:",
                    *lines,
                ]
            )
        )
    return "\n".join([*lines, f"{snapshot.name}: all is well"]) + "\n"


def _check_product(snapshot: Snapshot, product: str, lines: list[str], seen: set[str]) -> list[str]:
    """Problems of the files of a product and of its manifest."""
    address = snapshot.data["products"].get(product)
    if address is None:
        return []
    if not snapshot.store.exists(address):
        return [f"{address}: missing"]
    problems: list[str] = []
    count = rows = 0
    try:
        splits = len(snapshot.splits())
        reports = (entry.report for entry in snapshot.product("documents"))
        for entry in snapshot.product(product):
            problems += check_entry(snapshot.store, product, entry, next(reports, None))
            seen.add(entry.address)
            count, rows = count + 1, rows + entry.report["rows"]
    except DamagedFile as damage:
        return [*problems, f"{damage.address}: {damage.what}"]
    except (OSError, ValueError) as error:
        return [*problems, f"{snapshot.data['sources']}: cannot be read: {str(error).splitlines()[0]}"]
    if count != splits:
        problems.append(f"{address}: {count} files, its sources have {splits} splits")
    lines.append(f"{product:<11} {count:,} files, {rows:,} rows")
    return problems


def _check_folders(snapshot: Snapshot, problems: list[str], lines: list[str], seen: set[str]) -> list[str]:
    """Check the folders of shards and the corpora; the manifests of those without a problem."""
    store = snapshot.store
    folders = [("shards", f"{domain}: ", place) for domain, place in sorted(snapshot.data.get("shards", {}).items())]
    folders += [("corpus", f"{phase}: " if phase else "", place) for phase, place in snapshot.corpora().items()]
    whole = []
    for product, of, manifest in folders:
        if not store.exists(manifest):
            problems += [f"{manifest}: missing"] if snapshot.complete else []
            continue
        found = verify_corpus(store, manifest)
        problems += found
        if not found:
            whole.append(manifest)
            content = store.read_json(manifest)
            seen |= {manifest, *files_of(manifest.rpartition("/")[0], content)}
            lines.append(f"{product:<11} {of}{tokens_text(content)}")
    return whole


def tokens_text(manifest: dict[str, Any]) -> str:
    """Tokens of a folder of shards, those held out apart."""
    held = {split: counts["tokens"] for split, counts in manifest["splits"].items() if split != "train"}
    return f"{manifest['tokens']:,} tokens" + "".join(f", {split} {tokens:,}" for split, tokens in sorted(held.items()))


def check_entry(store: Store, product: str, entry: Entry, documents: dict[str, Any] | None) -> list[str]:
    """Problems of one file of a manifest, given the report of its documents (None: that is not known)."""
    if not store.exists(entry.address):
        return [f"{entry.address}: missing"]
    try:
        if store.checksum(entry.address) != entry.checksum:
            what = store.problem(entry.address) or "its bytes are not those that were written"
            return [f"{entry.address}: {what}"]
        return check_file(store, product, entry.address, entry.report, documents or entry.report)
    except (OSError, pa.ArrowException, KeyError, ValueError, DamagedFile) as error:
        return [f"{entry.address}: cannot be read: {str(error).splitlines()[0]}"]


def check_file(
    store: Store, product: str, address: str, report: dict[str, Any], documents: dict[str, Any]
) -> list[str]:
    """Problems of one product file, given its report in the manifest and the report of its documents."""
    problems = []
    if {key: value for key, value in store.metadata(address).items() if key in report} != report:
        problems.append(f"{address}: its report is not the one in the manifest")
    if product == "tokens":
        return problems + check_tokens(store, address, report)
    with store.open(address) as file:
        parquet = pq.ParquetFile(file, page_checksum_verification=True)
        rows = parquet.metadata.num_rows
        if rows != report["rows"] or rows != documents["rows"]:
            problems.append(f"{address}: {rows} rows, its report says {report['rows']}, documents {documents['rows']}")
        if report.get("doc_ids", documents.get("doc_ids")) != documents.get("doc_ids", report.get("doc_ids")):
            problems.append(f"{address}: its rows are not those of the documents beside it")
        for group in range(parquet.num_row_groups):
            table = parquet.read_row_group(group)
            if product == "documents":
                problems += check_texts(address, table)
        if product == "documents":
            problems += check_documents(address, parquet, report)
        elif product == "kept":
            problems += check_kept(address, parquet, report)
    return problems


def check_texts(address: str, table: pa.Table) -> list[str]:
    """Texts whose hash or size is not what stands beside them."""
    problems = []
    columns = (table.column(name).to_pylist() for name in ("doc_id", "text", "text_hash", "text_bytes"))
    for doc_id, text, text_hash, text_bytes in zip(*columns, strict=True):
        data = text.encode()
        if xxhash.xxh3_128_digest(data) != text_hash or len(data) != text_bytes:
            problems.append(f"{address}: the text of {doc_id.hex()} is not what its hash says")
    return problems


def check_documents(address: str, parquet: pq.ParquetFile, report: dict[str, Any]) -> list[str]:
    problems = []
    dropped = sum(entry["records"] for entry in report["dropped"].values())
    quarantined = report["num_quarantined"]
    if report["records"] != report["rows"] + dropped + quarantined:
        problems.append(
            f"{address}: {report['records']} records in, but {report['rows']} rows + {dropped} dropped"
            f" + {quarantined} quarantined"
        )
    table = parquet.read(columns=["doc_id", "text_bytes"])
    alignment = xxhash.xxh3_128()
    for chunk in table.column("doc_id").chunks:
        alignment.update(schemas.id_bytes(chunk))
    if alignment.hexdigest() != report["doc_ids"]:
        problems.append(f"{address}: its doc_ids are not those its report was made from")
    if (pc.sum(table.column("text_bytes")).as_py() or 0) != report["text_bytes"]:
        problems.append(f"{address}: the bytes of its texts do not add up to its report")
    return problems


def check_kept(address: str, parquet: pq.ParquetFile, report: dict[str, Any]) -> list[str]:
    """Counts of kept pages and of drop reasons against the report's groups."""
    table = parquet.read(columns=["keep", "reason", "domain"])
    rows = zip(*(table.column(name).to_pylist() for name in ("keep", "reason", "domain")), strict=True)
    counted = Counter((reason, domain) for _, reason, domain in rows)
    expected: Counter[tuple[str | None, str | None]] = Counter()
    for group in report["groups"]:
        # the report knows the domain that a dropped page would have belonged to, the file does not
        expected[group["reason"], None if group["reason"] else group["domain"]] += group["documents"]
    problems = [] if counted == expected else [f"{address}: its reasons and domains are not those its report counts"]
    if (pc.sum(table.column("keep")).as_py() or 0) != report["kept"]:
        problems.append(f"{address}: the number of kept pages is not what its report says")
    return problems


def check_tokens(store: Store, address: str, report: dict[str, Any]) -> list[str]:
    """Rows, tokens and digests of a `tokens` file against its report."""
    digests: dict[str, Any] = {}
    rows = tokens = 0
    with store.open(address) as file:
        reader = pa.ipc.open_file(file)
        for index in range(reader.num_record_batches):
            batch = reader.get_batch(index)
            digests.setdefault(batch.column("domain")[0].as_py(), xxhash.xxh3_128()).update(batch.serialize())
            rows += batch.num_rows
            tokens += len(batch.column("input_ids").flatten())
    problems = []
    if {domain: value.hexdigest() for domain, value in digests.items()} != report["domain_digests"]:
        problems.append(f"{address}: its token ids are not those its report was made from")
    if (rows, tokens) != (report["rows"], report["tokens"]):
        problems.append(
            f"{address}: {rows} rows, {tokens} tokens; its report says {report['rows']}, {report['tokens']}"
        )
    return problems
