"""What the workers of one gateway ask each other for the console: a page's request reaches any one of them.

Each listens on a Unix domain socket in the directory that they have in common, which nobody else may read. Replicas on
other hosts have consoles of their own.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import orjson
import structlog

from gemgate.tasks import all_of

Answer = Callable[[int], Awaitable[object]]
"""Answers one question with a JSON value; it may depend on a number."""

_log = structlog.get_logger()
_SECONDS = 2.0
_NAME = re.compile(r"console-(\d+)\.sock")
_MAX_QUESTION = 200


class WorkerPeers:
    """This process and those beside it.

    Args:
        answers: What each of them can be asked.
        directory: Where their sockets are; None for a process that has no others.
        process: The id of this one.
    """

    def __init__(self, answers: Mapping[str, Answer], directory: Path | None, process: int | None = None) -> None:
        self._answers = answers
        self._directory = directory
        self._process = process or os.getpid()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Answers the others until the block ends."""
        if self._directory is None:
            yield
            return
        path = self._directory / f"console-{self._process}.sock"
        path.unlink(missing_ok=True)
        try:
            server = await asyncio.start_unix_server(self._serve, path)
        except OSError as error:  # the path may be longer than a socket's address can be: about a hundred bytes
            _log.warning("the console of other workers cannot ask this one", problem=str(error))
            yield
            return
        try:
            yield
        finally:
            server.close()
            path.unlink(missing_ok=True)

    async def ask(self, question: str, numbers: Mapping[int, int] | None = None) -> dict[int, object]:
        """The answers of all workers, by their process; those that give no answer are left out.

        Args:
            question: A name of `answers`.
            numbers: For each process the number that its answer depends on; 0 unless given.
        """
        asked = numbers or {}
        others = [number for number in self._others() if number != self._process]
        found = await all_of([self._ask(number, question, asked.get(number, 0)) for number in others])
        own = await self._answers[question](asked.get(self._process, 0))
        return {self._process: own} | {
            number: value for number, value in zip(others, found, strict=True) if value is not None
        }

    def _others(self) -> list[int]:
        if self._directory is None:
            return []
        names = (_NAME.fullmatch(path.name) for path in self._directory.iterdir())
        return sorted(int(name[1]) for name in names if name)

    async def _ask(self, process: int, question: str, number: int) -> object:
        path = f"{self._directory}/console-{process}.sock"
        with suppress(OSError, TimeoutError, orjson.JSONDecodeError, ValueError):
            async with asyncio.timeout(_SECONDS):
                reader, writer = await asyncio.open_unix_connection(path)
                try:
                    writer.write(b"%s %d\n" % (question.encode(), number))
                    return orjson.loads(await reader.read() or b"null")
                finally:
                    writer.close()
        return None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                question, _, number = (await reader.readline()).strip().partition(b" ")
                answer = self._answers.get(question.decode("latin-1")[:_MAX_QUESTION])
                if answer is not None and number.isdigit():
                    writer.write(orjson.dumps(await answer(int(number))))
                    await writer.drain()
        except (OSError, TimeoutError, ValueError):
            pass
        finally:
            writer.close()
