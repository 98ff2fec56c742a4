"""The official clients' `embeddings`: a thousand inputs in one call, both encodings, reduced sizes, failures."""

import base64
import hashlib
import math
from array import array
from collections.abc import Iterable, Iterator
from operator import mul
from pathlib import Path
from typing import Any

import openai
import orjson
import pytest
from openai import AsyncOpenAI, OpenAI
from tests.sdk.conftest import MakeClient
from tests.sdk.node_project import run
from tests.support.stack import GOOGLE, KEY, OPENAI, WRONG_KEY, Stack

from gemgate.upstream.client import Upstream

V1 = "gemini-embedding-001"
V2 = "gemini-embedding-2"
MODELS = pytest.mark.parametrize("model", [V1, V2])
BOTH = pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])
MANY = [f"Sentence {number} of a thousand is about topic {number * 7 % 13}." for number in range(1000)]
SIZE = 3072
EDGES = (0, 1, 99, 100, 101, 199, 200, 499, 500, 899, 900, 999)
"""Places of inputs: the first and last of calls to Google, which take a hundred each."""


@pytest.fixture(autouse=True, scope="module")
def _time_to_count() -> Iterator[None]:
    """Tokens are counted however busy the machine is; after two seconds they would be estimated."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gemgate.api.embeddings.routes.SIDE_CALL_SECONDS", 60)
        patch.setitem(Upstream.request_aside.__kwdefaults__ or {}, "seconds", 60)
        yield


@pytest.fixture(scope="module")
def vectors(make_client: MakeClient) -> list[list[float]]:
    """Those of `MANY`, of one call that asks for nothing but them."""
    answer = make_client().embeddings.create(model=V1, input=MANY)
    assert [item.index for item in answer.data] == list(range(len(MANY)))
    return [item.embedding for item in answer.data]


@pytest.fixture(scope="module")
def node(project: Path, servers: Stack) -> Any:
    """What `embeddings.mjs` saw."""
    (seen,) = run(project, "embeddings.mjs", servers.base(), KEY, V1, given=orjson.dumps(MANY))
    return seen


def packed(vectors: Iterable[list[float]]) -> bytes:
    """The numbers of all vectors as float32."""
    return b"".join(array("f", vector).tobytes() for vector in vectors)


def is_unit(vector: list[float], size: int) -> None:
    assert len(vector) == size
    assert math.hypot(*vector) == pytest.approx(1, abs=1e-6)


def test_a_thousand_inputs_are_a_thousand_vectors(vectors: list[list[float]]) -> None:
    assert len({packed([vector]) for vector in vectors}) == len(MANY)
    for vector in vectors:
        is_unit(vector, SIZE)


def test_vectors_stand_in_the_order_of_the_inputs(client: OpenAI, vectors: list[list[float]]) -> None:
    for place in EDGES:
        (alone,) = client.embeddings.create(model=V1, input=MANY[place]).data
        assert alone.embedding == vectors[place]


def test_a_thousand_inputs_are_ten_calls_to_google(servers: Stack, client: OpenAI) -> None:
    before = len(servers.seen.requests)
    client.embeddings.create(model=V2, input=MANY, dimensions=128)
    calls = [seen for seen in list(servers.seen.requests)[before:] if seen.path.endswith(":batchEmbedContents")]
    sent = [request["content"]["parts"][0]["text"] for call in calls for request in call.body["requests"]]
    assert [len(call.body["requests"]) for call in calls] == [100] * 10
    assert sorted(sent) == sorted(MANY)


def test_both_encodings_hold_the_same_float32_numbers(client: OpenAI, vectors: list[list[float]]) -> None:
    # By way of the raw answer: the client would take seconds to check three million numbers one by one.
    raw = client.embeddings.with_raw_response.create(model=V1, input=MANY, encoding_format="float")
    data = orjson.loads(raw.content)["data"]
    assert [item["index"] for item in data] == list(range(len(MANY)))
    assert packed(item["embedding"] for item in data) == packed(vectors)


@pytest.mark.parametrize("way", ["plain", "base64", "float"])
def test_node_decodes_the_numbers_that_python_decodes(node: Any, vectors: list[list[float]], way: str) -> None:
    digest = hashlib.sha256(packed(vectors)).hexdigest()
    assert node[way] == {"count": len(MANY), "inOrder": True, "sha256": digest}


def test_node_and_python_see_the_same_usage(node: Any, client: OpenAI) -> None:
    usage = client.embeddings.create(model=V1, input=MANY, dimensions=128).usage
    assert usage.to_dict() == node["usage"]
    assert usage.total_tokens == usage.prompt_tokens > len(MANY)


@BOTH
@MODELS
@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_768_dimensions_have_length_one(make_client: MakeClient, prefix: str, model: str, encoding: Any) -> None:
    options: Any = {"encoding_format": encoding} if encoding else {}
    answer = make_client(prefix).embeddings.create(model=model, input=["one", "two"], dimensions=768, **options)
    for item in answer.data:
        if encoding == "base64":
            item.embedding = array("f", _decoded(item.embedding)).tolist()
        is_unit(item.embedding, 768)
    assert answer.model == model


def test_768_dimensions_have_length_one_in_node(node: Any, client: OpenAI) -> None:
    is_unit(node["reduced"], 768)
    (item,) = client.embeddings.create(model=V1, input="A text", dimensions=768).data
    assert item.embedding == node["reduced"]


@BOTH
async def test_the_asynchronous_client_agrees(servers: Stack, client: OpenAI, prefix: str) -> None:
    async with AsyncOpenAI(api_key=KEY, base_url=servers.base(prefix), max_retries=0) as calling:
        answer = await calling.embeddings.create(model=V1, input=["one", "two"])
    assert answer.data == client.embeddings.create(model=V1, input=["one", "two"]).data


def test_similar_texts_are_nearer_than_different_ones(client: OpenAI) -> None:
    texts = ["The cat sat on the mat.", "A cat sits on the mat.", "Quarterly revenue rose by nine percent."]
    cat, other_cat, revenue = (item.embedding for item in client.embeddings.create(model=V1, input=texts).data)
    assert sum(map(mul, cat, other_cat)) > sum(map(mul, cat, revenue))


@MODELS
def test_task_type_and_title_are_taken_or_dropped_visibly(client: OpenAI, model: str) -> None:
    google = {"task_type": "RETRIEVAL_DOCUMENT", "title": "A title"}
    raw = client.embeddings.with_raw_response.create(
        model=model, input="A text", extra_body={"extra_body": {"google": google}}
    )
    dropped = raw.headers.get("x-gemgate-dropped-params", "")
    is_unit(raw.parse().data[0].embedding, SIZE)
    assert ("task_type" in dropped, "title" in dropped) == ((model == V2), (model == V2))


@BOTH
def test_tokens_are_refused_with_the_name_of_the_switch(make_client: MakeClient, prefix: str) -> None:
    with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False") as caught:
        make_client(prefix).embeddings.create(model=V1, input=[[1, 2, 3]])
    assert (caught.value.param, caught.value.code) == ("input[0]", "unsupported_value")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"input": ["A text", ""]}, "input[1]"),
        ({"input": []}, "input"),
        ({"input": ["A text"] * 2049}, "input"),
        ({"dimensions": 0}, "dimensions"),
        ({"encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_a_bad_request_names_the_parameter(client: OpenAI, change: dict[str, Any], param: str) -> None:
    asked: Any = {"model": V1, "input": "A text"} | change
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(**asked)
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"


@BOTH
def test_an_unknown_model_is_not_found(make_client: MakeClient, prefix: str) -> None:
    with pytest.raises(openai.NotFoundError, match="gemini-0-none") as caught:
        make_client(prefix).embeddings.create(model="gemini-0-none", input="A text")
    assert caught.value.code == "model_not_found"


@BOTH
def test_a_wrong_key_is_an_authentication_error(make_client: MakeClient, prefix: str) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        make_client(prefix, key=WRONG_KEY).embeddings.create(model=V1, input="A text")
    assert caught.value.code == "invalid_api_key"


def test_one_failing_call_of_several_fails_them_all(client: OpenAI) -> None:
    texts = [*MANY[:250], "Hello [[emulator: 429 7]]", *MANY[250:300]]
    with pytest.raises(openai.RateLimitError) as caught:
        client.embeddings.create(model=V1, input=texts)
    assert caught.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("failure", "name", "param"),
    [
        ("tokens", "BadRequestError", "input[0]"),
        ("empty", "BadRequestError", "input[1]"),
        ("quota", "RateLimitError", None),
    ],
)
def test_node_throws_what_an_application_catches(node: Any, failure: str, name: str, param: str | None) -> None:
    error = node["errors"][failure]
    assert (error["name"], error["param"]) == (name, param)
    assert error["retryAfter"] == ("7" if failure == "quota" else None)


def _decoded(embedding: Any) -> bytes:
    """The bytes of a vector that the client was asked to leave in base64."""
    return base64.b64decode(embedding, validate=True)
