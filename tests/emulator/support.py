"""What the tests of the emulator share: short ways to ask, and the recorded exchanges."""

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from PIL import Image

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "recorded"
OPENAPI = Path(__file__).resolve().parents[3] / "shared" / "reference" / "generativelanguage.v1beta.json"

needs_recordings = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded exchanges are not beside the project")


def said(text: str, **more: Any) -> dict[str, Any]:
    """A request with one user text."""
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}


def config(**settings: Any) -> dict[str, Any]:
    """A request with one user text and a generationConfig."""
    return said("Hello", generationConfig=settings)


def inline(mime: str, data: bytes) -> dict[str, Any]:
    """An `inlineData` part."""
    return {"inlineData": {"mimeType": mime, "data": base64.b64encode(data).decode()}}


def png(width: int = 64, height: int = 48, mode: str = "RGB") -> bytes:
    """A picture without anything on it."""
    out = io.BytesIO()
    Image.new(mode, (width, height)).save(out, "PNG")
    return out.getvalue()


def picture(part: dict[str, Any]) -> Image.Image:
    """The picture of an `inlineData` part, decoded as a whole."""
    image = Image.open(io.BytesIO(base64.b64decode(part["inlineData"]["data"], validate=True)))
    image.load()
    assert Image.MIME[image.format or ""] == part["inlineData"]["mimeType"]
    return image


def functions(*declared: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"functionDeclarations": list(declared)}]


WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "description": "The weather in a place",
    "parametersJsonSchema": {
        "type": "object",
        "properties": {
            "location": {"type": "string"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        },
        "required": ["location"],
    },
}
TIME: dict[str, Any] = {
    "name": "get_time",
    "description": "The time somewhere",
    "parameters": {"type": "OBJECT", "properties": {"zone": {"type": "STRING"}}, "required": ["zone"]},
}


@dataclass
class Emulator:
    """Asks the emulator in process."""

    client: httpx.AsyncClient

    async def post(self, model: str, body: Any, method: str = "generateContent", **headers: str) -> httpx.Response:
        return await self.client.post(f"/v1beta/models/{model}:{method}", json=body, headers=headers)

    async def generate(self, model: str, body: Any, **headers: str) -> dict[str, Any]:
        response = await self.post(model, body, **headers)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = orjson.loads(response.content)
        return answer

    async def stream(self, model: str, body: Any, **headers: str) -> list[dict[str, Any]]:
        response = await self.post(model, body, "streamGenerateContent?alt=sse", **headers)
        assert response.status_code == 200, response.text
        return events(response.content)

    async def refused(self, model: str, body: Any, method: str = "generateContent", status: int = 400) -> str:
        response = await self.post(model, body, method)
        assert response.status_code == status, response.text
        message: str = orjson.loads(response.content)["error"]["message"]
        return message


def events(raw: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line[6:]) for line in raw.splitlines() if line.startswith(b"data: ")]


def parts(answer: dict[str, Any], candidate: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer["candidates"][candidate]["content"].get("parts", [])
    return found


def text(answer: dict[str, Any], candidate: int = 0) -> str:
    return "".join(part["text"] for part in parts(answer, candidate) if "text" in part and not part.get("thought"))


def calls(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [part["functionCall"] for part in parts(answer) if "functionCall" in part]


@dataclass(frozen=True)
class Exchange:
    """A recorded request to the native API with its answer."""

    name: str
    model: str
    streaming: bool
    body: dict[str, Any]
    status: int
    answer: Any

    @property
    def reason(self) -> str:
        """The `error.status` of a refusal."""
        return "" if self.status == 200 else str(self.answer["error"]["status"])


@dataclass(frozen=True)
class Call:
    """A recorded request to another method of the native API with its answer.

    `path` holds the query too, without the key.
    """

    name: str
    kind: str
    method: str
    path: str
    body: Any
    status: int
    answer: Any


@lru_cache(maxsize=1)
def recorded() -> tuple[Exchange, ...]:
    """Every recorded generate exchange with Google's native API that kept its request."""
    return tuple(_exchanges())


@lru_cache(maxsize=1)
def recorded_calls() -> tuple[Call, ...]:
    """Every recorded exchange about embeddings, predictions, token counts and models that kept its request."""
    return tuple(_calls())


def _rows(*kinds: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and row of the recordings of Google's native API that kept their request."""
    for path in sorted(RECORDED.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            row = orjson.loads(line)
            request = row["request"]
            wanted = "generativelanguage" in (request.get("url") or "") and row["kind"] in kinds
            if wanted and (request["method"] == "GET" or request.get("body") is not None):
                yield f"{path.stem}/{row['name']}", row


def _exchanges() -> Iterator[Exchange]:
    for name, row in _rows("generateContent", "streamGenerateContent"):
        request, response = row["request"], row["response"]
        yield Exchange(
            name=name,
            model=request["url"].split("?")[0].rsplit("/", 1)[1].split(":")[0],
            streaming=row["kind"] == "streamGenerateContent",
            body=request["body"],
            status=response["status"],
            answer=response.get("body"),
        )


def _calls() -> Iterator[Call]:
    for name, row in _rows("embedContent", "batchEmbedContents", "predict", "countTokens", "models"):
        request, response = row["request"], row["response"]
        url = httpx.URL(request["url"]).copy_remove_param("key")
        yield Call(
            name=name,
            kind=row["kind"],
            method=request["method"],
            path=url.raw_path.decode(),
            body=request.get("body"),
            status=response["status"],
            answer=response.get("body"),
        )
