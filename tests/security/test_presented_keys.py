"""What a caller sends is in no line of the log that should not have it, and comes back in errors with a bound."""

import pytest
from tests.api.native.support import running_gateway
from tests.support.google import failure

KEY = "plain-words-as-a-client-key-7"
MISSING = failure(404, "models/x is not found for API version v1beta.", reason="NOT_FOUND")


@pytest.mark.parametrize("header", ["authorization", "x-goog-api-key", "api-key"])
@pytest.mark.parametrize("model", ["{}", "models/{}", "a-{}-b"])
def test_a_key_that_is_sent_as_a_model_is_hidden(
    header: str, model: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    name = model.format(KEY)
    headers = {header: f"Bearer {KEY}" if header == "authorization" else KEY}
    body = {"model": name, "messages": [{"role": "user", "content": "Hi"}]}
    with running_gateway(lambda _: MISSING, gemini_api_key=("held",), client_keys=(KEY,)) as running:
        running.client.post("/v1/chat/completions", json=body, headers=headers)
        running.client.post(f"/v1beta/models/{KEY}:generateContent", json={}, headers=headers)
    logged = capsys.readouterr()
    text = logged.out + logged.err + caplog.text
    assert "/v1/chat/completions" in text
    assert KEY not in text


@pytest.mark.parametrize(
    "role", [{"role": "tool", "tool_call_id": "z" * 9_000}, {"role": "function", "name": "z" * 60}]
)
def test_an_error_repeats_a_page_of_a_callers_lists_at_most(role: dict[str, str]) -> None:
    calls = [
        {"id": f"{number}-" + "i" * 500, "type": "function", "function": {"name": f"n{number}", "arguments": "{}"}}
        for number in range(900)
    ]
    first = {"role": "user", "content": "Hi"}
    asked = {"role": "assistant", "content": None, "tool_calls": calls}
    with running_gateway(gemini_api_key=("held",), client_keys=(KEY,)) as running:
        for messages in ([first, asked, {**role, "content": "found"}], [first, asked, first]):
            body = {"model": "gemini-2.5-flash", "messages": messages}
            answer = running.client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {KEY}"})
            assert answer.status_code == 400
            assert len(answer.content) < 4096
