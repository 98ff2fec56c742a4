"""@google/genai with `vertexai: true` and the gateway as its base URL; a run of `genai-vertex.mjs` for each version."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.sdk.node_project import run
from tests.support.stack import Stack
from tests.support.vertex_stack import PROJECT, vertex_stack

from gemgate.auth.client_keys import owner_of_key
from gemgate.emulator.content import RequestContent
from gemgate.emulator.timing import Timing

pytestmark = pytest.mark.integration

KEY = "gk-the-key-of-this-caller"
LOCATION = "us-central1"
ELSEWHERE = {"gemini-embedding-2": ("global",)}
BUCKET = "gs://a-bucket/gemgate"
FOLDER = f"{BUCKET}/callers/{owner_of_key(KEY)}"
MODEL = "publishers/google/models/gemini-2.5-flash"


@pytest.fixture(scope="module")
def vertex() -> Iterator[Stack]:
    settings: dict[str, Any] = {
        "google_cloud_location": LOCATION,
        "vertex_locations": ELSEWHERE,
        "vertex_bucket": BUCKET,
    }
    with vertex_stack(client_keys=(KEY,), timing=Timing(step_on_poll=True), **settings) as running:
        line = orjson.dumps({"request": {"contents": [{"role": "user", "parts": [{"text": "Hello there"}]}]}})
        place = f"{FOLDER}/in.jsonl".removeprefix("gs://")
        running.seen.objects[place] = RequestContent(line), running.seen.now()
        yield running


@pytest.fixture(scope="module", params=["v1", "v1beta1"])
def seen(request: pytest.FixtureRequest, project: Path, vertex: Stack) -> Any:
    (found,) = run(project, "genai-vertex.mjs", vertex.gateway, KEY, request.param, PROJECT, LOCATION, FOLDER)
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


def test_a_batch_is_created_polled_listed_cancelled_and_deleted(seen: Any, vertex: Stack) -> None:
    batches = seen["batches"]
    assert batches["states"][-1] == "JOB_STATE_SUCCEEDED"
    assert batches["cancelled"] == "JOB_STATE_CANCELLED"
    assert {batches["job"]["name"], batches["other"]} <= set(batches["listed"])
    assert batches["gone"]["status"] == 404
    assert batches["elsewhere"]["status"] == 400
    assert f"below {FOLDER}/ alone" in batches["elsewhere"]["message"]
    results = [
        kept.read() for place, (kept, _) in vertex.seen.objects.items() if f"gs://{place}".startswith(f"{FOLDER}/out")
    ]
    assert b"Hello there" in results[0]


def test_googles_refusal_is_the_clients_error(seen: Any) -> None:
    assert (seen["refused"]["name"], seen["refused"]["status"]) == ("ApiError", 404)
    assert "Publisher Model" in seen["refused"]["message"]


def test_all_of_it_went_to_vertex_ai_with_the_gateways_credentials(seen: Any, vertex: Stack) -> None:
    assert seen["answer"]
    asked = [request for request in vertex.seen.requests if not request.path.startswith(("/token", "/storage/"))]
    assert {"x-goog-api-key" in request.headers for request in asked} == {False}
    below = f"/v1/projects/{PROJECT}/locations"
    assert {request.path for request in asked if not request.path.startswith(f"{below}/{LOCATION}/")} == {
        "/v1beta1/publishers/google/models",
        f"{below}/global/publishers/google/models/gemini-embedding-2:embedContent",
    }
