"""Requests made of the OpenAPI document, good ones and ones that are wrong in one place, over real sockets.

Never an error of our own, never a hang, and each answer has a status, a type, headers and a body that the document has.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.support.documented import Documented
from tests.support.stack import KEY, Stack, stack

from gemgate.api.openapi.operations import OPERATIONS
from gemgate.app import create_app
from gemgate.settings import Settings
from gemgate.translation.speech.samples import wav_head

Case = schemathesis.Case[Any]
Operation = APIOperation[Any, Any, Any, Any]

PATIENCE = 60.0
"""The process that reads inputs of batches takes seconds to start on a busy machine."""
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
]
EVENTS = "text/event-stream"
QUICK = settings(max_examples=20, suppress_health_check=list(HealthCheck))
LONG = settings(QUICK, max_examples=400, derandomize=False)

DOCUMENT: dict[str, Any] = create_app(Settings(_env_file=None)).openapi()
DOCUMENTED = Documented(DOCUMENT)
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
SCHEMA.config.generation.with_security_parameters = False  # two keys in one request are refused
ENDS = ("DELETE", "cancel", "complete")
"""What takes away what other operations ask for: these come last."""
EACH = pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param(*each, id=" ".join(each))
        for each in sorted(
            OPERATIONS, key=lambda each: (any(word.upper() in " ".join(each).upper() for word in ENDS), each)
        )
    ],
)
MODELS = {
    "/v1/embeddings": ["gemini-embedding-001", "gemini-embedding-2"],
    "/v1/images/generations": ["gemini-2.5-flash-image", "imagen-4.0-generate-001"],
    "/v1/images/edits": ["gemini-2.5-flash-image"],
    "/v1/audio/speech": ["gemini-3.8-flash-tts"],
    "/v1/audio/transcriptions": ["gemini-3.5-transcribe", "gemini-3.8-flash"],
    "/v1/audio/translations": ["gemini-3.8-flash"],
    "/v1/images/variations": ["gemini-2.5-flash-image"],
    "/v1/moderations": ["omni-moderation-latest", "gemini-3.5-flash-lite"],
    "/v1/decisions": ["gemini-decision-1"],
}
CHAT = ["gemini-2.5-flash", "gemini-3-flash-preview", "gemini-2.0-flash"]
"""The models of all other paths."""
MESSAGES = [{"role": "user", "content": "Hi"}]
AUDIO = wav_head(4_800) + bytes(4_800)


@pytest.fixture(scope="module")
def servers() -> Iterator[Stack]:
    with stack(retries=0, breaker_failures=0, remote_media="refuse", header_timeout=1, body_timeout=1) as running:
        yield running


@pytest.fixture(scope="module")
def names(servers: Stack) -> dict[str, str]:
    """What there is to be named in a path, by the parameter."""
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=f"{servers.gateway}/v1", headers=headers, timeout=PATIENCE) as client:
        line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}
        line["body"] = {"model": CHAT[0], "messages": [{"role": "user", "content": "Hi"}]}  # type: ignore[assignment]
        held = {"file": ("input.jsonl", orjson.dumps(line), "application/jsonl")}
        file = client.post("/files", data={"purpose": "batch"}, files=held).json()["id"]
        batch = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        upload = {"purpose": "batch", "filename": "x", "bytes": 1, "mime_type": "text/plain"}
        item = {"type": "message", "role": "user", "content": "Hi"}
        conversation = client.post("/conversations", json={"items": [item]}).json()["id"]
        items = client.get(f"/conversations/{conversation}/items").json()
        drawing = {"model": "gemini-2.5-flash-image", "prompt": "a cat", "response_format": "url"}
        image = client.post("/images/generations", json=drawing).json()["data"][0]["url"]
        token, name = image.rsplit("/", 2)[1:]
        return {
            "model": CHAT[0],
            "file_id": file,
            "batch_id": client.post("/batches", json=batch).json()["id"],
            "upload_id": client.post("/uploads", json=upload).json()["id"],
            "response_id": client.post("/responses", json={"model": CHAT[0], "input": "Hi"}).json()["id"],
            "conversation_id": conversation,
            "item_id": items["data"][0]["id"],
            "token": token,
            "name": name,
        }


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as kept:
        kept.trust_env = False
        yield kept


def cases(operation: Operation) -> st.SearchStrategy[Case]:
    """Requests that the document allows, and requests that it does not."""
    good, wrong = (operation.as_strategy(generation_mode=mode) for mode in GenerationMode)
    return good | judged(wrong)


@st.composite
def judged(draw: st.DrawFn, strategy: st.SearchStrategy[Case]) -> Case:
    """Those of its requests that schemathesis can judge: it fails on a form whose file is in a wrong place (4.32)."""
    try:
        return draw(strategy)
    except ValueError as error:
        if str(error) != "Unsupported type: 'Binary'":
            raise
        reject()


def reach(case: Case, names: dict[str, str], draw: st.DataObject) -> None:
    """Lets most of the requests name what there is, and half hold what can be answered: nothing made up ever does."""
    depth = draw.draw(st.integers(0, 3), label="depth")
    if depth and case.path_parameters:
        case.path_parameters = {name: names[name] for name in case.path_parameters}
    if depth and isinstance(case.body, dict):
        sound: dict[str, Any] = {"model": draw.draw(st.sampled_from(MODELS.get(case.path, CHAT)), label="model")}
        if depth > 1:
            sound |= {
                "messages": MESSAGES,
                "input": "Hi" if "responses" in case.path else ["a", "b"],
                "prompt": "A cat",
                "input_file_id": names["file_id"],
                "file": AUDIO,
            }
        has_audio = "/audio/trans" in case.path  # elsewhere a file is of another kind
        sound = {name: value for name, value in sound.items() if name != "file" or has_audio}
        case.body = case.body | {name: value for name, value in sound.items() if name in case.body}


def check(servers: Stack, session: requests.Session, case: Case) -> None:
    """Sends it, and looks at the answer."""
    case.headers = CaseInsensitiveDict({**dict(case.headers or {}), "authorization": f"Bearer {KEY}"})
    answer = case.call(base_url=servers.gateway, session=session, timeout=PATIENCE)
    if not answer.headers["content-type"][0].startswith(EVENTS):
        case.validate_response(answer, checks=[*CHECKS, response_schema_conformance])
        return
    case.validate_response(answer, checks=CHECKS)
    # Schemathesis holds a whole event against the schema, which is that of its `data:`.
    schema = DOCUMENTED.document["paths"][case.path][case.method.lower()]["responses"]["200"]["content"][EVENTS][
        "schema"
    ]
    for line in answer.text.splitlines():
        if line.startswith("data: ") and line != "data: [DONE]":
            DOCUMENTED.conform(schema, orjson.loads(line.removeprefix("data: ")))


def prove(
    how: settings, servers: Stack, names: dict[str, str], session: requests.Session, operation: Operation
) -> None:
    """Sends as many requests as `how` says."""

    @how
    @given(case=cases(operation), draw=st.data())
    def holds(case: Case, draw: st.DataObject) -> None:
        reach(case, names, draw)
        check(servers, session, case)

    holds()


@EACH
def test_no_request_is_a_fault_and_each_answer_is_documented(
    servers: Stack, names: dict[str, str], session: requests.Session, method: str, path: str
) -> None:
    prove(QUICK, servers, names, session, SCHEMA[path][method])


@pytest.mark.soak
@EACH
def test_no_request_is_a_fault_and_each_answer_is_documented_for_long(
    servers: Stack, names: dict[str, str], session: requests.Session, method: str, path: str
) -> None:
    prove(LONG, servers, names, session, SCHEMA[path][method])
