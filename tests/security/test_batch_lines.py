"""Lines of a batch name what is their caller's, and hold nobody up; any other line is refused by itself."""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import orjson
from tests.api.native.support import CLIENT_KEY, HELD_KEY, OTHER_CLIENT_KEY
from tests.security.test_media_budget import Images, images
from tests.support.stack import Stack, stack

__all__ = ["images"]

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


def begun(client: openai.OpenAI, lines: list[dict[str, Any]]) -> str:
    """The id of a new batch."""
    wired = [
        {"custom_id": f"line-{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}
        for number, body in enumerate(lines)
    ]
    raw = b"\n".join(map(orjson.dumps, wired))
    file = client.files.create(file=("in.jsonl", io.BytesIO(raw)), purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    return batch.id


def ended(client: openai.OpenAI, batch_id: str) -> tuple[dict[str, int], dict[str, Any]]:
    """The status of each answered line by its `custom_id`, and the code of each error, when the batch has ended."""
    end = time.monotonic() + MAX_SECONDS
    while (batch := client.batches.retrieve(batch_id)).status not in ENDED:
        assert time.monotonic() < end, batch
        time.sleep(0.2)
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


@contextmanager
def running(tmp_path: Path, media_timeout: float) -> Iterator[Stack]:
    keys = {"gemini_api_key": (HELD_KEY,), "client_keys": (CLIENT_KEY, OTHER_CLIENT_KEY)}
    with stack(data_dir=tmp_path / "data", media_timeout=media_timeout, **keys) as there:
        yield there


def slow_line(images: Images, number: int) -> dict[str, Any]:
    """A line with an image whose last bytes are not sent until `images.may_end`."""
    url = images.url(number, 1000, 1_000_000)
    return message({"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": url}})


def test_a_line_that_names_what_another_has_made_or_takes_too_long_is_refused_and_not_sent(
    tmp_path: Path, images: Images
) -> None:
    with running(tmp_path, media_timeout=1) as shared:
        file = uploaded(shared, b"the secret of Alice")
        with openai.OpenAI(base_url=shared.base(), api_key=OTHER_CLIENT_KEY) as bob:
            slow = [slow_line(images, number) for number in range(2)]
            statuses, codes = ended(bob, begun(bob, [*bodies(file), *slow, message()]))
        refused = {f"line-{number}": 404 for number in range(1, 6)} | {"line-6": 400, "line-7": 400}
        assert statuses == {"line-0": 200, "line-8": 200} | refused
        assert {codes.pop("line-6"), codes.pop("line-7")} == {"media_unreachable"}
        assert set(codes.values()) == {"not_your_resource"}
        with openai.OpenAI(base_url=shared.base(), api_key=CLIENT_KEY) as owner:
            statuses, _ = ended(owner, begun(owner, [bodies(file)[0], bodies(file)[3]]))
        assert statuses == {"line-0": 200, "line-1": 200}


def test_slow_lines_of_one_caller_hold_up_no_upload_and_no_batch_of_another(tmp_path: Path, images: Images) -> None:
    with (
        running(tmp_path, media_timeout=MAX_SECONDS) as shared,
        openai.OpenAI(base_url=shared.base(), api_key=OTHER_CLIENT_KEY) as bob,
        openai.OpenAI(base_url=shared.base(), api_key=CLIENT_KEY) as alice,
    ):
        slow = [begun(bob, [slow_line(images, 5 * at + number) for number in range(5)]) for at in range(4)]
        end = time.monotonic() + MAX_SECONDS
        while len(images.sent) < 8:  # some of his batches wait for images now
            assert time.monotonic() < end
            time.sleep(0.05)
        assert ended(alice, begun(alice, [message()]))[0] == {"line-0": 200}
        assert not {bob.batches.retrieve(each).status for each in slow} & set(ENDED)
        images.may_end.set()
