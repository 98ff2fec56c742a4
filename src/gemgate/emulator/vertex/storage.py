"""Cloud Storage, by the XML API that object store libraries speak: objects, their listing, uploads in parts.

Source: https://cloud.google.com/storage/docs/xml-api/reference-methods. A bucket is there with its first object, except
those whose names begin with `missing`; those that begin with `foreign` may not be used.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gemgate.emulator.content import ContentReply, RequestContent
from gemgate.emulator.files import random_id
from gemgate.emulator.incoming import saw
from gemgate.emulator.state import EmulatorState

PREFIX = "/storage"
"""Below this is what `https://storage.googleapis.com` has at its root."""

_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{1,15})?")
_PAGE = 1000


@dataclass(slots=True)
class PartedUpload:
    """An upload in parts, by their numbers."""

    place: str
    parts: dict[int, RequestContent] = field(default_factory=dict)


class StorageRefusal(Exception):  # noqa: N818  it is an answer
    """What is answered in place of an object."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def storage_routes(state: EmulatorState) -> list[Route]:
    """The routes of Cloud Storage."""

    def route(path: str, handler: Callable[[EmulatorState, Request], Awaitable[ASGIApp]], *methods: str) -> Route:
        async def endpoint(request: Request) -> ASGIApp:
            try:
                saw(state, request, None, 0)
                _check_credential(state, request)
                _check_bucket(request.path_params["bucket"])
                return await handler(state, request)
            except StorageRefusal as refusal:
                text = f"<Error><Code>{refusal.code}</Code><Message>{escape(str(refusal))}</Message></Error>"
                return _xml(text, refusal.status)

        return Route(f"{PREFIX}/{path}", endpoint, methods=list(methods))

    return [
        route("{bucket}", _list, "GET"),
        route("{bucket}/{name:path}", _object, "GET", "HEAD", "PUT", "DELETE", "POST"),
    ]


def _check_credential(state: EmulatorState, request: Request) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not state.tokens.is_good(token):
        raise StorageRefusal(401, "AuthenticationRequired", "Authentication required.")


def _check_bucket(bucket: str) -> None:
    if bucket.startswith("missing"):
        raise StorageRefusal(404, "NoSuchBucket", "The specified bucket does not exist.")
    if bucket.startswith("foreign"):
        raise StorageRefusal(403, "AccessDenied", "Access denied.")


async def _object(state: EmulatorState, request: Request) -> ASGIApp:
    place = f"{request.path_params['bucket']}/{request.path_params['name']}"
    if request.method == "PUT":
        return await _put(state, request, place)
    if request.method == "POST":
        return await _parted(state, request, place)
    if "uploadId" in request.query_params:  # aborted
        state.operations.pop(request.query_params["uploadId"], None)
        return Response(status_code=204)
    found = state.objects.get(place)
    if found is None:
        raise StorageRefusal(404, "NoSuchKey", "The specified key does not exist.")
    if request.method == "DELETE":
        del state.objects[place]
        return Response(status_code=204)
    content, changed = found
    headers = {
        "content-type": "application/octet-stream",
        "etag": _etag(content),
        "last-modified": datetime.fromtimestamp(changed, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"),
    }
    if request.method == "HEAD":
        return Response(headers={**headers, "content-length": str(content.size)})
    start, end, status = 0, content.size, 200
    if given := _RANGE.fullmatch(request.headers.get("range", "")):
        start, end = int(given[1]), min(int(given[2] or content.size) + 1, content.size)
        if start >= end:
            raise StorageRefusal(416, "InvalidRange", "The requested range cannot be satisfied.")
        headers["content-range"], status = f"bytes {start}-{end - 1}/{content.size}", 206
    return ContentReply(content, status, headers, start, end)


async def _put(state: EmulatorState, request: Request, place: str) -> ASGIApp:
    content = RequestContent()
    async for piece in request.stream():
        content.write(piece)
    if upload_id := request.query_params.get("uploadId"):
        _upload(state, upload_id, place).parts[int(request.query_params["partNumber"])] = content
    else:
        state.objects[place] = content, state.now()
    return Response(headers={"etag": _etag(content)})


async def _parted(state: EmulatorState, request: Request, place: str) -> ASGIApp:
    if upload_id := request.query_params.get("uploadId"):
        upload, whole = _upload(state, upload_id, place), RequestContent()
        for _, part in sorted(upload.parts.items()):
            for piece in part.pieces():
                whole.write(piece)
        state.objects[place] = whole, state.now()
        del state.operations[upload_id]
        return _xml(f"<CompleteMultipartUploadResult><ETag>{_etag(whole)}</ETag></CompleteMultipartUploadResult>")
    upload_id = random_id(40)
    state.operations[upload_id] = PartedUpload(place)
    bucket, _, name = place.partition("/")
    return _xml(
        f"<InitiateMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{escape(name)}</Key>"
        f"<UploadId>{upload_id}</UploadId></InitiateMultipartUploadResult>"
    )


def _upload(state: EmulatorState, upload_id: str, place: str) -> PartedUpload:
    upload = state.operations.get(upload_id)
    if not isinstance(upload, PartedUpload) or upload.place != place:
        raise StorageRefusal(404, "NoSuchUpload", "The requested upload was not found.")
    return upload


async def _list(state: EmulatorState, request: Request) -> ASGIApp:
    bucket, asked = request.path_params["bucket"], request.query_params
    prefix = f"{bucket}/{asked.get('prefix', '')}"
    after = asked.get("continuation-token") or asked.get("start-after") or ""
    names = sorted(place for place in state.objects if place.startswith(prefix) and place > f"{bucket}/{after}")
    size = min(int(asked.get("max-keys") or _PAGE), _PAGE)
    shown = "".join(map(partial(_entry, state), names[:size]))
    more = len(names) > size
    token = f"<NextContinuationToken>{escape(_name(names[size - 1]))}</NextContinuationToken>" if more else ""
    return _xml(
        f"<ListBucketResult><Name>{bucket}</Name><IsTruncated>{str(more).lower()}</IsTruncated>{token}{shown}"
        "</ListBucketResult>"
    )


def _entry(state: EmulatorState, place: str) -> str:
    content, changed = state.objects[place]
    moment = datetime.fromtimestamp(changed, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return (
        f"<Contents><Key>{escape(_name(place))}</Key><LastModified>{moment}</LastModified>"
        f"<ETag>{_etag(content)}</ETag><Size>{content.size}</Size></Contents>"
    )


def _name(place: str) -> str:
    return place.partition("/")[2]


def _etag(content: RequestContent) -> str:
    return f'"{hashlib.md5(content.hash().encode(), usedforsecurity=False).hexdigest()}"'


def _xml(text: str, status: int = 200) -> Response:
    return Response(f"<?xml version='1.0' encoding='UTF-8'?>{text}", status, media_type="application/xml")
