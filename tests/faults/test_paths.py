"""Names and ids are text of the caller's: none of them changes where a call to Google goes."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.support.gateway import gateway_app
from tests.support.google import FakeGoogle

BAD_NAMES = [
    "..",
    "../files",
    "../../v1/operations",
    "gemini/../../files",
    "models/../files",
    "models/..",
    "models//x",
    "/models/x",
    "models/x/",
    "models/x/y",
    "x:generateContent",
    "gemini-2.5-flash:countTokens?",
    "%2e%2e%2ffiles",
    "..%2ffiles",
    "%2f",
    "gemini%00",
    "gemini?key=x",
    "gemini?alt=media#",
    "gemini#fragment",
    "gemini\\..\\files",
    "gemini;x=1",
    "gemini&x=1",
    "gemini flash",
    " gemini",
    "gemini\t",
    "gemini\n",
    "gemini\r\nx-injected: 1",
    "gemini\0",
    "http://127.0.0.1/",
    "//127.0.0.1/x",
    "@127.0.0.1",
    "gemini@evil.example",
    "gémini",
    "\uff47\uff45\uff4d\uff49\uff4e\uff49",
    "gemini\u2028",
    "gemini\u202e",
    "\uff0e\uff0e\uff0ffiles",
    "\u0660",
    "😀",
    "-gemini",
    ".gemini",
    "_",
    "tunedModels/../x",
    "files/abc",
    "batches/abc",
    "x" * 201,
    "x" * 100_000,
    "{model}",
    "${jndi:ldap://x}",
    "'; DROP TABLE files; --",
]
"""What is no name of a model, and would be something else in a path."""

NATIVE = re.compile(rb"/v1beta/(models|tunedModels|dynamic)/[A-Za-z0-9][A-Za-z0-9._-]{0,199}(:[A-Za-z]+)?(\?alt=sse)?")
LIST = re.compile(rb"/v1beta/models(\?pageSize=\d+)?")
CHAT = {"messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture(scope="module")
def google() -> FakeGoogle:
    """Lists no model, whatever it is asked."""
    return FakeGoogle({"models": []})


@pytest.fixture(scope="module")
def client(google: FakeGoogle) -> Iterator[TestClient]:
    app = gateway_app(google, retries=0, breaker_failures=0, log_level="error")
    with TestClient(app, raise_server_exceptions=False) as each:
        each.headers["authorization"] = "Bearer key"
        yield each


def bodies(name: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Requests that name a model, or something else that stands in a path or an address at Google."""
    image = {"type": "image_url", "image_url": {"url": f"https://generativelanguage.googleapis.com/v1beta/{name}"}}
    return {
        "chat": ("/v1/chat/completions", {"model": name, **CHAT}),
        "stream": ("/v1/chat/completions", {"model": name, "stream": True, **CHAT}),
        "compatible chat": ("/v1beta/openai/chat/completions", {"model": name, **CHAT}),
        "embeddings": ("/v1/embeddings", {"model": name, "input": "Hi"}),
        "images": ("/v1/images/generations", {"model": name, "prompt": "Hi"}),
        "edits": ("/v1/images/edits", {"model": name, "prompt": "Hi", "image": "data:image/png;base64,iVBORw0KGgo="}),
        "batches": (
            "/v1/batches",
            {"input_file_id": name, "endpoint": "/v1/chat/completions", "completion_window": "24h"},
        ),
        "file in chat": (
            "/v1/chat/completions",
            {"model": "m", "messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": name}}]}]},
        ),
        "cached content": (
            "/v1/chat/completions",
            {"model": "m", "extra_body": {"google": {"cached_content": name}}, **CHAT},
        ),
        "image": ("/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": [image]}]}),
    }


def is_clean(google: FakeGoogle, answered: Any) -> None:
    """No fault of the gateway's, in OpenAI's shape or in Google's on its own paths; no call to anywhere but a model."""
    assert answered.status_code < 500 or answered.status_code == 502, answered.text
    if answered.status_code >= 400:
        error = set(answered.json()["error"])
        assert error >= {"message", "type", "param", "code"} or error >= {"message", "code", "status"}
        assert len(answered.content) < 5_000
    for request in google.requests:
        path = request.url.raw_path
        assert request.url.host == "generativelanguage.googleapis.com"
        assert NATIVE.fullmatch(path) or LIST.fullmatch(path), path
        assert "x-injected" not in request.headers
    google.requests.clear()


NAMING_A_MODEL = ["chat", "stream", "compatible chat", "embeddings", "images", "edits"]


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: ascii(name[:30]))
def test_a_name_that_is_none_calls_nobody(client: TestClient, google: FakeGoogle, name: str) -> None:
    for kind in NAMING_A_MODEL:
        path, body = bodies(name)[kind]
        answered = client.post(path, json=body)
        assert answered.status_code in (400, 404), (kind, answered.text)
        assert not google.requests, kind
        is_clean(google, answered)


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: ascii(name[:30]))
def test_another_id_changes_no_path(client: TestClient, google: FakeGoogle, name: str) -> None:
    for kind in bodies("x").keys() - set(NAMING_A_MODEL):
        path, body = bodies(name)[kind]
        is_clean(google, client.post(path, json=body))


IN_PATHS = [
    ("GET", "/v1/models/{}"),
    ("GET", "/v1beta/openai/models/{}"),
    ("GET", "/v1/files/{}"),
    ("DELETE", "/v1/files/{}"),
    ("GET", "/v1/files/{}/content"),
    ("POST", "/v1/uploads/{}/cancel"),
    ("GET", "/v1/batches/{}"),
    ("POST", "/v1/batches/{}/cancel"),
]


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: ascii(name[:30]))
def test_an_id_in_our_own_path_changes_no_path(client: TestClient, google: FakeGoogle, name: str) -> None:
    for method, path in IN_PATHS:
        for written in {quote(name, safe=""), quote(name, safe="/.:@&;=")}:
            if len(written) < 60_000:
                is_clean(google, client.request(method, path.format(written)))


@settings(max_examples=100)
@given(name=st.text(max_size=40))
def test_no_text_leads_elsewhere(client: TestClient, google: FakeGoogle, name: str) -> None:
    for path, body in bodies(name).values():
        is_clean(google, client.post(path, json=body))
    is_clean(google, client.get(f"/v1/models/{quote(name, safe='')}"))


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://169.254.169.254/latest/meta-data/",
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://0177.0.0.1/x",
        "https://127.1/x",
        "https://localhost/x",
        "https://localhost./x",
        "https://metadata.google.internal/x",
        "https://user:secret@example.com/x",
        "https://example.com:8443/x",
        "https://example.com@127.0.0.1/x",
        "http://example.com/x",
        "file:///etc/passwd",
        "ftp://example.com/x",
        "gopher://example.com/x",
    ],
)
@pytest.mark.parametrize("kind", ["image_url", "video_url", "file"])
def test_no_endpoint_fetches_what_the_guard_forbids(
    client: TestClient, google: FakeGoogle, url: str, kind: str
) -> None:
    part = {"type": kind, kind: {"file_url" if kind == "file" else "url": url}}
    body = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": [part]}]}
    answered = client.post("/v1/chat/completions", json=body)
    assert answered.status_code == 400, answered.text
    assert "secret" not in answered.text
    assert not google.requests
