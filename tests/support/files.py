"""The Files API in tests: scripted answers over a mocked transport."""

from collections.abc import Callable
from typing import Any

import httpx
from tests.support.clock import FakeClock
from tests.support.google import FakeGoogle

from gemgate.gemini.client.client import ClientOptions, GeminiClient
from gemgate.gemini.files import GeminiFiles

KEY = "AIzaSyExampleExampleExampleExampleExa"
OPTIONS = ClientOptions()
LOST = httpx.ReadError("lost")

Handler = Callable[[httpx.Request], httpx.Response]


def files_over(client: GeminiClient, clock: FakeClock | None = None, **options: Any) -> GeminiFiles:
    clock = clock or FakeClock()
    return GeminiFiles(client, sleep=clock.sleep, clock=clock, **options)


def mocked(handler: Handler | FakeGoogle) -> GeminiClient:
    return GeminiClient(OPTIONS, transport=httpx.MockTransport(handler))


class Scripted:
    """Answers of a mocked upstream to an upload, by command; a list is used up, and its last answer stays."""

    def __init__(self, **answers: list[httpx.Response | Exception]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        command = request.headers.get("x-goog-upload-command", request.method).replace("upload, ", "").lower()
        self.asked.append(command)
        answers = self.answers[command]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(found, Exception):
            raise found
        return httpx.Response(found.status_code, headers=found.headers, content=found.content)


def error(code: int, message: str = "no", reason: str = "") -> httpx.Response:
    return httpx.Response(code, json={"error": {"code": code, "message": message, "status": reason}})
