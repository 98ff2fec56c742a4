"""Lists in pages: everybody sees their own, each once, and no announced page is empty."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.api.native.support import (
    CLIENT_KEY,
    HELD_KEY,
    OTHER_CLIENT_KEY,
    RunningGateway,
    error_of,
    own,
    running_gateway,
)

SHARED: dict[str, Any] = {"gemini_api_key": (HELD_KEY,), "client_keys": (CLIENT_KEY, OTHER_CLIENT_KEY)}
GOOGLES_PAGE = 3
BAD_PAGES = ["pageSize=x", "pageSize=-1", "pageSize=٣", "pageToken=3", "pageToken=gemgate-page:x:"]


class Caches:
    """Caches in pages of three, whatever is asked for; those that are made get the next number."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.names.append(f"cachedContents/c{len(self.names)}")
            return httpx.Response(200, json={"name": self.names[-1]})
        start = int(request.url.params.get("pageToken", "0"))
        items = [{"name": name} for name in self.names[start : start + GOOGLES_PAGE]]
        more = {"nextPageToken": str(start + GOOGLES_PAGE)} if start + GOOGLES_PAGE < len(self.names) else {}
        return httpx.Response(200, json={"cachedContents": items, **more} if items else {})


def pages(running: RunningGateway, key: str, size: int) -> list[list[str]]:
    """The names on each page."""
    found: list[list[str]] = []
    token = ""
    while True:
        params = {"pageSize": str(size), **({"pageToken": token} if token else {})}
        page = running.client.get("/v1beta/cachedContents", params=params, headers={"x-goog-api-key": key}).json()
        found.append([item["name"] for item in page["cachedContents"]])
        token = page.get("nextPageToken", "")
        if not token:
            return found


@pytest.mark.parametrize("makers", ["", "a", "b", "ab", "aaaaaaa", "abababab", "aabbbbbbba", "bbbbbba", "abbbbbbbb"])
def test_everybody_finds_their_own_once_and_no_page_is_empty(makers: str, tmp_path: Path) -> None:
    keys = {"a": CLIENT_KEY, "b": OTHER_CLIENT_KEY}
    made: dict[str, list[str]] = {"a": [], "b": []}
    with running_gateway(Caches(), data_dir=tmp_path, **SHARED) as running:
        for maker in makers:
            answer = running.client.post("/v1beta/cachedContents", json={}, headers={"x-goog-api-key": keys[maker]})
            made[maker].append(answer.json()["name"])
        for maker, key in keys.items():
            for size in (1, 2, 3, 4, 100):
                found = pages(running, key, size)
                assert [name for page in found for name in page] == made[maker]
                assert all(found) or found == [[]]
                assert all(len(page) == size for page in found[:-1])


@pytest.mark.parametrize("query", BAD_PAGES)
def test_a_size_or_a_token_that_is_none_is_refused(query: str) -> None:
    with running_gateway(Caches(), **SHARED) as running:
        answer = running.client.get(f"/v1beta/cachedContents?{query}", headers={"x-goog-api-key": CLIENT_KEY})
        assert error_of(answer)["code"] == 400


def test_with_keys_of_their_own_callers_get_googles_pages_as_they_are() -> None:
    with running_gateway(
        lambda _: httpx.Response(200, content=b'{ "cachedContents": [] , "nextPageToken":"t"}')
    ) as running:
        answer = running.client.get("/v1beta/cachedContents?pageSize=2&pageToken=x", headers=own())
        assert answer.content == b'{ "cachedContents": [] , "nextPageToken":"t"}'
        assert running.google.last.url.query == b"pageSize=2&pageToken=x"


def test_the_gateways_own_files_follow_googles_in_pages(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        is_last = request.url.params.get("pageToken") == "second"
        more = {} if is_last else {"nextPageToken": "second"}
        return httpx.Response(200, json={"files": [{"name": f"files/google-{is_last}"}], **more})

    with running_gateway(answer, data_dir=tmp_path) as running:
        for number in range(3):
            files = {"file": (f"{number}.txt", b"text")}
            running.client.post("/v1/files", data={"purpose": "user_data"}, files=files, headers=own())
        found, token = [], ""
        while True:
            params = {"pageSize": "2", **({"pageToken": token} if token else {})}
            page = running.client.get("/v1beta/files", params=params, headers=own()).json()
            found.append([item.get("displayName", item["name"]) for item in page["files"]])
            token = page.get("nextPageToken", "")
            if not token:
                break
        assert found[:2] == [["files/google-False"], ["files/google-True"]]
        assert [len(page) for page in found] == [1, 1, 2, 1]
        assert {name for page in found[2:] for name in page} == {"0.txt", "1.txt", "2.txt"}
        bad = running.client.get("/v1beta/files?pageToken=gemgate-files:nonsense", headers=own())
        assert error_of(bad)["code"] == 400


def test_a_list_that_is_no_json_is_handed_on_as_it_is(tmp_path: Path) -> None:
    with running_gateway(lambda _: httpx.Response(200, content=b"<html>"), data_dir=tmp_path) as running:
        running.client.post("/v1/files", data={"purpose": "user_data"}, files={"file": b"x"}, headers=own())
        assert running.client.get("/v1beta/files", headers=own()).content == b"<html>"
