"""`POST /completions`, from the caller to Google and back."""

from typing import Any

import httpx
import orjson
import pytest
from tests.support.chat import FLASH_25, FLASH_37
from tests.support.gateway import gateway_app, in_process
from tests.support.google import Answer, FakeGoogle, failure, json_for, overloaded, sse

Json = dict[str, Any]
FLASH_36 = "gemini-3.6-flash"
NO_LEVEL = "Thinking level LOW is not supported for this model. Please retry with other thinking level."


def written(
    *texts: str, tokens: int = 0, finish: str = "STOP", thoughts: str = "", event: Json | None = None, **more: Any
) -> Json:
    """An answer with a candidate for each text."""
    parts = [{"text": thoughts, "thought": True}] if thoughts else []
    candidates = [
        {
            "content": {"role": "model", "parts": [*parts, {"text": text}]},
            "index": index,
            "finishReason": finish,
            **more,
        }
        for index, text in enumerate(texts)
    ]
    usage = {"promptTokenCount": 5, "candidatesTokenCount": tokens, "totalTokenCount": 5 + tokens}
    shape: Json = {"candidates": candidates, "usageMetadata": usage, "modelVersion": FLASH_37, "responseId": "r"}
    return shape | (event or {})


def unfinished(answer: Json) -> Json:
    for candidate in answer["candidates"]:
        del candidate["finishReason"]
    return answer


async def ask(google: FakeGoogle | Answer, body: Json | None = None, **settings: Any) -> httpx.Response:
    google = google if isinstance(google, FakeGoogle) else FakeGoogle(google)
    async with in_process(gateway_app(google, **settings)) as client:
        return await client.post("/v1/completions", json={"model": FLASH_37, "prompt": "Once", **(body or {})})


def chunks(response: httpx.Response) -> list[Any]:
    *frames, done = response.text.strip().split("\n\n")
    assert done == "data: [DONE]"
    return [orjson.loads(text.removeprefix("data: ")) for text in frames]


def folded(response: httpx.Response) -> dict[int, tuple[str, str]]:
    """The text and the finish reason of each index; no chunk follows the last of a text."""
    found: dict[int, tuple[str, str]] = {}
    ended: dict[int, str] = {}
    for chunk in chunks(response):
        assert chunk["object"] == "text_completion"
        for choice in chunk["choices"]:
            assert choice["index"] not in ended
            found[choice["index"]] = (found.get(choice["index"], ("", ""))[0] + choice["text"], "")
            if choice["finish_reason"]:
                ended[choice["index"]] = choice["finish_reason"]
    return {index: (text, ended[index]) for index, (text, _) in found.items()}


def by_prompt(request: httpx.Request) -> Any:
    """Each prompt is answered with itself, in small letters."""
    body = orjson.loads(request.content)
    text = body["contents"][0]["parts"][0]["text"]
    count = body.get("generationConfig", {}).get("candidateCount", 1)
    return json_for(request, written(*(f"{text.lower()}{number}" for number in range(count)), tokens=3))


@pytest.mark.parametrize("prefix", ["/v1", "/v1beta/openai"])
async def test_a_text_completion_has_the_shape_of_openais(prefix: str) -> None:
    google = FakeGoogle(written(" a time.", tokens=4, thoughts="Hm."))
    async with in_process(gateway_app(google)) as client:
        response = await client.post(f"{prefix}/completions", json={"model": FLASH_37, "prompt": "Once upon"})
    body = response.json()
    assert response.headers["x-gemgate-model"] == FLASH_37
    assert isinstance(body.pop("created"), int)
    usage = body.pop("usage")
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (5, 4, 9)
    assert body == {
        "id": "cmpl-r",
        "object": "text_completion",
        "model": FLASH_37,
        "system_fingerprint": FLASH_37,
        "choices": [
            {
                "index": 0,
                "text": " a time.",
                "logprobs": None,
                "finish_reason": "stop",
                "native_finish_reason": "STOP",
            }
        ],
    }


@pytest.mark.parametrize("model", [FLASH_25, FLASH_37])
@pytest.mark.parametrize("stream", [False, True])
async def test_indexes_run_on_over_all_prompts(model: str, stream: bool) -> None:
    body = {"model": model, "prompt": ["A", "B", "C"], "n": 2, "stream": stream}
    response = await ask(by_prompt, body)
    if stream:
        texts = {index: text for index, (text, _) in folded(response).items()}
    else:
        texts = {choice["index"]: choice["text"] for choice in response.json()["choices"]}
        assert list(texts) == list(range(6))
        assert response.json()["usage"]["prompt_tokens"] == 5 * (3 if model == FLASH_25 else 6)
    assert [texts[index][0] for index in range(6)] == list("aabbcc")


async def test_no_more_than_eight_calls_run_at_once() -> None:
    google = FakeGoogle(by_prompt)
    response = await ask(google, {"prompt": [f"P{number}" for number in range(40)]})
    assert [choice["text"] for choice in response.json()["choices"]] == [f"p{number}0" for number in range(40)]
    assert google.max_at_once <= 8
    streamed = FakeGoogle(by_prompt)
    await ask(streamed, {"prompt": [f"P{number}" for number in range(40)], "stream": True})
    assert (len(streamed.requests), streamed.max_at_once <= 8) == (40, True)


async def test_a_text_with_room_for_thoughts_is_cut_at_its_tokens() -> None:
    whole = await ask(written("abcd" * 10, tokens=10), {"max_tokens": 4})
    (choice,) = whole.json()["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("abcd" * 4, "length")
    uncut = await ask(written("abcd" * 4, tokens=4), {"max_tokens": 4})
    assert uncut.json()["choices"][0]["finish_reason"] == "stop"


async def test_a_stream_is_cut_at_the_same_place_and_ends_its_call() -> None:
    events = [unfinished(written("abcd" * 3, tokens=3 * number)) for number in (1, 2, 3, 4)]
    response = await ask(sse(*events), {"max_tokens": 4, "stream": True, "stream_options": {"include_usage": True}})
    *texts, last = chunks(response)
    assert "".join(chunk["choices"][0]["text"] for chunk in texts) == "abcd" * 4
    assert texts[-1]["choices"][0]["finish_reason"] == "length"
    assert {chunk["id"] for chunk in texts} == {"cmpl-r"}
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] >= 6


async def test_without_counts_a_token_is_four_bytes() -> None:
    events = [unfinished(written("ééé", event={"usageMetadata": {}})) for _ in range(9)]
    events.append(written("é", event={"usageMetadata": {}}))
    response = await ask(sse(*events), {"max_tokens": 4, "stream": True})
    assert folded(response) == {0: ("é" * 8, "length")}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_text_that_has_few_tokens_for_its_length_is_whole(stream: bool) -> None:
    events = [unfinished(written("abcd" * 3, tokens=1)), written("abcd" * 3, tokens=2)]
    response = await ask(sse(*events) if stream else written("abcd" * 6, tokens=2), {"max_tokens": 2, "stream": stream})
    (choice,) = (
        [folded(response)[0]]
        if stream
        else [(each["text"], each["finish_reason"]) for each in response.json()["choices"]]
    )
    assert choice == ("abcd" * 6, "stop")


async def test_one_text_is_cut_while_another_goes_on() -> None:
    def answer(request: httpx.Request) -> Any:
        is_long = b"Long" in request.content
        text = "abcd" * 9 if is_long else "ab"
        return json_for(request, written(text, tokens=9 if is_long else 1))

    for stream in (False, True):
        response = await ask(answer, {"prompt": ["Long", "Short"], "max_tokens": 2, "stream": stream})
        if stream:
            assert folded(response) == {0: ("abcd" * 2, "length"), 1: ("ab", "stop")}
        else:
            assert [choice["text"] for choice in response.json()["choices"]] == ["abcd" * 2, "ab"]


@pytest.mark.parametrize("stream", [False, True])
async def test_echo_repeats_the_prompt_before_each_text(stream: bool) -> None:
    response = await ask(by_prompt, {"prompt": ["A", "B"], "n": 2, "echo": True, "stream": stream})
    if stream:
        texts = [text for _, (text, _) in sorted(folded(response).items())]
    else:
        texts = [choice["text"] for choice in response.json()["choices"]]
    assert texts == ["Aa0", "Aa0", "Bb0", "Bb0"]


async def test_logprobs_have_the_old_form() -> None:
    chosen = [{"token": "Hé", "logProbability": -0.1}, {"token": " you", "logProbability": -0.2}]
    tops = [{"candidates": [chosen[0]]}, {"candidates": [{"token": " me", "logProbability": -0.15}]}]
    result: Json = {"logprobsResult": {"chosenCandidates": chosen, "topCandidates": tops}}
    response = await ask(written("Hé you", tokens=2, **result), {"model": FLASH_25, "logprobs": 1})
    assert response.json()["choices"][0]["logprobs"] == {
        "tokens": ["Hé", " you"],
        "token_logprobs": [-0.1, -0.2],
        "top_logprobs": [{"Hé": -0.1}, {" me": -0.15, " you": -0.2}],
        "text_offset": [0, 2],
    }


@pytest.mark.parametrize("stream", [False, True])
async def test_a_blocked_prompt_is_content_filter_with_googles_reason(stream: bool) -> None:
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "responseId": "r"}
    response = await ask(blocked, {"stream": stream})
    choice = chunks(response)[-1]["choices"][0] if stream else response.json()["choices"][0]
    assert (choice["text"], choice["finish_reason"]) == ("", "content_filter")
    assert choice["extra_content"]["google"]["prompt_feedback"]["blockReason"] == "PROHIBITED_CONTENT"


async def test_a_stream_that_breaks_off_is_an_error_event() -> None:
    response = await ask(sse(unfinished(written("ab", tokens=1))), {"stream": True})
    assert orjson.loads(response.text.strip().split("\n\n")[-1][6:])["error"]["code"] == "stream_truncated"
    assert "[DONE]" not in response.text


@pytest.mark.parametrize("stream", [False, True])
async def test_googles_errors_name_the_parameter_of_this_endpoint(stream: bool) -> None:
    refused = failure(400, "* GenerateContentRequest.contents[0].parts: x", reason="INVALID_ARGUMENT")
    response = await ask(refused, {"stream": stream})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "prompt")


@pytest.mark.parametrize("stream", [False, True])
async def test_the_next_model_answers_in_place_of_one_that_cannot(stream: bool) -> None:
    google = FakeGoogle(by_model={FLASH_37: overloaded(), FLASH_36: by_prompt})
    response = await ask(google, {"model": "mine", "stream": stream}, models=f"mine={FLASH_37},{FLASH_36}", retries=0)
    assert response.headers["x-gemgate-model"] == FLASH_36
    text = folded(response)[0][0] if stream else response.json()["choices"][0]["text"]
    assert text == "once0"


async def test_a_level_that_the_model_refuses_is_learned() -> None:
    def google(request: httpx.Request) -> Any:
        if b'"LOW"' in request.content:
            return failure(400, NO_LEVEL, reason="INVALID_ARGUMENT")
        return by_prompt(request)

    fake = FakeGoogle(google)
    async with in_process(gateway_app(fake)) as client:
        asked = {"model": FLASH_37, "prompt": "A"}
        answers = [await client.post("/v1/completions", json=asked) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(fake.requests) == 3
    assert "learned=thinkingLevel" in answers[0].headers["x-gemgate-adjusted"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_dry_run_shows_the_native_request_and_calls_nobody(stream: bool) -> None:
    google = FakeGoogle()
    async with in_process(gateway_app(google)) as client:
        body = {"model": FLASH_25, "prompt": ["A", "B"], "stream": stream}
        response = await client.post("/v1/completions", json=body, headers={"x-gemgate-dry-run": "true"})
    shown = response.json()
    assert shown["path"].endswith("streamGenerateContent?alt=sse" if stream else "generateContent")
    assert shown["body"]["contents"][0]["parts"] == [{"text": "A"}]
    assert (shown["calls"], google.requests) == (2, [])


@pytest.mark.parametrize(
    ("body", "param"),
    [({"model": ""}, "model"), ({"n": 9}, "n"), ({"logprobs": 6}, "logprobs"), ({"prompt": {"a": 1}}, "prompt")],
)
async def test_a_wrong_parameter_is_named(body: Json, param: str) -> None:
    response = await ask(FakeGoogle(), body)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
