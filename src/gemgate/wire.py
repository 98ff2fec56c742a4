"""What requests of several endpoints share: the base of their objects, content parts, and functions.

Source: https://platform.openai.com/docs/api-reference/chat/create, and openai-python 3.54. Objects keep the fields they
do not know (`model_extra`), so that nothing a caller sent vanishes unseen. `null` means absent, as at OpenAI.
"""

from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

T = TypeVar("T")

Items = Annotated[list[T], Field(fail_fast=True)]
"""A list that is refused at its first wrong item: to collect the errors of a million takes a minute."""


def _let_others_run(value: T) -> T:
    """The value. Without a line of Python a list of thousands is one step, for which other threads wait."""
    return value


STEP = AfterValidator(_let_others_run)
"""Of the items of a list that may be long: where it is read in a thread, the event loop goes on between two items."""


class Wire(BaseModel):
    """An object on the wire; unknown fields are kept in `model_extra`."""

    model_config = ConfigDict(extra="allow")


class TextPart(Wire):
    """`{"type": "text"}`."""

    type: Literal["text"]
    text: str


class RefusalPart(Wire):
    """`{"type": "refusal"}`, in messages of the assistant."""

    type: Literal["refusal"]
    refusal: str


def _as_object(value: object) -> object:
    """A bare URL, as some clients send it, as the object that holds it."""
    return {"url": value} if isinstance(value, str) else value


def _absent_if_empty(value: object) -> object:
    return None if value == "" else value


Detail = Annotated[
    Literal["auto", "low", "medium", "high", "original", "ultra_high"] | None, BeforeValidator(_absent_if_empty)
]


class DeclaredType(Wire):
    """An object that may say the MIME type of what it names, in one of several spellings."""

    format: str | None = None
    mime_type: str | None = Field(default=None, validation_alias=AliasChoices("mime_type", "mimeType", "media_type"))

    @property
    def declared(self) -> str | None:
        """The type that the caller declares."""
        return self.format or self.mime_type


class ImageUrl(DeclaredType):
    """A data URL, an https URL, a Files API URI, a `gs://` URI or a YouTube URL; or the id of an uploaded file."""

    url: str | None = None
    file_id: str | None = None
    detail: Detail = None


class ImagePart(Wire):
    """`{"type": "image_url"}`."""

    type: Literal["image_url"]
    image_url: Annotated[ImageUrl, BeforeValidator(_as_object)]


class InputAudio(Wire):
    """Base64 without a `data:` prefix; the format is checked against the bytes."""

    data: str
    format: str | None = None


class AudioPart(Wire):
    """`{"type": "input_audio"}`."""

    type: Literal["input_audio"]
    input_audio: InputAudio


class InputFile(DeclaredType):
    """A document: inline, by id, or by URL."""

    file_data: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    filename: str | None = None
    video_metadata: dict[str, object] | None = None

    @model_validator(mode="after")
    def _take_url(self) -> Self:
        """A URL in the place of the id, which some clients send, is a URL."""
        if self.file_id and self.file_id.startswith(("http://", "https://")) and not (self.file_url or self.file_data):
            self.file_url, self.file_id = self.file_id, None
        return self


class FilePart(Wire):
    """`{"type": "file"}`."""

    type: Literal["file"]
    file: InputFile


class VideoUrl(DeclaredType):
    """A video by URL (not OpenAI's; the spelling other gateways use)."""

    url: str
    detail: Detail = None
    start_offset: str | None = None
    end_offset: str | None = None
    fps: float | None = None


class VideoPart(Wire):
    """`{"type": "video_url"}`."""

    type: Literal["video_url"]
    video_url: Annotated[VideoUrl, BeforeValidator(_as_object)]


class AudioUrl(DeclaredType):
    """Sound by URL (not OpenAI's; the spelling of vLLM and others)."""

    url: str


class AudioUrlPart(Wire):
    """`{"type": "audio_url"}`."""

    type: Literal["audio_url"]
    audio_url: Annotated[AudioUrl, BeforeValidator(_as_object)]


class ThinkingPart(Wire):
    """`{"type": "thinking"}`: a thought in a message of the assistant, as other gateways give it."""

    type: Literal["thinking"]
    thinking: str | None = None
    signature: str | None = None


ContentPart = Annotated[
    TextPart | ImagePart | AudioPart | AudioUrlPart | FilePart | VideoPart | RefusalPart | ThinkingPart,
    Field(discriminator="type"),
    STEP,
]
Content = Annotated[str | Items[ContentPart] | None, Field(union_mode="left_to_right")]


class Function(Wire):
    """What a function is called, does and takes."""

    name: str
    description: str | None = None
    parameters: object = None
    strict: bool | None = None


class TextFunction(Function):
    """The function that a custom tool becomes: it takes one text, `input`."""
