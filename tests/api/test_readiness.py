import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs
from tests.support.gateway import gateway_app

from gemgate.api.readiness import Readiness
from gemgate.gemini.errors import GeminiError
from gemgate.store import StoreError
from gemgate.upstream.cooldowns import CooldownReason
from gemgate.upstream.targets import Target

pytestmark = pytest.mark.slow


class Store:
    """Answers each ping with the next outcome, and with the last one when there are no more."""

    def __init__(self, *outcomes: Exception | float | None) -> None:
        self.outcomes = list(outcomes)
        self.pings = 0
        self.room = self

    async def check_disk(self) -> None:
        """There is room."""

    async def check_spool(self) -> None:
        """There is room here too."""

    async def ping(self) -> None:
        outcome = self.outcomes[min(self.pings, len(self.outcomes) - 1)]
        self.pings += 1
        if isinstance(outcome, Exception):
            raise outcome
        await asyncio.sleep(outcome or 0)


def readiness(*outcomes: Exception | float | None, **times: float) -> tuple[Readiness, Store]:
    store: Any = Store(*outcomes)
    return Readiness(store, **({"timeout": 5.0, "kept": 0.0} | times)), store


async def test_a_store_that_answers_is_ready() -> None:
    assert not await readiness(None)[0].problem()


@pytest.mark.parametrize("outcome", [StoreError("gone"), OSError("gone"), 60.0], ids=["store", "system", "silent"])
async def test_a_store_that_fails_or_is_silent_is_not_ready(outcome: Any) -> None:
    assert await readiness(outcome, timeout=0.05)[0].problem()


async def test_the_log_tells_each_change_once() -> None:
    checked, _ = readiness(None, StoreError("gone"), StoreError("gone"), None)
    with capture_logs() as logs:
        assert [not await checked.problem() for _ in range(4)] == [True, False, False, True]
    assert [line["log_level"] for line in logs] == ["error", "info"]
    assert "gone" in logs[0]["exception"]


async def test_probes_at_once_ask_the_store_once() -> None:
    checked, store = readiness(0.01, kept=60.0)
    assert await asyncio.gather(*(checked.problem() for _ in range(10))) == [""] * 10
    assert store.pings == 1


def probe(prepare: Callable[[Any], None], **settings: Any) -> Any:
    with TestClient(gateway_app(**settings)) as client:
        prepare(client)
        answer = client.get("/readyz")
        assert client.get("/healthz").json() == {"status": "ok"}
        return answer


def test_a_gateway_without_its_store_serves_chat_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(client: Any) -> None:
        async def ping() -> None:
            raise StoreError("the database does not answer: password=secret")

        monkeypatch.setattr(client.app.state.services.store, "ping", ping)

    answer = probe(lose)
    assert answer.status_code == 200
    assert answer.json() == {"status": "degraded", "degraded": {"store": "the store does not answer"}}
    for needed in ("store", "all"):
        answer = probe(lose, readiness=needed)
        assert answer.status_code == 503
        assert answer.json()["reason"] == "the store does not answer"


def test_a_store_that_is_silent_holds_no_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    def silence(client: Any) -> None:
        async def ping() -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(client.app.state.services.store, "ping", ping)

    began = time.monotonic()
    answer = probe(silence)
    assert answer.status_code == 200
    assert answer.json()["degraded"] == {"store": "the store does not answer"}
    assert time.monotonic() - began < 2.5  # the store itself may take three seconds


def test_keys_that_google_rejects_are_reported_and_take_the_gateway_out_only_where_all_is_needed() -> None:
    def reject(client: Any) -> None:
        pool = client.app.state.services.gemini.shared.pool
        pool.cool_down(pool.find("only-key"), Target(""), CooldownReason.KEY_REFUSED, GeminiError(403, "no"))

    degraded = {"keys": "Google rejects all Gemini keys of the gateway"}
    answer = probe(reject, gemini_api_key="only-key")
    assert (answer.status_code, answer.json()["degraded"]) == (200, degraded)
    assert probe(reject, gemini_api_key="only-key", readiness="all").status_code == 503
