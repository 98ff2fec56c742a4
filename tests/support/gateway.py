"""The whole gateway, most often before a Google made of answers.

There are three ways to call it, from the quickest to the truest:

    async with in_process(gateway_app(google)) as client: ...   # no socket: whole answers, in the test's own loop
    with serve(gateway_app(google)) as origin: ...              # `support.server`: a socket, a thread with a loop
    with command("serve", ...) as (process, origin): ...        # `support.command`: the command, in its own process

`support.stack` has the emulator in place of answers.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from gemgate.app import create_app
from gemgate.settings import Settings

CALLER = {"authorization": "Bearer caller-key"}


def settings_of(**fields: Any) -> Settings:
    """Settings with these fields, and else the defaults without a key; neither `.env` nor a key around counts."""
    return Settings(_env_file=None, **({"gemini_api_key": (), "client_keys": ()} | fields))


def gateway_app(google: Any = None, **settings: Any) -> FastAPI:
    """The application with these fields of `Settings`.

    Args:
        google: Answers every call to Google, as a handler of `httpx.MockTransport`: a `FakeGoogle`, or a function.
            Without it the calls go to the setting `upstream`.
        settings: As for `settings_of`.
    """
    transport = httpx.MockTransport(google) if google is not None else None
    return create_app(settings_of(**settings), transport=transport)


@asynccontextmanager
async def in_process(
    app: FastAPI, headers: Mapping[str, str] = CALLER, base_url: str = "http://gateway"
) -> AsyncIterator[httpx.AsyncClient]:
    """A client that calls the application itself, between its startup and its shutdown."""
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base_url, headers=dict(headers)) as client,
    ):
        yield client
