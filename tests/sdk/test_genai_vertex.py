"""google-genai for Python with `vertexai=True` and the gateway as its base URL, for callers with client keys."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import orjson
import pytest
from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials
from tests.support.stack import Stack, stack
from tests.support.vertex_stack import PROJECT, vertex_stack

from gemgate.auth.client_keys import owner_of_key
from gemgate.emulator.content import RequestContent
from gemgate.emulator.timing import Timing

pytestmark = pytest.mark.integration

KEY = "gk-the-key-of-this-caller"
OTHER_KEY = "gk-the-key-of-another-caller"
MODEL = "gemini-3-flash-preview"
BUCKET = "gs://a-bucket/gemgate"
PLACE = f"/v1/projects/{PROJECT}/locations/global/publishers/google/models"


@pytest.fixture(scope="module")
def vertex() -> Iterator[Stack]:
    locations = {"gemini-2.5-flash": ("europe-west4", "us-central1"), "endpoints/*": ("us-central1",)}
    settings: dict[str, Any] = {"client_keys": (KEY, OTHER_KEY), "vertex_locations": locations, "vertex_bucket": BUCKET}
    with vertex_stack(timing=Timing(step_on_poll=True), **settings) as running:
        yield running


@contextmanager
def vertex_client(
    origin: str, key: str = KEY, project: str = PROJECT, location: str = "global", version: str | None = None
) -> Iterator[genai.Client]:
    """A client that takes the key for an access token, and the gateway for Vertex AI."""
    options = types.HttpOptions(base_url=origin, timeout=120_000, api_version=version)
    credentials: Any = Credentials(token=key)
    with genai.Client(
        vertexai=True, project=project, location=location, credentials=credentials, http_options=options
    ) as client:
        yield client


@pytest.fixture(params=["v1beta1", "v1"])
def client(request: pytest.FixtureRequest, vertex: Stack) -> Iterator[genai.Client]:
    with vertex_client(vertex.gateway, version=request.param) as made:
        yield made


def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def test_the_quick_start(client: genai.Client, vertex: Stack) -> None:
    answer = client.models.generate_content(
        model=MODEL, contents="Hello there", config=types.GenerateContentConfig(labels={"team": "a"})
    )
    assert "Hello there" in (answer.text or "")
    assert answer.create_time is not None
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.traffic_type == types.TrafficType.ON_DEMAND
    asked = vertex.seen.requests[-1]
    assert asked.path == f"{PLACE}/{MODEL}:generateContent"
    assert asked.body["labels"] == {"team": "a"}


def test_a_stream(client: genai.Client) -> None:
    pieces = [chunk.text or "" for chunk in client.models.generate_content_stream(model=MODEL, contents="Hello there")]
    whole = client.models.generate_content(model=MODEL, contents="Hello there")
    assert len(pieces) > 1
    assert "".join(pieces) == whole.text


def test_a_chat_that_calls_a_function(client: genai.Client) -> None:
    config = types.GenerateContentConfig(tools=[get_weather])
    chat = client.chats.create(model=MODEL, config=config)
    assert "sunny in Paris" in (chat.send_message("What is the weather in Paris?").text or "")
    assert "turns so far" in (chat.send_message("Thank you").text or "")


def test_tokens_are_counted_with_the_system_instruction(client: genai.Client) -> None:
    plain = client.models.count_tokens(model=MODEL, contents="Hello there").total_tokens
    config = types.CountTokensConfig(system_instruction="Be brief.")
    more = client.models.count_tokens(model=MODEL, contents="Hello there", config=config).total_tokens
    assert plain is not None
    assert more is not None
    assert more > plain


@pytest.mark.parametrize(
    ("model", "count"), [("gemini-embedding-001", 1), ("gemini-embedding-001", 2), ("gemini-embedding-2", 1)]
)
def test_embeddings_by_the_method_of_the_models_family(client: genai.Client, model: str, count: int) -> None:
    texts: Any = ["one", "two"][:count]
    config = types.EmbedContentConfig(output_dimensionality=256)
    answer = client.models.embed_content(model=model, contents=texts, config=config)
    assert [len(each.values or ()) for each in answer.embeddings or ()] == [256] * count


def test_an_error_is_vertexs(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError, match=r"Publisher Model `\*\*\*/locations/global") as refused:
        client.models.generate_content(model="gemini-9-nonsense", contents="Hello")
    assert refused.value.code == 404


def test_express_mode_with_a_client_key(vertex: Stack) -> None:
    options = types.HttpOptions(base_url=vertex.gateway, timeout=120_000)
    with genai.Client(vertexai=True, api_key=KEY, http_options=options) as client:
        answer = client.models.generate_content(model=MODEL, contents="Hello there")
    assert "Hello there" in (answer.text or "")
    assert vertex.seen.requests[-1].path == f"{PLACE}/{MODEL}:generateContent"


@pytest.mark.parametrize("location", ["europe-west4", "us-central1"])
def test_a_location_in_the_path_is_where_the_answer_comes_from(vertex: Stack, location: str) -> None:
    with vertex_client(vertex.gateway, location=location) as client:
        for _ in range(3):
            client.models.generate_content(model="gemini-2.5-flash", contents="Hello there")
            assert f"/locations/{location}/" in vertex.seen.requests[-1].path


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/v1/projects/another/locations/global/publishers/google/models/{MODEL}", 403, "PROJECT_NOT_ALLOWED"),
        (f"/v1/projects/{PROJECT}/locations/europe-west4/publishers/google/models/{MODEL}", 400, "LOCATION_NOT_SERVED"),
        (f"/v1/projects/{PROJECT}/locations/global/publishers/google/models/..%2Fx", 404, "UNKNOWN_METHOD"),
        (f"/v1/projects/{PROJECT}%2F..%2Fother/locations/global/publishers/google/models/{MODEL}", 404, ""),
        (f"/v1/projects/{PROJECT}/locations/evil.example%23/publishers/google/models/{MODEL}", 404, "UNKNOWN_METHOD"),
        (f"/v1/projects/{PROJECT}/locations/global/publishers/anthropic/models/claude", 404, ""),
        (f"/v1/projects/{PROJECT}/locations/global/endpoints/1234", 400, "LOCATION_NOT_SERVED"),
        ("/v1/projects/another/locations/us-central1/endpoints/1234", 403, "PROJECT_NOT_ALLOWED"),
        ("/v1/projects/123456/locations/us-central1/endpoints/1234", 403, "PROJECT_NOT_ALLOWED"),
        (f"/v1/projects/{PROJECT}/locations/us-central1/endpoints/a%2F..%2Fb", 404, "UNKNOWN_METHOD"),
        (f"/v1/projects/{PROJECT}/locations/us-central1/cachedContents/1", 404, "UNKNOWN_METHOD"),
    ],
)
def test_no_name_in_a_path_leads_elsewhere(vertex: Stack, path: str, status: int, code: str) -> None:
    seen = len(vertex.seen.requests)
    body = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
    answered = httpx.post(
        f"{vertex.gateway}{path}:generateContent", json=body, headers={"authorization": f"Bearer {KEY}"}, timeout=60
    )
    assert answered.status_code == status, answered.text
    assert code in answered.text
    assert len(vertex.seen.requests) == seen


@pytest.mark.parametrize("credential", ["", "Bearer ya29.a-token-of-googles", "Bearer gk-nobodys"])
def test_who_has_no_client_key_is_refused_in_googles_shape(vertex: Stack, credential: str) -> None:
    seen = len(vertex.seen.requests)
    body = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
    headers = {"authorization": credential} if credential else {}
    answered = httpx.post(f"{vertex.gateway}{PLACE}/{MODEL}:generateContent", json=body, headers=headers, timeout=60)
    assert (answered.status_code, answered.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert len(vertex.seen.requests) == seen


def test_a_cache_in_a_body_is_nobodys(vertex: Stack) -> None:
    with vertex_client(vertex.gateway) as client:
        config = types.GenerateContentConfig(cached_content=f"projects/{PROJECT}/locations/global/cachedContents/1")
        with pytest.raises(errors.ClientError, match="cachedContents/1") as refused:
            client.models.generate_content(model=MODEL, contents="Hello", config=config)
    assert refused.value.code == 404


def long_cache(client: genai.Client, model: str = MODEL) -> types.CachedContent:
    text = "The sky over Berlin is blue. " * 300
    return client.caches.create(model=model, config=types.CreateCachedContentConfig(contents=text, ttl="600s"))


def test_a_cache_is_made_used_changed_listed_and_deleted(client: genai.Client, vertex: Stack) -> None:
    cache = long_cache(client)
    name = cache.name or ""
    assert re.fullmatch(r"projects/\d+/locations/global/cachedContents/\d+", name)
    assert (cache.model or "").endswith(f"/locations/global/publishers/google/models/{MODEL}")
    assert client.caches.get(name=name).name == name
    config = types.GenerateContentConfig(cached_content=name)
    answer = client.models.generate_content(model=MODEL, contents="What colour?", config=config)
    assert answer.usage_metadata is not None
    assert (answer.usage_metadata.cached_content_token_count or 0) > 1000
    whole = name.replace(name.split("/")[1], PROJECT)
    assert vertex.seen.requests[-1].body["cachedContent"] == whole
    changed = client.caches.update(name=name, config=types.UpdateCachedContentConfig(ttl="6000s"))
    assert changed.expire_time is not None
    assert cache.expire_time is not None
    assert changed.expire_time > cache.expire_time
    assert name in [each.name for each in client.caches.list()]
    client.caches.delete(name=name)
    with pytest.raises(errors.ClientError) as gone:
        client.caches.get(name=name)
    assert gone.value.code == 404


def test_a_cache_is_its_callers_alone(vertex: Stack) -> None:
    with vertex_client(vertex.gateway) as client, vertex_client(vertex.gateway, OTHER_KEY) as other:
        name = long_cache(client).name or ""
        seen = len(vertex.seen.requests)
        config = types.GenerateContentConfig(cached_content=name)
        foreign: list[Callable[[], object]] = [
            lambda: other.caches.get(name=name),
            lambda: other.caches.update(name=name, config=types.UpdateCachedContentConfig(ttl="1s")),
            lambda: other.caches.delete(name=name),
            lambda: other.models.generate_content(model=MODEL, contents="What?", config=config),
        ]
        for ask in foreign:
            with pytest.raises(errors.ClientError) as refused:
                ask()
            assert refused.value.code == 404
        assert len(vertex.seen.requests) == seen
        assert list(other.caches.list()) == []
        assert name in [each.name for each in client.caches.list()]


def test_a_cache_is_made_where_the_path_says_and_named_in_openais_api_too(vertex: Stack) -> None:
    with vertex_client(vertex.gateway, location="us-central1") as client:
        name = long_cache(client, "gemini-2.5-flash").name or ""
    assert "/locations/us-central1/" in name
    messages = [{"role": "user", "content": "What colour is the sky?"}]
    for cached in (name, name[name.index("cachedContents/") :]):
        body = {"model": "gemini-2.5-flash", "messages": messages, "cached_content": cached}
        for key, status in ((KEY, 200), (OTHER_KEY, 404)):
            headers = {"authorization": f"Bearer {key}"}
            answer = httpx.post(f"{vertex.gateway}/v1/chat/completions", json=body, headers=headers, timeout=60)
            assert answer.status_code == status, answer.text
        assert "/locations/us-central1/" in vertex.seen.requests[-1].path
        with vertex_client(vertex.gateway, location="europe-west4") as client:
            config = types.GenerateContentConfig(cached_content=cached)
            with pytest.raises(errors.ClientError):
                client.models.generate_content(model="gemini-2.5-flash", contents="What?", config=config)


@pytest.mark.parametrize("cached", ["projects/another/locations/global/cachedContents/{}", "cachedContents/{}", "{}"])
def test_a_cache_is_looked_for_in_the_gateways_project_alone(vertex: Stack, cached: str) -> None:
    with vertex_client(vertex.gateway) as client:
        number = (long_cache(client).name or "").rpartition("/")[2]
        body = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}], "cachedContent": cached.format(number)}
        headers = {"authorization": f"Bearer {KEY}"}
        answer = httpx.post(f"{vertex.gateway}{PLACE}/{MODEL}:generateContent", json=body, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    sent = vertex.seen.requests[-1].body["cachedContent"]
    assert sent == f"projects/{PROJECT}/locations/global/cachedContents/{number}"


def placed(vertex: Stack, name: str, key: str = KEY) -> str:
    """The address of an object with two requests, which the caller has put into its folder."""
    uri = f"{BUCKET}/callers/{owner_of_key(key)}/{name}.jsonl"
    contents = [[{"role": "user", "parts": [{"text": text}]}] for text in ("Hello there", "[[emulator: 400]]")]
    lines = b"\n".join(orjson.dumps({"request": {"contents": each}}) for each in contents)
    vertex.seen.objects[uri.removeprefix("gs://")] = RequestContent(lines), vertex.seen.now()
    return uri


def test_a_batch_is_created_polled_listed_and_deleted(client: genai.Client, vertex: Stack) -> None:
    source = placed(vertex, "in")
    job = client.batches.create(model=MODEL, src=source, config={"display_name": "mine"})
    name = job.name or ""
    assert re.fullmatch(r"projects/\d+/locations/global/batchPredictionJobs/\d+", name)
    asked = vertex.seen.requests[-1]
    assert asked.path == f"/v1/projects/{PROJECT}/locations/global/batchPredictionJobs"
    (copy,) = asked.body["inputConfig"]["gcsSource"]["uris"]
    assert re.fullmatch(rf"{BUCKET}/native/[0-9a-f]{{32}}/0.jsonl", copy)
    assert asked.body["model"] == f"publishers/google/models/{MODEL}"
    for _ in range(4):
        job = client.batches.get(name=name)
    assert job.state == types.JobState.JOB_STATE_SUCCEEDED
    assert job.dest is not None
    assert (job.dest.gcs_uri or "").startswith(source.removesuffix(".jsonl"))
    written = [
        kept for place, (kept, _) in vertex.seen.objects.items() if f"gs://{place}".startswith(job.dest.gcs_uri or "")
    ]
    results = {line["status"] == "": line for line in map(orjson.loads, written[-1].lines())}
    assert "Hello there" in results[True]["response"]["candidates"][0]["content"]["parts"][0]["text"]
    assert "Bad Request" in results[False]["status"]
    assert name in [each.name for each in client.batches.list(config={"page_size": 1})]
    client.batches.delete(name=name)
    with pytest.raises(errors.ClientError) as gone:
        client.batches.get(name=name)
    assert gone.value.code == 404


def test_a_batch_of_embeddings_with_a_destination_of_its_own_is_cancelled(client: genai.Client, vertex: Stack) -> None:
    source = placed(vertex, "texts")
    destination = f"{source.removesuffix('texts.jsonl')}results"
    job = client.batches.create(model="gemini-embedding-2", src=source, config={"dest": destination})
    assert vertex.seen.requests[-1].body["outputConfig"]["gcsDestination"] == {"outputUriPrefix": destination}
    client.batches.cancel(name=job.name or "")
    assert client.batches.get(name=job.name or "").state == types.JobState.JOB_STATE_CANCELLED


def test_a_batch_is_its_callers_alone(vertex: Stack) -> None:
    with vertex_client(vertex.gateway) as client, vertex_client(vertex.gateway, OTHER_KEY) as other:
        name = client.batches.create(model=MODEL, src=placed(vertex, "in")).name or ""
        theirs = other.batches.create(model=MODEL, src=placed(vertex, "in", OTHER_KEY)).name
        seen = len(vertex.seen.requests)
        foreign: list[Callable[[], object]] = [
            lambda: other.batches.get(name=name),
            lambda: other.batches.get(name=name.rpartition("/")[2]),
            lambda: other.batches.cancel(name=name),
            lambda: other.batches.delete(name=name),
        ]
        for ask in foreign:
            with pytest.raises(errors.ClientError) as refused:
                ask()
            assert refused.value.code == 404
        for place in ({"src": placed(vertex, "in")}, {"src": placed(vertex, "in", OTHER_KEY), "dest": f"{BUCKET}/out"}):
            with pytest.raises(
                errors.ClientError, match=f"{BUCKET}/callers/{owner_of_key(OTHER_KEY)}/ alone"
            ) as refused:
                other.batches.create(model=MODEL, src=place["src"], config={"dest": place.get("dest")})
            assert refused.value.code == 400
        assert len(vertex.seen.requests) == seen
        assert [each.name for each in other.batches.list()] == [theirs]
        assert name in [each.name for each in client.batches.list()]


def test_a_tuned_model_at_an_endpoint(vertex: Stack) -> None:
    name = f"projects/{PROJECT}/locations/us-central1/endpoints/1234"
    with vertex_client(vertex.gateway, location="us-central1") as client:
        whole = client.models.generate_content(model=name, contents="Hello there")
        chunks = [
            chunk.text or "" for chunk in client.models.generate_content_stream(model=name, contents="Hello there")
        ]
        counted = client.models.count_tokens(model=name, contents="Hello there").total_tokens
    assert "Hello there" in (whole.text or "")
    assert "".join(chunks) == whole.text
    assert (counted or 0) > 0
    assert vertex.seen.requests[-1].path == f"/v1/{name}:countTokens"


def test_tokens_are_computed(client: genai.Client) -> None:
    (found,) = client.models.compute_tokens(model=MODEL, contents="Hello there").tokens_info or [types.TokensInfo()]
    assert found.tokens == [b"Hello", b"there"]
    assert len(found.token_ids or ()) == 2


def test_models_are_listed_and_looked_at(client: genai.Client) -> None:
    names = [model.name for model in client.models.list(config={"page_size": 5})]
    assert f"publishers/google/models/{MODEL}" in names
    assert client.models.get(model=MODEL).name == f"publishers/google/models/{MODEL}"


def test_the_gateways_project_in_an_answer_stays_readable(vertex: Stack) -> None:
    with vertex_client(vertex.gateway) as client:
        answer = client.models.generate_content(model=MODEL, contents=f"Say {PROJECT}/global")
    assert f"{PROJECT}/global" in (answer.text or "")


def test_a_gateway_before_the_developer_api_says_so() -> None:
    with (
        stack() as running,
        vertex_client(running.gateway) as client,
        pytest.raises(errors.ClientError, match="asks the Developer API, and not Vertex AI") as refused,
    ):
        client.models.generate_content(model=MODEL, contents="Hello")
    assert refused.value.code == 404
