"""A function of the user's own in a process of its own: whatever it does, the others go on.

`rewriter` gives a callable that hands batches to that process and takes texts back. A batch at which the process ends,
or that it holds longer than it may, is tried page by page in a new one; one for which the function raises is halved
until the pages are found for which it does. Of such a page the reason is given, not its texts:

| reason | the function |
|---|---|
| `raised_an_error` | raised an exception, or gave other than one result a row |
| `killed_the_process` | ended its process (a fault in native code, memory) |
| `took_too_long` | did not answer in time |
| `made_too_many_rows`, `made_too_much_text` | made more of the page than it may |
| `made_no_text` | gave something that is neither text nor UTF-8 bytes |
| `made_invalid_utf8` | gave text that UTF-8 cannot say |

`Unavailable` is no page's fault: it ends the task, and with it the run.

The process stays for the next batch and the next split, so a model is loaded once; it ends with its parent.
Protocol: frames of 8 bytes of size and a payload; to the process JSON with the settings, then Arrow streams; back
pickled lists. What the function prints goes to standard error.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import pickle
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import IO, Any

import pyarrow as pa

from stages.formats.file_states import states
from stages.rules import own_functions

Texts = list[bytes] | str
"""UTF-8 texts made of a page, or the reason why there are none."""
START_SECONDS = 600.0
ORPHAN_SECONDS = 2.0
MOST_SECONDS = 1e5
"""Longest wait of one look for an answer; the system's counter has 32 bits of milliseconds."""


@dataclass(frozen=True)
class Limits:
    """Limits of a batch (seconds), of a page (rows, bytes)."""

    seconds: float
    max_rows: int
    max_bytes: int


class Unavailable(RuntimeError):
    """A function cannot work now (a server that does not answer): nothing is wrong with any page."""


_LIVE: dict[str, Rewriter] = {}


def rewriter(function: str, params: Mapping[str, Any], limits: Limits) -> Callable[[pa.RecordBatch], list[Texts]]:
    """The callable; its process is that of the last function with these settings, if there is one, and neither its
    source nor a file that they name has changed."""
    settings = [function, dict(params), asdict(limits)]
    key = json.dumps([settings, states(settings)], sort_keys=True)
    if key not in _LIVE:
        close()
        _LIVE[key] = Rewriter(function, params, limits)
    return _LIVE[key]


@atexit.register
def close() -> None:
    """End the process there is."""
    while _LIVE:
        _LIVE.popitem()[1].stop()


class Rewriter:
    """Batches in, for each row its texts or a reason."""

    def __init__(self, function: str, params: Mapping[str, Any], limits: Limits) -> None:
        self.function, self.params, self.limits = function, dict(params), limits
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self, rows: pa.RecordBatch) -> list[Texts]:
        found = self._asked(rows)
        if isinstance(found, list):
            return found
        if rows.num_rows == 1:
            return [found]
        step = (rows.num_rows + 1) // 2 if found == "raised_an_error" else 1
        parts = (rows.slice(start, step) for start in range(0, rows.num_rows, step))
        return [texts for part in parts for texts in self(part)]

    def stop(self) -> None:
        """End the process at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    stream.close()
            self._process = None

    def _asked(self, rows: pa.RecordBatch) -> list[Texts] | str:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as stream:
            stream.write_batch(rows)
        try:
            process = self._started()
            assert process.stdin is not None
            _write(process.stdin, sink.getvalue().to_pybytes())
            answer = self._answer(self.limits.seconds)
        except (BrokenPipeError, EOFError):
            self.stop()
            return "killed_the_process"
        except TimeoutError:
            self.stop()
            return "took_too_long"
        if isinstance(answer, Unavailable):
            raise Unavailable(f"{self.function}: {answer}")
        if isinstance(answer, list):
            return answer
        logging.getLogger(__name__).warning("%s: %s", self.function, answer)
        return "raised_an_error"

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
            command = [sys.executable, "-m", "stages.transforms.process"]
            environment = {**os.environ, "PYTHONPATH": path}
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environment
            )
            assert self._process.stdin is not None
            settings = {"function": self.function, "params": self.params, "limits": asdict(self.limits)}
            _write(self._process.stdin, json.dumps({**settings, "parent": os.getpid()}).encode())
            started = self._answer(START_SECONDS)
            if started is not True:
                self.stop()
                raise ValueError(f"{self.function} cannot be loaded in its process: {started}")
        return self._process

    def _answer(self, seconds: float) -> Any:
        """The next answer of the process.

        Raises:
            TimeoutError, EOFError: it does not say it in time, or ended.
        """
        assert self._process is not None
        assert self._process.stdout is not None
        end = time.monotonic() + seconds
        size = int.from_bytes(_read(self._process.stdout, 8, end), "little")
        return pickle.loads(_read(self._process.stdout, size, end))


def _read(stream: IO[bytes], size: int, end: float) -> bytes:
    """``size`` bytes of an unbuffered pipe, before ``end``."""
    poller = select.poll()
    poller.register(stream, select.POLLIN)
    parts: list[bytes] = []
    while size > 0:
        if not poller.poll(1000 * max(0.0, min(MOST_SECONDS, end - time.monotonic()))) and time.monotonic() >= end:
            raise TimeoutError
        part = os.read(stream.fileno(), min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _write(stream: IO[bytes], payload: bytes) -> None:
    data = memoryview(len(payload).to_bytes(8, "little") + payload)
    while data:
        data = data[os.write(stream.fileno(), data[: 1 << 20]) :]


# In the process


def applied(function: Callable[..., Any], rows: pa.RecordBatch, params: Mapping[str, Any], limits: Limits) -> Any:
    """The texts of each row or a reason; text, where the function as a whole raised; or that it cannot work now."""
    try:
        found = [texts_of(one, limits) for one in islice(function(rows, **params), rows.num_rows + 1)]
    except Unavailable as error:
        return Unavailable(str(error))
    except Exception as error:  # noqa: BLE001 - a function of the user's own may raise anything
        return f"{type(error).__name__}: {error}"
    if len(found) != rows.num_rows:
        return f"expected {rows.num_rows} results, one a row, found {len(found)} or more"
    return found


def texts_of(made: Any, limits: Limits) -> Texts:
    """The texts that a function returned for a row, as UTF-8, or what is wrong with them."""
    texts: list[bytes] = []
    size = 0
    values: Iterable[Any] = () if made is None else (made,) if isinstance(made, (str, bytes)) else made
    try:
        for value in values:
            value = value.as_py() if isinstance(value, pa.Scalar) else value
            if not isinstance(value, (str, bytes)):
                return "made_no_text"
            data = value.encode() if isinstance(value, str) else value
            data.decode()
            size += len(data)
            texts.append(data)
            if len(texts) > limits.max_rows:
                return "made_too_many_rows"
            if size > limits.max_bytes:
                return "made_too_much_text"
    except UnicodeError:
        return "made_invalid_utf8"
    except Unavailable:
        raise
    except Exception:  # noqa: BLE001 - a generator of the user's own may raise anything
        return "raised_an_error"
    return texts


def _watch(parent: int) -> None:
    """End this process soon after its parent, whatever it is doing."""
    while os.getppid() == parent:
        time.sleep(ORPHAN_SECONDS)
    os._exit(1)


def _serve() -> None:
    source, answers = os.fdopen(os.dup(0), "rb", 0), os.fdopen(os.dup(1), "wb", 0)
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)

    def next_frame() -> bytes:
        return _read(source, int.from_bytes(_read(source, 8, never), "little"), never)

    never = time.monotonic() + 10**9
    settings = json.loads(next_frame())
    threading.Thread(target=_watch, args=(settings["parent"],), daemon=True).start()
    try:
        function: Any = own_functions.load(settings["function"])
        _write(answers, pickle.dumps(True))
    except Exception as error:  # noqa: BLE001 - whatever an import raises is reported
        _write(answers, pickle.dumps(f"{type(error).__name__}: {error}"))
        return
    limits = Limits(**settings["limits"])
    while True:
        try:
            frame = next_frame()
        except EOFError:
            return
        with pa.ipc.open_stream(frame) as stream:
            rows = stream.read_next_batch()
        _write(answers, pickle.dumps(applied(function, rows, settings["params"], limits)))


if __name__ == "__main__":
    from stages.transforms.process import _serve as serve  # so that `Unavailable` is the one that functions raise

    serve()
