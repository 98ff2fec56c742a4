"""Two processes of the command with one Redis, as replicas run."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
from tests.auth.support import bearer, write_keys
from tests.support.command import PATIENCE, command
from tests.support.redis import RedisServer
from tests.support.scrape import Scrape, scrape

from gemgate.emulator.server import serve_in_thread

EXHAUSTED = "emulator-429-50"
"""A Gemini key whose quota is used up, at the emulator."""
CALLS = "gemgate_upstream_calls_total"

# The command, to which a machine that is busy with other tests is no outage of Redis.
PATIENT = (
    "-c",
    f"import gemgate.cli.main as m, gemgate.shared_state.connection as c; c.TIMEOUT = {PATIENCE}; m.app()",
)


@contextmanager
def two(redis: RedisServer, directory: Path, *, gemini: str, **limits: int) -> Iterator[list[str]]:
    """The origins of two gateways with these Gemini keys, which ask for the key of `web`."""
    keys = write_keys(directory / "keys.yaml", web={"limits": limits})
    with serve_in_thread() as emulator, ExitStack() as stack:
        environment = {
            "GEMGATE_UPSTREAM": emulator,
            "GEMINI_API_KEY": gemini,
            "GEMGATE_CLIENT_KEYS_FILE": str(keys),
            "GEMGATE_REDIS_URL": redis.url,
            "GEMGATE_LOG_LEVEL": "error",
        }
        origins = []
        for name in ("one", "other"):
            environment["GEMGATE_DATA_DIR"] = str(directory / name)
            started = command("serve", "--port", "0", program=PATIENT, **environment)
            origins.append(stack.enter_context(started)[1])
        yield origins


def chat(origin: str, *, stream: bool = False) -> httpx.Response:
    body = {"model": "gemini-2.5-flash", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}
    return httpx.post(f"{origin}/v1/chat/completions", json=body, headers=bearer("web"), timeout=PATIENCE)


def until(origin: str, is_so: Callable[[Scrape], bool]) -> None:
    """Asks again and again: another process tells nobody when it has heard of something."""
    deadline = time.monotonic() + PATIENCE
    while not is_so(scrape(origin)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def reads(redis: RedisServer) -> int:
    """How often a process has read the cool-downs: it does when there are new ones."""
    found = re.search(r"cmdstat_zrangebyscore:calls=(\d+)", redis.command("INFO", "commandstats"))
    return int(found[1]) if found else 0


def is_up(scraped: Scrape) -> bool:
    return scraped.value("gemgate_redis_up") == 1


def test_they_share_the_limits_of_a_key_and_its_cool_downs(redis_server: RedisServer, tmp_path: Path) -> None:
    with two(redis_server, tmp_path, gemini=f"{EXHAUSTED},good", requests_per_minute=3) as (one, other):
        until(one, is_up)
        until(other, is_up)
        read = reads(redis_server)
        assert chat(one).status_code == 200  # by the good key, after the other one
        assert len(scrape(one).labels(CALLS, "key")) == 2
        until(other, lambda _: reads(redis_server) >= read + 2)  # each has read what is new
        answers = [chat(origin) for origin in (other, one)]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert len(scrape(other).labels(CALLS, "key")) == 1  # it has never asked the one that rests
        refused = [chat(origin) for origin in (one, other)]
        assert [answer.status_code for answer in refused] == [429, 429]
        assert {answer.json()["error"]["code"] for answer in refused} == {"rate_limit_exceeded"}


def test_redis_that_is_killed_in_mid_load_fails_no_request(redis_server: RedisServer, tmp_path: Path) -> None:
    statuses: list[int] = []
    endings: list[bool] = []
    is_over = threading.Event()

    def ask(origin: str, *, stream: bool) -> None:
        while not is_over.is_set():
            answer = chat(origin, stream=stream)
            statuses.append(answer.status_code)
            endings.append("[DONE]" in answer.text if stream else "choices" in answer.json())

    with two(redis_server, tmp_path, gemini="good", requests_per_minute=100_000) as origins:
        for origin in origins:
            until(origin, is_up)
        threads = [
            threading.Thread(target=ask, args=(origin,), kwargs={"stream": stream})
            for origin in origins
            for stream in (True, False)
        ]
        for thread in threads:
            thread.start()
        redis_server.stop()
        for origin in origins:
            until(origin, lambda scraped: not is_up(scraped))
        redis_server.start()
        for origin in origins:
            until(origin, is_up)
        is_over.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert set(statuses) == {200}
    assert all(endings)
    assert len(statuses) >= len(threads)
