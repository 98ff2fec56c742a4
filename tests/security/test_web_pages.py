"""Attacks of web pages on a gateway that asks for no key: requests across sites, and names that lead here."""

import re
from collections.abc import Iterator

import httpx
import orjson
import pytest
from tests.support.command import command
from tests.support.raw_http import address_of, ask, request
from tests.support.stack import Stack, gateway, stack

CHAT = orjson.dumps({"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hello"}]})
NATIVE = orjson.dumps({"contents": [{"parts": [{"text": "Hello"}]}]})
EVIL = "https://evil.example"


@pytest.fixture(scope="module")
def sidecar() -> Iterator[Stack]:
    """A gateway that holds a Gemini key, listens on the loopback and asks its callers for nothing."""
    with stack(gemini_api_key="demo") as servers:
        yield servers


CALLS = {
    "chat": ("POST", "/v1/chat/completions", CHAT),
    "native": ("POST", "/v1beta/models/gemini-2.5-flash:generateContent", NATIVE),
    "files": ("GET", "/v1/files", b""),
    "google's files": ("GET", "/v1beta/files", b""),
    "delete": ("DELETE", "/v1/files/file-1", b""),
    "models": ("GET", "/v1/models", b""),
    "metrics": ("GET", "/metrics", b""),
    "the document": ("GET", "/openapi.json", b""),
    "nowhere": ("GET", "/nowhere", b""),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("host", "headers", "code"),
    [
        ("evil.example", (), b"host_not_allowed"),
        ("127.0.0.1", (f"origin: {EVIL}",), b"origin_not_allowed"),
        ("127.0.0.1", ("sec-fetch-site: cross-site",), b"origin_not_allowed"),
    ],
    ids=["a name of its own", "an origin", "another site"],
)
def test_no_page_uses_it(
    sidecar: Stack, call: tuple[str, str, bytes], host: str, headers: tuple[str, ...], code: bytes
) -> None:
    method, path, body = call
    before = len(sidecar.seen.requests)
    status, seen = ask(sidecar.gateway, request(method, path, *headers, body=body, host=host))
    assert status == 403
    assert code in seen.lower()
    assert b"GEMGATE_ALLOWED_HOSTS" in seen or b"GEMGATE_CORS_ORIGINS" in seen
    assert len(sidecar.seen.requests) == before


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1.nip.io", "notlocalhost",
        "10.0.0.1", "169.254.169.254", "0.0.0.0", "[::ffff:10.0.0.1]", "2130706433", "127.1.evil", "LOCALHOST.EVIL", "",
    ],
)  # fmt: skip
def test_names_and_addresses_of_others_are_refused(sidecar: Stack, host: str) -> None:
    assert ask(sidecar.gateway, request("GET", "/v1/models", host=host))[0] == 403


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:1", "localhost", "localhost:8080", "LocalHost", "localhost.", "[::1]:8080", "127.0.0.53",
     "app.localhost", "[::1]"],
)  # fmt: skip
def test_names_and_addresses_of_the_loopback_are_served(sidecar: Stack, host: str) -> None:
    assert ask(sidecar.gateway, request("GET", "/v1/models", host=host))[0] == 200


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://localhost:3000",
        "http://127.0.0.1",
        "https://127.0.0.1.evil.example",
        "file://",
        "x",
        "",
        "http://",
    ],
)
def test_pages_of_other_origins_are_refused_though_they_are_of_this_machine(sidecar: Stack, origin: str) -> None:
    sent = request("POST", "/v1/chat/completions", f"origin: {origin}", "content-type: text/plain", body=CHAT)
    assert ask(sidecar.gateway, sent.replace(b"host: 127.0.0.1", b"host: 127.0.0.1:8080"))[0] == 403


@pytest.mark.parametrize("site", ["same-site", "cross-site", "CROSS-SITE", "nonsense"])
@pytest.mark.parametrize("mode", ["no-cors", "cors", "navigate", "websocket"])
def test_what_the_browser_says_of_the_site_counts_without_an_origin(sidecar: Stack, site: str, mode: str) -> None:
    headers = (f"sec-fetch-site: {site}", f"sec-fetch-mode: {mode}", "sec-fetch-dest: iframe")
    assert ask(sidecar.gateway, request("GET", "/v1/models", *headers))[0] == 403


def test_a_form_that_leads_here_is_refused_and_a_link_is_not(sidecar: Stack) -> None:
    headers = ("sec-fetch-site: cross-site", "sec-fetch-mode: navigate", "sec-fetch-dest: document")
    assert ask(sidecar.gateway, request("POST", "/v1/chat/completions", *headers, body=CHAT))[0] == 403
    assert ask(sidecar.gateway, request("GET", "/docs", *headers))[0] == 200


def test_its_own_pages_and_programs_are_served(sidecar: Stack) -> None:
    host, port = address_of(sidecar.gateway)
    own = (f"origin: http://{host}:{port}", "sec-fetch-site: same-origin", "sec-fetch-mode: cors")
    sent = request("POST", "/v1/chat/completions", *own, body=CHAT, host=f"{host}:{port}")
    assert ask(sidecar.gateway, sent)[0] == 200
    assert httpx.post(f"{sidecar.gateway}/v1/chat/completions", content=CHAT).status_code == 200
    assert ask(sidecar.gateway, request("GET", "/v1/models", "sec-fetch-site: none"))[0] == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_are_served_under_any_name(sidecar: Stack, path: str) -> None:
    assert ask(sidecar.gateway, request("GET", path, host="10.1.2.3:8080"))[0] == 200


def test_hosts_and_origins_that_the_operator_names_are_served(sidecar: Stack) -> None:
    settings = {
        "gemini_api_key": "demo", "allowed_hosts": "gateway, ai.test:8443", "cors_origins": "https://app.test",
        "public_url": "https://public.test/",
    }  # fmt: skip
    with gateway(sidecar.emulator, **settings) as url:
        for host in ("gateway:8080", "ai.test", "public.test", "127.0.0.1"):
            assert ask(url, request("GET", "/v1/models", host=host))[0] == 200
        page = ("origin: https://app.test", "sec-fetch-site: cross-site")
        assert ask(url, request("POST", "/v1/chat/completions", *page, body=CHAT))[0] == 200
        own = request("POST", "/v1/chat/completions", "origin: https://public.test", body=CHAT)
        assert ask(url, own)[0] == 200  # behind a proxy that names another Host
        assert ask(url, request("POST", "/v1/chat/completions", f"origin: {EVIL}", body=CHAT))[0] == 403
        assert ask(url, request("GET", "/v1/models", host="evil.example"))[0] == 403


def test_all_origins_and_all_hosts_can_be_let_in(sidecar: Stack) -> None:
    with gateway(sidecar.emulator, gemini_api_key="demo", allowed_hosts="*", cors_origins="*") as url:
        sent = request("POST", "/v1/chat/completions", f"origin: {EVIL}", body=CHAT, host="evil.example")
        assert ask(url, sent)[0] == 200


def test_a_gateway_that_asks_for_keys_answers_under_every_name(sidecar: Stack) -> None:
    with gateway(sidecar.emulator, gemini_api_key="demo", client_keys="a-client-key-that-is-long") as url:
        key = "authorization: Bearer a-client-key-that-is-long"
        assert ask(url, request("GET", "/v1/models", key, host="ai.example"))[0] == 200


def test_the_demo_serves_programs_and_no_page() -> None:
    with command("serve", "--emulator", "--port", "0", GEMGATE_LOG_LEVEL="error") as (_, url):
        port = re.findall(r"\d+", url)[-1]
        key = "authorization: Bearer demo"
        for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
            assert ask(url, request("POST", "/v1/chat/completions", key, body=CHAT, host=host))[0] == 200
        assert ask(url, request("POST", "/v1/chat/completions", key, body=CHAT, host="evil.example"))[0] == 403
