"""The items of `input` as native content."""

import re
from collections.abc import Iterator

from gemgate.api.embeddings.wire import EmbeddingRequest, Part
from gemgate.errors import ApiError
from gemgate.gemini import types as native
from gemgate.media.references import (
    InlineRef,
    Ref,
    inline_references,
    references,
    unique,
)
from gemgate.translation.content import ContentTranslator
from gemgate.wire import TextPart

MAX_ITEMS = 2048

_NOTHING = TextPart(type="text", text="")


def media_of(request: EmbeddingRequest) -> list[Ref]:
    """The remote media and the files that someone must fetch or look up, in their order."""
    return unique(ref for parts, param in _part_lists(request) for ref in references(parts, param))


def inline_media_of(request: EmbeddingRequest) -> list[InlineRef]:
    """The media that the items hold themselves."""
    return [ref for parts, param in _part_lists(request) for ref in inline_references(parts, param)]


def _part_lists(request: EmbeddingRequest) -> Iterator[tuple[list[Part], str]]:
    """Lists of parts with their names; items that are parts themselves are in `input`."""
    if not isinstance(request.input, list):
        return
    yield [_NOTHING if isinstance(item, str | int | list) else item for item in request.input], "input"
    for index, item in enumerate(request.input):
        if isinstance(item, list):
            yield [_NOTHING if isinstance(part, int) else part for part in item], f"input[{index}]"


def contents(request: EmbeddingRequest, translator: ContentTranslator) -> list[native.Content]:
    """The content of each item, in order: never two items in one, because some models fuse the parts of a content.

    Raises:
        ApiError: 400 for no or too many items, tokens, empty text, and media that cannot be sent.
    """
    if isinstance(request.input, str):
        return [{"parts": [_text(request.input, "input", translator)]}]
    items = [item for item in request.input if not isinstance(item, int)]
    if len(items) < len(request.input):
        raise _tokens("input")
    if not items:
        raise ApiError(400, "'input' is an empty list.", param="input", code="array_below_min_length")
    if len(items) > MAX_ITEMS:
        msg = f"Invalid 'input': expected at most {MAX_ITEMS} items, but got {len(items)} instead."
        raise ApiError(400, msg, param="input", code="array_above_max_length")
    return [{"parts": _parts(item, f"input[{index}]", translator)} for index, item in enumerate(items)]


def _parts(item: str | Part | list[Part] | list[int], param: str, translator: ContentTranslator) -> list[native.Part]:
    if isinstance(item, str):
        return [_text(item, param, translator)]
    if not isinstance(item, list):
        return [_part(item, param, translator)]
    if not item:
        raise ApiError(400, f"'{param}' is an empty list.", param=param, code="array_below_min_length")
    translator.items.take(len(item), param)
    parts = [part for part in item if not isinstance(part, int)]
    if len(parts) < len(item):
        raise _tokens(param)
    return [_part(part, f"{param}[{index}]", translator) for index, part in enumerate(parts)]


def _tokens(param: str) -> ApiError:
    msg = (
        f"'{param}' holds token numbers, and Gemini has tokens of its own: send the text. "
        "In LangChain that is OpenAIEmbeddings(check_embedding_ctx_length=False)."
    )
    return ApiError(400, msg, param=param, code="unsupported_value")


def _text(text: str, param: str, translator: ContentTranslator) -> native.Part:
    if not text:
        raise ApiError(400, f"'{param}' is an empty string, which has no embedding.", param=param, code="invalid_value")
    if text.startswith(("gs://", "data:")) and _MEDIA.fullmatch(text[:_LONGEST]):
        return _media(text, param, translator)
    return {"text": text}


_LONGEST = 8192
_MEDIA = re.compile(r"gs://[^\s/]+/\S+|data:[a-zA-Z]+/[a-zA-Z0-9.+-]+[;,]\S*")


def _media(url: str, param: str, translator: ContentTranslator) -> native.Part:
    """A text that is the URL of media, which would be embedded as the letters that it is."""
    if not translator.facts.embedding_usage:
        msg = (
            f"'{param}' is the URL of media ({url[:40]!r}), and this model embeds text only. Use gemini-embedding-2, "
            "or send the text itself."
        )
        raise ApiError(400, msg, param=param, code="unsupported_value")
    return translator.by_url(url, param)


def _part(part: Part, param: str, translator: ContentTranslator) -> native.Part:
    if isinstance(part, TextPart) and not part.text:
        return _text(part.text, f"{param}.text", translator)
    return translator.part(part, param) or {}
