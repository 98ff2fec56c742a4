"""`gemgate check` before Vertex AI where callers bring their own access tokens: no credential is held, none is sent."""

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from tests.support.server import serve

from gemgate.cli.check import Finding, check_keys
from gemgate.emulator.app import create_emulator
from gemgate.settings import Settings

pytestmark = pytest.mark.integration

PASSING = "Each caller's own access token is passed on to Vertex AI, and none can be checked."


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


async def finding(endpoint: str, **more: Any) -> Finding:
    settings = {"upstream": "vertex", "google_cloud_project": "my-project", "vertex_credentials": "callers"}
    (found,) = await check_keys(Settings.model_validate(settings | {"vertex_endpoint": endpoint} | more))
    return found


async def test_vertex_ai_that_asks_for_a_credential_is_reached() -> None:
    with serve(create_emulator()) as url:
        assert await finding(url) == Finding(is_good=True, sentence=f"{PASSING} {url} answers.")


@pytest.mark.parametrize(
    ("answer", "is_good", "said"),
    [
        (
            JSONResponse({"error": {"code": 403, "message": "No.", "status": "PERMISSION_DENIED"}}, 403),
            True,
            "answers.",
        ),
        (JSONResponse({"publisherModels": []}), True, "answers."),
        (HTMLResponse("<h1>404</h1>", 404), False, "is not Vertex AI: it answers 404."),
        (JSONResponse({"error": {"code": 503, "message": "Later."}}, 503), False, "answers 503: Later."),
    ],
)
async def test_whatever_else_answers_there_is_told_apart_and_gets_no_credential(
    answer: Response, is_good: bool, said: str
) -> None:
    seen: list[Request] = []

    async def anything(request: Request) -> Response:
        seen.append(request)
        return answer

    with serve(Starlette(routes=[Route("/{path:path}", anything)])) as url:
        found = await finding(url)
    assert (found.is_good, found.sentence) == (is_good, f"{PASSING} {url} {said}")
    assert not {"authorization", "x-goog-api-key"} & set(seen[0].headers)


async def test_a_host_that_does_not_answer_is_reported_with_the_setting() -> None:
    found = await finding("http://127.0.0.1:9")
    assert not found.is_good
    assert found.sentence.startswith(PASSING)
    assert "127.0.0.1:9" in found.sentence
