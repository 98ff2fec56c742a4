"""The loads: what is sent, how often, and what one unit of work is."""

from dataclasses import dataclass, field

from benchmarks.contestants import NATIVE, Contestant
from benchmarks.exchanges import (
    EVENTS,
    MODEL,
    chat_request,
    embeddings_request,
    history_request,
    image_request,
    tools_request,
)
from benchmarks.load import Target

PACED = "gemini-paced"
HELD = "gemini-held"
_DONE = b"data: [DONE]"


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of load.

    Attributes:
        number: Of the row, and a letter.
        name: As the table has it.
        unit: What CPU time is given for.
        path: Of the OpenAI API.
        body: The request.
        model: Of the native request that a floor passes on.
        method: Of the same.
        connections: At once.
        seconds: How long one run lasts; 0: one request each.
        units: Units in one answer.
        is_stream: Whether the answer ends with `[DONE]`.
        has_gaps: Whether its pieces come in time.
        has_memory: Whether the peak of memory is worth a look.
    """

    number: str
    name: str
    unit: str
    body: bytes = field(repr=False)
    path: str = "/v1/chat/completions"
    model: str = MODEL
    method: str = "generateContent"
    connections: int = 32
    seconds: float = 1.5
    units: int = 1
    is_stream: bool = False
    has_gaps: bool = False
    has_memory: bool = False

    def target(self, contestant: Contestant, port: int, upstream: int) -> Target:
        """The row's request, for one contestant."""
        native = NATIVE.format(model=self.model, method=self.method)
        path = native if contestant.is_native else contestant.base_path + self.path
        ending = _DONE if self.is_stream and contestant.ends_streams else b""
        url, body = f"http://127.0.0.1:{port}{path}", contestant.body(self.body)
        return Target(url, contestant.headers(upstream), body, ending, has_gaps=self.has_gaps)


_SSE = "streamGenerateContent?alt=sse"
_EMBED = {
    "path": "/v1/embeddings",
    "model": "gemini-embedding-001",
    "method": "batchEmbedContents",
    "connections": 4,
    "unit": "call",
}

ROWS = (
    Row("1", "buffered chat", "request", chat_request()),
    Row("2", "burst stream, 100 events", "stream", chat_request(stream=True), method=_SSE, is_stream=True),
    Row(
        *("3", "paced stream, 60 x 100 events", "event", chat_request(model=PACED, stream=True)),
        model=PACED,
        method=_SSE,
        connections=60,
        seconds=0,
        units=EVENTS,
        is_stream=True,
        has_gaps=True,
    ),
    Row("4a", "chat, 20 tools of 20 KB", "request", tools_request()),
    Row("4b", "chat, 200 messages", "request", history_request()),
    Row("4c", "chat, an image of 5 MB", "request", image_request(), connections=4, has_memory=True),
    Row("5a", "embeddings 100 x 3072, base64", body=embeddings_request("base64"), **_EMBED),  # type: ignore[arg-type]
    Row("5b", "embeddings 100 x 3072, float", body=embeddings_request("float"), **_EMBED),  # type: ignore[arg-type]
)

HELD_ROW = Row(
    *("6", "open streams", "stream", chat_request(model=HELD, stream=True)),
    model=HELD,
    method=_SSE,
    is_stream=True,
)
