"""What was changed in a stream, whose head cannot say so any more, is in the log and in the metrics."""

from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.support.answers import native
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle, sse

pytestmark = pytest.mark.slow

MODEL = "gemini-2.5-flash"
TOOL = {"name": "f", "parameters": {"type": "object", "properties": {"q": {"type": "array"}}}}
CHAT = {"messages": [{"role": "user", "content": "Hi"}], "tools": [{"type": "function", "function": TOOL}]}
RESPONSE = {"input": "Hi", "tools": [{"type": "function", **TOOL}]}
FLATTENED = {"functionCall": {"name": "f", "args": {"q[0]": "x"}}}


@pytest.mark.parametrize(
    ("part", "finish", "change"),
    [
        ({"text": "Well"}, "MALFORMED_FUNCTION_CALL", "finish_reason=MALFORMED_FUNCTION_CALL->"),
        ({"text": "Well"}, "TOO_MANY_TOOL_CALLS", "finish_reason=TOO_MANY_TOOL_CALLS->"),
        (FLATTENED, "STOP", "flattened names->nested"),
        ({"text": "Well"}, "STOP", None),
    ],
)
@pytest.mark.parametrize(("path", "body"), [("/v1/chat/completions", CHAT), ("/v1/responses", RESPONSE)])
async def test_what_was_changed_in_a_stream_is_logged_and_counted(
    part: dict[str, Any], finish: str, change: str | None, path: str, body: dict[str, Any]
) -> None:
    google = FakeGoogle(sse(native(part, finishReason=finish)))
    async with in_process(gateway_app(google, retry_empty=False)) as client:
        with capture_logs() as logs:
            answer = await client.post(path, json={"model": MODEL, "stream": True, **body})
        assert answer.status_code == 200
        counted = (await client.get("/metrics")).text
    (line,) = [line for line in logs if line["event"] == "request"]
    changes = line.get("adjusted", [])
    assert [change in each for each in changes] == ([True] if change else []), changes
    assert ("gemgate_adjusted_params_total{" in counted) == bool(change)
