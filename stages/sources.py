"""`sources`: the fixed list of input splits of one entry under ``sources:`` in the YAML.

Contract: `list_splits` turns paths, folders and globs (local, ``s3://``, ``gs://``) into `Split`s, sorted by file and
start, the same whatever the order in which a file system lists its files. ``Split.file`` is relative to the folder
before the first wildcard, so doc_ids survive a move of the data; ``Split.etag`` changes when the content may have
(time of last change in nanoseconds, and size).

Price: one listing per path. Limits: two files of one source with the same relative name are an error, because they
would get the same doc_ids; ``base`` in the YAML tells them apart.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from pyarrow import fs
from pydantic import Field, field_validator

from stages.contract import Split, StageParams
from stages.formats import CONTAINER_NAMES, CONTAINERS, format_of, locate

VERSION = 1

COLUMNS = ("text", "id", "url", "language", "licence", "title", "time")
_WILDCARD = re.compile(r"[*?\[{]")


class SourceError(ValueError):
    """A source that cannot be listed; the message is one sentence that says what to do."""


class SourceParams(StageParams):
    """One entry under ``sources:``. Paths are absolute or URIs by the time they come here."""

    paths: tuple[str, ...] = Field(min_length=1)
    """Files, folders (every file of a known format in them) and globs: ``*``, ``?``, ``[ab]``, ``{a,b}``, ``**``."""
    format: str | None = None
    """Container of all its files; by default each file's suffix tells."""
    columns: dict[Literal["text", "id", "url", "language", "licence", "title", "time"], str] = Field(
        default_factory=dict
    )
    """Ours: theirs, for JSONL and tables; a dot goes into nested fields. Default: the same name, or its spellings."""
    base: str | None = None
    """Folder the files' names are relative to; by default what stands before the first wildcard of each path."""

    @field_validator("format")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and value not in CONTAINER_NAMES:
            raise ValueError(f"expected one of {', '.join(CONTAINER_NAMES)}, found {value!r}")
        return value

    @field_validator("paths", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    def reading(self) -> dict[str, Any]:
        """What `stages.documents.Params` must know of this source."""
        return {"format": self.format, "columns": dict(self.columns)}


def list_splits(name: str, params: SourceParams) -> list[Split]:
    """All splits of the source ``name``, sorted by (file, start).

    Raises:
        SourceError: a path that is missing or cannot be read, a glob that matches nothing, a file whose format its
            name does not tell, two files with one name.
    """
    found: dict[str, Split] = {}
    for path in params.paths:
        for split in _splits_of_path(name, path, params):
            other = found.get(split.file)
            if other is not None and other.uri != split.uri:
                raise SourceError(
                    f"source {name}: {other.uri} and {split.uri} would both be called {split.file!r};"
                    " set `base:` to a folder above both"
                )
            found[split.file] = split
    return sorted(found.values())


def _splits_of_path(name: str, path: str, params: SourceParams) -> list[Split]:
    wildcard = _WILDCARD.search(path)
    folder = path[: path.rindex("/", 0, wildcard.start())] if wildcard else path.rstrip("/")
    try:
        filesystem, root = locate(folder or "/")
        infos = _matching(filesystem, root, path[len(folder) + 1 :] if wildcard else None, params)
    except FileNotFoundError:
        raise SourceError(f"source {name}: {folder} does not exist") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"source {name}: cannot list {path}: {_one_line(error)}") from error
    if not infos:
        raise SourceError(f"source {name}: no file of a known format matches {path}")
    base = _base(filesystem, root, infos, wildcard is not None, params.base)
    prefix = folder[: len(folder) - len(root)] if folder.endswith(root) else ""
    splits = []
    for info in infos:
        if base and not info.path.startswith(base + "/"):
            raise SourceError(f"source {name}: {info.path} is not under its base {params.base}")
        if format_of(info.path, params.format) is None:
            raise SourceError(
                f"source {name}: {info.path} has no suffix we know ({', '.join(sorted(CONTAINERS))}); set `format:`"
            )
        file = info.path[len(base) + 1 :] if base else info.path.lstrip("/")
        etag = f"{info.mtime_ns or 0}-{info.size}"
        splits.append(Split(name, file, 0, 0, "file", prefix + info.path, info.size, etag))
    return splits


def _matching(filesystem: Any, root: str, pattern: str | None, params: SourceParams) -> list[fs.FileInfo]:
    """Files under ``root`` that match ``pattern``; without one, ``root`` itself or every known file in that folder."""
    info = filesystem.get_file_info(root)
    if info.type == fs.FileType.NotFound:
        raise FileNotFoundError(root)
    if pattern is None and info.type == fs.FileType.File:
        return [info]
    recursive = pattern is None or "/" in pattern or "**" in pattern
    infos = filesystem.get_file_info(fs.FileSelector(root, recursive=recursive))
    infos = [i for i in infos if i.type == fs.FileType.File and not i.base_name.startswith((".", "_"))]
    if pattern is None:
        return [i for i in infos if format_of(i.path, params.format) is not None]
    regex = glob_regex(pattern)
    cut = len(root.rstrip("/")) + 1
    return [i for i in infos if regex.fullmatch(i.path[cut:])]


def _base(filesystem: Any, root: str, infos: list[fs.FileInfo], is_glob: bool, base: str | None) -> str:
    if base is not None:
        return str(locate(base)[1]).rstrip("/")
    alone = not is_glob and len(infos) == 1 and infos[0].path == root
    return (root.rpartition("/")[0] if alone else root).rstrip("/")


def glob_regex(pattern: str) -> re.Pattern[str]:
    """A shell glob as a regular expression: ``*`` and ``?`` stop at ``/``, ``**`` does not, ``{a,b}`` is either."""
    out, position, depth = [], 0, 0
    while position < len(pattern):
        char = pattern[position]
        if pattern.startswith("**/", position):
            out.append("(?:.*/)?")
            position += 2
        elif pattern.startswith("**", position):
            out.append(".*")
            position += 1
        elif char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[" and "]" in pattern[position + 2 :]:
            end = pattern.index("]", position + 2)
            inner = pattern[position + 1 : end].replace("\\", "\\\\")
            out.append("[" + ("^" + inner[1:] if inner[0] == "!" else inner) + "]")
            position = end
        elif char == "{":
            out.append("(?:")
            depth += 1
        elif char == "}" and depth:
            out.append(")")
            depth -= 1
        elif char == "," and depth:
            out.append("|")
        else:
            out.append(re.escape(char))
        position += 1
    return re.compile("".join(out) + ")" * depth, re.DOTALL)


def _one_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
