import socket
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from tests.support.server import serve

from gemgate.cli.check import Finding, check_keys, explain
from gemgate.gemini.errors import Failure, GeminiError, TransportError
from gemgate.settings import Settings
from gemgate.upstream.key_pool import label_of

KEY = "gemini-key-0123456789"


def google(status: int, body: Any) -> Starlette:
    async def models(_: Request) -> Response:
        return JSONResponse(body, status)

    return Starlette(routes=[Route("/v1beta/models", models)])


def refusing(status: int, message: str, reason: str = "") -> Starlette:
    return google(status, {"error": {"code": status, "message": message, "status": reason}})


async def findings(upstream: str, *keys: str) -> list[Finding]:
    return await check_keys(Settings.model_validate({"gemini_api_key": ",".join(keys), "upstream": upstream}))


async def finding(app: Starlette, *keys: str) -> Finding:
    with serve(app) as url:
        (found,) = await findings(url, *keys)
    return found


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


async def test_a_key_that_works_is_told_by_its_tail() -> None:
    found = await finding(google(200, {"models": [{"name": "models/gemini"}]}), KEY)
    assert found.is_good
    assert f"ends in 6789 ({label_of(KEY)} in logs and metrics) works" in found.sentence
    assert KEY not in found.sentence


async def test_a_short_key_is_not_shown_at_all() -> None:
    found = await finding(google(200, {"models": [{}]}), "short")
    assert found.sentence.startswith(f"The key ({label_of('short')} in logs")


async def test_each_of_several_keys_is_checked() -> None:
    with serve(google(200, {"models": [{}]})) as url:
        assert [found.is_good for found in await findings(url, KEY, "another")] == [True, True]


@pytest.mark.parametrize(
    ("status", "message", "said"),
    [
        (400, "API key not valid. Please pass a valid API key.", "Google does not know this key"),
        (400, "User location is not supported for the API use.", "in this machine's location"),
        (403, "Permission denied on resource project x.", "does not allow this key to use"),
        (404, "Not found", "check GEMGATE_UPSTREAM"),
        (429, "Quota exceeded", "its quota is used up"),
        (503, "The service is overloaded.", "Google has an internal problem (503)"),
        (409, "Conflict", "Google refused the call (409)"),
    ],
)
async def test_what_google_says_is_explained(status: int, message: str, said: str) -> None:
    found = await finding(refusing(status, message), KEY)
    assert not found.is_good
    assert said in found.sentence
    assert message.rstrip(".") in found.sentence
    assert KEY not in found.sentence


def test_an_api_that_is_not_enabled_is_explained() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED"}]
    error = GeminiError(403, "Generative Language API has not been used", "PERMISSION_DENIED", details)
    assert "is not enabled in the key's project" in explain(error, "https://x")


async def test_something_else_that_answers_is_no_gemini() -> None:
    found = await finding(google(200, {"hello": "world"}), KEY)
    assert not found.is_good
    assert "not as the Gemini API does" in found.sentence


async def test_a_port_where_nothing_listens_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    (found,) = await findings(url, KEY)
    assert found.sentence.endswith("nothing accepts connections there, or a firewall is in between.")


async def test_a_certificate_that_is_not_trusted_or_no_tls_at_all_is_told() -> None:
    with serve(google(200, {})) as url:
        (found,) = await findings(url.replace("http:", "https:"), KEY)
    assert not found.is_good
    assert "certificate" in found.sentence


async def test_a_name_that_does_not_resolve_is_told() -> None:
    (found,) = await findings("http://gateway.invalid", KEY)
    assert "cannot be resolved" in found.sentence


async def test_a_proxy_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        proxy = f"http://127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setenv("HTTP_PROXY", proxy)
    (found,) = await findings("http://gateway.invalid", KEY)
    assert "the proxy of HTTPS_PROXY cannot be used" in found.sentence


async def test_a_proxy_of_a_kind_that_is_not_supported_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:1")
    (found,) = await findings("http://gateway.invalid", KEY)
    assert not found.is_good
    assert "must be an http or https one" in found.sentence


@pytest.mark.parametrize("failure", list(Failure))
def test_every_failure_on_the_way_has_its_sentence(failure: Failure) -> None:
    sentence = explain(TransportError(failure), "https://google.test")
    assert sentence.startswith("https://google.test cannot be reached: ")


async def test_without_a_key_it_says_what_that_means_and_checks_the_way() -> None:
    found = await finding(refusing(403, "Method doesn't allow unregistered callers", "PERMISSION_DENIED"))
    assert found.is_good
    assert found.sentence.startswith("No GEMINI_API_KEY is set, so each caller's own key is passed on")
    assert found.sentence.endswith("answers.")


async def test_without_a_key_a_server_in_trouble_is_no_good() -> None:
    assert not (await finding(refusing(500, "internal"))).is_good


async def test_without_a_key_a_web_page_is_told() -> None:
    async def page(_: Request) -> Response:
        return PlainTextResponse("<html>hello</html>", media_type="text/html")

    found = await finding(Starlette(routes=[Route("/v1beta/models", page)]))
    assert not found.is_good
    assert "is not the Gemini API" in found.sentence


async def test_certificates_that_cannot_be_read_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    (found,) = await findings("http://gateway.invalid", KEY)
    assert not found.is_good
    assert found.sentence.endswith("SSL_CERT_FILE or SSL_CERT_DIR says that they are: No such file or directory.")
