"""Before the exchange of lines: which pages repeat the whole text of another page of their scope, byte for byte.

Thirty addresses of one article are one text: counted thirty times, every line of it would be frequent, and the article
would be cut, or dropped, with all its copies. So pages of one text count once (`stages.text_copies`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stages.contract import Store
from stages.lines.params import Params
from stages.scopes import scope_salts
from stages.text_copies import texts_of, write_texts


def map_texts(
    store: Store, *, params: dict[str, Any], splits: list[dict[str, Any]], ranges: int, output: str
) -> dict[str, Any]:
    """A record for every page of a group of splits."""
    settings = Params.model_validate(params)
    parts = []
    for split in splits:
        by_host = settings.scope == "host"
        table = store.read_table(split["documents"], ["text_hash", *(["url"] if by_host else [])])
        salts = scope_salts(split["source"], table.column("url") if by_host else None, table.num_rows)
        parts.append(texts_of(table.column("text_hash"), split["first"] + np.arange(table.num_rows), salts))
    return write_texts(store, output, parts, ranges)
