"""Files of a format of the user's own: ``format: module:function``, a function from an open file to its records.

    def read(file: BinaryIO) -> Iterator[dict[str, Any]]

``file`` gives uncompressed bytes from first to last (``read``, ``readline``, iteration; no ``seek``). A record is a
mapping as a row of JSON Lines is: ``text`` (text), or ``html`` (text, or bytes in any charset) to extract; ``id``,
``url``, ``title``, ``language``, ``licence`` and ``time`` where known, or other names that `columns` and `carry` map.
Records have their number in the file as position, from 0, so the function must give the same ones in the same order
every time.

Where the function raises, the rest of the file is damaged (``format_failed``), counted and reported; where it takes
more than `RECORD_SECONDS` of processor time for one record in Python code, likewise (``format_hangs``). What is no
mapping fails the run in a line that names the function. A file is read by one task: a format of one's own is not
split.
"""

from __future__ import annotations

import io
import json
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from stages.documents.account import Account
from stages.documents.charsets import decoded
from stages.documents.extraction import close_empty_elements
from stages.documents.files import problem_of
from stages.documents.page import Page
from stages.documents.tables import page_of_row
from stages.rules import own_functions

RECORD_SECONDS = 60.0


class FormatError(ValueError):
    """A function that does not give records; the message is one line."""


class _Plain(io.RawIOBase):
    """The plain bytes of a file as Python's own streams have them."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _HangsError(BaseException):
    """No `Exception`: functions of the user's own may catch those."""


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise `_HangsError` in this thread, if it is the main one, when its process has used so much processor time."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: Any) -> None:
        raise _HangsError

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def records(name: str, stream: Any, account: Account) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(number, record) of a file, in order, up to what is damaged.

    Raises:
        FormatError: the function gives something else than mappings.
    """
    read = own_functions.load(name)
    number = 0
    try:
        with _limited(RECORD_SECONDS):
            given = read(io.BufferedReader(_Plain(stream), 1 << 16))
            if not hasattr(given, "__iter__") or isinstance(given, (str, bytes, Mapping)):
                raise FormatError(f"{name}: expected an iterator of records, found {type(given).__name__}")
            source = iter(given)
        while True:
            with _limited(RECORD_SECONDS):
                record = next(source, None)
            if record is None:
                break
            if not isinstance(record, Mapping):
                raise FormatError(f"{name}: expected a mapping as record {number}, found {type(record).__name__}")
            yield number, record
            number += 1
    except (FormatError, GeneratorExit):
        raise
    except _HangsError:
        account.damage(number, "format_hangs")
    except Exception as error:  # noqa: BLE001 - a function of the user's own may raise anything
        account.last_error = own_functions.failure(name, error)
        account.damage(number, "format_failed")
        return
    if (problem := problem_of(stream)) is not None:
        account.damage(number, problem)


def pages(name: str, stream: Any, account: Account, columns: Mapping[str, str]) -> Iterator[Page]:
    """Pages of a file."""
    for number, record in records(name, stream, account):
        html = record.get("html")
        if html is None or record.get("text") is not None:
            text = record.get(columns.get("text", "text"))
            size = len(text.encode("utf-8", "replace")) if isinstance(text, str) else 0
            page = page_of_row(dict(record), number, size, account, columns)
        elif not isinstance(html, (str, bytes)):
            account.quarantine(number, "html_not_text")
            continue
        else:
            page = _page_of_html(dict(record), html, number, account, columns)
        if page is not None:
            yield page


def _page_of_html(
    record: dict[str, Any], html: str | bytes, number: int, account: Account, columns: Mapping[str, str]
) -> Page | None:
    data = html.encode("utf-8", "replace") if isinstance(html, str) else html
    mapped = {ours: theirs for ours, theirs in columns.items() if ours != "text"}
    page = page_of_row({**record, "text": ""}, number, len(data), account, mapped)
    if page is not None:
        utf8, page.charset, num_wrong = (data, None, 0) if isinstance(html, str) else decoded(data)
        page.text, page.html, page.content_type = None, close_empty_elements(utf8, None), "text/html"
        page.note = "wrong_bytes" if num_wrong else page.note
    return page


def _shown(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def record(name: str, stream: Any, params: Any, file: str, offset: int) -> bytes | None:
    """The record of that number as JSON."""
    for number, found in records(name, stream, Account(file)):
        if number == offset:
            plain = {key: _shown(value) for key, value in found.items()}
            return json.dumps(plain, ensure_ascii=False, default=str).encode()
    return None
