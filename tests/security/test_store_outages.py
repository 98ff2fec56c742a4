"""Attacks on a gateway whose rows are in PostgreSQL: NULs, which it cannot hold, and what is asked while it is stopped.

And the last of the local disk, where bytes are in a bucket."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import orjson
import pytest
from structlog.testing import capture_logs
from tests.security.tenants import ALICE, GENERATE, MODEL, SHARED, Google
from tests.support.gateway import gateway_app
from tests.support.raw_http import ask, request
from tests.support.server import serve
from tests.support.servers import Postgres, postgres

__all__ = ["postgres"]

KEY = f"x-goog-api-key: {ALICE['x-goog-api-key']}"
LINE = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"model": MODEL, "messages": []}}
UPLOAD = {"filename": "a.txt", "purpose": "user_data", "bytes": 1, "mime_type": "text/plain"}


@dataclass
class There:
    """A gateway, a client of Alice's, the database, and the ids of what she has stored."""

    origin: str
    client: httpx.Client
    postgres: Postgres
    ids: dict[str, str] = field(default_factory=dict)

    def send(self, verb: str, path: str, body: Any = None) -> httpx.Response:
        """Names in braces are replaced by ids, in the path and in the body."""
        for name, made in self.ids.items():
            path = path.replace("{" + name + "}", made)
            body = orjson.loads(orjson.dumps(body).replace(b"{" + name.encode() + b"}", made.encode()))
        if isinstance(body, dict) and "files" in body:
            form = {name: value for name, value in body.items() if name != "files"}
            parts = {name: (name, content) for name, content in body["files"].items()}
            return self.client.request(verb, path, data=form, files=parts)
        return self.client.request(verb, path, json=body)


@pytest.fixture(scope="module")
def there(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    chosen: dict[str, Any] = {"database_url": postgres.new_database(), "store_timeout": 1.0, **SHARED}
    app = gateway_app(Google(), data_dir=tmp_path_factory.mktemp("data"), **chosen)
    with serve(app) as origin, httpx.Client(base_url=origin, timeout=60, headers=ALICE) as client:
        there = There(origin, client, postgres)
        made: dict[str, tuple[str, Any]] = {
            "file": ("/v1/files", {"purpose": "batch", "files": {"file": orjson.dumps(LINE).decode()}}),
            "upload": ("/v1/uploads", UPLOAD),
            "batch": (
                "/v1/batches",
                {"input_file_id": "{file}", "endpoint": "/v1/chat/completions", "completion_window": "24h"},
            ),
            "conversation": ("/v1/conversations", {"items": [{"role": "user", "content": "x"}]}),
            "response": ("/v1/responses", {"model": MODEL, "input": "x"}),
        }
        for name, (path, body) in made.items():
            answer = there.send("POST", path, body)
            assert answer.status_code == 200, answer.text
            there.ids[name] = answer.json()["id"]
        there.ids["cache"] = there.send("POST", "/v1beta/cachedContents", {"model": f"models/{MODEL}"}).json()["name"]
        yield there


BY_ID = [
    ("GET", "/v1/files/{}"),
    ("GET", "/v1/files/{}/content"),
    ("DELETE", "/v1/files/{}"),
    ("GET", "/v1/batches/{}"),
    ("POST", "/v1/batches/{}/cancel"),
    ("POST", "/v1/uploads/{}/cancel"),
    ("POST", "/v1/uploads/{}/complete"),
    ("POST", "/v1/uploads/{}/parts"),
    ("GET", "/v1/responses/{}"),
    ("DELETE", "/v1/responses/{}"),
    ("POST", "/v1/responses/{}/cancel"),
    ("GET", "/v1/responses/{}/input_items"),
    ("GET", "/v1/conversations/{}"),
    ("POST", "/v1/conversations/{}"),
    ("DELETE", "/v1/conversations/{}"),
    ("GET", "/v1/conversations/{}/items"),
    ("POST", "/v1/conversations/{}/items"),
    ("GET", "/v1/conversations/{}/items/msg_1"),
    ("DELETE", "/v1/conversations/{}/items/msg_1"),
    ("GET", "/v1/images/content/{}/a.png"),
    ("GET", "/v1/chat/completions/{}"),
    ("GET", "/v1beta/files/{}"),
    ("DELETE", "/v1beta/files/{}"),
    ("GET", "/v1beta/cachedContents/{}"),
    ("PATCH", "/v1beta/cachedContents/{}"),
    ("GET", "/v1beta/batches/{}"),
    ("GET", "/v1beta/fileSearchStores/{}/documents"),
    ("GET", "/v1beta/models/veo-3/operations/{}"),
]
"""Where an id is, and `{}` in its place."""

NULS = ["%00", "file-%00", "batch_a%00b", "a%00%00", "%00%ff", "resp_%E2%82%AC%00"]


@pytest.mark.parametrize(("verb", "path"), BY_ID, ids=[f"{verb} {path}" for verb, path in BY_ID])
def test_an_id_with_a_nul_is_of_nothing(there: There, verb: str, path: str) -> None:
    body, kind = b"", "content-type: application/json"
    if verb in ("POST", "PATCH"):
        body = b'{"items": [{"role": "user", "content": "x"}], "metadata": {}, "part_ids": ["part_a"]}'
    if path.endswith("/parts"):
        kind = "content-type: multipart/form-data; boundary=x"
        body = b'--x\r\ncontent-disposition: form-data; name="data"; filename="a"\r\n\r\nb\r\n--x--\r\n'
    with capture_logs() as logs:
        for nul in NULS:
            status, seen = ask(there.origin, request(verb, path.format(nul), KEY, kind, body=body))
            assert status in (400, 404, 405), (nul, seen)
    assert not [line for line in logs if line["log_level"] == "error"]


IMAGES = "gemini-2.5-flash-image"
IN_VALUES: list[tuple[str, str, Any]] = [
    ("GET", "/v1/files?after=file-%00", None),
    ("GET", "/v1/files?purpose=a%00b", None),
    ("GET", "/v1/batches?after=batch_%00", None),
    ("GET", "/v1/responses/{response}/input_items?after=msg_%00", None),
    ("GET", "/v1/conversations/{conversation}/items?after=%00", None),
    ("GET", "/v1/conversations/{conversation}/items/%00", None),
    ("GET", "/v1beta/files?pageToken=%00", None),
    ("POST", "/v1/batches", {"input_file_id": "\0", "endpoint": "/v1/chat/completions", "completion_window": "24h"}),
    (
        "POST",
        "/v1/batches",
        {
            "input_file_id": "{file}",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "metadata": {"a\0": "b\0"},
        },
    ),
    ("POST", "/v1/files", {"purpose": "user_data", "files": {"a\0b": "x"}}),
    ("POST", "/v1/uploads", {**UPLOAD, "filename": "a\0b"}),
    ("POST", "/v1/uploads", {**UPLOAD, "mime_type": "text/\0plain"}),
    ("POST", "/v1/uploads", {**UPLOAD, "purpose": "\0"}),
    ("POST", "/v1/uploads/{upload}/complete", {"part_ids": ["\0"]}),
    ("POST", "/v1/uploads/{upload}/complete", {"part_ids": ["a"], "md5": "\0"}),
    ("POST", "/v1/conversations", {"metadata": {"a\0": "b\0"}}),
    ("POST", "/v1/conversations", {"items": [{"role": "user", "content": "a\0b"}]}),
    ("POST", "/v1/conversations", {"items": [{"id": "msg_\0", "role": "user", "content": "a"}]}),
    ("POST", "/v1/conversations/{conversation}", {"metadata": {"a\0": "b\0"}}),
    ("POST", "/v1/conversations/{conversation}/items", {"items": [{"role": "user", "content": "a\0b"}]}),
    ("POST", "/v1/responses", {"model": MODEL, "input": "x", "previous_response_id": "\0"}),
    ("POST", "/v1/responses", {"model": MODEL, "input": "x", "conversation": "\0"}),
    ("POST", "/v1/responses", {"model": MODEL, "input": "x", "conversation": {"id": "conv_\0"}}),
    ("POST", "/v1/responses", {"model": MODEL, "input": "a\0b", "metadata": {"a\0": "b\0"}, "user": "\0"}),
    ("POST", "/v1/responses", {"model": MODEL, "input": [{"type": "item_reference", "id": "msg_\0"}]}),
    (
        "POST",
        "/v1/responses",
        {
            "model": MODEL,
            "input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-\0"}]}],
        },
    ),
    (
        "POST",
        "/v1/chat/completions",
        {"model": MODEL, "messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-\0"}}]}]},
    ),
    ("POST", GENERATE, {"contents": [{"parts": [{"fileData": {"fileUri": "files/a\0"}}]}]}),
    ("POST", GENERATE, {"contents": [{"parts": [{"text": "a"}]}], "cachedContent": "cachedContents/a\0b"}),
    ("POST", "/v1beta/cachedContents", {"model": f"models/{MODEL}", "displayName": "a\0b"}),
    ("POST", "/v1beta/files", {"file": {"name": "files/a\0b", "displayName": "\0"}}),
    ("POST", "/v1/images/edits", {"model": IMAGES, "prompt": "x", "images": [{"file_id": "file-\0"}]}),
]


@pytest.mark.parametrize(
    ("verb", "path", "body"), IN_VALUES, ids=[f"{n}-{case[1]}" for n, case in enumerate(IN_VALUES)]
)
def test_a_nul_in_a_value_is_no_fault_of_the_gateway(there: There, verb: str, path: str, body: Any) -> None:
    with capture_logs() as logs:
        answer = there.send(verb, path, body)
    assert answer.status_code < 500, answer.text
    assert not [line for line in logs if line["log_level"] == "error"]


STORED: list[tuple[str, str, Any]] = [
    ("GET", "/v1/files", None),
    ("POST", "/v1/files", {"purpose": "user_data", "files": {"file": "x"}}),
    ("GET", "/v1/files/{file}", None),
    ("GET", "/v1/files/{file}/content", None),
    ("DELETE", "/v1/files/{file}", None),
    ("POST", "/v1/uploads", UPLOAD),
    ("POST", "/v1/uploads/{upload}/parts", {"files": {"data": "x"}}),
    ("POST", "/v1/uploads/{upload}/complete", {"part_ids": ["part_a"]}),
    ("POST", "/v1/uploads/{upload}/cancel", None),
    ("GET", "/v1/batches", None),
    ("POST", "/v1/batches", {"input_file_id": "{file}", "endpoint": "/v1/embeddings", "completion_window": "24h"}),
    ("GET", "/v1/batches/{batch}", None),
    ("POST", "/v1/batches/{batch}/cancel", None),
    ("GET", "/v1/responses/{response}", None),
    ("GET", "/v1/responses/{response}?stream=true", None),
    ("DELETE", "/v1/responses/{response}", None),
    ("GET", "/v1/responses/{response}/input_items", None),
    ("POST", "/v1/responses", {"model": MODEL, "input": "x", "previous_response_id": "{response}"}),
    ("POST", "/v1/responses", {"model": MODEL, "input": "x", "conversation": "{conversation}", "stream": True}),
    ("POST", "/v1/responses", {"model": MODEL, "input": "x", "background": True}),
    ("POST", "/v1/responses/input_tokens", {"model": MODEL, "input": "x", "previous_response_id": "{response}"}),
    ("POST", "/v1/responses/compact", {"model": MODEL, "previous_response_id": "{response}"}),
    ("POST", "/v1/conversations", {}),
    ("GET", "/v1/conversations/{conversation}", None),
    ("POST", "/v1/conversations/{conversation}", {"metadata": {}}),
    ("DELETE", "/v1/conversations/{conversation}", None),
    ("GET", "/v1/conversations/{conversation}/items", None),
    ("POST", "/v1/conversations/{conversation}/items", {"items": [{"role": "user", "content": "x"}]}),
    ("GET", "/v1/conversations/{conversation}/items/msg_1", None),
    ("DELETE", "/v1/conversations/{conversation}/items/msg_1", None),
    (
        "POST",
        "/v1/chat/completions",
        {"model": MODEL, "messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "{file}"}}]}]},
    ),
    ("POST", "/v1/images/generations", {"model": IMAGES, "prompt": "x", "response_format": "url"}),
    ("POST", "/v1/images/edits", {"model": IMAGES, "prompt": "x", "images": [{"file_id": "{file}"}]}),
    ("GET", "/v1beta/openai/files", None),
    ("GET", "/v1beta/files", None),
    ("GET", "/v1beta/{cache}", None),
    ("DELETE", "/v1beta/{cache}", None),
    ("PATCH", "/v1beta/{cache}", {"ttl": "60s"}),
    ("POST", "/v1beta/cachedContents", {"model": f"models/{MODEL}"}),
    ("POST", GENERATE, {"contents": [{"parts": [{"text": "a"}]}], "cachedContent": "{cache}"}),
]
"""What asks the store, of every kind."""

SERVED: list[tuple[str, str, Any]] = [
    ("POST", "/v1/chat/completions", {"model": MODEL, "messages": [{"role": "user", "content": "x"}]}),
    ("POST", "/v1/responses", {"model": MODEL, "input": "x"}),
    ("POST", "/v1/embeddings", {"model": "gemini-embedding-001", "input": "x"}),
    ("POST", GENERATE, {"contents": [{"parts": [{"text": "a"}]}]}),
    ("GET", "/healthz", None),
    ("GET", "/metrics", None),
]
"""What needs no store."""


def check(asked: tuple[str, str, Any], answer: httpx.Response) -> None:
    assert answer.status_code == 503, (asked, answer.text)
    assert answer.headers["retry-after"] in ("1", "5"), asked
    assert answer.headers["content-type"].startswith("application/json"), asked
    error = answer.json()["error"]
    if asked[1].startswith("/v1beta/") and "openai" not in asked[1]:
        assert set(error) == {"code", "message", "status", "details"}, asked
        assert (error["code"], error["status"]) == (503, "UNAVAILABLE"), asked
    else:
        assert set(error) == {"message", "type", "param", "code"}, asked
        assert (error["type"], error["code"]) == ("server_error", "store_unavailable"), asked


def test_while_the_database_is_stopped_all_that_asks_it_is_a_503_and_the_others_are_served(there: There) -> None:
    with ThreadPoolExecutor(len(STORED) + len(SERVED)) as threads:
        with there.postgres.held():
            asked = [threads.submit(there.send, *each) for each in (*STORED, *SERVED)]
            answers = [one.result() for one in asked]
        for each, answer in zip(STORED, answers[: len(STORED)], strict=True):
            check(each, answer)
        for each, answer in zip(SERVED, answers[len(STORED) :], strict=True):
            assert answer.status_code == 200, (each, answer.text)
    assert there.send("GET", "/v1/files/{file}").status_code == 200


@pytest.fixture
def with_bucket(postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[There]:
    """A gateway with its rows in PostgreSQL, whose bucket is at an address where nothing listens."""
    for name, value in (("ENDPOINT", "http://127.0.0.1:9"), ("REGION", "a"), ("ACCESS_KEY_ID", "a")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a")
    chosen: dict[str, Any] = {"database_url": postgres.new_database(), "store_timeout": 1.0, **SHARED}
    app = gateway_app(Google(), data_dir=tmp_path, blobs_url="s3://bucket", **chosen)
    with serve(app) as origin, httpx.Client(base_url=origin, timeout=60, headers=ALICE) as client:
        yield There(origin, client, postgres)


def test_the_bucket_fails_for_what_needs_it_and_the_disk_for_what_waits_there(
    with_bucket: There, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = ("POST", "/v1/files", {"purpose": "user_data", "files": {"file": "x"}})
    check(upload, with_bucket.send(*upload))
    assert with_bucket.send("GET", "/v1/files").json()["data"] == []
    audio = {"file": ("a.wav", bytes(2_000_000), "audio/wav")}
    path, form = "/v1/audio/transcriptions", {"model": "whisper-1"}
    assert with_bucket.client.post(path, data=form, files=audio).status_code != 507
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100_000_000))
    answer = with_bucket.client.post(path, data=form, files=audio)
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "insufficient_storage")
    check(upload, with_bucket.send(*upload))  # its bytes do not go to the disk
