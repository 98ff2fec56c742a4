"""Vertex AI in tests: tokens that a test decides on, and gateways that ask Vertex AI."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, Self

import httpx
import pytest
from tests.support.gateway import gateway_app, in_process

from gemgate.gemini.errors import GeminiError
from gemgate.gemini.vertex import google_auth

PROJECT = "my-project"
TOKEN = "ya29.token-one-0123456789"
FRESH = "ya29.token-two-0123456789"


class FakeTokens:
    """Bearer tokens as a test gives them: the first is the current one, and each refresh gives the next.

    Attributes:
        stale: The tokens that new ones were asked in place of.
    """

    project: str | None = None
    failure: str | None = None

    def __init__(self, *tokens: str, quota_project: str | None = None) -> None:
        self.tokens = list(tokens)
        self.quota_project = quota_project
        self.stale: list[str] = []
        self.is_open = False

    def current(self) -> str:
        if not self.tokens:
            raise GeminiError(401, "no token", "UNAUTHENTICATED")
        return self.tokens[0]

    async def renewed(self, stale: str) -> str:
        self.stale.append(stale)
        if len(self.tokens) < 2:
            raise GeminiError(401, "no other token", "UNAUTHENTICATED")
        del self.tokens[0]
        return self.tokens[0]

    async def __aenter__(self) -> Self:
        self.is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_open = False


@contextmanager
def holding(tokens: FakeTokens) -> Iterator[None]:
    """Gateways that are made meanwhile have these tokens in place of google-auth's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(google_auth, "google_tokens", lambda **_: tokens)
        yield


@asynccontextmanager
async def vertex_gateway(
    google: Any = None, tokens: FakeTokens | None = None, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway that asks Vertex AI in a project, with a bearer token, in the test's own loop."""
    fields = {"upstream": "vertex", "google_cloud_project": PROJECT} | settings
    with holding(tokens or FakeTokens(TOKEN)):
        async with in_process(gateway_app(google, **fields)) as client:
            yield client
