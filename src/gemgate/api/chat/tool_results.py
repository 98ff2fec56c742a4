"""Results of tools as function responses."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from gemgate.gemini.types import FunctionResponse, FunctionResponsePart, Part
from gemgate.translation.content import ContentTranslator
from gemgate.wire import ContentPart, RefusalPart, TextPart


@dataclass(slots=True)
class Result:
    """What answers a call: the response part, and media that must follow in a turn of its own."""

    response: Part
    media: list[Part] = field(default_factory=list)


def function_result(
    name: str,
    call_id: str | None,
    content: str | list[ContentPart] | dict[str, Any] | None,
    param: str,
    translator: ContentTranslator,
) -> Result:
    """Translate the content of a tool message.

    `response` must be an object: a JSON object goes as it is, everything else as `{"result": …}`. Inline media goes
    into `functionResponse.parts` where the model takes it there (Gemini 3), and behind the responses elsewhere.
    """
    media: list[Part] = []
    if isinstance(content, list):
        texts = [part for part in content if isinstance(part, TextPart | RefusalPart)]
        rest = [(index, part) for index, part in enumerate(content) if not isinstance(part, TextPart | RefusalPart)]
        media = [found for index, part in rest if (found := translator.part(part, f"{param}[{index}]"))]
        content = "".join(part.text if isinstance(part, TextPart) else part.refusal for part in texts)
    native: FunctionResponse = {"name": name, "response": _response(content)}
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


def _response(content: str | dict[str, Any] | None) -> dict[str, Any]:
    value: Any = content
    if isinstance(content, str) and content.lstrip()[:1] in {"{", "["}:
        try:
            value = orjson.loads(content)
        except orjson.JSONDecodeError:
            value = content
    if isinstance(value, dict) and not _refers(value):
        return value
    if value is None:
        value = ""
    # Gemini takes "$ref" inside a response for a reference to one of its parts, and refuses it.
    return {"result": orjson.dumps(value).decode() if _refers(value) else value}


def _refers(value: Any) -> bool:
    if isinstance(value, dict):
        return "$ref" in value or any(_refers(item) for item in value.values())
    return isinstance(value, list) and any(_refers(item) for item in value)
