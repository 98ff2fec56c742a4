"""What users of other gateways report of Vertex AI, each as a test of the whole way, over sockets."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import orjson
import pytest
from tests.support.stack import Stack
from tests.support.vertex import vertex_gateway
from tests.support.vertex_stack import vertex_stack

from gemgate.gemini.vertex import token_refresh
from gemgate.translation.thought_signatures import NO_SIGNATURE

pytestmark = pytest.mark.integration

MODEL = "gemini-3-flash-preview"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string"}},
            "required": ["location"],
        },
    },
}


@pytest.fixture(scope="module")
def vertex() -> Iterator[Stack]:
    with vertex_stack() as running:
        yield running


@pytest.fixture(scope="module")
def http(vertex: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=vertex.gateway, timeout=60) as client:
        yield client


def asks(text: str, **fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **fields}


def chat(http: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    answered = http.post("/v1/chat/completions", json=body)
    assert answered.status_code == 200, answered.text
    found: dict[str, Any] = answered.json()
    return found


@pytest.mark.parametrize(
    ("chosen", "host"),
    [
        ({}, "aiplatform.googleapis.com"),
        ({"google_cloud_location": "global"}, "aiplatform.googleapis.com"),
        ({"google_cloud_location": "us"}, "aiplatform.us.rep.googleapis.com"),
        ({"google_cloud_location": "eu"}, "aiplatform.eu.rep.googleapis.com"),
        ({"google_cloud_location": "europe-west4"}, "europe-west4-aiplatform.googleapis.com"),
        ({"google_cloud_project": None, "vertex_api_key": "AQ.a-key"}, "aiplatform.googleapis.com"),
    ],
)
async def test_each_location_is_asked_at_its_own_host_and_global_is_the_one_unasked(
    chosen: dict[str, Any], host: str
) -> None:
    """LiteLLM #17409, vercel/ai #6811 and #6644, gemini-cli #19055, CLIProxyAPI #1395, n8n #16807, aichat #1353."""
    asked: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        candidate = {"content": {"role": "model", "parts": [{"text": "Hello"}]}, "finishReason": "STOP"}
        return httpx.Response(200, json={"candidates": [candidate]})

    async with vertex_gateway(answer, **chosen) as client:
        assert (await client.post("/v1/chat/completions", json=asks("Hello"))).status_code == 200
    (url,) = (url for url in asked if url.path.endswith(":generateContent"))
    assert (url.scheme, url.host) == ("https", host)
    location = chosen.get("google_cloud_location", "global")
    assert ("/projects/" in url.path) is ("vertex_api_key" not in chosen)
    assert "vertex_api_key" in chosen or f"/locations/{location}/" in url.path


def test_a_page_of_html_from_a_wrong_host_is_an_error_in_json(vertex: Stack, http: httpx.Client) -> None:
    """LiteLLM #17409, oh-my-pi #1270: a client saw HTML, or an error of its JSON parser."""
    answered = http.post(
        "/v1/chat/completions", json=asks("[[emulator: html-502]]"), headers={"x-should-retry": "false"}
    )
    assert answered.status_code >= 400
    assert "<" not in answered.json()["error"]["message"]


def test_many_requests_need_one_token(vertex: Stack, http: httpx.Client) -> None:
    """ogx #4928, grok-cli PR #286: a token was fetched for each request."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: chat(http, asks(f"Hello {number}")), range(16)))
    assert len(found) == 16
    assert vertex.seen.tokens.asked["token"] == 1


def test_tokens_that_ended_are_replaced_and_no_caller_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """livekit PR #1084, LiteLLM PR #13092: an hour later every request was a 401 until a restart."""
    monkeypatch.setattr(token_refresh, "JUST_FETCHED_SECONDS", 0.0)  # as if the token had been there for longer
    with vertex_stack() as stack, httpx.Client(base_url=stack.gateway, timeout=60) as http:
        chat(http, asks("Hello"))
        tokens = stack.seen.tokens
        tokens.revoke()
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda number: chat(http, asks(f"Again {number}")), range(8)))
        assert (len(found), tokens.asked["token"]) == (8, 2)


def test_a_service_accounts_key_may_be_in_a_setting() -> None:
    """LiteLLM PR #15888: credentials as JSON, where no file can be mounted."""
    with vertex_stack(by_setting=True) as stack, httpx.Client(base_url=stack.gateway, timeout=60) as http:
        assert "Hello" in chat(http, asks("Hello"))["choices"][0]["message"]["content"]


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_tool_loop_goes_round_without_ids_and_with_its_signature(
    vertex: Stack, http: httpx.Client, *, is_streamed: bool
) -> None:
    """vercel/ai #15891, LiteLLM PR #28324, req_llm PR #414 (`Unknown name "id"`); dify #30729 (signatures).

    higress PR #3456: Vertex AI's calls have no id, and clients fail on `Expected 'id' to be a string`.
    """
    body = asks("What is the weather in Paris and in Rome, in parallel?", tools=[WEATHER])
    message = _streamed(http, body) if is_streamed else chat(http, body)["choices"][0]["message"]
    calls = message["tool_calls"]
    ids = [call["id"] for call in calls]
    assert len(set(ids)) == len(ids) == 2
    assert all(isinstance(one, str) and one for one in ids)
    results = [{"role": "tool", "tool_call_id": one, "content": "21 degrees"} for one in ids]
    body["messages"] += [message, *results]
    answer = chat(http, body)["choices"][0]
    assert answer["finish_reason"] == "stop"
    sent = orjson.dumps(vertex.seen.requests[-1].body).decode()
    assert "thoughtSignature" in sent
    assert NO_SIGNATURE not in sent
    assert '"id"' not in sent


def _streamed(http: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    """The message that a stream says, as a client puts it together."""
    answered = http.post("/v1/chat/completions", json={**body, "stream": True})
    calls: dict[int, dict[str, Any]] = {}
    for line in answered.text.splitlines():
        if not line.startswith("data: {"):
            continue
        for choice in orjson.loads(line.removeprefix("data: "))["choices"]:
            for piece in choice["delta"].get("tool_calls") or ():
                call = calls.setdefault(piece["index"], {**piece, "function": {"name": "", "arguments": ""}})
                for name in ("name", "arguments"):
                    call["function"][name] += piece["function"].get(name) or ""
    return {"role": "assistant", "content": None, "tool_calls": list(calls.values())}


@pytest.mark.parametrize("signature", [None, "context_engineering_is_the_way_to_go"])
def test_a_call_without_a_signature_gets_the_one_placeholder_that_vertex_takes(
    vertex: Stack, http: httpx.Client, signature: str | None
) -> None:
    """pydantic-ai #3881, hebo-gateway #171: `function call … is missing a thought_signature`, or it is not valid."""
    call: dict[str, Any] = {
        "id": "call_of_another_model",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"location": "Paris"}'},
    }
    if signature:
        call["extra_content"] = {"google": {"thought_signature": signature}}
    body = asks("The weather?", tools=[WEATHER])
    body["messages"] += [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "21 degrees"},
    ]
    assert chat(http, body)["choices"][0]["finish_reason"] == "stop"
    assert NO_SIGNATURE in orjson.dumps(vertex.seen.requests[-1].body).decode()


def test_googles_tools_go_with_functions(vertex: Stack, http: httpx.Client) -> None:
    """vercel/ai #14655: `Unknown name "includeServerSideToolInvocations" at 'tool_config'`."""
    body = asks("Who won the cup?", tools=[WEATHER, {"type": "web_search"}])
    assert chat(http, body)["choices"][0]["message"]["role"] == "assistant"
    assert "includeServerSideToolInvocations" not in orjson.dumps(vertex.seen.requests[-1].body).decode()
