"""What the load sends and what Google answers: canned, and the same for every contestant."""

import base64
import math
from typing import Any

import orjson

MODEL = "gemini-2.5-flash"
EVENTS = 100
"""Of a stream."""

CHAT: dict[str, Any] = {
    "model": MODEL,
    "messages": [{"role": "system", "content": "s" * 300}, {"role": "user", "content": "u" * 300}],
    "temperature": 0.5,
}

_ANSWER: dict[str, Any] = {
    "candidates": [
        {"content": {"parts": [{"text": "Lorem " * 130}], "role": "model"}, "finishReason": "STOP", "index": 0}
    ],
    "usageMetadata": {"promptTokenCount": 120, "candidatesTokenCount": 150, "totalTokenCount": 270},
    "modelVersion": MODEL,
    "responseId": "benchmark",
}


def event(*, last: bool = False) -> bytes:
    """One event of a stream; the last one has the finish reason."""
    candidate: dict[str, Any] = {"content": {"parts": [{"text": "word "}], "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    return b"data: " + orjson.dumps({**_ANSWER, "candidates": [candidate]}) + b"\r\n\r\n"


def _unit(values: list[float]) -> list[float]:
    """As Google sends vectors of 3072 numbers: of length 1, in the digits of a float32."""
    length = math.hypot(*values)
    return [float(f"{value / length:.8g}") for value in values]


BUFFERED = orjson.dumps(_ANSWER)
STREAM = event() * (EVENTS - 1) + event(last=True)
_VECTOR = _unit([((number * 7919) % 2003 - 1001) / 29000 for number in range(3072)])
EMBEDDINGS = orjson.dumps({"embeddings": [{"values": _VECTOR}] * 100})
TOKENS = orjson.dumps({"totalTokens": 500})


def chat_request(**changes: Any) -> bytes:
    """The plain request, of 700 bytes."""
    return orjson.dumps(CHAT | changes)


def response_request(**changes: Any) -> bytes:
    """The same for the Responses API, which keeps nothing of it."""
    return orjson.dumps({"model": MODEL, "input": CHAT["messages"], "store": False} | changes)


def codex_request() -> bytes:
    """As Codex asks: 40 tools of 1 KB in a stream, and reasoning whose content comes back encrypted."""
    fields = {f"field_{n}": {"type": "string", "description": "What this is for, in a few words."} for n in range(9)}
    parameters = {"type": "object", "properties": fields, "required": ["field_0"], "additionalProperties": False}
    tools = [
        {"type": "function", "name": f"tool_{n}", "description": "Does a thing. " * 12, "strict": False,
         "parameters": parameters}
        for n in range(40)
    ]  # fmt: skip
    asked = {"tools": tools, "tool_choice": "auto", "parallel_tool_calls": True, "reasoning": {"summary": "auto"}}
    return response_request(stream=True, include=["reasoning.encrypted_content"], prompt_cache_key="x", **asked)


def tools_request() -> bytes:
    """20 tools, whose schemas are 20 KB together, one of which holds references."""
    fields = {
        f"field_{n}": {"type": "string", "description": f"What the field number {n} of this tool is for, in words."}
        for n in range(9)
    }
    place = {"type": "object", "properties": {"city": {"type": "string"}, "floor": {"type": "integer"}}}
    tools = [
        {
            "type": "function",
            "function": {
                "name": f"tool_{n}",
                "description": "Does one thing.",
                "parameters": {
                    "type": "object",
                    "properties": {**fields, "place": {"$ref": "#/$defs/Place"}},
                    "required": ["field_0"],
                    "$defs": {"Place": place},
                },
            },
        }
        for n in range(20)
    ]
    return chat_request(tools=tools)


def history_request() -> bytes:
    """200 messages."""
    turns = [{"role": ("user", "assistant")[n % 2], "content": f"message number {n} " * 8} for n in range(199)]
    return chat_request(messages=[CHAT["messages"][0], *turns])


def image_request() -> bytes:
    """An image of 5 MB in the request."""
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20_480
    url = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    return chat_request(messages=[{"role": "user", "content": content}])


def embeddings_request(encoding: str) -> bytes:
    """100 texts."""
    texts = [f"text number {n}" for n in range(100)]
    return orjson.dumps({"model": "gemini-embedding-001", "input": texts, "encoding_format": encoding})
