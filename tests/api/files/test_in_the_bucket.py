"""Files and large media in requests to Vertex AI: objects in the operator's bucket, named by `gs://`."""

import base64
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from tests.api.files.test_in_requests import MODEL, PDF, PNG, ask, refusal
from tests.support.stack import Stack
from tests.support.vertex_stack import vertex_stack

pytestmark = pytest.mark.integration

ALICE, BOB = "sk-alice-0123456789", "sk-bob-0123456789"
BUCKET = "gs://a-bucket/gemgate"


@pytest.fixture(scope="module")
def servers() -> Iterator[Stack]:
    settings: dict[str, Any] = {"client_keys": f"{ALICE},{BOB}", "large_media": "upload", "inline_max_bytes": 20_000}
    with vertex_stack(vertex_bucket=BUCKET, **settings) as running:
        yield running


def client_of(servers: Stack, key: str) -> openai.OpenAI:
    return openai.OpenAI(api_key=key, base_url=servers.base(), max_retries=0, timeout=60)


def sent(servers: Stack) -> list[dict[str, Any]]:
    """The `fileData` of the last request for an answer."""
    body = next(seen.body for seen in reversed(servers.seen.requests) if "enerateContent" in seen.path)
    return [part["fileData"] for content in body["contents"] for part in content["parts"] if "fileData" in part]


def content(servers: Stack, uri: str) -> bytes:
    return servers.seen.objects[uri.removeprefix("gs://")][0].read()


def test_a_named_file_is_an_object_of_its_callers_own_that_is_written_once(servers: Stack) -> None:
    seen = []
    for key in (ALICE, BOB):
        with client_of(servers, key) as client:
            file = client.files.create(file=("terms.pdf", PDF), purpose="user_data")
            for _ in range(2):
                answer = client.chat.completions.create(model=MODEL, messages=ask(file.id))
                assert "PDF" in str(answer.choices[0].message.content)
                seen += sent(servers)
    assert [item["mimeType"] for item in seen] == ["application/pdf"] * 4
    uris = [item["fileUri"] for item in seen]
    assert uris[0] == uris[1] != uris[2] == uris[3]
    assert all(uri.startswith(f"{BUCKET}/media/") and content(servers, uri) == PDF for uri in uris)


def test_media_that_is_too_large_for_a_request_goes_by_the_bucket(servers: Stack) -> None:
    large = PNG + bytes(30_000)
    url = f"data:image/png;base64,{base64.b64encode(large).decode()}"
    part: Any = {"type": "image_url", "image_url": {"url": url}}
    with client_of(servers, ALICE) as client:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": [part]}])
    (found,) = sent(servers)
    assert found["mimeType"] == "image/png"
    assert content(servers, found["fileUri"]) == large


def test_a_caller_cannot_name_an_object_of_the_bucket(servers: Stack) -> None:
    with client_of(servers, ALICE) as alice, client_of(servers, BOB) as bob:
        file = alice.files.create(file=("terms.pdf", PDF), purpose="user_data")
        alice.chat.completions.create(model=MODEL, messages=ask(file.id))
        (found,) = sent(servers)
        part: Any = {"type": "image_url", "image_url": {"url": found["fileUri"]}}
        status, _, _ = refusal(
            lambda: bob.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": [part]}])
        )
        assert status == 404
        status, _, code = refusal(lambda: bob.chat.completions.create(model=MODEL, messages=ask(file.id)))
        assert (status, code) == (400, "file_not_found")
