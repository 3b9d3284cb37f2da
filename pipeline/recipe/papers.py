"""PDF, DOCX and EPUB files that a source lists and `documents.text_types` does not take: no text is read from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from stages.contract import Split
from stages.documents import SHORT
from stages.formats import format_of


def unwanted(splits: Sequence[Split], params: Any) -> tuple[str, bool]:
    """A remark about such files, empty where there are none; and whether there are no others."""
    kinds: Counter[str] = Counter()
    others = False
    for split in splits:
        for name in [file for file, *_ in split.parts] or [split.file]:
            known = format_of(name, params.format)
            kind = known.container if known else ""
            if kind in SHORT and SHORT[kind] not in params.text_types:
                kinds[kind] += 1
            else:
                others = True
    if not kinds:
        return "", False
    counted = ", ".join(f"{number:,} {kind}" for kind, number in sorted(kinds.items()))
    short = {kind: name for name, kind in SHORT.items()}
    types = ", ".join([*(short.get(kind, kind) for kind in params.text_types), *sorted(kinds)])
    return f"no text is read from {counted} files: to read it, documents: {{text_types: [{types}]}}", not others
