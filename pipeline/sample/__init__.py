"""The demo corpus: real text made from what is installed, without network, in some seconds.

``make_sample(folder)`` writes three sources, as different as the ones a real mixture has:

    web/pydoc-NNNNN.warc.gz     Python's documentation as HTML pages: WARC, one gzip member per record
    readmes/readmes.jsonl.gz    descriptions of the installed packages: id, text, url, licence, language
    code/code-NNNNN.parquet     Python sources of the standard library: id, text, url, licence, language, path

and ``sample.json`` last, which names every file with its size and SHA-256. A folder with a whole sample of the same
environment is left as it is. The bytes depend on the Python version and on the versions of the installed packages,
and on nothing else: no clock, no path, no order of completion.

The pages come from `pydoc` (`pipeline.sample.pages`, in child processes that may crash or hang without harm). Their
addresses are made up, under the reserved domain ``.example``. Price: 3 to 6 s of two cores for 1,500 pages.
"""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import importlib.metadata
import itertools
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import uuid
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

VERSION = 2
PAGES = 1500
PAGES_PER_WARC = 400
MODULES_OF_LIBRARY, MODULES_OF_PACKAGE = 24, 8
"""A child renders so many modules, of the standard library and of a package in turn: about as many pages of each."""
AHEAD = 2
"""Children that wait for a core, so that none is idle while the reader waits for a slow one."""
CHILD_LOOK = 0.01
ROOM = 1 << 16
CHILD_SECONDS = 300  # some 3 s are usual; a busy machine must not change the sample
CODE_BYTES = 6 << 20
"""Python sources are taken in order of path until this many bytes."""
CODE_BYTES_PER_FILE = 3 << 20
WARC_DATE = "2026-01-01T00:00:00Z"
MARKER = "sample.json"
CHILD = Path(__file__).with_name("pages.py")

# Packages whose documentation is rendered, where installed: those this project itself depends on.
PACKAGES = (
    "numpy", "click", "jinja2", "pydantic", "rich", "requests", "pyarrow", "yaml", "markdown_it", "packaging",
    "jsonschema", "filelock", "urllib3", "zstandard", "markupsafe", "msgpack", "referencing", "idna",
)  # fmt: skip

# Modules that open windows or browsers, take over the process, or hold nothing but tests and tables.
SKIPPED = frozenset(
    {"antigravity", "this", "idlelib", "turtledemo", "test", "lib2to3", "encodings", "pydoc_data", "ensurepip", "venv"}
    | {"tkinter", "turtle", "distutils", "msilib", "nt", "winreg", "winsound", "numpy.f2py", "numpy.distutils"}
    | {"numpy.matlib", "numpy.core", "rich.diagnose", "pyarrow.cuda", "pyarrow.jvm", "pydantic.v1", "pydantic.mypy"}
)


class Stopped(Exception):
    """Nobody waits for the sample any more."""


def make_sample(directory: Path, *, pages: int | None = None, stop: threading.Event | None = None) -> dict[str, Any]:
    """Make the demo corpus under ``directory``, or find it there.

    Args:
        directory: made if it is missing; other files in it are not touched.
        pages: how many HTML pages at most (default `PAGES`).
        stop: may be set when the sample is not wanted any more; it is set when all is made.

    Returns:
        ``{"made": bool, "web"|"readmes"|"code": {"files", "documents", "bytes"}}``, bytes as they stand on disk.

    Raises:
        Stopped: soon after ``stop`` was set. What is written by then is not taken for whole.
    """
    installed = distributions()
    wanted = identity(pages, installed)
    there = whole_sample(directory, wanted)
    if there is not None:
        return there
    directory.mkdir(parents=True, exist_ok=True)
    before = read_marker(directory)
    (directory / MARKER).unlink(missing_ok=True)
    files: dict[str, dict[str, Any]] = {}
    sources: dict[str, dict[str, int]] = {}
    readmes = functools.partial(write_readmes, installed=installed)
    web = functools.partial(write_web, pages=wanted["pages"], stop=stop or threading.Event())
    for name, writer in (("readmes", readmes), ("code", write_code), ("web", web)):
        (directory / name).mkdir(exist_ok=True)
        documents = 0
        mine: dict[str, dict[str, Any]] = {}
        for path, count in writer(directory / name):
            data = path.read_bytes()
            sha256 = hashlib.sha256(data).hexdigest()
            mine[f"{name}/{path.name}"] = {"bytes": len(data), "sha256": sha256}
            changed = int(sha256[:7], 16)  # a time of last change that follows from the content: equal samples,
            os.utime(path, (changed, changed))  # equal addresses
            documents += count
        files.update(mine)
        size = sum(entry["bytes"] for entry in mine.values())
        sources[name] = {"files": len(mine), "documents": documents, "bytes": size}
    for stale in set(before["files"] if before else {}) - set(files):
        (directory / stale).unlink(missing_ok=True)
    marker = {"identity": wanted, "sources": sources, "files": files}
    write_whole(directory / MARKER, (json.dumps(marker, indent=1, sort_keys=True) + "\n").encode())
    return {"made": True, **sources}


def is_made(directory: Path, *, pages: int | None = None) -> bool:
    """Whether `make_sample` would find everything there."""
    return whole_sample(directory, identity(pages, distributions())) is not None


def whole_sample(directory: Path, wanted: dict[str, Any]) -> dict[str, Any] | None:
    """The account of a whole sample of this identity; None where there is none."""
    found = read_marker(directory)
    if not found or found["identity"] != wanted or not is_whole(directory, found["files"]):
        return None
    return {"made": False, **found["sources"]}


def identity(pages: int | None, installed: list[Distribution]) -> dict[str, Any]:
    """All that decides the bytes: this module's version, Python's, and those of the installed packages."""
    packages = sorted(f"{name}=={version}" for name, version, _ in installed)
    packages_hash = hashlib.sha256("\n".join(packages).encode()).hexdigest()
    python = sys.version.split()[0]
    return {"version": VERSION, "python": python, "packages": packages_hash, "pages": pages or PAGES}


def read_marker(directory: Path) -> dict[str, Any] | None:
    """The account of a finished sample; None where there is none, or none that can be read."""
    try:
        found = json.loads((directory / MARKER).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and {"identity", "sources", "files"} <= found.keys() else None


def is_whole(directory: Path, files: dict[str, dict[str, Any]]) -> bool:
    """All files are there, with the sizes they were written with."""
    paths = {directory / name: entry["bytes"] for name, entry in files.items()}
    return all(path.is_file() and path.stat().st_size == size for path, size in paths.items())


def write_whole(path: Path, data: bytes) -> Path:
    """Write under a temporary name and rename: the file is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


# --- web ------------------------------------------------------------------------------------------------------------


def write_web(folder: Path, pages: int, stop: threading.Event) -> Iterator[tuple[Path, int]]:
    """WARC files of ``PAGES_PER_WARC`` pages each, and how many pages each holds."""
    stream = itertools.islice(rendered_pages(stop), pages)
    for number in itertools.count():
        batch = list(itertools.islice(stream, PAGES_PER_WARC))
        if not batch:
            return
        name = f"pydoc-{number:05d}.warc.gz"
        data = b"".join([warcinfo(name), *(response(url, html) for url, html in batch)])
        yield write_whole(folder / name, data), len(batch)


def rendered_pages(stop: threading.Event) -> Iterator[tuple[str, str]]:
    """(address, HTML) in fixed order, rendered a few children ahead of the reader."""
    groups, children = iter(module_groups()), max(1, min(4, os.cpu_count() or 1))
    with ThreadPoolExecutor(children) as pool:
        ahead = [pool.submit(render, group, stop) for group in itertools.islice(groups, children + AHEAD)]
        try:
            while ahead:
                pages = ahead.pop(0).result()
                if stop.is_set():
                    raise Stopped
                ahead += [pool.submit(render, group, stop) for group in itertools.islice(groups, 1)]
                yield from pages
        finally:
            stop.set()


def module_groups() -> list[list[str]]:
    """Modules that each child renders: the topics, then modules of the standard library and of packages in turn."""
    standard = [name for root in sorted(sys.stdlib_module_names) for name in public_modules(root, stdlib_folder())]
    packages: list[list[list[str]]] = []
    for name in PACKAGES:
        folder = next((Path(entry) for entry in sys.path if entry and (Path(entry) / name).is_dir()), None)
        packages += [cut(public_modules(name, folder), MODULES_OF_PACKAGE)] if folder else []
    turns = itertools.zip_longest(cut(standard, MODULES_OF_LIBRARY), in_turn(packages), fillvalue=list[str]())
    return [["topics"], *(group for turn in turns for group in turn if group)]


def cut(names: list[str], size: int) -> list[list[str]]:
    return [names[start : start + size] for start in range(0, len(names), size)]


def in_turn(packages: list[list[list[str]]]) -> list[list[str]]:
    """The first group of every package, then the second of every one that has it, and so on."""
    return [group for turn in itertools.zip_longest(*packages) for group in turn if group]


def stdlib_folder() -> Path:
    return Path(os.__file__).parent


def public_modules(name: str, folder: Path) -> list[str]:
    """A module and, if it is a package, its public submodules, found without importing anything."""
    short = name.rpartition(".")[2]
    if name in SKIPPED or short.startswith("_") or short in ("test", "tests", "testing", "benchmarks", "conftest"):
        return []
    package = folder / short
    if not (package / "__init__.py").is_file():
        return [name]
    names = [name]
    for entry in sorted(os.listdir(package)):
        submodule = entry.removesuffix(".py")
        is_module = entry.endswith(".py") or (package / entry / "__init__.py").is_file()
        if is_module and submodule.isidentifier():
            names += public_modules(f"{name}.{submodule}", package)
    return names


def render(names: list[str], stop: threading.Event, script: Path = CHILD) -> list[tuple[str, str]]:
    """Pages of some modules from a child process; a module that kills or hangs it is left out.

    Where nobody wants more pages (``stop``), it ends soon with those it has.

    Raises:
        OSError: no room for the pages among the temporary files.
    """
    pages: list[tuple[str, str]] = []
    # Nothing of the caller's environment: some modules' pages show it.
    environment = {"PATH": os.defpath, "TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0", "HOME": "/nonexistent"}
    while names and not stop.is_set():
        with tempfile.TemporaryDirectory(prefix="gristmill-sample-") as scratch, tempfile.TemporaryFile() as out:
            command = [sys.executable, "-P", "-B", "-X", "utf8", str(script), *names]
            child = subprocess.Popen(
                command, cwd=scratch, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL
            )
            ends = time.monotonic() + CHILD_SECONDS
            try:
                while child.poll() is None and time.monotonic() < ends and not stop.wait(CHILD_LOOK):
                    pass
                whole = child.poll() == 0
            finally:
                child.kill()
                child.wait()
            if not whole:
                see_room(out.fileno())
            out.seek(0)
            lines = out.read().split(b"\n")[:-1]  # what follows the last line feed was cut
        begun, name = 0, ""
        for line in lines:
            entry = json.loads(line)
            if "module" in entry:
                begun, name = begun + 1, entry["module"]
            else:
                host = "python" if name == "topics" or name.split(".")[0] in sys.stdlib_module_names else name
                url = f"https://{host.split('.')[0].replace('_', '-')}.pydoc.example/{entry['path']}.html"
                pages.append((url, entry["html"]))
        if whole:
            break
        names = names[max(begun, 1) :]
    return pages


def see_room(file: int) -> None:
    """Raise OSError where a temporary file cannot grow: a child that found no room lost pages, which is no fault of its
    module."""
    end = os.lseek(file, 0, os.SEEK_END)
    left = ROOM
    try:
        while left:
            left -= os.write(file, bytes(left))
    except OSError as error:
        error.filename = tempfile.gettempdir()
        raise
    os.ftruncate(file, end)


def warc_record(headers: list[tuple[str, str]], block: bytes) -> bytes:
    """One record in a gzip member of its own."""
    lines = [*headers, ("Content-Length", str(len(block)))]
    head = "WARC/1.0\r\n" + "".join(f"{key}: {value}\r\n" for key, value in lines) + "\r\n"
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(head.encode() + block + b"\r\n\r\n") + packer.flush()


def record_id(name: str) -> str:
    return f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, name)}>"


def warcinfo(name: str) -> bytes:
    block = b"software: gristmill sample\r\nformat: WARC File Format 1.0\r\n"
    headers = [("WARC-Type", "warcinfo"), ("WARC-Date", WARC_DATE), ("WARC-Record-ID", record_id(name))]
    return warc_record([*headers, ("WARC-Filename", name), ("Content-Type", "application/warc-fields")], block)


def response(url: str, html: str) -> bytes:
    """A page as a crawler would have kept it."""
    body = html.encode("utf-8", "replace")
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    digest = base64.b32encode(hashlib.sha1(body).digest()).decode()
    headers = [("WARC-Type", "response"), ("WARC-Date", WARC_DATE), ("WARC-Record-ID", record_id(url))]
    headers += [("WARC-Target-URI", url), ("WARC-Payload-Digest", f"sha1:{digest}")]
    return warc_record([*headers, ("Content-Type", "application/http; msgtype=response")], head.encode() + body)


# --- readmes and code -----------------------------------------------------------------------------------------------


class Distribution(NamedTuple):
    """An installed package."""

    name: str
    version: str
    metadata: Any
    """Its `importlib.metadata` headers."""


def distributions() -> list[Distribution]:
    """The installed packages, by name; this project itself left out.

    Python's own finder is asked, not `importlib.metadata.distributions`: where the package importlib_metadata is
    loaded it takes that function over, and gives descriptions in another form. Only the environment's own folders are
    looked into: packages such as Ray put folders of theirs on the path when they are imported.
    """
    found: dict[str, Distribution] = {}
    folders = list(dict.fromkeys(sysconfig.get_paths()[name] for name in ("purelib", "platlib")))
    installed = importlib.metadata.DistributionFinder.Context(path=folders)
    for entry in importlib.metadata.MetadataPathFinder.find_distributions(installed):
        metadata: Any = entry.metadata  # parsed anew at every look; a mapping with `get`, which its protocol hides
        name = (metadata.get("Name") or "").lower().replace("_", "-")
        if name and name != "gristmill":
            found.setdefault(name, Distribution(name, metadata.get("Version") or "", metadata))
    return [found[name] for name in sorted(found)]


def licence(metadata: Any) -> str:
    """SPDX expression, or what stands in its place in older metadata."""
    classifiers = [entry for entry in metadata.get_all("Classifier") or [] if entry.startswith("License ::")]
    stated = (metadata.get("License-Expression") or metadata.get("License") or "").strip().splitlines()
    return stated[0][:100] if stated else classifiers[0].rpartition(" :: ")[2] if classifiers else "not stated"


def write_readmes(folder: Path, installed: list[Distribution]) -> Iterator[tuple[Path, int]]:
    """Descriptions of the installed packages as JSON lines."""
    rows = []
    for name, version, metadata in installed:
        text = (metadata.get("Description") or metadata.get_payload() or "").strip()
        if text and text != "UNKNOWN":
            url = f"https://pypi.org/project/{name}/{version}/"
            row = {"id": f"{name}=={version}", "text": text, "url": url, "licence": licence(metadata), "language": "en"}
            rows.append(json.dumps(row, ensure_ascii=True) + "\n")
    data = gzip.compress("".join(rows).encode(), 6, mtime=0)
    yield write_whole(folder / "readmes.jsonl.gz", data), len(rows)


def write_code(folder: Path) -> Iterator[tuple[Path, int]]:
    """Python sources of the standard library, in order of path, as Parquet."""
    version = ".".join(map(str, sys.version_info[:2]))
    columns = ("id", "text", "url", "licence", "language", "path")
    batch: list[tuple[str, ...]] = []
    size = number = 0
    for path, text in itertools.chain(stdlib_sources(), [("", "")]):
        if batch and (not path or size + len(text) > CODE_BYTES_PER_FILE):
            table = pa.table({name: [row[i] for row in batch] for i, name in enumerate(columns)})
            sink = pa.BufferOutputStream()
            pq.write_table(table, sink, compression="zstd", row_group_size=256)
            yield write_whole(folder / f"code-{number:05d}.parquet", sink.getvalue().to_pybytes()), len(batch)
            batch, size, number = [], 0, number + 1
        size += len(text)
        url = f"https://github.com/python/cpython/blob/{version}/Lib/{path}"
        batch.append((f"Lib/{path}", text, url, "PSF-2.0", "python", f"Lib/{path}"))


def stdlib_sources() -> Iterator[tuple[str, str]]:
    """(path below Lib/, text) of sources that are UTF-8 and not tests, up to ``CODE_BYTES``."""
    root, total = stdlib_folder(), 0
    skipped = {"site-packages", "dist-packages", "test", "tests", "__pycache__", "idlelib", "lib2to3", "pydoc_data"}
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - skipped)
        for name in sorted(names):
            if not name.endswith(".py") or name.startswith("_sysconfigdata"):
                continue
            path = Path(folder) / name
            try:
                text = path.read_bytes().decode("utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            total += len(text)
            if total > CODE_BYTES:
                return
            if text.strip():
                yield path.relative_to(root).as_posix(), text


def main() -> None:
    print(json.dumps(make_sample(Path(sys.argv[1] if len(sys.argv) > 1 else "sample")), indent=1))


if __name__ == "__main__":
    main()
