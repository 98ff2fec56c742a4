"""A gateway on a real socket, before a Google that is a function."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
from tests.support.gateway import gateway_app
from tests.support.google import FakeGoogle
from tests.support.server import serve

Handler = Callable[[httpx.Request], httpx.Response]

UPSTREAM = "https://generativelanguage.googleapis.com"
OWN_KEY = "AIzaSyTheCallersOwnKeyOfThirtyNineCharac"
HELD_KEY = "AIzaSyTheGatewaysKeyOfThirtyNineCharacte"
CLIENT_KEY = "sk-gemgate-the-first-of-two-client-keys-1"
OTHER_CLIENT_KEY = "sk-gemgate-the-second-of-the-client-key-2"
GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"
ANSWER = b'{"candidates": [ {"content":{"parts":[{"text":"Hi"}]}}]\n}'


@dataclass(frozen=True)
class RunningGateway:
    """A gateway and its Google. `client` raises for no status and follows no redirect."""

    origin: str
    google: FakeGoogle
    client: httpx.Client

    def raw(self, method: str, target: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        """Ask for exactly this target, which an HTTP client would tidy up."""
        connection = HTTPConnection(urlsplit(self.origin).netloc, timeout=10)
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in ({"x-goog-api-key": OWN_KEY, "content-length": "0"} | (headers or {})).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found


@contextmanager
def running_gateway(answer: Handler | None = None, **settings: Any) -> Iterator[RunningGateway]:
    """A gateway with these settings; callers bring their keys unless they say otherwise."""
    google = FakeGoogle(answer or httpx.Response(200, content=ANSWER, headers={"content-type": "application/json"}))
    app = gateway_app(google, **({"retries": 0} | settings))
    with serve(app) as origin, httpx.Client(base_url=origin, timeout=20) as client:
        yield RunningGateway(origin, google, client)


def own(**headers: str) -> dict[str, str]:
    """Headers of a caller with a key of its own."""
    return {"x-goog-api-key": OWN_KEY, **headers}


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """The error in Google's shape."""
    error: dict[str, Any] = orjson.loads(answer.content)["error"]
    assert error["code"] == answer.status_code
    assert isinstance(error["message"], str)
    assert error["status"].isupper()
    return error
