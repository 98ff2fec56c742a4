"""Spans of real requests through the gateway: kept in memory, and sent to a receiver over a socket."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from structlog.testing import capture_logs
from tests.support.stack import KEY, gateway

from gemgate import app as app_module
from gemgate.emulator.app import create_emulator
from gemgate.emulator.server import serve_in_thread
from gemgate.observability import tracing_setup
from gemgate.observability.tracing import Tracing
from gemgate.observability.tracing_setup import TracingError, check_tracing, tracing_of
from gemgate.settings import Settings, trace_exporters

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
HELLO = [{"role": "user", "content": "A secret wish"}]


class Traced:
    """A running gateway whose spans are kept, and the headers that its upstream got."""

    def __init__(self, origin: str, kept: InMemorySpanExporter, upstream: list[dict[str, str]]) -> None:
        self.origin = origin
        self.upstream = upstream
        self._kept = kept

    def post(self, path: str = "/v1/chat/completions", **body: Any) -> httpx.Response:
        asked = {"model": "gemini-2.5-flash", "messages": HELLO} | body
        headers = {"authorization": f"Bearer {KEY}", "traceparent": PARENT, "x-request-id": "my-id"}
        return httpx.post(f"{self.origin}{path}", json=asked, headers=headers, timeout=30)

    def spans(self, number: int = 2) -> list[ReadableSpan]:
        """The spans once there are so many: they end just after the last byte."""
        for _ in range(500):
            if len(found := self._kept.get_finished_spans()) >= number:
                return list(found)
            threading.Event().wait(0.01)
        raise AssertionError(self._kept.get_finished_spans())


@contextmanager
def traced(monkeypatch: pytest.MonkeyPatch, upstream_of_tracing: str | None = None) -> Iterator[Traced]:
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(
        app_module, "tracing_of", lambda settings: Tracing(provider, upstream_of_tracing or settings.upstream)
    )
    headers: list[dict[str, str]] = []
    emulator = create_emulator()

    async def listening(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers.append({name.decode(): value.decode() for name, value in scope["headers"]})
        await emulator(scope, receive, send)

    with serve_in_thread(app=listening) as upstream, gateway(upstream) as origin:
        yield Traced(origin, kept, headers)


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def by_kind(spans: list[ReadableSpan]) -> tuple[ReadableSpan, ReadableSpan]:
    (server,) = [span for span in spans if span.kind is SpanKind.SERVER]
    (client,) = [span for span in spans if span.kind is SpanKind.CLIENT]
    return server, client


def test_a_request_is_a_span_of_the_callers_trace_with_the_models_span_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with traced(monkeypatch) as running:
        answer = running.post(temperature=0.5, max_completion_tokens=500, stop="x", seed=7).json()
        server, client = by_kind(running.spans())
    assert (server.name, client.name) == ("POST /v1/chat/completions", "chat gemini-2.5-flash")
    assert server.context is not None
    assert server.parent is not None
    assert client.context is not None
    assert client.parent is not None
    assert f"{server.context.trace_id:032x}" == TRACE
    assert f"{server.parent.span_id:016x}" == "b7ad6b7169203331"
    assert client.parent.span_id == server.context.span_id
    told = attributes(server)
    assert told["http.request.method"] == "POST"
    assert told["http.route"] == told["url.path"] == "/v1/chat/completions"
    assert told["http.response.status_code"] == 200
    assert told["gemgate.request_id"] == "my-id"
    assert told["gemgate.caller"] == "pass-through"
    told = attributes(client)
    usage = answer["usage"]
    assert told.pop("gemgate.cost_usd") > 0
    assert told.pop("server.port") > 0
    assert told.pop("gen_ai.usage.reasoning.output_tokens", 0) == usage["completion_tokens_details"]["reasoning_tokens"]
    assert told == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.request.model": "gemini-2.5-flash",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 500,
        "gen_ai.request.stop_sequences": ("x",),
        "gen_ai.request.seed": 7,
        "gen_ai.response.model": "gemini-2.5-flash",
        "gen_ai.response.id": answer["id"],
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": usage["prompt_tokens"],
        "gen_ai.usage.output_tokens": usage["completion_tokens"],
        "server.address": "127.0.0.1",
    }


def test_a_streams_span_lasts_to_its_end_and_tells_the_first_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    with traced(monkeypatch) as running:
        running.post(model="emulator-slow-stream-0.05", stream=True, n=2)
        server, client = by_kind(running.spans())
    told = attributes(client)
    assert told["gen_ai.request.stream"] is True
    assert told["gen_ai.request.choice.count"] == 2
    assert told["gen_ai.response.time_to_first_chunk"] > 0
    assert told["gen_ai.usage.output_tokens"] > 0
    assert told["gen_ai.response.finish_reasons"] == ("stop", "stop")
    assert client.end_time is not None
    assert client.start_time is not None
    assert client.end_time - client.start_time >= 45_000_000
    assert server.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize(
    ("model", "server_error", "error"),
    [("emulator-503", "server_overloaded", "server_overloaded"), ("emulator-404", None, "model_not_found")],
)
def test_an_error_is_the_models_and_only_a_failure_is_the_gateways(
    monkeypatch: pytest.MonkeyPatch, model: str, server_error: str | None, error: str
) -> None:
    with traced(monkeypatch) as running:
        running.post(model=model)
        server, client = by_kind(running.spans())
    assert attributes(client)["error.type"] == error
    assert client.status.status_code is StatusCode.ERROR
    assert attributes(server).get("error.type") == server_error


def test_embeddings_and_images_have_their_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    with traced(monkeypatch) as running:
        running.post("/v1/embeddings", model="gemini-embedding-001", input="one")
        running.post("/v1/images/generations", model="gemini-2.5-flash-image", prompt="A cat")
        names = {span.name: attributes(span) for span in running.spans(4)}
    assert names["embeddings gemini-embedding-001"]["gen_ai.usage.input_tokens"] > 0
    assert names["generate_content gemini-2.5-flash-image"]["gen_ai.output.type"] == "image"


def test_a_request_that_asks_no_model_is_one_span(monkeypatch: pytest.MonkeyPatch) -> None:
    with traced(monkeypatch) as running:
        httpx.get(f"{running.origin}/nowhere")
        httpx.get(f"{running.origin}/healthz")
        httpx.get(f"{running.origin}/metrics")
        (span,) = running.spans(1)
    assert span.name == "GET unmatched"
    assert span.parent is None


def test_a_dry_run_asks_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    with traced(monkeypatch) as running:
        body = {"model": "gemini-2.5-flash", "messages": HELLO}
        headers = {"authorization": f"Bearer {KEY}", "x-gemgate-dry-run": "true"}
        httpx.post(f"{running.origin}/v1/chat/completions", json=body, headers=headers, timeout=30)
        (span,) = running.spans(1)
    assert span.kind is SpanKind.SERVER


def test_the_trace_goes_on_to_an_upstream_that_is_not_google(monkeypatch: pytest.MonkeyPatch) -> None:
    with traced(monkeypatch) as running:
        running.post()
        _, client = by_kind(running.spans())
        (sent,) = [headers for headers in running.upstream if "traceparent" in headers]
    assert client.context is not None
    assert sent["traceparent"] == f"00-{TRACE}-{client.context.span_id:016x}-01"


def test_google_gets_no_trace_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    with traced(monkeypatch, "https://generativelanguage.googleapis.com") as running:
        running.post()
        running.spans()
        assert running.upstream
        assert [headers for headers in running.upstream if "traceparent" in headers] == []


def test_neither_prompts_nor_answers_nor_keys_are_in_a_span(monkeypatch: pytest.MonkeyPatch) -> None:
    with traced(monkeypatch) as running:
        running.post(model="AIzaSyA-9876543210zyxwvutsrqponmlkjihg")
        running.post()
        spans = running.spans(4)
    text = "".join(span.to_json() for span in spans)
    assert "wish" not in text
    assert KEY not in text
    assert "AIzaSyA" not in text


def test_the_line_in_the_log_names_the_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    with traced(monkeypatch) as running, capture_logs() as lines:
        running.post()
        running.spans()
        for _ in range(500):
            if found := [line for line in lines if line["event"] == "request"]:
                break
            threading.Event().wait(0.01)
    assert found[0]["trace_id"] == TRACE


class Receiver(BaseHTTPRequestHandler):
    """Takes what an OTLP exporter sends."""

    received: list[tuple[str, ExportTraceServiceRequest]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.received.append((self.path, ExportTraceServiceRequest.FromString(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def test_spans_are_sent_where_the_standard_variables_say(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[tuple[str, ExportTraceServiceRequest]] = []
    handler = type("Handler", (Receiver,), {"received": received})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "my-gateway")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    try:
        with serve_in_thread() as upstream, gateway(upstream, tracing=True) as origin:
            body = {"model": "gemini-2.5-flash", "messages": HELLO}
            httpx.post(
                f"{origin}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {KEY}"}, timeout=30
            )
    finally:
        server.shutdown()
        server.server_close()
    (path, request), *_ = received
    assert path == "/v1/traces"
    (resource,) = request.resource_spans
    named = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
    assert named["service.name"] == "my-gateway"
    assert named["deployment.environment.name"] == "test"
    names = {span.name for scope in resource.scope_spans for span in scope.spans}
    assert names == {"POST /v1/chat/completions", "chat gemini-2.5-flash"}


def test_the_service_is_called_gemgate_unless_the_operator_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    tracing = Tracing.from_environment("http://127.0.0.1", [])
    assert tracing._provider.resource.attributes["service.name"] == "gemgate"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ["otlp_proto_http"]),
        ({"OTEL_TRACES_EXPORTER": "none"}, []),
        ({"OTEL_TRACES_EXPORTER": "otlp, console"}, ["otlp_proto_http", "console"]),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, ["otlp_proto_grpc"]),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"},
            ["otlp_proto_http"],
        ),
    ],
)
def test_the_exporter_is_the_one_that_the_standard_variables_name(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: list[str]
) -> None:
    for name in ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert trace_exporters() == expected


def test_nothing_is_traced_unless_it_is_asked_for() -> None:
    assert tracing_of(Settings(_env_file=None)) is None


def test_a_missing_exporter_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin_json")
    with pytest.raises(TracingError, match="pip install opentelemetry-exporter-zipkin-json"):
        check_tracing(Settings(_env_file=None, tracing=True))


def test_without_the_extra_tracing_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delitem(sys.modules, Tracing.__module__)
    with pytest.raises(TracingError, match=r"pip install 'gemgate\[otel\]'"):
        tracing_setup.tracing_of(Settings(_env_file=None, tracing=True))
