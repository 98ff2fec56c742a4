"""A gateway with the images endpoints, before a Google made of answers; and images to answer with."""

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import httpx
import orjson
from fastapi import FastAPI
from PIL import Image

from gemgate.api.images.routes import router
from gemgate.app import GOOGLE, OPENAI
from gemgate.auth.key_registry import ClientKeys
from gemgate.gemini.client.client import ClientOptions, GeminiClient
from gemgate.gemini.model_catalog import Catalog
from gemgate.gemini.model_list import ModelList
from gemgate.model_routing.aliases import ModelAliases
from gemgate.settings import Settings
from gemgate.startup.options import shared_calls
from gemgate.translation.options import ImageOptions
from gemgate.upstream.client import Upstream
from gemgate.web import error_handlers as handlers
from gemgate.web.telemetry_middleware import TelemetryMiddleware

Json = dict[str, Any]

FLASH_25 = "gemini-2.5-flash-image"
FLASH_31 = "gemini-3.1-flash-image"
PRO_3 = "gemini-3-pro-image"
OLD_20 = "gemini-2.0-flash-preview-image-generation"
IMAGEN = "imagen-3.0-generate-002"
IMAGEN_4 = "imagen-4.0-generate-001"

KEY = {"authorization": "Bearer caller-key"}
IMAGEN_IS_OFF = (
    "models/imagen-3.0-generate-002 is not found for API version v1beta, or is not supported for predict. Call "
    "ModelService.ListModels to see the list of available models and their supported methods."
)


def options(**changes: Any) -> ImageOptions:
    return ImageOptions(Catalog(changes.pop("facts", None)), **changes)


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


class Google:
    """Gives the answers one after the other, the last again and again; an answer with a status is an error.

    Attributes:
        calls: The path after `/v1beta/` and the body of each call.
    """

    def __init__(self, *answers: Json | tuple[int, str]) -> None:
        self.answers = list(answers) or [native(blob(drawn()), usage=USAGE)]
        self.calls: list[tuple[str, Any]] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        body = orjson.loads(request.content) if request.content else None
        self.calls.append((request.url.path.removeprefix("/v1beta/"), body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, tuple):
            code, message = answer
            return httpx.Response(code, json={"error": {"code": code, "message": message, "status": "X"}})
        return httpx.Response(200, json=answer)


def image_app(google: Callable[[httpx.Request], Any], *, facts: Any = None, **settings: Any) -> FastAPI:
    """The images endpoints below both prefixes, with what they ask of the application."""
    chosen: Json = {"gemini_api_key": (), "client_keys": ()} | settings
    resolved = Settings(_env_file=None, **chosen)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            GeminiClient(ClientOptions(), transport=httpx.MockTransport(google)) as gemini,
            ModelList(Upstream(gemini, shared_calls(resolved)), ttl=300) as models,
        ):
            images = options(facts=facts, unsupported_params=resolved.unsupported_params)
            app.state.services = SimpleNamespace(
                settings=resolved,
                client_keys=ClientKeys.of(resolved),
                gemini=Upstream(gemini, shared_calls(resolved)),
                aliases=ModelAliases(resolved.models),
                images=images,
                models=models,
            )
            yield

    app = FastAPI(lifespan=lifespan, redirect_slashes=False)
    app.add_middleware(TelemetryMiddleware)
    handlers.install(app)
    for prefix in (OPENAI, GOOGLE):
        app.include_router(router, prefix=prefix)
    return app


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client within the application's lifespan."""
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway", headers=KEY) as client,
    ):
        yield client


async def generate(google: Google, body: Json, *, headers: Json | None = None, **app: Any) -> httpx.Response:
    """What `POST /v1/images/generations` answers."""
    async with client_of(image_app(google, **app)) as client:
        return await client.post(
            "/v1/images/generations", json={"model": FLASH_25, "prompt": "a cat", **body}, headers=headers
        )
