"""Paths in a mixture file: variables filled in, relative ones taken from the folder of that file."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.errors import RunError, UserError
from pipeline.recipe.sections import MODEL_SUFFIXES
from pipeline.recipe.yaml_file import ConfigError, Key, YamlFile, read_yaml
from pipeline.store.storage import Store, inside
from stages import sources
from stages.formats.locations import is_uri

UNDER_ROOT = "${root}/"
SHIPPED = "/working_dir_files/"
"""Folder in which Ray unpacks what is submitted with a job."""
_VARIABLE = re.compile(r"\$\{(\w+)\}")


def resolve_files(holder: Any, place: tuple[str, ...], key: Key, yaml_file: YamlFile, store: Store) -> None:
    """`resolve_models` where every text is a path."""
    resolve_models(holder, place, key, yaml_file, store, names=False)


def resolve_models(
    holder: Any, place: tuple[str, ...], key: Key, yaml_file: YamlFile, store: Store, names: bool = True
) -> None:
    """Make the paths at ``place`` in ``holder`` absolute; ``*`` stands for every key or entry.

    Args:
        names: a text without a slash or a known suffix is a name, and left alone.
    """
    part, rest = place[0], place[1:]
    if isinstance(holder, dict):
        inside: list[Any] = [name for name in holder if part in ("*", name)]
    elif isinstance(holder, list) and part == "*":
        inside = list(range(len(holder)))
    else:
        return
    for name in inside:
        value = holder[name]
        if rest:
            resolve_models(value, rest, (*key, name), yaml_file, store, names)
        elif isinstance(value, str) and key[-1:] == ("params",):
            holder[name] = resolve_argument(value, (*key, name), yaml_file, store)
        elif isinstance(value, str) and (not names or is_path(value)):
            holder[name] = resolve(value, (*key, name), yaml_file, store)


def is_path(text: str) -> bool:
    """Whether a text that may be a name or a path is a path."""
    return "/" in text or "${" in text or Path(text).suffix in MODEL_SUFFIXES


def resolve_argument(text: str, key: Key, yaml_file: YamlFile, store: Store) -> str:
    """`resolve` of an argument of a user's function, where it is a path: with a known suffix or a variable, or with a
    slash and below a folder that is there (which may have no such file yet, or many: ``data/*/words``). Others are
    names (``Qwen/Qwen3-8B``) and words (``text/html``, ``/no_think``).
    """
    if not is_path(text):
        return text
    written_as_one = "${" in text or Path(text).suffix in MODEL_SUFFIXES or text.startswith(("./", "../", "~"))
    found = resolve(text, key, yaml_file, store)
    first = os.path.join(os.path.dirname(os.path.abspath(yaml_file.path)), text.partition("/")[0])
    below = not text.startswith("/") and os.path.isdir(first)
    return found if written_as_one or below or os.path.isdir(os.path.dirname(found)) else text


def source_paths(raw: Any, key: Key, yaml_file: YamlFile, store: Store) -> Any:
    if isinstance(raw, str):
        return [resolve(raw, key, yaml_file, store)]
    if isinstance(raw, list):
        return [
            resolve(path, (*key, position), yaml_file, store) if isinstance(path, str) else path
            for position, path in enumerate(raw)
        ]
    return raw


def root_of(store: Store) -> str:
    """The root as a path or URI that sources may have, too."""
    return store.base if store.local else store.root.rstrip("/")


def resolve(path: str, key: Key, yaml_file: YamlFile, store: Store) -> str:
    """A path of the mixture file: ``${root}`` and environment variables filled in, relative to that file."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name == "root":
            return root_of(store)
        if name not in os.environ:
            yaml_file.add(key, f"${{{name}}} is not set in the environment")
        return os.environ.get(name, "")

    if path.startswith(UNDER_ROOT) and not store.local:
        return inside(store.root, _VARIABLE.sub(value, path.removeprefix(UNDER_ROOT)))
    filled = _VARIABLE.sub(value, path)
    if not filled:
        yaml_file.add(key, f"expected a path, found nothing{f' in {path}' if path else ''}")
    if is_uri(filled):
        return filled
    return os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(yaml_file.path)), os.path.expanduser(filled)))


def unlisted(path: str, wrong: list[tuple[Key, sources.SourceError]]) -> UserError:
    """An error that names every wrong path of some sources, each with its place in the mixture file."""
    yaml_file = read_yaml(path)
    for key, error in wrong:
        yaml_file.add(key, str(error).removeprefix(f"source {key[1]}: "))
    failure = ConfigError(path, yaml_file.problems)
    if os.environ.get("RAY_JOB_ID") and SHIPPED in str(failure):
        shipped = "the job was shipped without these files: give absolute paths that every node has, or URIs"
        failure = ConfigError(path, [replace(one, message=f"{one.message} ({shipped})") for one in yaml_file.problems])
    unread = any(error.__cause__ is not None for _, error in wrong)  # a disk or store that gives no answer
    return RunError(str(failure)) if unread else failure
