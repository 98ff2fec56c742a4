"""A limit of tokens that several gateways share over Redis holds for a burst at all of them."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.auth.support import bearer, settings_with, write_keys
from tests.security.test_token_limits import CHAT, LIMIT, NATIVE, STREAM, Google, chat, native
from tests.support.gateway import gateway_app
from tests.support.redis import RedisServer, redis_server
from tests.support.server import serve

from gemgate.shared_state import connection

__all__ = ["redis_server"]

ASKED = 1000
PATIENCE = 60.0
BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": (CHAT, chat("held", max_tokens=ASKED)),
    "chat stream": (CHAT, chat("held", max_tokens=ASKED, stream=True)),
    "responses": ("/v1/responses", {"model": "gemini-2.5-flash", "input": "held", "max_output_tokens": ASKED}),
    "native": (NATIVE, native("held", maxOutputTokens=ASKED)),
    "native stream": (STREAM, native("held", maxOutputTokens=ASKED)),
}


@pytest.fixture
def two(
    tmp_path: Path, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[list[str], Google]]:
    """The addresses of two gateways with one Redis, and the Google of both."""
    monkeypatch.setattr(connection, "TIMEOUT", PATIENCE)  # a machine that is busy is no outage
    keys = write_keys(tmp_path / "keys.yaml", web={"limits": {"tokens_per_minute": LIMIT}})
    google = Google()
    with ExitStack() as stack:
        origins = []
        for name in ("one", "two"):
            chosen = settings_with(keys) | {"redis_url": redis_server.url, "data_dir": tmp_path / name, "retries": 0}
            origins.append(stack.enter_context(serve(gateway_app(google, **chosen))))
        yield origins, google
        google.may_answer.set()


@pytest.mark.parametrize("kind", BODIES)
def test_thirty_requests_at_two_gateways_do_not_pass_a_limit_thirty_times(
    two: tuple[list[str], Google], kind: str
) -> None:
    origins, google = two
    path, body = BODIES[kind]

    def ask(number: int) -> int:
        return httpx.post(origins[number % 2] + path, json=body, headers=bearer("web"), timeout=PATIENCE).status_code

    with ThreadPoolExecutor(30) as threads:
        began = time.monotonic()
        answers = [threads.submit(ask, number) for number in range(30)]
        while sum(one.done() for one in answers) + google.held < 30 and time.monotonic() < began + PATIENCE:
            threading.Event().wait(0.01)
        begun, taken = google.held, time.monotonic() - began
        google.may_answer.set()
        statuses = [one.result() for one in answers]
    refilled = LIMIT / 60 * taken
    assert 1 <= begun <= (LIMIT + refilled) / ASKED + 1
    assert statuses.count(429) == 30 - begun
    assert statuses.count(200) == begun
