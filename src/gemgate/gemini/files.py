"""Google's Files API: media and input files that live for 48 hours, and files of results.

Source: https://ai.google.dev/gemini-api/docs/files, and recorded exchanges.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from uuid import uuid4

import httpx

from gemgate.gemini.client.client import GeminiClient
from gemgate.gemini.client.response import GeminiResponse
from gemgate.gemini.errors import Failure, GeminiError, TransportError
from gemgate.gemini.file_types import (
    FileState,
    GeminiFile,
    MissingFileError,
    file_from_wire,
    file_path,
    is_missing,
)
from gemgate.gemini.uploads import (
    CHUNK,
    OpenAt,
    ResumableUpload,
    Sleep,
    is_passing,
)

ATTEMPTS = 5
MAX_PAUSE = 10.0
"""Seconds between two looks at a file that is being processed, at most."""


def new_file_name() -> str:
    """A name for a file that is to be uploaded; Google allows 40 characters after `files/`."""
    return f"files/{uuid4().hex}"


@contextmanager
def _missing_files() -> Iterator[None]:
    try:
        yield
    except GeminiError as error:
        if is_missing(error):
            raise MissingFileError(404, error.message, "NOT_FOUND", error.details) from error
        raise


class GeminiFiles:
    """Files at Google. Missing and foreign files are a `MissingFileError`.

    Every method raises `GeminiError` when Google refuses, `TransportError` when it gives no answer, and
    `InvalidNameError` for an invalid name.

    Args:
        gemini: The way to Google.
        chunk: Bytes of an upload in one request, as far as Google's granularity of 8 MiB allows.
        attempts: Failures in a row after which an upload is given up.
        sleep: Waits for seconds.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        gemini: GeminiClient,
        *,
        chunk: int = CHUNK,
        attempts: int = ATTEMPTS,
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gemini = gemini
        self._chunk = chunk
        self._attempts = attempts
        self._sleep = sleep
        self._clock = clock

    async def upload(
        self, open_at: OpenAt, *, size: int, mime_type: str, display_name: str, key: str, name: str = ""
    ) -> GeminiFile:
        """Upload a file in chunks, and go on where it stopped when the connection breaks. Holds one piece in memory.

        Args:
            open_at: Gives the bytes from an offset on, in pieces of any size; called again after a broken connection.
            size: Bytes, all of which `open_at(0)` gives.
            mime_type: Such as `application/pdf`, or `job_wire.INPUT_TYPE`.
            display_name: Cut after 512 characters.
            key: The Gemini key.
            name: `files/…`, to find the file again after a crash; a new one if empty. Google refuses a taken one (409).

        Returns:
            The file, which may still be `PROCESSING`.

        Raises:
            EOFError: the source is shorter than `size`.
            Exception: whatever the source raises, as it is.
        """
        chosen = name or new_file_name()
        file_path(chosen)
        upload = ResumableUpload(self._gemini, open_at, size, chosen, key, self._chunk, self._attempts, self._sleep)
        return await upload.run(mime_type, display_name)

    async def get(self, name: str, *, key: str) -> GeminiFile:
        """The file that is called `files/…`."""
        with _missing_files():
            return file_from_wire(await self._gemini.request("GET", file_path(name), key=key))

    async def delete(self, name: str, *, key: str) -> None:
        """Delete the file that is called `files/…`."""
        with _missing_files():
            await self._gemini.request("DELETE", file_path(name), key=key)

    async def wait_until_active(self, file: GeminiFile, *, key: str, within: float = 300) -> GeminiFile:
        """The file once it can be used.

        Args:
            file: As it was last seen; one that is active is given back at once.
            key: The Gemini key.
            within: Seconds to wait. An error that may pass is waited out too.

        Raises:
            GeminiError: Google could not process the file (400).
            TransportError: it is not processed in time.
        """
        end, pause = self._clock() + within, 0.5
        while file.state is FileState.PROCESSING:
            if self._clock() + pause > end:
                message = f"The Gemini API is still processing {file.name} after {within:g} seconds."
                raise TransportError(Failure.REQUEST_TIMEOUT, message)
            await self._sleep(pause)
            pause = min(pause * 2, MAX_PAUSE)
            try:
                file = await self.get(file.name, key=key)
            except GeminiError as error:
                if not is_passing(error):
                    raise
        if file.state is FileState.FAILED:
            reason = f": {file.error.message}" if file.error else "."
            raise GeminiError(400, f"The Gemini API could not process {file.name}{reason}", "FAILED_PRECONDITION")
        return file

    @asynccontextmanager
    async def download(self, name: str, *, key: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes of a file that Google made: `async with files.download(…) as pieces: async for piece in pieces: …`.

        What was uploaded cannot be downloaded; Google answers 400 or 403. A connection that breaks on the way is a
        `TransportError` out of the iteration, never a short file.
        """
        with _missing_files():
            answer = await self._open_download(name, key)
        try:
            yield aiter(answer)
        finally:
            await answer.aclose()

    async def _open_download(self, name: str, key: str) -> GeminiResponse:
        url = self._gemini.url(f"{file_path(name)}:download", {"alt": "media"})
        return await open_download(partial(self._gemini.open, "GET", key=key), url, self._gemini.named_url)


async def open_download(
    get: Callable[..., Awaitable[GeminiResponse]], url: httpx.URL, named_url: Callable[[str], httpx.URL]
) -> GeminiResponse:
    """The answer with a file's bytes. Google sends one redirect, to a path of its own that wants the key again.

    Args:
        get: `GeminiClient.open`, or that of `Upstream`, for this method and key.
        url: Where the file is.
        named_url: Of the same object.
    """
    answer = await get(url, redirect=True)
    if answer.status != 302:
        return answer
    await answer.skip()
    return await get(named_url(answer.headers["location"]))
