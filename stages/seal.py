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

import json
import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

BLOCK_BYTES = 1 << 16
WHOLE_BYTES = 1 << 22
"""A mapped file up to this size is checked when it is opened: half a millisecond, less than what asking Python for
every read of it costs."""
MARK = b"GMSEAL01"
_END = struct.Struct("<QQQQ8s")
"""Bytes of data, bytes a block, xxh3_64 of the footer, xxh3_64 of the seal before this number and `name_of` the file
(older ones: of the seal alone), `MARK`."""
_SUMS = struct.Struct("<QQQ")
_TAIL_BYTES = 1 << 16
MISPLACED = "or the file of another name"
_EMPTY_STREAM_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_SKIPPABLE = b"\x50\x2a\x4d\x18" + (24).to_bytes(4, "little") + MARK
_ZEROS = b"0" * 32
_JSON = re.compile(rb'^ "checksum": "xxh3_128:([0-9a-f]{32})",?$', re.MULTILINE)
_JSON_TRACE = re.compile(rb'^ (?:"checksum"|[^\n]*"xxh3_128:)', re.MULTILINE)
"""What a damaged checksum leaves of itself."""
_OPTIONS = re.compile(r"\?[^?=]*=[^?]*$")
"""What may follow a URI: no file of ours has such a name."""
_HTML = re.compile(rb"<!-- xxh3_128:([0-9a-f]{32}) -->\n\Z")
_HTML_TRACE = re.compile(rb"<!-- xxh3_128:|[0-9a-f]{32} -->")


class DamagedFile(RuntimeError):
    """A file under the root is not what was written: altered, cut off or gone. It is named, and made again by a run."""

    def __init__(self, address: str, what: str) -> None:
        super().__init__(address, what)
        self.address, self.what = address, what

    def __str__(self) -> str:
        return f"{self.address}: {self.what}; the next run of its mixture makes it again"


def name_of(address: str) -> bytes:
    """What of an address goes into a seal: its last two parts, so that a root may be moved and read by its URI."""
    if "://" in address:
        address = _OPTIONS.sub("", address)
    return "/".join(address.split("/")[-2:]).encode("utf-8", "surrogateescape")


# Parquet and Arrow files


class Blocks:
    """Takes what is written, in order; gives the xxh3_64 of every block of it, the last one shorter."""

    def __init__(self, block_bytes: int = BLOCK_BYTES) -> None:
        self.block_bytes = block_bytes
        self.size = 0
        self._sums: list[int] = []
        self._open = xxhash.xxh3_64()

    def update(self, view: memoryview) -> None:
        """Bytes, as a one-dimensional view of them."""
        done, size = 0, view.nbytes
        while done < size:
            step = min(size - done, self.block_bytes - self.size % self.block_bytes)
            self._open.update(view[done : done + step])
            done += step
            self.size += step
            if self.size % self.block_bytes == 0:
                self._sums.append(self._open.intdigest())
                self._open.reset()

    def sums(self) -> list[int]:
        return [*self._sums, self._open.intdigest()] if self.size % self.block_bytes else list(self._sums)


def footer_bytes(tail: bytes) -> int | None:
    """Size of the footer, with the numbers behind it, of a Parquet or Arrow IPC file that ends so; None of others."""
    if tail[-4:] == b"PAR1" and len(tail) >= 12:
        return int.from_bytes(tail[-8:-4], "little") + 8
    if tail[-6:] == b"ARROW1" and len(tail) >= 18:
        return int.from_bytes(tail[-10:-6], "little") + 10
    return None


def footer_seal(blocks: Blocks, footer: bytes, address: str) -> bytes:
    """What is to stand between the data and the footer of the file of that address."""
    sums = struct.pack(f"<{len(blocks.sums())}Q", *blocks.sums())
    numbers = _SUMS.pack(blocks.size, blocks.block_bytes, xxhash.xxh3_64_intdigest(footer))
    return sums + numbers + xxhash.xxh3_64_digest(sums + numbers + name_of(address))[::-1] + MARK


@dataclass
class Seal:
    """The checksums of a file's data, by block; ``data_bytes`` is where the data ends."""

    address: str
    sums: Sequence[int]
    block_bytes: int
    data_bytes: int
    seen: set[int] = field(default_factory=set)
    """Blocks that were checked."""

    def blocks_of(self, start: int, stop: int) -> range:
        """The blocks that bytes ``start`` to ``stop - 1`` of the data lie in and that were not checked yet."""
        stop = min(stop, self.data_bytes)
        return range(start // self.block_bytes, -(-stop // self.block_bytes) if stop > start else 0)

    def check(self, piece: memoryview, block: int) -> None:
        """Check bytes from the start of a block on, which hold whole blocks of it."""
        for number in range(block, block + -(-len(piece) // self.block_bytes)):
            if number not in self.seen:
                begin = (number - block) * self.block_bytes
                if xxhash.xxh3_64_intdigest(piece[begin : begin + self.block_bytes]) != self.sums[number]:
                    start = number * self.block_bytes
                    stop = min(start + self.block_bytes, self.data_bytes)
                    raise DamagedFile(self.address, f"damaged between byte {start} and byte {stop}")
                self.seen.add(number)


def read_seal(file: pa.NativeFile, address: str) -> Seal | None:
    """The seal of an open Parquet or Arrow IPC file, its footer checked; None where it has none.

    Raises:
        DamagedFile: the file is cut off, or seal or footer are not what was written.
    """
    size = file.size()
    tail_start = max(0, size - _TAIL_BYTES)
    tail = bytes(file.read_at(size - tail_start, tail_start)) if size else b""
    footer_size = footer_bytes(tail)
    if footer_size is None:
        if not size:
            raise DamagedFile(address, "empty")
        if address.endswith(".parquet") or not tail.endswith(_EMPTY_STREAM_END):
            raise DamagedFile(address, f"cut off: it ends after {size} bytes without its footer")
        return None  # a stream
    end = size - footer_size
    if end < _END.size:
        if end < 4 or MARK in tail:
            raise DamagedFile(address, "damaged in its footer")
        return None

    def read(start: int, stop: int) -> bytes:
        return (
            tail[start - tail_start : stop - tail_start] if start >= tail_start else file.read_at(stop - start, start)
        )

    data_bytes, block_bytes, footer_sum, own_sum, mark = _END.unpack(read(end - _END.size, end))
    fits = block_bytes > 0 and data_bytes + 8 * -(-data_bytes // block_bytes) + _END.size == end
    if mark != MARK and not fits:
        if MARK in tail:
            raise DamagedFile(address, "damaged in its footer")
        return None
    if mark != MARK or not fits:
        raise DamagedFile(address, "damaged in its seal")
    sealed = read(data_bytes, end - 16)
    if xxhash.xxh3_64_intdigest(read(end, size)) != footer_sum:
        raise DamagedFile(address, "damaged in its footer")
    if own_sum not in (xxhash.xxh3_64_intdigest(sealed + name_of(address)), xxhash.xxh3_64_intdigest(sealed)):
        raise DamagedFile(address, f"damaged in its footer, {MISPLACED}")
    sums = struct.unpack(f"<{(len(sealed) - _SUMS.size) // 8}Q", sealed[: -_SUMS.size])
    return Seal(address, sums, block_bytes, data_bytes)


class CheckedFile:
    """What `pyarrow.PythonFile` reads through: every block is checked when it is first touched, and nothing is copied.

    ``whole`` are the bytes of the file where they are in memory or mapped; else each read asks ``file``, for whole
    blocks.
    """

    closed = False

    def __init__(self, file: pa.NativeFile, seal: Seal, whole: pa.Buffer | None) -> None:
        self._file, self._seal, self._whole = file, seal, whole
        self._size = file.size()
        self._at = 0

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, position: int, whence: int = 0) -> int:
        self._at = position + (0, self._at, self._size)[whence]
        return self._at

    def read_buffer(self, count: int | None = None) -> pa.Buffer:
        stop = self._size if count is None or count < 0 else min(self._size, self._at + count)
        start = min(self._at, stop)
        self._at = stop
        wanted = self._seal.blocks_of(start, stop)
        begin = wanted.start * self._seal.block_bytes
        if self._whole is None:
            begin = begin if wanted else start
            end = max(stop, min(wanted.stop * self._seal.block_bytes, self._seal.data_bytes)) if wanted else stop
            self._file.seek(begin)
            found = self._file.read_buffer(end - begin)
            if found.size < end - begin:
                raise DamagedFile(self._seal.address, f"cut off after byte {begin + found.size}")
        else:
            begin, found = 0, self._whole
        if wanted:
            last = min(wanted.stop * self._seal.block_bytes, self._seal.data_bytes)
            first = wanted.start * self._seal.block_bytes - begin
            self._seal.check(memoryview(found)[first : last - begin], wanted.start)
        return found.slice(start - begin, stop - start)

    def read(self, count: int | None = None) -> bytes:
        return bytes(self.read_buffer(count).to_pybytes())

    def close(self) -> None:
        self.closed = True
        self._file.close()


def checked(file: pa.NativeFile, seal: Seal, mapped: bool) -> pa.NativeFile:
    """An open file of which every byte is checked before it is handed out: a small one that is mapped at once."""
    file.seek(0)
    whole = file.read_buffer() if mapped else None
    if whole is not None and seal.data_bytes <= WHOLE_BYTES:
        seal.check(memoryview(whole)[: seal.data_bytes], 0)
        file.seek(0)
        return file
    return pa.PythonFile(CheckedFile(file, seal, whole), mode="r")


# JSON, JSON lines, HTML


def encode_json(value: Any, errors: str = "strict", compact: bool = False, address: str = "") -> bytes:
    """An object or a list as indented JSON with its checksum; a list stands under the key ``items``.

    ``address``: the only one under which it may stand; by default any. ``errors`` says what becomes of characters that
    are none in UTF-8; ``compact``: each of its values on one line, which is five times faster to write.
    """
    told = value if isinstance(value, dict) else {"items": value}
    told = told | {"checksum": f"xxh3_128:{_ZEROS.decode()}"}
    if compact:
        lines = [f" {json.dumps(key)}: {json.dumps(told[key], ensure_ascii=False)}" for key in sorted(told)]
        text = "{\n" + ",\n".join(lines) + "\n}\n"
    else:
        text = json.dumps(told, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    return _filled(_JSON, text.encode("utf-8", errors), name_of(address))


def json_size(value: dict[str, Any]) -> int:
    """Bytes that `encode_json` gives of an object, ten times faster: indents are counted, not laid out."""
    return indented_size(value | {"checksum": f"xxh3_128:{_ZEROS.decode()}"}) + 1


def indented_size(value: Any) -> int:
    """Bytes of a value as sorted JSON indented by one."""
    line = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ": "))
    return len(line.encode()) + _breaks(value, 0)


def _breaks(value: Any, level: int) -> int:
    """Bytes of line breaks and indents in a value that stands ``level`` deep: before each member, and at the end."""
    if not isinstance(value, (dict, list, tuple)) or not value:
        return 0
    members = value.values() if isinstance(value, dict) else value
    return len(value) * (level + 2) + level + 1 + sum(_breaks(member, level + 1) for member in members)


def encode_items(items: Iterable[str]) -> bytes:
    """What `encode_json` gives of a list, whose items are such JSON already: of hundreds of thousands in a second."""
    data = bytearray(f'{{\n "checksum": "xxh3_128:{_ZEROS.decode()}",\n "items": ['.encode())
    mark = b"\n  "
    for item in items:
        data += mark + item.replace("\n", "\n  ").encode()
        mark = b",\n  "
    data += b"\n ]\n}\n" if mark[:1] == b"," else b"]\n}\n"
    place = _JSON.search(data)
    assert place is not None
    data[place.start(1) : place.end(1)] = xxhash.xxh3_128_hexdigest(data).encode()
    return bytes(data)


def decode_json(data: bytes, address: str) -> Any:
    """The value of a file of `encode_json`, or of any JSON file without a checksum.

    Raises:
        DamagedFile: it is no whole JSON, or not what its checksum says.
    """
    check_json(data, address)
    try:
        value = json.loads(data)
    except ValueError as error:
        raise DamagedFile(address, f"no whole JSON ({error})") from error
    if isinstance(value, dict) and _JSON.search(data):
        del value["checksum"]
        return value["items"] if value.keys() == {"items"} else value
    return value


def check_json(data: bytes | memoryview, address: str) -> None:
    """Check such a file against its checksum, where it has one.

    Raises:
        DamagedFile: it is not what its checksum says.
    """
    whole = _matches(_JSON, data, name_of(address)) or _matches(_JSON, data)
    if not whole or (_JSON_TRACE.search(data) and not _JSON.search(data)):
        raise DamagedFile(address, "not what its checksum says")


def encode_html(page: bytes) -> bytes:
    """A page with its checksum in a comment at its end."""
    return _filled(_HTML, page + b"<!-- xxh3_128:" + _ZEROS + b" -->\n")


def lines_seal(digest: bytes, address: str) -> bytes:
    """The skippable frame behind the zstd frames of a file, of which ``digest`` is the xxh3_128."""
    return _SKIPPABLE + xxhash.xxh3_128_digest(digest + name_of(address))


def check_lines(data: memoryview, address: str) -> memoryview:
    """The zstd frames of a file without the seal behind them.

    Raises:
        DamagedFile: it is not what its seal says.
    """
    size = len(_SKIPPABLE) + 16
    frames, seal = data[:-size], bytes(data[-size:])
    if not seal.startswith(_SKIPPABLE):
        if MARK in seal or _SKIPPABLE[: -len(MARK)] in seal:
            raise DamagedFile(address, "damaged in its seal")
        return data
    digest = xxhash.xxh3_128_digest(frames)
    if seal[len(_SKIPPABLE) :] not in (xxhash.xxh3_128_digest(digest + name_of(address)), digest):
        raise DamagedFile(address, f"not what its checksum says, {MISPLACED}")
    return frames


def _filled(place: re.Pattern[bytes], data: bytes, name: bytes = b"") -> bytes:
    found = place.search(data)
    assert found is not None, "the checksum has no place"
    start, stop = found.span(1)
    return data[:start] + xxhash.xxh3_128_hexdigest(data + name).encode() + data[stop:]


def _matches(place: re.Pattern[bytes], data: bytes | memoryview, name: bytes = b"") -> bool:
    """Whether the checksum of a file, and of its name, is right; True also where it has none."""
    found = place.search(data)
    if found is None:
        return True
    start, stop = found.span(1)
    total = xxhash.xxh3_128()
    for part in (data[:start], _ZEROS, data[stop:], name):
        total.update(part)
    return total.hexdigest().encode() == found[1]


# Any file


def problem(data: pa.Buffer, address: str) -> str | None:
    """What is wrong with a whole file by its own seal; '' if there is nothing.

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
            check_json(view, address)
            if _JSON.search(view):
                return ""
            decode_json(bytes(view), address)
            return None
        if address.endswith(".zst"):
            return "" if len(check_lines(view, address)) < len(view) else None
        if address.endswith(".html"):
            found = _HTML.search(view)
            wrong = not _matches(_HTML, bytes(view)) or (not found and _HTML_TRACE.search(view[-80:]))
            return "not what its checksum says" if wrong else "" if found else None
    except DamagedFile as damage:
        return damage.what
    return None


def _unreadable(data: pa.Buffer, address: str) -> str | None:
    """Why a Parquet or Arrow file without a seal cannot be read; None if it can."""
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
