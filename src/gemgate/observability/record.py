"""What is known of one request: each layer notes what it learns here; metrics, log and trace report it at the end.

    record = current()
    record.asks("chat", "google/gemini-2.5-flash")

Outside a request (a batch, a test of one function) `current()` is a record that keeps nothing.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Literal, NamedTuple, Protocol

from gemgate.gemini.resource_names import without_prefixes
from gemgate.gemini.types import UsageMetadata
from gemgate.gemini.usage import Counts, counts, total
from gemgate.observability.pricing import cost_of, searches_cost
from gemgate.redaction import HIDDEN

Operation = Literal[
    "chat", "text_completion", "responses", "embeddings", "image_generation", "image_edit", "image_variation", "speech",
    "transcription", "translation", "moderation", "decision",
]  # fmt: skip

UNMATCHED = "unmatched"
"""The route of a request for a path that there is not."""


class ParameterNotes(Protocol):
    """What was dropped and adjusted: `gemgate.translation.notes.Notes`."""

    dropped: list[str]
    adjusted: list[str]

    def adjust(self, change: str) -> None:
        """Note a change."""
        ...


class AnswerSummary(NamedTuple):
    """Model version, token usage, id and finish reasons of one answer.

    Attributes:
        served: The `modelVersion` that answered.
        usage: The tokens of all calls.
        response_id: The id that the caller got.
        finish_reasons: Why each choice ended, in OpenAI's words.
        searches: Queries that the web was searched for.
        changes: What was changed in the answer, where its head could not say so any more.
    """

    served: str | None
    usage: UsageMetadata
    response_id: str | None = None
    finish_reasons: Sequence[str] = ()
    searches: int = 0
    changes: Sequence[str] = ()


class Spans(Protocol):
    """The spans of one request: `gemgate.observability.tracing.Trace`."""

    @property
    def trace_id(self) -> str | None:
        """Of the trace, if it is sampled."""

    def asks(self, record: "Record") -> None:
        """A model is about to be asked."""

    def headers(self) -> dict[str, str]:
        """What carries the trace on."""

    def ended(self, record: "Record") -> None:
        """The request has ended."""


class Record:
    """One request. What only some requests have is None or empty on the others. Times are of `time.perf_counter`.

    Attributes:
        request_id: What `x-request-id` says.
        method: The HTTP method.
        path: The path that was asked for.
        route: The template of the path, such as `/v1/batches/{batch_id:path}`.
        status: The HTTP status; 499 when the caller went before the end.
        outcome: How it ended: `completed`, `refused` (a 4xx), `failed` (a 5xx, or an error in mid-stream),
            `client_gone`, or `shutdown`.
        is_stream: Whether events are sent.
        has_begun: Whether the head of the answer is sent.
        began: The start.
        first_event: When the first event was sent; comments that keep a stream alive are none.
        last_event: When the last one was.
        longest_gap: The longest time between two of them, in seconds.
        ended: The end.
        operation: What was asked for, where a model was asked.
        asked: The model as the caller named it.
        model: The model that was called, without `models/`.
        served: The `modelVersion` that answered.
        has_answer: Whether Google answered, well enough to believe that the model exists.
        caller: The name of the caller's key; never the key.
        gemini_key: The label of the gateway's key with which Google was called last; empty for a caller's own.
        retries: Calls to Google that were made again.
        error: The `code`, or else the `type`, of the error that the caller got.
        notes: What was dropped and adjusted.
        counts: Tokens; None when Google reported none.
        cost: US dollars; None when not known.
        identify: Hashes what the log may only have hashed; None where it has none of it.
        address: The hash of the caller's address, where the log has it.
        end_user: The hash of OpenAI's `safety_identifier`, or else its `user`, where the log has it.
        extra_cost: US dollars for what is not paid by tokens.
        searches: Queries that the web was searched for.
        response_id: The id that the answer has.
        finish_reasons: Why each choice ended, in OpenAI's words.
        headers: Those of the request, once its caller is asked for; the key that they present is in no line of the log.
        outlives_answer: Whether the work for it goes on when its answer has been sent.
        request: The parsed request, for its parameters, until a model is asked: an answer may take long.
        trace: The spans, where requests are traced.
    """

    __slots__ = (
        "_summary",
        "_usages",
        "address",
        "asked",
        "began",
        "caller",
        "cost",
        "counts",
        "end_user",
        "ended",
        "error",
        "extra_cost",
        "finish_reasons",
        "first_event",
        "gemini_key",
        "has_answer",
        "has_begun",
        "headers",
        "identify",
        "is_stream",
        "last_event",
        "longest_gap",
        "method",
        "model",
        "notes",
        "operation",
        "outcome",
        "outlives_answer",
        "path",
        "request",
        "request_id",
        "response_id",
        "retries",
        "route",
        "searches",
        "served",
        "status",
        "trace",
    )

    def __init__(self, request_id: str = "", method: str = "", path: str = "") -> None:
        self.request_id = request_id
        self.method = method
        self.path = path
        self.route = UNMATCHED
        self.status = 0
        self.outcome = ""
        self.outlives_answer = False
        self.is_stream = False
        self.has_begun = False
        self.began = time.perf_counter()
        self.first_event = 0.0
        self.last_event = 0.0
        self.longest_gap = 0.0
        self.ended = 0.0
        self.operation: Operation | None = None
        self.asked: str | None = None
        self.model: str | None = None
        self.served: str | None = None
        self.has_answer = False
        self.caller: str | None = None
        self.gemini_key = ""
        self.retries = 0
        self.error: str | None = None
        self.notes: ParameterNotes | None = None
        self.counts: Counts | None = None
        self.cost: float | None = None
        self.extra_cost = 0.0
        self.searches = 0
        self.identify: Callable[[str], str] | None = None
        self.address = ""
        self.end_user = ""
        self.response_id: str | None = None
        self.finish_reasons: Sequence[str] = ()
        self.headers: Mapping[str, str] | None = None
        self.request: object = None
        self.trace: Spans | None = None
        self._summary: Callable[[], AnswerSummary] | None = None
        self._usages: list[UsageMetadata] = []

    def asks(self, operation: Operation, model: str, request: object = None) -> None:
        """The caller wants something of `model`: with the parameters that `request` has."""
        self.operation = operation
        self.asked = model
        self.model = without_prefixes(model).removeprefix("models/") if "/" in model else model
        self.request = request
        if self.identify is not None and (user := _end_user(request)):
            self.end_user = self.identify(user)

    def uses(self, model: str, notes: ParameterNotes, *, is_asked: bool = True) -> None:
        """The request goes to `model`, which may be another than the one that was asked for.

        Args:
            model: Its name; it may begin with `models/`.
            notes: What was dropped and adjusted for it.
            is_asked: Whether it is asked indeed, and not in a dry run.
        """
        self.model = model.removeprefix("models/")
        self.notes = notes
        if is_asked:
            if self.trace is not None:
                self.trace.asks(self)
            self.request = None

    def answered(self, served: str | None, usage: UsageMetadata | None) -> None:
        """A call was answered: by this `modelVersion`, for these tokens."""
        self.has_answer = True
        self.served = self.served or served
        if usage:
            self._usages.append(usage)

    def pays(self, dollars: float) -> None:
        """The request has cost so much beside its tokens."""
        self.extra_cost += dollars

    def searched(self, queries: int) -> None:
        """The web was searched for so many queries."""
        self.searches += queries

    def on_finish(self, summary: Callable[[], AnswerSummary]) -> None:
        """When the request has ended, ask `summary` which model answered, and for how many tokens."""
        self._summary = summary

    def used_tokens(self) -> int:
        """The tokens of prompts and answers, thoughts included, as far as Google has reported them by now."""
        summary = self._summary()[1] if self._summary is not None else {}
        found = counts(total((*self._usages, summary)))
        return found.prompt + found.tool_use + found.candidates + found.thoughts

    def dollars(self, estimate: Counts) -> float:
        """What the request has cost by now; 0 where the price is not known.

        Args:
            estimate: The tokens that count if a model was asked and Google has reported none.
        """
        if self.model is None or not (self._usages or self._summary is not None or self.gemini_key):
            return self.extra_cost
        summary = self._summary() if self._summary is not None else _NOTHING
        usage, served = total((*self._usages, summary.usage)), self.served or summary.served
        searches = self.searches + summary.searches
        extra = self.extra_cost + (searches_cost(served or self.model, searches) if searches else 0.0)
        found = counts(usage)
        if not (found.prompt or found.candidates):
            if not self.gemini_key or self.error is not None:
                return extra
            found = estimate
        return (cost_of(self.model, self.served, found, usage) or 0.0) + extra

    def hide_presented(self, text: str) -> str:
        """`text` without what the request presents as its key, which may look like anything.

        A name that Google has answered to is a model's.
        """
        if self.headers is None or self.has_answer:
            return text
        for name in _CREDENTIALS:
            for word in self.headers.get(name, "").split():
                if len(word) >= _SHORTEST_KEY:
                    text = text.replace(word, HIDDEN)
        return text

    def settle(self, *, priced: bool = True) -> None:
        """The request has ended: evaluate what Google reported."""
        self.ended = time.perf_counter()
        if self._summary is not None:
            summary = self._summary()
            self._summary = None  # it holds the answer; timers that were cancelled hold the record for a while
            if summary.served or summary.usage:
                self.answered(summary.served, summary.usage)
            self.response_id, self.finish_reasons = summary.response_id, summary.finish_reasons
            self.searches += summary.searches
            if self.notes is not None:
                for change in summary.changes:
                    self.notes.adjust(change)
        if self.searches:
            self.extra_cost += searches_cost(self.served or self.model or "", self.searches)
        if self.extra_cost and priced:
            self.cost = self.extra_cost
        if self.model is None or not self._usages:
            return
        usage = self._usages[0] if len(self._usages) == 1 else total(self._usages)
        self.counts = counts(usage)
        if priced:
            cost = cost_of(self.model, self.served, self.counts, usage)
            self.cost = self.cost if cost is None else cost + self.extra_cost


class EndedRequest(NamedTuple):
    """What is kept of a request once it has ended, where somebody may look at it.

    Attributes:
        at: When it ended, in Unix seconds.
        request_id: What `x-request-id` says.
        is_stream: Whether events were sent.
        fields: Those of its line of the log, in which secrets are not hidden yet.
        bodies: Both bodies, where they are logged.
    """

    at: float
    request_id: str
    is_stream: bool
    fields: Mapping[str, object]
    bodies: Mapping[str, object] | None


_NOTHING = AnswerSummary(None, {})


def _end_user(request: object) -> str:
    names = ("safety_identifier", "user")
    return next((value for name in names if isinstance(value := getattr(request, name, None), str) and value), "")


_CREDENTIALS = ("authorization", "x-goog-api-key", "api-key")
_SHORTEST_KEY = 8  # shorter ones are words, "Bearer" among them


class _Unread(Record):
    """The record where no request is served: what is noted in it is forgotten at once."""

    __slots__ = ("_is_made",)

    def __init__(self) -> None:
        super().__init__()
        self._is_made = True

    def __setattr__(self, name: str, value: object) -> None:
        if not hasattr(self, "_is_made"):
            super().__setattr__(name, value)

    def answered(self, served: str | None, usage: UsageMetadata | None) -> None:
        """Nothing is kept."""


current_record: ContextVar[Record] = ContextVar("gemgate_record", default=_Unread())  # noqa: B039  it keeps nothing
"""Holds the record of a request while it is served, in the tasks that are started from there too."""

current = current_record.get
"""The record of the request that is being served."""


def request_id() -> str | None:
    """The id of the request that is being served, if one is."""
    return current().request_id or None


def current_caller() -> str:
    """The name of the key of the caller that is being served; empty outside a request, or before it is known."""
    return current().caller or ""
