"""Items of an input as they are read: of what kind each is, where it is, and its content parts. No I/O."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from gemgate.api.responses.wire import Json
from gemgate.errors import ApiError, missing_field
from gemgate.media.references import InlineRef, Ref, inline_references, references, unique
from gemgate.translation.validation import show
from gemgate.wire import (
    AudioPart,
    AudioUrl,
    AudioUrlPart,
    ContentPart,
    FilePart,
    ImagePart,
    ImageUrl,
    InputAudio,
    InputFile,
    RefusalPart,
    TextPart,
    ThinkingPart,
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
    fields: Json
    param: str
    parts: Parts = None
    kept: Json | None = None

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


def read_input(given: str | Sequence[dict[str, object]] | None, param: str = "input") -> list[Item]:
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


def wrong_type(param: str, expected: str, value: object) -> ApiError:
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
    ".audio_url.url": ".audio_url",
    ".file.file_data": ".file_data",
    ".file.file_url": ".file_url",
    ".file.file_id": ".file_id",
}


def _part_lists(items: Sequence[Item]) -> Iterator[tuple[list[ContentPart], str]]:
    for item in items:
        if isinstance(item.parts, list):
            yield item.parts, item.content_param


def _read(fields: dict[str, object], param: str) -> Item:
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


def _parts(content: object, param: str) -> Parts:
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise wrong_type(param, "a string or an array", content)
    return [_part(part, f"{param}[{index}]") for index, part in enumerate(content)]


def _part(part: object, param: str) -> ContentPart:
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
    if name != "url":
        return name
    return {"input_video": "video_url", "video_url": "video_url", "audio_url": "audio_url"}.get(kind or "", "image_url")


def _text(part: dict[str, object]) -> ContentPart:
    if len(part) == 2:
        return TextPart(type="text", text=part.get("text"))
    return TextPart(type="text", text=part.get("text"), **_others(part, _TEXT_FIELDS))


def _refusal(part: dict[str, object]) -> ContentPart:
    return RefusalPart(type="refusal", refusal=part.get("refusal"), **_others(part, _TEXT_FIELDS))


def _thinking(part: dict[str, object]) -> ContentPart:
    return ThinkingPart(type="thinking", thinking=part.get("thinking"))


def _image(part: dict[str, object]) -> ContentPart:
    inner = _flattened(part, "image_url", "url")
    image = ImageUrl(url=inner.pop("url", None), **_taken(inner, _IMAGE_FIELDS))
    return ImagePart(type="image_url", image_url=image, **inner)


def _file(part: dict[str, object]) -> ContentPart:
    inner = _flattened(part, "file", "file_id")
    found = {name: value for name, value in _taken(inner, _FILE_FIELDS).items() if value}
    return FilePart(type="file", file=InputFile(**found), **inner)


def _audio(part: dict[str, object]) -> ContentPart:
    inner = _flattened(part, "input_audio", "data")
    audio = InputAudio(data=inner.pop("data", None), **_taken(inner, ("format",)))
    return AudioPart(type="input_audio", input_audio=audio, **inner)


def _audio_url(part: dict[str, object]) -> ContentPart:
    inner = _flattened(part, "audio_url", "url")
    audio = AudioUrl(url=inner.pop("url", None), **_taken(inner, _DECLARED))
    return AudioUrlPart(type="audio_url", audio_url=audio, **inner)


def _video(part: dict[str, object]) -> ContentPart:
    inner = _flattened(part, "video_url", "url")
    video = VideoUrl(url=inner.pop("url", None), **_taken(inner, _VIDEO_FIELDS))
    return VideoPart(type="video_url", video_url=video, **inner)


def _flattened(part: dict[str, object], name: str, bare: str) -> dict[str, object]:
    """The fields of a part, also where those of its media are in an object of their own, as in chat.

    Args:
        part: The part.
        name: The field that may be such an object.
        bare: The name of its value where that is not an object.
    """
    fields = {key: value for key, value in part.items() if key != "type" and value is not None}
    inner = fields.pop(name, None)
    if isinstance(inner, dict):
        return fields | {key: value for key, value in inner.items() if value is not None}
    return fields if inner is None else {**fields, bare: inner}


def _taken(fields: dict[str, object], names: Sequence[str]) -> dict[str, object]:
    """Those of `fields` that have one of `names`; they are taken out of it."""
    return {name: fields.pop(name) for name in names if name in fields}


def _others(part: dict[str, object], known: frozenset[str]) -> dict[str, object]:
    return {name: value for name, value in part.items() if name not in known and value is not None}


_TEXT_FIELDS = frozenset({"type", "text", "refusal", "annotations", "logprobs", "parsed"})
"""Fields of texts, and those that answers have beside them, which clients send back."""

_DECLARED = ("format", "mime_type", "mimeType", "media_type")
_IMAGE_FIELDS = ("file_id", "detail", *_DECLARED)
_FILE_FIELDS = ("file_data", "file_id", "file_url", "filename", "video_metadata", *_DECLARED)
_VIDEO_FIELDS = ("detail", "start_offset", "end_offset", "fps", *_DECLARED)

_PARTS: dict[str, Callable[[dict[str, object]], ContentPart]] = {
    "input_text": _text,
    "output_text": _text,
    "text": _text,
    "summary_text": _text,
    "reasoning_text": _text,
    "refusal": _refusal,
    "thinking": _thinking,
    "input_image": _image,
    "image_url": _image,
    "computer_screenshot": _image,
    "input_file": _file,
    "file": _file,
    "input_audio": _audio,
    "audio_url": _audio_url,
    "input_video": _video,
    "video_url": _video,
}
