"""Attacks on images that are answered as a URL: forged, altered and old tokens, those of another kind, full quotas."""

import base64
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.api.images.support import FLASH_25, blob, drawn, native
from tests.security.tenants import ALICE, BOB, SHARED
from tests.support.gateway import gateway_app
from tests.support.raw_http import ask, request
from tests.support.server import serve

from gemgate import encryption
from gemgate.encryption import Encryptor

PNG = drawn()
ASKED = {"model": FLASH_25, "prompt": "a cat", "response_format": "url"}
LIFETIME = 60


@dataclass(frozen=True)
class There:
    """A gateway with two callers: of Alice there is an image, and Bob's room for one file is used up.

    Attributes:
        sealed: Unix seconds before and after the links were made.
    """

    origin: str
    client: httpx.Client
    asked: list[httpx.Request]
    store: Any
    url: str
    sealed: tuple[float, float]

    @property
    def token(self) -> str:
        return self.url.split("/")[-2]

    def with_token(self, token: str) -> tuple[int, bytes]:
        """The status and bytes of the answer to the address with another token, which goes out as it is."""
        path = urlsplit(self.url).path.replace(self.token, token)
        return ask(self.origin, request("GET", path))


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    asked: list[httpx.Request] = []

    def google(asking: httpx.Request) -> httpx.Response:
        asked.append(asking)
        return httpx.Response(200, json=native(blob(PNG)))

    chosen: dict[str, Any] = {"image_url_lifetime": LIFETIME, "storage_files_per_caller": 1, **SHARED}
    app = gateway_app(google, data_dir=tmp_path_factory.mktemp("data"), **chosen)
    with serve(app) as origin, httpx.Client(base_url=origin, timeout=20) as client:
        before = time.time()
        made = [client.post("/v1/images/generations", json=ASKED, headers=caller) for caller in (ALICE, BOB)]
        sealed = before, time.time()
        urls = [answer.json()["data"][0]["url"] for answer in made]
        yield There(origin, client, asked, app.state.services.store, urls[0], sealed)


def test_the_address_is_all_that_is_needed_and_gives_no_other_way_in(there: There) -> None:
    assert there.with_token(there.token)[0] == 200
    (file,) = there.client.get("/v1/files", headers=ALICE).json()["data"]
    assert file["id"] not in there.url
    for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        assert there.client.request(method, f"/v1/files/{file['id']}{path}", headers=BOB).status_code == 404
    edit = {"model": FLASH_25, "prompt": "a dog", "images": [{"file_id": file["id"]}]}
    before = len(there.asked)
    refused = there.client.post("/v1/images/edits", json=edit, headers=BOB)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "file_not_found")
    assert len(there.asked) == before
    for method in ("POST", "PUT", "DELETE"):
        assert ask(there.origin, request(method, urlsplit(there.url).path))[0] == 405


def other_letter(letter: str) -> str:
    return "B" if letter != "B" else "C"


def test_no_letter_of_a_token_can_be_another(there: There) -> None:
    for at in (0, 1, 2, 8, 11, 20, len(there.token) // 2, len(there.token) - 6):
        forged = there.token[:at] + other_letter(there.token[at]) + there.token[at + 1 :]
        status, seen = there.with_token(forged)
        assert (status, b"image_not_found" in seen) == (404, True), at


FORGED = ["", "x", "gAAAAA", "%00", "%ff", "%C3%A9", "=", "....", "%2e%2e", "A" * 4_000, "null", "%7B%7D"]


@pytest.mark.parametrize("token", FORGED)
def test_what_was_never_a_token_finds_nothing(there: There, token: str) -> None:
    status, _ = there.with_token(token)
    assert status == 404


@pytest.mark.parametrize("junk", ["%20", "!", "!!!!", "!!!!!!!!!!!!", "%0a", "%00", "~~", "=="])
@pytest.mark.parametrize("at", [0, 3, 11, 30])
def test_letters_that_mean_nothing_neither_break_a_token_nor_make_it_younger(
    there: There, monkeypatch: pytest.MonkeyPatch, junk: str, at: int
) -> None:
    longer = there.token[:at] + junk + there.token[at:]
    assert there.with_token(longer)[0] in (200, 404)
    before, after = there.sealed
    for now in (after + LIFETIME + 5, before - LIFETIME - 5):
        with monkeypatch.context() as patch:
            patch.setattr(encryption, "time", SimpleNamespace(time=lambda now=now: now))
            assert there.with_token(longer)[0] == 404


def test_tokens_of_another_secret_and_of_another_kind_open_no_image(there: There, tmp_path: Path) -> None:
    (file,) = there.client.get("/v1/files", headers=ALICE).json()["data"]
    said = f'["alice","{file["id"]}"]'.encode()
    others = [Encryptor((f"{tmp_path}",), purpose) for purpose in (b"images", b"gemgate images", b"uploads")]
    for other in others:
        assert there.with_token(other.encrypt(said).decode())[0] == 404
    how = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
    sized = {"x-goog-upload-header-content-length": "7", "x-goog-upload-header-content-type": "text/plain"}
    begun = there.client.post("/upload/v1beta/files", json={}, headers=ALICE | how | sized)
    for value in httpx.URL(begun.headers.get("x-goog-upload-url", "")).params.values():
        assert there.with_token(value)[0] == 404


def test_an_image_is_gone_when_its_time_is_over_whichever_clock_says_so(
    there: There, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = time.time() + LIFETIME + 5
    with monkeypatch.context() as patch:
        patch.setattr(there.store.files, "_clock", lambda: later)
        assert there.with_token(there.token)[0] == 404
    with monkeypatch.context() as patch:
        patch.setattr(encryption, "time", SimpleNamespace(time=lambda: later))
        assert there.with_token(there.token)[0] == 404
    assert there.with_token(there.token)[0] == 200


def test_a_caller_without_room_pays_for_nothing_and_takes_nothing_from_others(there: There) -> None:
    before = len(there.asked)
    for path in ("/v1/images/generations", "/v1beta/openai/images/generations"):
        refused = there.client.post(path, json=ASKED, headers=BOB)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "storage_quota_exceeded")
    edit = {**ASKED, "image": PNG}
    assert there.client.post("/v1/images/edits", json=edit, headers=BOB).status_code == 403
    assert len(there.asked) == before
    assert there.with_token(there.token)[0] == 200
    (file,) = there.client.get("/v1/files", headers=BOB).json()["data"]
    assert there.client.delete(f"/v1/files/{file['id']}", headers=BOB).status_code == 200
    assert there.client.post("/v1/images/generations", json=ASKED, headers=BOB).status_code == 200


SIZE = len(base64.b64decode(PNG))


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A gateway where each caller may store the bytes of two images, and not of three."""

    def google(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=native(blob(PNG)))

    chosen: dict[str, Any] = {"storage_bytes_per_caller": 3 * SIZE - 1, "image_url_lifetime": LIFETIME, **SHARED}
    app = gateway_app(google, data_dir=tmp_path_factory.mktemp("data"), **chosen)
    with serve(app) as origin, httpx.Client(base_url=origin, timeout=20) as client:
        yield client


def draw(client: httpx.Client, caller: dict[str, str], number: int = 1) -> int:
    answer = client.post("/v1/images/generations", json={**ASKED, "n": number}, headers=caller)
    assert answer.status_code == 200 or answer.json()["error"]["code"] == "storage_quota_exceeded", answer.text
    return answer.status_code


def kept(client: httpx.Client, caller: dict[str, str]) -> list[str]:
    files = client.get("/v1/files", headers=caller).json()["data"]
    assert all(file["bytes"] == SIZE for file in files)
    return [file["id"] for file in files]


def test_images_that_do_not_fit_are_kept_not_at_all_and_take_no_room(narrow: httpx.Client) -> None:
    assert draw(narrow, ALICE, 3) == 403
    assert kept(narrow, ALICE) == []
    assert [draw(narrow, ALICE, number) for number in (2, 1)] == [200, 403]
    assert len(kept(narrow, ALICE)) == 2


def test_the_bytes_of_images_count_for_their_caller_also_when_they_come_at_once(narrow: httpx.Client) -> None:
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda _: draw(narrow, BOB), range(6)))
    assert len(kept(narrow, BOB)) <= 2
    while draw(narrow, BOB) == 200:  # those that came at once may all have been refused
        assert len(kept(narrow, BOB)) <= 2
    assert len(kept(narrow, BOB)) == 2
    form, files = {"purpose": "vision"}, {"file": ("a.png", bytes(SIZE))}
    upload = narrow.post("/v1/files", headers=BOB, data=form, files=files)
    assert upload.status_code == 403  # by another way, the same room
    assert narrow.delete(f"/v1/files/{kept(narrow, BOB)[0]}", headers=BOB).status_code == 200
    assert [draw(narrow, BOB), draw(narrow, BOB)] == [200, 403]
