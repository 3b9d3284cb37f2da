"""Why a product is made again: what changed against the nearest earlier result of the same product."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from pipeline.store.address import Fingerprint, canonical
from pipeline.store.storage import Store

SHOWN = 40
MOST = 6
CAUSES = ("requested_share", "max_epochs", "available_tokens", "requested_budget")
"""Numbers of a solved mixture that others of its numbers follow from."""
NEW_INPUT = "input that is new or changed"


def changed(store: Store, product: str, fingerprint: Fingerprint, read: dict[str, Any] | None = None) -> str:
    """Changes that make this fingerprint new, against ``about.json`` of earlier ones; ``read``: those read before."""
    known = {} if read is None else read
    if store.exists(f"{fingerprint.folder}/about.json"):
        return NEW_INPUT
    files = [address for address, _ in store.list(product) if address.endswith("/about.json")]
    if not files:
        return "made for the first time"
    known |= {file: store.read_json(file) for file in files if file not in known}
    about = json.loads(canonical(fingerprint.about()))  # as it is read again: a tuple is no other value than a list
    changes = sorted((differences(known[file], about) for file in files), key=_distance)
    lines = [line for line in causes(changes[0]) if not _looks_equal(line)] or causes(changes[0])
    lines = [line for line in lines if not (line.endswith(OF_CONTENT) and _goes_on(line, lines))]
    more = f", and {len(lines) - MOST} more" if len(lines) > MOST else ""
    return ", ".join(lines[:MOST]) + more or NEW_INPUT


def _distance(lines: list[str]) -> tuple[int, int, list[str]]:
    """How far an earlier result is: by its changes, and of those what is there in one alone."""
    return len(lines), sum(line.endswith(OF_CONTENT[:2]) for line in lines), lines


def joined(reasons: Iterable[str]) -> str:
    """The reasons of several sources in a line, without those that are a part of another's."""
    found = sorted(set(reasons))
    whole = [one for one in found if not any(one != other and f", {one}, " in f", {other}, " for other in found)]
    return "; ".join(whole)


def _looks_equal(line: str) -> bool:
    """Whether both sides of a change read the same: numbers that differ where nobody looks."""
    before, mark, after = line.partition(": ")[2].partition(" -> ")
    return bool(mark) and before == after


def causes(lines: list[str]) -> list[str]:
    """Lines of `differences` that others follow from, or all where there is none."""
    keyed = [(line.partition(":")[0].rpartition(".")[2], line) for line in lines]
    return [line for cause in CAUSES for key, line in keyed if key == cause] or lines


def differences(old: Any, new: Any, key: str = "") -> list[str]:
    """Differences of two plain values, as ``key: old -> new`` lines, the stages before as one word."""
    if key == "upstream":
        return ["an earlier product changed"] if old != new else []
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for part in sorted({*old, *new}):
            inner = part if key in ("", "params", "identity") else f"{key}.{part}"
            found += differences(old.get(part), new.get(part), inner)
        return found
    if old == new:
        return []
    if key == "source":  # whose files it is compared with is chance
        return [f"source {short(new)} is new, or has another name"]
    before, after = named(old), named(new)
    if before is not None and after is not None:
        return _of_entries(before, after, key) or [f"{key}: in another order"]
    if _holds_hash(old) or _holds_hash(new):
        return [f"{key}: {'added' if old is None else 'gone' if new is None else 'its content changed'}"]
    if _is_words(old) and _is_words(new):
        return [f"{key}: {_of_words(old, new)}"]
    return [f"{key}: {short(old)} -> {short(new)}"]


def _is_hash(value: Any) -> bool:
    """Whether a value stands for a file's content, or a module's, and means nothing to a person."""
    return isinstance(value, str) and re.fullmatch(r"(?:\w+:)?[0-9a-f]{16,}", value) is not None


def _holds_hash(value: Any) -> bool:
    """Whether it is one, an address that has one in its name, or has one somewhere in it."""
    if isinstance(value, (dict, list)):
        return any(map(_holds_hash, value.values() if isinstance(value, dict) else value))
    return _is_hash(value) or (isinstance(value, str) and _is_hash(value.rpartition("/")[2].partition(".")[0]))


def _goes_on(line: str, lines: list[str]) -> bool:
    """Whether another line tells of a part of what this one tells of."""
    key = line.partition(": ")[0]
    return any(other.startswith(f"{key}.") for other in lines)


OF_CONTENT = (": added", ": gone", ": its content changed")


def named(value: Any) -> dict[str, Any] | None:
    """Entries of a list by their names, of ``{"name": ...}`` or ``[name, {...}]``; None where they have none."""
    if not isinstance(value, list) or not value:
        return None
    if all(isinstance(entry, dict) and "name" in entry for entry in value):
        return {str(entry["name"]): entry for entry in value}
    if all(isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) for entry in value):
        return {entry[0]: entry[1] for entry in value if not _is_words(entry)} or None
    return None


def _of_entries(old: dict[str, Any], new: dict[str, Any], key: str) -> list[str]:
    found = []
    for name in dict.fromkeys([*old, *new]):
        if name in old and name in new:
            found += differences(old[name], new[name], f"{key}.{name}")
        else:
            found.append(f"{key}.{name}: {'gone' if name in old else 'added'}")
    return found


def _is_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _of_words(old: list[str], new: list[str]) -> str:
    """The words a list gained and lost, where few did; else the two lists."""
    added, gone = ([word for word in one if word not in other] for one, other in ((new, old), (old, new)))
    parts = [f"{mark}{word}" for mark, words in (("+", added), ("-", gone)) for word in words]
    return ", ".join(parts) if parts and len(parts) <= MOST else f"{short(old)} -> {short(new)}"


def short(value: Any) -> str:
    text = "not set" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
