"""The gateway in front of the emulator, both on real loopback sockets, as `make demo` runs them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.gateway import gateway_app, settings_of
from tests.support.server import serve

from gemgate.emulator.app import create_emulator
from gemgate.emulator.server import serve_in_thread
from gemgate.emulator.state import EmulatorState

OPENAI = "/v1"
GOOGLE = "/v1beta/openai"
GOOGLE_BARE = "/v1beta"
KEY = "AIza-any-key-will-do"
WRONG_KEY = "invalid"


@dataclass(frozen=True, slots=True)
class Stack:
    """Two running servers.

    Attributes:
        gateway: Its origin, such as `http://127.0.0.1:40001`.
        emulator: The emulator's.
        seen: What the emulator remembers: requests, and clients that left early.
    """

    gateway: str
    emulator: str
    seen: EmulatorState

    def base(self, prefix: str = OPENAI) -> str:
        """The base URL that a client is given."""
        return self.gateway + prefix


@contextmanager
def gateway(upstream: str, **settings: Any) -> Iterator[str]:
    """A gateway before `upstream`, which passes callers' keys through; gives its origin.

    It has a store of its own: one that serves at the same time before another upstream would take its batches over.
    `settings` are fields of `Settings`; neither `.env` nor a key in the environment counts.
    """
    with TemporaryDirectory(prefix="gemgate-store-") as directory:
        chosen: dict[str, Any] = {"upstream": upstream, "data_dir": Path(directory)} | settings
        with serve(gateway_app(**chosen), settings_of(**chosen)) as origin:
            yield origin


@contextmanager
def stack(**settings: Any) -> Iterator[Stack]:
    """An emulator, and a gateway with these `settings` before it."""
    app = create_emulator()
    with serve_in_thread(app=app) as emulator, gateway(emulator, **settings) as origin:
        yield Stack(origin, emulator, app.state.emulator)
