"""Prompts as native requests."""

from typing import Any, get_type_hints

import orjson
import pytest
from openai.types import completion_create_params
from tests.support.chat import FLASH_20, FLASH_25, FLASH_37, PRO_25, chat_options

from gemgate.api.completions.prompts import BEGIN, CONTINUE, FILL_IN
from gemgate.api.completions.request import TextCompletionTranslation, to_gemini
from gemgate.api.completions.wire import PARAMETERS, TextCompletionRequest
from gemgate.emulator.validation import violations
from gemgate.errors import ApiError


def translated(model: str = FLASH_37, *, policy: Any = "warn", **fields: Any) -> Any:
    body = {"model": model, "prompt": "Once upon", **fields}
    translation = to_gemini(TextCompletionRequest.model_validate(body), chat_options(unsupported_params=policy))
    for native in translation.bodies():
        assert violations("GenerateContentRequest", native) == []
    return translation


def config(translation: TextCompletionTranslation) -> Any:
    return translation.body.get("generationConfig", {})


def texts(translation: TextCompletionTranslation) -> list[str]:
    return [body["contents"][0]["parts"][0]["text"] for body in translation.bodies()]


def refusal(**fields: Any) -> tuple[int, str | None, str | None]:
    with pytest.raises(ApiError) as refused:
        translated(**fields)
    return refused.value.status, refused.value.code, refused.value.param


def test_every_field_of_the_wire_model_has_a_fate() -> None:
    assert set(PARAMETERS) == set(TextCompletionRequest.model_fields)


def test_every_parameter_of_the_official_client_is_known() -> None:
    official = get_type_hints(completion_create_params.CompletionCreateParamsBase)
    assert set(official) | {"stream"} <= set(PARAMETERS)


def test_a_prompt_is_the_users_turn_below_an_instruction() -> None:
    translation = translated(FLASH_25)
    assert translation.body["contents"] == [{"role": "user", "parts": [{"text": "Once upon"}]}]
    assert translation.body["systemInstruction"] == {"parts": [{"text": CONTINUE}]}
    assert translation.body["store"] is False


def test_each_prompt_is_a_call_with_the_same_options() -> None:
    translation = translated(FLASH_25, prompt=["a", "b"], n=3, stop=["x"], seed=5)
    assert texts(translation) == ["a", "b"]
    assert translation.calls == 2
    assert all(body["generationConfig"] == config(translation) for body in translation.bodies())
    assert config(translation)["candidateCount"] == 3


def test_models_with_one_candidate_get_a_call_for_each_text_with_its_own_seed() -> None:
    translation = translated(prompt=["a", "b"], n=2, seed=5)
    assert texts(translation) == ["a", "a", "b", "b"]
    assert [body["generationConfig"]["seed"] for body in translation.bodies()] == [5, 6, 5, 6]


@pytest.mark.parametrize(
    ("model", "tokens", "native", "thinking", "limit"),
    [
        (FLASH_20, None, 16, None, None),
        (FLASH_25, None, 16, {"thinkingBudget": 0}, None),
        (FLASH_25, 40, 40, {"thinkingBudget": 0}, None),
        (PRO_25, 40, 1064, {"thinkingBudget": 128}, 40),
        (FLASH_37, None, 1040, {"thinkingLevel": "LOW"}, 16),
        ("gemini-3.5-flash-lite", 3, 1027, {"thinkingLevel": "MINIMAL"}, 3),
        (FLASH_37, 65_536, 65_536, {"thinkingLevel": "LOW"}, 65_536),
    ],
)
def test_thoughts_take_nothing_from_the_text(
    model: str, tokens: int | None, native: int, thinking: Any, limit: int | None
) -> None:
    translation = translated(model, max_tokens=tokens)
    assert config(translation)["maxOutputTokens"] == native
    assert config(translation).get("thinkingConfig") == thinking
    assert translation.limit == limit
    noted = [f"max_tokens={tokens or 16}->{native}"] if limit is not None else []
    assert translation.notes.adjusted == noted


def test_minus_one_is_no_limit() -> None:
    translation = translated(max_tokens=-1)
    assert "maxOutputTokens" not in config(translation)
    assert translation.limit is None


def test_what_the_caller_says_in_googles_words_stays() -> None:
    google = {"thinking_config": {"thinking_budget": 200}, "generation_config": {"top_k": 3}, "tools": [{}]}
    translation = translated(PRO_25, extra_body={"google": google}, max_tokens=10)
    assert config(translation) == {
        "topK": 3, "thinkingConfig": {"thinkingBudget": 200}, "maxOutputTokens": 210,
    }  # fmt: skip
    assert translation.notes.dropped == ["extra_body.google.tools"]
    own = translated(google={"generation_config": {"max_output_tokens": 7}})
    assert (config(own)["maxOutputTokens"], own.limit) == (7, None)


@pytest.mark.parametrize("suffix", [")\n# the end of it", "}"])
def test_a_suffix_is_told_in_words_and_ends_the_text_where_it_is_a_mark(suffix: str) -> None:
    translation = translated(prompt="f(", suffix=suffix, stop="x")
    assert texts(translation) == [f"<before>f(</before>\n<after>{suffix}</after>"]
    assert translation.body["systemInstruction"] == {"parts": [{"text": FILL_IN}]}
    assert "suffix=prompted" in translation.notes.adjusted
    assert config(translation)["stopSequences"] == ["x"]


def test_the_first_line_of_a_long_suffix_is_a_stop_sequence() -> None:
    assert config(translated(suffix="\n    return total\n"))["stopSequences"] == ["return total"]
    full = translated(suffix="return total", stop=list("abcde"))
    assert config(full)["stopSequences"] == list("abcde")


@pytest.mark.parametrize("prompt", ["", " \n", None])
def test_an_empty_prompt_begins_a_text(prompt: str | None) -> None:
    translation = translated(prompt=prompt)
    assert texts(translation) == [BEGIN]
    assert "prompt=''->begin" in translation.notes.adjusted


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"prompt": [1, 2]}, (400, "unsupported_value", "prompt")),
        ({"prompt": [[1, 2], [3]]}, (400, "unsupported_value", "prompt")),
        ({"prompt": ["a", [3]]}, (400, "unsupported_value", "prompt")),
        ({"prompt": []}, (400, "array_below_min_length", "prompt")),
        ({"prompt": ["a"] * 17, "n": 8}, (400, "array_above_max_length", "prompt")),
        ({"echo": True, "logprobs": 1}, (400, "unsupported_value", "echo")),
        ({"n": 2, "best_of": 1}, (400, "invalid_value", "best_of")),
        ({"best_of": 2, "stream": True}, (400, "invalid_value", "best_of")),
        ({"max_tokens": 0}, (400, "invalid_value", "max_tokens")),
        ({"model": FLASH_25, "logprobs": 1, "stream": True}, (400, "unsupported_parameter", "logprobs")),
        ({"logprobs": 1}, (400, "unsupported_parameter", "logprobs")),
        ({"stop": list("abcdef")}, (400, "invalid_value", "stop")),
        ({"model": "gemini-embedding-001"}, (400, "model_not_supported", "model")),
    ],
)
def test_what_cannot_be_followed_is_refused_by_name(fields: Any, expected: Any) -> None:
    assert refusal(**fields) == expected


@pytest.mark.parametrize(("logprobs", "native"), [(0, {"responseLogprobs": True}), (3, {"logprobs": 3})])
def test_logprobs_are_chats(logprobs: int, native: Any) -> None:
    assert config(translated(FLASH_25, logprobs=logprobs)).items() >= native.items()


def test_what_has_no_counterpart_is_dropped_visibly_or_refused() -> None:
    fields: Any = {"user": "me", "logit_bias": {"5": 1}, "best_of": 3, "frobnicate": 1, "stream_options": {"shape": 1}}
    expected = {"user", "logit_bias", "best_of", "frobnicate", "stream_options.shape"}
    assert set(translated(**fields).notes.dropped) == expected
    assert refusal(policy="strict", user="me") == (400, "unsupported_parameter", "user")


def test_the_same_request_gives_the_same_bytes() -> None:
    assert orjson.dumps(translated().bodies()) == orjson.dumps(translated().bodies())
