"""What requests of several endpoints share: the base of their objects, content parts, and functions.

Source: https://platform.openai.com/docs/api-reference/chat/create, and openai-python 3.54. Objects keep the fields they
do not know (`model_extra`), so that nothing a caller sent vanishes unseen. `null` means absent, as at OpenAI.
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

MAX_BATCH_BYTES = 209_715_200
"""OpenAI's limit of a file with the purpose `batch`: 200 MB."""

T = TypeVar("T")

Items = Annotated[list[T], Field(fail_fast=True)]
"""A list that is refused at its first wrong item: to collect the errors of a million takes a minute."""


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


class ImageUrl(Wire):
    """A data URL, an https URL, a Files API URI, a `gs://` URI or a YouTube URL; or the id of an uploaded file."""

    url: str | None = None
    file_id: str | None = None
    detail: Literal["auto", "low", "medium", "high", "original", "ultra_high"] | None = None


class ImagePart(Wire):
    """`{"type": "image_url"}`."""

    type: Literal["image_url"]
    image_url: ImageUrl


class InputAudio(Wire):
    """Base64 without a `data:` prefix; the format is checked against the bytes."""

    data: str
    format: str | None = None


class AudioPart(Wire):
    """`{"type": "input_audio"}`."""

    type: Literal["input_audio"]
    input_audio: InputAudio


class InputFile(Wire):
    """A document: inline, by id, or by URL."""

    file_data: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    filename: str | None = None
    format: str | None = None


class FilePart(Wire):
    """`{"type": "file"}`."""

    type: Literal["file"]
    file: InputFile


class VideoUrl(Wire):
    """A video by URL (not OpenAI's; the spelling other gateways use)."""

    url: str
    detail: Literal["auto", "low", "medium", "high", "original", "ultra_high"] | None = None
    start_offset: str | None = None
    end_offset: str | None = None
    fps: float | None = None


class VideoPart(Wire):
    """`{"type": "video_url"}`."""

    type: Literal["video_url"]
    video_url: VideoUrl


class ThinkingPart(Wire):
    """`{"type": "thinking"}`: a thought in a message of the assistant, as other gateways give it."""

    type: Literal["thinking"]
    thinking: str | None = None
    signature: str | None = None


ContentPart = Annotated[
    TextPart | ImagePart | AudioPart | FilePart | VideoPart | RefusalPart | ThinkingPart, Field(discriminator="type")
]
Content = str | Items[ContentPart] | None


class Function(Wire):
    """What a function is called, does and takes."""

    name: str
    description: str | None = None
    parameters: Any = None
    strict: bool | None = None
