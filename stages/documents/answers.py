"""Answers of servers, whatever they are: the responses of a WARC file, for those who ask for no page (robots.txt)."""

from __future__ import annotations

from collections.abc import Iterator

from stages.documents.account import Account
from stages.documents.archives import Limits, archive_records, clean_url
from stages.documents.http import decode_body, parse_response
from stages.formats.locations import open_file
from stages.rules.robots_answers import Answer
from stages.rules.robots_txt import MAX_BYTES

MAX_RECORD = 8 << 20
"""Bytes of a record that are held; a body goes on to be cut at `MAX_BYTES`."""


def answers(uri: str, name: str) -> Iterator[Answer]:
    """Every response of a WARC file, bodies decoded as far as they are wanted.

    Raises:
        OSError: the file cannot be read.
        ValueError: a stretch of it holds no record that can be read.
    """
    account = Account(name)
    with open_file(uri) as file:
        for record in archive_records(file, account, Limits(MAX_RECORD, MAX_RECORD, frozenset())):
            fields = record.headers
            url = clean_url(fields.get("warc-target-uri"))
            if fields.get("warc-type", "").lower() != "response" or not url:
                continue
            response = parse_response(record.data, record.start, record.stop)
            if response.status is None:
                continue
            http = response.headers
            coded = http.get("transfer-encoding", ""), http.get("content-encoding", "")
            body, _ = decode_body(response.body, *coded, MAX_BYTES + 1)
            place = f"{name} at {record.offset}"
            yield Answer(
                url,
                fields.get("warc-date", ""),
                response.status,
                http.get("location", ""),
                body[: MAX_BYTES + 1],
                place,
            )
    if account.num_bad or account.num_quarantined:
        spot = (account.bad or account.quarantined)[0]
        raise ValueError(f"{uri} cannot be read from byte {spot['offset']} on: {spot['reason']}")
