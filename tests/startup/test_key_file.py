"""Gemini keys in a file, which are replaced without a restart."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle

from gemgate.startup import key_file

KEY = "AIzaSyOneKeyOfTheGatewayOfThirtyNineXXX"
OTHER = "AIzaSyAnotherKeyOfTheGatewayOfThirtyNin"
HELLO = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]}
CHAT = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hi"}]}


def write(path: Path, text: str) -> None:
    """As Kubernetes does: a new file in place of the old one."""
    draft = path.with_suffix(".new")
    draft.write_text(text)
    draft.replace(path)


async def test_keys_in_a_file_are_replaced_without_a_restart_and_a_bad_file_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_file, "POLL_SECONDS", 0.01)
    path, google = tmp_path / "keys", FakeGoogle(HELLO)
    path.write_text(KEY)

    async def used(client: object) -> str:
        assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200  # type: ignore[attr-defined]
        return google.keys[-1]

    async with in_process(gateway_app(google, gemini_api_key_file=path, gemini_api_key=None)) as client:
        assert await used(client) == KEY
        write(path, f"{OTHER}\n")
        async with asyncio.timeout(20):
            while await used(client) != OTHER:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        with capture_logs() as logs:
            for bad in ("", "a key with blanks"):
                write(path, bad)
                async with asyncio.timeout(20):
                    while not [line for line in logs if "previous keys stay" in line["event"]]:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
                assert await used(client) == OTHER
                logs.clear()
            path.unlink()
        assert await used(client) == OTHER
    assert KEY not in str(logs)
    assert OTHER not in str(logs)
