"""What open WebSockets of `/v1/responses` cost one worker: memory for each, idle and after a response.

    python -m benchmarks.websockets [how many, 1000]

Each has sent one message of which nothing is generated, as Codex does at its start, and is idle then.
"""

import asyncio
import socket
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import orjson
from benchmarks.processes import GATEWAY_CORE, Process, allow_many_connections, free_port
from websockets.asyncio.client import ClientConnection, connect

_AT_ONCE = 50
_KEY = {"authorization": "Bearer any-key-will-do"}
_AHEAD = {
    "type": "response.create",
    "model": "gemini-2.5-flash",
    "store": False,
    "generate": False,
    "instructions": "You are a coding agent. " * 100,
    "input": [{"role": "developer", "content": "Keep changes small. " * 100}],
}


async def opened(url: str, places: asyncio.Semaphore) -> ClientConnection:
    """A WebSocket, once one of the `places` is free."""
    async with places:
        return await connect(url, additional_headers=_KEY, proxy=None, open_timeout=60, compression=None)


async def asked(connection: ClientConnection, places: asyncio.Semaphore) -> None:
    """Send ahead what the connection is to remember."""
    async with places:
        await connection.send(orjson.dumps(_AHEAD), text=True)
        while orjson.loads(await connection.recv())["type"] != "response.completed":
            pass


async def measure(gateway: Process, origin: str, number: int) -> None:
    """Print the memory of so many WebSockets."""
    places, url = asyncio.Semaphore(_AT_ONCE), origin.replace("http", "ws") + "/v1/responses"
    first = await opened(url, places)  # what is loaded once
    await asked(first, places)
    before = gateway.memory()
    connections = await asyncio.gather(*(opened(url, places) for _ in range(number)))
    idle = gateway.memory()
    await asyncio.gather(*(asked(each, places) for each in connections))
    used = gateway.memory()
    for name, now in (("open", idle), ("after a response of 4 KB that is remembered", used)):
        print(f"{number} WebSockets, {name}: {(now - before) * 1024 / number:.1f} KiB each ({now:.0f} MiB in all)")
    await asyncio.gather(*(each.close() for each in (first, *connections)))


def main() -> None:
    """Start a gateway, open the WebSockets, and print what they cost."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    allow_many_connections()
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        settings = {
            "GEMGATE_PORT": str(port), "GEMGATE_DATA_DIR": folder, "GEMGATE_UPSTREAM": "http://127.0.0.1:9",
            "GEMGATE_WEBSOCKETS_PER_CALLER": str(number + 1), "GEMGATE_LOG_LEVEL": "error", "GEMINI_API_KEY": "",
        }  # fmt: skip
        command = [str(Path(sys.executable).with_name("gemgate")), "serve"]
        gateway = Process(command, Path(folder) / "log", {GATEWAY_CORE}, settings)
        try:
            wait_until_ready(gateway, port)
            asyncio.run(measure(gateway, f"http://127.0.0.1:{port}", number))
        finally:
            gateway.stop()


def wait_until_ready(gateway: Process, port: int) -> None:
    """Wait until `port` answers; at most a minute."""
    for _ in range(600):
        gateway.check()
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise RuntimeError("the gateway did not start")


if __name__ == "__main__":
    main()
