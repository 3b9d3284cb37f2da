"""Proof that a node can do a driver's work: it sees the same root, and its code and packages are those of the driver.

A file's address is made of what decides its bytes, and takes for granted that all nodes run one program: a node with
another extractor, or another Arrow, would write other bytes under the same name, and nobody would see it. So each
process of a cluster proves itself once, before its first task, whenever its node came.

Price: 40 ms of a process (its sources are read and hashed) and one read under the root.
"""

from __future__ import annotations

import platform
import socket
import uuid
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import xxhash

from pipeline.errors import RunError
from pipeline.store.storage import TEMPORARY, Store

NONE = "none"
CODE = Path(__file__).resolve().parents[2]
FOLDERS = ("pipeline", "stages")
PACKAGES = (
    *("numpy", "pyarrow", "numba", "fastwarc", "resiliparse", "trafilatura", "fasttext-community", "sentencepiece"),
    *("gigatoken", "mistral-common", "tiktoken", "tokenizers", "awkward", "xxhash", "zstandard", "isal", "deflate"),
    *("brotli", "publicsuffixlist", "pypdfium2", "mwparserfromhell", "pydantic"),
)
"""Packages that read, measure or write pages; the others change no byte. One that is not there makes none either: what
needs it fails by its name."""
_proven: set[str] = set()
"""Tokens that this process has read."""


def expected(store: Store) -> dict[str, str]:
    """What every node must have: a token under the root, which is written here, and versions by name."""
    token = uuid.uuid4().hex
    address = f"{TEMPORARY}/nodes-{token}"
    store.write_bytes(address, token.encode())
    return {"address": address, "token": token, **versions()}


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Versions of what decides bytes in this process; a digest of gristmill's own code."""
    digest = xxhash.xxh3_64()
    for folder in FOLDERS:
        for path in sorted((CODE / folder).rglob("*.py")):
            name = path.relative_to(CODE).as_posix()
            if "/." not in name and path.is_file():  # what editors leave beside a file is imported by nobody
                digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    found = {"Python": platform.python_version(), "gristmill's code": digest.hexdigest()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = NONE
    return found


def check(store: Store, wanted: dict[str, str]) -> None:
    """Check this process against `expected`, once.

    Raises:
        RunError: it sees another root, or has other versions.
    """
    if wanted["token"] in _proven:
        return
    try:
        same = store.read_bytes(wanted["address"]).decode() == wanted["token"]
    except FileNotFoundError:
        same = False
    if not same:
        raise RunError(f"node {socket.gethostname()} does not see the root {store.root}: {SHARED}")
    mine = versions()
    other = [
        f"{name} is {found} there and {wanted[name]} here"
        for name, found in mine.items()
        if wanted.get(name, NONE) != found and NONE not in (found, wanted.get(name, NONE))
    ]
    if other:
        raise RunError(f"node {socket.gethostname()} would make other bytes: {'; '.join(other)}: {SAME}")
    _proven.add(wanted["token"])


SHARED = "use a shared disk or s3://, gs://"
SAME = "install the same on every node; `ray job submit --working-dir .` sends the code along"
