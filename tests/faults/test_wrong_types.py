"""Native JSON that is JSON, and of other types than it should be: never an internal error, never a broken answer."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.support.gateway import gateway_app
from tests.support.google import Answer, FakeGoogle, json_for
from tests.support.natives import ANSWER, VALUE

Json = Any
AUTHORIZED = {"authorization": "Bearer key"}
EXAMPLES = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def google() -> FakeGoogle:
    return FakeGoogle()


@pytest.fixture(scope="module")
def client(google: FakeGoogle) -> Iterator[TestClient]:
    app = gateway_app(google, retries=0, breaker_failures=0, log_level="error")
    with TestClient(app, headers=AUTHORIZED) as each:
        yield each


def places(value: Json, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside `value`."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def replaced(value: Json, path: tuple[Any, ...], other: Json) -> Json:
    """`value` with `other` at `path`."""
    if not path:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], other)
    return copy


WRONG: st.SearchStrategy[Json] = (
    st.sampled_from([None, True, 0, -1, 1.5, "", "text", [], [0], ["x"], [[]], {}, {"a": 1}, [{}]]) | VALUE
)


@st.composite
def mutations(draw: st.DrawFn, natives: st.SearchStrategy[Json]) -> Json:
    """A native answer in which one or two values have become something else."""
    answer = draw(natives)
    for _ in range(draw(st.integers(1, 2))):
        answer = replaced(answer, draw(st.sampled_from(list(places(answer)))), draw(WRONG))
    return answer


def clean(answered: Any) -> Json:
    """The body; a failure must be Google's, with a code."""
    body = answered.json()
    if answered.status_code != 200:
        assert answered.status_code != 500, body
        assert set(body["error"]) >= {"message", "type", "param", "code"}
    return body


def always(value: Json) -> list[Answer]:
    """The answers of a Google that gives this value to every call, as a whole or as an event."""
    return [lambda request: json_for(request, value)]


@EXAMPLES
@given(answer=mutations(ANSWER))
def test_a_whole_answer_of_other_types_is_no_internal_error(
    client: TestClient, google: FakeGoogle, answer: Json
) -> None:
    google.answers = always(answer)
    body = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hi"}], "logprobs": True}
    clean(client.post("/v1/chat/completions", json=body))


@EXAMPLES
@given(answer=mutations(ANSWER))
def test_an_event_of_other_types_is_no_internal_error(client: TestClient, google: FakeGoogle, answer: Json) -> None:
    google.answers = always(answer)
    asked = {"model": "gemini-2.5-flash", "stream": True, "stream_options": {"include_usage": True}}
    answered = client.post(
        "/v1beta/openai/chat/completions", json={**asked, "messages": [{"role": "user", "content": "Hi"}]}
    )
    if answered.status_code != 200:
        clean(answered)
    assert "The gateway failed" not in answered.text


VECTORS = st.fixed_dictionaries(
    {"embeddings": st.just([{"values": [0.6, 0.8]}])}, optional={"usageMetadata": st.just({"promptTokenCount": 1})}
)
PICTURES = st.just({"predictions": [{"bytesBase64Encoded": "iVBORw0KGgo=", "mimeType": "image/png", "prompt": "x"}]})
MODELS = st.just(
    {
        "models": [
            {"name": "models/gemini-2.5-flash", "displayName": "x", "supportedGenerationMethods": ["generateContent"]}
        ],
        "nextPageToken": "",
    }
)
ENDPOINTS: dict[str, tuple[str, dict[str, Any] | None, st.SearchStrategy[Json]]] = {
    "embeddings": ("/v1/embeddings", {"model": "gemini-embedding-001", "input": "Hi"}, VECTORS),
    "imagen": ("/v1/images/generations", {"model": "imagen-4.0-generate-001", "prompt": "Hi"}, PICTURES),
    "images": ("/v1/images/generations", {"model": "gemini-2.5-flash-image", "prompt": "Hi"}, ANSWER),
}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@EXAMPLES
@given(data=st.data())
def test_other_endpoints_make_no_internal_error_of_it(
    client: TestClient, google: FakeGoogle, endpoint: str, data: st.DataObject
) -> None:
    path, body, natives = ENDPOINTS[endpoint]
    google.answers = always(data.draw(mutations(natives)))
    clean(client.post(path, json=body))


@EXAMPLES
@given(answer=mutations(MODELS), number=st.integers(0, 10**9))
def test_a_list_of_models_of_other_types_is_no_internal_error(
    client: TestClient, google: FakeGoogle, answer: Json, number: int
) -> None:
    google.answers = always(answer)
    clean(client.get("/v1/models", headers={"authorization": f"Bearer {number}"}))  # a list is kept for each key


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        ({"candidates": {}}, "candidates"),
        ({"candidates": [{"content": {"parts": [{"text": 5}]}}]}, "candidates[0].content.parts[0].text"),
        ({"candidates": [{"content": {"parts": "text"}}]}, "candidates[0].content.parts"),
        ({"candidates": [{"index": "0"}]}, "candidates[0].index"),
        ({"candidates": [], "usageMetadata": {"promptTokenCount": "7"}}, "usageMetadata.promptTokenCount"),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["buffered", "streamed"])
def test_a_wrong_type_is_a_502_that_names_the_place(
    client: TestClient, google: FakeGoogle, answer: Json, path: str, stream: bool
) -> None:
    google.answers = always(answer)
    body = {"model": "gemini-2.5-flash", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}
    refused = client.post("/v1/chat/completions", json=body)
    assert refused.status_code == 502
    error = refused.json()["error"]
    assert error["code"] == "invalid_body"
    assert f"'{path}' is of a wrong type" in error["message"]
