from typing import Any

import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient
from tests.support.gateway import gateway_app
from tests.support.google import FakeGoogle

from gemgate.settings import Settings
from gemgate.web.cors import EXPOSED

PAGE = "https://app.example.com"
CHAT = {
    "model": "gemini-2.5-flash",
    "messages": [{"role": "user", "content": "Hello"}],
    "store": True,
    "logit_bias": {},
}
ANSWER = {"candidates": [{"content": {"parts": [{"text": "Hi"}], "role": "model"}, "finishReason": "STOP"}]}


def client(**changes: Any) -> TestClient:
    return TestClient(gateway_app(FakeGoogle(ANSWER), **changes), raise_server_exceptions=False)


def preflight(gateway: TestClient, origin: str = PAGE) -> Any:
    """What a browser asks before it posts JSON with a key, as OpenAI's client for browsers does."""
    asked = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-stainless-lang,x-stainless-retry-count",
    }
    return gateway.options("/v1/chat/completions", headers=asked)


def post(gateway: TestClient, origin: str = PAGE, **headers: str) -> Any:
    return gateway.post("/v1/chat/completions", json=CHAT, headers={"origin": origin, **headers})


def test_no_page_may_call_unless_it_is_allowed() -> None:
    with client() as gateway:
        answers = [preflight(gateway), post(gateway, authorization="Bearer key")]
    assert answers[0].status_code == 405
    assert not [name for answer in answers for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("allowed", [PAGE, f"http://localhost:3000,{PAGE}", "*"])
def test_an_allowed_page_may_call_and_read_our_headers(allowed: str) -> None:
    with client(cors_origins=allowed) as gateway:
        before, answer = preflight(gateway), post(gateway, authorization="Bearer key")
    assert before.status_code == 200
    assert {"authorization", "x-stainless-lang"} <= set(before.headers["access-control-allow-headers"].split(","))
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] in (PAGE, "*")
    assert "access-control-allow-credentials" not in answer.headers
    exposed = set(answer.headers["access-control-expose-headers"].split(", "))
    assert exposed == set(EXPOSED)
    assert {name for name in answer.headers if name.startswith("x-")} <= exposed


def test_an_allowed_page_can_read_errors_too() -> None:
    with client(cors_origins=PAGE) as gateway:
        answer = post(gateway)
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == PAGE


def test_another_page_is_not_allowed() -> None:
    with client(cors_origins=PAGE) as gateway:
        before, answer = preflight(gateway, "https://evil.example"), post(gateway, "https://evil.example")
    assert before.status_code == 400
    assert "access-control-allow-origin" not in before.headers
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origin", ["https://app.example.com/", "app.example.com", "https://a.b/path", "https://u@a.b"])
def test_what_is_no_origin_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(ValidationError, match="is not an origin"):
        Settings(_env_file=None, cors_origins=origin)


def test_origins_reach_workers_through_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = Settings(_env_file=None, cors_origins=f"{PAGE}, http://localhost:3000").as_environment()
    monkeypatch.setenv("GEMGATE_CORS_ORIGINS", environment["GEMGATE_CORS_ORIGINS"])
    assert Settings(_env_file=None).cors_origins == (PAGE, "http://localhost:3000")


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH"])
def test_a_page_may_use_the_methods_of_googles_api_in_a_private_network(method: str) -> None:
    with TestClient(gateway_app(cors_origins="https://page.example")) as client:
        answer = client.options(
            "/v1beta/cachedContents/x",
            headers={
                "origin": "https://page.example",
                "access-control-request-method": method,
                "access-control-request-private-network": "true",
            },
        )
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-private-network"] == "true"


def test_a_page_can_read_what_uploads_are_answered() -> None:
    with TestClient(gateway_app(cors_origins="https://page.example")) as client:
        answer = client.get("/healthz", headers={"origin": "https://page.example"})
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"x-goog-upload-url", "x-goog-upload-status", "x-goog-upload-size-received", "x-gemgate-copy"} <= set(
        exposed
    )
