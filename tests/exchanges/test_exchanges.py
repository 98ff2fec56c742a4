"""Each golden exchange through the gateway: what it asks Google and what it answers, as wholes.

`make exchanges` writes both halves; that they are right is for its reader to see in the diff.
"""

import copy
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import orjson
import pytest
from tests.exchanges.__main__ import write
from tests.exchanges.exchange import CREATED, FOLDER, UNTIL_MIDNIGHT, Exchange, Json, Placeholders, load, written
from tests.exchanges.run import Runner, runner, schema_violations
from tests.support.documented import Documented

from gemgate.app import create_app
from gemgate.settings import Settings
from gemgate.upstream.daily_quota import quota_reset

EXCHANGES = load()
BY_NAME = {exchange.name: exchange for exchange in EXCHANGES}
COMPONENTS = {
    "audio/transcriptions": "Transcript",
    "audio/translations": "Transcript",
    "chat/completions": "ChatCompletion",
    "completions": "TextCompletion",
    "decisions": "DecisionObject",
    "embeddings": "EmbeddingList",
    "images/generations": "ImagesResponse",
    "images/variations": "ImagesResponse",
    "models": "ModelListObject",
    "moderations": "ModerationObject",
    "models/gemini-2.5-flash": "Model",
    "responses": "ResponseObject",
}

EVENTS = {"audio/speech": "SpeechEvent", "audio/transcriptions": "TranscriptEvent", "responses": "ResponseEvent"}
"""The components of events, where they are not chunks of chat."""

each = pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.name)


@pytest.fixture(scope="module")
def running() -> Iterator[Runner]:
    with runner() as started:
        yield started


@cache
def documented() -> Documented:
    return Documented(create_app(Settings(_env_file=None)).openapi())


def native_answers(exchange: Exchange) -> Iterator[Json]:
    """The bodies of Google's good answers: several for a stream."""
    for call in exchange.native:
        response = call["response"]
        if "line" in response:
            yield response["line"].get("response", {})
        elif response["status"] == 200:
            yield from response.get("events") or [response["body"]]


def openai_answers(exchange: Exchange) -> Iterator[tuple[str, Json]]:
    """The bodies of the answer with the components of the OpenAPI document that describe them."""
    asked, answer = exchange.data["openai_request"], exchange.data["openai_response"]
    if exchange.is_line:
        path, response = asked["line"]["url"], answer["line"]["response"]
        answer = {"status": response["status_code"], "body": response["body"]}
    else:
        path = asked["path"]
    if "events" in answer:
        events = [event for event in answer["events"] if event != "[DONE]"]
        kind = EVENTS.get(path.removeprefix("/v1/"), "ChatCompletionChunk")
        yield from (("ErrorBody" if "error" in event else kind, event) for event in events)
    elif "text" in answer or "data" in answer:
        return
    elif answer["status"] == 200:
        yield COMPONENTS[path.removeprefix("/v1/").removeprefix("/v1beta/openai/")], answer["body"]
    else:
        yield "ErrorBody", answer["body"]


@each
def test_the_gateway_asks_and_answers_as_the_exchange_says(exchange: Exchange, running: Runner) -> None:
    assert running.run(exchange) == exchange.data


@each
def test_each_native_request_of_an_exchange_is_one_that_googles_schema_allows(exchange: Exchange) -> None:
    assert [schema_violations(call) for call in exchange.native] == [[]] * len(exchange.native)


@each
def test_the_answer_of_an_exchange_is_as_the_openapi_document_says(exchange: Exchange) -> None:
    for component, body in openai_answers(exchange):
        documented().is_a(component, orjson.loads(orjson.dumps(body).replace(b'"<created>"', b"1700000000")))


@each
def test_googles_token_counts_in_an_exchange_add_up(exchange: Exchange) -> None:
    kinds = ("promptTokenCount", "toolUsePromptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")
    for answer in native_answers(exchange):
        usage = answer.get("usageMetadata", {})
        left_out = exchange.name == "reasoning-adjusted"  # Gemini 3.7 leaves the candidates' count out
        if "totalTokenCount" in usage and not left_out:
            assert usage["totalTokenCount"] == sum(usage.get(kind, 0) for kind in kinds)
        for side in ("prompt", "candidates"):
            if details := usage.get(f"{side}TokensDetails"):
                assert sum(item["tokenCount"] for item in details) == usage[f"{side}TokenCount"]


@each
def test_the_file_of_an_exchange_holds_what_is_documented_and_is_laid_out_as_it_is_written(exchange: Exchange) -> None:
    assert list(exchange.data) == ["teaches", "openai_request", "native", "openai_response"]
    assert exchange.data["teaches"].endswith(".")
    assert exchange.path.read_text() == written(exchange.data)


def test_every_exchange_is_in_the_folder_and_says_something_of_its_own() -> None:
    assert {exchange.path for exchange in EXCHANGES} == set(FOLDER.rglob("*.json"))
    assert len(EXCHANGES) >= 50
    assert len({exchange.data["teaches"] for exchange in EXCHANGES}) == len(EXCHANGES)


def _spoil(*path: str | int, value: object) -> Callable[[Json], None]:
    def spoil(data: Json) -> None:
        place = data
        for step in path[:-1]:
            place = place[step]  # type: ignore[index]  # a list takes numbers
        place[path[-1]] = value  # type: ignore[index]

    return spoil


def _cut(*path: str | int) -> Callable[[Json], None]:
    def cut(data: Json) -> None:
        place = data
        for step in path[:-1]:
            place = place[step]  # type: ignore[index]
        del place[path[-1]]  # type: ignore[arg-type]

    return cut


WRONG: dict[str, tuple[str, Callable[[Json], None]]] = {
    "a native request that differs": ("chat-plain", _spoil("native", 0, "request", "body", "store", value=True)),
    "a native request with a field more": ("chat-plain", _spoil("native", 0, "request", "body", "labels", value={})),
    "another path": ("chat-plain", _spoil("native", 0, "request", "path", value="/v1/models/x:generateContent")),
    "a call that is not made": ("chat-plain", lambda data: data["native"].append(copy.deepcopy(data["native"][0]))),
    "a call that is not foreseen": ("errors-overloaded", _cut("native", 2)),
    "an answer that differs": ("chat-plain", _spoil("openai_response", "body", "usage", "total_tokens", value=41)),
    "an answer with a field less": ("chat-plain", _cut("openai_response", "body", "system_fingerprint")),
    "a header that is not sent": ("chat-plain", _spoil("openai_response", "headers", "retry-after", value="1")),
    "a header that is not foreseen": ("chat-sampling", _cut("openai_response", "headers", "x-gemgate-dropped-params")),
    "an event less": ("stream-text", _cut("openai_response", "events", 2)),
    "a time of another day": ("chat-plain", _spoil("openai_response", "body", "created", value=1_700_000_000)),
    "a line's key": ("batch-line", _spoil("native", 0, "request", "line", "key", value="1")),
    "a line's answer": ("batch-line", _spoil("openai_response", "line", "custom_id", value="another")),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_an_exchange_that_is_wrong_is_noticed(wrong: str, running: Runner) -> None:
    name, spoil = WRONG[wrong]
    data = copy.deepcopy(BY_NAME[name].data)
    spoil(data)
    assert running.run(Exchange(BY_NAME[name].path, data)) != data


def test_a_wrong_native_request_is_against_the_schema() -> None:
    call = copy.deepcopy(BY_NAME["chat-plain"].native[0])
    call["request"]["body"]["frequency_penalty"] = 1
    assert schema_violations(call)


def test_the_halves_that_were_emptied_are_written_again(running: Runner, tmp_path: Path) -> None:
    for name in ("chat-plain", "stream-text", "batch-line", "models-list"):
        exchange = BY_NAME[name]
        shutil.copy(exchange.path, tmp_path)
        emptied = [{"request": {}, "response": call["response"]} for call in exchange.native]
        (tmp_path / exchange.path.name).write_text(written({**exchange.data, "native": emptied, "openai_response": {}}))
    assert write(running, tmp_path) == ["batch-line", "chat-plain", "models-list", "stream-text"]
    assert write(running, tmp_path) == []
    for path in tmp_path.iterdir():
        assert path.read_text() == (FOLDER / path.name).read_text()


def test_only_a_time_of_the_exchange_is_replaced_and_only_one() -> None:
    put_into = Placeholders(100.5, 102.5).put_into
    assert put_into([{"created": 101}, {"created": 101}]) == [{"created": CREATED}] * 2
    unchanged = [{"created": 102}, {"created": 99}, {"other": 101}]
    assert put_into(unchanged) == unchanged


def test_a_wait_is_replaced_only_when_it_lasts_until_midnight() -> None:
    now = 1_790_000_000.0
    wait = int(quota_reset(now) - now)
    put_into = Placeholders(now, now + 1).put_into
    assert put_into({"retry-after": str(wait)}) == {"retry-after": UNTIL_MIDNIGHT}
    assert put_into({"retry-after": str(wait - 60)}) == {"retry-after": str(wait - 60)}
    assert put_into({"retry-after-ms": str(wait)}) == {"retry-after-ms": str(wait)}
