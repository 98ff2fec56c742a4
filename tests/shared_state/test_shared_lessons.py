"""What one gateway learns from a refusal of Google's, another one knows by way of Redis: each recognised refusal."""

from pathlib import Path
from typing import Any

import pytest
from tests.api.chat.test_learning import EACH, Case, ask, google_that
from tests.api.moderations.test_routes import NO_API, scores, without_decisions
from tests.shared_state.support import eventually
from tests.support.gateway import gateway_app, in_process
from tests.support.google import FakeGoogle
from tests.support.redis import RedisServer

pytestmark = pytest.mark.integration


@EACH
async def test_another_gateway_asks_right_at_once(case: Case, redis_server: RedisServer, tmp_path: Path) -> None:
    google = google_that(case)
    first, second = (
        gateway_app(google, redis_url=redis_server.url, data_dir=tmp_path / name) for name in ("first", "second")
    )
    async with in_process(first) as client:
        assert "learned=" in (await ask(client, case)).headers["x-gemgate-adjusted"]
        await eventually(lambda: "{facts}" in redis_server.command("KEYS", "*"))
    google.requests.clear()
    async with in_process(second) as client:
        answer = await ask(client, case)
    assert answer.status_code == 200
    assert not any(case.refuses(body) for body in google.bodies)


async def test_another_gateway_knows_that_the_account_has_no_decisions(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    google = FakeGoogle(without_decisions(NO_API, scores()))
    settings: dict[str, Any] = {"gemini_api_key": "held", "client_keys": ("caller-key",), "redis_url": redis_server.url}
    first, second = (gateway_app(google, data_dir=tmp_path / name, **settings) for name in ("first", "second"))
    async with in_process(first) as client:
        assert (await client.post("/v1/moderations", json={"input": "a"})).status_code == 200
        await eventually(lambda: "{facts}" in redis_server.command("KEYS", "*"))
    google.requests.clear()
    async with in_process(second) as client:
        answer = await client.post("/v1/moderations", json={"input": "a"})
    assert answer.headers["x-gemgate-adjusted"] == "moderation=prompted"
    assert not any(path.endswith("/decisions") for path in google.paths)
