"""What the store refuses, and what it could not do."""

import errno


class StoreError(Exception):
    """The store cannot be opened or used; the message holds no credential."""


class StoreUnavailableError(StoreError):
    """The database or the blob store fails, or does not answer in time; it may later."""


class BlobMissingError(StoreError):
    """No blob has this key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"no blob {key}")
        self.key = key


class UnknownCursorError(StoreError):
    """The `after` of a list is not an id this store could have made."""

    def __init__(self, after: str) -> None:
        super().__init__(f"no such cursor: {after[:80]!r}")
        self.after = after


class ResponseUnknownError(StoreError):
    """No response of this owner has this id, or it goes on from too many."""

    def __init__(self, response_id: str) -> None:
        super().__init__(f"no response {response_id[:80]!r}")
        self.response_id = response_id


class KeptTooLargeError(StoreError):
    """All that was asked for is `size` bytes, and at most `maximum` are read at once."""

    def __init__(self, size: int, maximum: int) -> None:
        super().__init__(f"{size} bytes are kept, and at most {maximum} are read at once")
        self.size = size
        self.maximum = maximum


class UploadUnknownError(StoreError):
    """No upload of this owner has this id."""

    def __init__(self, upload_id: str) -> None:
        super().__init__(f"no upload {upload_id[:80]!r}")
        self.upload_id = upload_id


class UploadClosedError(StoreError):
    """The upload takes no more parts: `status` is completed, cancelled or expired."""

    def __init__(self, status: str) -> None:
        super().__init__(f"the upload is {status}")
        self.status = status


class PartUnknownError(StoreError):
    """The upload has no such part, or it was named twice."""

    def __init__(self, part_id: str) -> None:
        super().__init__(f"no part {part_id[:80]!r}")
        self.part_id = part_id


class SizeMismatchError(StoreError):
    """The parts together do not have the size that was announced; both in bytes."""

    def __init__(self, announced: int, received: int) -> None:
        super().__init__(f"{announced} bytes were announced, the parts have {received}")
        self.announced = announced
        self.received = received


class ChecksumMismatchError(StoreError):
    """The MD5 of the parts, put together, is not the one given."""

    def __init__(self, given: str, actual: str) -> None:
        super().__init__(f"the MD5 is {actual}, not {given[:80]}")
        self.given = given
        self.actual = actual


class QuotaExceededError(StoreError):
    """A caller has stored as much as it may: `most`, such as `100 files`."""

    def __init__(self, most: str) -> None:
        super().__init__(f"a caller may store {most}")
        self.most = most


class DiskFullError(StoreError):
    """The disk of the database, or of the bytes, has no room."""


class DiskReserveError(DiskFullError):
    """The disk is full but for the reserve; both in bytes."""

    def __init__(self, free: int, reserve: int) -> None:
        super().__init__(f"the disk has {free} bytes free, and the reserve is {reserve}")
        self.free = free
        self.reserve = reserve


def is_no_space(error: BaseException) -> bool:
    """Whether the system says that a disk, or a quota of its own, is full; obstore gives its words only."""
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        return True
    return any(f"os error {number}" in str(error) for number in _NO_SPACE)


_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
