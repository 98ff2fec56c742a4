import gc
import platform
import subprocess
import sys

import pytest
from starlette.types import Receive, Scope, Send

from gemgate.server.run import server_config
from gemgate.settings import Settings

_SERVE = """
import gc, os, resource, signal
from gemgate.server.sockets import listening
from gemgate.server.run import serve_here
from gemgate.settings import Settings

gc.disable()  # as the command does while it starts

class Application:
    async def __call__(self, scope, receive, send):
        assert (await receive())["type"] == "lifespan.startup"
        await send({"type": "lifespan.startup.complete"})
        os.kill(os.getpid(), signal.SIGTERM)
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn sends it again once it has stopped
with listening(["127.0.0.1"], 0) as listeners:
    serve_here(Application(), Settings(_env_file=None), listeners)

def resident():
    if not os.path.exists("/proc/self/statm"):
        return 0
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

before = resident()
blocks = [b"x" * 5_000_000 for _ in range(8)]
del blocks
print(resident() - before > 30_000_000)
print(gc.isenabled(), gc.get_freeze_count() > 10_000, gc.get_threshold()[0])
"""


def test_the_garbage_collector_passes_over_what_a_started_gateway_holds_and_memory_is_kept() -> None:
    ended = subprocess.run([sys.executable, "-c", _SERVE], capture_output=True, text=True, check=True, timeout=60)
    kept, *collector = ended.stdout.split()
    assert collector == ["True", "True", "10000"]
    assert kept == "True" or platform.libc_ver()[0] != "glibc"


async def application(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "lifespan.startup.complete"})


async def test_a_process_that_is_not_the_servers_keeps_its_garbage_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "freeze", pytest.fail)
    config = server_config(application, Settings(_env_file=None))
    config.load()
    await config.lifespan_class(config).startup()
