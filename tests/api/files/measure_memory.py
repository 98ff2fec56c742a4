"""How much memory an upload and a download cost the gateway: `python tests/api/files/measure_memory.py [MEGABYTES]`.

Run by hand, from the root of the repository. The gateway runs in a process of its own, and the client never holds the
file. Growth is of the peak of the resident set, from just before.
"""

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.api.files.support import KEY, Gateway
from tests.support.server import serve

from gemgate.translation.options import FileOptions

MEGABYTE = 1_000_000
CHUNK = bytes(range(256)) * 256
HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
TAIL = b'\r\n--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n--b--\r\n'


def gateway(directory: str, pipe: Connection) -> None:
    with serve(Gateway(Path(directory), FileOptions(max_bytes=10**12)).app()) as origin:
        pipe.send(origin)
        pipe.recv()


def peak(process_id: int) -> float:
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / MEGABYTE


def body(size: int) -> Iterator[bytes]:
    yield HEAD
    for _ in range(size // len(CHUNK)):
        yield CHUNK
    yield TAIL


def upload(client: httpx.Client, size: int) -> str:
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = client.post("/v1/files", content=body(size), headers=headers).raise_for_status().json()
    assert answer["bytes"] == size // len(CHUNK) * len(CHUNK)
    return str(answer["id"])


def download(client: httpx.Client, file_id: str) -> int:
    with client.stream("GET", f"/v1/files/{file_id}/content") as response:
        return sum(len(chunk) for chunk in response.iter_raw())


def measure(client: httpx.Client, process_id: int, size: int) -> None:
    download(client, upload(client, MEGABYTE))
    before, began = peak(process_id), time.perf_counter()
    file_id = upload(client, size)
    after, uploaded = peak(process_id), time.perf_counter()
    assert download(client, file_id) >= size - len(CHUNK)
    done, ended = peak(process_id), time.perf_counter()
    sys.stdout.write(f"upload   +{after - before:5.1f} MB at peak, {size / MEGABYTE / (uploaded - began):6.0f} MB/s\n")
    sys.stdout.write(f"download +{done - after:5.1f} MB at peak, {size / MEGABYTE / (ended - uploaded):6.0f} MB/s\n")


def main() -> None:
    size = int(sys.argv[1] if len(sys.argv) > 1 else "300") * MEGABYTE
    ours, theirs = multiprocessing.Pipe()
    with tempfile.TemporaryDirectory() as directory:
        process = multiprocessing.get_context("spawn").Process(target=gateway, args=(directory, theirs))
        process.start()
        try:
            with httpx.Client(base_url=ours.recv(), headers=KEY, timeout=600) as client:
                measure(client, process.pid or 0, size)
        finally:
            ours.send("stop")
            process.join()


if __name__ == "__main__":
    main()
