"""How far a request travels through the gateway: its files, the calls from one into another, its deepest stack."""

import asyncio
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from opcode import opmap
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import uvicorn
from tests.support.gateway import settings_of

import gemgate
from gemgate.app import create_app
from gemgate.server.run import server_config

_ROOT = f"{Path(gemgate.__file__).parent}/"
_TIMER = f"{_ROOT}observability/loop_lag.py"
"""Measures the event loop a few times a second, in no request."""


@dataclass
class Journey:
    """The gateway's own frames between the first byte of a request and the last of its answer.

    Attributes:
        files: The modules entered.
        crossings: Calls from one module into another, by both names. A coroutine that goes on counts as called again.
        resumed: How many of them only went on, because something was there that was waited for.
        stack: The deepest one, the outermost function first.
    """

    files: set[str] = field(default_factory=set)
    crossings: Counter[tuple[str, str]] = field(default_factory=Counter)
    resumed: int = 0
    stack: list[str] = field(default_factory=list)

    @property
    def crossed(self) -> int:
        """How often one module called another."""
        return self.crossings.total()

    def enter(self, frame: FrameType) -> None:
        """A function of the gateway's begins, or goes on."""
        codes: list[CodeType] = []
        above: FrameType | None = frame
        while above is not None:
            if above.f_code.co_filename.startswith(_ROOT):
                codes.append(above.f_code)
            above = above.f_back
        here = _module(codes[0])
        self.files.add(here)
        if len(codes) > 1 and (caller := _module(codes[1])) != here:
            self.crossings[caller, here] += 1
            self.resumed += _goes_on(frame)
        if len(codes) > len(self.stack):
            self.stack = [f"{_module(code)}:{code.co_qualname}" for code in reversed(codes)]

    def __str__(self) -> str:
        crossed = f"{self.crossed} crossings ({self.resumed} of them go on)"
        lines = [f"{len(self.files)} files, {crossed}, {len(self.stack)} deep"]
        lines += [f"  {name}" for name in self.stack]
        lines += [f"  {times} x {caller} > {called}" for (caller, called), times in self.crossings.most_common()]
        return "\n".join(lines)


def _file_of(task: asyncio.Task[Any]) -> str:
    code: CodeType | None = getattr(task.get_coro(), "cr_code", None)
    return code.co_filename if code is not None else ""


def _goes_on(frame: FrameType) -> bool:
    """Whether a coroutine or generator goes on: the first instruction of a function that begins is `RESUME 0`."""
    code = frame.f_code.co_code
    resume = opmap["RESUME"]
    at = frame.f_lasti if code[frame.f_lasti] == resume else frame.f_lasti + 2
    return code[at] == resume and code[at + 1] & 3 != 0


def _module(code: CodeType) -> str:
    return code.co_filename.removeprefix(_ROOT)


@contextmanager
def traced() -> Iterator[Journey]:
    """The journey of what happens in this thread until the block ends."""
    journey = Journey()

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call" and (path := frame.f_code.co_filename).startswith(_ROOT) and path != _TIMER:
            journey.enter(frame)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield journey
    finally:
        sys.setprofile(before)


@dataclass
class Connection:
    """A caller's connection to the gateway, in the same loop."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, request: bytes) -> bytes:
        """The whole answer to a request."""
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        if b"content-length" in fields:
            return head + await self.reader.readexactly(int(fields[b"content-length"]))
        return head + await self.reader.readuntil(b"0\r\n\r\n")


@asynccontextmanager
async def connected(upstream: str, directory: Path, **fields: Any) -> AsyncIterator[Connection]:
    """A connection to a gateway as `gemgate serve` runs it, in this loop; nothing runs in its background."""
    settings = settings_of(data_dir=directory, upstream=upstream, **fields)
    app = create_app(settings)
    server = uvicorn.Server(server_config(app, settings, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with app.router.lifespan_context(app):
            background = [task for task in asyncio.all_tasks() if _ROOT in _file_of(task)]
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                async with asyncio.timeout(30):
                    while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
                        await asyncio.sleep(0.01)
                reader, writer = await asyncio.open_connection(*listener.getsockname())
                yield Connection(reader, writer)
                writer.close()
            finally:
                server.should_exit = True
                await serving
