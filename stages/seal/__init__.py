"""Seals: every file that is written carries a checksum of itself, and every byte that is read is checked by it.

| file | where its seal is |
|---|---|
| Parquet, Arrow IPC file | between the data and the footer: `xxh3_64` of every block of the data, and of the footer |
| JSON | the key ``checksum``: `xxh3_128` of the file with its own 32 digits as zeros |
| JSON lines in zstd | a skippable frame at the end, which every decoder passes over: `xxh3_128` of all before it |
| HTML | a comment at the end: the same |

The seals of Parquet and Arrow files, of these lines, and of all JSON but manifests, which are copied with their folder,
are of the file's name too (`name_of`): a sound file that got another one's place is damaged as well. Older seals are of
the bytes alone, and read as they are.

Readers of Parquet and Arrow go by the footer alone, so what stands before it is seen by nobody who does not look.
Exchange files (`stages.exchange_file`), key indices and token shards (`stages.shard_format`: the blocks in their
manifest) have checksums of their own. A file without a seal was made before there were any: it is read unchecked.

Whatever does not match is `DamagedFile`, before a byte of it is used. Price: one pass of xxh3 over the bytes that are
read, 10 to 20 GB/s; on an object store a read is widened to whole blocks of 64 KiB.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from stages.seal.blocks import Blocks, Seal, checked, footer_bytes, footer_seal, read_seal
from stages.seal.damage import MISPLACED, DamagedFile, name_of
from stages.seal.text import (
    check_html,
    check_json,
    check_lines,
    decode_json,
    encode_html,
    encode_items,
    encode_json,
    indented_size,
    json_size,
    lines_seal,
)

__all__ = [
    "MISPLACED", "Blocks", "DamagedFile", "Seal", "check_lines", "checked", "decode_json", "encode_html",
    "encode_items", "encode_json", "footer_bytes", "footer_seal", "indented_size", "json_size", "lines_seal",
    "name_of", "problem", "read_seal",
]  # fmt: skip


def problem(data: pa.Buffer, address: str) -> str | None:
    """The fault of a whole file by its own seal; '' if there is none.

    None where it has no seal; then it was only tried whether it can be read.
    """
    view = memoryview(data)
    if not view.nbytes:
        return "empty"
    try:
        if address.endswith((".parquet", ".arrow")):
            seal = read_seal(pa.BufferReader(data), address)
            if seal is None:
                return _unreadable(data, address)
            seal.check(view[: seal.data_bytes], 0)
            return ""
        if address.endswith(".json"):
            if check_json(view, address):
                return ""
            decode_json(bytes(view), address)
            return None
        if address.endswith(".zst"):
            return "" if len(check_lines(view, address)) < len(view) else None
        if address.endswith(".html"):
            return "" if check_html(view, address) else None
    except DamagedFile as damage:
        return damage.what
    return None


def _unreadable(data: pa.Buffer, address: str) -> str | None:
    """The reason why a Parquet or Arrow file without a seal cannot be read; None if it can."""
    try:
        if address.endswith(".parquet"):
            pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True).read()
        elif bytes(memoryview(data)[:6]) == b"ARROW1":
            pa.ipc.open_file(data).read_all()
        else:
            pa.ipc.open_stream(data).read_all()
    except (OSError, pa.ArrowException, ValueError) as error:
        return f"cannot be read ({str(error).partition(chr(10))[0]})"
    return None
