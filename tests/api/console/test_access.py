"""Who opens the console: over sockets, with and without a token, and by foreign names, pages and proxies."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from tests.support.gateway import gateway_app, in_process, settings_of
from tests.support.raw_http import ask, connected, request, until_closed
from tests.support.stack import Stack, stack

from gemgate.api.console.access import COOKIE, SESSION_SECONDS, ConsoleAccess

TOKEN = "the-token-of-the-console-0123"
GEMINI_KEY = "AIzaSyGatewaysOwnGeminiKey0123456789abc"
CLIENT_KEY = "sk-client-key-0123456789abcdef"
HTML = {"accept": "text/html,application/xhtml+xml"}
STATIC = Path(__file__).parents[3] / "src" / "gemgate" / "api" / "console" / "static"
DATA = tuple(f"/console/api/{name}" for name in ("session", "parameters", "keys", "store", "usage"))


@pytest.fixture(scope="module")
def local() -> Iterator[Stack]:
    """On the loopback, without a token, as `make demo` serves it."""
    with stack() as servers:
        yield servers


@pytest.fixture(scope="module")
def guarded() -> Iterator[Stack]:
    """On the network, with a token, a Gemini key and a client key."""
    keys = {"gemini_api_key": GEMINI_KEY, "client_keys": CLIENT_KEY}
    with stack(host="0.0.0.0", console_token=TOKEN, **keys) as servers:
        yield servers


@pytest.fixture(scope="module")
def stranger(guarded: Stack) -> Iterator[httpx.Client]:
    """A browser without the token."""
    with httpx.Client(base_url=guarded.gateway) as client:
        yield client


@pytest.fixture(scope="module")
def neighbour(local: Stack) -> Iterator[httpx.Client]:
    """A browser of the machine that needs none."""
    with httpx.Client(base_url=local.gateway) as client:
        yield client


@pytest.fixture(scope="module")
def visitor(guarded: Stack) -> Iterator[httpx.Client]:
    """A browser that has presented the token."""
    with httpx.Client(base_url=guarded.gateway) as client:
        assert client.post("/console/login", data={"token": TOKEN}).status_code == 303
        yield client


def test_the_root_leads_a_browser_to_the_console_and_names_the_endpoints_to_others(neighbour: httpx.Client) -> None:
    led = neighbour.get("/", headers=HTML)
    assert (led.status_code, led.headers["location"], led.headers["vary"]) == (302, "/console", "accept")
    named = neighbour.get("/").json()
    assert named["endpoints"]["openai"] == "/v1"
    for name in ("docs", "openapi", "health", "console"):
        assert neighbour.get(named["endpoints"][name]).status_code == 200


@pytest.mark.parametrize(
    "settings",
    [
        {"console": False},
        {"console": False, "console_token": TOKEN},
        {"host": "0.0.0.0"},
        {"host": "127.0.0.1,10.0.0.1"},
        {"host": "unix:/run/gemgate.sock"},
        {"public_url": "https://ai.example.com"},
        {"root_path": "/gemini"},
    ],
    ids=str,
)
async def test_a_console_that_is_off_is_nowhere(settings: dict[str, object]) -> None:
    async with in_process(gateway_app(**settings), base_url="http://127.0.0.1") as client:
        for path in ("/console", "/console/login", "/console/main.js", *DATA):
            assert (await client.get(path)).status_code == 404
        root = await client.get("/", headers=HTML)
        assert root.status_code == 200
        assert "console" not in root.json()["endpoints"]


@pytest.mark.parametrize("path", ["/console", "/console/api/session", "/console/api/requests"])
@pytest.mark.parametrize(
    ("host", "header", "code"),
    [
        ("evil.example", "", b"host_not_allowed"),
        ("127.0.0.1.evil.example", "", b"host_not_allowed"),
        ("10.0.0.1", "", b"host_not_allowed"),
        ("", "", b"host_not_allowed"),
        ("127.0.0.1", "origin: https://evil.example", b"origin_not_allowed"),
        ("127.0.0.1", "origin: null", b"origin_not_allowed"),
        ("127.0.0.1", "sec-fetch-site: cross-site", b"origin_not_allowed"),
        ("127.0.0.1", "sec-fetch-site: same-site", b"origin_not_allowed"),
        ("127.0.0.1", "x-forwarded-for: 127.0.0.1", b"console_token_required"),
        ("127.0.0.1", "x-forwarded-host: 127.0.0.1", b"console_token_required"),
        ("127.0.0.1", "forwarded: for=127.0.0.1", b"console_token_required"),
        ("127.0.0.1", "x-real-ip: 127.0.0.1", b"console_token_required"),
        ("127.0.0.1", "via: 1.1 proxy", b"console_token_required"),
    ],
)
def test_without_a_token_only_this_machines_own_browser_is_served(
    local: Stack, path: str, host: str, header: str, code: bytes
) -> None:
    status, seen = ask(local.gateway, request("GET", path, *([header] if header else []), host=host))
    assert status == 403
    assert code in seen


def test_a_proxy_that_says_nothing_of_itself_is_known_by_its_old_http(local: Stack) -> None:
    with connected(local.gateway) as client:
        client.sendall(b"GET /console/api/session HTTP/1.0\r\nhost: 127.0.0.1:8080\r\n\r\n")
        assert b"console_token_required" in until_closed(client)


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:8080", "app.localhost"])
def test_names_of_the_loopback_open_it(local: Stack, host: str) -> None:
    assert ask(local.gateway, request("GET", "/console", host=host))[0] == 200


def test_without_a_session_there_is_the_form_and_nothing_else(stranger: httpx.Client) -> None:
    page = stranger.get("/console")
    assert page.status_code == 200
    assert 'type="password"' in page.text
    assert "main.js" not in page.text
    for path in (*DATA, "/console/api/requests"):
        assert stranger.get(path).status_code == 401
    assert stranger.post("/console/api/send", json={}).status_code == 401


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", CLIENT_KEY, GEMINI_KEY, "é" * 20])
def test_another_token_gives_no_session(stranger: httpx.Client, token: str) -> None:
    answer = stranger.post("/console/login", data={"token": token})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("root", ["", "/gemini"])
async def test_the_form_says_that_a_token_was_wrong_and_finds_its_files_wherever_it_is_served(root: str) -> None:
    app = gateway_app(host="0.0.0.0", console_token=TOKEN, root_path=root)
    async with in_process(app, base_url="http://127.0.0.1") as client:
        form = await client.get(f"{root}/console")
        wrong = await client.post(f"{root}/console/login", data={"token": "wrong"})
        assert [(answer.status_code, answer.headers["cache-control"]) for answer in (form, wrong)] == [
            (200, "no-store"),
            (401, "no-store"),
        ]
        assert "That is not the token." not in form.text
        assert '<p class="problem" role="alert">That is not the token.</p>' in wrong.text
        for page in (form.text, wrong.text):
            assert f'action="{root}/console/login"' in page
            links = re.findall(r'href="([^"]+)"', page)
            assert links == [f"{root}/console/icon.svg", f"{root}/console/console.css"]
            assert [(await client.get(link)).status_code for link in links] == [200, 200]
            assert "$" not in page


def test_the_session_is_a_cookie_that_no_script_reads_and_no_other_site_sends(stranger: httpx.Client) -> None:
    answer = stranger.post("/console/login", data={"token": TOKEN})
    stranger.cookies.clear()
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")
    cookie = answer.headers["set-cookie"]
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/console", f"max-age={SESSION_SECONDS}"} <= attributes
    assert "secure" not in attributes
    assert TOKEN not in cookie
    secure = stranger.post("/console/login", data={"token": TOKEN}, headers={"x-forwarded-proto": "https"})
    stranger.cookies.clear()
    assert "secure" in secure.headers["set-cookie"].lower()


def test_a_session_opens_the_console_until_it_is_left(guarded: Stack) -> None:
    with httpx.Client(base_url=guarded.gateway) as client:
        client.post("/console/login", data={"token": TOKEN})
        assert "main.js" in client.get("/console").text
        session = client.get("/console/api/session").json()
        assert client.post("/console/logout", headers={"x-csrf-token": session["csrf"]}).status_code == 204
        assert client.get("/console/api/session").status_code == 401


@pytest.mark.parametrize("csrf", ["", "wrong", "0" * 64])
@pytest.mark.parametrize("path", ["/console/api/send", "/console/logout"])
def test_what_acts_needs_the_value_of_the_session(visitor: httpx.Client, path: str, csrf: str) -> None:
    asked = {"path": "/v1/chat/completions", "key": CLIENT_KEY, "body": {}}
    answer = visitor.post(path, json=asked, headers={"x-csrf-token": csrf} if csrf else {})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "csrf_token_invalid"


def test_a_page_of_another_site_cannot_use_the_session(visitor: httpx.Client) -> None:
    csrf = visitor.get("/console/api/session").json()["csrf"]
    headers = {"x-csrf-token": csrf, "origin": "https://evil.example"}
    for answer in (
        visitor.get("/console/api/session", headers=headers),
        visitor.post("/console/logout", headers=headers),
    ):
        assert answer.status_code == 403
    login = visitor.post("/console/login", data={"token": TOKEN}, headers={"origin": "https://evil.example"})
    assert login.status_code == 403


def request_with(cookie: str) -> Request:
    headers = [(b"host", b"ai.example"), (b"cookie", f"{COOKIE}={cookie}".encode())]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": headers, "http_version": "1.1"})


def test_a_session_ends_after_its_time_and_with_its_token() -> None:
    now = 1_000_000.0
    access = ConsoleAccess(settings_of(host="0.0.0.0", console_token=TOKEN), clock=lambda: now)
    asking = Request({"type": "http", "method": "POST", "path": "/", "headers": [], "scheme": "http", "server": None})
    response = Response()
    assert access.log_in(asking, TOKEN, response)
    cookie = response.headers["set-cookie"].split(";")[0].partition("=")[2]
    assert access.is_open_to(request_with(cookie))
    later, *rest = cookie.split(".")
    for altered in (f"{int(later) + 9}." + ".".join(rest), cookie[:-1], f"{cookie}0", "", ".", "1.2.3", "x.y.z"):
        assert not access.is_open_to(request_with(altered)), altered
    other = ConsoleAccess(settings_of(host="0.0.0.0", console_token=TOKEN + "2"), clock=lambda: now)
    assert not other.is_open_to(request_with(cookie))
    now += SESSION_SECONDS + 1
    assert not access.is_open_to(request_with(cookie))


def test_every_page_and_file_has_a_policy_without_other_hosts_and_inline_scripts(neighbour: httpx.Client) -> None:
    names = sorted(path.name for path in STATIC.iterdir())
    assert {"index.html", "login.html", "main.js", "console.css", "examples.json"} <= set(names)
    for path in ("/console", *(f"/console/{name}" for name in names if not name.endswith(".html"))):
        answer = neighbour.get(path)
        assert answer.status_code == 200, path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"https?:|\*", policy)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
    for page in STATIC.glob("*.html"):
        text = page.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|https?:", text), page.name


@pytest.mark.parametrize(
    "name", ["index.html", "..%2faccess.py", "%2e%2e/routes.py", "access.py", "", "x.js", "main.js/x"]
)
def test_no_other_file_is_handed_out(neighbour: httpx.Client, name: str) -> None:
    answer = neighbour.get(f"/console/{name}")
    assert answer.status_code == 404 or (not name and "main.js" in answer.text)


def test_no_page_and_no_answer_holds_a_secret(visitor: httpx.Client) -> None:
    for path in ("/", "/console", *DATA, *(f"/console/{each.name}" for each in STATIC.iterdir())):
        text = visitor.get(path).text
        for secret in (TOKEN, GEMINI_KEY, CLIENT_KEY, *visitor.cookies.values()):
            assert secret not in text, path


@pytest.mark.parametrize("name", [path.name for path in sorted(STATIC.glob("*.js"))])
def test_scripts_are_short_and_know_no_other_host(name: str) -> None:
    text = (STATIC / name).read_text()
    assert len(text.splitlines()) < 300
    hosts = set(re.findall(r"https?://[\w.]+", text)) - {"http://www.w3.org"}  # the namespace of drawings
    assert not hosts
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
