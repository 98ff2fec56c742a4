"""Callers who share the gateway's keys are kept apart at Google."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors, types
from tests.api.native.support import CLIENT_KEY, HELD_KEY, OTHER_CLIENT_KEY
from tests.sdk.genai import MODEL, genai_client
from tests.support.stack import Stack, gateway, stack

REQUEST: Any = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A gateway that holds two Gemini keys of two projects: the emulator shows a file to its own key only."""
    keys = {"gemini_api_key": (HELD_KEY, "AIza-of-another-project"), "client_keys": (CLIENT_KEY, OTHER_CLIENT_KEY)}
    with stack(data_dir=tmp_path_factory.mktemp("data"), **keys) as running:
        yield running


@pytest.fixture
def one(shared: Stack) -> Iterator[genai.Client]:
    with genai_client(shared.gateway, key=CLIENT_KEY, version="v1beta") as client:
        yield client


@pytest.fixture
def other(shared: Stack) -> Iterator[genai.Client]:
    with genai_client(shared.gateway, key=OTHER_CLIENT_KEY, version="v1beta") as client:
        yield client


def upload(client: genai.Client, tmp_path: Path) -> str:
    path = tmp_path / "file.txt"
    path.write_text("hello")
    return str(client.files.upload(file=path).name)


def test_a_file_is_seen_and_deleted_by_its_owner_alone(one: genai.Client, other: genai.Client, tmp_path: Path) -> None:
    name = upload(one, tmp_path)
    assert one.files.get(name=name).name == name
    assert name not in [file.name for file in other.files.list()]
    for forbidden in (other.files.get, other.files.delete):
        with pytest.raises(errors.ClientError, match="404"):
            forbidden(name=name)
    one.files.delete(name=name)
    with pytest.raises(errors.ClientError, match="404"):
        one.files.get(name=name)


def test_what_was_made_with_one_of_several_keys_is_asked_for_with_that_one(one: genai.Client, tmp_path: Path) -> None:
    for _ in range(6):
        name = upload(one, tmp_path)
        assert one.files.get(name=name).name == name
        one.files.delete(name=name)


def test_a_cache_is_seen_changed_and_deleted_by_its_owner_alone(one: genai.Client, other: genai.Client) -> None:
    config = types.CreateCachedContentConfig(contents="A long text. " * 1000, ttl="600s")
    name = str(one.caches.create(model=MODEL, config=config).name)
    assert one.caches.update(name=name, config={"ttl": "700s"}).name == name
    assert name not in [cache.name for cache in other.caches.list()]
    for forbidden in (other.caches.get, other.caches.delete):
        with pytest.raises(errors.ClientError, match="404"):
            forbidden(name=name)
    with pytest.raises(errors.ClientError, match="404"):
        other.caches.update(name=name, config={"ttl": "1s"})
    one.caches.delete(name=name)


def test_a_list_shows_only_what_the_caller_has_made(shared: Stack, tmp_path: Path) -> None:
    keys = {"gemini_api_key": (HELD_KEY,), "client_keys": (CLIENT_KEY, OTHER_CLIENT_KEY)}
    with (
        stack(data_dir=tmp_path / "data", **keys) as alone,
        genai_client(alone.gateway, key=CLIENT_KEY) as one,
        genai_client(alone.gateway, key=OTHER_CLIENT_KEY) as other,
    ):
        names = {upload(one, tmp_path), upload(one, tmp_path)}
        theirs = upload(other, tmp_path)
        assert {file.name for file in one.files.list(config={"page_size": 1})} == names
        assert [file.name for file in other.files.list(config={"page_size": 1})] == [theirs]
        job = one.batches.create(model=MODEL, src=[REQUEST], config={"display_name": "mine"})
        assert [each.name for each in one.batches.list()] == [job.name]
        assert [each.name for each in other.batches.list()] == []
        assert [each.name for each in other.caches.list()] == []


def test_a_job_and_its_results_are_their_owners(one: genai.Client, other: genai.Client, shared: Stack) -> None:
    inline = one.batches.create(model=MODEL, src=[REQUEST], config={"display_name": "inline"})
    name = str(inline.name)
    shared.seen.advance(60)
    assert one.batches.get(name=name).state == types.JobState.JOB_STATE_SUCCEEDED
    for forbidden in (other.batches.get, other.batches.cancel, other.batches.delete):
        with pytest.raises(errors.ClientError, match="404"):
            forbidden(name=name)
    results = f"files/batch-{name.removeprefix('batches/')}"
    with pytest.raises(errors.ClientError, match="404"):
        other.files.download(file=results)


def test_the_results_of_a_job_are_downloaded_by_its_owner(
    one: genai.Client, other: genai.Client, shared: Stack, tmp_path: Path
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"key": "one", "request": {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}}\n')
    file = one.files.upload(file=path, config={"mime_type": "jsonl"})
    job = one.batches.create(model=MODEL, src=str(file.name), config={"display_name": "in a file"})
    shared.seen.advance(60)
    done = one.batches.get(name=str(job.name))
    assert done.dest is not None
    assert b'"one"' in one.files.download(file=str(done.dest.file_name))
    with pytest.raises(errors.ClientError, match="404"):
        other.files.download(file=str(done.dest.file_name))


def test_what_nobody_has_made_here_is_nobodys(one: genai.Client) -> None:
    for call in (
        lambda: one.files.get(name="files/made-elsewhere"),
        lambda: one.batches.get(name="batches/made-elsewhere"),
        lambda: one.caches.get(name="cachedContents/0000aaaa1111bbbb2222cccc3333dddd4444eeee"),
    ):
        with pytest.raises(errors.ClientError, match="404"):
            call()


def test_a_video_is_its_makers(one: genai.Client, other: genai.Client, shared: Stack) -> None:
    body = {"instances": [{"prompt": "A calm ocean"}]}
    path = "/v1beta/models/veo-3.1-generate-preview:predictLongRunning"
    name = httpx.post(shared.gateway + path, json=body, headers={"x-goog-api-key": CLIENT_KEY}).json()["name"]
    operation = types.GenerateVideosOperation.model_validate({"name": name})
    with pytest.raises(errors.ClientError, match="404"):
        other.operations.get(operation)
    shared.seen.advance(60)
    done = one.operations.get(operation)
    assert done.response is not None
    (made,) = done.response.generated_videos or [types.GeneratedVideo()]
    assert made.video is not None
    file = "files/" + str(made.video.uri).partition("files/")[2].partition(":")[0]
    with pytest.raises(errors.ClientError, match="404"):
        other.files.download(file=file)
    assert one.files.download(file=file)[4:8] == b"ftyp"


def test_another_process_knows_which_key_has_made_what(shared: Stack, tmp_path: Path) -> None:
    keys = {"gemini_api_key": (HELD_KEY, "AIza-of-another-project"), "client_keys": (CLIENT_KEY, OTHER_CLIENT_KEY)}
    both: Any = {"data_dir": tmp_path / "data", **keys}
    with (
        gateway(shared.emulator, **both) as first,
        gateway(shared.emulator, **both) as second,
        genai_client(first, key=CLIENT_KEY) as running,
        genai_client(second, key=CLIENT_KEY) as here,
    ):
        for _ in range(4):
            job = running.batches.create(model=MODEL, src=[REQUEST], config={"display_name": "mine"})
            assert here.batches.get(name=str(job.name)).name == job.name
