"""The WebSocket of `/v1/responses` as a client has it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from tests.support.responses import FLASH_25
from websockets.sync.client import ClientConnection, connect

PATIENCE = 30.0
KEY = {"authorization": "Bearer caller-key"}
ENDS = frozenset({"response.completed", "response.incomplete", "response.failed", "error", "response.steer.failed"})


class Socket:
    """One open WebSocket.

    Attributes:
        connection: Itself.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def create(self, given: Any = "Hi", **body: Any) -> list[Any]:
        """The events of a response that is not stored."""
        self.send(given, **body)
        return self.events()

    def send(self, given: Any = "Hi", **body: Any) -> None:
        """Ask for a response, and wait for nothing."""
        asked = {"type": "response.create", "model": FLASH_25, "input": given, "store": False, **body}
        self.connection.send(orjson.dumps(asked), text=True)

    def events(self) -> list[Any]:
        """What comes, up to the end of one response."""
        events = [self.event()]
        while events[-1]["type"] not in ENDS or (events[-1]["type"] == "error" and "status" not in events[-1]):
            events.append(self.event())
        return events

    def event(self) -> Any:
        """The next event."""
        return orjson.loads(self.connection.recv(timeout=PATIENCE))


@contextmanager
def websocket(gateway: str, path: str = "/v1/responses", **headers: str) -> Iterator[Socket]:
    """A WebSocket of the gateway at this origin, with these headers beside the caller's key."""
    address = gateway.replace("http://", "ws://") + path
    named = KEY | {name.replace("_", "-"): value for name, value in headers.items()}
    with connect(address, additional_headers=named, proxy=None, open_timeout=PATIENCE) as connection:
        yield Socket(connection)
