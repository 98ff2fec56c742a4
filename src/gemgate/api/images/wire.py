"""The requests of `POST /v1/images/generations` and `POST /v1/images/edits`.

Source: https://platform.openai.com/docs/api-reference/images, and openai-python 3.54. Objects keep the fields they do
not know (`model_extra`). `null` means absent, as at OpenAI.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from gemgate.wire import Items, Wire

MAX_IMAGES = 16
"""Images that one edit takes, as at OpenAI."""


class ImageRequest(Wire):
    """What both endpoints take. What becomes of each field is in `parameters.GENERATIONS` and `parameters.EDITS`."""

    model: Annotated[str, Field(min_length=1)]
    prompt: Annotated[str, Field(min_length=1)]
    background: Literal["transparent", "opaque", "auto"] | None = None
    complexity: Any = None
    frame_count: Any = None
    frame_duration_ms: Any = None
    n: Annotated[int, Field(ge=1, le=10)] | None = None
    output_compression: Annotated[int, Field(ge=0, le=100)] | None = None
    output_format: Literal["png", "jpeg", "webp", "gif", "svg"] | None = None
    partial_images: Annotated[int, Field(ge=0, le=3)] | None = None
    quality: Literal["low", "medium", "high", "xhigh", "max", "auto", "standard", "hd"] | None = None
    response_format: Literal["b64_json", "url"] | None = None
    safety_identifier: str | None = None
    size: str | None = None
    stream: bool | None = None
    svg: Any = None
    user: str | None = None

    extra_body: dict[str, Any] | None = None
    google: dict[str, Any] | None = None


class GenerationRequest(ImageRequest):
    """The body of `POST /v1/images/generations`."""

    moderation: Literal["low", "auto"] | None = None
    style: Literal["vivid", "natural"] | None = None


class ImageReference(Wire):
    """One of the `images` of a JSON body: a data URL, or the id of an uploaded file."""

    image_url: str | None = None
    file_id: str | None = None


class EditRequest(ImageRequest):
    """The fields of `POST /v1/images/edits`; the images of a form are handed on beside it, as bytes.

    A JSON body has its images in `image` (base64 or data URLs) or in `images`.
    """

    image: str | Items[str] | None = None
    images: Items[ImageReference] | None = None
    input_fidelity: Literal["high", "low"] | None = None
    markup: Any = None
    mask: Any = None
