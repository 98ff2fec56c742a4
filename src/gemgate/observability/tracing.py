"""OpenTelemetry: a span for each request, and in it one for what the model is asked, with all its attempts.

Off unless GEMGATE_TRACING is set; needs the extra `otel`. Names of attributes: the semantic conventions of HTTP
(https://opentelemetry.io/docs/specs/semconv/http/http-spans/) and of generative AI
(https://github.com/open-telemetry/semantic-conventions-genai, `gen_ai.client.inference`). Prompts and answers are in no
span. Everything else (where to, how many, under which name) is read from the standard OTEL_ variables by the SDK.
"""

from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import structlog
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from starlette.types import Scope

from gemgate import __version__
from gemgate.observability.record import Record, current
from gemgate.redaction import redact

PROVIDER = "gcp.gemini"

CLOSING_SECONDS = 3.0
"""For the last spans at a shutdown."""

_log = structlog.get_logger()

_OPERATIONS = {
    "chat": "chat",
    "text_completion": "text_completion",
    "responses": "chat",
    "embeddings": "embeddings",
    "image_generation": "generate_content",
    "image_edit": "generate_content",
    "image_variation": "generate_content",
    "speech": "generate_content",
    "moderation": "generate_content",
    "decision": "generate_content",
    "transcription": "generate_content",
    "translation": "generate_content",
}
_GROUP = "opentelemetry_traces_exporter"
_LONGEST = 128
_GOOGLE = ".googleapis.com"

# A parameter of the request, and its attribute.
_PARAMETERS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "max_output_tokens": "gen_ai.request.max_tokens",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
    "reasoning_effort": "gen_ai.request.reasoning.level",
    "stream": "gen_ai.request.stream",
}


class Tracing:
    """Makes the spans of one application.

    Args:
        provider: Where spans go.
        upstream: The origin that calls go to. Google gets no trace ids, which do not concern it; a proxy or
            another gateway in its place does.
    """

    def __init__(self, provider: TracerProvider, upstream: str) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("gemgate", __version__)
        host = urlsplit(upstream)
        self.server: dict[str, object] = {
            "server.address": host.hostname or "",
            "server.port": host.port or (443 if host.scheme == "https" else 80),
        }
        self.reaches_google = f".{host.hostname}".endswith(_GOOGLE)

    @classmethod
    def from_environment(cls, upstream: str, exporters: Iterable[str]) -> "Tracing":
        """Spans go to `exporters`, which are names of installed entry points such as `otlp_proto_http`."""
        resource = Resource.create({"service.name": "gemgate", "service.version": __version__}).merge(_named())
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        for name in exporters:
            if (found := exporter_named(name)) is not None:
                provider.add_span_processor(BatchSpanProcessor(found.load()()))
        return cls(provider, upstream)

    def begin(self, scope: Scope, record: Record) -> None:
        """A request has come in: its span goes on with the trace that its headers name."""
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        attributes: dict[str, Any] = {
            "http.request.method": record.method,
            "url.path": redact(record.path),
            "url.scheme": scope.get("scheme", "http"),
            "network.protocol.version": scope.get("http_version", "1.1"),
            "gemgate.request_id": record.request_id,
        }
        span = self._tracer.start_span(
            record.method, context=propagate.extract(carrier), kind=SpanKind.SERVER, attributes=attributes
        )
        record.trace = Trace(self, span)

    def start_inference(self, parent: Span, record: Record) -> Span:
        """A model is about to be asked."""
        operation = _OPERATIONS[record.operation or "chat"]
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": PROVIDER,
            "gen_ai.request.model": redact(record.hide_presented(record.model or ""))[:_LONGEST],
            **self.server,
            **_parameters(record.request),
        }
        if record.operation in ("image_generation", "image_edit", "image_variation"):
            attributes["gen_ai.output.type"] = "image"
        elif record.operation == "speech":
            attributes["gen_ai.output.type"] = "speech"
        context = trace.set_span_in_context(parent, Context())
        name = f"{operation} {redact(record.hide_presented(record.model or ''))[:_LONGEST]}"
        return self._tracer.start_span(name, context=context, kind=SpanKind.CLIENT, attributes=attributes)

    def headers(self) -> Mapping[str, str]:
        """What a call to the upstream carries on: the span of the request that it is made for."""
        found = current().trace
        return {} if found is None else found.headers()

    def close(self) -> None:
        """Send what is left, within `CLOSING_SECONDS`: a collector that does not answer must not hold the process."""
        closing = Thread(target=self._provider.shutdown, name="tracing", daemon=True)
        closing.start()
        closing.join(CLOSING_SECONDS)
        if closing.is_alive():
            _log.warning("the collector of traces does not answer: the last spans are lost", seconds=CLOSING_SECONDS)


class Trace:
    """The spans of one request."""

    def __init__(self, tracing: Tracing, span: Span) -> None:
        self._tracing = tracing
        self._span = span
        self._inference: Span | None = None

    @property
    def trace_id(self) -> str | None:
        """32 hex digits; None when the trace is not sampled."""
        context = self._span.get_span_context()
        return f"{context.trace_id:032x}" if context.trace_flags.sampled else None

    def asks(self, record: Record) -> None:
        """A model is about to be asked."""
        if self._inference is None:
            self._inference = self._tracing.start_inference(self._span, record)

    def headers(self) -> dict[str, str]:
        """The headers that carry this trace on."""
        carrier: dict[str, str] = {}
        propagate.inject(carrier, trace.set_span_in_context(self._inference or self._span))
        return carrier

    def ended(self, record: Record) -> None:
        """The request has ended, and its record is settled."""
        if self._inference is not None:
            _end_inference(self._inference, record)
        span = self._span
        span.update_name(f"{record.method} {record.route}")
        span.set_attributes(
            {"http.route": record.route, "http.response.status_code": record.status, "gemgate.outcome": record.outcome}
        )
        if record.caller is not None:
            span.set_attribute("gemgate.caller", record.caller)
        if record.outcome in ("failed", "shutdown"):
            span.set_attribute("error.type", record.error or str(record.status))
            span.set_status(Status(StatusCode.ERROR))
        span.end()


def _end_inference(span: Span, record: Record) -> None:
    if record.served:
        span.set_attribute("gen_ai.response.model", record.served)
    if record.response_id:
        span.set_attribute("gen_ai.response.id", record.response_id)
    if record.finish_reasons:
        span.set_attribute("gen_ai.response.finish_reasons", list(record.finish_reasons))
    if record.first_event:
        span.set_attribute("gen_ai.response.time_to_first_chunk", record.first_event - record.began)
    if (counts := record.counts) is not None:
        span.set_attribute("gen_ai.usage.input_tokens", counts.prompt + counts.tool_use)
        span.set_attribute("gen_ai.usage.output_tokens", counts.candidates + counts.thoughts)
        if counts.cached:
            span.set_attribute("gen_ai.usage.cache_read.input_tokens", counts.cached)
        if counts.thoughts:
            span.set_attribute("gen_ai.usage.reasoning.output_tokens", counts.thoughts)
    if record.cost is not None:
        span.set_attribute("gemgate.cost_usd", record.cost)
    if record.gemini_key:
        span.set_attribute("gemgate.gemini_key", record.gemini_key)
    if record.retries:
        span.set_attribute("gemgate.retries", record.retries)
    if record.outcome != "completed":
        span.set_attribute("error.type", record.error or record.outcome)
        span.set_status(Status(StatusCode.ERROR))
    span.end()


def _parameters(request: object) -> dict[str, object]:
    found: dict[str, object] = {
        attribute: value
        for name, attribute in _PARAMETERS.items()
        if isinstance(value := getattr(request, name, None), (int, float, str)) and value is not False
    }
    number = getattr(request, "n", None)
    if isinstance(number, int) and number > 1:
        found["gen_ai.request.choice.count"] = number
    stop = getattr(request, "stop", None)
    if stop:
        found["gen_ai.request.stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    return found


def _named() -> Resource:
    """What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say, if anything: it counts more than our own names."""
    named = Resource.create().attributes
    is_default = str(named.get("service.name", "")).startswith("unknown_service")
    return Resource({name: value for name, value in named.items() if name != "service.name" or not is_default})


def exporter_named(name: str) -> EntryPoint | None:
    """The exporter of that name, if one is installed."""
    return next(iter(entry_points(group=_GROUP, name=name)), None)
