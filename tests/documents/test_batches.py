"""Batches hold the texts of their pages, whatever mixture of HTML, text and failures they are made of."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from stages.documents import batches
from stages.documents.account import Account
from stages.documents.characters import clean
from stages.documents.page import Page

TEXTS = ("", "wheel", "a soft\u00adhyphen", "lines\r\nand\rlines", "\u200b", "\u05de\u05d9\u05dd", "x" * 70)


def extract(column: pa.LargeBinaryArray) -> pa.LargeStringArray:
    """What stands in the HTML; null where that is to fail."""
    texts = [None if b"fails" in html else html.decode().removeprefix("<p>") for html in column.to_pylist()]
    return pa.array(texts, pa.large_string())


@pytest.mark.parametrize("share_of_html", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("slice_bytes", [1, 40, 1 << 20])
def test_rows_stand_in_the_order_of_their_pages(
    share_of_html: float, slice_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "SLICE_BYTES", slice_bytes)
    draw = random.Random(5)
    account = Account("a.warc.gz")
    made = batches.Batches("web", extract, account, None)
    for count in (1, 2, 30, 0, 7):
        expected: list[str] = []
        failures = account.num_quarantined
        for offset in range(count):
            text, fails = draw.choice(TEXTS), draw.random() < 0.2
            if draw.random() < share_of_html:
                failures += fails
                html = b"fails" if fails else f"<p>{text}".encode()
                page = Page(offset, 1, html=html)
                expected += [] if fails else [clean(text)]
            else:
                page = Page(offset, 1, text=text)
                expected.append(clean(text))
            made.add(page)
        batch = made.flush()
        assert (batch["text"].to_pylist() if batch is not None else []) == expected
        assert account.num_quarantined == failures
