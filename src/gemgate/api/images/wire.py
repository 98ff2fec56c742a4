"""The requests of `POST /v1/images/generations` and `POST /v1/images/edits`.

Source: https://platform.openai.com/docs/api-reference/images, and openai-python 3.54. Objects keep the fields they do
not know (`model_extra`). `null` means absent, as at OpenAI.
"""

from typing import Annotated, Literal

from pydantic import Field

from gemgate.translation.parameters import (
    ParameterSupport,
    dropped,
    handled,
    mapped,
    rejected,
)
from gemgate.wire import Items, Wire

MAX_IMAGES = 16
"""Images that one edit takes, as at OpenAI."""


class ImageRequest(Wire):
    """What both endpoints take. What becomes of each field is in `GENERATIONS` and `EDITS`."""

    model: Annotated[str, Field(min_length=1)]
    prompt: Annotated[str, Field(min_length=1)]
    background: Literal["transparent", "opaque", "auto"] | None = None
    complexity: object = None
    frame_count: object = None
    frame_duration_ms: object = None
    n: Annotated[int, Field(ge=1, le=10)] | None = None
    output_compression: Annotated[int, Field(ge=0, le=100)] | None = None
    output_format: Literal["png", "jpeg", "webp", "gif", "svg"] | None = None
    partial_images: Annotated[int, Field(ge=0, le=3)] | None = None
    quality: Literal["low", "medium", "high", "xhigh", "max", "auto", "standard", "hd"] | None = None
    response_format: Literal["b64_json", "url"] | None = None
    safety_identifier: str | None = None
    size: str | None = None
    stream: bool | None = None
    svg: object = None
    user: str | None = None

    extra_body: dict[str, object] | None = None
    google: dict[str, object] | None = None


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
    markup: object = None
    mask: object = None


VARY = "Make a variation of this image: the same subject and style, another composition."
"""The prompt of a variation."""


class VariationRequest(EditRequest):
    """The fields of `POST /v1/images/variations`: an edit of one image, for which nothing needs to be said."""

    model: Annotated[str, Field(min_length=1)] = "dall-e-2"
    prompt: Annotated[str, Field(min_length=1)] = VARY


VARIATION_MODELS = dict.fromkeys(("dall-e-2", "dall-e-3", "gpt-image-1"), "gemini-3.1-flash-image")
"""OpenAI's models that made variations, and Gemini's that answers to their names there."""

_BOTH: dict[str, ParameterSupport] = {
    "model": mapped("the model in the path; Gemini's image models by `generateContent`, Imagen by `predict`"),
    "prompt": mapped("the text of the user's turn; `instances[0].prompt` of Imagen"),
    "background": handled("`opaque` and `auto`: every image is opaque; `transparent` is dropped"),
    "complexity": dropped("Gemini has no such effort"),
    "extra_body": mapped(
        "`extra_body.google`: aspect_ratio, image_size, person_generation (Imagen), safety_settings, tools, "
        "generation_config"
    ),
    "frame_count": dropped("Gemini draws no animations"),
    "frame_duration_ms": dropped("Gemini draws no animations"),
    "google": mapped("as `extra_body.google`"),
    "n": mapped("parallel calls, `sampleCount` of Imagen; the images that came are answered when others fail"),
    "output_compression": handled("the quality of a `jpeg` or `webp` that was asked for, as `output_format`"),
    "output_format": handled(
        "converted if Pillow is installed (`gemgate[images]`), else unchanged; the answer names the actual format"
    ),
    "partial_images": dropped("Gemini gives no partial images"),
    "quality": mapped("`imageSize`, where `size` leaves it open: low 512, medium 1K, high 2K, xhigh 4K; else dropped"),
    "response_format": handled(
        "`b64_json`; `url` is an address of the gateway's, for an hour; streams have `b64_json`"
    ),
    "safety_identifier": dropped("Gemini takes no identifiers of end users"),
    "size": mapped("the nearest `aspectRatio` and `imageSize` of the model; the answer has the actual size"),
    "stream": handled("one `completed` event for each image, when it is there"),
    "svg": dropped("Gemini draws no vectors"),
    "user": dropped("Gemini takes no identifiers of end users"),
}

GENERATIONS: dict[str, ParameterSupport] = {
    **_BOTH,
    "moderation": dropped("Gemini has safety settings instead: extra_body.google.safety_settings"),
    "style": dropped("Gemini has no styles; say it in the prompt"),
}

EDITS: dict[str, ParameterSupport] = {
    **_BOTH,
    "image": mapped("`inlineData` before the prompt: one file, or `image[]` up to 16; base64 in a JSON body"),
    "images": mapped(
        "`image_url` of a JSON body as a data URL, `file_id` of an uploaded file, or the name of a Gemini file"
    ),
    "input_fidelity": dropped("Gemini has no such switch; say in the prompt what must stay"),
    "markup": rejected("Gemini takes no overlays"),
    "mask": rejected("Gemini takes no masks; say in the prompt what to change"),
}

VARIATIONS: dict[str, ParameterSupport] = {
    **EDITS,
    "model": mapped("as for edits; OpenAI's names, and no name, are answered by `gemini-3.1-flash-image`"),
    "prompt": mapped(f"the text of the user's turn: “{VARY}” unless another one is given, which OpenAI has not"),
    "image": mapped("`inlineData` before the prompt: one file; base64 in a JSON body"),
    "size": mapped("the nearest `aspectRatio` and `imageSize` of the model: OpenAI's sizes are squares"),
}

DROPPED = frozenset(name for name, support in (GENERATIONS | EDITS).items() if support.kind == "dropped")

NEUTRAL: dict[str, object] = {"moderation": "auto", "partial_images": 0}
"""Values that ask for nothing, so that leaving them out loses nothing."""
