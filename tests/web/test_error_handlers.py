import pytest
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient
from tests.support.apps import app_with

from gemgate.gemini.errors import GeminiError, InvalidNameError
from gemgate.media.errors import MediaError
from gemgate.web import error_handlers as handlers


def failing(error: Exception) -> TestClient:
    async def endpoint(_: Request) -> Response:
        raise error

    return TestClient(app_with(endpoint))


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (GeminiError(503, "overloaded", "UNAVAILABLE"), 503, "server_overloaded"),
        (MediaError("it is too large", "media_too_large"), 400, "media_too_large"),
        (InvalidNameError("'a/b' is not the name of a model"), 400, "invalid_value"),
        (HTTPException(418, "a teapot"), 418, None),
    ],
)
def test_each_failure_has_openais_shape(error: Exception, status: int, code: str | None) -> None:
    answer = failing(error).get("/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/json"


def test_an_unknown_path_is_told_in_openais_words() -> None:
    answer = failing(KeyError()).post("/v1/x?key=secret")
    assert answer.status_code == 404
    assert answer.json() == {
        "error": {
            "message": "Invalid URL (POST /v1/x)",
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }
    }


def test_a_wrong_method_names_the_right_ones() -> None:
    answer = failing(KeyError()).delete("/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_supported")
    assert "POST" in answer.headers["allow"]
    assert "POST" in answer.json()["error"]["message"]


def test_what_fastapi_itself_finds_wrong_is_a_400() -> None:
    app = FastAPI()
    handlers.install(app)

    @app.get("/items")
    async def items(limit: int) -> int:
        return limit

    answer = TestClient(app).get("/items?limit=many")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "limit")
    assert answer.json()["error"]["code"] == "invalid_type"
