"""One request on Google's paths, and who asks."""

from dataclasses import dataclass

import httpx
from starlette.requests import Request
from starlette.types import Send

from gemgate.api.native.methods import MatchedMethod
from gemgate.api.services import Services
from gemgate.auth.caller import Caller
from gemgate.upstream.client import Upstream


@dataclass(frozen=True, slots=True)
class Exchange:
    """What every kind of method starts from.

    Attributes:
        request: The caller's.
        send: Where the answer goes.
        call: The method, and the native path.
        query: The query, without credentials.
        caller: Who asks, and with which key.
        services: The application's.
        url: Where the method is at Google.
        lane: The one way to Vertex AI that the path asks for, if it does.
    """

    request: Request
    send: Send
    call: MatchedMethod
    query: httpx.QueryParams
    caller: Caller
    services: Services
    url: httpx.URL
    lane: str | None = None

    @property
    def gemini(self) -> Upstream:
        """The way to Google."""
        return self.services.gemini

    @property
    def key(self) -> str | None:
        """The one key, or the one lane, that the call goes out with; None for any of the gateway's."""
        return self.caller.key if self.lane is None else self.lane
