"""`export`: a corpus, or one domain's shards, in another trainer's format; or all domains as a blend for Megatron."""

from __future__ import annotations

from pipeline.errors import UserError
from pipeline.exports import EXPORTS, as_shell, blend, blend_report, link, megatron_flags, write_blend
from pipeline.exports.blend import SPLITS
from pipeline.exports.target import empty_folder, whole_file
from pipeline.progress import human_bytes
from pipeline.reader import TokenShards, read_manifest
from pipeline.recipe import snapshot as snapshots
from pipeline.recipe.snapshot import Snapshot
from pipeline.store.storage import Store


def shards_folder(store: Store, name: str | None, domain: str | None, phase: str | None = None) -> str:
    """The local folder of a mixture's corpus (of one phase of training), or of the shards of one of its domains.

    Raises:
        UserError: when it is not there, or not on a local or shared disk.
    """
    snapshot = snapshots.load(store, name)
    found = snapshot.data.get("shards", {}).get(domain) if domain else corpus_of(snapshot, phase)
    if found is None or not store.exists(found):
        known = ", ".join(sorted(snapshot.data.get("shards", {})))
        what = "finished corpus" if domain is None else f"domain {domain!r}; it has {known or 'none'}"
        raise UserError(f"mixture {snapshot.name} has no {what}")
    if not store.local:
        raise UserError(f"an export reads shards from a disk; copy {store.uri(found.rpartition('/')[0])} to one first")
    return store.path(found.rpartition("/")[0])


def corpus_of(snapshot: Snapshot, phase: str | None) -> str | None:
    """Address of the corpus manifest, of a phase where the mixture has phases; None before it is there.

    Raises:
        UserError: when a phase is to be named and is not, or the mixture has no such phase.
    """
    corpora = snapshot.corpora()
    if not corpora:
        return None
    known = ", ".join(corpora)
    if "" in corpora:
        if phase:
            raise UserError(f"mixture {snapshot.name} has no phases; leave --phase out")
        return corpora[""]
    if phase is None:
        raise UserError(f"mixture {snapshot.name} has a corpus for each phase; choose with --phase one of: {known}")
    if phase not in corpora:
        raise UserError(f"mixture {snapshot.name} has no phase {phase!r}; it has: {known}")
    return corpora[phase]


def export_text(
    store: Store,
    name: str | None,
    domain: str | None,
    trainer: str,
    folder: str,
    phase: str | None = None,
    split: str = "train",
) -> str:
    """Export; returns lines on what was written and how to open it."""
    made = EXPORTS[trainer](TokenShards(shards_folder(store, name, domain, phase), split=split), folder)
    lost = f", {made.dropped_tokens:,} left out" if made.dropped_tokens else ""
    written = f"{len(made.files)} files, {human_bytes(made.bytes_written)} written"
    counts = f"{made.tokens:,} tokens{lost}, {made.documents:,} documents"
    return f"{made.trainer}: {counts}, {written}\n{made.folder}\n{made.read_with}\n"


def blend_text(store: Store, name: str | None, folder: str, sequence_length: int) -> str:
    """Link every domain of a mixture, training and held-out splits apart, and write what blends them for Megatron.

    Nothing is copied: ``FOLDER/SPLIT/DOMAIN/`` holds prefixes into the shards, ``blend.json`` their weights by what
    the mixture takes of each within its caps (held-out splits by the same), ``flags.sh`` the exact data flags.

    Raises:
        UserError: for a mixture with phases, each of which reads a part of its domains that prefixes cannot name.
    """
    snapshot = snapshots.load(store, name)
    if "" not in snapshot.corpora():
        raise UserError(f"mixture {snapshot.name} has phases, which no blend can follow; export the corpus of each")
    corpus = read_manifest(shards_folder(store, name, None))
    tokens = {domain: int(found["target_tokens"]) for domain, found in corpus.domains.items()}
    shares = {domain: count / sum(tokens.values()) for domain, count in tokens.items() if count}
    out = empty_folder(folder)
    blends, lines = {}, []
    for split in SPLITS:
        folders = {}
        for domain in shares:
            source = shards_folder(store, name, domain)
            if any(shard.rows for shard in read_manifest(source, None).shards if shard.split == split):
                folders[domain] = link(TokenShards(source, split=split), out / split / domain).folder
        if folders:
            blends[split] = blend(folders, {domain: shares[domain] for domain in folders})
            lines.append(f"{split}: {len(folders)} domains, {len(blends[split]) // 2} prefixes")
    path = write_blend(out / "blend.json", blends).absolute()
    samples = sum(tokens.values()) // sequence_length
    flags = [*megatron_flags(corpus, path, sequence_length), "--train-samples", str(samples)]
    with whole_file(out / "flags.sh") as file:
        file.write(as_shell(flags).encode() + b"\n")
    notes = [f"note: {note}" for note in blend_report(corpus, flags)["notes"]]
    return "\n".join([f"megatron: {snapshot.name}", *lines, *notes, str(out), " ".join(flags)]) + "\n"
