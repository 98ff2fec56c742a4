"""The metrics. Label values are bounded, so that callers cannot grow the number of time series.

A label holds a route's template, a known model, a parameter of the tables of fates, a name that the operator gave, or a
word of a fixed list; everything else is `other`. docs/monitoring.md describes each metric.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from gemgate import __version__
from gemgate.gemini.errors import Failure, GeminiError, TransportError
from gemgate.gemini.usage import Counts
from gemgate.observability.record import Record, current
from gemgate.upstream.cooldowns import Cooldown
from gemgate.upstream.observer import Observer

GaugeMode = Literal["livesum", "livemax", "livemin", "mostrecent", "max"]

OTHER = "other"
NO_MODEL = ""
NO_CODE = "none"
MAX_MODELS = 200

_BATCH_STATUSES = (
    "validating", "in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled",
)  # fmt: skip
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

# Sources: https://cloud.google.com/apis/design/errors#handling_errors, and the ways in which no answer comes.
_STATUSES = frozenset(
    {
        "ABORTED", "ALREADY_EXISTS", "CANCELLED", "DATA_LOSS", "DEADLINE_EXCEEDED", "FAILED_PRECONDITION", "INTERNAL",
        "INVALID_ARGUMENT", "NOT_FOUND", "OUT_OF_RANGE", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "UNAUTHENTICATED",
        "UNAVAILABLE", "UNIMPLEMENTED", "UNKNOWN", *Failure,
    }
)  # fmt: skip

# Seconds. An answer takes from a fifth of a second to minutes, when the model thinks.
_DURATIONS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600)
_FIRST_EVENTS = (0.1, 0.25, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 20, 30, 60, 120)
_PER_TOKEN = (0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5)
_LAGS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_GAPS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)

_REASONS = frozenset({*Failure, "empty", "malformed_function_call"})
_HTTP_STATUS = re.compile(r"[45]\d\d")
_NAME = re.compile(r"[a-z_]+")

disable_created_metrics()  # type: ignore[no-untyped-call]


Add = Callable[[float], None]
"""Adds to what is counted."""


class Metrics(Observer):
    """The metrics of one application, and the functions that count.

    `gemgate.api.metrics_endpoint` shows them, those of all workers together where there are several.

    Attributes:
        registry: Where they are registered.
        in_progress: Adds to the requests that are being served; `ended` takes one away.
        open_streams: Adds to the streams that are being sent; `ended` takes a stream away.
        loop_lag: Takes how late the event loop is, in seconds.
        batches_until: For how long the count of the batches is good, by the monotonic clock.
    """

    def __init__(self, params: Iterable[str] = (), max_models: int = MAX_MODELS) -> None:
        """`params` are the names of parameters that may be labels."""
        self.registry = CollectorRegistry()
        self._params = frozenset(params)
        self.batches_until = 0.0
        self._resting: dict[tuple[str, str, str], set[str]] = {}
        self._models: dict[str, str] = {}
        self._max_models = max_models
        self._define_requests()
        self._define_upstream()
        self._requests_of = lru_cache(maxsize=None)(self._find_requests)
        self._times_of = lru_cache(maxsize=None)(self._find_times)
        self._tokens_of = lru_cache(maxsize=None)(self._find_tokens)
        self._calls_of = lru_cache(maxsize=None)(lambda *labels: _adding(self._calls.labels(*labels)))
        self._cost_of = lru_cache(maxsize=None)(lambda *labels: _adding(self._cost.labels(*labels)))
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"gemgate_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, mode: GaugeMode, *labels: str) -> Gauge:
        """`mode` says how the values of several workers become one."""
        return Gauge(f"gemgate_{name}", text, labels, multiprocess_mode=mode, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(f"gemgate_{name}", text, ["route", "model"], buckets=buckets, registry=self.registry)

    def _define_requests(self) -> None:
        counter, gauge, histogram = self._counter, self._gauge, self._histogram
        text = "Requests that have ended."
        self._requests = counter("requests", text, "method", "route", "model", "status", "caller")
        text = "From a request's beginning to the last byte of its answer."
        self._duration = histogram("request_duration_seconds", text, _DURATIONS)
        text = "From a request's beginning to the first event of its stream."
        self._first = histogram("time_to_first_token_seconds", text, _FIRST_EVENTS)
        text = "Of one stream, the mean time between two tokens after the first event."
        self._per_token = histogram("time_per_output_token_seconds", text, _PER_TOKEN)
        text = "Of one stream, the longest time between two events."
        self._gap = histogram("stream_longest_gap_seconds", text, _GAPS)
        self._streams = counter("streams", "Streams that have ended, and how.", "route", "model", "outcome")
        self.in_progress = _adding(gauge("requests_in_progress", "Requests being served.", "livesum"))
        self.open_streams = _adding(gauge("open_streams", "Streams being sent.", "livesum"))
        text = "Tokens by kind: prompt (without cached), cached, completion (without thoughts), thoughts."
        self._tokens = counter("tokens", text, "model", "caller", "kind")
        text = "Cost of tokens, images of Imagen and web searches, in US dollars."
        self._cost = counter("cost_usd", text, "model", "caller")
        text = "Queries that Google has searched the web for, which are paid apart from tokens."
        self._searches = counter("web_searches", text, "model", "caller")
        self._unpriced = counter("unpriced_requests", "Requests with tokens whose cost is not known.", "model")
        self._dropped = counter("dropped_params", "Parameters that Gemini did not get.", "param")
        self._adjusted = counter("adjusted_params", "Parameters that reached Gemini changed.", "param")

    def _define_upstream(self) -> None:
        counter, gauge = self._counter, self._gauge
        text = "Calls to Google, by the gateway's key; an empty key is a caller's own."
        self._calls = counter("upstream_calls", text, "model", "key")
        text = "Calls to Google that failed, by HTTP status and by Google's status, or by what happened on the way."
        self._upstream_errors = counter("upstream_errors", text, "model", "code", "status")
        self._retries = counter("retries", "Retried calls to Google, and why.", "model", "reason")
        self._fallbacks = counter("fallbacks", "Times a model answered in place of another.", "model", "reason")
        text = "Cool-downs of a key, a model or a key for a model; an empty label means all of them."
        self._cooldowns = counter("cooldowns", text, "key", "model", "methods", "kind")
        text = "End of the cool-down of a key, a model or a key for a model, in Unix seconds; 0 or past: none."
        self._rest_until = gauge("cooldown_until_timestamp_seconds", text, "livemax", "key", "model", "methods", "kind")
        text = "Facts about models that Google's answers have taught: what a refusal said, or `like` another model."
        self._learned = counter("learned_facts", text, "model", "fact")
        text = "When a model in use ends, in Unix seconds, as far as Google or the table of models says."
        self._model_ends = gauge("model_retirement_timestamp_seconds", text, "livemax", "model")
        self._keys = gauge("keys", "The gateway's own Gemini keys.", "livemax")
        self._batches = gauge("batches", "Batches in the store, by status.", "mostrecent", "status")
        text = "Whether the Redis of GEMGATE_REDIS_URL can be used, by all workers: 1 or 0; NaN if it is not set."
        self._redis_up = gauge("redis_up", text, "livemin")
        self._redis_up.set(math.nan)
        text = "How late the event loop is, looked at four times a second: what all requests of a process wait for."
        self.loop_lag = Histogram("gemgate_event_loop_lag_seconds", text, buckets=_LAGS, registry=self.registry)
        gauge("build_info", "Always 1.", "max", "version").labels(__version__).set(1)

    def ended(self, record: Record) -> None:
        """A request has ended, and its record is settled."""
        self.in_progress(-1)
        route = record.route
        model = self.model(record.model, is_good=record.has_answer)
        method = record.method if record.method in _METHODS else OTHER
        requests, duration = self._requests_of(method, route, model, record.status, record.caller or "")
        requests(1)
        duration.observe(record.ended - record.began)
        if record.is_stream:
            self._stream_ended(record, model)
        if record.counts is not None:
            self._count_tokens(record, record.counts, self._tokens_of(model, record.caller or ""))
        if record.searches:
            self._searches.labels(model, record.caller or "").inc(record.searches)
        if (notes := record.notes) is not None:
            for name in notes.dropped:
                self._dropped.labels(self._param(name)).inc()
            for change in notes.adjusted:
                self._adjusted.labels(self._param(change)).inc()

    def _stream_ended(self, record: Record, model: str) -> None:
        self.open_streams(-1)
        self._streams.labels(record.route, model, record.outcome).inc()
        if not record.first_event:
            return
        first, gap, per_token = self._times_of(record.route, model)
        first.observe(record.first_event - record.began)
        if record.longest_gap:
            gap.observe(record.longest_gap)
        spread = record.last_event - record.first_event
        if spread and record.counts is not None and record.counts.candidates > 1:
            per_token.observe(spread / (record.counts.candidates - 1))

    def _count_tokens(self, record: Record, counts: Counts, series: "_TokenSeries") -> None:
        series.prompt(max(counts.prompt + counts.tool_use - counts.cached, 0))
        series.completion(max(counts.candidates, 0))
        if counts.cached > 0:
            series.cached(counts.cached)
        if counts.thoughts > 0:
            series.thoughts(counts.thoughts)
        if record.cost is None:
            self._unpriced.labels(series.model).inc()
        else:
            self._cost_of(series.model, series.caller)(max(record.cost, 0))

    def upstream_error(self, error: GeminiError) -> None:
        """A call to Google has failed, whatever becomes of the request."""
        status = error.reason if error.reason in _STATUSES else OTHER
        code = NO_CODE if isinstance(error, TransportError) else error.status
        model = self.model(current().model, is_good=False)
        self._upstream_errors.labels(model, code, status).inc()

    def fact_learned(self, model: str, fact: str) -> None:
        """Google's answers have taught a fact about a model."""
        self._learned.labels(self.model(model, is_good=True), fact).inc()

    def model_ends(self, model: str, moment: float) -> None:
        """A model that is in use ends at `moment`, in Unix seconds."""
        self._model_ends.labels(self.model(model, is_good=True)).set(moment)

    def keys_held(self, number: int) -> None:
        """The gateway has so many keys of its own."""
        self._keys.set(number)

    def redis(self, is_up: bool) -> None:
        """Redis can be used from now on, or can no longer."""
        self._redis_up.set(is_up)

    def batch_cost(self, model: str, caller: str, dollars: float) -> None:
        """A batch of this caller has cost so much."""
        self._cost_of(self.model(model.removeprefix("models/"), is_good=False), caller)(max(dollars, 0))

    def calls(self, model: str, key: str) -> None:
        """A call is made with the key of this label."""
        current().gemini_key = key
        self._calls_of(self.model(model.removeprefix("models/") or None, is_good=False), key)(1)

    def cools_down(self, cooldown: Cooldown) -> None:
        """A key or a model cools down; with `until` 0, works again before its time."""
        model = self.model(cooldown.model.removeprefix("models/") or None, is_good=False)
        scope = (cooldown.key, model, cooldown.methods)
        if cooldown.until:
            self._cooldowns.labels(*scope, cooldown.kind).inc()
            self._rest_until.labels(*scope, cooldown.kind).set(cooldown.until)
            self._resting.setdefault(scope, set()).add(cooldown.kind)
            return
        for kind in self._resting.pop(scope, ()):
            self._rest_until.labels(*scope, kind).set(0)

    def retries(self, model: str, reason: str) -> None:
        """A call is made again."""
        current().retries += 1
        self._retries.labels(self.model(model.removeprefix("models/") or None, is_good=False), _reason(reason)).inc()

    def falls_back(self, asked: str, model: str, reason: str) -> None:  # noqa: ARG002  callers choose what they ask for
        """`model` answers in place of another."""
        self._fallbacks.labels(self.model(model.removeprefix("models/"), is_good=False), _reason(reason)).inc()

    def models_known(self, names: Iterable[str]) -> None:
        """Google lists these models."""
        for name in names:
            if name.startswith("models/"):
                self.model(name.removeprefix("models/"), is_good=True)

    def batches(self, counted: Mapping[str, int] | None) -> None:
        """How many batches the store has in each status; None when it does not say."""
        for status in _BATCH_STATUSES:
            self._batches.labels(status).set(math.nan if counted is None else counted.get(status, 0))

    def model(self, name: str | None, *, is_good: bool) -> str:
        """The label of a model: its name if Google knows it, as far as an answer or a list has shown; else `other`."""
        if name is None:
            return NO_MODEL
        known = self._models.get(name)
        if known is not None:
            return known
        if is_good and len(self._models) < self._max_models:
            self._models[name] = name
            return name
        return OTHER

    def _param(self, note: str) -> str:
        """The label of a note such as `reasoning_effort=none->low` or `tools[0].function.strict`: the parameter."""
        found = _NAME.match(note)
        return found[0] if found and found[0] in self._params else OTHER

    # `labels()` costs more than all that a child does, so children are kept.

    def _find_requests(self, method: str, route: str, model: str, status: int, caller: str) -> tuple[Add, Histogram]:
        requests = self._requests.labels(method, route, model, status, caller)
        return _adding(requests), self._duration.labels(route, model)

    def _find_times(self, route: str, model: str) -> tuple[Histogram, Histogram, Histogram]:
        return self._first.labels(route, model), self._gap.labels(route, model), self._per_token.labels(route, model)

    def _find_tokens(self, model: str, caller: str) -> "_TokenSeries":
        return _TokenSeries(
            prompt=_adding(self._tokens.labels(model, caller, "prompt")),
            cached=_adding(self._tokens.labels(model, caller, "cached")),
            completion=_adding(self._tokens.labels(model, caller, "completion")),
            thoughts=_adding(self._tokens.labels(model, caller, "thoughts")),
            model=model,
            caller=caller,
        )


def _adding(child: Counter | Gauge) -> Add:
    """Adds to a child: its `inc` looks each time whether it has labels, which costs three times as much as to add."""
    add: Add = child._value.inc  # noqa: SLF001  there is no other way to it
    return add


def _reason(text: str) -> str:
    return text if text in _REASONS or _HTTP_STATUS.fullmatch(text) else OTHER


class _TokenSeries(NamedTuple):
    """What a caller's tokens of a model are counted in."""

    prompt: Add
    cached: Add
    completion: Add
    thoughts: Add
    model: str
    caller: str
