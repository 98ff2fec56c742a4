"""`POST /v1/responses` as callers meet it: whole and streamed answers, failures, dry runs, other models, the log."""

import asyncio
from typing import Any

import httpx
import pytest
from tests.support.answers import native
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle, daily, failure, overloaded, quota, sse
from tests.support.responses import FLASH_25, WEATHER, kinds, read_events

PATH = "/v1/responses"
HI = {"model": FLASH_25, "input": "Hi", "store": False}
USAGE = {"promptTokenCount": 2, "candidatesTokenCount": 1, "totalTokenCount": 3}
ANSWER = native({"text": "Hello"}, finishReason="STOP") | {"usageMetadata": USAGE}
CUT = sse(native({"text": "Hel"}))


async def post(google: FakeGoogle, body: Any = HI, path: str = PATH, **settings: Any) -> httpx.Response:
    async with in_process(gateway_app(google, retries=0, **settings)) as client:
        return await client.post(path, json=body)


async def streamed(google: FakeGoogle, **settings: Any) -> list[Any]:
    answer = await post(google, {**HI, "stream": True}, **settings)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    return read_events(answer.content)


@pytest.mark.parametrize("prefix", ["/v1", "/v1beta/openai", "/v1beta"])
async def test_a_whole_response_is_one_exchange(prefix: str) -> None:
    google = FakeGoogle(ANSWER)
    answer = await post(google, path=f"{prefix}/responses")
    assert google.calls == [
        (
            f"models/{FLASH_25}:generateContent",
            {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], "store": False},
        )
    ]
    response = answer.json()
    assert response["output"][0]["content"][0]["text"] == "Hello"
    assert response["model"] == FLASH_25
    assert answer.headers["x-gemgate-model"] == FLASH_25
    assert "x-gemgate-adjusted" not in answer.headers


async def test_a_stream_ends_with_the_whole_response_and_done() -> None:
    events = await streamed(FakeGoogle(ANSWER))
    assert kinds(events)[0] == "created"
    assert events[-1]["type"] == "response.completed"
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "Hello"


async def test_two_responses_have_two_ids() -> None:
    google = FakeGoogle(ANSWER)
    ids = {(await post(google)).json()["id"] for _ in range(2)}
    assert len(ids) == 2


async def test_a_failure_midway_is_an_error_and_then_a_failed_response_with_what_came() -> None:
    events = await streamed(FakeGoogle(CUT))
    assert kinds(events)[-2:] == ["error", "failed"]
    error, failed = events[-2], events[-1]["response"]
    assert error["code"] == error["error"]["code"] == "server_error"
    assert error["message"] == error["error"]["message"]
    assert error["error"]["type"] == "server_error"
    assert failed["status"] == "failed"
    assert failed["error"]["code"] == "server_error"
    assert failed["usage"] is None
    (message,) = failed["output"]
    assert (message["status"], message["content"][0]["text"]) == ("incomplete", "Hel")


async def test_a_failure_before_the_first_event_is_a_status() -> None:
    answer = await post(FakeGoogle(overloaded()), {**HI, "stream": True})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "server_overloaded"


async def test_a_blocked_prompt_is_a_400_in_a_stream_as_well() -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}}
    for stream in (False, True):
        answer = await post(FakeGoogle(blocked), {**HI, "stream": stream})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_prompt")


async def test_a_failure_in_a_stream_says_when_to_come_again_in_the_words_that_clients_read() -> None:
    from gemgate.api.responses.events import failed_error
    from gemgate.gemini.errors import GeminiError
    from gemgate.translation.google_errors import error_from_gemini

    async def error_of(answer: httpx.Response) -> dict[str, Any]:
        refused = await post(FakeGoogle(answer))
        body = refused.json()["error"]
        from gemgate.errors import ApiError

        return failed_error(
            ApiError(429, body["message"], type=body["type"], code=body["code"], headers=dict(refused.headers))
        )

    limited = await error_of(quota("2.5s"))
    assert limited["code"] == "rate_limit_exceeded"
    assert limited["message"].endswith("Please try again in 2.5s.")
    assert (await error_of(daily()))["code"] == "insufficient_quota"
    unknown = error_from_gemini(GeminiError(500, "Internal error."))
    assert failed_error(unknown) == {"code": "server_error", "message": "Internal error."}


@pytest.mark.parametrize(
    ("body", "param", "code", "status"),
    [
        ({"model": ...}, "model", "missing_required_parameter", 400),
        ({"input": None}, "input", "missing_required_parameter", 400),
        ({"input": 5}, "input", "invalid_type", 400),
        ({"input": [{"role": "boss", "content": ""}]}, "input[0].role", "invalid_value", 400),
        ({"previous_response_id": "resp_1"}, "previous_response_id", "previous_response_not_found", 400),
        ({"conversation": "conv_1"}, "conversation", None, 404),
        ({"background": True, "store": False}, "background", "invalid_value", 400),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].id", None, 404),
        ({"input": [{"id": "fc_1"}]}, "input[0].id", None, 404),
    ],
)
async def test_what_cannot_be_followed_is_refused_by_name(body: Any, param: str, code: str | None, status: int) -> None:
    google = FakeGoogle(ANSWER)
    asked = {name: value for name, value in {**HI, **body}.items() if value is not ...}
    answer = await post(google, asked)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (status, param, code)
    assert google.requests == []


async def test_references_to_reasoning_are_left_out() -> None:
    google = FakeGoogle(ANSWER)
    items = [{"role": "user", "content": "Hi"}, {"type": "item_reference", "id": "rs_1"}]
    assert (await post(google, {**HI, "input": items})).status_code == 200
    assert google.bodies[0]["contents"] == [{"role": "user", "parts": [{"text": "Hi"}]}]


async def test_a_websocket_is_refused_in_the_way_that_lets_codex_go_on_with_http_at_once() -> None:
    offer = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-key": "x", "sec-websocket-version": "13"}
    async with in_process(gateway_app(FakeGoogle(ANSWER))) as client:
        refused = await client.get(PATH, headers=offer)
        listed = await client.get(PATH)
    assert (refused.status_code, refused.json()["error"]["code"]) == (426, "websocket_not_supported")
    assert (listed.status_code, listed.headers["allow"]) == (405, "POST")


async def test_storing_is_not_pretended() -> None:
    answer = await post(FakeGoogle(ANSWER), {"model": FLASH_25, "input": "Hi"}, responses_store=False)
    assert answer.json()["store"] is False
    assert answer.headers["x-gemgate-adjusted"] == "store->false"


async def test_a_dry_run_is_the_native_request() -> None:
    google = FakeGoogle(ANSWER)
    async with in_process(gateway_app(google)) as client:
        answer = await client.post(
            PATH, json={**HI, "stream": True, "tools": [WEATHER]}, headers={"x-gemgate-dry-run": "true"}
        )
    shown = answer.json()
    assert shown["path"] == f"/v1beta/models/{FLASH_25}:streamGenerateContent?alt=sse"
    assert shown["body"]["tools"][0]["functionDeclarations"][0]["name"] == "get_weather"
    assert google.requests == []


@pytest.mark.parametrize("stream", [False, True])
async def test_another_model_answers_where_the_first_cannot(stream: bool) -> None:
    google = FakeGoogle(by_model={"gemini-2.5-pro": overloaded(), FLASH_25: ANSWER})
    models = {"best": ["gemini-2.5-pro", FLASH_25]}
    answer = await post(google, {**HI, "model": "best", "stream": stream}, models=models)
    assert google.models == ["gemini-2.5-pro", FLASH_25]
    assert answer.headers["x-gemgate-model"] == FLASH_25
    response = read_events(answer.content)[-1]["response"] if stream else answer.json()
    assert (response["model"], response["status"]) == ("best", "completed")


@pytest.mark.parametrize("stream", [False, True])
async def test_signatures_that_google_refuses_are_left_out_once(stream: bool) -> None:
    refusal = failure(400, "Corrupted thought signature.", reason="INVALID_ARGUMENT")
    google = FakeGoogle(refusal, ANSWER)
    answer = await post(google, {**HI, "stream": stream})
    assert answer.status_code == 200
    assert answer.headers["x-gemgate-adjusted"] == "thought_signatures->none"
    assert len(google.requests) == 2


TOO_LONG = "The input token count (2000) exceeds the maximum number of tokens allowed (1000)."


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_too_long_is_sent_again_without_its_oldest_turns_if_that_is_wanted(stream: bool) -> None:
    turns = [
        item
        for number in range(4)
        for item in ({"role": "user", "content": f"{number}" * 200}, {"role": "assistant", "content": "ok"})
    ]
    items = [{"role": "developer", "content": "Be kind"}, *turns, {"role": "user", "content": "Last"}]
    google = FakeGoogle(failure(400, TOO_LONG, reason="INVALID_ARGUMENT"), ANSWER)
    answer = await post(google, {**HI, "input": items, "truncation": "auto", "stream": stream})
    assert answer.status_code == 200
    assert answer.headers["x-gemgate-adjusted"].startswith("truncation->auto; input=-")
    shorter = google.bodies[1]
    assert shorter["systemInstruction"] == {"parts": [{"text": "Be kind"}]}
    assert shorter["contents"][0]["role"] == "user"
    assert shorter["contents"][-1]["parts"] == [{"text": "Last"}]
    assert 1 < len(shorter["contents"]) < len(google.bodies[0]["contents"])


async def test_what_is_too_long_is_an_error_by_default() -> None:
    google = FakeGoogle(failure(400, TOO_LONG, reason="INVALID_ARGUMENT"), ANSWER)
    answer = await post(google)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "context_length_exceeded")
    assert len(google.requests) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_the_log_and_the_metrics_know_a_response(stream: bool, capsys: pytest.CaptureFixture[str]) -> None:
    async with in_process(gateway_app(FakeGoogle(ANSWER), log_format="json")) as client:
        await client.post(PATH, json={**HI, "stream": stream})
        metrics = (await client.get("/metrics")).text
    assert "prompt_tokens" in capsys.readouterr().out
    assert 'path="/v1/responses"' in metrics or "/v1/responses" in metrics


async def test_each_event_is_in_one_write() -> None:
    written: list[bytes] = []
    app = gateway_app(FakeGoogle(sse(native({"text": "Hel"}), native({"text": "lo"}, finishReason="STOP"))))
    given = [b'{"model": "gemini-2.5-flash", "input": "Hi", "stream": true}']

    async def receive() -> Any:
        if not given:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": given.pop(), "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body" and message.get("body"):
            written.append(message["body"])

    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "method": "POST",
        "path": PATH,
        "raw_path": PATH.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "http_version": "1.1",
        "server": ("gateway", 80),
        "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"gateway"), (b"authorization", b"Bearer k"), (b"content-type", b"application/json")],
    }
    async with app.router.lifespan_context(app):
        await app(scope, receive, send)
    assert b"".join(written).endswith(b"data: [DONE]\n\n")
    assert all(piece.endswith(b"\n\n") for piece in written)
