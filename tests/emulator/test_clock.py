"""The clock of the emulator, which tests put forward."""

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from tests.emulator.support import Emulator, said
from tests.support.clock import FakeClock

CLOCK = "/emulator/clock"


async def test_everything_lives_by_one_clock(app: Starlette, emulator: Emulator, clock: FakeClock) -> None:
    headers = {"X-Goog-Upload-Protocol": "raw"}
    await emulator.client.post("/upload/v1beta/files", content=b"x", headers=headers)
    body = {"model": "models/gemini-2.5-flash", **said("word " * 2000)}
    await emulator.client.post("/v1beta/cachedContents", json=body)
    assert app.state.emulator.advance(2 * 86400) == clock.now + 2 * 86400
    assert (await emulator.client.get("/v1beta/files")).json() == {}
    assert len((await emulator.client.get("/v1beta/cachedContents")).json()["cachedContents"]) == 1


async def test_it_goes_forward_over_http_without_a_key(app: Starlette, clock: FakeClock) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://emulator") as client:
        assert (await client.get(CLOCK)).json() == {"time": "2026-09-21T14:13:20.000000000Z", "advancedSeconds": 0.0}
        moved = await client.post(CLOCK, json={"advanceSeconds": 90.5})
        assert moved.json() == {"time": "2026-09-21T14:14:50.500000000Z", "advancedSeconds": 90.5}
        clock.now += 1
        assert (await client.get(CLOCK)).json()["time"] == "2026-09-21T14:14:51.500000000Z"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"advanceSeconds": -1}', b'{"advanceSeconds": "x"}', b"3", b"{"])
async def test_it_does_not_go_elsewhere(emulator: Emulator, body: Any) -> None:
    refused = await emulator.client.post(CLOCK, content=body)
    assert refused.status_code == 400
    assert "advanceSeconds" in refused.json()["error"]["message"]
