"""The input of a request as native parts: Google's Decisions API has no turns, so that roles become words."""

import json
from collections.abc import Iterator

import orjson

from gemgate.api.decisions.wire import (
    DecisionImage,
    DecisionItem,
    DecisionJson,
    DecisionPart,
    DecisionRequest,
    DecisionText,
)
from gemgate.errors import ApiError, missing_field
from gemgate.gemini.types import Part
from gemgate.media.references import InlineRef, Ref, inline_references, references, unique
from gemgate.translation.content import ContentTranslator
from gemgate.translation.notes import Notes
from gemgate.wire import ContentPart, ImagePart, ImageUrl, TextPart

Body = str | list[DecisionPart]

_NOTHING = TextPart(type="text", text="")


def media_of(request: DecisionRequest) -> list[Ref]:
    """The remote images that it names."""
    return unique(ref for parts, param in _images(request) for ref in references(parts, param))


def inline_media_of(request: DecisionRequest) -> list[InlineRef]:
    """The images that it holds itself."""
    return [ref for parts, param in _images(request) for ref in inline_references(parts, param)]


def parts_of(request: DecisionRequest, translator: ContentTranslator) -> list[Part]:
    """The input as native parts; texts that follow each other are one.

    Raises:
        ApiError: 400 for an empty input, an output without its call, and images that cannot be sent.
    """
    if isinstance(request.input, str):
        if not request.input.strip():
            raise _empty()
        return [{"text": request.input}]
    parts: list[Part] = []
    calls: set[str] = set()
    for index, item in enumerate(request.input):
        param = f"input[{index}]"
        translator.notes.drop_unknown(item.model_extra, "input[].")
        _check_call(item, calls, param)
        for part in _item(item, param, translator):
            text = part.get("text")
            if text is not None and parts and "text" in parts[-1]:
                parts[-1] = {"text": f"{parts[-1]['text']}\n{text}"}
            else:
                parts.append(part)
    if not parts:
        raise _empty()
    return parts


def words_of(body: Body, param: str, notes: Notes) -> str:
    """Instructions as text.

    Raises:
        ApiError: 400 for an image, which Google's questions cannot hold, and for nothing to read.
    """
    if isinstance(body, str):
        text = body
    else:
        texts = []
        for index, part in enumerate(body):
            if isinstance(part, DecisionImage):
                msg = f"'{param}[{index}]' is an image, and Gemini's questions are text: put it into 'input'."
                raise ApiError(400, msg, param=f"{param}[{index}]", code="unsupported_value")
            texts.append(_words(part, notes))
        text = "\n".join(texts)
    if not text.strip():
        raise ApiError(400, f"'{param}' is empty: Gemini needs a question.", param=param, code="invalid_value")
    return text


def _item(item: DecisionItem, param: str, translator: ContentTranslator) -> Iterator[Part]:
    """The parts of one item, with what it is before the first text."""
    if item.type == "message":
        if item.role is None:
            raise missing_field(f"{param}.role")
        if item.content is None:
            raise missing_field(f"{param}.content")
        yield from _body(item.content, f"{item.role}: ", f"{param}.content", translator)
    elif item.type in ("function_call", "custom_tool_call"):
        given = item.arguments if item.type == "function_call" else item.input
        yield {"text": f"assistant calls {item.name or ''}: {given or ''}"}
    else:
        yield from _body(item.output or "", f"output of {item.call_id}: ", f"{param}.output", translator)


def _body(body: Body, head: str, param: str, translator: ContentTranslator) -> Iterator[Part]:
    if isinstance(body, str):
        yield {"text": head + body}
        return
    translator.items.take(len(body), param)
    yield {"text": head.rstrip()}
    for index, part in enumerate(body):
        if isinstance(part, DecisionImage):
            _drop_breakpoint(part.model_extra, translator.notes)
            native = translator.part(_image(part), f"{param}[{index}]")
            if native is not None:
                yield native
        else:
            yield {"text": _words(part, translator.notes)}


def _words(part: DecisionPart, notes: Notes) -> str:
    _drop_breakpoint(part.model_extra, notes)
    if isinstance(part, DecisionText):
        return part.text
    if isinstance(part, DecisionJson):
        try:
            return orjson.dumps(part.data).decode()
        except TypeError:  # an integer that is too long for it
            return json.dumps(part.data, ensure_ascii=False)
    return "" if isinstance(part, DecisionImage) else part.refusal


def _drop_breakpoint(extra: dict[str, object] | None, notes: Notes) -> None:
    """`prompt_cache_breakpoint`, and all that is not known."""
    if extra:
        notes.drop_unknown(extra, "input[].content[].")


def _images(request: DecisionRequest) -> Iterator[tuple[list[ContentPart], str]]:
    """Lists of parts with the images in their places, and the names of the lists."""
    if isinstance(request.input, str):
        return
    for index, item in enumerate(request.input):
        for body, name in ((item.content, "content"), (item.output, "output")):
            if isinstance(body, list):
                parts = [_image(part) if isinstance(part, DecisionImage) else _NOTHING for part in body]
                yield list(parts), f"input[{index}].{name}"


def _image(part: DecisionImage) -> ImagePart:
    detail = None if part.detail == "auto" else part.detail
    return ImagePart(type="image_url", image_url=ImageUrl(url=part.image_url, detail=detail))


def _check_call(item: DecisionItem, calls: set[str], param: str) -> None:
    if item.type == "message":
        return
    if item.call_id is None:
        raise missing_field(f"{param}.call_id")
    if not item.type.endswith("_output"):
        calls.add(item.call_id)
    elif item.call_id not in calls:
        msg = f"'{param}.call_id' is of no call before it."
        raise ApiError(400, msg, param=f"{param}.call_id", code="invalid_value")


def _empty() -> ApiError:
    return ApiError(400, "'input' is empty: there is nothing to decide about.", param="input", code="invalid_value")
