from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gemgate.gemini.errors import GeminiError
from gemgate.gemini.file_types import GeminiFile
from gemgate.media.bucket import OperatorBucket
from gemgate.media.bucket_files import LIFETIME, BucketFiles, FilesByKey
from gemgate.store.blobs import Blobs
from gemgate.store.errors import BlobMissingError, StoreUnavailableError


async def uploaded(files: BucketFiles | FilesByKey, size: int = 3, key: str = "p/global") -> GeminiFile:
    async def pieces(offset: int) -> AsyncIterator[bytes]:
        yield b"abc"[offset:]

    return await files.upload(pieces, size=size, mime_type="audio/wav", display_name="audio", key=key)


def objects(directory: Path) -> list[str]:
    return [path.name for path in directory.rglob("*") if path.is_file()]


async def test_media_is_an_object_until_it_is_deleted(tmp_path: Path) -> None:
    files = BucketFiles(OperatorBucket(Blobs.in_directory(tmp_path), "gs://b/x"), clock=lambda: 1000.0)
    file = await uploaded(files)
    name = file.name.removeprefix("files/")
    assert file == GeminiFile(
        f"files/{name}", f"gs://b/x/media/{name}", mime_type="audio/wav", size=3, expires_at=1000 + LIFETIME
    )
    assert await files.wait_until_active(file, key="p/global") is file
    assert objects(tmp_path) == [name]
    assert (await uploaded(files)).uri != file.uri
    await files.delete(file.name, key="p/global")
    await files.delete(file.name, key="p/global")
    assert len(objects(tmp_path)) == 1


async def test_media_that_ends_too_soon_is_not_kept(tmp_path: Path) -> None:
    files = BucketFiles(OperatorBucket(Blobs.in_directory(tmp_path), "gs://b"))
    with pytest.raises(EOFError):
        await uploaded(files, size=4)
    assert objects(tmp_path) == []


async def test_a_lane_has_its_media_in_the_bucket_and_a_key_at_the_files_api(tmp_path: Path) -> None:
    lanes, keys = (BucketFiles(OperatorBucket(Blobs.in_directory(tmp_path / name), f"gs://{name}")) for name in "ab")
    files = FilesByKey(keys, lanes, {"p/global": None})
    for key, place in (("p/global", "gs://a/"), ("AIza-key", "gs://b/")):
        file = await uploaded(files, key=key)
        assert file.uri.startswith(place)
        assert await files.wait_until_active(file, key=key) is file
        await files.delete(file.name, key=key)
    assert objects(tmp_path) == []


@pytest.mark.parametrize(
    ("raised", "status"),
    [(BlobMissingError("media/x"), 400), ("PermissionDeniedError", 403), ("UnauthenticatedError", 401)],
)
async def test_a_bucket_that_may_not_be_used_is_a_refusal_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: BlobMissingError | str, status: int
) -> None:
    from obstore import exceptions

    blobs = Blobs.in_directory(tmp_path)
    bucket = OperatorBucket(blobs, "gs://b")

    async def put(_key: str, _pieces: AsyncIterator[bytes]) -> tuple[int, str]:
        if isinstance(raised, str):
            raise StoreUnavailableError("no") from getattr(exceptions, raised)("no")
        raise raised

    monkeypatch.setattr(blobs, "put", put)

    async def pieces() -> AsyncIterator[bytes]:
        yield b""

    with pytest.raises(GeminiError) as refused:
        await bucket.put("media/x", pieces())
    assert refused.value.status == status


async def test_what_the_source_misses_is_not_taken_for_the_bucket(tmp_path: Path) -> None:
    bucket = OperatorBucket(Blobs.in_directory(tmp_path), "gs://b")

    async def pieces() -> AsyncIterator[bytes]:
        raise BlobMissingError("files/of-the-store")
        yield b""

    with pytest.raises(BlobMissingError, match="of-the-store"):
        await bucket.put("media/x", pieces())


async def test_addresses_are_below_the_prefix_alone(tmp_path: Path) -> None:
    bucket = OperatorBucket(Blobs.in_directory(tmp_path), "gs://b/x")
    assert bucket.key(bucket.uri("a/b")) == bucket.key("gs://b/x/a/b/") == "a/b"
    assert bucket.key("gs://b/xy/a") is None
    assert bucket.key("gs://c/x/a") is None


async def test_lines_of_several_objects_do_not_run_together(tmp_path: Path) -> None:
    bucket = OperatorBucket(Blobs.in_directory(tmp_path), "gs://b")
    for name, line in (("a", b"1"), ("b", b"2\n"), ("c", b"")):

        async def pieces(line: bytes = line) -> AsyncIterator[bytes]:
            yield line

        await bucket.put(f"out/{name}", pieces())
    keys = await bucket.keys_below("out")
    assert b"".join([piece async for piece in bucket.joined(keys)]) == b"1\n2\n"
