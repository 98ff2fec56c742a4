"""Reports to a caller in OpenAI's words what pydantic found wrong with a request."""

import codecs
import json
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar, get_args

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from gemgate.errors import ApiError
from gemgate.redaction import redact
from gemgate.translation.lenient_json import STRING_OR_LAST_COMMA, without_half_pairs
from gemgate.translation.request_size import CHECKED_BYTES, TOO_DEEP, check_values

ModelT = TypeVar("ModelT", bound=BaseModel)
Steps = tuple[str | int, ...]


def parse(model: type[ModelT], raw: bytes) -> ModelT:
    """The body of a request as `model`.

    Raises:
        ApiError: 400, naming the parameter at fault; `invalid_json` when it cannot be read even after `_repair_json`,
            `too_many_values` when it holds more than is read (`request_size`).
    """
    if len(raw) >= CHECKED_BYTES:
        check_values(raw)
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        mended = _repair_json(raw) if error.errors(include_url=False)[0]["type"] == "json_invalid" else None
        if mended is None:
            raise from_validation(error, raw) from None
    return parse(model, mended)


def parse_value(model: type[ModelT], value: object) -> ModelT:
    """The same for JSON that was read before, into Python's lists and dicts, by strict rules.

    Its size is not looked at: see `request_size`.

    Raises:
        ApiError: 400, naming the parameter at fault.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise from_details(error.errors(include_url=False), value) from None


_MAX_MENDED = 200_000  # quotes and commas: a tenth of a second


def _repair_json(raw: bytes) -> bytes | None:
    """Strict JSON of JSON with a last comma in a list, line ends in a string, or half an emoji; None if more is wrong.

    Google's product page has the first two: `"n": 1,}` in its snippet for images, and `base64 -i`, which breaks lines
    on Linux. JavaScript clients that cut a string by UTF-16 units leave half of a surrogate pair: it becomes U+FFFD.
    A byte order mark, which clients on Windows write, says nothing.
    """
    if raw.count(b'"') + raw.count(b",") > _MAX_MENDED:
        return None
    try:
        text = STRING_OR_LAST_COMMA.sub(lambda found: found[1] or "", _text_of(raw))
        value = json.JSONDecoder(strict=False).decode(text)
        mended = without_half_pairs(json.dumps(value, ensure_ascii=False, separators=(",", ":"))).encode()
    except (ValueError, TypeError, RecursionError):
        return None
    return mended if mended != raw else None


def _text_of(raw: bytes) -> str:
    """The text of a body whose UTF-8 may have a mark before it, and surrogates within.

    Raises:
        UnicodeDecodeError: it is not UTF-8 otherwise.
    """
    text = raw.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogatepass")
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def from_validation(error: ValidationError, raw: bytes | None = None) -> ApiError:
    """The first problem as a 400; `raw` is the JSON that was validated, and helps to find the parameter's path."""
    try:
        data = orjson.loads(raw) if raw is not None else _UNKNOWN
    except orjson.JSONDecodeError:
        data = _UNKNOWN
    return from_details(error.errors(include_url=False), data)


def from_details(details: Sequence[ErrorDetails], data: object = None) -> ApiError:
    """The same for a list of pydantic's error details; `data` is the parsed input, if there is one."""
    data = _UNKNOWN if data is None else data
    problems = [_Problem(_steps(detail, data), detail) for detail in details]
    chosen = _deepest(problems)
    same = [problem for problem in problems if problem.steps == chosen.steps]
    others = {problem.steps for problem in problems if not _related(problem.steps, chosen.steps)}
    error = _describe(chosen, same)
    if others:
        error.message += f" (and {len(others)} more)"
    return error


class _Unknown:
    """The input is not at hand."""


_UNKNOWN = _Unknown()


class _Problem(NamedTuple):
    steps: Steps
    detail: ErrorDetails


def path_of(steps: Steps) -> str:
    """`("messages", 0, "role")` as `messages[0].role`."""
    path = ""
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def _steps(detail: ErrorDetails, data: Any) -> Steps:
    """Where the error is in the caller's JSON: pydantic's location also names the branches of unions it tried."""
    location = [step for step in detail["loc"] if step != "__root__"]
    if location and location[0] in ("body", "query", "path", "header", "cookie"):
        location = location[1:]
    absent = detail["type"] == "missing"
    steps: list[str | int] = []
    for position, step in enumerate(location):
        if absent and position == len(location) - 1:
            steps.append(step)
        elif isinstance(data, _Unknown):
            if isinstance(step, int) or not _names_a_branch(step):
                steps.append(step)
        elif _holds(data, step):
            data = data[step]
            steps.append(step)
    return tuple(steps) + _discriminator(detail)


def _holds(data: object, step: str | int) -> bool:
    return step in data if isinstance(data, dict) else isinstance(data, list) and step in range(len(data))


def _names_a_branch(step: str) -> bool:
    return not step.isidentifier() or step in ("str", "int", "float", "bool", "dict", "list", "none", "bytes")


def _discriminator(detail: ErrorDetails) -> Steps:
    name = str(detail.get("ctx", {}).get("discriminator", "")).strip("'")
    return (name,) if name.isidentifier() else ()


def _deepest(problems: Sequence[_Problem]) -> _Problem:
    """The first problem, or what lies deeper in the same place: the branch of a union that came closest."""
    chosen = problems[0]
    for problem in problems:
        if len(problem.steps) > len(chosen.steps) and problem.steps[: len(chosen.steps)] == chosen.steps:
            chosen = problem
    return chosen


def _related(one: Steps, other: Steps) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _describe(problem: _Problem, same: Sequence[_Problem]) -> ApiError:
    kind, detail = problem.detail["type"], problem.detail
    path = path_of(problem.steps)
    if kind == "json_invalid" and str(detail["ctx"]["error"]).startswith("recursion limit"):
        return _error(TOO_DEEP, None, "json_too_deep")
    if kind == "json_invalid":
        return _error(f"The body is not valid JSON: {detail['ctx']['error']}.", None, "invalid_json")
    if kind in ("missing", "union_tag_not_found"):
        return _error(f"Missing required parameter: '{path}'.", path, "missing_required_parameter")
    if kind == "extra_forbidden":
        return _error(f"Unknown parameter: '{path}'.", path, "unknown_parameter")
    if kind in _CHOICES:
        return _choice(path, same)
    if kind in _BOUNDS:
        return _bound(path, detail)
    if kind in _SIZES:
        return _size(path, detail)
    if _is_type(kind):
        return _wrong_type(path, same)
    text = str(detail["ctx"]["error"]) if kind == "value_error" else detail["msg"]
    code = "invalid_value" if kind in _PYDANTICS else kind
    return _error(f"Invalid {_quoted(path)}: {redact(text).rstrip('.')}.", path, code)


_PYDANTICS = frozenset(get_args(ErrorType))  # any other type is a code that a validator of ours gave


def _error(message: str, param: str | None, code: str) -> ApiError:
    return ApiError(400, message, param=param or None, code=code)


def _quoted(path: str) -> str:
    return f"'{path}'" if path else "body"


# Where each kind of pydantic's errors keeps the values it would have taken.
_CHOICES = {"literal_error": "expected", "enum": "expected", "union_tag_invalid": "expected_tags"}


def _choice(path: str, same: Sequence[_Problem]) -> ApiError:
    choices: dict[str, None] = {}
    for problem in same:
        if key := _CHOICES.get(problem.detail["type"]):
            for choice in str(problem.detail["ctx"][key]).replace(" or ", ", ").split(", "):
                choices[choice] = None
    detail = same[0].detail
    value = detail["ctx"]["tag"] if detail["type"] == "union_tag_invalid" else detail["input"]
    return _error(
        f"Invalid value for {_quoted(path)}: {show(value)}. Supported values are: {', '.join(choices)}.",
        path,
        "invalid_value",
    )


# Error type: the key of the limit, how the limit reads, and the end of OpenAI's code.
_BOUNDS = {
    "greater_than": ("gt", ">", "below_min_value"),
    "greater_than_equal": ("ge", ">=", "below_min_value"),
    "less_than": ("lt", "<", "above_max_value"),
    "less_than_equal": ("le", "<=", "above_max_value"),
}


def _bound(path: str, detail: ErrorDetails) -> ApiError:
    key, sign, ending = _BOUNDS[detail["type"]]
    kind = "integer" if isinstance(detail["input"], int) else "decimal"
    return _error(
        f"Invalid {_quoted(path)}: expected a value {sign} {detail['ctx'][key]}, "
        f"but got {show(detail['input'])} instead.",
        path,
        f"{kind}_{ending}",
    )


_SIZES = {
    "string_too_long": ("string", "max_length", "at most", "characters", "above_max_length"),
    "string_too_short": ("string", "min_length", "at least", "characters", "below_min_length"),
    "too_long": ("array", "max_length", "at most", "items", "above_max_length"),
    "too_short": ("array", "min_length", "at least", "items", "below_min_length"),
}


def _size(path: str, detail: ErrorDetails) -> ApiError:
    kind, key, word, unit, ending = _SIZES[detail["type"]]
    length = detail["ctx"].get("actual_length", len(detail["input"]))
    return _error(
        f"Invalid {_quoted(path)}: expected {word} {detail['ctx'][key]} {unit}, but got {length} instead.",
        path,
        f"{kind}_{ending}",
    )


_TYPE_NAMES = {
    "string": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "a boolean",
    "list": "an array",
    "tuple": "an array",
    "dict": "an object",
    "model": "an object",
    "model_attributes": "an object",
    "none_required": "null",
    "bytes": "a string",
}


def _is_type(kind: str) -> bool:
    return kind.endswith(("_type", "_parsing", "_from_float")) or kind == "none_required"


def _wrong_type(path: str, same: Sequence[_Problem]) -> ApiError:
    expected: dict[str, None] = {}
    for detail in (problem.detail for problem in same if _is_type(problem.detail["type"])):
        name = detail["type"].removesuffix("_type").removesuffix("_parsing").removesuffix("_from_float")
        expected[_TYPE_NAMES.get(name) or str(detail["msg"])] = None
    return _error(
        f"Invalid type for {_quoted(path)}: expected {' or '.join(expected)}, "
        f"but got {show(same[0].detail['input'], with_type=True)} instead.",
        path,
        "invalid_type",
    )


_SHOWN = 40
_MAX_READ = 1_000


def show(value: object, *, with_type: bool = False) -> str:
    """A value as a message may quote it: short, without secrets, and a container only by its kind."""
    match value:
        case None | bool():
            return orjson.dumps(value).decode()
        case dict():
            return "an object"
        case list() | tuple():
            return "an array"
        case str():
            text = redact(value[:_MAX_READ])
            quoted = f"'{text[:_SHOWN]}…'" if len(text) > _SHOWN else f"'{text}'"
            return f"a string ({quoted})" if with_type else quoted
        case int() | float():
            kind = "an integer" if isinstance(value, int) else "a decimal"
            text = f"{value}"[:_SHOWN]
            return f"{kind} ({text})" if with_type else text
        case _:
            return f"a {type(value).__name__}"
