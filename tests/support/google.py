"""Google in tests: a handler of a mocked transport that answers what a test says."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
import orjson

Json = dict[str, Any]
Answer = httpx.Response | Exception | Mapping[str, Any] | Callable[[httpx.Request], "Answer | Awaitable[Answer]"]

_TYPE = "type.googleapis.com/google.rpc."


def failure(status: int, message: str = "no", *details: Json, reason: str = "X") -> httpx.Response:
    """A refusal in Google's shape."""
    error = {"code": status, "message": message, "status": reason, "details": list(details)}
    return httpx.Response(status, json={"error": error})


def detail(kind: str, **fields: Any) -> Json:
    """A detail of an error, such as `detail("ErrorInfo", reason="SERVICE_DISABLED")`."""
    return {"@type": _TYPE + kind, **fields}


def quota(
    delay: str | None = "48s",
    quota_id: str = "GenerateRequestsPerMinutePerProjectPerModel",
    *,
    message: str = "You exceeded your current quota.",
    limit: str = "10",
) -> httpx.Response:
    """A 429 that says to come back after `delay`."""
    details = [detail("QuotaFailure", violations=[{"quotaId": quota_id, "quotaValue": limit}])] if quota_id else []
    if delay is not None:
        details.append(detail("RetryInfo", retryDelay=delay))
    return failure(429, message, *details, reason="RESOURCE_EXHAUSTED")


def daily() -> httpx.Response:
    """A 429 for the rest of the day; Google's delay means nothing."""
    return quota("2s", "GenerateRequestsPerDayPerProjectPerModel-FreeTier")


def overloaded() -> httpx.Response:
    """The commonest 503."""
    return failure(503, "The model is overloaded. Please try again later.", reason="UNAVAILABLE")


def bad_key() -> httpx.Response:
    """The answer to a wrong key."""
    info = detail("ErrorInfo", reason="API_KEY_INVALID", domain="googleapis.com")
    return failure(400, "API key not valid. Please pass a valid API key.", info, reason="INVALID_ARGUMENT")


def sse(*events: Any) -> httpx.Response:
    """A stream of these events."""
    content = b"".join(b"data: " + orjson.dumps(event) + b"\r\n\r\n" for event in events)
    return httpx.Response(200, content=content, headers={"content-type": "text/event-stream"})


def streams(request: httpx.Request) -> bool:
    """Whether a call asks for server-sent events."""
    return bool(request.url.params.get("alt") == "sse")


def json_for(request: httpx.Request, value: Any) -> httpx.Response:
    """`value` as the answer to a call: as JSON, or as the one event of a stream."""
    return sse(value) if streams(request) else httpx.Response(200, json=value)


class FakeGoogle:
    """Answers each call with the next of `answers`, and with the last one from then on; remembers all calls.

    An answer is a response; or JSON, which a call that streams gets as its one event; or an error to raise, such as
    `httpx.ReadError`; or a function of the request that returns, or awaits, one of these.

    Args:
        answers: See above.
        by_model: Answers for calls to these models, such as `gemini-2.5-flash`, which go before `answers`.

    Attributes:
        by_key: Answers for calls with these keys, which go before all others.
        requests: All calls; their bodies are read.
        gate: If it is an event, answers are held back until it is set.
        arrived: Set by the first call.
        cancelled: How many calls were broken off.
        max_at_once: The most calls that ran at the same time.
        keeps_requests: Whether all calls are remembered, or the latest alone.
    """

    def __init__(self, *answers: Answer, by_model: Mapping[str, Answer | list[Answer]] | None = None) -> None:
        self.answers = list(answers)
        self.by_model = {name: _listed(answer) for name, answer in (by_model or {}).items()}
        self.by_key: dict[str, list[Answer]] = {}
        self.requests: list[httpx.Request] = []
        self.gate: asyncio.Event | None = None
        self.arrived = asyncio.Event()
        self.cancelled = 0
        self.max_at_once = 0
        self.keeps_requests = True
        self._running = 0

    @property
    def last(self) -> httpx.Request:
        """The latest call."""
        return self.requests[-1]

    @property
    def keys(self) -> list[str]:
        """The keys of all calls."""
        return [request.headers["x-goog-api-key"] for request in self.requests]

    @property
    def models(self) -> list[str]:
        """The models of all calls."""
        return [_model(request) for request in self.requests]

    @property
    def methods(self) -> list[str]:
        """The methods of all calls, such as `generateContent`."""
        return [request.url.path.partition(":")[2] for request in self.requests]

    @property
    def paths(self) -> list[str]:
        """The paths of all calls, with their queries."""
        return [request.url.raw_path.decode() for request in self.requests]

    @property
    def bodies(self) -> list[Any]:
        """The JSON of all calls; None where there was no body."""
        return [orjson.loads(request.content) if request.content else None for request in self.requests]

    @property
    def calls(self) -> list[tuple[str, Any]]:
        """The path below `/v1beta/` and the JSON of each call."""
        paths = [request.url.path.removeprefix("/v1beta/") for request in self.requests]
        return list(zip(paths, self.bodies, strict=True))

    @property
    def raw_bodies(self) -> list[bytes]:
        """The bodies of all calls as they were sent."""
        return [request.content for request in self.requests]

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        if not self.keeps_requests:
            self.requests.clear()
        self.requests.append(request)
        self.arrived.set()
        self._running += 1
        self.max_at_once = max(self.max_at_once, self._running)
        try:
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(0)
            return await _response(self._next(request), request)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self._running -= 1

    def _next(self, request: httpx.Request) -> Answer:
        answers = self.by_key.get(request.headers.get("x-goog-api-key", ""))
        answers = answers or self.by_model.get(_model(request)) or self.answers
        assert answers, f"nobody said what {request.method} {request.url} is answered"
        return answers.pop(0) if len(answers) > 1 else answers[0]


def _listed(answer: Answer | list[Answer]) -> list[Answer]:
    return answer if isinstance(answer, list) else [answer]


def _model(request: httpx.Request) -> str:
    return request.url.path.rpartition("/models/")[2].partition(":")[0]


async def _response(answer: Any, request: httpx.Request) -> httpx.Response:
    """What an answer comes to; a response that is given more than once is copied, because clients read it up."""
    if callable(answer):
        answer = answer(request)
        if inspect.isawaitable(answer):
            answer = await answer
        if isinstance(answer, httpx.Response):
            return answer
    if isinstance(answer, Exception):
        raise answer
    if isinstance(answer, httpx.Response):
        return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)
    return json_for(request, answer)
