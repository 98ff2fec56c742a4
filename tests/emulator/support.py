"""What the tests of the emulator share: short ways to ask, and the recorded exchanges."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "recorded"
OPENAPI = Path(__file__).resolve().parents[3] / "shared" / "reference" / "generativelanguage.v1beta.json"

needs_recordings = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded exchanges are not beside the project")


def said(text: str, **more: Any) -> dict[str, Any]:
    """A request with one user text."""
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}


def config(**settings: Any) -> dict[str, Any]:
    """A request with one user text and a generationConfig."""
    return said("Hello", generationConfig=settings)


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


@lru_cache(maxsize=1)
def recorded() -> tuple[Exchange, ...]:
    """Every recorded generate exchange with Google's native API that kept its request."""
    return tuple(_exchanges())


def _exchanges() -> Iterator[Exchange]:
    for path in sorted(RECORDED.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            row = orjson.loads(line)
            request, response = row["request"], row["response"]
            url = request.get("url") or ""
            wanted = "generativelanguage" in url and row["kind"] in {"generateContent", "streamGenerateContent"}
            if wanted and request.get("body") is not None:
                yield Exchange(
                    name=f"{path.stem}/{row['name']}",
                    model=url.split("?")[0].rsplit("/", 1)[1].split(":")[0],
                    streaming=row["kind"] == "streamGenerateContent",
                    body=request["body"],
                    status=response["status"],
                    answer=response.get("body"),
                )
