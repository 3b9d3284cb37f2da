"""A transform that asks a server with OpenAI's interface: rephrasing, translation, questions, cleaning by a model.

    transforms:
      rewrite:
        function: stages.transforms.chat_server:ask
        params: {url: "http://localhost:8000/v1", model: my-model, prompt: prompt.txt, in_flight: 32}
        inputs: {sources: [web], languages: [en]}
        resume_rows: 256

Each page is one request, ``POST URL/chat/completions`` with the prompt in which ``{text}`` (and ``{title}``, ``{url}``,
``{language}``) stand for the page's own, and ``temperature`` 0 unless another is given; the answer's text is the new
page, or, cut at `separator`, several. vLLM, SGLang, llama.cpp, Ollama and hosted services speak it. The key is read
from the environment variable that `key_variable` names, so it stands in no file.

At most `in_flight` requests are under way at once. One that gets no answer, one that is cut off or is no JSON, or 408,
409, 425, 429 or 5xx, is made again up to `retries` times, after twice as long each time or as long as the server asks
(Retry-After). If there is still none, the server refuses key, account or address (401 to 405), or a setting is wrong,
the run stops: no page is at fault. What was made until then stays (`transforms.NAME.resume_rows`), and the next run
asks for the rest alone. Another refusal (400, 413, 422: too long a page, say) and an answer that ends before its end
(`max_tokens`, a filter) quarantine their page; an answer without a text (an error without a status in its place, one
that the server broke off, or one that is no UTF-8), if it is none when asked again. An error in the place of an answer
that names a status (``{"error": {"code": 429}}``) is an answer of that status.

Address, key, bound, time and retries decide nothing: another server of the same model goes on where the first left off.
A server need not answer the same twice; each page is asked once, and its answer is what all later runs read.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from stages.formats.file_states import is_file
from stages.transforms.process import Unavailable

AGAIN = {408, 409, 425, 429}
WRONG_SERVER = {401, 402, 403, 404, 405}
"""The key, the account or the address is wrong, for all pages alike."""
MOST_WAIT = 60.0
FIRST_WAIT = 0.5
SHOWN = 200
CUT = {
    "length": "was cut at max_tokens",
    "model_length": "was cut at the most tokens that the model takes",
    "content_filter": "was cut by a filter",
    "repetition": "was cut for repeating itself",
}
"""Why an answer is none, by the reason that the server gives for its end."""
BROKEN_OFF = {"abort", "error", "insufficient_system_resource"}
"""Reasons of servers that end a request before its answer, as when they are stopped or have no room."""
PATH = re.compile(r"[^\s{}]*\.(txt|md|prompt)|/[^{}\n]*\.(txt|md|prompt)|[\w.~-]+(/[\w.-]+)+|(/[\w.-]+){2,}", re.ASCII)
"""What is written as the path of a file: no fields, and a suffix of text or names between slashes; ``/no_think`` and
what has letters of other scripts (which write no spaces) is a prompt."""


class Refused(ValueError):
    """The server does not take a page, or its answer is none."""


class NoText(Refused):
    """An answer without a text, which there may be when the server is asked again."""


def ask(
    rows: pa.RecordBatch,
    *,
    url: str,
    model: str,
    prompt: str,
    system: str = "",
    separator: str = "",
    max_tokens: int = 2048,
    temperature: float = 0.0,
    seed: int = 0,
    in_flight: int = 8,
    timeout: float = 120.0,
    retries: int = 4,
    key_variable: str = "",
    more: Mapping[str, Any] | None = None,
) -> Iterator[Iterator[str]]:
    """Of each page the server's answer, as one text or several.

    Args:
        url: the server's address up to ``/v1``.
        prompt, system: what is asked: a text, or the path of a file that holds it.
        separator: what stands between texts in an answer; none: an answer is one text.
        timeout: seconds for one request.
        more: other fields of the request, as the server has them.

    Raises:
        Unavailable: the server gives no answer, or refuses every request, or a setting is wrong.
    """
    if urlsplit(url).scheme not in ("http", "https") or "{text}" not in template(prompt) or in_flight < 1:
        raise Unavailable("expected an http address, {text} in the prompt and in_flight of 1 or more")
    template(system)
    key = os.environ.get(key_variable, "").strip() if key_variable else ""
    if key_variable and not key:
        raise Unavailable(f"the environment variable {key_variable} (key_variable) is not set")
    if not (key.isascii() and key.isprintable()):
        raise Unavailable(f"the environment variable {key_variable} (key_variable) holds what is no key")
    stop = Event()
    settings = {"model": model, "max_tokens": max_tokens, "temperature": temperature, "seed": seed, **(more or {})}

    def one(row: dict[str, Any]) -> str | Refused:
        messages = [{"role": "user", "content": filled(template(prompt), row)}]
        if system:
            messages.insert(0, {"role": "system", "content": filled(template(system), row)})
        body = json.dumps({**settings, "messages": messages}).encode()
        try:
            return request(f"{url.rstrip('/')}/chat/completions", body, key, timeout, retries, stop)
        except Refused as error:
            return error
        except Unavailable:
            stop.set()
            raise

    with ThreadPoolExecutor(in_flight) as pool:
        answers = list(pool.map(one, rows.to_pylist()))
    return (texts(answer, separator) for answer in answers)


ask.EFFORT = ("url", "in_flight", "timeout", "retries", "key_variable")  # type: ignore[attr-defined]
"""Arguments that decide no text: the model is told by its name, wherever it is served."""


def texts(answer: str | Refused, separator: str) -> Iterator[str]:
    """The texts of an answer.

    Raises:
        Refused: there is none.
    """
    if isinstance(answer, Refused):
        raise answer
    yield from (part.strip() for part in answer.split(separator)) if separator else (answer.strip(),)


@lru_cache(maxsize=8)
def template(text: str) -> str:
    """A prompt: the text itself, or what stands in the file of that name.

    Raises:
        Unavailable: it is a path, and there is no file.
    """
    if is_file(text):
        return Path(text).read_text(encoding="utf-8")
    if PATH.fullmatch(text):
        raise Unavailable(f"expected a prompt, or a file that holds one, found {text}: there is no such file")
    return text


def filled(text: str, row: Mapping[str, Any]) -> str:
    """The prompt of one page; what a page holds is never looked through for fields."""
    parts = text.split("{text}")
    for name in ("title", "url", "language"):
        parts = [part.replace(f"{{{name}}}", str(row[name] or "")) for part in parts]
    return str(row["text"]).join(parts)


def content(answer: Any) -> str:
    """The text of a chat completion.

    Raises:
        Refused: it is none, or was cut.
    """
    try:
        choice = answer["choices"][0]
        text, reason = choice["message"]["content"], choice.get("finish_reason")
    except (LookupError, TypeError, AttributeError) as error:
        raise NoText(f"expected a chat completion, found {str(answer)[:SHOWN]}") from error
    if isinstance(reason, str) and reason in BROKEN_OFF:
        raise NoText(f"the server broke its answer off: {reason}")
    if isinstance(reason, str) and reason in CUT:
        raise Refused(f"the answer {CUT[reason]}")
    if not isinstance(text, str):
        raise Refused(f"expected text in the answer, found {type(text).__name__}")
    return text


def parsed(status: int, data: bytes) -> tuple[int, Any]:
    """The JSON of an answer, and its status: that of an error in its place where it has one, as gateways send it.

    Raises:
        NoText: what it holds is no UTF-8.
        ValueError, RecursionError: it is no JSON.
    """
    try:
        answer = json.loads(data.decode("utf-8-sig"), strict=False)
    except UnicodeDecodeError as error:
        raise NoText(f"expected UTF-8, found {data[:SHOWN].decode(errors='replace')}") from error
    found = answer.get("error") if isinstance(answer, dict) and not answer.get("choices") else None
    code = found.get("code") if isinstance(found, dict) else None
    return (code if isinstance(code, int) and 400 <= code < 600 else status), answer


def request(url: str, body: bytes, key: str, timeout: float, retries: int, stop: Event) -> str:
    """The text that the server answers, after as many tries as it takes.

    Raises:
        Refused: the server does not take this request, or its answer to it has no text.
        Unavailable: it takes none, or another thread found so.
    """
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    told = ""
    for number in range(retries + 1):
        if stop.is_set():
            raise Unavailable("another request had no answer")
        asked = 0.0
        try:
            status, wait, data = _posted(url, body, headers, timeout)
        except (OSError, http.client.HTTPException) as error:
            told = f"{type(error).__name__}: {error}"
        else:
            told = f"{status}: {data[:SHOWN].decode(errors='replace')}"
            if status == 200:
                try:
                    status, answer = parsed(status, data)
                    if status == 200:
                        return content(answer)
                except NoText:
                    if number == retries:
                        raise
                except Refused:
                    raise
                except (ValueError, RecursionError):
                    told = f"no JSON: {told}"
            if status in WRONG_SERVER or 300 <= status < 400:
                raise Unavailable(f"{url} answers {told}")
            if status != 200 and status not in AGAIN and status < 500:
                raise Refused(told)
            asked = wait
        if number < retries:
            stop.wait(min(MOST_WAIT, max(asked, FIRST_WAIT * 2**number)))
    raise Unavailable(f"{url} gave no answer to {retries + 1} requests, the last time {told}")


def _posted(url: str, body: bytes, headers: dict[str, str], timeout: float) -> tuple[int, float, bytes]:
    """(status, seconds the server asks to wait, answer) of one request."""
    place = urlsplit(url)
    kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
    connection = kind(place.hostname or "", place.port, timeout=timeout)
    end = time.monotonic() + timeout
    try:
        connection.request("POST", place.path + (f"?{place.query}" if place.query else ""), body, headers)
        response = connection.getresponse()
        parts = []
        while part := response.read1(1 << 16):
            parts.append(part)
            if time.monotonic() > end:
                raise TimeoutError(f"no whole answer within {timeout:g} s")
        if response.length:
            raise http.client.IncompleteRead(b"".join(parts), response.length)
        wait = response.headers.get("Retry-After", "")
        return response.status, float(wait) if wait.isdecimal() else 0.0, b"".join(parts)
    finally:
        connection.close()
