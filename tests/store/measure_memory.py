"""How much memory a large file costs, and how fast it goes: `python tests/store/measure_memory.py [MEGABYTES] [s3]`.

Run by hand, from the root of the repository. Growth is of the peak of the resident set, from just before.
"""

import asyncio
import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import httpx

from gemgate.store import Store

MEGABYTE = 1_000_000
CHUNK = os.urandom(65_536)
OWNER = "0123456789abcdef"


async def stream(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // len(CHUNK)):
        yield CHUNK


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGABYTE


async def measured(what: str, size: int, work: Awaitable[Any]) -> Any:
    before, began = peak(), time.perf_counter()
    result = await work
    seconds = time.perf_counter() - began
    sys.stdout.write(f"{what:<28} +{peak() - before:5.1f} MB at peak, {size / MEGABYTE / seconds:6.0f} MB/s\n")
    return result


async def read(store: Store, row: Any) -> int:
    return sum([len(chunk) async for chunk in store.files.open(row)])


async def upload(store: Store, size: int) -> None:
    made = await store.uploads.create(OWNER, filename="b", purpose="user_data", size=size, mime_type="text/plain")
    parts = [await store.uploads.add_part(OWNER, made.id, stream(size // 4)) for _ in range(4)]
    await store.uploads.complete(OWNER, made.id, [part.id for part in parts])


async def main(size: int, options: dict[str, Any]) -> None:
    async with Store.open(**options) as store:
        await store.files.save(OWNER, stream(MEGABYTE), filename="warm", purpose="user_data")
        saving = store.files.save(OWNER, stream(size), filename="a", purpose="user_data")
        row = await measured("save", size, saving)
        assert await measured("read", size, read(store, row)) == row.bytes == size
        await measured("upload four parts, complete", size, upload(store, size))


def bucket(port: int) -> dict[str, Any]:
    endpoint = f"http://127.0.0.1:{port}"
    with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
        client.put(f"{endpoint}/measured").raise_for_status()
    keys = {"aws_access_key_id": "made-up", "aws_secret_access_key": "made-up", "aws_region": "us-east-1"}
    return {"blobs_url": "s3://measured", "blobs_options": {"aws_endpoint": endpoint, **keys}}


def run() -> None:
    size = int(next(itertools.chain(sys.argv[1:2], ["500"]))) * MEGABYTE // (4 * len(CHUNK)) * (4 * len(CHUNK))
    with tempfile.TemporaryDirectory() as directory:
        options: dict[str, Any] = {"data_dir": Path(directory)}
        if "s3" not in sys.argv:
            asyncio.run(main(size, options))
            return
        port = 45_123
        command = [sys.executable, "-m", "moto.server", "-p", str(port)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                asyncio.run(main(size, options | bucket(port)))
            finally:
                server.kill()


if __name__ == "__main__":
    run()
