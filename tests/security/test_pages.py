"""What browsers and caches do with answers: pages without scripts of others, and answers to a key that nobody keeps."""

import re
from collections.abc import Iterator

import httpx
import orjson
import pytest
from tests.support.raw_upstream import RawUpstream, always, answer
from tests.support.stack import Stack, gateway, stack

KEY = {"authorization": "Bearer demo"}
CHAT = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hello"}]}
NATIVE = {"contents": [{"parts": [{"text": "Hello"}]}]}


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    with stack() as servers:
        yield servers


def test_the_docs_load_nothing_of_another_host(running: Stack) -> None:
    page = httpx.get(f"{running.gateway}/docs")
    assert page.status_code == 200
    loaded = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert len(loaded) == 4
    for name in loaded:
        found = httpx.get(f"{running.gateway}/{name}")
        assert found.status_code == 200
        assert found.headers["x-content-type-options"] == "nosniff"
    assert "<script>" not in page.text
    assert not re.search(r"\son\w+=", page.text)
    assert "SwaggerUIBundle" in httpx.get(f"{running.gateway}/docs/swagger-ui-bundle.js").text


def test_the_docs_run_only_scripts_of_here_and_no_page_frames_them(running: Stack) -> None:
    headers = httpx.get(f"{running.gateway}/docs").headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert not re.search(r"https?:|\*", headers["content-security-policy"])
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "name", ["..%2F..%2F__init__.py", "__init__.py", "main.py", "x", "%2e%2e/main.py", "swagger-ui.css/x"]
)
def test_the_docs_hand_out_no_other_file(running: Stack, name: str) -> None:
    assert httpx.get(f"{running.gateway}/docs/{name}").status_code == 404


ANSWERS = {
    "files": ("GET", "/v1/files", None),
    "batches": ("GET", "/v1/batches", None),
    "models": ("GET", "/v1/models", None),
    "a model": ("GET", "/v1/models/gemini-2.5-flash", None),
    "google's endpoint": ("GET", "/v1beta/openai/models", None),
    "native list": ("GET", "/v1beta/models", None),
    "native answer": ("POST", "/v1beta/models/gemini-2.5-flash:generateContent", NATIVE),
    "chat": ("POST", "/v1/chat/completions", CHAT),
    "embeddings": ("POST", "/v1/embeddings", {"model": "gemini-embedding-001", "input": "a"}),
    "an error": ("POST", "/v1/chat/completions", {}),
    "nowhere": ("GET", "/nowhere", None),
    "no such file": ("GET", "/v1/files/file-1", None),
    "metrics": ("GET", "/metrics", None),
}


@pytest.mark.parametrize(
    "headers", [KEY, {"x-goog-api-key": "demo"}, {"api-key": "demo"}], ids=["bearer", "google's", "azure's"]
)
@pytest.mark.parametrize("call", ANSWERS.values(), ids=ANSWERS)
def test_no_cache_keeps_an_answer_to_a_key(
    running: Stack, call: tuple[str, str, object], headers: dict[str, str]
) -> None:
    method, path, body = call
    found = httpx.request(method, running.gateway + path, headers=headers, content=orjson.dumps(body) if body else None)
    assert found.headers.get_list("cache-control") == ["no-store"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("given", "kept"),
    [({}, "no-store"), ({"cache-control": "private, max-age=0"}, "private, max-age=0")],
    ids=["nothing said", "google says"],
)
async def test_what_google_says_to_browsers_and_caches_is_handed_on(given: dict[str, str], kept: str) -> None:
    said = answer(200, {"models": []}, {"x-content-type-options": "nosniff", **given})
    async with RawUpstream(always(said)) as upstream, httpx.AsyncClient() as client:
        with gateway(upstream.url) as url:
            found = await client.get(f"{url}/v1beta/models", headers={"x-goog-api-key": "demo"})
    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.headers.get_list("cache-control") == [kept]
