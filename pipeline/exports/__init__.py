"""Token shards in the formats of other trainers: one module a format, each written from its documented layout.

Every export takes opened shards (`pipeline.reader.TokenShards`, so damage is refused first) and a new folder, and
returns an `Export`: files, documents, tokens, and the line that opens it. Ids are copied as bytes or not at all.
Hugging Face `datasets` and PyTorch need no export: they read the shards as written.
"""

from collections.abc import Callable

from pipeline.exports.blend import as_shell, blend, blend_report, megatron_flags, write_blend
from pipeline.exports.litdata import export_litdata
from pipeline.exports.mds import export_mds
from pipeline.exports.megatron import link, merge
from pipeline.exports.nanosets import export_nanosets
from pipeline.exports.olmo import export_olmo
from pipeline.exports.target import Export
from pipeline.planner.yields import trainer_yields

EXPORTS: dict[str, Callable[..., Export]] = {
    "megatron-link": link,
    "megatron-merge": merge,
    "olmo": export_olmo,
    "mds": export_mds,
    "litdata": export_litdata,
    "nanosets": export_nanosets,
}
"""Name on the command line -> function(shards, folder, **options)."""

__all__ = [
    "EXPORTS", "Export", "as_shell", "blend", "blend_report", "link", "megatron_flags", "trainer_yields",
    "write_blend",
]  # fmt: skip
