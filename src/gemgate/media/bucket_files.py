"""Callers' media in the operator's bucket, where Vertex AI reads it: what the Files API is to the Developer API."""

import time
from collections.abc import Callable, Collection
from typing import Protocol

from gemgate.gemini.file_types import GeminiFile
from gemgate.gemini.files import new_file_name
from gemgate.gemini.uploads import OpenAt
from gemgate.media.bucket import OperatorBucket

LIFETIME = 172_800
"""Seconds for which an object is named by requests, as a file at Google is; the bucket's lifecycle rule deletes it."""

_FOLDER = "media"


class MediaFiles(Protocol):
    """Where media is put that requests name: see `GeminiFiles` for each method, its arguments and its errors."""

    async def upload(
        self, open_at: OpenAt, *, size: int, mime_type: str, display_name: str, key: str, name: str = ""
    ) -> GeminiFile:
        """Store a file."""
        ...

    async def wait_until_active(self, file: GeminiFile, *, key: str, within: float = 300) -> GeminiFile:
        """The file once it can be used."""
        ...

    async def delete(self, name: str, *, key: str) -> None:
        """Delete the file that is called `files/…`."""
        ...


class BucketFiles:
    """Media as objects. A name has 122 random bits, and each caller's media has its own, even of the same bytes.

    Every method raises `GeminiError` when the bucket may not be used, and `StoreError` when it gives no answer.

    Args:
        bucket: The operator's bucket.
        clock: Unix seconds.
    """

    def __init__(self, bucket: OperatorBucket, clock: Callable[[], float] = time.time) -> None:
        self._bucket = bucket
        self._clock = clock

    async def upload(
        self,
        open_at: OpenAt,
        *,
        size: int,
        mime_type: str,
        display_name: str,  # noqa: ARG002  an object has a key alone
        key: str,  # noqa: ARG002  the bucket is one for all lanes
        name: str = "",
    ) -> GeminiFile:
        """Write an object.

        Raises:
            EOFError: the source does not have `size` bytes; nothing is kept then.
        """
        chosen = name or new_file_name()
        place = _place(chosen)
        pieces = open_at(0)
        try:
            written = await self._bucket.put(place, pieces)
        finally:
            if close := getattr(pieces, "aclose", None):
                await close()
        if written != size:
            await self._bucket.blobs.delete(place)
            raise EOFError(f"The source of the upload has {written} bytes, and not {size}.")
        expires = int(self._clock()) + LIFETIME
        return GeminiFile(chosen, self._bucket.uri(place), mime_type=mime_type, size=size, expires_at=expires)

    async def wait_until_active(self, file: GeminiFile, *, key: str, within: float = 300) -> GeminiFile:  # noqa: ARG002
        """The file as it is: an object can be used at once."""
        return file

    async def delete(self, name: str, *, key: str) -> None:  # noqa: ARG002  the bucket is one for all lanes
        """Delete the object of the file that is called `files/…`."""
        await self._bucket.blobs.delete(_place(name))


class FilesByKey:
    """Media for both APIs: with the name of a lane it goes to the bucket, with a Gemini key to the Files API.

    Args:
        developer: The Files API.
        bucket: The objects.
        lanes: The names of the gateway's lanes.
    """

    def __init__(self, developer: MediaFiles, bucket: MediaFiles, lanes: Collection[str]) -> None:
        self._developer = developer
        self._bucket = bucket
        self._lanes = lanes

    async def upload(
        self, open_at: OpenAt, *, size: int, mime_type: str, display_name: str, key: str, name: str = ""
    ) -> GeminiFile:
        """As of the API whose lane or key `key` is."""
        return await self._of(key).upload(
            open_at, size=size, mime_type=mime_type, display_name=display_name, key=key, name=name
        )

    async def wait_until_active(self, file: GeminiFile, *, key: str, within: float = 300) -> GeminiFile:
        """As of the API whose lane or key `key` is."""
        return await self._of(key).wait_until_active(file, key=key, within=within)

    async def delete(self, name: str, *, key: str) -> None:
        """As of the API whose lane or key `key` is."""
        await self._of(key).delete(name, key=key)

    def _of(self, key: str) -> MediaFiles:
        return self._bucket if key in self._lanes else self._developer


def _place(name: str) -> str:
    return f"{_FOLDER}/{name.removeprefix('files/')}"
