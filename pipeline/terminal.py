"""The one place that prints: what pages, names and paths hold is made safe for a terminal on its way out.

A page may hold escape sequences that move the cursor, change the title or write the clipboard (OSC 52), and characters
that turn the direction of writing. All of them are spelt out (``‹U+001B›``), in results, progress, errors and
tracebacks alike, whether a terminal reads or a pipe. JSON holds them as ``\\u001b``; bytes asked for as they are
(``--raw``) go to files and pipes unchanged, and to a terminal as safe text.

Only progress bars write sequences of their own, around text that is safe already (`pipeline.progress`).
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from pipeline.errors import OutputError
from stages import untrusted

_UNSAFE = re.compile(f"[{''.join(chr(code) for code in untrusted.SPELT_CODES if code not in (9, 10, 13))}]")


def safe(text: str) -> str:
    """Text without a character that a terminal would obey; line breaks and tabs stay."""
    return untrusted.passage(text, len(text))


def safe_line(text: str) -> str:
    """Names of files and tasks inside a line: no line end in them begins another."""
    return untrusted.whole_line(text)


class Safe(io.TextIOBase):
    """A stream that makes safe what is written to it."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        encoding = self.stream.encoding or "utf-8"
        self.stream.write(safe(text).encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def flush(self) -> None:
        self.stream.flush()

    def isatty(self) -> bool:
        return self.stream.isatty()


def errors() -> Any:
    """Standard error."""
    return Safe(sys.stderr)


def unprinted(error: OSError) -> str:
    """What is said of a result that standard output does not take."""
    return f"standard output cannot be written: {error.strerror}; look at what it goes to"


@contextmanager
def _result() -> Iterator[None]:
    """Raises OutputError where standard output cannot be written: no file of a root is to blame."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(unprinted(error)) from error


def show(text: str, end: str = "\n") -> None:
    """Print a result, on standard output."""
    with _result():
        out = Safe(sys.stdout)
        out.write(text + end)
        out.flush()


def tell(text: str) -> None:
    """Print a line for people, on standard error."""
    err = errors()
    err.write(text + "\n")
    err.flush()


def show_json(value: Any) -> None:
    """Print a value as JSON in ASCII."""
    show(json.dumps(value, indent=1, ensure_ascii=True, default=str))


def json_text(text: str) -> str:
    """JSON with the unsafe characters in its strings escaped: other bytes, the same value."""
    return _UNSAFE.sub(lambda found: json.dumps(found[0]).strip('"'), text)


def show_bytes(data: bytes) -> None:
    """Print bytes as they are; to a terminal, as safe text."""
    if sys.stdout.isatty():
        show(data.decode("utf-8", "replace"), end="")
    else:
        with _result():
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
