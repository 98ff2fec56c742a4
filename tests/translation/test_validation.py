import json
import re
import time
from typing import Annotated, Any, Literal

import orjson
import pytest
from hypothesis import given, settings, strategies
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from gemgate.api.chat.wire import ChatCompletionRequest
from gemgate.errors import ApiError
from gemgate.translation.notes import Notes
from gemgate.translation.validation import (
    from_details,
    from_validation,
    parse,
    path_of,
    show,
)

MAX_SECONDS = 2.0


class Text(BaseModel):
    type: Literal["text"]
    text: str


class Url(BaseModel):
    url: str


class Image(BaseModel):
    type: Literal["image_url"]
    image_url: Url


class User(BaseModel):
    role: Literal["user"]
    content: str | list[Annotated[Text | Image, Field(discriminator="type")]]


class System(BaseModel):
    role: Literal["system"]
    content: str


def _kind(value: Any) -> str:
    return "object" if isinstance(value, dict) else "text"


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(min_length=1, max_length=8)]
    messages: Annotated[list[Annotated[User | System, Field(discriminator="role")]], Field(min_length=1, max_length=3)]
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    n: Annotated[int | None, Field(gt=0, lt=9)] = None
    stream: bool | None = None
    choice: Literal["auto", "none"] | Url | None = None
    stop: str | list[str] | None = None
    metadata: dict[str, str] | None = None
    kind: Annotated[Annotated[str, Tag("text")] | Annotated[Url, Tag("object")], Discriminator(_kind)] = "x"

    @field_validator("stop")
    @classmethod
    def _no_newline(cls, value: Any) -> Any:
        if value == "\n":
            raise ValueError("a newline cannot be a stop sequence.")
        if value == "custom":
            raise PydanticCustomError("unsupported_value", "it is not {what}", {"what": "supported"})
        return value


USER = {"role": "user", "content": "hi"}


def refused(**body: Any) -> ApiError:
    return refused_raw(orjson.dumps({"model": "m", "messages": [USER]} | body))


def refused_raw(raw: bytes) -> ApiError:
    with pytest.raises(ApiError) as caught:
        parse(Body, raw)
    assert caught.value.status == 400
    assert caught.value.type == "invalid_request_error"
    return caught.value


def test_a_good_body_is_the_model() -> None:
    assert parse(Body, orjson.dumps({"model": "m", "messages": [USER]})).model == "m"


@pytest.mark.parametrize(
    ("body", "param", "code", "message"),
    [
        ({"messages": []}, "messages", "array_below_min_length", "expected at least 1 items, but got 0"),
        ({"messages": [USER] * 4}, "messages", "array_above_max_length", "expected at most 3 items, but got 4"),
        ({"model": ""}, "model", "string_below_min_length", "expected at least 1 characters, but got 0"),
        ({"model": "m" * 9}, "model", "string_above_max_length", "expected at most 8 characters, but got 9"),
        ({"temperature": 2.5}, "temperature", "decimal_above_max_value", "expected a value <= 2.0, but got 2.5"),
        ({"temperature": -1}, "temperature", "integer_below_min_value", "expected a value >= 0.0, but got -1"),
        ({"n": 9}, "n", "integer_above_max_value", "expected a value < 9, but got 9"),
        ({"n": 0}, "n", "integer_below_min_value", "expected a value > 0, but got 0"),
        ({"n": 1.5}, "n", "invalid_type", "expected an integer, but got a decimal (1.5) instead"),
        ({"stream": "maybe"}, "stream", "invalid_type", "expected a boolean, but got a string ('maybe') instead"),
        ({"temperature": "hot"}, "temperature", "invalid_type", "expected a number, but got a string ('hot')"),
        ({"model": None}, "model", "invalid_type", "expected a string, but got null instead"),
        ({"metadata": []}, "metadata", "invalid_type", "expected an object, but got an array instead"),
        ({"metadata": {"a": {}}}, "metadata.a", "invalid_type", "expected a string, but got an object instead"),
        ({"stop": 5}, "stop", "invalid_type", "expected a string or an array, but got an integer (5) instead"),
        ({"stop": ["a", 5]}, "stop[1]", "invalid_type", "expected a string, but got an integer (5) instead"),
        ({"stop": "\n"}, "stop", "invalid_value", "Invalid 'stop': a newline cannot be a stop sequence."),
        ({"stop": "custom"}, "stop", "unsupported_value", "Invalid 'stop': it is not supported."),
        ({"foo": 1}, "foo", "unknown_parameter", "Unknown parameter: 'foo'."),
        (
            {"choice": "often"},
            "choice",
            "invalid_value",
            "Invalid value for 'choice': 'often'. Supported values are: 'auto', 'none'.",
        ),
        ({"choice": {}}, "choice.url", "missing_required_parameter", "Missing required parameter: 'choice.url'."),
        ({"kind": {}}, "kind.url", "missing_required_parameter", "Missing required parameter: 'kind.url'."),
        ({"messages": [{"content": "x"}]}, "messages[0].role", "missing_required_parameter", "'messages[0].role'"),
        (
            {"messages": [USER, {"role": "me", "content": ""}]},
            "messages[1].role",
            "invalid_value",
            "Invalid value for 'messages[1].role': 'me'. Supported values are: 'user', 'system'.",
        ),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter", "Missing"),
        ({"messages": ["hi"]}, "messages[0]", "invalid_type", "expected an object, but got a string ('hi')"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "smell"}]}]},
            "messages[0].content[1].type",
            "invalid_value",
            "'smell'. Supported values are: 'text', 'image_url'.",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content[0].image_url",
            "missing_required_parameter",
            "Missing required parameter: 'messages[0].content[0].image_url'.",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": 1}}]}]},
            "messages[0].content[0].image_url.url",
            "invalid_type",
            "expected a string, but got an integer (1) instead",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": 1}]}]},
            "messages[0].content[0].image_url",
            "invalid_type",
            "expected an object, but got an integer (1) instead",
        ),
    ],
)
def test_a_wrong_body_names_the_parameter_the_value_and_the_way_out(
    body: dict[str, Any], param: str, code: str, message: str
) -> None:
    error = refused(**body)
    assert (error.param, error.code) == (param, code)
    assert message in error.message


def test_a_missing_parameter_is_named() -> None:
    error = refused_raw(orjson.dumps({"messages": [USER]}))
    assert error.message == "Missing required parameter: 'model'."
    assert error.param == "model"


def test_of_several_errors_the_first_is_told_and_the_others_counted() -> None:
    error = refused(temperature=3, n=0, stop=5)
    assert error.param == "temperature"
    assert error.message.endswith("(and 2 more)")


@pytest.mark.parametrize(
    ("raw", "where"), [(b'{"model": }', "line 1 column 11"), (b"\xff\xfe", "line 1"), (b"[1,", "line 1 column 3")]
)
def test_what_is_not_json_is_told_with_its_position(raw: bytes, where: str) -> None:
    error = refused_raw(raw)
    assert (error.code, error.param) == ("invalid_json", None)
    assert where in error.message


def test_a_body_that_is_no_object_has_no_parameter() -> None:
    error = refused_raw(b"[]")
    assert (error.code, error.param) == ("invalid_type", None)
    assert error.message == "Invalid type for body: expected an object, but got an array instead."


def test_a_secret_in_a_wrong_value_is_not_repeated() -> None:
    assert "0123456789" not in refused(n="Bearer abc0123456789").message


def test_a_long_value_is_cut_short() -> None:
    assert len(refused(n="x" * 1_000_000).message) < 200


def test_without_the_input_the_branches_of_unions_are_left_out_as_far_as_they_show() -> None:
    with pytest.raises(ValidationError) as caught:
        Body.model_validate({"model": "m", "messages": [USER], "stop": ["a", 5]})
    assert from_validation(caught.value).param == "stop[1]"
    assert from_validation(caught.value, b"{not json").param == "stop[1]"


def test_a_location_that_fastapi_gives_loses_its_first_word() -> None:
    details: list[Any] = [{"type": "missing", "loc": ("query", "limit"), "msg": "Field required", "input": None}]
    assert from_details(details).param == "limit"


def test_an_error_of_another_kind_keeps_pydantics_words() -> None:
    details: list[Any] = [
        {"type": "finite_number", "loc": ("top_p",), "msg": "Input should be a finite number", "input": 1}
    ]
    error = from_details(details, {"top_p": 1})
    assert (error.message, error.code) == ("Invalid 'top_p': Input should be a finite number.", "invalid_value")


def test_an_expected_type_without_a_name_of_ours_is_told_in_pydantics_words() -> None:
    details: list[Any] = [{"type": "date_type", "loc": ("day",), "msg": "Input should be a valid date", "input": ()}]
    assert "Input should be a valid date, but got an array" in from_details(details, {"day": 1}).message


def test_a_value_of_no_json_type_is_shown_by_its_type() -> None:
    assert show(b"x") == "a bytes"
    assert show(True) == "true"
    assert show([1], with_type=True) == "an array"


def test_a_path_begins_without_a_dot() -> None:
    assert path_of(("messages", 0, "content", 1, "type")) == "messages[0].content[1].type"
    assert path_of((0, "a")) == "[0].a"


def test_the_real_request_names_the_part_of_a_message_at_fault() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}
    with pytest.raises(ApiError) as caught:
        parse(ChatCompletionRequest, orjson.dumps(body))
    assert caught.value.param == "messages[0].content[0].text"


JSON = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats(allow_nan=False)
    | strategies.text(),
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(
            strategies.sampled_from(["role", "content", "type", "text", "image_url", "url", "tools", "function", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def error_of(raw: bytes) -> ApiError | None:
    try:
        parse(ChatCompletionRequest, raw)
    except ApiError as error:
        return error
    return None


@settings(max_examples=300)
@given(body=strategies.dictionaries(strategies.sampled_from(sorted(ChatCompletionRequest.model_fields)), JSON))
def test_no_body_is_worse_than_a_400_that_names_a_parameter_of_it(body: dict[str, Any]) -> None:
    if error := error_of(json.dumps(body).encode()):
        assert error.status == 400
        assert error.message
        assert error.code
        assert error.param is not None
        assert re.split(r"[.\[]", error.param)[0] in ChatCompletionRequest.model_fields


@pytest.mark.parametrize("value", ["1" * 10_000, "1e999", "[" * 500 + "]" * 500, '"\\ud800"'])
def test_a_monstrous_value_is_a_400_too(value: str) -> None:
    error = refused_raw(b'{"model": "m", "messages": [{"role": "user", "content": "hi"}], "n": %s}' % value.encode())
    assert error.code in ("invalid_type", "invalid_json", "invalid_value", "json_too_deep")
    assert len(error.message) < 300


@pytest.mark.parametrize(
    "messages",
    [
        '[{"role": "user", "content": "a\nb"}]',
        '[{"role": "user", "content": "a\nb",},\n]',
        '[{"role": "user", "content": "a\\nb"}\n, ]',
    ],
)
def test_the_slips_of_googles_own_snippets_are_read(messages: str) -> None:
    request = parse(ChatCompletionRequest, f'{{"model": "m", "messages": {messages},}}'.encode())
    assert request.messages[0] == {"role": "user", "content": "a\nb"}


@pytest.mark.parametrize("raw", ['{"a": "x,]",', '{"model": "m",,}', '{"a": 1}{', "{'model': 'm'}", "\xff"])
def test_other_slips_are_no_json(raw: str) -> None:
    assert refused_raw(raw.encode("latin-1")).code == "invalid_json"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a": "' + b'\\"' * 500_000,
        b'{"a": "' + b"\\" * 500_001,
        b'{"a": ' + b", " * 500_000,
        b'"' * 500_000,
        b"[1" + b" " * 500_000,
        b'{"messages": [' * 50_000,
    ],
    ids=["escaped quotes", "backslashes", "commas", "quotes", "spaces", "depth"],
)
def test_what_is_no_json_is_refused_in_no_time(raw: bytes) -> None:
    began = time.process_time()
    with pytest.raises(ApiError):
        parse(ChatCompletionRequest, raw)
    assert time.process_time() - began < MAX_SECONDS


@pytest.mark.parametrize(
    ("field", "item"),
    [("messages", b"1"), ("messages", b"{}"), ("tools", b"{}"), ("stop", b"1"), ("functions", b"{}")],
)
def test_a_million_wrong_items_are_refused_at_the_first(field: str, item: bytes) -> None:
    raw = b'{"model": "m", "messages": [], "%b": [' % field.encode() + b",".join([item] * 200_000) + b"]}"
    began = time.process_time()
    with pytest.raises(ApiError):
        parse(ChatCompletionRequest, raw)
    assert time.process_time() - began < MAX_SECONDS


def test_a_million_unknown_fields_are_noted_in_no_time() -> None:
    notes = Notes()
    began = time.process_time()
    notes.drop_unknown({f"field_{number}": 1 for number in range(200_000)})
    assert time.process_time() - began < MAX_SECONDS
    assert len(notes.headers()["x-gemgate-dropped-params"]) <= 2048


@pytest.mark.parametrize("depth", [250, 100_000])
def test_json_that_is_nested_too_deeply_says_so(depth: int) -> None:
    deep = b'{"a":' * depth + b"1" + b"}" * depth
    with pytest.raises(ApiError) as refused:
        parse(
            ChatCompletionRequest, b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "x": ' + deep + b"}"
        )
    assert (refused.value.status, refused.value.code) == (400, "json_too_deep")
