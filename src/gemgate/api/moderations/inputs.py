"""What is judged: the items of `input` as native parts."""

from typing import NamedTuple

from gemgate.api.moderations.categories import Kind
from gemgate.api.moderations.wire import MAX_INPUTS, ModeratedPart, ModerationRequest
from gemgate.errors import ApiError
from gemgate.gemini.types import Part
from gemgate.media.references import InlineRef, Ref, inline_references, references, unique
from gemgate.translation.content import ContentTranslator
from gemgate.wire import TextPart


class ModeratedInput(NamedTuple):
    """One input: it has one result.

    Attributes:
        parts: Its native parts.
        kinds: What it has.
    """

    parts: list[Part]
    kinds: tuple[Kind, ...]


def media_of(request: ModerationRequest) -> list[Ref]:
    """The remote images and the files that it names."""
    return unique(references(_parts(request), "input"))


def inline_media_of(request: ModerationRequest) -> list[InlineRef]:
    """The images that it holds itself."""
    return list(inline_references(_parts(request), "input"))


def inputs_of(request: ModerationRequest, translator: ContentTranslator) -> list[ModeratedInput]:
    """The inputs, in their order.

    Raises:
        ApiError: 400 for no or too many inputs, empty text, and images that cannot be sent.
    """
    given = request.input
    if isinstance(given, str):
        return [_text(given, "input")]
    if not given:
        raise ApiError(400, "'input' is an empty list.", param="input", code="array_below_min_length")
    texts = [each for each in given if isinstance(each, str)]
    if texts:
        if len(texts) > MAX_INPUTS:
            msg = f"Invalid 'input': expected at most {MAX_INPUTS} texts, but got {len(texts)} instead."
            raise ApiError(400, msg, param="input", code="array_above_max_length")
        return [_text(text, f"input[{index}]") for index, text in enumerate(texts)]
    parts = _parts(request)
    translator.items.take(len(parts), "input")
    native = [part for index, each in enumerate(parts) if (part := translator.part(each, f"input[{index}]"))]
    if not native:
        raise _empty("input")
    present = {"text" if isinstance(each, TextPart) else "image" for each in parts}
    kinds: tuple[Kind, ...] = ("text", "image")
    return [ModeratedInput(native, tuple(kind for kind in kinds if kind in present))]


def _parts(request: ModerationRequest) -> list[ModeratedPart]:
    if not isinstance(request.input, list):
        return []
    return [each for each in request.input if not isinstance(each, str)]


def _text(text: str, param: str) -> ModeratedInput:
    if not text.strip():
        raise _empty(param)
    return ModeratedInput([{"text": text}], ("text",))


def _empty(param: str) -> ApiError:
    return ApiError(400, f"'{param}' is empty: there is nothing to judge.", param=param, code="invalid_value")
