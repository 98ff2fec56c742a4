"""Images to answer with, and what the images endpoints make of them."""

import base64
from io import BytesIO
from typing import Any

import httpx
from PIL import Image
from tests.support.gateway import gateway_app, in_process
from tests.support.google import Answer, FakeGoogle

from gemgate.gemini.model_catalog import Catalog
from gemgate.translation.options import TranslationOptions

Json = dict[str, Any]

FLASH_25 = "gemini-2.5-flash-image"
FLASH_31 = "gemini-3.1-flash-image"
PRO_3 = "gemini-3-pro-image"
OLD_20 = "gemini-2.0-flash-preview-image-generation"
IMAGEN = "imagen-3.0-generate-002"
IMAGEN_4 = "imagen-4.0-generate-001"

IMAGEN_IS_OFF = (
    "models/imagen-3.0-generate-002 is not found for API version v1beta, or is not supported for predict. Call "
    "ModelService.ListModels to see the list of available models and their supported methods."
)


def options(**changes: Any) -> TranslationOptions:
    return TranslationOptions(Catalog(changes.pop("facts", None)), **changes)


def drawn(kind: str = "png", size: tuple[int, int] = (16, 9), mode: str = "RGB") -> str:
    """The base64 of a small image."""
    written = BytesIO()
    Image.new(mode, size, "teal" if mode != "RGBA" else (0, 128, 128, 0)).save(written, kind)
    return base64.b64encode(written.getvalue()).decode()


def opened(data: str | None) -> Image.Image:
    """The image in base64; fails when Pillow cannot read all of it."""
    assert data is not None
    image = Image.open(BytesIO(base64.b64decode(data)))
    image.load()
    return image


def blob(data: str, mime: str = "image/png", **more: Any) -> Json:
    return {"inlineData": {"mimeType": mime, "data": data}, **more}


def native(*parts: Json, finish: str | None = "STOP", usage: Json | None = None, **candidate: Any) -> Json:
    """An answer of `generateContent`."""
    content = {"content": {"role": "model", "parts": list(parts)}} if parts else {}
    answer: Json = {"candidates": [{**content, **({"finishReason": finish} if finish else {}), **candidate}]}
    return answer | ({"usageMetadata": usage} if usage else {})


USAGE: Json = {
    "promptTokenCount": 266,
    "candidatesTokenCount": 1300,
    "thoughtsTokenCount": 10,
    "totalTokenCount": 1576,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 8}, {"modality": "IMAGE", "tokenCount": 258}],
    "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
}
SHOWN_USAGE: Json = {
    "input_tokens": 266,
    "input_tokens_details": {"image_tokens": 258, "text_tokens": 8},
    "output_tokens": 1310,
    "output_tokens_details": {"image_tokens": 1290, "text_tokens": 20},
    "total_tokens": 1576,
}


def fake_google(*answers: Answer) -> FakeGoogle:
    """A Google that draws a small PNG unless `answers` say otherwise."""
    return FakeGoogle(*(answers or [native(blob(drawn()), usage=USAGE)]))


async def generate(google: FakeGoogle, body: Json, *, headers: Json | None = None, **settings: Any) -> httpx.Response:
    """What `POST /v1/images/generations` answers."""
    async with in_process(gateway_app(google, **settings)) as client:
        return await client.post(
            "/v1/images/generations", json={"model": FLASH_25, "prompt": "a cat", **body}, headers=headers
        )
