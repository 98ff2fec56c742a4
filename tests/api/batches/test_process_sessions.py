from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api.batches.fake_batch_api import echo
from tests.api.batches.support import CHAT, EMBEDDINGS, Json, chat, embedding

from gemgate.api.batches import input_sessions as sessions
from gemgate.api.batches import line_translation, worker_process
from gemgate.api.batches.input_sessions import TranslateSession
from gemgate.api.batches.line_translation import LineJob, Translators, prepare
from gemgate.api.batches.result_session import ResultSession
from gemgate.api.batches.spool import Records, Spool
from gemgate.api.batches.worker_process import Setup
from gemgate.api.chat.wire import ChatCompletionRequest
from gemgate.errors import ApiError
from gemgate.gemini.file_types import GeminiFile
from gemgate.media.inline import Inline
from gemgate.media.references import FileRef, RemoteRef
from gemgate.translation.validation import parse_value

CHATS = LineJob("batch_1", CHAT, 1_800_000_000)
VECTORS = LineJob("batch_1", EMBEDDINGS, 1_800_000_000)


_opened: list[TranslateSession | ResultSession] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    _close()


def _close() -> None:
    while _opened:
        _opened.pop().close()


def translation(job: LineJob = CHATS, **settings: Any) -> TranslateSession:
    _opened.append(session := TranslateSession(job, translators(**settings)))
    return session


def answering(job: LineJob = CHATS, *, requests: int = 1000, **more: Any) -> ResultSession:
    _opened.append(session := ResultSession(job, translators(), requests=requests, **more))
    return session


def translators(**settings: Any) -> Translators:
    return Setup({}, **settings).translators()


def jsonl(*lines: Json) -> bytes:
    return b"".join(orjson.dumps(line) + b"\n" for line in lines)


def translated(raw: bytes, job: LineJob = CHATS, **settings: Any) -> tuple[list[Json], TranslateSession]:
    session = translation(job, **settings)
    native = session.feed(raw).native + session.finish().native
    return [orjson.loads(line) for line in native.splitlines()], session


def answered(
    raw: bytes, results: list[Json], job: LineJob = CHATS, *, requests: int = 1000, refused: bytes = b"", **more: Any
) -> tuple[list[Json], list[Json], ResultSession]:
    session = answering(job, requests=requests, **more)
    session.feed_results(jsonl(*results))
    session.feed_input(raw)
    session.feed_refused(refused)
    session.end_of_input()
    output, is_done = b"", False
    while not is_done:
        written = session.write()
        output, is_done = output + written.output, written.is_done
    errors = b""
    while piece := session.errors():
        errors += piece
    return (
        [orjson.loads(line) for line in output.splitlines()],
        [orjson.loads(line) for line in errors.splitlines()],
        session,
    )


def one(line: Json, *responses: Json, job: LineJob = CHATS) -> Json:
    """The one line of either file that these responses give."""
    results = [{"key": f"{part}-0-{part}-{len(responses)}", **response} for part, response in enumerate(responses)]
    output, errors, _ = answered(jsonl(line), results, job)
    (only,) = output + errors
    return only


def test_each_line_has_all_its_parameters_and_no_model_and_no_tier() -> None:
    (line,), _ = translated(jsonl(chat("a", temperature=0.5, service_tier="flex", max_completion_tokens=7)))
    assert line["key"] == "0-0-0-1"
    assert line["request"] == {
        "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
        "generationConfig": {"temperature": 0.5, "maxOutputTokens": 7},
        "store": False,
    }


def test_inputs_of_an_embeddings_line_become_requests_of_their_own() -> None:
    lines, session = translated(jsonl(embedding("a", "x", dimensions=256), embedding("b", ["y", "z"])), VECTORS)
    assert [line["key"] for line in lines] == ["0-0-0-1", "1-1-0-2", "2-1-1-2"]
    assert lines[0]["request"] == {"content": {"parts": [{"text": "x"}]}, "outputDimensionality": 256}
    assert session.summary().requests == 3


def test_the_same_input_gives_the_same_bytes() -> None:
    raw = jsonl(chat("a"), chat("b", n=2, model="gemini-2.5-flash"), chat("c", tools=[]))
    assert translated(raw)[0] == translated(raw)[0]
    results = [{"key": f"{n}-{n}-0-1", **echo("k", {"contents": [{"parts": [{"text": "hi"}]}]})} for n in range(3)]
    assert answered(raw, results)[:2] == answered(raw, results[::-1])[:2]


def test_a_line_that_cannot_be_translated_is_refused_alone() -> None:
    lines, session = translated(jsonl(chat("a", tools=3), chat("b"), chat("c", stream=True)))
    assert len(lines) == 1
    assert session.summary().refused == 2
    records = [orjson.loads(line) for line in session.refused().splitlines()]
    assert session.refused() == b""
    assert [record["index"] for record in records] == [0, 2]
    told = orjson.loads(records[0]["line"])
    assert told["custom_id"] == "a"
    assert told["response"]["body"]["error"]["param"] == "tools"


def test_under_the_strict_policy_an_unknown_parameter_is_refused_and_an_accepted_line_never() -> None:
    lines, session = translated(jsonl(chat("a", logit_bias={"1": 2})), unsupported_params="strict")
    assert (lines, session.summary().refused) == ([], 1)
    good = prepare(
        chat("a", logit_bias={"1": 2})["body"], CHATS, translators(unsupported_params="strict").for_answers()
    )
    assert good.from_gemini([echo("k", {"contents": [{"parts": [{"text": "x"}]}]})["response"]], "req_1").headers == {
        "x-gemgate-dropped-params": "logit_bias"
    }


def test_an_internal_error_in_one_line_is_that_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise KeyError

    monkeypatch.setattr(sessions, "prepare", broken)
    _, session = translated(jsonl(chat("a", "see https://x"), chat("b")))
    records = [orjson.loads(orjson.loads(line)["line"]) for line in session.refused().splitlines()]
    assert [record["response"]["status_code"] for record in records] == [500, 500]


def test_an_answer_that_no_translator_foresaw_is_that_lines_error() -> None:
    line = one(chat("a"), {"response": {"candidates": [{"content": "what?", "finishReason": "STOP"}]}})
    assert line["response"]["status_code"] == 500


def test_a_line_that_waits_for_media_is_translated_when_they_are_there() -> None:
    content = [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]
    session = translation()
    raw = jsonl(chat("a", messages=[{"role": "user", "content": content}]), chat("b", "http is a word"))
    fed = session.feed(raw)
    (line,) = fed.waiting
    assert (line.index, line.refs) == (
        0,
        (RemoteRef("https://x/y.png", "messages[0].content[0].image_url.url"),),
    )
    assert orjson.loads(fed.native)["key"] == "0-1-0-1"
    assert session.resolve(0, ApiError(400, "gone")) == b""
    assert session.summary().refused == 1


def test_nothing_waits_when_the_gateway_does_not_fetch() -> None:
    content = [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]
    (line,), _ = translated(jsonl(chat("a", messages=[{"role": "user", "content": content}])), remote_media="google")
    assert line["request"]["contents"][0]["parts"] == [
        {"fileData": {"fileUri": "https://x/y.png", "mimeType": "image/png"}}
    ]


def test_after_an_error_nothing_more_is_translated() -> None:
    session = translation()
    assert session.feed(b"{\n" + jsonl(chat("a"))).native == b""
    assert session.summary().errors[0]["code"] == "invalid_json_line"


def test_a_native_input_above_googles_limit_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_NATIVE", 100)
    lines, session = translated(jsonl(chat("a"), chat("b")))
    assert len(lines) == 2
    assert session.feed(jsonl(chat("c"))).native == b""
    assert session.summary().errors[0]["code"] == "max_file_size_exceeded"


@pytest.mark.parametrize(
    ("limit", "code", "said"),
    [
        ("MAX_INPUT", "max_file_size_exceeded", "the most that Google takes"),
        ("MAX_REQUESTS", "max_requests_exceeded", "The lines come to 4 requests, and Google takes 3 in a job."),
    ],
)
def test_a_job_in_vertex_ai_has_limits_of_its_own(
    monkeypatch: pytest.MonkeyPatch, limit: str, code: str, said: str
) -> None:
    monkeypatch.setattr(worker_process, limit, 3)
    errors = {}
    for in_vertex in (True, False):
        session = Setup({}, in_vertex=in_vertex).translate_session(CHATS)
        session.feed(jsonl(chat("a", n=3, model="gemini-3-flash-preview"), chat("b", model="gemini-3-flash-preview")))
        errors[in_vertex] = session.summary().errors
        session.close()
    assert errors[False] == []
    assert (errors[True][0]["code"], said in str(errors[True][0]["message"])) == (code, True)


def test_too_many_inputs_of_embeddings_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_INPUTS", 2)
    _, session = translated(jsonl(embedding("a", ["x", "y", "z"])), VECTORS)
    assert session.summary().errors[0]["param"] == "body.input"


def test_results_come_back_in_the_order_of_the_input_with_ids_of_their_own() -> None:
    raw = jsonl(*[chat(f"r{number}", f"text {number}") for number in range(20)])
    native, _ = translated(raw)
    results = [{"key": line["key"], **echo(line["key"], line["request"])} for line in reversed(native)]
    output, errors, session = answered(raw, results)
    assert [line["custom_id"] for line in output] == [f"r{number}" for number in range(20)]
    assert errors == []
    assert len({line["id"] for line in output}) == 20
    assert all(line["id"].startswith("batch_req_") for line in output)
    assert all(line["response"]["request_id"].startswith("req_") for line in output)
    assert output[0]["response"]["body"]["created"] == 1_800_000_000
    assert session.summary().usage["total_tokens"] == 100


def test_of_two_results_with_one_key_the_first_counts() -> None:
    first, second = echo("a", {"contents": [{"parts": [{"text": "1"}]}]}), {"error": {"code": 13, "message": "x"}}
    output, errors, _ = answered(jsonl(chat("a")), [{"key": "0-0-0-1", **first}, {"key": "0-0-0-1", **second}])
    assert (len(output), len(errors)) == (1, 0)


@pytest.mark.parametrize("key", ["", "x", "5", "1-0-0-1", "0-0-1-1", "0-99999-0-1", "0-0-0-1-7"])
def test_a_result_with_a_key_that_is_none_of_ours_is_left_out(key: str) -> None:
    good = echo("a", {"contents": [{"parts": [{"text": "1"}]}]})
    _, errors, _ = answered(jsonl(chat("a")), [{"key": key, **good}], requests=1)
    assert errors[0]["response"]["body"]["error"]["code"] == "upstream_no_answer"


def test_a_line_with_one_part_missing_is_not_answered_by_half() -> None:
    raw = jsonl(embedding("a", ["x", "y"]))
    results = [{"key": "0-0-0-2", "response": {"embedding": {"values": [1.0]}}}]
    output, errors, _ = answered(raw, results, VECTORS, not_run="batch_expired")
    assert output == []
    assert errors[0]["error"]["code"] == "batch_expired"


def test_vectors_are_base64_where_the_line_asks_for_it() -> None:
    line = one(
        embedding("a", "x", encoding_format="base64"),
        {"response": {"embedding": {"values": [1.0]}, "usageMetadata": {"promptTokenCount": 4}}},
        job=VECTORS,
    )
    body = line["response"]["body"]
    assert body["data"][0]["embedding"] == "AACAPw=="
    assert body["usage"]["prompt_tokens"] == 4


def test_a_vector_that_is_none_is_an_error() -> None:
    line = one(embedding("a"), {"response": {"other": 1}}, job=VECTORS)
    assert line["response"]["status_code"] == 502


def test_tool_names_are_restored() -> None:
    tools = [{"type": "function", "function": {"name": "look up!", "parameters": {"type": "object"}}}]
    line = chat("a", tools=tools)
    (native,), _ = translated(jsonl(line))
    name = native["request"]["tools"][0]["functionDeclarations"][0]["name"]
    assert name != "look up!"
    parts = [{"functionCall": {"name": name, "args": {"x": 1}}}]
    told = one(line, {"response": {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}})
    choice = told["response"]["body"]["choices"][0]
    assert choice["message"]["tool_calls"][0]["function"]["name"] == "look up!"
    assert choice["finish_reason"] == "tool_calls"


def test_json_beside_tools_comes_back_as_content_on_models_that_need_a_hidden_function() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    line = chat(
        "a",
        tools=[{"type": "function", "function": {"name": "f"}}],
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    )
    parts = [{"functionCall": {"name": "final_answer", "args": {"a": 1}}}]
    told = one(line, {"response": {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}})
    assert told["response"]["body"]["choices"][0]["message"]["content"] == '{"a":1}'


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        ({"code": 3, "message": "bad"}, 400, None),
        ({"code": 8, "message": "quota"}, 429, "rate_limit_exceeded"),
        ({"code": 503, "message": "overloaded"}, 503, "server_overloaded"),
    ],
)
def test_an_error_of_googles_is_told_as_a_live_request_tells_it(error: Json, status: int, code: str | None) -> None:
    response = one(chat("a"), {"error": error})["response"]
    assert (response["status_code"], response["body"]["error"]["code"]) == (status, code)
    assert set(response["body"]["error"]) >= {"message", "type", "param", "code"}


def test_a_request_that_google_cancelled_was_not_run() -> None:
    line = one(chat("a"), {"error": {"code": 1, "message": "cancelled"}})
    assert (line["response"], line["error"]["code"]) == (None, "batch_cancelled")


def test_an_answer_that_broke_off_is_an_error_line() -> None:
    broken = {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL", "index": 0}]}
    assert one(chat("a"), {"response": broken})["response"]["status_code"] == 502


def test_what_was_dropped_stands_in_the_line() -> None:
    good = echo("a", {"contents": [{"parts": [{"text": "1"}]}]})
    assert one(chat("a", user="me"), good)["response"]["headers"] == {"x-gemgate-dropped-params": "user"}


def test_a_refused_line_keeps_its_place_among_the_errors() -> None:
    raw = jsonl(chat("a"), chat("b", stream=True), chat("c"))
    _, translating = translated(raw)
    output, errors, session = answered(raw, [], refused=translating.refused().rstrip(b"\n"), not_run="batch_cancelled")
    assert output == []
    assert [line["custom_id"] for line in errors] == ["a", "b", "c"]
    assert errors[1]["response"]["status_code"] == 400
    assert session.summary().failed == 3


@given(st.integers(1, 40))
def test_any_cut_of_input_and_results_gives_the_same_files(size: int) -> None:
    raw = b"\xef\xbb\xbf" + jsonl(chat("a", "ä"), chat("b")) + b"\n \r\n" + jsonl(chat("c", "fail")).rstrip()
    native, _ = translated(raw)
    results = jsonl(*[{"key": line["key"], **echo(line["key"], line["request"])} for line in native])
    session = answering(requests=3)
    for start in range(0, len(raw), size):
        session.feed_input(raw[start : start + size])
    for start in range(0, len(results), size):
        session.feed_results(results[start : start + size])
    session.end_of_input()
    assert [orjson.loads(line)["custom_id"] for line in session.write().output.splitlines()] == ["a", "b"]
    assert orjson.loads(session.errors())["custom_id"] == "c"
    _close()


def test_memory_holds_places_and_not_records(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.put(3, b"three")
    records.put(3, b"again")
    assert [records.get(number) for number in range(5)] == [b"", b"", b"", b"three", b""]
    assert len(records) == 4
    assert list(tmp_path.iterdir()) == []
    records.close()


def test_a_spool_is_drained_from_its_beginning() -> None:
    spool = Spool()
    spool.append(b"abc")
    assert (spool.drain(2), spool.drain(2), spool.drain(2)) == (b"ab", b"c", b"")
    assert spool.size == 3
    spool.close()


def test_a_line_larger_than_google_takes_is_refused_with_the_way_out() -> None:
    job = LineJob("batch_1", "/v1/chat/completions", 1)
    session = TranslateSession(job, translators(), max_request=300)
    fed = session.feed(jsonl(chat("small"), chat("large", "x" * 300)))
    assert [orjson.loads(line)["key"] for line in fed.native.splitlines()] == ["0-0-0-1"]
    (refused,) = (orjson.loads(orjson.loads(line)["line"]) for line in session.refused().splitlines())
    session.close()
    error = refused["response"]["body"]["error"]
    assert (refused["custom_id"], error["code"]) == ("large", "media_too_large")
    assert "send its id as file_id" in error["message"]


def test_a_line_that_names_a_file_is_answered_like_any_other() -> None:
    content = [{"type": "file", "file": {"file_id": "file-1"}}]
    line = chat("a", messages=[{"role": "user", "content": content}])
    session = translation()
    (waiting,) = session.feed(jsonl(line)).waiting
    assert waiting.refs == (FileRef("file-1", "messages[0].content[0].file.file_id"),)
    native = orjson.loads(
        session.resolve(0, {waiting.refs[0].param: GeminiFile("files/g", "https://g", mime_type="text/csv")})
    )
    assert native["request"]["contents"][0]["parts"] == [{"fileData": {"fileUri": "https://g", "mimeType": "text/csv"}}]


def test_a_name_of_the_operators_is_asked_of_its_first_model_and_answered_under_its_own() -> None:
    models = {"gpt-4o": ("gemini-2.5-flash", "gemini-2.5-flash-lite")}
    lines = [chat("a", model="gpt-4o"), chat("b", model="gemini-2.5-flash"), chat("c", model="models/gpt-4o")]
    native, session = translated(jsonl(*lines), models=models)
    assert len(native) == 3
    summary = session.summary()
    assert (summary.model, summary.errors) == ("models/gemini-2.5-flash", [])
    job = prepare({"model": "gpt-4o", "input": "x"}, VECTORS, translators(models={"gpt-4o": ("gemini-embedding-001",)}))
    assert len(job.to_gemini({})) == 1
    request = lines[0]["body"]
    answer = prepare(request, CHATS, translators(models=models)).from_gemini(
        [echo("a", native[0]["request"])["response"]], "req_1"
    )
    assert orjson.loads(answer.body)["model"] == "gpt-4o"


class Counted:
    """`orjson.loads`, and what it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.given: list[bytes] = []
        self._loads = orjson.loads
        monkeypatch.setattr(orjson, "loads", self)

    def __call__(self, raw: bytes) -> Any:
        self.given.append(raw)
        return self._loads(raw)


PICTURE = {"type": "image_url", "image_url": {"url": "https://pictures/cat.png"}}


def test_a_line_is_parsed_once_on_its_way_out_also_when_it_waits_for_media(monkeypatch: pytest.MonkeyPatch) -> None:
    models: list[object] = []

    def validated(model: type[ChatCompletionRequest], value: object) -> ChatCompletionRequest:
        models.append(model)
        return parse_value(model, value)

    monkeypatch.setattr(line_translation, "parse_value", validated)
    raw = jsonl(chat("a"), chat("b", messages=[{"role": "user", "content": [PICTURE]}]), chat("c", tools=3))
    counted, session = Counted(monkeypatch), translation()
    waiting = session.feed(raw).waiting
    assert session.resolve(waiting[0].index, {"https://pictures/cat.png": Inline("image/png", "AAAA")})
    assert counted.given == raw.splitlines()
    assert models == [ChatCompletionRequest] * 3
    assert (session.summary().requests, session.summary().refused) == (2, 1)


@pytest.mark.parametrize("place", ["first", "last"])
def test_a_line_and_each_of_its_results_are_parsed_once_on_the_way_back(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, response = {"key": "0-0-0-1"}, echo("k", {"contents": [{"parts": [{"text": '"key":"1-1-0-1"}'}]}]})
    raw, result = jsonl(chat("a")), jsonl({**key, **response} if place == "first" else {**response, **key})
    counted, session = Counted(monkeypatch), answering()
    session.feed_input(raw)
    session.feed_results(result)
    session.end_of_input()
    assert session.write().is_done
    assert counted.given == [raw.strip(), result.strip()]
    assert session.summary().completed == 1


@pytest.mark.parametrize(("levels", "refused"), [(200, 0), (201, 1), (300, 1)])
def test_a_line_of_too_many_levels_is_refused_alone(levels: int, refused: int) -> None:
    deep = b'"x":%b,"model"' % (b"[" * levels + b"]" * levels)
    lines, session = translated(jsonl(chat("a")).replace(b'"model"', deep) + jsonl(chat("b")))
    assert (len(lines), session.summary().refused) == (2 - refused, refused)
    assert (b"json_too_deep" in session.refused()) is bool(refused)
