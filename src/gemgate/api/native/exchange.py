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
    """

    request: Request
    send: Send
    call: MatchedMethod
    query: httpx.QueryParams
    caller: Caller
    services: Services

    @property
    def gemini(self) -> Upstream:
        """The way to Google."""
        return self.services.gemini

    @property
    def url(self) -> httpx.URL:
        """Where the method is at Google."""
        return self.gemini.url(self.call.path, self.query)

    @property
    def origin(self) -> str:
        """The gateway as the caller sees it. Who sends a forged header is who reads the answer."""
        if self.services.settings.public_url is not None:
            return self.services.settings.public_url
        url = self.request.base_url
        if self.request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower() == "https":
            url = url.replace(scheme="https")
        return str(url).rstrip("/") + self.services.settings.root_path

    @property
    def verb(self) -> str:
        """The HTTP method."""
        return self.call.method.verb
