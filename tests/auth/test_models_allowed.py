"""A key that may use some models only: every endpoint that takes a model refuses the others."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.api.batches.support import CALLER, CHAT, EMBEDDINGS, batches_in, chat
from tests.auth.support import bearer, settings_with, write_keys
from tests.support.gateway import gateway_app, in_process

from gemgate.api.batches.input_lines import InputReader

pytestmark = pytest.mark.slow

MODELS = {"models": [{"name": f"models/{name}"} for name in ("gemini-2.5-flash", "gemini-2.5-pro", "imagen-4")]}
USER = [{"role": "user", "content": "Hi"}]


def google(request: httpx.Request) -> httpx.Response:
    if request.method == "GET":
        return httpx.Response(200, json=MODELS)
    pytest.fail(f"Google was called: {request.url}")


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    path = write_keys(
        tmp_path / "keys.yaml", some={"models": ["gemini-2.5-flash*", "models/gemini-embedding-*"]}, all={}
    )
    app = gateway_app(google, **{"data_dir": tmp_path, **settings_with(path)})
    async with in_process(app) as client:
        client.headers.update(bearer("some"))
        yield client


QUESTION = {"type": "predicate", "instructions": "Is it?"}
REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"json": {"model": "gemini-2.5-pro", "messages": USER}}),
    ("/v1/chat/completions", {"json": {"model": "models/gemini-2.5-pro", "messages": USER, "stream": True}}),
    ("/v1beta/openai/chat/completions", {"json": {"model": "google/gemini-2.5-pro", "messages": USER}}),
    ("/v1/moderations", {"json": {"input": "Hi"}}),
    ("/v1/decisions", {"json": {"model": "gpt-6-luna", "input": "Hi", "questions": [QUESTION]}}),
    ("/v1/images/variations", {"files": {"image": b"\x89PNG\r\n\x1a\n"}}),
    ("/v1/completions", {"json": {"model": "gemini-2.5-pro", "prompt": "Hi"}}),
    ("/v1/embeddings", {"json": {"model": "text-embedding-004", "input": "Hi"}}),
    ("/v1/audio/speech", {"json": {"model": "gemini-3.8-flash-tts", "input": "Hi", "voice": "Kore"}}),
    ("/v1/images/generations", {"json": {"model": "imagen-4", "prompt": "Hi"}}),
    ("/v1/images/edits", {"data": {"model": "imagen-4", "prompt": "Hi"}, "files": {"image": b"\x89PNG\r\n\x1a\n"}}),
]


@pytest.mark.parametrize(("path", "request_body"), REQUESTS)
async def test_another_model_is_refused_and_the_way_out_is_told(
    client: httpx.AsyncClient, path: str, request_body: dict[str, Any]
) -> None:
    answer = await client.post(path, **request_body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (403, "model_not_found", "model")
    assert "'some' does not have access" in error["message"]
    assert "gemini-2.5-flash*, gemini-embedding-*" in error["message"]
    assert "/v1/models" in error["message"]


async def test_a_dry_run_does_not_reveal_it_either(client: httpx.AsyncClient) -> None:
    headers = {"x-gemgate-dry-run": "true"}
    path, body = REQUESTS[0]
    assert (await client.post(path, headers=headers, **body)).status_code == 403
    body["json"]["model"] = "gemini-2.5-flash"
    assert (await client.post(path, headers=headers, **body)).status_code == 200


@pytest.mark.parametrize(
    ("name", "expected"), [("some", ["gemini-2.5-flash"]), ("all", ["gemini-2.5-flash", "gemini-2.5-pro", "imagen-4"])]
)
async def test_the_list_of_models_holds_the_allowed_ones(
    client: httpx.AsyncClient, name: str, expected: list[str]
) -> None:
    listed = (await client.get("/v1/models", headers=bearer(name))).json()
    assert [model["id"] for model in listed["data"]] == expected


async def test_another_model_is_not_described(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/models/gemini-2.5-flash")).status_code == 200
    answer = await client.get("/v1/models/gemini-2.5-pro")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("url", [CHAT, EMBEDDINGS])
def test_a_line_of_a_batch_with_another_model_is_an_error_of_the_batch(url: str) -> None:
    line = b'{"custom_id":"a","method":"POST","url":"%s","body":{"model":"gemini-2.5-pro"}}\n' % url.encode()
    reader = InputReader(url, models=["gemini-2.5-flash"])
    assert reader.feed(line) == []
    (error,) = reader.wire_errors()
    assert (error["code"], error["line"], error["param"]) == ("model_not_found", 1, "body.model")
    assert InputReader(url, models=["gemini-2.5-*"]).feed(line)
    assert InputReader(url).feed(line)


async def test_a_batch_with_another_model_fails_and_says_why(tmp_path: Path) -> None:
    async with batches_in(tmp_path) as batches:
        caller = replace(CALLER, models=("gemini-2.5-pro",))
        batch = await batches.create([chat("a")], caller=caller)
        await batches.work()
        row = await batches.row(batch.id)
    assert row.status == "failed"
    assert [(error["code"], error["line"]) for error in row.errors or ()] == [("model_not_found", 1)]
    assert batches.google.calls == []
