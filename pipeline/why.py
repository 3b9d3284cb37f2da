"""Why a product is made again: what changed against the nearest earlier result of the same product."""

from __future__ import annotations

from typing import Any

from pipeline.address import Fingerprint
from pipeline.storage import Store

SHOWN = 40


def changed(store: Store, product: str, print_: Fingerprint) -> str:
    """What makes this fingerprint new, read from the ``about.json`` of the earlier ones."""
    if store.exists(f"{print_.folder}/about.json"):
        return "input that is new or changed"
    files = [address for address, _ in store.list(product) if address.endswith("/about.json")]
    if not files:
        return "made for the first time"
    about = print_.about()
    changes = sorted(
        (differences(store.read_json(file), about) for file in files), key=lambda lines: (len(lines), lines)
    )
    return ", ".join(changes[0]) or "input that is new or changed"


def differences(old: Any, new: Any, key: str = "") -> list[str]:
    """What differs between two plain values, as ``key: old -> new`` lines, the stages before as one word."""
    if key == "upstream":
        return ["an earlier product changed"] if old != new else []
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for part in sorted({*old, *new}):
            inner = part if key in ("", "params", "identity") else f"{key}.{part}"
            found += differences(old.get(part), new.get(part), inner)
        return found
    return [f"{key}: {short(old)} -> {short(new)}"] if old != new else []


def short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
