"""google-genai for Python with the gateway as its base URL: nothing else is changed."""

import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors, types
from tests.sdk.genai import MODEL, genai_client
from tests.support.stack import KEY, WRONG_KEY, Stack

MIB = 1024 * 1024
VERSIONS = ["", "v1beta", "v1alpha"]
"""The client's own default, which is v1 by now, and the two that an application may ask for."""


@pytest.fixture(params=VERSIONS, ids=lambda version: version or "default")
def client(request: pytest.FixtureRequest, servers: Stack) -> Iterator[genai.Client]:
    with genai_client(servers.gateway, version=request.param) as made:
        yield made


@pytest.fixture
def beta(servers: Stack) -> Iterator[genai.Client]:
    with genai_client(servers.gateway, version="v1beta") as made:
        yield made


def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def test_the_quick_start(client: genai.Client) -> None:
    answer = client.models.generate_content(model=MODEL, contents="Hello there")
    assert "Hello there" in (answer.text or "")
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.prompt_token_count


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


def test_structured_output(client: genai.Client) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    config = types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=schema)
    assert isinstance(client.models.generate_content(model=MODEL, contents="Jane", config=config).parsed, dict)


def test_tokens_are_counted(client: genai.Client) -> None:
    assert client.models.count_tokens(model=MODEL, contents="Hello there").total_tokens == 3


def test_embeddings(client: genai.Client) -> None:
    texts: Any = ["one", "two"]
    answer = client.models.embed_content(model="gemini-embedding-001", contents=texts)
    assert [len(each.values or ()) for each in answer.embeddings or ()] == [3072, 3072]


def test_models_are_listed_and_described(client: genai.Client) -> None:
    names = [model.name for model in client.models.list(config={"page_size": 5})]
    assert f"models/{MODEL}" in names
    assert len(names) > 5
    assert client.models.get(model=MODEL).name == f"models/{MODEL}"


def test_a_file_of_several_chunks_is_uploaded_used_listed_and_deleted(client: genai.Client, servers: Stack) -> None:
    content = b"0123456789abcdef" * MIB
    config = types.UploadFileConfig(mime_type="text/plain", display_name="large.txt")
    file = client.files.upload(file=io.BytesIO(content + b"end"), config=config)
    assert (file.size_bytes, file.display_name, file.state) == (len(content) + 3, "large.txt", "ACTIVE")
    assert file.name is not None
    assert client.files.get(name=file.name).uri == file.uri
    assert file.name in [each.name for each in client.files.list(config={"page_size": 1})]
    asked: Any = ["Summarize", types.Part.from_uri(file_uri=str(file.uri), mime_type="text/plain")]
    assert client.models.generate_content(model=MODEL, contents=asked).text
    client.files.delete(name=file.name)
    with pytest.raises(errors.ClientError, match="403"):
        client.files.get(name=file.name)


def test_what_was_uploaded_cannot_be_downloaded_in_googles_words(client: genai.Client) -> None:
    config = types.UploadFileConfig(mime_type="text/plain")
    file = client.files.upload(file=io.BytesIO(b"hello"), config=config)
    with pytest.raises(errors.ClientError, match="Only generated files can be downloaded"):
        client.files.download(file=str(file.name))


def test_a_cache_is_made_used_changed_listed_and_deleted(beta: genai.Client) -> None:
    config = types.CreateCachedContentConfig(contents="A long text. " * 1000, ttl="600s", display_name="text")
    cache = beta.caches.create(model=MODEL, config=config)
    assert cache.name is not None
    asked = types.GenerateContentConfig(cached_content=cache.name)
    usage = beta.models.generate_content(model=MODEL, contents="Summarize", config=asked).usage_metadata
    assert usage is not None
    assert usage.cached_content_token_count
    assert cache.expire_time is not None
    changed = beta.caches.update(name=cache.name, config={"ttl": "7200s"})
    assert changed.expire_time is not None
    assert changed.expire_time > cache.expire_time
    assert beta.caches.get(name=cache.name).display_name == "text"
    assert cache.name in [each.name for each in beta.caches.list()]
    beta.caches.delete(name=cache.name)
    with pytest.raises(errors.ClientError, match="CachedContent not found"):
        beta.caches.get(name=cache.name)


def _finished(client: genai.Client, servers: Stack, job: types.BatchJob) -> types.BatchJob:
    servers.seen.advance(60)
    return client.batches.get(name=str(job.name))


def test_a_batch_with_its_requests_inline(client: genai.Client, servers: Stack) -> None:
    request: Any = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
    job = client.batches.create(model=MODEL, src=[request, request], config={"display_name": "inline"})
    assert job.name in [each.name for each in client.batches.list()]
    done = _finished(client, servers, job)
    assert done.state == types.JobState.JOB_STATE_SUCCEEDED
    assert done.dest is not None
    texts = [each.response.text for each in done.dest.inlined_responses or () if each.response]
    assert len(texts) == 2
    client.batches.delete(name=str(job.name))


def test_a_batch_in_a_file_whose_results_are_downloaded(client: genai.Client, servers: Stack) -> None:
    line = b'{"key": "one", "request": {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}}\n'
    config = types.UploadFileConfig(mime_type="jsonl", display_name="in.jsonl")
    file = client.files.upload(file=io.BytesIO(line), config=config)
    job = client.batches.create(model=MODEL, src=str(file.name), config={"display_name": "file"})
    done = _finished(client, servers, job)
    assert done.dest is not None
    assert b'"one"' in client.files.download(file=str(done.dest.file_name))


def test_a_batch_is_cancelled(client: genai.Client, servers: Stack) -> None:
    request: Any = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
    job = client.batches.create(model=MODEL, src=[request], config={"display_name": "cancelled"})
    client.batches.cancel(name=str(job.name))
    assert _finished(client, servers, job).state == types.JobState.JOB_STATE_CANCELLED


def test_a_wrong_key_is_googles_error(servers: Stack) -> None:
    refused = pytest.raises(errors.ClientError, match="API key not valid")
    with genai_client(servers.gateway, key=WRONG_KEY) as client, refused as caught:
        client.models.generate_content(model=MODEL, contents="Hello")
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")


def test_googles_refusal_reaches_the_client(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model=MODEL, contents="Hello [[emulator: 429 7]]")
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")


@pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")  # both of them are the client's own
@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_the_asynchronous_client(servers: Stack) -> None:
    with genai_client(servers.gateway) as client:
        async with client.aio as calling:
            stream = await calling.models.generate_content_stream(model=MODEL, contents="Hello there")
            pieces = [chunk.text or "" async for chunk in stream]
            config = types.UploadFileConfig(mime_type="text/plain")
            file = await calling.files.upload(file=io.BytesIO(b"x" * 9 * MIB), config=config)
            await calling.files.delete(name=str(file.name))
    assert len(pieces) > 1
    assert file.size_bytes == 9 * MIB


def test_an_operation_is_waited_for_and_its_video_downloaded(beta: genai.Client, servers: Stack) -> None:
    # The client begins no video of this API any more; it still looks at operations.
    body = {"instances": [{"prompt": "A calm ocean"}]}
    path = "/v1beta/models/veo-3.1-generate-preview:predictLongRunning"
    begun = httpx.post(servers.gateway + path, json=body, headers={"x-goog-api-key": KEY}).json()
    operation = beta.operations.get(types.GenerateVideosOperation.model_validate(begun))
    assert not operation.done
    servers.seen.advance(60)
    done = beta.operations.get(operation)
    assert done.response is not None
    (made,) = done.response.generated_videos or [types.GeneratedVideo()]
    assert made.video is not None
    assert beta.files.download(file=made.video)[4:8] == b"ftyp"
