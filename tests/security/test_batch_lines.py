"""Lines of a batch, in OpenAI's format, name what is their caller's; a line that does not is refused by itself."""

import io
import time
from pathlib import Path
from typing import Any

import httpx
import openai
import orjson
import pytest
from tests.api.native.support import CLIENT_KEY, HELD_KEY, OTHER_CLIENT_KEY
from tests.support.stack import Stack, stack

MAX_SECONDS = 120.0
CACHE = "cachedContents/0000aaaa1111bbbb2222cccc3333dddd4444eeee"
ENDED = ("completed", "failed", "expired", "cancelled")


def message(*parts: Any) -> dict[str, Any]:
    return {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": list(parts) or "Hello"}]}


def bodies(file: str) -> list[dict[str, Any]]:
    uri = f"https://generativelanguage.googleapis.com/v1beta/{file}"
    return [
        message(),
        message() | {"extra_body": {"google": {"cached_content": CACHE}}},
        message() | {"google": {"cachedContent": CACHE.partition("/")[2]}},
        message({"type": "file", "file": {"file_id": file}}),
        message({"type": "image_url", "image_url": {"url": uri}}),
        message() | {"tools": [{"type": "file_search", "file_search_store_names": ["fileSearchStores/somebodys"]}]},
    ]


def ended(client: openai.OpenAI, lines: list[dict[str, Any]]) -> tuple[dict[str, int], dict[str, Any]]:
    """The status of each answered line by its `custom_id`, and the code of each error."""
    wired = [
        {"custom_id": f"line-{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}
        for number, body in enumerate(lines)
    ]
    raw = b"\n".join(map(orjson.dumps, wired))
    file = client.files.create(file=("in.jsonl", io.BytesIO(raw)), purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    end = time.monotonic() + MAX_SECONDS
    while batch.status not in ENDED:
        assert time.monotonic() < end, batch
        time.sleep(0.2)
        batch = client.batches.retrieve(batch.id)
    assert batch.status == "completed", batch
    good = _lines(client, batch.output_file_id)
    bad = _lines(client, batch.error_file_id)
    statuses = {line["custom_id"]: line["response"]["status_code"] for line in good + bad}
    codes = {line["custom_id"]: line["response"]["body"]["error"]["code"] for line in bad}
    return statuses, codes


def _lines(client: openai.OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in client.files.content(file_id).iter_lines()] if file_id else []


def uploaded(shared: Stack, content: bytes) -> str:
    """The name of a file that Alice has uploaded by Google's own way."""
    how = {"x-goog-api-key": CLIENT_KEY, "x-goog-upload-protocol": "raw", "content-type": "text/plain"}
    answer = httpx.post(f"{shared.gateway}/upload/v1beta/files", content=content, headers=how, timeout=MAX_SECONDS)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["file"]["name"])


@pytest.fixture
def shared(tmp_path: Path) -> Any:
    keys = {"gemini_api_key": (HELD_KEY,), "client_keys": (CLIENT_KEY, OTHER_CLIENT_KEY)}
    with stack(data_dir=tmp_path / "data", **keys) as running:
        yield running


def test_a_line_that_names_what_another_has_made_is_refused_and_not_sent(shared: Stack) -> None:
    file = uploaded(shared, b"the secret of Alice")
    with openai.OpenAI(base_url=shared.base(), api_key=OTHER_CLIENT_KEY) as bob:
        statuses, codes = ended(bob, bodies(file))
    assert statuses == {"line-0": 200} | {f"line-{number}": 404 for number in range(1, 6)}
    assert set(codes.values()) == {"not_your_resource"}
    with openai.OpenAI(base_url=shared.base(), api_key=CLIENT_KEY) as owner:
        statuses, _ = ended(owner, [bodies(file)[0], bodies(file)[3]])
    assert statuses == {"line-0": 200, "line-1": 200}
