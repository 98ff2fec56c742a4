"""Resumable uploads: the address is the gateway's, and whoever has it needs no key."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
import pytest
from tests.api.native.google_files import NAME, Uploads
from tests.api.native.support import CLIENT_KEY, HELD_KEY, OTHER_CLIENT_KEY, OWN_KEY, Served, error_of, own, served

SHARED = {"gemini_api_key": (HELD_KEY,), "client_keys": (CLIENT_KEY, OTHER_CLIENT_KEY)}
START = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
WHOLE = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
PATH = "/upload/v1beta/files"


@pytest.fixture
def google() -> Uploads:
    return Uploads()


@pytest.fixture
def there(google: Uploads) -> Iterator[Served]:
    with served(google) as opened:
        yield opened


def begin(there: Served, key: str = OWN_KEY, **headers: str) -> httpx.Response:
    answer = there.client.post(PATH, json={"file": {}}, headers={"x-goog-api-key": key, **START, **headers})
    assert answer.status_code == 200
    return answer


def address(there: Served, key: str = OWN_KEY) -> str:
    return begin(there, key).headers["x-goog-upload-url"]


def test_the_address_is_the_gateways_and_holds_no_key(there: Served) -> None:
    answer = begin(there)
    for name in ("x-goog-upload-url", "x-goog-upload-control-url"):
        url = answer.headers[name]
        assert url.startswith(f"{there.origin}{PATH}?upload_id=")
        assert parse_qs(urlsplit(url).query)["upload_protocol"] == ["resumable"]
        assert OWN_KEY not in url
        assert "googles-own" not in url


def test_chunks_need_no_key_and_google_gets_none(there: Served, google: Uploads) -> None:
    url = address(there)
    first = there.client.post(
        url, content=b"one", headers={"x-goog-upload-command": "upload", "x-goog-upload-offset": "0"}
    )
    assert first.headers["x-goog-upload-status"] == "active"
    last = there.client.put(url, content=b"two", headers=WHOLE | {"x-goog-upload-offset": "3"})
    assert last.headers["x-goog-upload-status"] == "final"
    assert last.json()["file"]["name"] == NAME
    assert google.content == b"onetwo"
    assert google.keys == [OWN_KEY, None, None]


def test_a_question_about_an_upload_passes(there: Served) -> None:
    answer = there.client.post(address(there), headers={"x-goog-upload-command": "query"})
    assert answer.headers["x-goog-upload-size-received"] == "0"


@pytest.mark.parametrize("change", ["", "x", "googles-own"])
def test_a_forged_address_is_refused_so_that_clients_do_not_try_again(there: Served, change: str) -> None:
    url = f"{there.origin}{PATH}?upload_id={change}"
    answer = there.client.post(url, content=b"x", headers=WHOLE)
    assert error_of(answer)["code"] == 404
    assert answer.headers["x-goog-upload-status"] == "cancelled"
    assert not there.google.requests


def test_an_address_that_was_changed_is_refused(there: Served) -> None:
    url = address(there)
    place = url.index("upload_id=") + 30
    changed = url[:place] + ("A" if url[place] != "A" else "B") + url[place + 1 :]
    assert there.client.post(changed, content=b"x", headers=WHOLE).status_code == 404


def test_another_key_cannot_go_on_with_an_upload(google: Uploads) -> None:
    with served(google, **SHARED) as there:
        url = address(there, CLIENT_KEY)
        answer = there.client.post(url, content=b"x", headers=WHOLE | {"x-goog-api-key": OTHER_CLIENT_KEY})
        assert error_of(answer)["code"] == 403
        assert there.client.post(url, content=b"x", headers=WHOLE | {"x-goog-api-key": CLIENT_KEY}).status_code == 200
        assert google.keys == [HELD_KEY, None]


def test_a_key_that_is_no_longer_one_cannot_go_on_with_an_upload(google: Uploads) -> None:
    with served(google, **SHARED) as there:
        answer = there.client.post(address(there, CLIENT_KEY), headers=WHOLE | {"x-goog-api-key": "sk-gone"})
        assert error_of(answer)["code"] == 401


def test_another_gateway_with_the_same_secret_goes_on(google: Uploads) -> None:
    with served(google, secret=("one",)) as first, served(google, secret=("two", "one")) as second:
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
    google: Uploads, headers: dict[str, str], settings: dict[str, str], expected: str
) -> None:
    with served(google, **settings) as there:
        assert begin(there, **headers).headers["x-goog-upload-url"].startswith(expected)


def test_a_refused_chunk_tells_the_status_of_the_upload(there: Served, google: Uploads) -> None:
    google.refuses = True
    answer = there.client.post(address(there), content=b"x", headers=WHOLE)
    assert (answer.status_code, answer.headers["x-goog-upload-status"]) == (400, "active")


def test_an_address_on_another_server_is_not_handed_out() -> None:
    evil = {"x-goog-upload-url": "https://evil.example/upload?upload_id=1"}
    with served(lambda _: httpx.Response(200, headers=evil)) as there:
        answer = there.client.post(PATH, json={}, headers=own(**START))
        assert error_of(answer)["code"] == 502
        assert "evil" not in repr(answer.headers)


def test_the_older_protocols_address_is_the_gateways_too() -> None:
    place = {"location": "https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=1"}
    with served(lambda _: httpx.Response(200, headers=place)) as there:
        answer = there.client.post(f"{PATH}?uploadType=resumable", json={}, headers=own())
        assert answer.headers["location"].startswith(f"{there.origin}{PATH}?upload_id=gAAAA")


@pytest.mark.parametrize("protocol", ["raw", "multipart"])
def test_a_file_in_one_request_passes(there: Served, protocol: str) -> None:
    body = b"--b\r\n\r\n{}\r\n--b\r\n\r\nbytes\r\n--b--"
    headers = own(**{"x-goog-upload-protocol": protocol, "content-type": "multipart/related; boundary=b"})
    answer = there.client.post(PATH, content=body, headers=headers)
    assert answer.json() == {"file": {"name": NAME}}
    assert there.google.bodies == [body]
    assert there.google.last.headers["content-type"] == "multipart/related; boundary=b"


def test_metadata_is_not_of_any_size(there: Served) -> None:
    answer = there.client.post(PATH, content=b"x" * 1_048_577, headers=own(**START))
    assert error_of(answer)["code"] == 413


def test_a_file_beyond_googles_limit_is_cut_off(there: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemgate.api.native.uploads.MAX_BYTES", 10)
    answer = there.client.post(PATH, content=b"x" * 11, headers=own(**{"x-goog-upload-protocol": "raw"}))
    assert error_of(answer)["details"][0]["reason"] == "FILE_TOO_LARGE"
    chunk = there.client.post(address(there), content=b"x" * 11, headers=WHOLE)
    assert error_of(chunk)["code"] == 413


def test_an_upload_into_a_store_of_files_goes_on_at_its_own_path(there: Served) -> None:
    path = "/upload/v1beta/fileSearchStores/one:uploadToFileSearchStore"
    answer = there.client.post(path, json={}, headers=own(**START))
    assert answer.headers["x-goog-upload-url"].startswith(f"{there.origin}{path}?upload_id=")
    assert orjson.loads(there.google.bodies[0]) == {}
