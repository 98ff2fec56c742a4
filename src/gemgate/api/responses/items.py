"""Items of an input as they are read: of what kind each is, where it is, and its content parts. No I/O."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from gemgate.errors import ApiError, missing_field
from gemgate.media.references import InlineRef, Ref, inline_references, references, unique
from gemgate.translation.validation import show
from gemgate.wire import (
    AudioPart,
    ContentPart,
    FilePart,
    ImagePart,
    ImageUrl,
    InputAudio,
    InputFile,
    RefusalPart,
    TextPart,
    VideoPart,
    VideoUrl,
)

Parts = str | list[ContentPart] | None

_ROLES = frozenset({"user", "assistant", "system", "developer"})
_WITH_OUTPUT = frozenset({"function_call_output", "custom_tool_call_output"})


@dataclass(slots=True)
class Item:
    """One item.

    Attributes:
        kind: Its type; `message` and `item_reference` may be left out of the item itself.
        fields: The item as it came.
        param: The parameter that names it, such as `input[2]`.
        parts: Its content, or its output: text, or parts in the form that all endpoints share.
        kept: What the gateway kept of it beside its fields, where it comes from the store; see `OutputMachine.kept`.
    """

    kind: str
    fields: dict[str, Any]
    param: str
    parts: Parts = None
    kept: dict[str, Any] | None = None

    @property
    def content_param(self) -> str:
        """The parameter that names the content or the output."""
        return f"{self.param}.{'output' if self.kind in _WITH_OUTPUT else 'content'}"

    def text_field(self, name: str) -> str:
        """The field `name`, which must be text.

        Raises:
            ApiError: 400, it is missing or something else.
        """
        value = self.fields.get(name)
        if value is None:
            raise missing_field(f"{self.param}.{name}")
        if not isinstance(value, str):
            raise wrong_type(f"{self.param}.{name}", "a string", value)
        return value


def read_input(given: str | Sequence[dict[str, Any]] | None, param: str = "input") -> list[Item]:
    """The items of an input; text is one message of the user.

    Raises:
        ApiError: 400 for an item or a part that cannot be read, which `param` names.
    """
    if given is None:
        return []
    if isinstance(given, str):
        return [Item("message", {"type": "message", "role": "user", "content": given}, param, given)]
    return [_read(fields, f"{param}[{index}]") for index, fields in enumerate(given)]


def media_of(items: Sequence[Item]) -> list[Ref]:
    """The remote media and the files that someone must fetch or look up, in their order."""
    return unique(ref for parts, param in _part_lists(items) for ref in references(parts, param))


def inline_media_of(items: Sequence[Item]) -> list[InlineRef]:
    """The media that the items hold themselves."""
    return [ref for parts, param in _part_lists(items) for ref in inline_references(parts, param)]


def wrong_type(param: str, expected: str, value: Any) -> ApiError:
    """The error for a field of another type."""
    msg = f"Invalid type for '{param}': expected {expected}, but got {show(value, with_type=True)} instead."
    return ApiError(400, msg, param=param, code="invalid_type")


def named_as_sent(error: ApiError) -> ApiError:
    """`error`, with the parts of an input named as this endpoint has them: they hold their URL and data themselves."""
    for ours, theirs in _NESTED.items():
        error.message = error.message.replace(ours, theirs)
        error.param = error.param.replace(ours, theirs) if error.param else error.param
    return error


_NESTED = {
    ".image_url.url": ".image_url",
    ".image_url.file_id": ".file_id",
    ".video_url.url": ".video_url",
    ".file.file_data": ".file_data",
    ".file.file_url": ".file_url",
    ".file.file_id": ".file_id",
}


def _part_lists(items: Sequence[Item]) -> Iterator[tuple[list[ContentPart], str]]:
    for item in items:
        if isinstance(item.parts, list):
            yield item.parts, item.content_param


def _read(fields: dict[str, Any], param: str) -> Item:
    kind = fields.get("type")
    if kind is None:
        kind = "message" if "role" in fields else "item_reference" if "id" in fields else None
    if kind is None:
        raise missing_field(f"{param}.type")
    if not isinstance(kind, str):
        raise wrong_type(f"{param}.type", "a string", kind)
    item = Item(kind, fields, param)
    if kind == "message":
        role = fields.get("role")
        if not isinstance(role, str) or role not in _ROLES:
            msg = f"Invalid value for '{param}.role': {show(role)}. Supported values are: {', '.join(sorted(_ROLES))}."
            raise ApiError(400, msg, param=f"{param}.role", code="invalid_value")
        item.parts = _parts(fields.get("content"), item.content_param)
    elif kind in _WITH_OUTPUT:
        item.parts = _parts(fields.get("output"), item.content_param)
    return item


def _parts(content: Any, param: str) -> Parts:
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise wrong_type(param, "a string or an array", content)
    return [_part(part, f"{param}[{index}]") for index, part in enumerate(content)]


def _part(part: Any, param: str) -> ContentPart:
    if isinstance(part, str):
        return TextPart(type="text", text=part)
    if not isinstance(part, dict):
        raise wrong_type(param, "an object", part)
    kind = part.get("type")
    make = _PARTS.get(kind) if isinstance(kind, str) else None
    if make is None:
        msg = f"Invalid value for '{param}.type': {show(kind)}. Supported values are: {', '.join(_PARTS)}."
        raise ApiError(400, msg, param=f"{param}.type", code="invalid_value")
    try:
        return make(part)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in (param, _own_name(kind, first["loc"])))
        msg = f"Invalid '{where}': {first['msg'].lower()}."
        code = "missing_required_parameter" if part.get(_own_name(kind, first["loc"])) is None else "invalid_type"
        raise ApiError(400, msg, param=where, code=code) from error


def _own_name(kind: str | None, location: tuple[int | str, ...]) -> str:
    """The field at fault as the part has it."""
    name = str(location[-1])
    return {"url": "image_url" if kind == "input_image" else "video_url"}.get(name, name)


def _text(name: str) -> Callable[[dict[str, Any]], ContentPart]:
    return lambda part: TextPart(type="text", text=part.get(name))


def _image(part: dict[str, Any]) -> ContentPart:
    url = part.get("image_url")
    if isinstance(url, dict):  # chat's nesting
        part, url = {**part, **url}, url.get("url")
    return ImagePart(
        type="image_url", image_url=ImageUrl(url=url, file_id=part.get("file_id"), detail=part.get("detail"))
    )


def _file(part: dict[str, Any]) -> ContentPart:
    inner = part.get("file")
    names = ("file_data", "file_id", "file_url", "filename")
    found = {name: value for name in names if (value := (inner if isinstance(inner, dict) else part).get(name))}
    return FilePart(type="file", file=InputFile(**found))


def _audio(part: dict[str, Any]) -> ContentPart:
    audio = part.get("input_audio")
    audio = audio if isinstance(audio, dict) else {}
    return AudioPart(
        type="input_audio",
        input_audio=InputAudio(data=audio.get("data"), format=audio.get("format")),
    )


def _video(part: dict[str, Any]) -> ContentPart:
    return VideoPart(type="video_url", video_url=VideoUrl(url=part.get("video_url")))


_PARTS: dict[str, Callable[[dict[str, Any]], ContentPart]] = {
    "input_text": _text("text"),
    "output_text": _text("text"),
    "text": _text("text"),
    "summary_text": _text("text"),
    "reasoning_text": _text("text"),
    "refusal": lambda part: RefusalPart(type="refusal", refusal=part.get("refusal")),
    "input_image": _image,
    "image_url": _image,
    "computer_screenshot": _image,
    "input_file": _file,
    "file": _file,
    "input_audio": _audio,
    "input_video": _video,
}
