"""The OpenAPI document is sound, shows what is served, and what is served is as it says."""

import io
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from fastapi.openapi.utils import get_openapi
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.support.chat import FLASH_25, USER, function_tool
from tests.support.documented import Documented
from tests.support.stack import KEY, Stack, stack

from gemgate.api.openapi import document as document_module
from gemgate.api.openapi.operations import OPERATIONS
from gemgate.app import create_app
from gemgate.settings import Settings
from gemgate.web.cors import EXPOSED

pytestmark = pytest.mark.slow

EVENTS = "text/event-stream"
CHAT = "/v1/chat/completions"
IMAGES = "/v1/images/generations"
DRAWS = "gemini-2.5-flash-image"
METRICS_TOKEN = "a-token-of-the-scraper"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(Settings(_env_file=None)).openapi()


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    with stack(metrics_token=METRICS_TOKEN, max_body_bytes=100_000) as servers:
        yield servers


class Proof:
    """Sends requests, and holds each answer against the closed document."""

    def __init__(self, document: dict[str, Any], running: Stack) -> None:
        self.documented = Documented(document)
        self.running = running

    def send(self, method: str, template: str, status: int = 200, **request: Any) -> httpx.Response:
        """The answer to a request, which has this status and is as the document says."""
        path = template.format_map(request.pop("path", {}))
        headers = {"authorization": f"Bearer {KEY}"} | request.pop("headers", {})
        answer = httpx.request(method, self.running.gateway + path, headers=headers, timeout=20, **request)
        assert answer.status_code == status, answer.text
        shown = self.documented.document["paths"][template][method.lower()]["responses"]
        response = self.documented.resolved(shown.get(str(status)) or shown["default"])
        ours = {name for name in answer.headers if name in EXPOSED}
        assert ours <= response["headers"].keys()
        media = answer.headers["content-type"].partition(";")[0]
        content = response["content"]
        schema = (content[media] if media in content else content["*/*"])["schema"]
        if media == EVENTS:
            for event in events(answer.text):
                self.documented.conform(schema, event)
        elif media == "application/json" and "*/*" not in content:
            self.documented.conform(schema, answer.json())
        return answer


def events(text: str) -> list[Any]:
    found = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [orjson.loads(each) for each in found if each != "[DONE]"]


@pytest.fixture(scope="module")
def proof(document: dict[str, Any], running: Stack) -> Proof:
    return Proof(document, running)


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"].startswith("3.1.")


def test_every_route_of_the_document_is_told_of_and_nothing_else(document: dict[str, Any]) -> None:
    shown = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert shown == OPERATIONS.keys()
    identifiers = [shown["operationId"] for methods in document["paths"].values() for shown in methods.values()]
    assert len(set(identifiers)) == len(identifiers)


def test_every_route_of_openais_is_in_the_document(document: dict[str, Any]) -> None:
    app = create_app(Settings(_env_file=None))
    served = set(get_openapi(title="", version="", routes=app.routes)["paths"])
    assert served == document["paths"].keys()


def test_what_callers_read_says_nothing_of_the_code(document: dict[str, Any]) -> None:
    text = orjson.dumps(document).decode()
    assert [word for word in ("Raises:", "ApiError", ".py`", "fates", "FATES", "model_extra") if word in text] == []


def test_no_operation_answers_with_a_422(document: dict[str, Any]) -> None:
    statuses = {s for methods in document["paths"].values() for shown in methods.values() for s in shown["responses"]}
    assert "422" not in statuses
    assert not {"HTTPValidationError", "ValidationError"} & document["components"]["schemas"].keys()


def test_nobody_pays_for_the_document_who_does_not_ask_for_it() -> None:
    code = (
        "import sys; from gemgate.app import create_app; from gemgate.settings import Settings; "
        f"create_app(Settings(_env_file=None)); sys.exit({document_module.__name__!r} in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_document_is_made_once(document: dict[str, Any]) -> None:
    app = create_app(Settings(_env_file=None))
    assert app.openapi() is app.openapi()
    assert app.openapi() == document


CUSTOM = {"type": "custom", "custom": {"name": "note", "description": "Takes a note"}}
SEARCH = {"web_search_options": {}, "messages": [{"role": "user", "content": "Who won the cup?"}]}
THINKS = {"extra_body": {"google": {"thinking_config": {"include_thoughts": True}}}}
SIGNED = {
    "model": "gemini-3-flash-preview",
    "tools": [function_tool()],
    "messages": [{"role": "user", "content": "Weather in Paris and Tokyo"}],
}
CHATS: dict[str, dict[str, Any]] = {
    "text": {},
    "two choices": {"n": 2},
    "thoughts": THINKS,
    "tool calls": {"tools": [function_tool()], "tool_choice": "required"},
    "signed calls": SIGNED,
    "a custom tool": {"tools": [CUSTOM], "tool_choice": "required"},
    "a function": {"functions": [function_tool()["function"]], "function_call": {"name": "get_weather"}},
    "logprobs": {"model": "gemini-2.0-flash", "logprobs": True, "top_logprobs": 2},
    "citations": SEARCH,
    "images": {"model": DRAWS, "modalities": ["text", "image"]},
    "speech": {
        "model": "gemini-2.5-flash-preview-tts",
        "modalities": ["audio"],
        "audio": {"voice": "alloy", "format": "pcm16"},
    },
    "a blocked prompt": {"messages": [{"role": "user", "content": "Hello [[emulator: blocked-prompt]]"}]},
    "a cut answer": {"max_completion_tokens": 5},
}


@pytest.mark.parametrize("body", CHATS.values(), ids=CHATS)
def test_a_chat_completion_is_as_documented(proof: Proof, body: dict[str, Any]) -> None:
    proof.send("POST", CHAT, json={"model": FLASH_25, "messages": [USER]} | body)


@pytest.mark.parametrize("body", [CHATS[name] for name in CHATS if name != "logprobs"])
def test_each_chunk_is_as_documented(proof: Proof, body: dict[str, Any]) -> None:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    answer = proof.send("POST", CHAT, json={"model": FLASH_25, "messages": [USER]} | options | body)
    assert answer.text.endswith("data: [DONE]\n\n")
    assert "usage" in events(answer.text)[-1]


RESPONSE_BODIES: dict[str, dict[str, Any]] = {
    "text": {},
    "reasoning": {"reasoning": {"effort": "low", "summary": "auto"}},
    "calls": {"tools": [{"type": "function", **function_tool()["function"]}], "tool_choice": "required"},
    "a search": {"tools": [{"type": "web_search"}], "input": "Who won the cup?"},
    "code": {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
    "a cut answer": {"max_output_tokens": 16},
    "a failure": {"input": "Hello [[emulator: eof]]", "stream": True},
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("body", RESPONSE_BODIES.values(), ids=RESPONSE_BODIES)
def test_a_response_is_as_documented(proof: Proof, body: dict[str, Any], stream: bool) -> None:
    answer = proof.send("POST", "/v1/responses", json={"model": FLASH_25, "input": "Hi", "stream": stream} | body)
    if stream:
        assert answer.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("path", ["/v1/responses/compact", "/v1/responses/input_tokens"])
def test_compaction_and_count_are_as_documented(proof: Proof, path: str) -> None:
    proof.send("POST", path, json={"model": FLASH_25, "input": "Hi"})


def test_the_error_that_ends_a_stream_is_as_documented(proof: Proof) -> None:
    messages = [{"role": "user", "content": "Hello [[emulator: eof]]"}]
    answer = proof.send("POST", CHAT, json={"model": FLASH_25, "messages": messages, "stream": True})
    assert events(answer.text)[-1]["error"]["code"] == "stream_truncated"


@pytest.mark.parametrize(
    ("status", "request_"),
    [
        (400, {"json": {"model": FLASH_25, "messages": "none"}}),
        (400, {"json": {}, "headers": {"api-key": "another"}}),
        (401, {"json": {"model": FLASH_25, "messages": [USER]}, "headers": {"authorization": "Bearer invalid"}}),
        (404, {"json": {"model": "gemini-nothing", "messages": [USER]}}),
        (413, {"content": b"x" * 100_001}),
        (415, {"content": b"{}", "headers": {"content-type": "text/plain"}}),
    ],
)
def test_an_error_is_as_documented(proof: Proof, status: int, request_: dict[str, Any]) -> None:
    answer = proof.send("POST", CHAT, status, **request_)
    assert str(status) in proof.documented.document["paths"][CHAT]["post"]["responses"]
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_error_of_googles_is_as_documented(proof: Proof, status: int) -> None:
    messages = [{"role": "user", "content": f"Hello [[emulator: {status}]]"}]
    answer = proof.send("POST", CHAT, status, json={"model": FLASH_25, "messages": messages})
    assert answer.json()["error"]["google"]["status"]


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings_are_as_documented(proof: Proof, encoding: str) -> None:
    body = {"model": "gemini-embedding-001", "input": ["a", "b"], "encoding_format": encoding}
    proof.send("POST", "/v1/embeddings", json=body)


@pytest.mark.parametrize("stream", [False, True])
def test_legacy_completions_are_as_documented(proof: Proof, stream: bool) -> None:
    body = {
        "model": FLASH_25,
        "prompt": ["a", "b"],
        "n": 2,
        "stream": stream,
        "stream_options": {"include_usage": True},
    }
    proof.send("POST", "/v1/completions", json=body)
    proof.send("POST", "/v1/completions", json={"model": FLASH_25, "prompt": "a", "logprobs": 2})


@pytest.mark.parametrize("model", ["omni-moderation-latest", "gemini-3.5-flash-lite"])
def test_moderations_are_as_documented(proof: Proof, model: str) -> None:
    proof.send("POST", "/v1/moderations", json={"model": model, "input": ["a", "a [[emulator: blocked-prompt]]"]})


def test_decisions_are_as_documented(proof: Proof) -> None:
    questions: list[Any] = [
        {"type": "predicate", "instructions": "Is it?"},
        {"type": "choice", "instructions": "Which?", "choices": [{"value": True}, {"value": "b"}]},
        {"type": "score", "instructions": "How?", "levels": [{"label": "a"}, {"label": "b"}]},
    ]
    for text in ("a", "a [[emulator: blocked-prompt]]"):
        body = {"model": "gemini-decision-1", "input": text, "questions": questions}
        proof.send("POST", "/v1/decisions", json=body)


@pytest.mark.parametrize("model", [DRAWS, "imagen-4.0-generate-001"])
@pytest.mark.parametrize("stream", [False, True])
def test_images_are_as_documented(proof: Proof, model: str, stream: bool) -> None:
    answer = proof.send("POST", IMAGES, json={"model": model, "prompt": "A cat", "stream": stream, "n": 2})
    assert answer.headers["content-type"].startswith(EVENTS) is stream


@pytest.mark.parametrize("stream", ["false", "true"])
def test_edits_are_as_documented(proof: Proof, stream: str) -> None:
    drawn = httpx.post(
        proof.running.gateway + IMAGES,
        json={"model": DRAWS, "prompt": "A cat", "size": "512x512"},
        headers={"api-key": KEY},
    ).json()["data"][0]["b64_json"]
    image = f"data:image/png;base64,{drawn}"
    form = {"model": DRAWS, "prompt": "A hat", "stream": stream, "image": image}
    proof.send("POST", "/v1/images/edits", json=form | {"stream": stream == "true"})
    proof.send("POST", "/v1/images/variations", json={"model": DRAWS, "image": image})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", CHAT, {"model": FLASH_25, "messages": [USER], "seed": 1, "logit_bias": {"1": 1}}),
        ("POST", "/v1/embeddings", {"model": "gemini-embedding-001", "input": "a", "user": "me"}),
        ("POST", IMAGES, {"model": DRAWS, "prompt": "A cat"}),
        ("GET", "/v1/models", None),
    ],
)
def test_a_dry_run_is_as_documented(proof: Proof, method: str, path: str, body: Any) -> None:
    answer = proof.send(method, path, json=body, headers={"x-gemgate-dry-run": "true"})
    assert answer.json()["object"] == "gemgate.dry_run"


def test_models_are_as_documented(proof: Proof) -> None:
    models = proof.send("GET", "/v1/models").json()["data"]
    assert models
    one = "/v1/models/{model}"
    proof.send("GET", one, path={"model": models[0]["id"]})
    proof.send("GET", one, 404, path={"model": "nothing"})
    proof.send("DELETE", one, 403, path={"model": models[0]["id"]})


def uploaded(proof: Proof, content: bytes, purpose: str = "user_data") -> dict[str, str]:
    files = {"file": ("in.jsonl", io.BytesIO(content), "application/jsonl")}
    answer = proof.send("POST", "/v1/files", files=files, data={"purpose": purpose, "unknown": "x"})
    assert answer.headers["x-gemgate-dropped-params"] == "unknown"
    return {"file_id": answer.json()["id"]}


def test_files_are_as_documented(proof: Proof) -> None:
    one, content = "/v1/files/{file_id}", "/v1/files/{file_id}/content"
    named = uploaded(proof, b"0123456789")
    proof.send("GET", "/v1/files", params={"limit": 1})
    proof.send("GET", "/v1/files", 400, params={"limit": 0})
    proof.send("GET", one, path=named)
    assert proof.send("GET", content, path=named).content == b"0123456789"
    assert proof.send("GET", content, 206, path=named, headers={"range": "bytes=2-3"}).content == b"23"
    proof.send("GET", content, 416, path=named, headers={"range": "bytes=20-"})
    proof.send("DELETE", one, path=named)
    for method in ("GET", "DELETE"):
        proof.send(method, one, 404, path=named)


def test_uploads_are_as_documented(proof: Proof) -> None:
    wanted = {"filename": "a.txt", "purpose": "user_data", "bytes": 3, "mime_type": "text/plain"}
    named = {"upload_id": proof.send("POST", "/v1/uploads", json=wanted).json()["id"]}
    part = proof.send("POST", "/v1/uploads/{upload_id}/parts", path=named, files={"data": b"abc"}).json()["id"]
    complete = "/v1/uploads/{upload_id}/complete"
    proof.send("POST", complete, 400, path=named, json={"part_ids": ["part_x"]})
    assert proof.send("POST", complete, path=named, json={"part_ids": [part]}).json()["file"]
    proof.send("POST", "/v1/uploads/{upload_id}/cancel", 404, path={"upload_id": "upload_x"})
    other = {"upload_id": proof.send("POST", "/v1/uploads", json=wanted).json()["id"]}
    proof.send("POST", "/v1/uploads/{upload_id}/cancel", path=other)


@pytest.mark.parametrize(
    "line", [b"no json", b'{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{}}']
)
def test_an_input_that_no_batch_can_be_made_of_is_as_documented(proof: Proof, line: bytes) -> None:
    named = uploaded(proof, line, "batch")
    proof.send("GET", "/v1/files/{file_id}", path=named)


def test_batches_are_as_documented(proof: Proof) -> None:
    body = {"model": FLASH_25, "messages": [USER]}
    line = orjson.dumps({"custom_id": "1", "method": "POST", "url": CHAT, "body": body})
    wanted = {
        "input_file_id": uploaded(proof, line, "batch")["file_id"],
        "endpoint": CHAT,
        "completion_window": "24h",
        "metadata": {"a": "b"},
    }
    named = {"batch_id": proof.send("POST", "/v1/batches", json=wanted).json()["id"]}
    proof.send("GET", "/v1/batches", params={"limit": 1})
    proof.send("GET", "/v1/batches/{batch_id}", path=named)
    proof.send("POST", "/v1/batches/{batch_id}/cancel", path=named)
    proof.send("GET", "/v1/batches/{batch_id}", 404, path={"batch_id": "batch_x"})
    proof.send("POST", "/v1/batches", 400, json=wanted | {"input_file_id": "file-x"})


def test_the_probes_and_the_metrics_are_as_documented(proof: Proof) -> None:
    proof.send("GET", "/healthz")
    proof.send("GET", "/readyz")
    proof.send("GET", "/metrics", 401)
    proof.send("GET", "/metrics", headers={"authorization": f"Bearer {METRICS_TOKEN}"})
