"""Within which pages something counts: a number for the scope of every page, so that keys of two scopes differ."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

_HOST = r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^@/?#]*@)?(?P<host>[^/?#:]*)"


def scope_salts(source: str, urls: pa.ChunkedArray | None, count: int) -> npt.NDArray[np.uint64]:
    """The number of each of ``count`` pages: of their source or, where their URLs are given, of the host of each.

    A dot at the end of a host names the same host. A page without a host belongs to its source alone.
    """
    if urls is None:
        return np.full(count, xxhash.xxh3_64_intdigest(source.encode()), np.uint64)
    hosts = pc.fill_null(pc.struct_field(pc.extract_regex(urls.cast(pa.string()), _HOST), "host"), "")
    encoded = pc.utf8_lower(pc.ascii_rtrim(hosts, characters=".")).combine_chunks().dictionary_encode()
    labels = [f"{source}\n{host}".encode() for host in encoded.dictionary.to_pylist()]
    salts = np.array([xxhash.xxh3_64_intdigest(label) for label in labels], np.uint64)
    return salts[encoded.indices.to_numpy(zero_copy_only=False)] if count else salts
