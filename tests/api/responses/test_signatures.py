"""Thought signatures through every way in which clients replay a history."""

from typing import Any

import pytest
from tests.support.answers import native
from tests.support.chat import chat_options
from tests.support.responses import (
    ENCRYPTOR,
    FLASH_3,
    FLASH_25,
    WEATHER,
    contents,
    final,
    sent_back,
    source_of,
    streamed,
    translate,
    whole,
)

from gemgate.api.responses.carrier import MAX_SEALED, Carried, CarrierCodec, SignedCall, model_family
from gemgate.encryption import Encryptor
from gemgate.gemini.errors import GeminiError
from gemgate.translation.options import Options
from gemgate.translation.thought_signatures import NO_SIGNATURE

USER = {"role": "user", "content": "Hi"}
THOUGHT: dict[str, Any] = {"text": "**Plan**\n\nI look.", "thought": True}
CALL: dict[str, Any] = {
    "functionCall": {"name": "get_weather", "args": {"city": "Paris"}, "id": "native-1"},
    "thoughtSignature": "c2lnbmF0dXJl",
}
SECOND: dict[str, Any] = {"functionCall": {"name": "get_weather", "args": {"city": "Rome"}, "id": "native-2"}}
ASKED: dict[str, Any] = {"model": FLASH_3, "tools": [WEATHER]}


def answered(*parts: dict[str, Any], options: Options | None = None) -> list[dict[str, Any]]:
    output: list[dict[str, Any]] = whole(native(*parts, finishReason="STOP"), options=options, **ASKED)["output"]
    return output


def outputs_to(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"type": "function_call_output", "call_id": item["call_id"], "output": "sunny"}
        for item in items
        if item["type"] == "function_call"
    ]


def native_calls(items: list[dict[str, Any]], options: Options | None = None, **body: Any) -> list[Any]:
    """The parts of the model's turn when these items of an answer come back, followed by outputs."""
    translation = translate(options, input=[USER, *items, *outputs_to(items)], **{**ASKED, **body})
    parts: list[Any] = translation.body["contents"][1]["parts"]
    return parts


@pytest.mark.parametrize("shown", [[], [THOUGHT]], ids=["no thoughts shown", "thoughts shown"])
@pytest.mark.parametrize(
    "left_out",
    [
        pytest.param((), id="everything comes back"),
        pytest.param(("id", "status"), id="no ids: opencode"),
        pytest.param(("status",), id="no status"),
    ],
)
def test_a_signature_comes_back_in_the_carrier(shown: list[Any], left_out: tuple[str, ...]) -> None:
    items = answered(*shown, CALL)
    assert [item["type"] for item in items] == ["reasoning", "function_call"]
    assert items[0]["summary"] == ([{"type": "summary_text", "text": THOUGHT["text"]}] if shown else [])
    assert native_calls(sent_back(items, *left_out)) == [CALL]


def test_codex_sends_reasoning_with_a_content_of_null() -> None:
    items = answered(CALL)
    items[0]["content"] = None
    assert native_calls(items) == [CALL]


def test_the_order_of_reasoning_and_call_does_not_matter() -> None:
    assert native_calls(answered(CALL)[::-1]) == [CALL]


@pytest.mark.parametrize("shown", [[], [THOUGHT]])
def test_a_client_that_keeps_calls_alone_is_remembered_by_call_id(shown: list[Any]) -> None:
    options = chat_options()
    calls = [item for item in answered(*shown, CALL, options=options) if item["type"] == "function_call"]
    (part,) = native_calls(sent_back(calls, "id", "status"), options)
    assert part["thoughtSignature"] == CALL["thoughtSignature"]


def test_a_call_nobody_remembers_has_the_documented_placeholder() -> None:
    calls = [item for item in answered(CALL) if item["type"] == "function_call"]
    assert [part["thoughtSignature"] for part in native_calls(calls)] == [NO_SIGNATURE]
    assert "thoughtSignature" not in native_calls(calls, model=FLASH_25)[0]


def test_a_signature_stays_on_its_call() -> None:
    items = answered(CALL, SECOND)
    assert [item["type"] for item in items] == ["reasoning", "function_call", "function_call"]
    first, second = native_calls(items)
    assert first == CALL
    assert "thoughtSignature" not in second
    assert second["functionCall"]["id"] == items[2]["call_id"]


def test_each_signed_call_has_a_carrier_of_its_own() -> None:
    both = [CALL, {**SECOND, "thoughtSignature": "b3RoZXI="}]
    items = answered(*both)
    assert [item["type"] for item in items] == ["reasoning", "function_call"] * 2
    assert native_calls(items) == both


def test_a_signature_never_shows_in_an_id() -> None:
    for item in answered(CALL):
        assert all(len(item[name]) <= 64 for name in ("id", "call_id") if name in item)
        assert CALL["thoughtSignature"] not in str(item)


def test_a_streamed_carrier_is_in_the_done_event_and_the_final_response() -> None:
    events = streamed(native(THOUGHT), native(CALL, finishReason="STOP"), **ASKED)
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == final(events)["output"]
    assert native_calls(done) == [CALL]


def test_encrypted_content_is_left_out_where_there_is_nothing_to_carry() -> None:
    for item in answered(THOUGHT, {"text": "Hello"}):
        assert "encrypted_content" not in item
        assert None not in item.values()


@pytest.mark.parametrize(
    "foreign",
    ["gAAAAABo" + "x" * 400, "gg1.", "gg1.garbage", "cpa-gemini-responses-carrier-v1:next:text:AAAA", "x" * 1_000_000],
    ids=lambda text: text[:10],
)
def test_foreign_and_damaged_carriers_are_ignored(foreign: str) -> None:
    items = [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": foreign}]
    calls = [item for item in answered(CALL) if item["type"] == "function_call"]
    assert [part["thoughtSignature"] for part in native_calls([*items, *calls])] == [NO_SIGNATURE]


def test_a_carrier_is_for_its_caller_and_its_family_of_models() -> None:
    items = answered(CALL)
    assert [part["thoughtSignature"] for part in native_calls(items, caller_id="another")] == [NO_SIGNATURE]
    assert [part["thoughtSignature"] for part in native_calls(items, model="gemini-4-pro")] == [NO_SIGNATURE]
    assert native_calls(items, model="gemini-3.1-pro-preview") == [CALL]


def test_a_carrier_of_another_secret_is_ignored_and_one_of_an_older_secret_is_read() -> None:
    carried = Carried([SignedCall("call_1", "n", "s")])
    sealed = CarrierCodec(Encryptor(["old"], b"p"), "me").seal(carried, "gemini-3")
    assert CarrierCodec(Encryptor(["new"], b"p"), "me").open(sealed, "gemini-3") is None
    assert CarrierCodec(Encryptor(["new", "old"], b"p"), "me").open(sealed, "gemini-3") == carried
    assert CarrierCodec(Encryptor(["old"], b"another purpose"), "me").open(sealed, "gemini-3") is None


def test_a_carrier_that_would_be_too_large_is_not_given_out() -> None:
    import secrets

    codec = CarrierCodec(ENCRYPTOR, "me")
    assert codec.seal(Carried([SignedCall("c", None, secrets.token_hex(MAX_SEALED))]), "gemini-3") is None
    sealed = codec.seal(Carried([SignedCall("c", None, "s" * 300_000)]), "gemini-3")
    assert sealed is not None
    assert len(sealed) <= MAX_SEALED


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("models/gemini-3.1-pro-preview", "gemini-3"),
        ("gemini-3-flash", "gemini-3"),
        ("gemini-2.5-flash", "gemini-2"),
        ("gemini-flash-latest", "gemini-flash-latest"),
        ("tunedModels/mine", "tunedModels/mine"),
    ],
)
def test_models_of_one_generation_are_a_family(model: str, family: str) -> None:
    assert model_family(model) == family


def test_parts_of_built_in_tools_come_back_with_their_own_signatures() -> None:
    search = {
        "toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "id": "a", "args": {"queries": ["q"]}},
        "thoughtSignature": "b25l",
    }
    found = {
        "toolResponse": {"toolType": "GOOGLE_SEARCH_WEB", "id": "a", "response": {"r": 1}},
        "thoughtSignature": "dHdv",
    }
    asked: dict[str, Any] = {"model": FLASH_3, "tools": [{"type": "web_search"}, WEATHER]}
    items = whole(native(search, found, {"text": "Hello"}, CALL, finishReason="STOP"), **asked)["output"]
    assert [item["type"] for item in items] == ["reasoning", "web_search_call", "message", "reasoning", "function_call"]
    assert native_calls(items) == [search, found, {"text": "Hello"}, CALL]


def test_code_that_came_in_a_carrier_does_not_come_back_as_text() -> None:
    code = {"executableCode": {"language": "PYTHON", "code": "print(1)", "id": "a"}, "thoughtSignature": "b25l"}
    result = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n", "id": "a"}}
    answer = native(code, result, {"text": "1"}, finishReason="STOP")
    items = whole(answer, model=FLASH_3, tools=[{"type": "code_interpreter", "container": {"type": "auto"}}])["output"]
    assert native_calls(items) == [code, result, {"text": "1"}]


def test_the_signature_of_a_text_comes_back_on_an_empty_part_behind_it() -> None:
    options = chat_options()
    signed = {"text": "", "thoughtSignature": "dGV4dA=="}
    events = streamed(
        native({"text": "Hel"}), native({"text": "lo"}), native(signed, finishReason="STOP"), options=options, **ASKED
    )
    (message,) = final(events)["output"]
    back = translate(options, input=[USER, message, USER], **ASKED).body["contents"][1]["parts"]
    assert back == [{"text": "Hello"}, signed]
    assert translate(input=[USER, message, USER], **ASKED).body["contents"][1]["parts"] == [{"text": "Hello"}]


@pytest.mark.parametrize("message", ["Corrupted thought signature.", "Thought signature is not valid"])
def test_signatures_that_google_refuses_are_replaced_once(message: str) -> None:
    items = answered(CALL)
    source = source_of(input=[USER, *items, *outputs_to(items)], **ASKED)
    refusal = GeminiError(400, message)
    assert source.revise(refusal)
    translation = source.translate(FLASH_3, {})
    (part,) = translation.body["contents"][1]["parts"]
    assert part["thoughtSignature"] == NO_SIGNATURE
    assert translation.notes.adjusted == ["thought_signatures->none"]
    assert not source.revise(refusal)


def test_another_refusal_changes_nothing() -> None:
    source = source_of(input=[USER])
    assert not source.revise(GeminiError(400, "Invalid JSON payload received."))
    assert not source.revise(GeminiError(503, "Corrupted thought signature."))


def test_call_ids_are_unique_over_many_answers() -> None:
    import secrets

    from gemgate.api.responses.output import OutputMachine

    context = translate(**ASKED).context
    ids = set()
    for _ in range(200):
        machine = OutputMachine(context, secrets.token_hex(24))
        machine.feed(native(CALL, CALL, finishReason="STOP"))  # type: ignore[arg-type]  # as it comes
        machine.finish()
        ids |= {item["call_id"] for item in machine.output if "call_id" in item}
    assert len(ids) == 400


def test_reasoning_without_a_carrier_says_nothing_to_gemini() -> None:
    reasoning = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "secret plan"}], "content": None}
    assert contents(USER, reasoning, USER, **ASKED) == [{"role": "user", "parts": [{"text": "Hi"}, {"text": "Hi"}]}]
