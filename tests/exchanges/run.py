"""Runs golden exchanges through the gateway itself, on real sockets, before a Google that answers what a file holds."""

import base64
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from tests.exchanges.exchange import Exchange, Json, Placeholders, compared_headers
from tests.support.server import serve
from tests.support.stack import gateway

from gemgate.api.batches.input_sessions import TranslateSession
from gemgate.api.batches.line_translation import LineJob
from gemgate.api.batches.result_session import ResultSession
from gemgate.api.batches.worker_process import Setup
from gemgate.emulator.validation import Violation, violations

LINE_CREATED = 1_700_000_000
"""When the batch of a line was made, in unix seconds."""

MESSAGES = {
    "generateContent": "GenerateContentRequest",
    "streamGenerateContent": "GenerateContentRequest",
    "batchEmbedContents": "BatchEmbedContentsRequest",
    "countTokens": "CountTokensRequest",
}
"""The message of Google's schema for the request of each method."""

_UNEXPECTED = {"error": {"code": 418, "message": "The exchange has no answer for this call.", "status": "UNKNOWN"}}


@dataclass
class ScriptedGoogle:
    """Answers calls as an exchange says, and remembers what it was asked.

    A call gets the answer of the first entry that asks for just this, and else of the first one that is left: so calls
    that are made at once may come in any order.
    """

    calls: list[Json] = field(default_factory=list)
    asked: list[Json | None] = field(default_factory=list)
    unexpected: list[Json] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)

    def expect(self, calls: list[Json]) -> None:
        """From now on, these calls; what was asked before is forgotten."""
        self.calls, self.asked, self.unexpected, self.keys = calls, [None] * len(calls), [], []

    def requests(self) -> list[Json]:
        """What was asked, each call in its entry's place."""
        return [request for request in self.asked if request is not None] + self.unexpected

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application that a gateway has for its upstream."""
        if scope["type"] == "lifespan":
            return
        await (await self._answer(Request(scope, receive)))(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        asked: Json = {"method": request.method, "path": request.url.path + query}
        if body := await request.body():
            asked["body"] = orjson.loads(body)
        self.keys.append(request.headers.get("x-goog-api-key"))
        left = [at for at, known in enumerate(self.asked) if known is None]
        if not left:
            self.unexpected.append(asked)
            return _response({"status": 418, "body": _UNEXPECTED})
        same = [at for at in left if self.calls[at].get("request") == asked]
        at = (same or left)[0]
        self.asked[at] = asked
        return _response(self.calls[at]["response"])


def _response(answer: Json) -> Response:
    if "events" in answer:
        frames = b"".join(b"data: " + orjson.dumps(event) + b"\r\n\r\n" for event in answer["events"])
        return Response(frames, answer["status"], media_type="text/event-stream")
    body = orjson.dumps(answer["body"])
    return Response(body, answer["status"], headers={"content-type": "application/json; charset=UTF-8"})


@dataclass(frozen=True)
class Runner:
    """A client of a running gateway, and the Google behind it; `keys` numbers the keys of the callers."""

    client: httpx.Client
    google: ScriptedGoogle
    keys: Iterator[int] = field(default_factory=count)

    def run(self, exchange: Exchange) -> Json:
        """The exchange as it took place.

        Raises:
            AssertionError: a call to Google carries another key than the caller's.
        """
        if exchange.is_line:
            return run_line(exchange)
        asked = exchange.data["openai_request"]
        self.google.expect(exchange.native)
        # A key of its own: a used-up quota, or a list of models that is kept, is that of one key.
        key = f"golden-{next(self.keys)}"
        headers = {"authorization": f"Bearer {key}", **asked.get("headers", {})}
        body = orjson.dumps(asked["body"]) if "body" in asked else None
        if body is not None:
            headers["content-type"] = "application/json"
        started = time.time()
        sent = _form(asked["form"]) if "form" in asked else {"content": body}
        answer = self.client.request(asked["method"], asked["path"], headers=headers, **sent)
        read = Placeholders(started, time.time(), has_random_ids=exchange.has_random_ids).put_into(_read(answer))
        assert set(self.google.keys) <= {key}
        return {**exchange.data, "native": self._native(exchange), "openai_response": read}

    def _native(self, exchange: Exchange) -> list[Json]:
        answers = [call["response"] for call in exchange.native]
        requests = self.google.requests()
        answers += [None] * (len(requests) - len(answers))
        return [{"request": request, "response": given} for request, given in zip(requests, answers, strict=False)]


@contextmanager
def runner() -> Iterator[Runner]:
    """A gateway with its defaults, before a Google that waits for an exchange. It repeats failed calls at once."""
    google = ScriptedGoogle()
    with (
        serve(google) as upstream,
        gateway(upstream, retry_max_wait=0) as origin,
        httpx.Client(base_url=origin, timeout=30) as client,
    ):
        yield Runner(client, google)


def _form(fields: Json) -> Json:
    file = fields["file"]
    held = file["name"], base64.b64decode(file["data"]), file["type"]
    return {"data": {name: value for name, value in fields.items() if name != "file"}, "files": {"file": held}}


def _read(answer: httpx.Response) -> Json:
    headers = compared_headers(answer.headers)
    kind, whole = headers["content-type"], {"status": answer.status_code, "headers": headers}
    if kind.startswith("text/plain"):
        return {**whole, "text": answer.text}
    if kind.startswith("audio/"):
        return {**whole, "data": base64.b64encode(answer.content).decode()}
    if not kind.startswith("text/event-stream"):
        return {**whole, "body": orjson.loads(answer.content)}
    frames = answer.text.removesuffix("\n\n").split("\n\n")
    named = [frame.rpartition("\n") for frame in frames]
    assert all(data.startswith("data: ") and "\n" not in name for name, _, data in named)
    events = [data.removeprefix("data: ") for _, _, data in named]
    read: list[Any] = [event if event == "[DONE]" else orjson.loads(event) for event in events]
    assert all(not name or name == f"event: {event['type']}" for (name, _, _), event in zip(named, read, strict=True))
    return {**whole, "events": read}


def run_line(exchange: Exchange) -> Json:
    """A line of a batch as it goes to Google, and its result as it comes back, by the code of the batch worker."""
    line = exchange.data["openai_request"]["line"]
    job = LineJob("batch_golden", line["url"], created=LINE_CREATED)
    translators = Setup({}).translators()
    raw = orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
    with closing(TranslateSession(job, translators)) as session:
        lines = (session.feed(raw).native + session.finish().native).splitlines()
    with closing(ResultSession(job, translators, requests=len(lines))) as session:
        session.feed_input(raw)
        for call in exchange.native:
            session.feed_results(orjson.dumps(call["response"]["line"], option=orjson.OPT_APPEND_NEWLINE))
        session.end_of_input()
        answer = session.write().output or session.errors()
    native = [
        {"request": {"line": orjson.loads(asked)}, "response": call["response"]}
        for asked, call in zip(lines, exchange.native, strict=True)
    ]
    read = Placeholders(LINE_CREATED, LINE_CREATED).put_into(orjson.loads(answer))
    return {**exchange.data, "native": native, "openai_response": {"line": read}}


def schema_violations(call: Json) -> list[Violation]:
    """What Google's schema has against a native request."""
    request = call["request"]
    if "line" in request:
        body = request["line"]["request"]
        return violations("EmbedContentRequest" if "content" in body else "GenerateContentRequest", body)
    if "body" not in request or request["path"].endswith("/decisions"):  # Google's schema has no decisions
        return []
    return violations(MESSAGES[request["path"].partition("?")[0].rpartition(":")[2]], request["body"])
