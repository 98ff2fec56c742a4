"""Resumable uploads: the address is the gateway's, and whoever has it needs no key."""

import asyncio
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.api.native.google_files import NAME, FakeUploads
from tests.api.native.support import (
    CLIENT_KEY,
    HELD_KEY,
    OTHER_CLIENT_KEY,
    OWN_KEY,
    RunningGateway,
    error_of,
    own,
    running_gateway,
)
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle

from gemgate.auth.client_keys import owner_of_key
from gemgate.store.resources import Resources

SHARED = {"gemini_api_key": (HELD_KEY,), "client_keys": (CLIENT_KEY, OTHER_CLIENT_KEY)}
START = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
WHOLE = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
PATH = "/upload/v1beta/files"


@pytest.fixture
def google() -> FakeUploads:
    return FakeUploads()


@pytest.fixture
def running(google: FakeUploads) -> Iterator[RunningGateway]:
    with running_gateway(google) as opened:
        yield opened


def begin(running: RunningGateway, key: str = OWN_KEY, **headers: str) -> httpx.Response:
    answer = running.client.post(PATH, json={"file": {}}, headers={"x-goog-api-key": key, **START, **headers})
    assert answer.status_code == 200
    return answer


def address(running: RunningGateway, key: str = OWN_KEY) -> str:
    return begin(running, key).headers["x-goog-upload-url"]


def test_the_address_is_the_gateways_and_holds_no_key(running: RunningGateway) -> None:
    answer = begin(running)
    for name in ("x-goog-upload-url", "x-goog-upload-control-url"):
        url = answer.headers[name]
        assert url.startswith(f"{running.origin}{PATH}?upload_id=")
        assert parse_qs(urlsplit(url).query)["upload_protocol"] == ["resumable"]
        assert OWN_KEY not in url
        assert "googles-own" not in url


def test_chunks_need_no_key_and_google_gets_none(running: RunningGateway, google: FakeUploads) -> None:
    url = address(running)
    first = running.client.post(
        url, content=b"one", headers={"x-goog-upload-command": "upload", "x-goog-upload-offset": "0"}
    )
    assert first.headers["x-goog-upload-status"] == "active"
    last = running.client.put(url, content=b"two", headers=WHOLE | {"x-goog-upload-offset": "3"})
    assert last.headers["x-goog-upload-status"] == "final"
    assert last.json()["file"]["name"] == NAME
    assert google.content == b"onetwo"
    assert google.keys == [OWN_KEY, None, None]


def test_a_question_about_an_upload_passes(running: RunningGateway) -> None:
    answer = running.client.post(address(running), headers={"x-goog-upload-command": "query"})
    assert answer.headers["x-goog-upload-size-received"] == "0"


@pytest.mark.parametrize("change", ["", "x", "googles-own"])
def test_a_forged_address_is_refused_so_that_clients_do_not_try_again(running: RunningGateway, change: str) -> None:
    url = f"{running.origin}{PATH}?upload_id={change}"
    answer = running.client.post(url, content=b"x", headers=WHOLE)
    assert error_of(answer)["code"] == 404
    assert answer.headers["x-goog-upload-status"] == "cancelled"
    assert not running.google.requests


def test_an_address_that_was_changed_is_refused(running: RunningGateway) -> None:
    url = address(running)
    place = url.index("upload_id=") + 30
    changed = url[:place] + ("A" if url[place] != "A" else "B") + url[place + 1 :]
    assert running.client.post(changed, content=b"x", headers=WHOLE).status_code == 404


def test_another_key_cannot_go_on_with_an_upload(google: FakeUploads) -> None:
    with running_gateway(google, **SHARED) as running:
        url = address(running, CLIENT_KEY)
        answer = running.client.post(url, content=b"x", headers=WHOLE | {"x-goog-api-key": OTHER_CLIENT_KEY})
        assert error_of(answer)["code"] == 403
        assert running.client.post(url, content=b"x", headers=WHOLE | {"x-goog-api-key": CLIENT_KEY}).status_code == 200
        assert google.keys == [HELD_KEY, None]


def test_a_key_that_is_no_longer_one_cannot_go_on_with_an_upload(google: FakeUploads) -> None:
    with running_gateway(google, **SHARED) as running:
        answer = running.client.post(address(running, CLIENT_KEY), headers=WHOLE | {"x-goog-api-key": "sk-gone"})
        assert error_of(answer)["code"] == 401


def test_another_gateway_with_the_same_secret_goes_on(google: FakeUploads) -> None:
    with running_gateway(google, secret=("one",)) as first, running_gateway(google, secret=("two", "one")) as second:
        url = address(first).replace(first.origin, second.origin)
        assert second.client.post(url, content=b"x", headers=WHOLE).headers["x-goog-upload-status"] == "final"


@pytest.mark.parametrize(
    ("headers", "settings", "expected"),
    [
        ({"x-forwarded-proto": "https", "host": "ai.example"}, {}, "https://ai.example/upload/"),
        ({"x-forwarded-proto": "https, http", "host": "ai.example"}, {}, "https://ai.example/upload/"),
        ({"x-forwarded-proto": "javascript", "host": "ai.example:99"}, {}, "http://ai.example:99/upload/"),
        ({}, {"public_url": "https://ai.example/gemini/"}, "https://ai.example/gemini/upload/"),
    ],
)
def test_the_address_is_the_one_that_callers_know(
    google: FakeUploads, headers: dict[str, str], settings: dict[str, str], expected: str
) -> None:
    with running_gateway(google, **settings) as running:
        assert begin(running, **headers).headers["x-goog-upload-url"].startswith(expected)


def test_a_refused_chunk_tells_the_status_of_the_upload(running: RunningGateway, google: FakeUploads) -> None:
    google.refuses = True
    answer = running.client.post(address(running), content=b"x", headers=WHOLE)
    assert (answer.status_code, answer.headers["x-goog-upload-status"]) == (400, "active")


def test_an_address_on_another_server_is_not_handed_out() -> None:
    evil = {"x-goog-upload-url": "https://evil.example/upload?upload_id=1"}
    with running_gateway(lambda _: httpx.Response(200, headers=evil)) as running:
        answer = running.client.post(PATH, json={}, headers=own(**START))
        assert error_of(answer)["code"] == 502
        assert "evil" not in repr(answer.headers)


def test_the_older_protocols_address_is_the_gateways_too() -> None:
    place = {"location": "https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=1"}
    with running_gateway(lambda _: httpx.Response(200, headers=place)) as running:
        answer = running.client.post(f"{PATH}?uploadType=resumable", json={}, headers=own())
        assert answer.headers["location"].startswith(f"{running.origin}{PATH}?upload_id=gAAAA")


@pytest.mark.parametrize("protocol", ["raw", "multipart"])
def test_a_file_in_one_request_passes(running: RunningGateway, protocol: str) -> None:
    body = b"--b\r\n\r\n{}\r\n--b\r\n\r\nbytes\r\n--b--"
    headers = own(**{"x-goog-upload-protocol": protocol, "content-type": "multipart/related; boundary=b"})
    answer = running.client.post(PATH, content=body, headers=headers)
    assert answer.json() == {"file": {"name": NAME}}
    assert running.google.raw_bodies == [body]
    assert running.google.last.headers["content-type"] == "multipart/related; boundary=b"


def test_metadata_is_not_of_any_size(running: RunningGateway) -> None:
    answer = running.client.post(PATH, content=b"x" * 1_048_577, headers=own(**START))
    assert error_of(answer)["code"] == 413


def test_a_file_beyond_googles_limit_is_cut_off(running: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemgate.api.native.uploads.MAX_BYTES", 10)
    answer = running.client.post(PATH, content=b"x" * 11, headers=own(**{"x-goog-upload-protocol": "raw"}))
    assert error_of(answer)["details"][0]["reason"] == "FILE_TOO_LARGE"
    chunk = running.client.post(address(running), content=b"x" * 11, headers=WHOLE)
    assert error_of(chunk)["code"] == 413


def test_an_upload_into_a_store_of_files_goes_on_at_its_own_path(running: RunningGateway) -> None:
    path = "/upload/v1beta/fileSearchStores/one:uploadToFileSearchStore"
    answer = running.client.post(path, json={}, headers=own(**START))
    assert answer.headers["x-goog-upload-url"].startswith(f"{running.origin}{path}?upload_id=")
    assert running.google.bodies[0] == {}


async def test_whose_a_file_is_is_noted_even_if_the_gateway_stops_meanwhile(
    google: FakeUploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, goes_on, noted = asyncio.Event(), asyncio.Event(), asyncio.Event()
    claim = Resources.claim

    async def slowly(resources: Resources, *given: Any) -> set[str]:
        begun.set()
        await goes_on.wait()
        claimed = await claim(resources, *given)
        noted.set()
        return claimed

    monkeypatch.setattr(Resources, "claim", slowly)
    headers = {"x-goog-api-key": CLIENT_KEY}
    app = gateway_app(FakeGoogle(google), **SHARED)
    async with in_process(app, headers) as client, asyncio.timeout(60):
        started = await client.post(PATH, json={"file": {}}, headers=START)
        url = started.headers["x-goog-upload-url"]
        finishing = asyncio.create_task(client.post(url, content=b"all of it", headers=WHOLE))
        await begun.wait()
        finishing.cancel()
        await asyncio.wait((finishing,))
        assert not noted.is_set()
        goes_on.set()
        await noted.wait()
        assert await app.state.services.store.resources.owned(owner_of_key(CLIENT_KEY), [NAME])
