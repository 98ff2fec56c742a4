"""The slice over a real store in a directory, with a clock that the test moves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from fastapi import FastAPI
from tests.support.clock import FakeClock

from gemgate.api.files.routes import router as files_router
from gemgate.api.files.uploads_routes import router as uploads_router
from gemgate.app import GOOGLE, OPENAI
from gemgate.auth.caller import Caller
from gemgate.auth.key_registry import ClientKeys
from gemgate.settings import Settings
from gemgate.store import Store
from gemgate.translation.options import FileOptions
from gemgate.web import error_handlers as handlers
from gemgate.web.telemetry_middleware import TelemetryMiddleware

KEY = {"authorization": "Bearer caller-key"}
OTHER = {"authorization": "Bearer other-key"}


class KnownKeys:
    """Google knows every key."""

    async def check(self, _caller: Caller) -> None:
        """Refuse none."""


@dataclass
class Gateway:
    """`directory` holds the store; `stored` lists the blobs there, half-written ones too."""

    directory: Path
    options: FileOptions = field(default_factory=FileOptions)
    clock: FakeClock = field(default_factory=FakeClock)
    opened: list[Store] = field(default_factory=list)

    def app(self) -> FastAPI:
        settings = Settings(_env_file=None, gemini_api_key=(), client_keys=())

        @asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncIterator[None]:
            async with Store.open(data_dir=self.directory, clock=self.clock) as store:
                self.opened.append(store)
                app.state.services = SimpleNamespace(
                    settings=settings,
                    client_keys=ClientKeys(),
                    store=store,
                    files=self.options,
                    confirmed_keys=KnownKeys(),
                )
                yield

        app = FastAPI(lifespan=lifespan, redirect_slashes=False)
        app.add_middleware(TelemetryMiddleware)
        handlers.install(app)
        for prefix in (OPENAI, GOOGLE):
            app.include_router(files_router, prefix=prefix)
            app.include_router(uploads_router, prefix=prefix)
        return app

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        app = self.app()
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway/v1", headers=KEY) as client,
        ):
            yield client

    @property
    def store(self) -> Store:
        return self.opened[-1]

    def stored(self) -> list[str]:
        blobs = self.directory / "blobs"
        return sorted(str(path.relative_to(blobs)) for path in blobs.rglob("*") if path.is_file())


def form(*parts: tuple[str, str | bytes] | tuple[str, str | bytes, str]) -> dict[str, Any]:
    """A form with these parts in this order: (name, content), or (name, content, file name)."""
    body = b""
    for name, content, *filename in parts:
        head = f'Content-Disposition: form-data; name="{name}"'
        if filename:
            head += f'; filename="{filename[0]}"\r\nContent-Type: text/plain'
        raw = content.encode() if isinstance(content, str) else content
        body += f"--b\r\n{head}\r\n\r\n".encode() + raw + b"\r\n"
    return {"content": body + b"--b--\r\n", "headers": {"content-type": "multipart/form-data; boundary=b"}}


def error_of(response: httpx.Response) -> tuple[int, str | None, str | None]:
    error = response.json()["error"]
    return response.status_code, error["param"], error["code"]
