"""Whose something is, and who may go on: names that are taken, stores that fail, keys that were withdrawn."""

import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.api.native.support import CLIENT_KEY, HELD_KEY, OTHER_CLIENT_KEY, error_of
from tests.security.tenants import ALICE, BOB, CACHE, FILE, JOB, STORE, Tenants, tenants

from gemgate.auth import key_registry
from gemgate.auth.client_keys import digest_of
from gemgate.store.errors import StoreError
from gemgate.store.resources import Resources

SECOND_KEY = "AIza-the-key-of-another-project-of-39-ch"
TWO_PROJECTS: dict[str, Any] = {"gemini_api_key": (HELD_KEY, SECOND_KEY)}


@pytest.mark.parametrize("name", [CACHE, FILE, STORE, JOB])
def test_the_first_owner_stays_when_another_project_gives_the_same_name(tmp_path: Path, name: str) -> None:
    with tenants(tmp_path, **TWO_PROJECTS) as pair:
        for _ in range(4):  # in turn with both keys
            answer = pair.make(name, BOB)
            assert error_of(answer)["details"][0]["reason"] == "ALREADY_EXISTS"
            assert pair.there.client.get(f"/v1beta/{name}", headers=BOB).status_code == 404
            assert pair.there.client.get(f"/v1beta/{name}", headers=ALICE).status_code == 200
        deleted = [request for request in pair.there.google.requests if request.method == "DELETE"]
        made_by = alices_key(pair, name)
        assert deleted
        assert all(request.headers["x-goog-api-key"] != made_by for request in deleted)


def alices_key(pair: Tenants, name: str) -> str:
    """The key that her calls about `name` are made with."""
    pair.there.client.get(f"/v1beta/{name}", headers=ALICE)
    return str(pair.there.google.last.headers["x-goog-api-key"])


@pytest.mark.parametrize("metadata", [{"file": {"name": FILE}}, {"file": {"name": "alices-file"}}, {"name": FILE}])
def test_a_name_of_anothers_cannot_be_chosen(tmp_path: Path, metadata: Any) -> None:
    with tenants(tmp_path) as pair:
        asked = pair.asked
        assert error_of(pair.start(7, BOB, metadata))["code"] == 409
        assert error_of(pair.post("/v1beta/files", metadata, BOB))["code"] == 409
        assert pair.asked == asked
        assert pair.start(7, BOB, {"file": {"name": "files/bobs-own-choice"}}).status_code == 200


def test_what_cannot_be_noted_is_not_kept_at_google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: Any, **__: Any) -> set[str]:
        raise StoreError("the disk is full")

    with tenants(tmp_path) as pair:
        with monkeypatch.context() as patch:
            patch.setattr(Resources, "claim", fails)
            for name in ("cachedContents/new", "files/new", "fileSearchStores/new"):
                answer = pair.make(name, BOB)
                assert error_of(answer)["details"][0]["reason"] == "STORE_UNAVAILABLE"
                last = pair.there.google.last
                assert (last.method, last.url.path) == ("DELETE", f"/v1beta/{name}")
        assert pair.make("cachedContents/new", BOB).status_code == 200


def entries(*names: str) -> bytes:
    keys = {"alice": CLIENT_KEY, "bob": OTHER_CLIENT_KEY}
    found = [{"name": name, "hash": f"sha256:{digest_of(keys[name]).hex()}"} for name in names]
    return orjson.dumps({"keys": found})


def withdrawn(pair: Tenants, path: Path, key: str) -> None:
    """Take the key out of the file, and wait until it is refused."""
    path.write_bytes(entries("bob"))
    headers, end = {"authorization": f"Bearer {key}"}, time.monotonic() + 20
    while pair.there.client.get("/v1/files", headers=headers).status_code != 401:
        assert time.monotonic() < end
        time.sleep(0.05)


Command = dict[str, str]
COMMANDS: list[tuple[Command, bytes]] = [
    ({"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}, b"content"),
    ({"x-goog-upload-command": "upload", "x-goog-upload-offset": "0"}, b"cont"),
    ({"x-goog-upload-command": "query"}, b""),
    ({"x-goog-upload-command": "finalize"}, b""),
]


def test_an_upload_does_not_go_on_once_its_key_was_withdrawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_registry, "POLL_SECONDS", 0.05)
    path = tmp_path / "keys.yaml"
    path.write_bytes(entries("alice", "bob"))
    with tenants(tmp_path / "data", client_keys=(), client_keys_file=path) as pair:
        client = pair.there.client
        bearer = {"authorization": f"Bearer {CLIENT_KEY}"}
        native, bobs = pair.begin(7), pair.begin(7, BOB)
        form = {"filename": "a.txt", "purpose": "user_data", "bytes": 7, "mime_type": "text/plain"}
        upload = client.post("/v1/uploads", json=form, headers=bearer).json()["id"]
        withdrawn(pair, path, CLIENT_KEY)
        asked = pair.asked
        for headers, content in COMMANDS:
            answer = client.post(native, content=content, headers=headers)
            assert error_of(answer)["code"] == 401
            assert answer.headers["x-goog-upload-status"] == "cancelled"
        assert pair.asked == asked
        parts = f"/v1/uploads/{upload}"
        assert client.post(f"{parts}/parts", files={"data": b"content"}, headers=bearer).status_code == 401
        assert client.post(f"{parts}/complete", json={"part_ids": []}, headers=bearer).status_code == 401
        assert client.post(bobs, content=COMMANDS[0][1], headers=COMMANDS[0][0]).status_code == 200


def models_of(tmp_path: Path, *models: str) -> dict[str, Any]:
    path = tmp_path / "keys.yaml"
    bob = {"name": "bob", "hash": f"sha256:{digest_of(OTHER_CLIENT_KEY).hex()}", "models": list(models)}
    alice = {"name": "alice", "hash": f"sha256:{digest_of(CLIENT_KEY).hex()}"}
    path.write_bytes(orjson.dumps({"keys": [alice, bob]}))
    return {"client_keys": (), "client_keys_file": path}


OTHER = "models/gemini-9"
FLASH = "/v1beta/models/gemini-2.5-flash"
BODIES: list[tuple[str, Any]] = [
    ("/v1beta/cachedContents", {"model": OTHER}),
    ("/v1beta/cachedContents", b'{"mod\\u0065l": "models\\/gemini-9"}'),
    ("/v1beta/cachedContents", {"model": "models/gemini-2.5-x/../../models/gemini-9"}),
    ("/v1beta/cachedContents", {"model": "models/gemini-2.5-x%2f..%2fgemini-9"}),
    ("/v1beta/cachedContents", {"model": "projects/p/models/gemini-2.5-flash"}),
    ("/v1beta/cachedContents", b'{"model": "models/gemini-9", "model": "models/gemini-2.5-flash"}'),
    ("/v1beta/cachedContents", b"{'model': 'models/gemini-9'}"),
    (f"{FLASH}:countTokens", {"generateContentRequest": {"model": OTHER, "contents": []}}),
    (f"{FLASH}:countTokens", {"generate_content_request": {"model": OTHER, "contents": []}}),
    (f"{FLASH}:batchEmbedContents", {"requests": [{"model": FLASH.partition("beta/")[2]}, {"model": OTHER}]}),
    (f"{FLASH}:embedContent", {"model": "gemini-9", "content": {}}),
    (f"{FLASH}:generateContent", {"model": OTHER, "contents": []}),
    (f"{FLASH}:batchGenerateContent", {"batch": {"model": OTHER}}),
    (
        f"{FLASH}:batchGenerateContent",
        {"batch": {"inputConfig": {"requests": {"requests": [{"request": {"model": OTHER}}]}}}},
    ),
    (f"{FLASH}:asyncBatchEmbedContent", {"batch": {"model": OTHER}}),
    (f"/v1beta/{OTHER}:generateContent", {"contents": []}),
]
FORMS: list[tuple[bytes, dict[str, str]]] = [
    (b"\x1f\x8b", {"content-encoding": "gzip"}),
    (b"\x0a\x0fmodels/gemini-9", {"content-type": "application/x-protobuf"}),
    (b"model=models/gemini-9", {"content-type": "application/x-www-form-urlencoded"}),
    ('{"model": "models/gemini-9"}'.encode("utf-16"), {}),
]


def test_the_models_of_a_key_hold_for_every_body(tmp_path: Path) -> None:
    with tenants(tmp_path / "data", **models_of(tmp_path, "gemini-2.5-*")) as pair:
        asked = pair.asked
        for path, body in BODIES:
            answer = pair.post(path, body, BOB)
            assert answer.status_code in (400, 403), (path, body)
            error_of(answer)
        for body, headers in FORMS:
            for path in ("/v1beta/cachedContents", f"{FLASH}:batchEmbedContents"):
                assert pair.post(path, body, BOB, **headers).status_code in (400, 415)
        lines = b'{"request": {"contents": []}}\n{"request": {"mod\\u0065l": "models/gemini-9"}}\n'
        assert pair.upload(lines, BOB, "files/bobs-lines").status_code == 200
        asked += 2
        batch = {"batch": {"inputConfig": {"fileName": "files/bobs-lines"}}}
        assert error_of(pair.post(f"{FLASH}:batchGenerateContent", batch, BOB))["code"] == 403
        twice = b'{"request": {"cachedContent": "cachedContents/of-alice", "cachedContent": ""}}\n'
        assert pair.upload(twice, BOB, "files/bobs-twice").status_code == 200
        asked += 2
        batch = {"batch": {"inputConfig": {"fileName": "files/bobs-twice"}}}
        assert error_of(pair.post(f"{FLASH}:batchGenerateContent", batch, BOB))["code"] == 400
        assert pair.asked == asked
        assert pair.post("/v1beta/cachedContents", {"model": "models/gemini-2.5-flash"}, BOB).status_code == 200


def test_a_tuned_model_is_for_those_whose_key_names_it(tmp_path: Path) -> None:
    with tenants(tmp_path / "data", **models_of(tmp_path, "*", "tunedModels/ours-*")) as pair:
        for name, status in (("ours-1", 200), ("theirs", 404)):
            path = f"/v1beta/tunedModels/{name}:generateContent"
            assert pair.post(path, {"contents": []}, BOB).status_code == status
            asked = {"model": f"tunedModels/{name}", "messages": [{"role": "user", "content": "Hi"}]}
            assert pair.post("/v1/chat/completions", asked, BOB).status_code == status
