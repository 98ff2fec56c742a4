"""What a request names is its caller's, or nobody's: bodies and paths, in both APIs, in every spelling."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.api.native.support import CLIENT_KEY, HELD_KEY, error_of, own, running_gateway
from tests.security.tenants import (
    ALICE,
    BOB,
    CACHE,
    FILE,
    GENERATE,
    JOB,
    MODEL,
    OPERATION,
    STORE,
    Tenants,
    openai_error,
    tenants,
)

GOOGLES = "https://generativelanguage.googleapis.com"
URI = f"{GOOGLES}/v1beta/{FILE}"
HELLO = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    with tenants(tmp_path_factory.mktemp("data")) as pair:
        yield pair


def with_file(uri: str, field: str = "fileUri", around: str = "fileData") -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{around: {field: uri, "mimeType": "text/plain"}}]}]}


URIS = [
    FILE,
    URI,
    f" {FILE} ",
    f"/{FILE}",
    f"v1beta/{FILE}",
    FILE.replace("/", "//"),
    FILE.replace("files", "Files"),
    FILE.replace("/", "%2F"),
    FILE.replace("f", "%66", 1),
    FILE.replace("f", "%2566", 1),
    URI.replace("https", "HTTPS"),
    URI.replace("generativelanguage", "GenerativeLanguage"),
    URI.replace("https:", ""),
    URI.replace("https", "http"),
    URI.replace(".com", ".com:443"),
    URI.replace("https://", "https://x@"),
    URI.replace("v1beta", "v1"),
    URI.replace("v1beta", "download/v1beta") + ":download?alt=media",
    URI.replace("v1beta", "upload/v1beta"),
    URI.replace("files", "%66iles"),
    URI.replace("/files/", "%2ffiles%2f"),
    URI.replace("/files/", "\\files\\"),
    URI + "?alt=media#x",
    f"{GOOGLES}/v1beta/files/../{FILE}",
    f"{GOOGLES}/v1beta/models/../{FILE}",
    f"https://example.com/?x={URI}",
    f"{GOOGLES}/v1beta/something/unheard/of",
    URI.replace("g", "\uff47"),
    f"{GOOGLES}/v1beta/files/bobs-file,{FILE}",
    "gs://the-operators-bucket/secret.pdf",
    "GS://the-operators-bucket/secret.pdf",
    "projects/the-operators/locations/eu/ragCorpora/secret",
    "files/gemgate-0123456789",
    "files/made-outside-of-the-gateway",
    f"files/batch-{JOB.partition('/')[2]}",
]


@pytest.mark.parametrize("uri", URIS)
@pytest.mark.parametrize(("around", "field"), [("fileData", "fileUri"), ("file_data", "file_uri")])
def test_no_spelling_of_anothers_file_reaches_google(both: Tenants, uri: str, around: str, field: str) -> None:
    asked = both.asked
    answer = both.post(GENERATE, with_file(uri, field, around))
    assert answer.status_code == 404, answer.text
    assert error_of(answer)["status"] == "NOT_FOUND"
    assert both.asked == asked


NATIVE = [
    (GENERATE, {**HELLO, "cachedContent": CACHE}),
    (GENERATE, {**HELLO, "cached_content": CACHE}),
    (GENERATE, {**HELLO, "tools": [{"fileSearch": {"fileSearchStoreNames": [STORE]}}]}),
    (GENERATE, {**HELLO, "tools": [{"file_search": {"file_search_store_names": ["fileSearchStores/other", STORE]}}]}),
    (GENERATE, {"systemInstruction": {"parts": [{"fileData": {"fileUri": URI}}]}, **HELLO}),
    (GENERATE, {"contents": [{"parts": [{"functionResponse": {"parts": [{"fileData": {"fileUri": URI}}]}}]}]}),
    (f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse", {**HELLO, "cachedContent": CACHE}),
    (f"/v1/models/{MODEL}:generateContent", {**HELLO, "cachedContent": CACHE}),
    (f"/v1alpha/models/{MODEL}:generateContent", with_file(FILE)),
    (f"/v1beta/dynamic/{MODEL}:generateContent", with_file(FILE)),
    (f"/v1beta/models/{MODEL}:countTokens", {"generateContentRequest": {**HELLO, "cachedContent": CACHE}}),
    (f"/v1beta/models/{MODEL}:countTokens", with_file(FILE)),
    (f"/v1beta/models/{MODEL}:embedContent", {"content": with_file(URI)["contents"][0]}),
    (f"/v1beta/models/{MODEL}:batchEmbedContents", {"requests": [{"content": with_file(URI)["contents"][0]}]}),
    (f"/v1beta/models/{MODEL}:batchGenerateContent", {"batch": {"inputConfig": {"fileName": FILE}}}),
    (f"/v1beta/models/{MODEL}:batchGenerateContent", {"batch": {"input_config": {"file_name": FILE}}}),
    (f"/v1beta/models/{MODEL}:batchGenerateContent", {"batch": {"inputConfig": {"fileName": "alices-file"}}}),
    (
        f"/v1beta/models/{MODEL}:batchGenerateContent",
        {"batch": {"inputConfig": {"requests": {"requests": [{"request": {**HELLO, "cachedContent": CACHE}}]}}}},
    ),
    (f"/v1beta/models/{MODEL}:asyncBatchEmbedContent", {"batch": {"inputConfig": {"fileName": FILE}}}),
    (f"/v1beta/models/{MODEL}:predict", {"instances": [{"prompt": "a", "image": {"gcsUri": "gs://b/x.png"}}]}),
    ("/v1beta/models/veo-3:predictLongRunning", {"instances": [{"prompt": "a", "video": {"uri": URI}}]}),
    (f"/v1beta/models/{MODEL}:generateAnswer", {"semanticRetriever": {"source": "corpora/somebodys"}}),
    ("/v1beta/cachedContents", {"model": f"models/{MODEL}", **with_file(URI)}),
    ("/v1beta/cachedContents", {"model": "tunedModels/somebodys", **HELLO}),
    (GENERATE, {**HELLO, "aFieldOfTomorrow": [{"deep": [[{"er": OPERATION}]]}]}),
    (GENERATE, {**HELLO, "generationConfig": {"x": JOB}}),
    ("/v1beta/tunedModels/somebodys:generateContent", HELLO),
    (f"/v1beta/{STORE}:importFile", {"fileName": FILE}),
]


@pytest.mark.parametrize(("path", "body"), NATIVE)
def test_no_native_body_uses_what_another_has_made(both: Tenants, path: str, body: Any) -> None:
    asked = both.asked
    answer = both.post(path, body)
    assert answer.status_code == 404, answer.text
    assert error_of(answer)["details"][0]["reason"] == "NOT_YOUR_RESOURCE"
    assert both.asked == asked


def test_a_file_of_anothers_is_not_imported_into_a_store_of_ones_own(both: Tenants) -> None:
    both.make("fileSearchStores/bobs", BOB)
    asked = both.asked
    for name in (FILE, URI, "alices-file"):
        for field in ("fileName", "file_name"):
            assert both.post("/v1beta/fileSearchStores/bobs:importFile", {field: name}).status_code == 404
    assert both.asked == asked


@pytest.mark.parametrize(
    "body",
    [
        {**HELLO, "cachedContent": CACHE},
        {**HELLO, "cached_content": CACHE},
        {**HELLO, "tools": [{"fileSearch": {"fileSearchStoreNames": [STORE]}}]},
        with_file(FILE),
        with_file(URI),
        with_file(URI, "file_uri", "file_data"),
    ],
)
def test_who_has_made_it_uses_it_and_the_body_is_the_same_bytes(both: Tenants, body: Any) -> None:
    assert both.post(GENERATE, body, ALICE).status_code == 200
    assert both.there.google.requests[-1].content == orjson.dumps(body)


PUBLIC = [
    with_file("https://www.youtube.com/watch?v=9hE5-98ZeCg"),
    with_file("https://youtu.be/9hE5-98ZeCg"),
    with_file("https://example.com/files/report.pdf"),
    with_file("https://storage.googleapis.com/a-bucket/files/report.pdf"),
    {"contents": [{"parts": [{"text": FILE}]}]},
    {"contents": [{"parts": [{"text": f"What is in {URI}?"}]}]},
    {"contents": [{"parts": [{"functionCall": {"name": "open", "args": {"path": FILE, "deep": [{"er": CACHE}]}}}]}]},
    {"contents": [{"parts": [{"functionResponse": {"name": "open", "response": {"path": FILE}}}]}]},
    {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}]}]},
    {**HELLO, "tools": [{"functionDeclarations": [{"name": "a", "description": FILE}]}]},
    {**HELLO, "generationConfig": {"stopSequences": [FILE], "responseSchema": {"type": "STRING", "enum": [FILE]}}},
    {**HELLO, "model": f"models/{MODEL}"},
]


@pytest.mark.parametrize("body", PUBLIC)
def test_words_and_what_anybody_can_read_pass(both: Tenants, body: Any) -> None:
    assert both.post(GENERATE, body).status_code == 200, body


@pytest.mark.parametrize("name", [CACHE, FILE, STORE, JOB, OPERATION])
def test_a_path_of_anothers_is_not_found_either(both: Tenants, name: str) -> None:
    asked = both.asked
    answer = both.there.client.get(f"/v1beta/{name}", headers=BOB)
    assert error_of(answer)["code"] == 404
    assert both.asked == asked
    assert both.there.client.get(f"/v1beta/{name}", headers=ALICE).status_code == 200


ESCAPED = [
    rb'{"contents": [], "cachedContent": "cachedContents\/alices-cache"}',
    rb'{"contents": [], "cached\u0043ontent": "cached\u0043ontents/alices-cache"}',
    rb'{"contents": [{"parts": [{"fileData": {"fileUri": "f\u0069les\u002falices-file"}}]}]}',
    rb'{"contents": [{"parts": [{"fileData": {"fileUri": "\u0066\u0069\u006c\u0065\u0073\/alices-file"}}]}]}',
]


@pytest.mark.parametrize("body", ESCAPED)
def test_escapes_of_json_hide_nothing(both: Tenants, body: bytes) -> None:
    asked = both.asked
    assert error_of(both.post(GENERATE, body))["code"] == 404
    assert both.asked == asked


UNREADABLE: list[tuple[bytes, dict[str, str], int]] = [
    (b'{"cachedContent": "cachedContents/alices-cache"}', {"content-encoding": "gzip"}, 415),
    (b'{"a": 1}', {"content-encoding": "deflate"}, 415),
    (b'{"a": 1}', {"content-encoding": "br"}, 415),
    (b"\x0a\x03abc", {"content-type": "application/x-protobuf"}, 415),
    (b"\x0a\x03abc", {"content-type": "application/octet-stream"}, 415),
    (b"cachedContent=x", {"content-type": "application/x-www-form-urlencoded"}, 415),
    (b'{"a": 1}', {"content-type": "application/json; charset=utf-16"}, 415),
    (b'{"a": 1}', {"content-type": "application/json; charset=utf-7"}, 415),
    ('{"cachedContent": "cachedContents/alices-cache"}'.encode("utf-16"), {}, 400),
    ('{"cachedContent": "cachedContents/alices-cache"}'.encode("utf-16-le"), {}, 400),
    ('{"cachedContent": "cachedContents/alices-cache"}'.encode("utf-32"), {}, 400),
    (b"{'cachedContent': 'cachedContents/alices-cache'}", {}, 400),
    (b'{cachedContent: "cachedContents/alices-cache"}', {}, 400),
    (b'{"contents": []} {"cachedContent": "cachedContents/alices-cache"}', {}, 400),
    (b'\xef\xbb\xbf{"cachedContent": "cachedContents/alices-cache"}', {}, 400),
    (b'{"cachedContent": "cachedContents/alices-cache", "cachedContent": ""}', {}, 400),
    (b'{"cachedContent": "cachedContents/alices-cache", "cached\\u0043ontent": ""}', {}, 400),
    (b'{"a":' * 2000 + b'"cachedContents/alices-cache"' + b"}" * 2000, {}, 400),
    (b'{"a":' * 1000 + b'"cachedContents/alices-cache"' + b"}" * 1000, {}, 400),
]


@pytest.mark.parametrize(("body", "headers", "status"), UNREADABLE)
def test_a_body_that_cannot_be_read_is_refused_with_the_reason(
    both: Tenants, body: bytes, headers: dict[str, str], status: int
) -> None:
    asked = both.asked
    for path in (GENERATE, "/v1beta/cachedContents"):
        answer = both.post(path, body, BOB | headers)
        assert error_of(answer)["code"] == status
        assert "gateway" in answer.text or "body" in answer.text
    assert both.asked == asked


def test_a_content_type_that_is_there_twice_is_read_whole(both: Tenants) -> None:
    asked = both.asked
    headers = [*BOB.items(), ("content-type", "application/json"), ("content-type", "application/x-protobuf")]
    assert error_of(both.there.client.post(GENERATE, content=b"{}", headers=headers))["code"] == 415
    assert both.asked == asked


def test_more_names_than_are_looked_up_are_refused(both: Tenants) -> None:
    asked = both.asked
    body = {"contents": [{"parts": [{"fileData": {"fileUri": f"files/{number}"}} for number in range(5000)]}]}
    assert error_of(both.post(GENERATE, body))["code"] == 400
    odd = {"contents": [{"parts": [{"x": f"%{number}"} for number in range(20_000)]}]}
    assert error_of(both.post(GENERATE, odd))["code"] == 400
    assert both.asked == asked


PREFIXES = ["/v1", "/v1beta/openai", "/v1beta"]


def chat(**more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], **more}


def part(**more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}, more]}]}


PIXEL = "data:image/png;base64,iVBORw0KGgo="


def decision(**image: Any) -> dict[str, Any]:
    asked = {"type": "predicate", "name": "q", "instructions": "Is it?"}
    content = [{"type": "input_text", "text": "Hi"}, {"type": "input_image", **image}]
    return {"model": "gpt-6-luna", "input": [{"role": "user", "content": content}], "questions": [asked]}


OPENAI: list[tuple[str, Any]] = [
    ("chat/completions", chat(extra_body={"google": {"cached_content": CACHE}})),
    ("chat/completions", chat(extra_body={"google": {"cachedContent": "alices-cache"}})),
    ("chat/completions", chat(extra_body={"extra_body": {"google": {"cached_content": CACHE}}})),
    ("chat/completions", chat(google={"cached_content": "alices-cache"})),
    ("chat/completions", chat(cached_content=CACHE)),
    ("chat/completions", chat(google={"cached_content": CACHE}, stream=True)),
    ("chat/completions", chat(tools=[{"type": "file_search", "file_search_store_names": [STORE]}])),
    ("chat/completions", chat(google={"tools": [{"fileSearch": {"fileSearchStoreNames": [STORE]}}]})),
    ("chat/completions", chat() | {"model": "tunedModels/somebodys"}),
    ("chat/completions", chat() | {"model": "google/tunedModels/somebodys"}),
    ("chat/completions", chat() | {"model": CACHE}),
    ("chat/completions", part(type="file", file={"file_id": FILE})),
    ("chat/completions", part(type="file", file={"file_id": URI})),
    ("chat/completions", part(type="file", file={"file_url": URI})),
    ("chat/completions", part(type="file", file={"file_data": URI})),
    ("chat/completions", part(type="file", file={"file_data": FILE})),
    ("chat/completions", part(type="image_url", image_url={"url": URI})),
    ("chat/completions", part(type="image_url", image_url={"url": FILE})),
    ("chat/completions", part(type="image_url", image_url={"file_id": FILE})),
    ("chat/completions", part(type="image_url", image_url={"url": "gs://the-operators/x.png"})),
    ("chat/completions", part(type="input_audio", input_audio={"data": FILE, "format": "mp3"})),
    ("chat/completions", part(type="input_audio", input_audio={"data": URI, "format": "mp3"})),
    ("chat/completions", part(type="video_url", video_url={"url": URI})),
    ("embeddings", {"model": "gemini-embedding-2", "input": [{"type": "image_url", "image_url": {"url": URI}}]}),
    ("embeddings", {"model": "gemini-embedding-2", "input": [[{"type": "file", "file": {"file_id": FILE}}]]}),
    ("embeddings", {"model": "tunedModels/somebodys", "input": "a"}),
    ("images/edits", {"model": "gemini-2.5-flash-image", "prompt": "a", "image": FILE}),
    ("images/edits", {"model": "gemini-2.5-flash-image", "prompt": "a", "images": [{"file_id": FILE}]}),
    ("images/edits", {"model": "gemini-2.5-flash-image", "prompt": "a", "images": [{"image_url": URI}]}),
    ("images/generations", {"model": "tunedModels/somebodys", "prompt": "a"}),
    (
        "images/generations",
        {"model": MODEL, "prompt": "a", "google": {"tools": [{"fileSearch": {"fileSearchStoreNames": [STORE]}}]}},
    ),
    ("images/variations", {"model": "gemini-2.5-flash-image", "image": FILE}),
    ("images/variations", {"model": "gemini-2.5-flash-image", "images": [{"image_url": URI}]}),
    ("images/variations", {"model": "tunedModels/somebodys", "image": PIXEL}),
]
OPENAIS_ALONE: list[tuple[str, Any]] = [
    ("completions", {"model": MODEL, "prompt": "a", "google": {"cached_content": CACHE}}),
    ("completions", {"model": MODEL, "prompt": "a", "extra_body": {"google": {"cachedContent": "alices-cache"}}}),
    ("completions", {"model": "tunedModels/somebodys", "prompt": "a"}),
    ("moderations", {"input": [{"type": "image_url", "image_url": {"url": URI}}]}),
    ("moderations", {"input": [{"type": "image_url", "image_url": {"url": FILE}}], "model": MODEL}),
    ("moderations", {"input": "a", "model": "tunedModels/somebodys"}),
    ("audio/speech", {"model": "tunedModels/somebodys", "input": "a", "voice": "Kore"}),
    (
        "audio/speech",
        {"model": "gemini-3.8-flash-tts", "input": "a", "voice": "Kore", "google": {"cached_content": CACHE}},
    ),
    ("responses", {"model": MODEL, "input": [{"role": "user", "content": [{"type": "input_file", "file_id": FILE}]}]}),
    ("responses", {"model": MODEL, "input": "a", "google": {"cached_content": CACHE}}),
    ("decisions", decision(image_url=URI)),
    ("decisions", decision(image_url=FILE)),
]
"""Google's own compatible endpoint has none of these at `/v1beta`."""


@pytest.mark.parametrize("dry_run", ["false", "true"])
@pytest.mark.parametrize(("path", "body"), OPENAI)
def test_no_body_of_openais_uses_what_another_has_made(both: Tenants, path: str, body: Any, dry_run: str) -> None:
    asked = both.asked
    for prefix in PREFIXES:
        answer = both.post(f"{prefix}/{path}", body, BOB | {"x-gemgate-dry-run": dry_run})
        assert answer.status_code == 404, answer.text
        assert openai_error(answer)["code"] == "not_your_resource"
    assert both.asked == asked


@pytest.mark.parametrize(("path", "body"), OPENAIS_ALONE)
def test_no_body_of_openais_other_endpoints_uses_what_another_has_made(both: Tenants, path: str, body: Any) -> None:
    asked = both.asked
    answer = both.post(f"/v1/{path}", body, BOB)
    assert answer.status_code == 404, answer.text
    assert openai_error(answer)["code"] == "not_your_resource"
    assert both.asked == asked


def test_a_form_of_an_edit_names_nothing_of_anothers(both: Tenants) -> None:
    asked = both.asked
    for data in (
        {"model": "gemini-2.5-flash-image", "prompt": "a", "image": FILE},
        {"model": "gemini-2.5-flash-image", "prompt": "a", "image[]": URI},
        {"model": "tunedModels/somebodys", "prompt": "a", "image": "data:image/png;base64,iVBORw0KGgo="},
    ):
        files = {name: (None, value) for name, value in data.items()}
        answer = both.there.client.post("/v1/images/edits", files=files, headers=BOB)
        assert openai_error(answer)["code"] == "not_your_resource", data
    assert both.asked == asked


def test_escapes_hide_nothing_from_openais_paths(both: Tenants) -> None:
    asked = both.asked
    message = b'"messages": [{"role": "user", "content": "Hi"}]'
    for google in (rb'{"cached\u005fcontent": "alices\u002dcache"}', rb'{"c\u0061ched_content": "alices-cache"}'):
        body = b'{"model": "gemini-2.5-flash", ' + message + b', "google": ' + google + b"}"
        assert both.post("/v1/chat/completions", body).status_code == 404
    assert both.asked == asked


@pytest.mark.parametrize(
    "body",
    [
        chat(google={"cached_content": CACHE}),
        part(type="file", file={"file_id": FILE}),
        part(type="image_url", image_url={"url": URI}),
    ],
)
def test_who_has_made_it_uses_it_on_openais_paths_too(both: Tenants, body: Any) -> None:
    asked = both.asked
    assert both.post("/v1/chat/completions", body, ALICE).status_code == 200
    assert both.asked == asked + 1


CALL = f'{{"path": "{FILE}"}}'


@pytest.mark.parametrize(
    "body",
    [
        chat(messages=[{"role": "user", "content": FILE}]),
        part(type="text", text=URI),
        chat(metadata={"source": FILE}),
        chat(stop=[FILE]),
        chat(
            messages=[
                {"role": "user", "content": "Hi"},
                {
                    "role": "assistant",
                    "tool_calls": [
                        {
                            "id": "a",
                            "type": "function",
                            "function": {"name": "open", "arguments": f'{{"path": "{FILE}"}}'},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "a", "content": FILE},
            ]
        ),
    ],
)
def test_words_pass_on_openais_paths(both: Tenants, body: Any) -> None:
    assert both.post("/v1/chat/completions", body).status_code == 200


def test_an_operators_name_for_a_tuned_model_is_for_all(tmp_path: Path) -> None:
    with tenants(tmp_path, models={"ours": ("tunedModels/of-the-operator",)}) as pair:
        assert pair.post("/v1/chat/completions", chat() | {"model": "ours"}).status_code == 200
        assert pair.there.google.last.url.path == "/v1beta/tunedModels/of-the-operator:generateContent"
        assert pair.post("/v1/chat/completions", chat() | {"model": "tunedModels/of-the-operator"}).status_code == 404


def test_callers_with_keys_of_their_own_name_what_they_like() -> None:
    with running_gateway() as there:
        body = {**HELLO, "cachedContent": CACHE}
        assert there.client.post(GENERATE, json=body, headers=own()).status_code == 200
        packed = own(**{"content-encoding": "gzip", "content-type": "application/json"})
        assert there.client.post(GENERATE, content=b"...", headers=packed).status_code == 200


LINE = b'{"key": "%d", "request": {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}}\n'
ATTACKS = [
    b'{"key": "x", "request": {"cachedContent": "cachedContents/alices-cache"}}',
    b'{"key": "x", "request": {"cached\\u0043ontent": "cached\\u0043ontents\\/alices-cache"}}',
    b'{"request": {"contents": [{"parts": [{"file_data": {"file_uri": "files/alices-file"}}]}]}}',
    b'{"request": {"model": "tunedModels/somebodys"}}',
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_line_of_a_file_of_requests_names_anothers(both: Tenants, attack: bytes) -> None:
    for number, content in enumerate((attack, LINE * 20 + attack, LINE * 1000 + attack + b"\n" + LINE)):
        name = f"files/bobs-lines-{ATTACKS.index(attack)}-{number}"
        assert both.upload(content.replace(b"%d", b"1"), BOB, name).status_code == 200
        asked = both.asked
        for field in ("fileName", "file_name"):
            body = {"batch": {"inputConfig": {field: name}}}
            answer = both.post(f"/v1beta/models/{MODEL}:batchGenerateContent", body)
            assert answer.status_code == 404, answer.text
        assert both.asked == asked


def test_a_file_of_harmless_requests_becomes_a_job(both: Tenants) -> None:
    assert both.upload(LINE % 1 + LINE % 2, BOB, "files/bobs-good-lines").status_code == 200
    body = {"batch": {"inputConfig": {"fileName": "files/bobs-good-lines"}}}
    assert both.post(f"/v1beta/models/{MODEL}:batchGenerateContent", body).status_code == 200


def test_a_file_of_requests_that_was_not_looked_at_is_refused_with_the_reason(both: Tenants) -> None:
    both.google.names.append("files/bobs-raw")
    raw = BOB | {"x-goog-upload-protocol": "raw", "content-type": "jsonl"}
    assert both.there.client.post("/upload/v1beta/files", content=ATTACKS[0], headers=raw).status_code == 200
    asked = both.asked
    body = {"batch": {"inputConfig": {"fileName": "files/bobs-raw"}}}
    answer = both.post(f"/v1beta/models/{MODEL}:batchGenerateContent", body)
    assert error_of(answer)["details"][0]["reason"] == "BATCH_INPUT_NOT_KEPT"
    patch = both.there.client.patch(f"/v1beta/{JOB}:updateGenerateContentBatch", json=body["batch"], headers=ALICE)
    assert patch.status_code == 404  # the file is Bob's
    assert both.asked == asked


@pytest.mark.parametrize(
    "headers",
    [
        [("authorization", f"Bearer {CLIENT_KEY}"), ("authorization", "Bearer sk-another-one-of-somebody-3")],
        [("x-goog-api-key", CLIENT_KEY), ("x-goog-api-key", "sk-another-one-of-somebody-3")],
        [("api-key", "sk-another-one-of-somebody-3"), ("api-key", CLIENT_KEY)],
        [("x-goog-api-key", CLIENT_KEY), ("authorization", f"Bearer {CLIENT_KEY}"), ("api-key", "sk-other-of-3")],
    ],
)
def test_two_lines_with_keys_that_differ_are_refused(both: Tenants, headers: list[tuple[str, str]]) -> None:
    asked = both.asked
    for order in (headers, headers[::-1]):
        native = both.there.client.post(GENERATE, json=HELLO, headers=order)
        assert error_of(native)["details"][0]["reason"] == "MULTIPLE_API_KEYS"
        for path in ("/v1/chat/completions", "/v1/embeddings"):
            answer = both.there.client.post(path, json=chat(), headers=order)
            assert (answer.status_code, openai_error(answer)["code"]) == (400, "multiple_api_keys")
    assert both.asked == asked


def test_the_same_key_on_two_lines_is_one(both: Tenants) -> None:
    headers = [("authorization", f"Bearer {CLIENT_KEY}"), ("authorization", f"Bearer {CLIENT_KEY}")]
    assert both.there.client.post("/v1/chat/completions", json=chat(), headers=headers).status_code == 200


def test_the_gateways_key_is_no_name(both: Tenants) -> None:
    assert HELD_KEY not in both.post(GENERATE, with_file(f"files/{HELD_KEY}")).text
