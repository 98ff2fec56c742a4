"""@google/genai with the gateway as its base URL; one run of `genai.mjs` for each version of the API."""

from pathlib import Path
from typing import Any

import pytest
from tests.sdk.node_project import run
from tests.support.stack import KEY, Stack

MODEL = "models/gemini-2.5-flash"
BYTES = 16 * 640 * 1024


@pytest.fixture(scope="module", params=["v1", "v1beta"])
def seen(request: pytest.FixtureRequest, project: Path, servers: Stack) -> Any:
    (found,) = run(project, "genai.mjs", servers.gateway, KEY, request.param, servers.emulator)
    return found


def test_answers_streams_and_function_calls(seen: Any) -> None:
    assert "Hello there" in seen["answer"]
    assert len(seen["streamed"]) > 1
    assert "".join(seen["streamed"]) == seen["answer"]
    assert seen["chat"]["call"]["args"] == {"city": "Paris"}
    assert "clear over Paris" in seen["chat"]["text"]


def test_tokens_embeddings_and_models(seen: Any) -> None:
    assert (seen["tokens"], seen["embeddings"], seen["model"]) == (3, 2, MODEL)
    assert MODEL in seen["models"]


def test_a_file_is_uploaded_in_chunks_looked_at_listed_and_deleted(seen: Any) -> None:
    files = seen["files"]
    assert files["file"]["sizeBytes"] == files["got"]["sizeBytes"] == str(BYTES)
    assert files["file"]["displayName"] == "large.txt"
    assert files["file"]["name"] in files["listed"]
    assert files["gone"]["status"] == 403


def test_a_cache_is_made_used_changed_listed_and_deleted(seen: Any) -> None:
    caches = seen["caches"]
    assert caches["cached"] > 1000
    assert caches["changed"]["expireTime"] > caches["cache"]["expireTime"]
    assert caches["cache"]["name"] in caches["listed"]
    assert caches["gone"]["status"] == 403


def test_batches_inline_and_in_a_file(seen: Any) -> None:
    batches = seen["batches"]
    assert (batches["state"], batches["texts"]) == ("JOB_STATE_SUCCEEDED", 1)
    assert '"one"' in batches["results"]


def test_googles_refusal_is_the_clients_error(seen: Any) -> None:
    assert (seen["refused"]["name"], seen["refused"]["status"]) == ("ApiError", 429)
    assert "RESOURCE_EXHAUSTED" in seen["refused"]["message"]
