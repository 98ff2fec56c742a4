"""A gateway as `gemgate serve` runs it, in this process, between a caller and a Google that cost little.

Work for `guard`, in which is what the rest has no part in: uvicorn, the gateway's own protocol, aiohttp, the sockets.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from benchmarks.contestants import GEMGATE, KEY
from benchmarks.paced import Google
from benchmarks.rows import ROWS

from benchmarks import load
from gemgate.app import create_app
from gemgate.server.run import server_config
from gemgate.settings import Settings

_REQUESTS, _STREAMS = 10, 2
"""In a unit of work, over one connection."""


@asynccontextmanager
async def served(
    directory: Path, port: int = 0, *, console: bool = True, background: bool = False, redis: str | None = None
) -> AsyncIterator[dict[str, Callable[[], Awaitable[object]]]]:
    """The first two rows of the benchmark, by name; the gateway is up until the block ends.

    Args:
        directory: For its store.
        port: Where it listens; 0: anywhere.
        console: Whether there is one.
        background: Whether the application does what it does in the background.
        redis: The URL of a Redis that it shares with others.
    """
    loop, others = asyncio.get_running_loop(), asyncio.all_tasks()
    google = await loop.create_server(Google, "127.0.0.1", 0)
    upstream = google.sockets[0].getsockname()[1]
    settings = Settings(
        _env_file=None,
        data_dir=directory,
        upstream=f"http://127.0.0.1:{upstream}",
        gemini_api_key="AIza-benchmark",
        client_keys=KEY,
        console=console,
        redis_url=redis,
    )
    app = create_app(settings)
    with socket.create_server(("127.0.0.1", port)) as listener:
        port = listener.getsockname()[1]
        async with app.router.lifespan_context(app):
            for task in () if background else asyncio.all_tasks() - others:
                task.cancel()  # what an application does in the background is not what is measured
            server = uvicorn.Server(server_config(app, settings, lifespan="off"))
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
                await asyncio.sleep(0.01)
            requests, streams = (row.target(GEMGATE, port, upstream) for row in ROWS[:2])
            yield {
                "served": lambda: load.run(requests, 1, each=_REQUESTS),
                "served_stream": lambda: load.run(streams, 1, each=_STREAMS),
            }
            server.should_exit = True
            await serving
    google.close()
