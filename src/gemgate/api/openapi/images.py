"""The answers of `POST /v1/images/…`.

Source: https://platform.openai.com/docs/api-reference/images/object and /images-streaming, and openai-python 3.54.
"""

from typing import Literal, NotRequired

from typing_extensions import TypedDict  # what pydantic reads before Python 3.12

from gemgate.api.openapi.common import ExtraContent


class ImageTokens(TypedDict):
    """Tokens by kind."""

    image_tokens: int
    text_tokens: int


class ImageUsage(TypedDict):
    """Tokens; those of thoughts count as text."""

    input_tokens: int
    input_tokens_details: ImageTokens
    output_tokens: int
    output_tokens_details: ImageTokens
    total_tokens: int


class Image(TypedDict):
    """An image in base64, or its URL. `extra_content.google` has the text that came with it, and where it was found."""

    b64_json: NotRequired[str]
    url: NotRequired[str]
    revised_prompt: NotRequired[str]
    extra_content: NotRequired[ExtraContent]


class ImagesResponse(TypedDict):
    """All images. What differs between them, or is not known, is left out."""

    created: int
    data: list[Image]
    background: Literal["opaque"]
    output_format: NotRequired[str]
    size: NotRequired[str]
    usage: NotRequired[ImageUsage]


class ImageEvent(Image):
    """An event of a stream: one whole image. The tokens of a call are in its last one."""

    type: Literal["image_generation.completed", "image_edit.completed"]
    created_at: int
    size: str
    quality: Literal["auto"]
    background: Literal["opaque"]
    output_format: str
    usage: ImageUsage
