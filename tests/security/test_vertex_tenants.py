"""Callers who share the gateway's credentials for Vertex AI: what one of them names must be its own, or public."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.api.native.support import CLIENT_KEY, OTHER_CLIENT_KEY
from tests.security.tenants import ALICE
from tests.support.stack import Stack
from tests.support.vertex_stack import PROJECT, vertex_stack

pytestmark = pytest.mark.integration

MODEL = "publishers/google/models/gemini-2.5-flash"
NATIVE = [
    f"/v1/projects/{PROJECT}/locations/global/{MODEL}:generateContent",
    f"/v1beta1/{MODEL}:generateContent",
    "/v1beta/models/gemini-2.5-flash:generateContent",
]
OTHERS = f"projects/{PROJECT}/locations/global/cachedContents/1"


@pytest.fixture(scope="module")
def servers() -> Iterator[Stack]:
    with vertex_stack(client_keys=f"{CLIENT_KEY},{OTHER_CLIENT_KEY}") as running:
        yield running


def body(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": "Hello"}, *parts]}], **more}


@pytest.mark.parametrize("path", NATIVE)
@pytest.mark.parametrize(
    "asked",
    [
        body({"fileData": {"fileUri": "gs://the-operators/x.pdf", "mimeType": "application/pdf"}}),
        body({"file_data": {"file_uri": "gs://the-operators/x.pdf", "mime_type": "application/pdf"}}),
        body(cachedContent=OTHERS),
        body(cached_content=OTHERS),
    ],
    ids=["gs", "gs in the other spelling", "cache", "cache in the other spelling"],
)
def test_a_native_body_names_nothing_of_the_operators(servers: Stack, path: str, asked: dict[str, Any]) -> None:
    before = len(servers.seen.requests)
    assert httpx.post(servers.gateway + path, json=asked, headers=ALICE).status_code == 404
    assert len(servers.seen.requests) == before


@pytest.mark.parametrize(
    "part",
    [
        {"type": "file", "file": {"file_id": "gs://the-operators/x.pdf"}},
        {"type": "image_url", "image_url": {"url": "gs://the-operators/x.png"}},
    ],
    ids=["file", "image"],
)
def test_a_message_names_nothing_of_the_operators(servers: Stack, part: dict[str, Any]) -> None:
    asked = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": [part]}]}
    before = len(servers.seen.requests)
    answer = httpx.post(f"{servers.gateway}/v1/chat/completions", json=asked, headers=ALICE)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_your_resource")
    assert len(servers.seen.requests) == before


def test_what_is_public_is_answered(servers: Stack) -> None:
    for path in NATIVE:
        assert httpx.post(servers.gateway + path, json=body(), headers=ALICE).status_code == 200
