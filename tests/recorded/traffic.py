"""The recorded exchanges, and a small reading of native answers that owes nothing to the product's."""

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

Json = dict[str, Any]

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "recorded"
BATCH = 120

# What cannot be taken for an answer of these methods, and why.
NOT_ANSWERS = {
    "Function_calling_config_REST.ipynb-1cbaa8d2.00": "a notebook's output, cut down to the content",
    "Function_calling_config_REST.ipynb-1cbaa8d2.01": "a notebook's output, cut down to the content",
    "batch_with_gemini_gemini-2_5-flash_answers_staged_chats_and_appends_the_answers_to_their_conversations.00": (
        "the operation of a batch"
    ),
    "tests-Fixtures-gemini-use-cache-with-structured-1": "a cached content",
    "tests-Fixtures-gemini-use-cache-with-text-1": "a cached content",
    "vertexai-unary-failure-invalid-location-url-not-found_html": "HTML in place of an answer",
    "vertexai-unary-failure-invalid-response_json": "JSON in place of an answer, made by hand",
}


@dataclass(frozen=True)
class Exchange:
    """One recorded call: `events` are the native answers, of which a buffered call has one."""

    name: str
    is_stream: bool
    status: int
    content_type: str
    body: Any
    sse: str | None

    @property
    def raw(self) -> bytes:
        """The body as it came; of a list, as Google sends it without `alt=sse`."""
        return self.sse.encode() if self.sse is not None else orjson.dumps(self.body)

    @functools.cached_property
    def events(self) -> list[Json]:
        """The native answers, read line by line; what is no JSON object is left out."""
        if self.sse is None:
            return self.body if isinstance(self.body, list) else [self.body] if self.body else []
        return [event for line in self.sse.splitlines() if line.startswith("data:") for event in _objects(line[5:])]


def _objects(text: str) -> list[Json]:
    try:
        return [orjson.loads(text)]
    except orjson.JSONDecodeError:
        return []


def _exchanges() -> Iterator[Exchange]:
    for path in sorted(FOLDER.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            record = orjson.loads(line)
            request, response = record["request"], record["response"]
            url = request["url"] or ""
            if "enerateContent" not in url or "/openai/" in url:
                continue
            yield Exchange(
                name=record["name"],
                is_stream="streamGenerateContent" in url,
                status=response["status"],
                content_type=(response["headers"] or {}).get("content-type", ""),
                body=response["body"],
                sse=response["sse"] if response["sse"] is not None else response.get("text"),
            )


@functools.cache
def exchanges() -> tuple[Exchange, ...]:
    """Every recorded `generateContent` and `streamGenerateContent`."""
    return tuple(_exchanges())


def chosen(kind: Callable[[Exchange], bool]) -> list[Exchange]:
    """Those of a kind that are answers."""
    return [exchange for exchange in exchanges() if exchange.name not in NOT_ANSWERS and kind(exchange)]


def each(kind: Callable[[Exchange], bool]) -> pytest.MarkDecorator:
    """Run a test over the exchanges of a kind, a batch at a time."""
    found = chosen(kind)
    batches = [found[at : at + BATCH] for at in range(0, len(found), BATCH)]
    return pytest.mark.parametrize("batch", batches, ids=[f"{batch[0].name}+{len(batch)}" for batch in batches])


def skip_when_absent() -> None:
    """Skip the module, once, where the recordings are not at hand."""
    if not FOLDER.is_dir():
        pytest.skip("the recorded traffic is not here (../shared/recorded)", allow_module_level=True)


def check(batch: Iterable[Exchange], prove: Callable[[Exchange], None]) -> None:
    """Prove something of every exchange, and name all those of which it is not true."""
    failures = []
    for exchange in batch:
        try:
            prove(exchange)
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  the exchange is to be named, whatever it is
            failures.append(f"{exchange.name}: {type(error).__name__}: {str(error)[:1500]}")
    if failures:
        pytest.fail(f"{len(failures)} exchanges\n" + "\n".join(failures), pytrace=False)


@dataclass
class Reading:
    """What the events say of one candidate."""

    text: str = ""
    thoughts: str = ""
    calls: list[tuple[str, Json, str | None, str | None]] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    others: list[Json] = field(default_factory=list)
    signature: str | None = None
    finish: str | None = None

    @property
    def is_empty(self) -> bool:
        """Nothing but thoughts."""
        return not (self.text or self.calls or self.images or self.others)


def read(events: Iterable[Json]) -> dict[int, Reading]:
    """The candidates of an answer or of a stream."""
    found: dict[int, Reading] = {}
    for event in events:
        for candidate in event.get("candidates", []):
            reading = found.setdefault(candidate.get("index", 0), Reading())
            reading.finish = candidate.get("finishReason", reading.finish)
            for part in candidate.get("content", {}).get("parts", []):
                _read_part(reading, part)
    return found


def _read_part(reading: Reading, part: Json) -> None:
    signature = part.get("thoughtSignature")
    match part:
        case {"text": text, "thought": True}:
            reading.thoughts += text
        case {"text": text}:
            reading.text += text
            reading.signature = signature or reading.signature
        case {"functionCall": call}:
            reading.calls.append((call["name"], call.get("args", {}), call.get("id"), signature))
        case {"inlineData": {"mimeType": str(kind), "data": data}} if kind.startswith("image/"):
            reading.images.append(f"data:{kind};base64,{data}")
        case _ if part:
            reading.others.append(part)


def last_usage(events: Iterable[Json]) -> Json:
    """The usage that counts: a stream's last."""
    return next((event["usageMetadata"] for event in reversed(list(events)) if "usageMetadata" in event), {})


def block_reason(events: Iterable[Json]) -> str | None:
    """Why the prompt was blocked, if it was; ratings alone do not block."""
    for event in events:
        feedback = event.get("promptFeedback", {})
        if feedback.keys() & {"blockReason", "blockReasonMessage"}:
            return str(feedback.get("blockReason", "BLOCK_REASON_UNSPECIFIED"))
    return None
