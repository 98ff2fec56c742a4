from collections.abc import MutableMapping
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from gemgate.app import create_app
from gemgate.errors import ApiError
from gemgate.settings import Settings
from gemgate.web.request_paths import FastPath


async def rest(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("the rest")(scope, receive, send)


async def hot(request: Request) -> Response:
    match (await request.body()).decode():
        case "refused":
            raise ApiError(418, "No coffee here.")
        case "broken":
            raise LookupError
    return PlainTextResponse(f"hot, {request.scope['route'].path}")


def client() -> httpx.AsyncClient:
    app = FastPath(rest, {"/hot": hot})
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


async def test_a_hot_path_is_answered_by_its_endpoint_which_knows_its_route() -> None:
    async with client() as http:
        assert (await http.post("/hot")).text == "hot, /hot"


@pytest.mark.parametrize(("method", "path"), [("GET", "/hot"), ("POST", "/hot/"), ("POST", "/cold")])
async def test_everything_else_goes_on_to_the_application(method: str, path: str) -> None:
    async with client() as http:
        assert (await http.request(method, path)).text == "the rest"


async def test_what_an_endpoint_refuses_is_answered_in_openais_words() -> None:
    async with client() as http:
        answer = await http.post("/hot", content=b"refused")
    assert (answer.status_code, answer.json()["error"]["message"]) == (418, "No coffee here.")


async def test_what_nobody_foresaw_is_left_to_the_middleware_around_it() -> None:
    async with client() as http:
        with pytest.raises(LookupError):
            await http.post("/hot", content=b"broken")


async def test_what_is_no_http_goes_on() -> None:
    seen: list[str] = []

    async def lifespan(scope: MutableMapping[str, Any], *_: object) -> None:
        seen.append(scope["type"])

    await FastPath(lifespan, {})({"type": "lifespan"}, None, None)  # type: ignore[arg-type]  # nobody calls them
    assert seen == ["lifespan"]


def test_a_hot_path_is_in_the_openapi_document() -> None:
    paths = create_app(Settings(_env_file=None)).openapi()["paths"]
    assert "post" in paths["/v1/chat/completions"]


async def test_headers_are_found_as_starlette_finds_them() -> None:
    found: list[object] = []

    async def endpoint(request: Request) -> Response:
        headers = request.headers
        found.extend((headers["X-Twice"], headers.get("x-none", "-"), "x-Twice" in headers, "x-none" in headers))
        found.append(headers.getlist("x-twice"))
        with pytest.raises(KeyError):
            _ = headers["x-none"]
        return Response()

    app = FastPath(rest, {"/": endpoint})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as http:
        await http.post("/", headers=[("x-twice", "first"), ("x-twice", "second")])
    assert found == ["first", "-", True, False, ["first", "second"]]
