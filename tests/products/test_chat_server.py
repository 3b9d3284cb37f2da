"""A transform that asks a server: bounded, repeated where it helps, taken up where it was left, never asked twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.engine.scheduler import TasksFailed
from pipeline.recipe.snapshot import load
from pipeline.store.storage import Store
from stages.transforms import chat_server, process
from stages.transforms.chat_server import ask
from stages.transforms.process import Limits, Unavailable, applied
from tests.products.test_transforms import rows_of
from tests.support.chat_server import Answer, ChatServer, completion
from tests.support.corpora import write_corpus, write_mixture
from tests.support.runs import made, run_inline

LIMITS = Limits(60, 100, 1 << 20)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(chat_server, "FIRST_WAIT", 0.01)
    yield
    process.close()


def pages(*texts: str) -> pa.RecordBatch:
    count = len(texts)
    others = {"title": ["A {text} title"] * count, "url": [None] * count, "language": ["en"] * count}
    columns = {"text": list(texts), **others}
    return pa.record_batch({name: pa.array(values, pa.large_string()) for name, values in columns.items()})


def asked(server: ChatServer, *texts: str, **params: Any) -> Any:
    given = {"url": server.url, "model": "m", "prompt": "Rewrite {text}", **params}
    return applied(ask, pages(*texts), given, LIMITS)


def test_each_page_is_one_request_within_the_bound_and_its_answer_one_text_or_several(tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("{title} ({language}, {url}): {text}")
    texts = [f"page {n} {{title}}" for n in range(40)]
    with ChatServer(lambda text, _: completion(f"one {text} == two == ")) as server:
        found = asked(
            server, *texts, prompt=str(tmp_path / "prompt.txt"), system="Be {language}.", separator="==", in_flight=5,
            max_tokens=7, more={"top_p": 0.5},
        )  # fmt: skip
    assert found == [[f"one A {{text}} title (en, ): {text}".encode(), b"two", b""] for text in texts]
    assert 1 < server.most <= 5
    assert len(server.asked) == 40
    [first] = [entry for entry in server.asked if entry["messages"][1]["content"].endswith(" page 0 {title}")]
    assert first["messages"][0] == {"role": "system", "content": "Be en."}
    assert {key: first[key] for key in ("path", "model", "max_tokens", "temperature", "seed", "top_p")} == {
        "path": "/v1/chat/completions", "model": "m", "max_tokens": 7, "temperature": 0.0, "seed": 0, "top_p": 0.5,
    }  # fmt: skip


def test_what_may_be_answered_later_is_asked_again_and_refusals_are_their_page_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MILL_KEY", "secret")

    def answer(text: str, before: int) -> Answer:
        match text.split()[-1]:
            case "busy":
                return (429, {"Retry-After": "0"}, b"later") if before < 2 else completion("at last")
            case "broken":
                return (503, {}, b"") if before < 3 else completion("mended")
            case "long":
                return 400, {}, b'{"error": "context length exceeded"}'
            case "cut":
                return completion("half of", "length")
            case "odd":
                return (200, {}, b"<html>") if before < 2 else completion("proxy is back")
            case "part":
                return (200, {}, completion("of")[2][:30]) if before < 2 else completion("whole")
            case "nested":
                return (200, {}, b"[" * 100_000) if before < 2 else completion("flat")
            case "overloaded":
                return (200, {}, b'{"error": {"message": "overloaded"}}') if before < 2 else completion("free")
            case "aborted":
                return completion("half", "abort") if before < 2 else completion("and half")
            case "failed":
                return completion("half", "error") if before < 2 else completion("the rest")
            case "room":
                return completion("half", "insufficient_system_resource") if before < 2 else completion("all")
            case "gateway":
                return (200, {}, b'{"error": {"code": 502, "message": "no"}}') if before < 2 else completion("again")
            case "refused":
                return 200, {}, b'{"error": {"code": 400, "message": "too long"}}'
            case "latin":
                return 200, {}, completion("caf")[2].replace(b"caf", b"caf\xe9")
            case "raw":
                return 200, {}, completion("a\tb")[2].replace(b"\\t", b"\t")
            case "most":
                return completion("half of", "model_length")
            case "filtered":
                return completion("half of", "content_filter")
            case "empty":
                return 200, {}, b'{"choices": []}'
            case "null":
                return completion(None)
        return completion("fine")

    with ChatServer(answer) as server:
        later = ["busy", "broken", "odd", "part", "nested", "overloaded", "aborted", "failed", "room", "gateway"]
        never = ["long", "cut", "filtered", "null", "refused", "most", "empty", "latin"]
        found = asked(server, *later, *never, "raw", "good", key_variable="MILL_KEY")
    answers = [b"at last", b"mended", b"proxy is back", b"whole", b"flat", b"free", b"and half"]
    answers += [b"the rest", b"all", b"again"]
    assert found == [*([text] for text in answers), *["raised_an_error"] * 8, [b"a\tb"], [b"fine"]]
    counts = [
        sum(entry["messages"][-1]["content"] == f"Rewrite {name}" for entry in server.asked) for name in later + never
    ]
    assert counts == [3, 4, 3, 3, 3, 3, 3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 5, 5]
    assert {headers["Authorization"] for headers in server.headers} == {"Bearer secret"}


@pytest.mark.parametrize("place", ["status", "body"])
@pytest.mark.parametrize("status", [401, 402, 404, 405, 302, 500])
def test_a_server_that_answers_nobody_is_no_page_s_fault(status: int, place: str) -> None:
    body = f'{{"error": {{"code": {status}, "message": "no"}}}}'.encode()
    if place == "body" and status == 302:
        return
    with ChatServer(lambda *_: (status, {}, b"no") if place == "status" else (200, {}, body)) as server:
        found = asked(server, *map(str, range(50)), in_flight=4, retries=2)
    assert isinstance(found, Unavailable)
    assert str(status) in str(found)
    assert len(server.asked) <= 4 * 3, "the others are not asked any more"


def test_settings_that_cannot_be_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MILL_KEY", raising=False)
    for params in ({"prompt": "no field"}, {"url": "ftp://x"}, {"in_flight": 0}):
        with pytest.raises(Unavailable, match="expected an http address"):
            ask(pages("a"), **{"url": "http://x", "model": "m", "prompt": "{text}", **params})
    for missing in ("missing.txt", "/a folder/missing.txt", "prompts/system", "/prompts/system", "指令/系统.txt"):
        with pytest.raises(Unavailable, match=f"found {missing}: there is no such file"):
            ask(pages("a"), url="http://x", model="m", prompt="{text}", system=missing)
    with pytest.raises(Unavailable, match="MILL_KEY"):
        ask(pages("a"), url="http://x", model="m", prompt="{text}", key_variable="MILL_KEY")


@pytest.mark.parametrize(
    "system",
    [
        "/no_think",
        "/think",
        "请将文本翻译成英文/中文。",
        "Antworte/nicht!",
        "https://x.example/a?b",
        "Say it in {language}/plain.",
    ],
)
def test_a_short_prompt_with_a_slash_is_no_missing_file(system: str) -> None:
    with ChatServer(lambda *_: completion("fine")) as server:
        assert asked(server, "a", system=system) == [[b"fine"]]
    assert server.asked[0]["messages"][0]["content"] == system.replace("{language}", "en")


@pytest.mark.parametrize("body", [b"<html>maintenance</html>", completion("cut")[2][:-3], b""])
def test_answers_that_are_no_json_are_no_page_s_fault(body: bytes) -> None:
    with ChatServer(lambda *_: (200, {}, body)) as server:
        found = asked(server, "a", "b", retries=1)
    assert isinstance(found, Unavailable)
    assert f"no JSON: 200: {body.decode()}" in str(found)


def test_an_answer_that_ends_before_its_size_is_asked_for_again() -> None:
    tries: list[int] = []

    def answer(text: str, before: int) -> Answer:
        tries.append(before)
        status, headers, data = completion("whole")
        size = str(len(data) + 5 * (before < 2))
        return status, {**headers, "Content-Length": size, "Connection": "close"}, data

    with ChatServer(answer) as server:
        assert asked(server, "a", in_flight=1) == [[b"whole"]]
    assert tries == [0, 1, 2]


def test_a_long_prompt_is_text_and_a_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = "Rewrite the page in plain words. " * 20 + "{text}"
    for key, sent in (("secret\n", "Bearer secret"), (" secret ", "Bearer secret")):
        monkeypatch.setenv("MILL_KEY", key)
        with ChatServer(lambda *_: completion("fine")) as server:
            assert asked(server, "a", prompt=prompt, key_variable="MILL_KEY") == [[b"fine"]]
        assert [headers["Authorization"] for headers in server.headers] == [sent]
        assert server.asked[0]["messages"][0]["content"] == prompt.replace("{text}", "a")
    for key in ("sec\nret", "sécret", "\x7f"):
        monkeypatch.setenv("MILL_KEY", key)
        with pytest.raises(Unavailable) as error:
            ask(pages("a"), url="http://x", model="m", prompt="{text}", key_variable="MILL_KEY")
        assert str(error.value) == "the environment variable MILL_KEY (key_variable) holds what is no key"


def test_a_run_goes_on_where_the_server_left_it_and_then_asks_nothing_more(tmp_path: Path) -> None:
    write_corpus(tmp_path / "in", files=1)
    up = [True]

    def answer(text: str, before: int) -> Answer:
        up[0] = up[0] and len(server.asked) <= 40
        return completion(f"In other words: {text[:200]}") if up[0] or len(server.asked) > 60 else (500, {}, b"down")

    with ChatServer(answer) as server:
        path = write_mixture(tmp_path / "small.yaml", tmp_path / "in")
        params = f'{{url: "{server.url}", model: m, prompt: "Say in other words: {{text}}", in_flight: 4, retries: 1}}'
        entry = (
            f"transforms:\n  new:\n    function: stages.transforms.chat_server:ask\n    params: {params}\n"
            "    inputs: {sources: [web], min: {text_bytes: 2000}}\n    batch: 8\n    resume_rows: 8\n"
        )
        path.write_text(path.read_text() + entry)
        with pytest.raises(TasksFailed, match="gave no answer to 2 requests"):
            run_inline(path, tmp_path / "root")
        before = len(server.asked)
        while len(server.asked) <= 60:
            server.asked.append(server.asked[0])  # time goes by, and the server is mended
        run_inline(path, tmp_path / "root")
        rows = [row for row in rows_of(load(Store(str(tmp_path / "root"))), "documents") if row.get("derived_from")]
        assert len(rows) > 80
        answered = len(rows) + 8 + 4 * 2  # a piece that was not whole, and requests that had no answer
        assert before + len(server.asked) - 61 <= answered, "what was answered in a whole piece is not asked again"
        count = len(server.asked)
        assert made(run_inline(path, tmp_path / "root")) == {}
        path.write_text(
            path.read_text().replace(server.url, "http://127.0.0.1:9/v1").replace("in_flight: 4", "in_flight: 2")
        )
        assert made(run_inline(path, tmp_path / "root")) == {}, "where the model is served decides nothing"
        assert len(server.asked) == count
