"""Results of tools as function responses."""

from dataclasses import dataclass, field

import orjson

from gemgate.errors import ApiError
from gemgate.gemini.proto_json import inner_values
from gemgate.gemini.types import FunctionResponse, FunctionResponsePart, Part
from gemgate.translation.content import ContentTranslator
from gemgate.translation.lenient_json import exact_numbers, read_json
from gemgate.wire import ContentPart, RefusalPart, TextPart


@dataclass(slots=True)
class Result:
    """What answers a call: the response part, and media that must follow in a turn of its own."""

    response: Part
    media: list[Part] = field(default_factory=list)


def function_result(
    name: str,
    call_id: str | None,
    content: str | list[ContentPart] | dict[str, object] | None,
    param: str,
    translator: ContentTranslator,
) -> Result:
    """Translate the content of a tool message.

    `response` must be an object: a JSON object goes as it is, everything else as `{"result": …}`. Several texts are the
    items of a list, as MCP servers give them: one a line, or a list where each is a JSON object or list. Integers that
    a double cannot hold go as text, because Google keeps numbers as doubles. Inline media goes into
    `functionResponse.parts` where the model takes it there (Gemini 3), and behind the responses elsewhere.
    """
    media: list[Part] = []
    given: str | list[object] | dict[str, object] | None = content if not isinstance(content, list) else None
    if isinstance(content, list):
        translator.items.take(len(content), param)
        texts = [part for part in content if isinstance(part, TextPart | RefusalPart)]
        for text in texts:
            translator.notes.drop_unknown(text.model_extra, f"{translator.place}.")
        rest = [(index, part) for index, part in enumerate(content) if not isinstance(part, TextPart | RefusalPart)]
        media = [found for index, part in rest if (found := translator.part(part, f"{param}[{index}]"))]
        given = _joined([part.text if isinstance(part, TextPart) else part.refusal for part in texts])
    native: FunctionResponse = {"name": name, "response": _response(given, param)}
    if call_id:
        native["id"] = call_id
    result = Result({"functionResponse": native})
    inside: list[FunctionResponsePart] = []
    for part in media:
        if translator.facts.response_parts and "inlineData" in part:
            inside.append({"inlineData": part["inlineData"]})
        else:
            result.media.append(part)
    if inside:
        native["parts"] = inside
    return result


def _joined(texts: list[str]) -> str | list[object]:
    texts = [text for text in texts if text]
    if len(texts) > 1 and all(text.lstrip()[:1] in _CONTAINERS for text in texts):
        values = [_value(text) for text in texts]
        if not any(isinstance(value, str) for value in values) and _survey(values)[1] <= _MAX_LEVELS:
            return values
    return "\n".join(texts)


def _value(text: str) -> object:
    """The object or list that `text` is; the text itself, when it is neither."""
    if text.lstrip()[:1] not in _CONTAINERS:
        return text
    try:
        return read_json(text)
    except ValueError:
        return text


def _response(content: str | list[object] | dict[str, object] | None, param: str) -> dict[str, object]:
    value: object = _value(content) if isinstance(content, str) else content
    refers, levels = _survey(value)
    if levels > _MAX_LEVELS and isinstance(content, str):
        return {"result": content}
    if not isinstance(content, str):
        value = _exact(value, param)
    if isinstance(value, dict) and not refers:
        return value
    if value is None:
        value = ""
    # Gemini takes "$ref" inside a response for a reference to one of its parts, and refuses it.
    return {"result": _written(value, param) if refers else value}


def _exact(value: object, param: str) -> object:
    try:
        return exact_numbers(value)
    except (ValueError, RecursionError) as error:
        raise _too_deep(param) from error


def _written(value: object, param: str) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError as error:
        raise _too_deep(param) from error


def _too_deep(param: str) -> ApiError:
    msg = f"'{param}' is nested more than about 200 levels deep."
    return ApiError(400, msg, param=param, code="invalid_value")


_CONTAINERS = frozenset("{[")
_MAX_LEVELS = 200
"""Of a result that is JSON: a deeper one could not be written again, and is given as the text that it is."""


def _survey(value: object) -> tuple[bool, int]:
    """Whether one of the objects in `value` has a key `$ref`, and how many levels deep it is."""
    refers, levels, level = False, 0, [value]
    while level:
        refers = refers or any(isinstance(item, dict) and "$ref" in item for item in level)
        levels += 1
        level = inner_values(level)
    return refers, levels
