"""Paths with doubled slashes, prefixes and doubled parts, and HEAD: on a real server, as proxies and people ask."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.support.gateway import gateway_app, in_process, settings_of
from tests.support.google import FakeGoogle
from tests.support.server import serve

pytestmark = pytest.mark.integration

HELLO = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]}
CHAT = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hi"}]}
HEADERS = {"authorization": "Bearer caller-key"}
MODEL: dict[str, Any] = {"name": "models/gemini-2.5-flash", "supportedGenerationMethods": ["generateContent"]}


def answer(request: httpx.Request) -> Any:
    if request.url.path.endswith("/models"):
        return httpx.Response(200, json={"models": [MODEL]})
    if request.url.path.endswith("/models/gemini-2.5-flash"):
        return httpx.Response(200, json=MODEL)
    return HELLO


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    settings = settings_of()
    with serve(gateway_app(FakeGoogle(answer)), settings) as served:
        yield served


@pytest.mark.parametrize(
    "path", ["//v1/chat/completions", "/v1//chat/completions", "/v1/chat/completions/", "///v1///chat///completions//"]
)
def test_doubled_slashes_are_merged_and_one_at_the_end_is_dropped(origin: str, path: str) -> None:
    served = httpx.post(f"{origin}{path}", json=CHAT, headers=HEADERS)
    assert served.status_code == 200
    assert served.json()["choices"][0]["message"]["content"] == "Hi"


@pytest.mark.parametrize("path", ["/v1/models/", "/v1/files/", "/healthz/", "//v1beta/models/", "/v1beta//models"])
def test_lists_with_slashes_are_answered(origin: str, path: str) -> None:
    assert httpx.get(f"{origin}{path}", headers=HEADERS).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "meant"),
    [
        ("POST", "/v1/v1/chat/completions", "/v1/chat/completions"),
        ("POST", "/v1/chat/completions/chat/completions", "/v1/chat/completions"),
        ("POST", "/chat/completions", "/v1/chat/completions"),
        ("POST", "/api/v1/embeddings", "/v1/embeddings"),
        ("POST", "/v1beta/openai/v1/chat/completions", "/v1/chat/completions"),
        ("POST", "/v1/v1beta/openai/chat/completions", "/v1beta/openai/chat/completions"),
        ("GET", "/models", "/v1/models"),
        ("GET", "/v1/v1/files/file-1/content", "/v1/files/file-1/content"),
        (
            "POST",
            "/v1beta/v1beta/models/gemini-2.5-flash:generateContent",
            "/v1beta/models/gemini-2.5-flash:generateContent",
        ),
        ("POST", "/models/gemini-2.5-flash:generateContent", "/v1beta/models/gemini-2.5-flash:generateContent"),
    ],
)
def test_a_path_with_a_part_too_many_or_too_few_is_a_404_that_names_the_one_meant(
    origin: str, method: str, path: str, meant: str
) -> None:
    refused = httpx.request(method, f"{origin}{path}", json={}, headers=HEADERS)
    assert refused.status_code == 404
    assert f"Did you mean {meant}?" in refused.json()["error"]["message"]


def test_a_path_of_nothing_names_none(origin: str) -> None:
    refused = httpx.get(f"{origin}/wp-login.php", headers=HEADERS)
    assert refused.status_code == 404
    assert "Did you mean" not in refused.text


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/v1/models",
        "/v1/models/gemini-2.5-flash",
        "/v1/files",
        "/v1/batches",
        "/v1beta/models",
        "/v1beta/models/gemini-2.5-flash",
        "/v1/files/file-none",
        "/v1/files/file-none/content",
    ],
)
def test_head_is_answered_as_get_is_without_the_body(origin: str, path: str) -> None:
    with httpx.Client() as client:
        got = client.get(f"{origin}{path}", headers=HEADERS)
        head = client.head(f"{origin}{path}", headers=HEADERS)
        assert head.status_code == got.status_code
        assert head.content == b""
        assert head.headers["content-type"] == got.headers["content-type"]
        assert client.get(f"{origin}/healthz").json() == {"status": "ok"}, "the connection is whole"


def test_head_of_a_file_says_its_size(origin: str) -> None:
    made = httpx.post(
        f"{origin}/v1/files", files={"file": ("a.txt", b"x" * 300_000)}, data={"purpose": "user_data"}, headers=HEADERS
    )
    head = httpx.head(f"{origin}/v1/files/{made.json()['id']}/content", headers=HEADERS)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "300000", b"")


def test_head_of_what_is_only_posted_to_is_a_405(origin: str) -> None:
    assert httpx.head(f"{origin}/v1/chat/completions", headers=HEADERS).status_code == 405


@pytest.mark.parametrize(
    "path", ["/gemini/v1/chat/completions", "/v1/chat/completions", "//gemini//v1/chat/completions"]
)
async def test_a_gateway_below_a_prefix_is_reached_with_it_and_without(path: str) -> None:
    async with in_process(gateway_app(FakeGoogle(answer), root_path="/gemini/")) as client:
        assert (await client.post(f"http://gateway{path}", json=CHAT)).status_code == 200


async def test_upload_addresses_below_a_prefix_hold_it() -> None:
    upload = httpx.Response(
        200, headers={"x-goog-upload-url": "https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=1"}
    )
    headers = {
        "x-goog-upload-protocol": "resumable",
        "x-goog-upload-command": "start",
        "x-goog-upload-header-content-length": "1",
    }
    async with in_process(gateway_app(FakeGoogle(upload), root_path="/gemini")) as client:
        begun = await client.post("/gemini/upload/v1beta/files", headers=headers, json={"file": {}})
    assert begun.headers["x-goog-upload-url"].startswith("http://gateway/gemini/upload/v1beta/files?")
