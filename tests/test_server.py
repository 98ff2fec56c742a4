import gc
import subprocess
import sys

import pytest
from starlette.types import Receive, Scope, Send

from gemgate.server import server_config
from gemgate.settings import Settings

_SERVE = """
import gc, os, signal
from gemgate.listen import listening
from gemgate.server import serve_here
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
print(gc.isenabled(), gc.get_freeze_count() > 10_000, gc.get_threshold()[0])
"""


def test_the_garbage_collector_passes_over_what_a_started_gateway_holds() -> None:
    ended = subprocess.run([sys.executable, "-c", _SERVE], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout.split() == ["True", "True", "10000"]


async def application(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "lifespan.startup.complete"})


async def test_a_process_that_is_not_the_servers_keeps_its_garbage_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "freeze", pytest.fail)
    config = server_config(application, Settings(_env_file=None))
    config.load()
    await config.lifespan_class(config).startup()
