"""@google/genai with `vertexai: true` and the gateway as its base URL; a run of `genai-vertex.mjs` for each version."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.sdk.node_project import run
from tests.support.stack import Stack
from tests.support.vertex_stack import PROJECT, vertex_stack

pytestmark = pytest.mark.integration

KEY = "gk-the-key-of-this-caller"
LOCATION = "us-central1"
ELSEWHERE = {"gemini-embedding-2": ("global",)}
MODEL = "publishers/google/models/gemini-2.5-flash"


@pytest.fixture(scope="module")
def vertex() -> Iterator[Stack]:
    with vertex_stack(client_keys=(KEY,), google_cloud_location=LOCATION, vertex_locations=ELSEWHERE) as running:
        yield running


@pytest.fixture(scope="module", params=["v1", "v1beta1"])
def seen(request: pytest.FixtureRequest, project: Path, vertex: Stack) -> Any:
    (found,) = run(project, "genai-vertex.mjs", vertex.gateway, KEY, request.param, PROJECT, LOCATION)
    return found


def test_answers_streams_and_function_calls(seen: Any) -> None:
    assert "Hello there" in seen["answer"]
    for streamed, answer in ((seen["streamed"], seen["answer"]), (seen["expressStreamed"], seen["express"])):
        assert len(streamed) > 1
        assert "".join(streamed) == answer
    assert seen["chat"]["call"]["args"] == {"city": "Paris"}
    assert "clear over Paris" in seen["chat"]["text"]
    assert "Hello there" in seen["tuned"]


def test_tokens_embeddings_and_models(seen: Any) -> None:
    assert (seen["tokens"], seen["computed"]) == (3, 2)
    assert (seen["embeddings"], seen["embedding2"]) == ([3072, 3072], [3072])
    assert MODEL in seen["models"]


def test_a_cache_is_made_used_changed_listed_and_deleted(seen: Any) -> None:
    caches = seen["caches"]
    assert caches["cache"]["name"] == caches["got"]
    assert caches["cached"] > 1000
    assert caches["changed"]["expireTime"] > caches["cache"]["expireTime"]
    assert caches["cache"]["name"] in caches["listed"]
    assert caches["gone"]["status"] == 404


def test_googles_refusal_is_the_clients_error(seen: Any) -> None:
    assert (seen["refused"]["name"], seen["refused"]["status"]) == ("ApiError", 404)
    assert "Publisher Model" in seen["refused"]["message"]


def test_all_of_it_went_to_vertex_ai_with_the_gateways_credentials(seen: Any, vertex: Stack) -> None:
    assert seen["answer"]
    asked = [request for request in vertex.seen.requests if request.path != "/token"]
    assert {"x-goog-api-key" in request.headers for request in asked} == {False}
    below = f"/v1/projects/{PROJECT}/locations"
    assert {request.path for request in asked if not request.path.startswith(f"{below}/{LOCATION}/")} == {
        "/v1beta1/publishers/google/models",
        f"{below}/global/publishers/google/models/gemini-embedding-2:embedContent",
    }
