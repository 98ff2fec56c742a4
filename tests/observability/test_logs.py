"""The one line that the log has about each request, read from a running gateway."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from tests.support.stack import KEY, Stack, gateway, stack

from gemgate.emulator.server import serve_in_thread
from gemgate.observability.logged_bodies import elided
from gemgate.observability.logs import add_request_id, hide_secrets
from gemgate.upstream.key_pool import label_of

PICTURE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJg"
    "gg=="
)
HELLO = [{"role": "user", "content": "Hello"}]


@contextmanager
def logged(**settings: Any) -> Iterator[tuple[Stack, list[Any]]]:
    with stack(**settings) as running, capture_logs(processors=[add_request_id, hide_secrets]) as lines:
        yield running, lines


def post(running: Stack, **body: Any) -> httpx.Response:
    asked = {"model": "gemini-2.5-flash", "messages": HELLO} | body
    headers = {"authorization": f"Bearer {KEY}", "x-request-id": "my-id"}
    return httpx.post(f"{running.base()}/chat/completions", json=asked, headers=headers, timeout=30)


def line(lines: list[Any], event: str = "request", number: int = 0) -> dict[str, Any]:
    """The line of this number, which is written just after the last byte."""
    for _ in range(3000):
        if len(found := [entry for entry in lines if entry["event"] == event]) > number:
            return dict(found[number])
        threading.Event().wait(0.01)
    raise AssertionError(lines)


def test_a_line_tells_who_asked_what_of_whom_for_how_long_and_how_much() -> None:
    with logged() as (running, lines):
        usage = post(running, model="google/gemini-2.5-flash", reasoning_effort="high").json()["usage"]
        found = line(lines)
    assert found.pop("ms") > 0
    assert found.pop("cost_usd") == pytest.approx(
        usage["prompt_tokens"] * 0.3e-6 + usage["completion_tokens"] * 2.5e-6, abs=1e-9
    )
    assert found == {
        "event": "request",
        "log_level": "info",
        "request_id": "my-id",
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
        "outcome": "completed",
        "caller": "pass-through",
        "model": "google/gemini-2.5-flash",
        "served": "gemini-2.5-flash",
        "prompt_tokens": usage["prompt_tokens"],
        "completion_tokens": usage["completion_tokens"],
        "thoughts_tokens": usage["completion_tokens_details"]["reasoning_tokens"],
        "cached_tokens": usage["prompt_tokens_details"]["cached_tokens"],
    }


def test_what_was_dropped_is_named() -> None:
    with logged() as (running, lines):
        post(running, logit_bias={"1": 1}, user="me")
        assert line(lines)["dropped"] == ["logit_bias", "user"]


def test_the_line_of_a_stream_comes_at_its_end_with_its_first_token_and_its_tokens() -> None:
    with logged() as (running, lines):
        post(running, model="emulator-slow-stream-0.05", stream=True)
        found = line(lines)
    assert found["outcome"] == "completed"
    assert 0 < found["first_token_ms"] < found["ms"]
    assert found["ms"] >= 45
    assert found["completion_tokens"] > 0
    assert "cost_usd" not in found


def test_a_stream_whose_client_goes_says_so_with_what_was_used_by_then() -> None:
    with logged() as (running, lines):
        body = {"model": "emulator-slow-stream-30", "messages": HELLO, "stream": True}
        headers = {"authorization": f"Bearer {KEY}"}
        with httpx.stream("POST", f"{running.base()}/chat/completions", json=body, headers=headers) as answer:
            pieces = answer.iter_bytes()
            next(pieces)
        found = line(lines)
    assert (found["status"], found["outcome"]) == (499, "client_gone")
    assert found["completion_tokens"] > 0


def test_a_stream_that_google_breaks_off_has_failed() -> None:
    with logged() as (running, lines):
        post(running, model="emulator-error-mid-stream", stream=True)
        found = line(lines)
    assert (found["status"], found["outcome"]) == (200, "failed")
    assert found["error"]


@pytest.mark.parametrize(
    ("body", "status", "outcome", "error"),
    [
        ({"model": "emulator-503"}, 503, "failed", "server_overloaded"),
        ({"model": "emulator-429-daily"}, 429, "refused", "insufficient_quota"),
        ({"temperature": "hot"}, 400, "refused", None),
        ({"model": "emulator-503", "stream": True}, 503, "failed", "server_overloaded"),
    ],
)
def test_an_error_is_in_the_line_by_its_code(body: Any, status: int, outcome: str, error: str | None) -> None:
    with logged() as (running, lines):
        answer = post(running, **body)
        found = line(lines)
    assert (answer.status_code, found["status"], found["outcome"]) == (status, status, outcome)
    assert found["error"] == (error or answer.json()["error"]["code"] or answer.json()["error"]["type"])


def test_the_answer_to_an_error_carries_the_id_of_its_line() -> None:
    with logged() as (running, lines):
        answer = httpx.get(f"{running.gateway}/nowhere")
        found = line(lines)
    assert answer.headers["x-request-id"] == found["request_id"]
    assert found["error"] == "invalid_request_error"


def test_neither_prompts_nor_answers_are_logged() -> None:
    with logged() as (running, lines):
        said = post(running, messages=[{"role": "user", "content": "a secret wish"}]).json()["choices"][0]["message"]
        line(lines)
    assert "wish" in said["content"]
    assert "wish" not in str(lines)


def test_the_debug_setting_logs_both_bodies_without_media_and_without_keys() -> None:
    content = [{"type": "text", "text": f"What is this, {KEY}?"}, {"type": "image_url", "image_url": {"url": PICTURE}}]
    with logged(log_bodies=True) as (running, lines):
        post(running, messages=[{"role": "user", "content": content}])
        found = line(lines, "bodies")
    assert found["log_level"] == "debug"
    assert found["request_body"]["messages"][0]["content"][1]["image_url"]["url"] == (
        f"data:image/png;base64,<{len(PICTURE) - 22} characters>"
    )
    assert found["response_body"]["object"] == "chat.completion"
    assert found["request_id"] == "my-id"


def test_the_debug_setting_logs_the_events_of_a_stream() -> None:
    with logged(log_bodies=True) as (running, lines):
        post(running, stream=True)
        found = line(lines, "bodies")
    assert found["response_body"].startswith("data: {")
    assert "[DONE]" in found["response_body"]


def test_a_body_that_is_large_or_no_text_is_told_by_its_size() -> None:
    files: Any = {"file": ("a.jsonl", b"{}\n" * 200_000), "purpose": (None, "batch")}
    small: Any = {"file": ("a.jsonl", b"{}\n"), "purpose": (None, "batch")}
    with logged(log_bodies=True) as (running, lines):
        for form in (files, small):
            httpx.post(f"{running.base()}/files", files=form, headers={"authorization": f"Bearer {KEY}"}, timeout=30)
        shown = [line(lines, "bodies", number)["request_body"] for number in (0, 1)]
    assert shown[0].endswith(" bytes>")
    assert "bytes of multipart/form-data" in shown[1]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("short", "short"),
        ({"data": "QUJD" * 100}, {"data": "<400 characters of base64>"}),
        (["x " * 3000], ["x " * 2000 + "<2000 characters more>"]),
        ('{"url":"data:audio/wav;base64,AAAA"}', '{"url":"data:audio/wav;base64,<4 characters>"}'),
        (7, 7),
        (None, None),
    ],
)
def test_media_and_long_text_are_left_out(value: Any, expected: Any) -> None:
    assert elided(value) == expected


def test_an_alias_is_told_with_the_model_that_answered() -> None:
    with logged(models={"gpt-4o": ("emulator-503", "gemini-2.5-flash")}) as (running, lines):
        post(running, model="gpt-4o")
        found = line(lines)
    assert (found["model"], found["served"]) == ("gpt-4o", "gemini-2.5-flash")


def test_a_call_that_was_made_again_is_told_with_the_key_that_succeeded() -> None:
    with (
        serve_in_thread() as emulator,
        gateway(emulator, gemini_api_key=("invalid", "AIza-good")) as origin,
        capture_logs() as lines,
    ):
        for _ in range(2):
            httpx.post(f"{origin}/v1/chat/completions", json={"model": "gemini-2.5-flash", "messages": HELLO})
        for _ in range(500):
            if len([entry for entry in lines if entry["event"] == "request"]) == 2:
                break
            threading.Event().wait(0.01)
    told = [entry for entry in lines if entry["event"] == "request"]
    assert {entry["gemini_key"] for entry in told} == {label_of("AIza-good")}
    assert sum(entry.get("retries", 0) for entry in told) == 1
    assert {entry["caller"] for entry in told} == {"local"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"model": ', '{"model": '),
        (b"", None),
    ],
)
def test_a_body_that_is_no_json_is_shown_as_it_came(body: bytes, expected: str | None) -> None:
    with logged(log_bodies=True) as (running, lines):
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        httpx.post(f"{running.base()}/chat/completions", content=body, headers=headers)
        assert line(lines, "bodies")["request_body"] == expected
