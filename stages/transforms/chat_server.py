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

At most `in_flight` requests are under way at once. One that gets no answer, or 408, 409, 425, 429 or 5xx, is made
again up to `retries` times, after twice as long each time or as long as the server asks (Retry-After). If there is
still none, or the server refuses the key or the address (401, 403, 404), the run stops: no page is at fault. What was
made until then stays (`transforms.NAME.resume_rows`), and the next run asks for the rest alone. Another refusal (400,
413, 422: too long a page, say) and an answer cut at `max_tokens` quarantine their page.

Address, key, bound, time and retries decide nothing: another server of the same model goes on where the first left off.
A server need not answer the same twice; each page is asked once, and its answer is what all later runs read.
"""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from stages.transforms.process import Unavailable

AGAIN = {408, 409, 425, 429}
WRONG_SERVER = {401, 403, 404}
MOST_WAIT = 60.0
FIRST_WAIT = 0.5
SHOWN = 200


class Refused(ValueError):
    """The server does not take a page, or its answer is none."""


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
        Unavailable: the server gives no answer, or refuses every request.
        ValueError: a setting is wrong.
    """
    if urlsplit(url).scheme not in ("http", "https") or "{text}" not in template(prompt) or in_flight < 1:
        raise ValueError("expected an http address, {text} in the prompt and in_flight of 1 or more")
    key = os.environ.get(key_variable, "") if key_variable else ""
    if key_variable and not key:
        raise Unavailable(f"the environment variable {key_variable} (key_variable) is not set")
    stop = Event()
    settings = {"model": model, "max_tokens": max_tokens, "temperature": temperature, "seed": seed, **(more or {})}

    def one(row: dict[str, Any]) -> str | Refused:
        messages = [{"role": "user", "content": filled(template(prompt), row)}]
        if system:
            messages.insert(0, {"role": "system", "content": filled(template(system), row)})
        body = json.dumps({**settings, "messages": messages}).encode()
        try:
            return content(request(f"{url.rstrip('/')}/chat/completions", body, key, timeout, retries, stop))
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
    """A prompt: the text itself, or what stands in the file of that name."""
    return Path(text).read_text(encoding="utf-8") if len(text) < 1024 and Path(text).is_file() else text


def filled(text: str, row: Mapping[str, Any]) -> str:
    """The prompt of one page; what a page holds is never looked through for fields."""
    parts = text.split("{text}")
    for name in ("title", "url", "language"):
        parts = [part.replace(f"{{{name}}}", str(row[name] or "")) for part in parts]
    return str(row["text"]).join(parts)


def content(answer: Any) -> str:
    """The text of a chat completion.

    Raises:
        Refused: it is none, or was cut at its most tokens.
    """
    try:
        choice = answer["choices"][0]
        text = choice["message"]["content"]
    except (LookupError, TypeError) as error:
        raise Refused(f"expected a chat completion, found {str(answer)[:SHOWN]}") from error
    if choice.get("finish_reason") == "length":
        raise Refused("the answer was cut at max_tokens")
    if not isinstance(text, str):
        raise Refused(f"expected text in the answer, found {type(text).__name__}")
    return text


def request(url: str, body: bytes, key: str, timeout: float, retries: int, stop: Event) -> Any:
    """The JSON that the server answers, after as many tries as it takes.

    Raises:
        Refused: the server does not take this request.
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
                    return json.loads(data)
                except ValueError as error:
                    raise Refused(f"expected JSON, found {told}") from error
            if status in WRONG_SERVER or 300 <= status < 400:
                raise Unavailable(f"{url} answers {told}")
            if status not in AGAIN and status < 500:
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
        wait = response.headers.get("Retry-After", "")
        return response.status, float(wait) if wait.isdecimal() else 0.0, b"".join(parts)
    finally:
        connection.close()
