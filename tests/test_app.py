import os
import socket
import subprocess
import sys
import threading
from typing import Any

import httpx
import orjson
import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs
from tests.support.gateway import gateway_app
from tests.support.google import FakeGoogle
from tests.support.raw_upstream import STREAM_HEAD, BackgroundUpstream, Peer, chunk, sse
from tests.support.server import serve

from gemgate.app import create_app

pytestmark = pytest.mark.slow

KEY = "AIzaSyA-0123456789abcdefghijklmnopqrstu"
CHAT = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hello"}]}
ANSWER = {"candidates": [{"content": {"parts": [{"text": "Hi"}], "role": "model"}, "finishReason": "STOP"}]}


def client(google: Any = ANSWER, **settings: Any) -> TestClient:
    """The gateway before a Google that answers this."""
    return TestClient(gateway_app(FakeGoogle(google), **settings))


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_answer_without_a_key(path: str) -> None:
    with client() as gateway:
        assert gateway.get(path).json() == {"status": "ok"}


@pytest.mark.parametrize("prefix", ["/v1", "/v1beta/openai", "/v1beta"])
def test_chat_is_served_under_each_base_url(prefix: str) -> None:
    with client() as gateway:
        answer = gateway.post(f"{prefix}/chat/completions", json=CHAT, headers={"authorization": f"Bearer {KEY}"})
    assert answer.json()["choices"][0]["message"]["content"] == "Hi"


def test_the_documentation_shows_each_route_once() -> None:
    with client() as gateway:
        assert gateway.get("/docs").status_code == 200
        paths = gateway.get("/openapi.json").json()["paths"]
    assert "/v1/chat/completions" in paths
    assert not [path for path in paths if path.startswith("/v1beta")]


@pytest.mark.parametrize("path", ["/v", "/v1", "/v1/nothing", "/v1/chat/completion", "/v1beta/openai/x"])
def test_an_unknown_path_has_openais_error_and_a_request_id(path: str) -> None:
    with client() as gateway:
        answer = gateway.post(path, json={})
    assert answer.json()["error"]["message"] == f"Invalid URL (POST {path})"
    assert answer.headers["x-request-id"]


def test_a_wrong_method_says_which_is_allowed() -> None:
    with client() as gateway:
        answer = gateway.get("/v1/chat/completions")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"{", {}, 400, "invalid_json"),
        (b"", {}, 400, "invalid_json"),
        (b"{}", {"content-type": "text/plain"}, 415, "unsupported_content_type"),
        (b"x" * 1001, {}, 413, "request_too_large"),
        (b"{}", {}, 400, "missing_required_parameter"),
    ],
)
def test_a_body_that_cannot_be_used_has_openais_error(
    content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    with client(max_body_bytes=1000) as gateway:
        answer = gateway.post(
            "/v1/chat/completions", content=content, headers={"authorization": f"Bearer {KEY}"} | headers
        )
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_two_gateways_with_two_settings_live_in_one_process() -> None:
    seen = []

    def google(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.host, request.headers["x-goog-api-key"]))
        return httpx.Response(200, json=ANSWER)

    one = client(google, upstream="https://one.test")
    two = client(google, upstream="https://two.test", gemini_api_key="gemini", client_keys="client")
    with one, two:
        one.post("/v1/chat/completions", json=CHAT, headers={"api-key": "mine"})
        two.post("/v1/chat/completions", json=CHAT, headers={"api-key": "client"})
    assert seen == [("one.test", "mine"), ("two.test", "gemini")]


def test_nothing_is_read_from_the_environment_at_import() -> None:
    environment = os.environ | {"GEMGATE_PORT": "nonsense"}
    code = "import gemgate.app, gemgate.cli.main, gemgate.web.sse"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_settings_are_the_environments_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMGATE_UPSTREAM", "https://elsewhere.test/")
    with TestClient(create_app()) as gateway:
        app: Any = gateway.app
        assert app.state.services.settings.upstream == "https://elsewhere.test"


def refuse(_: httpx.Request) -> httpx.Response:
    text = f"Consumer 'api_key:{KEY}' has been suspended."
    return httpx.Response(403, json={"error": {"code": 403, "message": text, "status": "PERMISSION_DENIED"}})


def break_off(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError(f"cannot connect with {request.headers['x-goog-api-key']}")


def fail(request: httpx.Request) -> httpx.Response:
    raise RuntimeError(f"a bug with {request.headers['x-goog-api-key']}")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("google", [refuse, break_off, fail])
def test_no_key_appears_in_an_error_or_the_log(
    google: Any, stream: bool, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway = TestClient(gateway_app(google), raise_server_exceptions=False)
    with caplog.at_level("DEBUG"), gateway:
        answer = gateway.post(
            "/v1/chat/completions",
            json=CHAT | {"stream": stream},
            headers={"authorization": f"Bearer {KEY}"},
        )
        wrong = gateway.post("/v1/chat/completions", json=CHAT | {"n": KEY}, headers={"api-key": KEY})
    assert answer.status_code >= 400
    assert KEY not in answer.text + str(answer.headers) + wrong.text
    assert KEY not in caplog.text
    assert KEY not in capsys.readouterr().out


def test_a_whole_exchange_at_debug_level_logs_no_key() -> None:
    with capture_logs() as logs, client() as gateway:
        gateway.post("/v1/chat/completions", json=CHAT, headers={"authorization": f"Bearer {KEY}"})
    assert KEY not in orjson.dumps(logs, default=repr).decode()


class Silence:
    """A script that begins to answer, or does not even do that, and notes when the other side has gone."""

    def __init__(self, *, begins: bool) -> None:
        self.begins = begins
        self.called, self.left = threading.Event(), threading.Event()

    async def __call__(self, peer: Peer) -> None:
        await peer.request()
        if self.begins:
            await peer.send(STREAM_HEAD, chunk(sse(ANSWER | {"candidates": [{"content": {"parts": [{"text": "H"}]}}]})))
        self.called.set()
        await peer.gone()
        self.left.set()


@pytest.mark.parametrize(
    ("stream", "begins"), [(False, False), (True, False), (True, True)], ids=["buffered", "not begun", "in mid-stream"]
)
def test_a_client_that_goes_ends_the_call_to_google_within_a_second(stream: bool, begins: bool) -> None:
    google = Silence(begins=begins)
    body = orjson.dumps(CHAT | {"stream": stream})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\napi-key: k\r\ncontent-length: {len(body)}\r\n\r\n"
    with BackgroundUpstream(google) as upstream, serve(gateway_app(upstream=upstream.url)) as gateway:
        address = httpx.URL(gateway)
        with socket.create_connection((address.host, address.port or 0), timeout=30) as caller:
            caller.sendall(head.encode() + body)
            assert google.called.wait(30)
            if begins:
                assert caller.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert google.left.wait(5)


def references(value: Any) -> set[str]:
    """Every `$ref` in `value`."""
    if isinstance(value, list):
        return {found for item in value for found in references(item)}
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own | {found for item in value.values() for found in references(item)}
    return set()


def test_every_reference_of_the_openapi_document_leads_somewhere() -> None:
    with client() as gateway:
        document = gateway.get("/openapi.json").json()
        assert gateway.get("/openapi.json").json() == document
    names = references(document)
    assert "#/components/schemas/TextPart" in names
    for name in names:
        _, components, kind, one = name.split("/")
        assert one in document[components][kind]
    assert "$defs" not in str(document)
