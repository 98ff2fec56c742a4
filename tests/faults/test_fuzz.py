"""Bytes and JSON that nobody foresaw, over real sockets: never an error of our own, never a hang."""

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.stack import KEY, Stack, stack

from gemgate.translation.speech.samples import wav_head

PATIENCE = 30.0
QUICK = settings(max_examples=60, suppress_health_check=list(HealthCheck))
LONG = settings(QUICK, max_examples=3000, derandomize=False)

BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {
        "model": "gemini-2.5-flash",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "x"}}],
            },
            {
                "role": "assistant",
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "a", "content": "1"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {}}}}}
        ],
        "tool_choice": "auto",
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
        "stream": False,
        "stop": ["x"],
        "temperature": 0.5,
        "n": 1,
        "reasoning_effort": "low",
        "extra_body": {"google": {"thinking_config": {"thinking_budget": 1}}},
    },
    "/v1/completions": {"model": "gemini-2.5-flash", "prompt": ["x"], "n": 1, "suffix": "y", "stop": "z", "echo": True},
    "/v1/moderations": {"input": [{"type": "text", "text": "x"}], "model": "omni-moderation-latest"},
    "/v1/decisions": {
        "model": "gemini-decision-1",
        "input": [{"role": "user", "content": [{"type": "input_json", "data": {"a": 1}}]}],
        "questions": [
            {"type": "predicate", "name": "n", "instructions": "i"},
            {"type": "choice", "instructions": "i", "choices": [{"value": True}, {"value": "b", "description": "d"}]},
            {"type": "score", "instructions": "i", "levels": [{"label": "a"}, {"label": "b"}]},
        ],
    },
    "/v1/embeddings": {
        "model": "gemini-embedding-001",
        "input": ["a", "b"],
        "dimensions": 8,
        "encoding_format": "float",
    },
    "/v1/audio/speech": {"model": "gemini-3.8-flash-tts", "input": "x", "voice": "Kore"},
    "/v1/images/generations": {"model": "gemini-2.5-flash-image", "prompt": "x", "n": 1, "size": "1024x1024"},
    "/v1/images/variations": {
        "model": "gemini-2.5-flash-image",
        "image": "data:image/png;base64,iVBORw0KGgo=",
        "n": 1,
        "size": "512x512",
        "response_format": "b64_json",
    },
    "/v1/batches": {
        "input_file_id": "file-x",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {},
    },
    "/v1/uploads": {"purpose": "batch", "filename": "x", "bytes": 1, "mime_type": "text/plain"},
    "/v1beta/models/gemini-2.5-flash:generateContent": {"contents": [{"parts": [{"text": "Hi"}]}]},
}
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ODD = st.sampled_from(
    [[], {}, [[]], [None], {"$ref": "#"}, {"type": "object"}, 10**400, -(2**63), 1e308, "\0", "\ud800", "x" * 10_000]
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    if not path:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], other)
    return copy


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, bytes]:
    """A path, and a good body for it in which a few values have become something else."""
    import json

    path = draw(st.sampled_from(sorted(BODIES)))
    body: Any = BODIES[path]
    for _ in range(draw(st.integers(1, 3))):
        body = replaced(body, draw(st.sampled_from(list(places(body)))), draw(VALUES | ODD))
    return path, json.dumps(body).encode()


@st.composite
def broken(draw: st.DrawFn) -> tuple[str, bytes]:
    """A path, and the bytes of a good body of which some have become others."""
    path = draw(st.sampled_from(sorted(BODIES)))
    raw = bytearray(orjson.dumps(BODIES[path]))
    for _ in range(draw(st.integers(1, 4))):
        at, length = draw(st.integers(0, len(raw))), draw(st.integers(0, 20))
        raw[at : at + length] = draw(st.binary(max_size=6))
    return path, bytes(raw)


AUDIO = wav_head(4_800) + bytes(4_800)
FIELDS = {
    "model": ["gemini-3.5-transcribe", "whisper-1", "gemini-3.8-flash"],
    "language": ["en", "English", "xx"],
    "prompt": ["Aurora, Brest", "A ship sails."],
    "temperature": ["0", "2"],
    "response_format": ["json", "text", "srt", "vtt", "verbose_json", "diarized_json"],
    "timestamp_granularities[]": ["word", "segment"],
    "stream": ["true", "false"],
    "chunking_strategy": ["auto", "{"],
    "extra_body": ['{"google": {"generation_config": {"temperature": 1}}}', "[]"],
}
ODD_TEXT = st.text(max_size=6) | st.sampled_from(["1e999", "-1", "NaN", "\0", "[" * 400, "x" * 10_000])


@st.composite
def forms(draw: st.DrawFn) -> tuple[str, dict[str, str], bytes, str]:
    """A path for transcripts, fields of which some are wrong, audio of which some bytes are others, and its type."""
    path = draw(st.sampled_from(["/v1/audio/transcriptions", "/v1/audio/translations"]))
    fields = {name: draw(st.sampled_from(known) | ODD_TEXT) for name, known in FIELDS.items() if draw(st.booleans())}
    if not draw(st.integers(0, 3)):
        fields[draw(st.text(min_size=1, max_size=6))] = draw(ODD_TEXT)
    raw = bytearray(AUDIO)
    for _ in range(draw(st.integers(0, 3))):
        at, length = draw(st.integers(0, 60)), draw(st.integers(0, 20))
        raw[at : at + length] = draw(st.binary(max_size=6) | st.sampled_from([b"ID3", b"OggS", b"fLaC", b"\xff\xfb"]))
    kind = draw(st.sampled_from(["audio/wav", "audio/mpeg", "video/webm", "text/plain", ""]))
    return path, fields, bytes(raw), kind


@pytest.fixture(scope="module")
def servers() -> Iterator[Stack]:
    with stack(retries=0, breaker_failures=0, header_timeout=0.3, body_timeout=0.3) as running:
        yield running


@pytest.fixture(scope="module")
def client(servers: Stack) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    with httpx.Client(base_url=servers.gateway, timeout=PATIENCE, headers=headers) as each:
        yield each


def is_no_fault(answer: httpx.Response) -> None:
    """An answer, or an error of the caller's; what the emulator refuses is the caller's too."""
    assert answer.status_code < 500, (answer.status_code, answer.text, answer.request.content)
    if answer.status_code >= 400:
        assert answer.json()["error"]["message"]


def check_json(client: httpx.Client, asked: tuple[str, bytes]) -> None:
    path, body = asked
    is_no_fault(client.post(path, content=body))


def check_form(client: httpx.Client, asked: tuple[str, dict[str, str], bytes, str]) -> None:
    path, fields, raw, kind = asked
    files = {"file": ("a.wav", raw, kind)}
    headers = {"authorization": f"Bearer {KEY}"}
    is_no_fault(
        client.send(httpx.Request("POST", client.base_url.join(path), data=fields, files=files, headers=headers))
    )


def check_bytes(servers: Stack, raw: bytes) -> None:
    """Sends `raw` and reads to the end: what comes is nothing, or HTTP without a fault of ours."""
    host, port = servers.gateway.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as peer:
        peer.sendall(raw)
        peer.shutdown(socket.SHUT_WR)
        seen = b""
        try:
            while piece := peer.recv(65_536):
                seen += piece
        except ConnectionResetError:
            pass
    assert not seen or seen.startswith(b"HTTP/1.1 ")
    assert b"HTTP/1.1 5" not in seen, seen


REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\ncontent-type: application/json\r\n"
    b"content-length: 2\r\n\r\n{}"
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """An HTTP request of which some bytes have become others, or no request at all."""
    raw = bytearray(REQUEST)
    for _ in range(draw(st.integers(0, 4))):
        at, length = draw(st.integers(0, len(raw))), draw(st.integers(0, 30))
        raw[at : at + length] = draw(
            st.binary(max_size=10) | st.sampled_from([b"\r\n", b"\r\n\r\n", b": ", b"\0", b"chunked"])
        )
    return bytes(raw) if draw(st.integers(0, 9)) else draw(st.binary(max_size=200))


@QUICK
@given(asked=mutated())
def test_no_json_is_a_fault(client: httpx.Client, asked: tuple[str, bytes]) -> None:
    check_json(client, asked)


@QUICK
@given(asked=broken())
def test_no_broken_json_is_a_fault(client: httpx.Client, asked: tuple[str, bytes]) -> None:
    check_json(client, asked)


@QUICK
@given(asked=forms())
def test_no_form_with_audio_is_a_fault(client: httpx.Client, asked: tuple[str, dict[str, str], bytes, str]) -> None:
    check_form(client, asked)


@QUICK
@given(raw=requests())
def test_no_bytes_are_a_fault(servers: Stack, raw: bytes) -> None:
    check_bytes(servers, raw)


@pytest.mark.soak
@LONG
@given(asked=mutated() | broken())
def test_no_json_is_a_fault_for_long(client: httpx.Client, asked: tuple[str, bytes]) -> None:
    check_json(client, asked)


@pytest.mark.soak
@LONG
@given(asked=forms())
def test_no_form_with_audio_is_a_fault_for_long(
    client: httpx.Client, asked: tuple[str, dict[str, str], bytes, str]
) -> None:
    check_form(client, asked)


@pytest.mark.soak
@LONG
@given(raw=requests())
def test_no_bytes_are_a_fault_for_long(servers: Stack, raw: bytes) -> None:
    check_bytes(servers, raw)
