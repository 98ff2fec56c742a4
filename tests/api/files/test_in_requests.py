"""Files by id in requests, with the official client over real sockets: gateway, store and emulator."""

import asyncio
import base64
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import openai
import orjson
import pytest
from tests.support.stack import KEY, Stack, gateway, stack

MODEL = "gemini-2.5-flash"
EMBEDDING = "gemini-embedding-2"
PDF = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92ef"
    "0000000049454e44ae426082"
)
TWO_DAYS = 172_800


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(data_dir=tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture(scope="module")
def client(servers: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=KEY, base_url=servers.base(), max_retries=0, timeout=20) as made:
        yield made


def ask(file_id: str, kind: str = "file") -> list[Any]:
    named = {"file_id": file_id}
    part = {"type": "file", "file": named} if kind == "file" else {"type": "image_url", "image_url": named}
    return [{"role": "user", "content": [{"type": "text", "text": "What is in it?"}, part]}]


def chat(client: openai.OpenAI, file_id: str, kind: str = "file", **more: Any) -> Any:
    return client.chat.completions.create(model=MODEL, messages=ask(file_id, kind), **more)


def sent(servers: Stack) -> list[dict[str, Any]]:
    """The `fileData` of the last request for an answer."""
    body = next(seen.body for seen in reversed(servers.seen.requests) if "enerateContent" in seen.path)
    return [part["fileData"] for content in body["contents"] for part in content["parts"] if "fileData" in part]


def uploads(servers: Stack) -> int:
    """How many uploads to Google were begun so far."""
    return sum(seen.headers.get("x-goog-upload-command") == "start" for seen in servers.seen.requests)


def refusal(call: Callable[[], Any]) -> tuple[int, str | None, str | None]:
    with pytest.raises(openai.APIStatusError) as refused:
        call()
    return refused.value.status_code, refused.value.param, refused.value.code


def test_a_file_is_uploaded_to_google_when_it_is_first_used_and_only_then(
    servers: Stack, client: openai.OpenAI
) -> None:
    before = uploads(servers)
    file = client.files.create(file=("terms.pdf", PDF), purpose="user_data")
    assert uploads(servers) == before
    assert chat(client, file.id).choices[0].message.content
    (first,) = sent(servers)
    assert first["mimeType"] == "application/pdf"
    assert first["fileUri"].startswith("https://generativelanguage.googleapis.com/v1beta/files/")
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chat(client, file.id, stream=True))
    assert text
    assert sent(servers) == [first]
    assert uploads(servers) == before + 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_file_that_google_has_deleted_is_uploaded_again(servers: Stack, client: openai.OpenAI, stream: bool) -> None:
    file = client.files.create(file=("terms.pdf", PDF + str(stream).encode()), purpose="user_data")
    chat(client, file.id)
    before, old = uploads(servers), sent(servers)
    servers.seen.advance(TWO_DAYS + 1)
    answer = chat(client, file.id, stream=stream)
    assert list(answer) if stream else answer.choices
    assert sent(servers) != old
    assert uploads(servers) == before + 1


@pytest.mark.parametrize("purpose", ["user_data", "vision", "assistants"])
def test_an_image_is_named_by_its_id(servers: Stack, client: openai.OpenAI, purpose: Any) -> None:
    file = client.files.create(file=("one.png", PNG), purpose=purpose)
    chat(client, file.id, "image_url")
    assert [data["mimeType"] for data in sent(servers)] == ["image/png"]


def test_the_same_bytes_are_uploaded_once_for_each_key(servers: Stack, client: openai.OpenAI) -> None:
    before = uploads(servers)
    for name in ("a.txt", "b.txt"):
        file = client.files.create(file=(name, b"the same words"), purpose="user_data")
        chat(client, file.id)
    assert uploads(servers) == before + 1
    other = client.with_options(api_key="AIza-another-key")
    file = other.files.create(file=("a.txt", b"the same words"), purpose="user_data")
    chat(other, file.id)
    assert uploads(servers) == before + 2


async def test_requests_that_need_the_same_file_at_once_share_one_upload(servers: Stack) -> None:
    before = uploads(servers)
    async with openai.AsyncOpenAI(api_key=KEY, base_url=servers.base(), max_retries=0, timeout=20) as client:
        file = await client.files.create(file=("shared.txt", b"shared by many"), purpose="user_data")
        asked: Any = ask(file.id)
        await asyncio.gather(*(client.chat.completions.create(model=MODEL, messages=asked) for _ in range(5)))
    assert uploads(servers) == before + 1


def test_a_file_that_google_still_processes_is_waited_for(servers: Stack, client: openai.OpenAI) -> None:
    file = client.files.create(file=("[[emulator: slow-file 0.4]].txt", b"slow words"), purpose="user_data")
    assert chat(client, file.id).choices


def test_a_file_that_google_cannot_process_is_refused_by_name(client: openai.OpenAI) -> None:
    file = client.files.create(file=("[[emulator: file-failed]].txt", b"broken words"), purpose="user_data")
    assert refusal(lambda: chat(client, file.id)) == (400, "messages[0].content[1].file.file_id", "invalid_file")


@pytest.mark.parametrize("kind", ["file", "image_url"])
def test_a_file_that_is_unknown_or_anothers_is_refused_by_name(client: openai.OpenAI, kind: str) -> None:
    other = client.with_options(api_key="AIza-another-key")
    file = other.files.create(file=("mine.png", PNG), purpose="user_data")
    expected = (400, f"messages[0].content[1].{kind}.file_id", "file_not_found")
    for file_id in (file.id, "file-0000", "file-\0", "nonsense", "x" * 10_000):
        assert refusal(partial(chat, client, file_id, kind)) == expected


def test_a_file_that_was_deleted_is_refused_though_google_still_has_it(client: openai.OpenAI) -> None:
    file = client.files.create(file=("gone.txt", b"soon gone"), purpose="user_data")
    chat(client, file.id)
    client.files.delete(file.id)
    assert refusal(lambda: chat(client, file.id))[2] == "file_not_found"


@pytest.mark.parametrize(
    ("content", "name", "purpose", "kind", "code"),
    [
        (b"{}", "in.jsonl", "batch", "file", "invalid_file_purpose"),
        (b"PK\x03\x04\0\0", "a.zip", "user_data", "file", "unsupported_media_type"),
        (b"", "empty.txt", "user_data", "file", "unsupported_media_type"),
        (b"just words", "words.txt", "vision", "image_url", "invalid_image_url"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_name(
    servers: Stack, client: openai.OpenAI, content: bytes, name: str, purpose: Any, kind: str, code: str
) -> None:
    file = client.files.create(file=(name, content), purpose=purpose)
    assert refusal(lambda: chat(client, file.id, kind)) == (400, f"messages[0].content[1].{kind}.file_id", code)


def test_a_dry_run_calls_nobody(servers: Stack, client: openai.OpenAI) -> None:
    file = client.files.create(file=("dry.pdf", PDF + b"dry"), purpose="user_data")
    before = len(servers.seen.requests)
    dry = {"x-gemgate-dry-run": "true"}

    def shown() -> Any:
        body = {"model": MODEL, "messages": ask(file.id)}
        answer: Any = client.post("/chat/completions", cast_to=object, body=body, options={"headers": dry})
        return answer["body"]["contents"][0]["parts"][1]["fileData"]

    assert shown()["mimeType"] == "application/pdf"
    assert len(servers.seen.requests) == before
    chat(client, file.id)
    before = len(servers.seen.requests)
    assert [shown()] == sent(servers)
    assert len(servers.seen.requests) == before
    assert refusal(lambda: chat(client, "file-unknown", extra_headers=dry))[2] == "file_not_found"


def test_a_file_is_embedded_and_uploaded_again_when_google_has_deleted_it(
    servers: Stack, client: openai.OpenAI
) -> None:
    file = client.files.create(file=("one.png", PNG), purpose="user_data")
    part = {"type": "image_url", "image_url": {"file_id": file.id}}
    body = {"model": EMBEDDING, "input": ["a word", part, [{"type": "text", "text": "both"}, part]]}

    def embed() -> int:
        answer: Any = client.post("/embeddings", cast_to=object, body=body)
        return len(answer["data"])

    assert embed() == 3
    before = uploads(servers)
    servers.seen.advance(TWO_DAYS + 1)
    assert embed() == 3
    assert uploads(servers) == before + 1
    unknown = {"model": EMBEDDING, "input": ["a", {"type": "file", "file": {"file_id": "file-unknown"}}]}
    assert refusal(lambda: client.post("/embeddings", cast_to=object, body=unknown)) == (
        400,
        "input[1].file.file_id",
        "file_not_found",
    )


def test_lines_of_a_batch_name_files(servers: Stack, client: openai.OpenAI) -> None:
    file = client.files.create(file=("terms.pdf", PDF + b"batch"), purpose="user_data")
    lines = [
        {
            "custom_id": name,
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": MODEL, "messages": asked},
        }
        for name, asked in (("good", ask(file.id)), ("bad", ask("file-unknown")))
    ]
    jsonl = b"\n".join(orjson.dumps(line) for line in lines)
    source = client.files.create(file=("in.jsonl", jsonl), purpose="batch")
    batch = client.batches.create(input_file_id=source.id, endpoint="/v1/chat/completions", completion_window="24h")
    deadline = time.monotonic() + 30
    while batch.status not in ("completed", "failed") and time.monotonic() < deadline:
        time.sleep(0.1)
        batch = client.batches.retrieve(batch.id)
    assert batch.status == "completed"
    assert batch.output_file_id
    assert batch.error_file_id
    good = orjson.loads(client.files.content(batch.output_file_id).content)
    bad = orjson.loads(client.files.content(batch.error_file_id).content)
    assert (good["custom_id"], good["response"]["status_code"]) == ("good", 200)
    error = bad["response"]["body"]["error"]
    assert (bad["custom_id"], error["code"], error["param"]) == (
        "bad",
        "file_not_found",
        "messages[0].content[1].file.file_id",
    )


def test_with_several_keys_of_the_gateway_a_file_is_uploaded_with_one_and_used_with_the_same() -> None:
    keys = ("AIza-first", "AIza-second", "AIza-third")
    with (
        stack(gemini_api_key=keys) as running,
        openai.OpenAI(api_key="any", base_url=running.base(), max_retries=0, timeout=20) as client,
    ):
        file = client.files.create(file=("one.png", PNG), purpose="user_data")
        part = {"type": "image_url", "image_url": {"file_id": file.id}}
        for _ in range(3):
            chat(client, file.id, "image_url")
            assert list(chat(client, file.id, "image_url", stream=True))
            client.post("/embeddings", cast_to=object, body={"model": EMBEDDING, "input": [part]})
        assert uploads(running) == 1


def test_an_image_to_edit_is_named_by_its_id_and_sent_with_the_request(servers: Stack, client: openai.OpenAI) -> None:
    file = client.files.create(file=("one.png", PNG), purpose="vision")
    before = uploads(servers)

    def edit(file_id: str) -> Any:
        body = {"model": "gemini-2.5-flash-image", "prompt": "Make it red", "images": [{"file_id": file_id}]}
        return client.post("/images/edits", cast_to=object, body=body)

    assert edit(file.id)["data"][0]["b64_json"]
    body = next(seen.body for seen in reversed(servers.seen.requests) if "enerateContent" in seen.path)
    (inline,) = [part["inlineData"] for part in body["contents"][0]["parts"] if "inlineData" in part]
    assert (inline["mimeType"], base64.b64decode(inline["data"])) == ("image/png", PNG)
    assert uploads(servers) == before
    words = client.files.create(file=("words.txt", b"words"), purpose="user_data")
    for file_id, code in ((words.id, "unsupported_media_type"), ("file-unknown", "file_not_found")):
        assert refusal(partial(edit, file_id)) == (400, "images[0].file_id", code)


def streamed(origin: str, name: str) -> httpx.Response:
    """The streamed answer to a request that names a new file, and a parameter that Gemini lacks."""
    with httpx.Client(base_url=f"{origin}/v1", headers={"authorization": f"Bearer {KEY}"}, timeout=20) as client:
        files = {"file": (name, name.encode())}
        file_id = client.post("/files", data={"purpose": "user_data"}, files=files).json()["id"]
        body = {"model": MODEL, "messages": ask(file_id), "stream": True, "user": "someone"}
        return client.post("/chat/completions", json=body)


def test_a_stream_that_waits_for_a_file_is_kept_alive_and_tells_later_what_its_headers_could_not(
    servers: Stack,
) -> None:
    with gateway(servers.emulator, stream_start_after=0.05, keepalive_interval=0.05) as origin:
        answer = streamed(origin, "[[emulator: slow-file 0.4]].txt")
    assert answer.status_code == 200
    assert "x-gemgate-dropped-params" not in answer.headers
    assert answer.text.startswith(": keep-alive\n\n")
    assert ": x-gemgate-dropped-params: user\n" in answer.text
    assert answer.text.endswith("data: [DONE]\n\n")


def test_a_stream_whose_file_is_there_soon_begins_like_any_other(servers: Stack, client: openai.OpenAI) -> None:
    answer = streamed(servers.gateway, "quick.txt")
    assert answer.text.startswith("data: ")
    assert answer.headers["x-gemgate-dropped-params"] == "user"
    assert refusal(lambda: chat(client, "file-unknown", stream=True))[2] == "file_not_found"


def test_results_of_tools_name_files_too(servers: Stack, client: openai.OpenAI) -> None:
    file = client.files.create(file=("one.png", PNG), purpose="user_data")
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    named = {"type": "image_url", "image_url": {"file_id": file.id}}
    messages: Any = [
        {"role": "user", "content": "Look"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "Here it is"}, named]},
    ]
    assert client.chat.completions.create(model=MODEL, messages=messages).choices
    assert [data["mimeType"] for data in sent(servers)] == ["image/png"]
