"""The operator's bucket in Cloud Storage, out of which Vertex AI reads and into which it writes."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from contextlib import aclosing, contextmanager
from uuid import uuid4

from gemgate.gemini.errors import GeminiError
from gemgate.store.blobs import Blobs
from gemgate.store.errors import BlobMissingError, StoreError, StoreUnavailableError

SETTING = "GEMGATE_VERTEX_BUCKET"

_REFUSALS = {
    "PermissionDeniedError": (
        403,
        f"The gateway may not use the bucket of {SETTING}: it needs the role roles/storage.objectUser there.",
        "PERMISSION_DENIED",
    ),
    "UnauthenticatedError": (401, "Cloud Storage does not take the gateway's access token.", "UNAUTHENTICATED"),
}
"""What obstore's errors mean, by their names: it is not imported for them."""


class OperatorBucket:
    """Objects by keys below a prefix of the operator's, and their addresses.

    Args:
        blobs: Reads and writes them.
        url: `gs://bucket/prefix`, below which they are, without a slash at its end.
    """

    def __init__(self, blobs: Blobs, url: str) -> None:
        self.blobs = blobs
        self._url = url

    def uri(self, key: str) -> str:
        """What Vertex AI calls the object under `key`."""
        return f"{self._url}/{key}"

    def key(self, uri: str) -> str | None:
        """The key of the object or of the folder that Vertex AI calls `uri`; None for what is elsewhere."""
        key = uri.removeprefix(f"{self._url}/").rstrip("/")
        return key if key != uri.rstrip("/") else None

    async def put(self, key: str, pieces: AsyncIterable[bytes]) -> int:
        """Write an object in place of the one that is there; how many bytes it has.

        Raises:
            GeminiError: 400, 401 or 403; the bucket is missing, or may not be written to.
            StoreError: Cloud Storage does not answer. What `pieces` raises goes through as it is.
        """
        with _refusals(key):
            size, _ = await self.blobs.put(key, pieces)
        return size

    async def size(self, key: str) -> int | None:
        """How many bytes an object has; None without one.

        Raises:
            GeminiError: 401 or 403; the bucket may not be read.
            StoreError: Cloud Storage does not answer.
        """
        try:
            with _refusals():
                return await self.blobs.size(key)
        except BlobMissingError:
            return None

    async def keys_below(self, prefix: str) -> list[str]:
        """The keys of all objects in a folder, sorted.

        Raises:
            GeminiError: 400, 401 or 403; the bucket is missing, or may not be listed.
            StoreError: Cloud Storage does not answer.
        """
        keys: list[str] = []
        with _refusals(prefix):
            async with aclosing(self.blobs.listing(prefix)) as pages:
                async for page in pages:
                    keys += [blob.key for blob in page]
        return sorted(keys)

    async def joined(self, keys: list[str]) -> AsyncGenerator[bytes]:
        """The bytes of objects of lines, one after another.

        Raises:
            BlobMissingError: one is not there.
            StoreError: Cloud Storage does not answer.
        """
        for key in keys:
            last = b""
            async with aclosing(self.blobs.get(key)) as pieces:
                async for piece in pieces:
                    last = piece or last
                    yield piece
            if last and not last.endswith(b"\n"):
                yield b"\n"

    async def delete_below(self, prefix: str) -> None:
        """Delete all objects in a folder.

        Raises:
            GeminiError: the bucket may not be listed, or nothing in it deleted.
            StoreError: Cloud Storage does not answer.
        """
        keys = await self.keys_below(prefix)
        with _refusals():
            await self.blobs.delete(*keys)

    async def problem(self) -> str | None:
        """Write a small object and delete it: what fails, as a sentence; None if nothing does."""
        key = f"check/{uuid4().hex}"

        async def pieces() -> AsyncGenerator[bytes]:
            yield b"gemgate check"

        try:
            await self.put(key, pieces())
            await self.blobs.delete(key)
        except GeminiError as error:
            return error.message
        except StoreError as error:
            return f"Cloud Storage gives no good answer: {error}."
        return None


@contextmanager
def _refusals(written: str = "") -> Iterator[None]:
    """Raise refusals that no second attempt changes as errors of Google's.

    Args:
        written: What is written or listed: it cannot be missing, so that the bucket is.

    Raises:
        GeminiError: 400, 401 or 403.
    """
    try:
        yield
    except BlobMissingError as error:
        if error.key != written:
            raise
        raise GeminiError(400, f"The bucket of {SETTING} does not exist.", "FAILED_PRECONDITION") from error
    except StoreUnavailableError as error:
        found = _REFUSALS.get(type(error.__cause__).__name__)
        if found is None:
            raise
        raise GeminiError(*found) from error
