"""A failure that nobody foresaw, and a store that fails, are answered in the caller's shape on every route."""

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle

from gemgate.store.database import Database

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from gemgate.store import Store

PATHS: list[tuple[str, str, Any]] = [
    ("GET", "/v1/models", None),
    ("GET", "/v1/models/gemini-2.5-flash", None),
    ("POST", "/v1/completions", {"model": "gemini-2.5-flash", "prompt": "Hi"}),
    ("POST", "/v1/moderations", {"input": "Hi"}),
    ("POST", "/v1/embeddings", {"model": "gemini-embedding-001", "input": "Hi"}),
    ("POST", "/v1/audio/speech", {"model": "gemini-3.8-flash-tts", "input": "Hi", "voice": "Kore"}),
    ("POST", "/v1/images/generations", {"model": "gemini-2.5-flash-image", "prompt": "Hi"}),
    ("GET", "/v1/files", None),
    ("GET", "/v1/files/file-1", None),
    ("GET", "/v1/files/file-1/content", None),
    ("DELETE", "/v1/files/file-1", None),
    ("POST", "/v1/uploads", {"filename": "a", "purpose": "batch", "bytes": 1, "mime_type": "text/plain"}),
    ("GET", "/v1/batches", None),
    ("GET", "/v1/batches/batch_1", None),
    ("POST", "/v1/chat/completions", {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hi"}]}),
    ("GET", "/v1beta/openai/files", None),
    ("GET", "/v1beta/openai/models", None),
    ("GET", "/v1beta/files", None),
    ("GET", "/v1beta/models", None),
    ("GET", "/v1beta/cachedContents", None),
    ("POST", "/v1beta/models/gemini-2.5-flash:generateContent", {"contents": []}),
]
OF_THE_STORE = [each for each in PATHS if "/files" in each[1] or "/batches" in each[1] or "/uploads" in each[1]]


def is_google(path: str) -> bool:
    return path.startswith("/v1beta/") and not path.startswith("/v1beta/openai")


def check(answer: httpx.Response, path: str, status: int) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["x-request-id"]
    error = answer.json()["error"]
    if is_google(path):
        assert set(error) <= {"code", "message", "status", "details"}
        assert error["code"] == status
    else:
        assert set(error) == {"message", "type", "param", "code"}
        assert error["type"] == "server_error"
    assert "secret" not in answer.text


@pytest.mark.parametrize(("verb", "path", "body"), PATHS, ids=[f"{verb} {path}" for verb, path, _ in PATHS])
async def test_a_failure_that_nobody_foresaw_has_the_shape_of_its_path(
    verb: str, path: str, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_options: object) -> Any:
        raise ZeroDivisionError("secret")

    async with in_process(gateway_app(FakeGoogle(fail))) as client:
        monkeypatch.setattr(Database, "read", fail)
        monkeypatch.setattr(Database, "write", fail)
        check(await client.request(verb, path, json=body), path, 500)


@pytest.mark.parametrize(
    ("verb", "path", "body"), OF_THE_STORE, ids=[f"{verb} {path}" for verb, path, _ in OF_THE_STORE]
)
async def test_a_database_that_fails_is_a_503_that_says_when_to_try_again(
    verb: str, path: str, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with in_process(gateway_app(FakeGoogle({"files": []}))) as client:
        store: Store = client._transport.app.state.services.store  # type: ignore[attr-defined]

        def broken() -> Any:
            raise OperationalError("secret", None, Exception("secret"))

        monkeypatch.setattr(store.database, "_readers", type("Broken", (), {"begin": staticmethod(broken)}))
        monkeypatch.setattr(store.database, "_writers", type("Broken", (), {"begin": staticmethod(broken)}))
        answer = await client.request(verb, path, json=body)
        check(answer, path, 503)
        assert answer.headers["retry-after"] == "5"


async def test_a_page_can_read_a_failure_that_nobody_foresaw(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_options: object) -> Any:
        raise ZeroDivisionError

    async with in_process(gateway_app(cors_origins="https://page.example")) as client:
        monkeypatch.setattr(Database, "read", fail)
        answer = await client.get("/v1/files", headers={"origin": "https://page.example"})
    assert answer.status_code == 500
    assert answer.headers["access-control-allow-origin"] == "https://page.example"
