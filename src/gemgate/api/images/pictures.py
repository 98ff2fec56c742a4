"""Native answers as pictures, and pictures as OpenAI's answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pybase64

from gemgate.api.images.dimensions import dimensions
from gemgate.api.images.refusals import blocked, filtered, no_image
from gemgate.gemini.errors import Failure, TransportError
from gemgate.gemini.types import (
    Candidate,
    GenerateContentResponse,
    ModalityTokenCount,
    Part,
    PredictResponse,
    UsageMetadata,
)
from gemgate.gemini.usage import total
from gemgate.media.sniff import HEAD_BYTES, sniff

_HEAD_CHARS = 65536
"""Enough for the size of most images; metadata that is before it can be longer."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One image.

    Attributes:
        data: Base64.
        format: What the bytes are, such as `png` or `jpeg`.
        pixels: Across and down, if they are known.
        prompt: The prompt as it was rewritten, if it was.
        google: What came with it that OpenAI has no place for.
        url: Where it is kept, in place of `data`; empty: nowhere.
    """

    data: str = field(repr=False)
    format: str
    pixels: tuple[int, int] | None = None
    prompt: str | None = None
    google: dict[str, object] = field(default_factory=dict)
    url: str = ""

    @property
    def size(self) -> str | None:
        """Such as `1024x1024`."""
        return None if self.pixels is None else f"{self.pixels[0]}x{self.pixels[1]}"


@dataclass(frozen=True, slots=True)
class ImagesAnswer:
    """What one call gave; `usage` is empty when Google reported nothing."""

    pictures: list[Picture]
    usage: UsageMetadata = field(default_factory=UsageMetadata)


def from_generate(response: GenerateContentResponse) -> ImagesAnswer:
    """The images of an answer of `generateContent`; thoughts are left out.

    Raises:
        ApiError: without an image: 400 for a refusal, 502 without a reason.
        TransportError: 502, an image that cannot be read.
    """
    candidates = response.get("candidates") or []
    pictures = [picture for candidate in candidates for picture in _drawn(candidate)]
    if pictures:
        return ImagesAnswer(pictures, response.get("usageMetadata") or {})
    feedback = response.get("promptFeedback") or {}
    if not candidates and (reason := feedback.get("blockReason") or feedback.get("blockReasonMessage")):
        raise blocked(feedback.get("blockReason", reason), feedback.get("blockReasonMessage"))
    first: Candidate = candidates[0] if candidates else {}
    raise no_image(first.get("finishReason"), first.get("finishMessage"), _text(first))


def from_predict(response: PredictResponse) -> ImagesAnswer:
    """The images of an answer of `predict`; those that were filtered are missing.

    Raises:
        ApiError: 400, all were filtered.
        TransportError: 502, an image that cannot be read, or that lies elsewhere.
    """
    predictions = response.get("predictions") or []
    pictures = [
        _picture(data, prediction.get("mimeType"), prompt=prediction.get("prompt"))
        for prediction in predictions
        if (data := prediction.get("bytesBase64Encoded"))
    ]
    if pictures:
        return ImagesAnswer(pictures)
    reasons = [reason for item in predictions if (reason := item.get("raiFilteredReason"))]
    if predictions and not reasons:
        raise TransportError(Failure.INVALID_BODY, "The Gemini API sent predictions that hold no images.")
    raise filtered(reasons)


def images_response(answers: Sequence[ImagesAnswer], *, created: int) -> dict[str, Any]:
    """An `ImagesResponse`. What differs between the images, or is not known, is left out of the fields for all."""
    pictures = [picture for answer in answers for picture in answer.pictures]
    response: dict[str, object] = {
        "created": created,
        "data": [_item(picture) for picture in pictures],
        "background": "opaque",
    }
    formats, sizes = {picture.format for picture in pictures}, {picture.size for picture in pictures}
    if len(formats) == 1:
        response["output_format"] = formats.pop()
    if len(sizes) == 1 and (size := sizes.pop()):
        response["size"] = size
    if counted := [answer.usage for answer in answers if answer.usage]:
        response["usage"] = usage(total(counted))
    return response


def completed_events(kind: str, answer: ImagesAnswer, *, created: int) -> list[dict[str, Any]]:
    """A `completed` event for each image; the tokens of the call are in the last, so that sums come out."""
    last = len(answer.pictures) - 1
    return [
        {
            "type": f"{kind}.completed",
            **_item(picture),
            "created_at": created,
            "size": picture.size or "auto",
            "quality": "auto",
            "background": "opaque",
            "output_format": picture.format,
            "usage": usage(answer.usage if index == last else {}),
        }
        for index, picture in enumerate(answer.pictures)
    ]


def _item(picture: Picture) -> dict[str, object]:
    item: dict[str, object] = {"url": picture.url} if picture.url else {"b64_json": picture.data}
    if picture.prompt:
        item["revised_prompt"] = picture.prompt
    if picture.google:
        item["extra_content"] = {"google": picture.google}
    return item


def _drawn(candidate: Candidate) -> list[Picture]:
    google: dict[str, object] = {}
    if text := _text(candidate):
        google["text"] = text
    if grounding := candidate.get("groundingMetadata"):
        google["grounding_metadata"] = grounding
    blobs = [part["inlineData"] for part in _parts(candidate) if "inlineData" in part]
    return [
        _picture(data, blob.get("mimeType"), google=google)
        for blob in blobs
        if blob.get("mimeType", "image/").startswith("image/") and (data := blob.get("data"))
    ]


def _text(candidate: Candidate) -> str:
    return "".join(part.get("text", "") for part in _parts(candidate)).strip()


def _parts(candidate: Candidate) -> list[Part]:
    parts = (candidate.get("content") or {}).get("parts") or []
    return [part for part in parts if not part.get("thought")]


def _picture(
    data: str, declared: str | None, *, prompt: str | None = None, google: dict[str, object] | None = None
) -> Picture:
    try:
        head = pybase64.b64decode(data[:_HEAD_CHARS], validate=True)
        mime = sniff(head[:HEAD_BYTES]) or declared or "image/unknown"
        pixels = dimensions(head)
        if pixels is None and len(data) > _HEAD_CHARS:
            pixels = dimensions(pybase64.b64decode(data))
    except ValueError as error:
        raise TransportError(Failure.INVALID_BODY, "The Gemini API sent an image that is not base64.") from error
    return Picture(data, mime.removeprefix("image/"), pixels, prompt, google or {})


def usage(meta: UsageMetadata) -> dict[str, Any]:
    """`usageMetadata` as OpenAI's `usage`.

    Thoughts, which are paid as output, count as text; so does whatever Google does not call an image.
    """
    asked = meta.get("promptTokenCount", 0) + meta.get("toolUsePromptTokenCount", 0)
    made = meta.get("candidatesTokenCount", 0) + meta.get("thoughtsTokenCount", 0)
    return {
        "input_tokens": asked,
        "input_tokens_details": _split(asked, meta.get("promptTokensDetails")),
        "output_tokens": made,
        "output_tokens_details": _split(made, meta.get("candidatesTokensDetails")),
        "total_tokens": meta.get("totalTokenCount", asked + made),
    }


def _split(total: int, details: list[ModalityTokenCount] | None) -> dict[str, int]:
    images = sum(item.get("tokenCount", 0) for item in details or () if item.get("modality") == "IMAGE")
    images = min(images, total)
    return {"image_tokens": images, "text_tokens": total - images}
