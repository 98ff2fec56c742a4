"""A Redis behind a Sentinel: real servers."""

import asyncio
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.redis import RedisServer, redis_server

from gemgate.shared_state.connection import RedisConnection
from gemgate.shared_state.sentinel import sentinel_client

__all__ = ["redis_server"]

pytestmark = pytest.mark.integration


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def watched(redis_server: RedisServer, tmp_path: Path) -> Iterator[str]:
    """The URL of a Sentinel that watches a Redis with a password."""
    master, port = free_port(), free_port()
    redis_server.stop()
    redis_server.start("--port", str(master), "--requirepass", "pass:word")
    config = tmp_path / "sentinel.conf"
    config.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\nsentinel monitor mine 127.0.0.1 {master} 1\n"
        "sentinel auth-pass mine pass:word\n"
    )
    command = ["redis-server", str(config), "--sentinel"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if "+monitor master mine" in line:
                    break
            yield f"redis+sentinel://:pass%3Aword@127.0.0.1:1,127.0.0.1:{port}/mine/0"
        finally:
            process.kill()


async def test_the_master_that_a_sentinel_names_is_used_though_another_sentinel_is_gone(watched: str) -> None:
    async with RedisConnection(watched, timeout=20).connected() as link, asyncio.timeout(30):
        await link.wait_until_up()
        await link.run(lambda redis: redis.set("key", "value"))
        assert await link.run(lambda redis: redis.get("key")) == b"value"
        assert link.state == "up"


@pytest.mark.parametrize(
    "url",
    ["redis+sentinel://", "redis+sentinel://host:26379", "redis+sentinel:///mine", "redis+sentinel://host/mine/x"],
)
def test_a_url_without_sentinels_or_a_name_is_an_error(url: str) -> None:
    with pytest.raises(ValueError, match=r"redis\+sentinel://"):
        sentinel_client(url, {})
