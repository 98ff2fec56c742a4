"""The request of `POST /v1/embeddings`.

Source: https://platform.openai.com/docs/api-reference/embeddings/create, and openai-python 3.54; content parts are
Google's addition for multimodal models. Objects keep the fields they do not know (`model_extra`).
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt


class Wire(BaseModel):
    """An object on the wire; unknown fields are kept in `model_extra`."""

    model_config = ConfigDict(extra="allow")


class TextPart(Wire):
    """`{"type": "text"}`."""

    type: Literal["text"]
    text: str


class MediaUrl(Wire):
    """A data URL, a Files API URI or `files/…` name, a `gs://` URI, or a YouTube URL."""

    url: str


class ImagePart(Wire):
    """`{"type": "image_url"}`."""

    type: Literal["image_url"]
    image_url: MediaUrl


class VideoPart(Wire):
    """`{"type": "video_url"}` (not OpenAI's; the spelling other gateways use)."""

    type: Literal["video_url"]
    video_url: MediaUrl


class InputAudio(Wire):
    """Base64, with or without a `data:` prefix; the format is checked against the bytes."""

    data: str
    format: str | None = None


class AudioPart(Wire):
    """`{"type": "input_audio"}`."""

    type: Literal["input_audio"]
    input_audio: InputAudio


class InputFile(Wire):
    """A document: inline, or by its `files/…` name."""

    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None
    format: str | None = None


class FilePart(Wire):
    """`{"type": "file"}`."""

    type: Literal["file"]
    file: InputFile


Part = Annotated[TextPart | ImagePart | AudioPart | FilePart | VideoPart, Field(discriminator="type")]
Item = str | Part | list[Part | int] | int
"""One thing to embed. Integers are tokens: they are read so that they can be refused with the way out."""


class EmbeddingRequest(Wire):
    """What becomes of each field is in `fates.FATES`."""

    model: str
    input: str | list[Item]
    dimensions: PositiveInt | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None

    extra_body: dict[str, Any] | None = None
    google: dict[str, Any] | None = None
