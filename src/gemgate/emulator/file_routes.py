"""/v1beta/files: list, get, delete, metadata only, and the way to the bytes of what the service made."""

import re

from starlette.requests import Request
from starlette.types import ASGIApp

from gemgate.emulator.caches import paged
from gemgate.emulator.content import ContentReply, RequestContent
from gemgate.emulator.course import begin_resource, whole
from gemgate.emulator.delivery import Delivery
from gemgate.emulator.errors import GoogleApiError, bad_request, invalid
from gemgate.emulator.files import UploadedFile
from gemgate.emulator.incoming import (
    caller,
    origin,
    paging,
    read,
)
from gemgate.emulator.replies import JSON, headers, html_reply
from gemgate.emulator.scenarios import Scenario
from gemgate.emulator.state import EmulatorState
from gemgate.emulator.stream import pretty
from gemgate.emulator.validation import parse

DEFAULT_PAGE = 10
MAX_PAGE = 100
_DOWNLOAD = ":download"
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


async def create(state: EmulatorState, request: Request) -> Delivery:
    """POST /v1beta/files: a file of metadata only.

    Raises:
        ApiError: 400 for what does not fit the schema, and as `Files.check`.
    """
    canonical, found = parse("CreateFileRequest", await read(state, request) or {})
    if found:
        raise bad_request(found)
    scenario = _begin(state, request)
    file = state.files.add(caller(request).owner, RequestContent(), canonical.get("file") or {})
    return whole(state, scenario, pretty({"file": file.resource(state.now(), origin(request))}))


async def list_files(state: EmulatorState, request: Request) -> Delivery:
    """GET /v1beta/files.

    Raises:
        ApiError: 400, an invalid size or token.
    """
    await read(state, request)
    scenario = _begin(state, request)
    size, token = paging(request)
    files = state.files.listed(caller(request).owner, origin(request))
    page = paged("files", files, size, token, default=DEFAULT_PAGE, maximum=MAX_PAGE)
    return whole(state, scenario, pretty(page))


async def one_file(state: EmulatorState, request: Request) -> ASGIApp:
    """GET and DELETE /v1beta/files/{id}, and GET /v1beta/files/{id}:download.

    Raises:
        ApiError: 403 for a file that this key does not have.
    """
    await read(state, request)
    scenario = _begin(state, request)
    name = request.path_params["name"]
    owner = caller(request).owner
    if request.method == "DELETE":
        state.files.delete(owner, name)
        return whole(state, scenario, pretty({}))
    if name.endswith(_DOWNLOAD):
        return _redirect(state, request, name.removesuffix(_DOWNLOAD))
    return whole(state, scenario, pretty(state.files.get(owner, name).resource(state.now(), origin(request))))


async def download(state: EmulatorState, request: Request) -> ASGIApp:
    """GET /download/v1beta/files/{id}:download?alt=media, with `Range`.

    Raises:
        ApiError: 400 for an uploaded file and for a range outside of the file, 403 for an unknown one.
    """
    await read(state, request)
    scenario = _begin(state, request)
    name = request.path_params["name"]
    if not name.endswith(_DOWNLOAD):
        return html_reply(state, 404)
    file = _downloadable(state, request, name.removesuffix(_DOWNLOAD))
    if scenario != Scenario():
        return whole(state, scenario, file.content.read())
    return _reply(file, request.headers.get("range", ""))


def _begin(state: EmulatorState, request: Request) -> Scenario:
    return begin_resource(state, caller(request), f"{request.method} {request.url.path}")


def _downloadable(state: EmulatorState, request: Request, name: str) -> UploadedFile:
    file = state.files.get(caller(request).owner, name)
    if file.source != "GENERATED":
        raise invalid("Only generated files can be downloaded, uploaded files can't be.")
    return file


def _redirect(state: EmulatorState, request: Request, name: str) -> Delivery:
    """As recorded: the answer that says where the bytes are looks like an error."""
    file = _downloadable(state, request, name)
    if request.query_params.get("alt") != "media":
        return Delivery(state, 200, headers(JSON), [pretty({})])
    version = request.path_params["version"]
    place = f"{origin(request)}/download/{version}/{file.name}:download?alt=media"
    body = pretty(GoogleApiError(302, "Unknown Error.").body())
    return Delivery(state, 302, {**headers(JSON), "location": place}, [body])


def _reply(file: UploadedFile, asked: str) -> ContentReply:
    size = file.content.size
    found = {"content-type": file.mime_type, "accept-ranges": "bytes"}
    given = _RANGE.fullmatch(asked.strip())
    if not given or given.groups() == ("", ""):
        return ContentReply(file.content, 200, found, 0, size)
    first, last = given.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= end:
        raise GoogleApiError(416, f"The range is outside of the file of {size} bytes.", reason="OUT_OF_RANGE")
    return ContentReply(file.content, 206, {**found, "content-range": f"bytes {start}-{end - 1}/{size}"}, start, end)
