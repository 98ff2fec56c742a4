"""Images that are answered as a URL: kept in the gateway's own store, at an address that nobody can guess."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace

import orjson
import pybase64

from gemgate.api.images.pictures import ImagesAnswer, Picture
from gemgate.api.images.wire import ImageRequest
from gemgate.encryption import Encryptor
from gemgate.errors import ApiError
from gemgate.store import FileRow, Store, StoreError

PURPOSE = "vision"
"""Of the files; what is listed under `/v1/files` can be sent back in a request, or deleted before its time."""

SHOWN_TYPES = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})
"""What a browser may show; anything else is downloaded."""

_ENDINGS = {"jpeg": "jpg"}


class ImageLinks:
    """Keeps images, and finds them by their links.

    Args:
        store: Where they are kept, as files of their caller.
        encryptor: Seals what a link says: whose file it is, and which.
        lifetime: Seconds for which an image is kept; 0: none is.
    """

    def __init__(self, store: Store, encryptor: Encryptor, lifetime: int) -> None:
        self._store = store
        self._encryptor = encryptor
        self._lifetime = lifetime

    async def check(self, asked: ImageRequest, owner: str) -> bool:
        """Whether the images of a request are answered as URLs, before they are paid for.

        Raises:
            ApiError: 400, they were asked for and this gateway keeps none.
            StoreError: the caller may not store more.
        """
        if asked.stream or asked.response_format != "url":
            return False
        if not self._lifetime:
            msg = "This gateway keeps no images, so they come as b64_json: set 'response_format' to that. Its operator "
            msg += "can have them kept: GEMGATE_IMAGE_URL_LIFETIME."
            raise ApiError(400, msg, param="response_format", code="unsupported_value")
        await self._store.room.check(owner, 1)
        return True

    async def kept(self, answers: Sequence[ImagesAnswer], owner: str, address: str) -> list[ImagesAnswer]:
        """The same images with a URL below `address` in place of their bytes; all of them, or none is kept.

        Raises:
            StoreError: the caller may not store more, or the store cannot be used.
        """
        rows: list[FileRow] = []
        try:
            return [
                ImagesAnswer([await self._kept(each, owner, address, rows) for each in answer.pictures], answer.usage)
                for answer in answers
            ]
        except StoreError:
            with suppress(StoreError):
                for row in rows:
                    await self._store.files.delete(owner, row.id)
            raise

    async def found(self, token: str) -> FileRow:
        """The image that a link names.

        Raises:
            ApiError: 404, the link is wrong, or its time is over, or the image was deleted.
        """
        raw = self._encryptor.decrypt(token.encode("ascii", "replace"), self._lifetime)
        row = None
        if raw is not None:
            owner, file_id = orjson.loads(raw)
            row = await self._store.files.get(owner, file_id)
        if row is None:
            raise no_such_image()
        return row

    async def _kept(self, picture: Picture, owner: str, address: str, rows: list[FileRow]) -> Picture:
        name = f"image.{_ENDINGS.get(picture.format, picture.format)}"
        async with self._store.room.admitted(owner, _once(pybase64.b64decode(picture.data))) as chunks:
            row = await self._store.files.save(
                owner,
                chunks,
                filename=name,
                purpose=PURPOSE,
                mime_type=f"image/{picture.format}",
                expires_after=self._lifetime,
            )
            rows.append(row)
        token = self._encryptor.encrypt(orjson.dumps([owner, row.id])).decode()
        return replace(picture, data="", url=f"{address}/{token}/{name}")


def no_such_image() -> ApiError:
    """The link is wrong, or its time is over, or the image was deleted."""
    return ApiError(404, "There is no image at this address: it is wrong, or its time is over.", code="image_not_found")


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
