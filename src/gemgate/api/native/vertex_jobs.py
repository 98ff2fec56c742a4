"""Creates batch jobs on Vertex AI's own path, for callers who share the gateway's credentials.

The lines of such a job are requests that run with the gateway's rights. They are checked as those of a body, and since
their object may be written again while Google waits, the job reads a copy, made as they were checked.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import uuid4

import orjson
import structlog

from gemgate.api.native.batch_lines import checked
from gemgate.api.native.exchange import Exchange
from gemgate.api.native.job_order import FOLDERS, CallerFolder, JobOrder, ordered
from gemgate.api.native.ownership import is_shared, remember
from gemgate.api.native.passthrough import plain
from gemgate.api.native.request_body import parsed_unambiguously
from gemgate.api.native.request_headers import forwarded_request_headers, refuse_unreadable
from gemgate.api.native.responses import WholeAnswer, read_whole, reply
from gemgate.batch_limits import MAX_BATCH_BYTES
from gemgate.errors import ApiError
from gemgate.gemini.client.response import GeminiResponse
from gemgate.gemini.errors import GeminiError, TransportError
from gemgate.media.bucket import SETTING, OperatorBucket
from gemgate.store.errors import BlobMissingError, StoreError
from gemgate.web.disconnect import cancelled_on_disconnect
from gemgate.web.json_request import read_body

_COPIES = "native"
_MAX_BODY = 1_048_576
_MAX_READ = 67_108_864
_SOURCES = "inputConfig.gcsSource.uris"

_log = structlog.get_logger()


async def create(exchange: Exchange) -> None:
    """Create a job. Where nobody shares the credentials, the body goes on as it is: Google decides about it.

    Raises:
        ApiError: 400 without a bucket, or for what such a job may not have; 403 for a model; 404 for what a line names.
    """
    if not is_shared(exchange):
        await plain(exchange)
        return
    bucket = exchange.services.bucket
    if bucket is None:
        msg = (
            f"Batch jobs need {SETTING}: callers share the gateway's credentials, so that each reads and writes in a "
            "folder of its own there. Ask the operator to set it."
        )
        raise ApiError(400, msg, code="bucket_missing")
    request = exchange.request
    body = await read_body(request, _MAX_BODY)
    refuse_unreadable(request.headers)
    folder = _folder(exchange, bucket)
    order = ordered(parsed_unambiguously(body), folder)
    exchange.caller.check_model(order.model)
    async with cancelled_on_disconnect(request):
        answer, found = await _created(exchange, bucket, order, folder)
    await remember(exchange, answer, found.content)
    await reply(exchange.send, *found)


def _folder(exchange: Exchange, bucket: OperatorBucket) -> CallerFolder:
    key = f"{FOLDERS}/{exchange.caller.id}/"
    return CallerFolder(key, bucket.uri(key))


async def _created(
    exchange: Exchange, bucket: OperatorBucket, order: JobOrder, folder: CallerFolder
) -> tuple[GeminiResponse, WholeAnswer]:
    """Google's answer. The copies stay where it is not known whether there is a job that reads them.

    Raises:
        ApiError: 400, an object is missing; 413, they are too large; 404 and 403 for what a line names.
        GeminiError: Google refuses the job, or the bucket may not be used.
        StoreError: Cloud Storage does not answer.
    """
    await _check_sizes(bucket, order)
    place = f"{_COPIES}/{uuid4().hex}"
    try:
        copies = [
            await _copied(exchange, bucket, key, f"{place}/{number}.jsonl", folder)
            for number, key in enumerate(order.sources)
        ]
        body = orjson.dumps(order.body(copies))
        headers = forwarded_request_headers(exchange.request.headers, packed=False)
        answer = await exchange.gemini.open("POST", exchange.url, key=exchange.key, headers=headers, body=body)
        return answer, await read_whole(answer, _MAX_READ)
    except TransportError:
        raise
    except (ApiError, GeminiError):
        await _forget(bucket, place)
        raise


async def _copied(exchange: Exchange, bucket: OperatorBucket, key: str, copy: str, folder: CallerFolder) -> str:
    """The address of a copy of an object of lines, each of which was checked.

    Raises:
        ApiError: 400, it is missing; 413, it is too large; 404 and 403 for what its lines name.
        GeminiError: the bucket may not be used.
        StoreError: Cloud Storage does not answer.
    """

    async def pieces() -> AsyncGenerator[bytes]:
        size = 0
        async with aclosing(bucket.joined([key])) as read, aclosing(checked(exchange, read, folder.uri)) as good:
            async for piece in good:
                size += len(piece)
                if size > MAX_BATCH_BYTES + 1:  # it has grown since it was looked at; an end of line may be added
                    raise _too_large(size)
                yield piece

    try:
        async with aclosing(pieces()) as good:
            await bucket.put(copy, good)
    except BlobMissingError as error:
        raise _missing(bucket.uri(key)) from error
    return bucket.uri(copy)


async def _check_sizes(bucket: OperatorBucket, order: JobOrder) -> None:
    """Refuse objects that are missing, or that have more bytes together than the input of a batch may have.

    Raises:
        ApiError: 400 or 413.
        GeminiError: the bucket may not be used.
        StoreError: Cloud Storage does not answer.
    """
    total = 0
    for key in order.sources:
        size = await bucket.size(key)
        if size is None:
            raise _missing(bucket.uri(key))
        total += size
    if total > MAX_BATCH_BYTES:
        raise _too_large(total)


def _too_large(size: int) -> ApiError:
    msg = f"The objects have {size} bytes together, and at most {MAX_BATCH_BYTES} are taken. Split them up."
    return ApiError(413, msg, param=_SOURCES, code="max_file_size_exceeded")


def _missing(uri: str) -> ApiError:
    return ApiError(400, f"There is no object {uri}.", param=_SOURCES, code="object_not_found")


async def _forget(bucket: OperatorBucket, place: str) -> None:
    """Delete copies that no job reads; the bucket's lifecycle rule does it otherwise."""
    try:
        await bucket.delete_below(place)
    except (GeminiError, StoreError) as error:
        _log.info("copies of a job's requests stay in the bucket", place=place, error=type(error).__name__)
