"""Addresses and end users in the log: hashes, and only where they are asked for."""

from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle

HELLO = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]}
CHAT = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hi"}]}


async def logged(body: dict[str, Any], **settings: Any) -> dict[str, Any]:
    with capture_logs() as logs:
        async with in_process(gateway_app(FakeGoogle(HELLO), **settings)) as client:
            assert (await client.post("/v1/chat/completions", json=CHAT | body)).status_code == 200
    (line,) = [line for line in logs if line["event"] == "request"]
    assert "127.0.0.1" not in str(line)
    assert "alice" not in str(line)
    return dict(line)


async def test_nobody_is_identified_unless_it_is_asked_for() -> None:
    line = await logged({"user": "alice"})
    assert "address" not in line
    assert "end_user" not in line


@pytest.mark.parametrize("name", ["user", "safety_identifier"])
async def test_the_same_end_user_has_the_same_hash_with_the_same_secret_alone(name: str) -> None:
    first = await logged({name: "alice"}, log_identifiers="hashed", secret="one")
    again = await logged({name: "alice"}, log_identifiers="hashed", secret="one")
    other = await logged({name: "alice"}, log_identifiers="hashed", secret="two")
    assert len(first["end_user"]) == len(first["address"]) == 16
    assert (first["end_user"], first["address"]) == (again["end_user"], again["address"])
    assert first["end_user"] != other["end_user"]
    assert first["address"] != other["address"]


async def test_the_safety_identifier_goes_before_the_user() -> None:
    both = await logged({"safety_identifier": "alice", "user": "bob"}, log_identifiers="hashed", secret="one")
    alone = await logged({"safety_identifier": "alice"}, log_identifiers="hashed", secret="one")
    assert both["end_user"] == alone["end_user"]
