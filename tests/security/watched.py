"""The command `gemgate`, with a beat in its event loop that notes how much CPU time others take between two turns.

Run as a program; the file that `WATCHED_LOOP` names holds what it has noted, as `Loop` reads it.
"""

import asyncio
import mmap
import os
import struct
import time
from pathlib import Path

import uvicorn

VARIABLE = "WATCHED_LOOP"
_NOTED = struct.Struct("=ddq")
_PERIOD = 0.001


class Loop:
    """The notes of the event loop of another process.

    Args:
        path: The file that they are in; it is created.
    """

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(_NOTED.size))
        with path.open("r+b") as file:
            self._notes = mmap.mmap(file.fileno(), _NOTED.size)

    def reset(self) -> None:
        """Forget the longest stall."""
        _, cpu, beats = _NOTED.unpack_from(self._notes)
        _NOTED.pack_into(self._notes, 0, 0.0, cpu, beats)

    @property
    def stall(self) -> float:
        """The most CPU seconds of all threads that have passed between two turns of the loop."""
        return float(_NOTED.unpack_from(self._notes)[0])

    @property
    def cpu(self) -> float:
        """The CPU seconds that the thread of the loop has taken."""
        return float(_NOTED.unpack_from(self._notes)[1])

    @property
    def beats(self) -> int:
        """How often it has beaten."""
        return int(_NOTED.unpack_from(self._notes)[2])


def _beat(loop: asyncio.AbstractEventLoop, notes: mmap.mmap, before: float) -> None:
    longest, _, beats = _NOTED.unpack_from(notes)
    now = time.process_time()
    _NOTED.pack_into(notes, 0, max(longest, now - before), time.thread_time(), beats + 1)
    loop.call_later(_PERIOD, _beat, loop, notes, now)


def _watch() -> None:
    with Path(os.environ[VARIABLE]).open("r+b") as file:
        notes = mmap.mmap(file.fileno(), _NOTED.size)
    started = uvicorn.Server.startup

    async def startup(*arguments: object, **options: object) -> None:
        await started(*arguments, **options)  # type: ignore[arg-type]
        _beat(asyncio.get_running_loop(), notes, time.process_time())

    uvicorn.Server.startup = startup  # type: ignore[method-assign]


if __name__ == "__main__":
    _watch()
    from gemgate.cli.main import app

    app()
