"""Requests to object stores and web servers are made again when the answer was no answer: bounded, and counted.

What is tried again: answers of 5xx, 429 and 408 (``SlowDown``, ``InternalError``, ``RequestTimeout``), broken and
refused connections, timeouts, bodies that end early. What is not: a missing object, a missing right, a wrong request,
a certificate that is not accepted (`stages.formats.certificates`).
The pause after failure n is drawn evenly from 0 to ``FIRST_PAUSE * 2**(n - 1)`` seconds, at most ``LONGEST_PAUSE``
("full jitter": M. Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015); `TRIES` of them last about a
minute. A server that says when to come again (``Retry-After``, RFC 9110, 10.2.3) is left alone until then, for at most
`LONGEST_WAIT`. A place that never answered in this process is given up sooner (`FIRST_TRIES`): that is a wrong address,
not a busy server.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any, TypeVar

TRIES = 16
FIRST_TRIES = 5
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0
LONGEST_WAIT = 60.0
"""Seconds that a server may ask to be left alone before each further try."""

Answer = TypeVar("Answer")
_lock = Lock()
_count = 0
_listeners: list[Callable[[float], None]] = []


def repeated() -> int:
    """Requests made again so far, by this process and by those reported to it (`add`)."""
    return _count


def add(requests: int) -> None:
    """Count what another process of the same run made again."""
    global _count
    with _lock:
        _count += requests


def pause(failures: int, error: Exception | None = None) -> None:
    """Count one more repeated request, and wait before it; ``failures`` in a row came before (1 or more), the last of
    them ``error``."""
    add(1)
    seconds = asked_wait(error) + random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (failures - 1)))
    for listener in _listeners:
        listener(seconds)
    time.sleep(seconds)


def listen(listener: Callable[[float], None]) -> None:
    """Call ``listener`` with the seconds of every pause from now on, before it."""
    _listeners.append(listener)


def asked_wait(error: Exception | None) -> float:
    """Seconds for which an answer of failure asks not to be asked again, 0 to `LONGEST_WAIT`; 0 without a request.

    Knows the errors of urllib (``headers``), of requests and httpx (``response``) and of botocore (a dict).
    """
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):
        fields: Any = response.get("ResponseMetadata", {}).get("HTTPHeaders")
    else:
        fields = getattr(error, "headers", None) or getattr(response, "headers", None)
    found = (value for name, value in dict(fields or {}).items() if name.lower() == "retry-after")
    stated = str(next(found, "")).strip()
    if stated.isascii() and stated.isdecimal():
        seconds = float(stated[:9])
    else:
        try:
            seconds = parsedate_to_datetime(stated).timestamp() - time.time()
        except (ValueError, TypeError, IndexError, OverflowError):
            return 0.0
    return min(max(seconds, 0.0), LONGEST_WAIT)


def patiently(
    attempt: Callable[[], Answer], passes: Callable[[Exception], bool], tries: Callable[[Exception], int] | None = None
) -> Answer:
    """The result of ``attempt``, called again as long as it fails with an error that ``passes``.

    Args:
        tries: how often to try at most, given what went wrong; by default `TRIES`.

    Raises:
        Exception: the last error of ``attempt``.
    """
    failures = 0
    while True:
        try:
            return attempt()
        except Exception as error:
            failures, failed = failures + 1, error
            most = TRIES if tries is None else tries(error)
            if not passes(error) or failures >= most:
                raise
        pause(failures, failed)
