"""POST /upload/v1beta/files: the resumable protocol in headers, `multipart/related`, and raw bytes."""

from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

import orjson
from starlette.requests import Request

from gemgate.emulator import auth
from gemgate.emulator.content import RequestContent
from gemgate.emulator.course import begin_resource, paced, whole
from gemgate.emulator.delivery import Delivery, Reset
from gemgate.emulator.errors import (
    GoogleApiError,
    bad_request,
    invalid,
    not_found,
)
from gemgate.emulator.files import UploadedFile, random_id
from gemgate.emulator.incoming import (
    caller,
    origin,
    saw,
    too_large,
)
from gemgate.emulator.prompt import scenario_in
from gemgate.emulator.replies import JSON, headers
from gemgate.emulator.scenarios import Scenario
from gemgate.emulator.state import EmulatorState
from gemgate.emulator.stream import pretty
from gemgate.emulator.timing import GRANULARITY
from gemgate.emulator.validation import parse

COMMANDS = frozenset({"upload", "finalize", "query", "cancel"})
_DEFAULT_TYPE = "application/octet-stream"


@dataclass(slots=True)
class UploadSession:
    """A resumable upload. `declared` is its length, if the client declared it; `break_at` where it will be cut once."""

    id: str
    owner: str
    wanted: dict[str, object]
    declared: int | None
    scenario: Scenario
    break_at: int | None
    content: RequestContent = field(default_factory=RequestContent)
    status: str = "active"
    file: UploadedFile | None = None
    turn: int = 0
    final_size: int = 0


async def upload(state: EmulatorState, request: Request) -> Delivery:
    """All of the endpoint; which protocol is asked for decides.

    Raises:
        ApiError: What Google would refuse, and what the scenario refuses.
    """
    if upload_id := request.query_params.get("upload_id"):
        return await _continue(state, request, upload_id)
    asked = request.headers.get("x-goog-upload-protocol") or request.query_params.get("upload_protocol")
    protocol = asked or request.query_params.get("uploadType", "")
    if protocol == "resumable":
        return await _start(state, request)
    if protocol == "multipart":
        return await _multipart(state, request)
    if protocol in {"raw", "media"}:
        return await _raw(state, request)
    await _body(state, request)
    raise invalid("Upload protocol is not supported: use resumable, multipart or raw in X-Goog-Upload-Protocol.")


async def _body(state: EmulatorState, request: Request) -> bytes:
    """The bytes of a request that carries its file, or the fields of one, in itself."""
    raw = bytearray()
    async for piece in request.stream():
        raw += piece
        if len(raw) > state.limits.body:
            raise too_large(state.limits.body)
    saw(state, request, None, len(raw))
    auth.check_credential(request.headers, request.query_params)
    return bytes(raw)


def _fields(raw: bytes) -> dict[str, Any]:
    """The `UploadedFile` fields of `{"file": {…}}`, or nothing for an empty body.

    Raises:
        ApiError: 400, no JSON or not of this form.
    """
    try:
        given = orjson.loads(raw) if raw.strip() else {}
    except orjson.JSONDecodeError:
        raise invalid("Invalid JSON payload received. Unexpected token.") from None
    canonical, found = parse("CreateFileRequest", given)
    if found:
        raise bad_request(found)
    return canonical.get("file") or {}


def _typed(wanted: dict[str, object], mime_type: str) -> dict[str, object]:
    return {**wanted, "mimeType": mime_type or wanted.get("mimeType") or _DEFAULT_TYPE}


def _scenario(state: EmulatorState, request: Request, wanted: dict[str, Any]) -> Scenario:
    display_name = wanted.get("displayName", "")
    return begin_resource(state, caller(request), f"upload {display_name}", scenario_in(display_name))


async def _start(state: EmulatorState, request: Request) -> Delivery:
    raw = await _body(state, request)
    if request.headers.get("x-goog-upload-command", "").strip().lower() != "start":
        raise invalid("An upload begins with X-Goog-Upload-Command: start.")
    length = request.headers.get("x-goog-upload-header-content-length", "")
    if length and not (length.isascii() and length.isdigit()):
        raise invalid(f"Invalid X-Goog-Upload-Header-Content-Length: {length}")
    wanted = _typed(_fields(raw), request.headers.get("x-goog-upload-header-content-type", ""))
    owner = caller(request).owner
    state.files.check_new(owner, wanted, int(length or 0))
    scenario = _scenario(state, request, wanted)
    made = UploadSession(
        id=random_id(48),
        owner=owner,
        wanted=wanted,
        declared=int(length) if length else None,
        scenario=scenario,
        break_at=int(scenario.number) if scenario.name == "reset-upload" else None,
    )
    state.uploads[made.id] = made
    place = f"{origin(request)}/upload/{request.path_params['version']}/files?upload_id={made.id}"
    found = {
        "content-type": "text/plain; charset=utf-8",
        "x-goog-upload-status": "active",
        "x-goog-upload-url": f"{place}&upload_protocol=resumable",
        "x-goog-upload-control-url": f"{place}&upload_protocol=resumable",
        "x-goog-upload-chunk-granularity": str(GRANULARITY),
    }
    return Delivery(state, 200, found, paced(scenario, [b""]))


async def _continue(state: EmulatorState, request: Request, upload_id: str) -> Delivery:
    """A command on an open upload. Its address is the credential: Google's clients send no key with it."""
    found = state.uploads.get(upload_id)
    try:
        if found is None:
            raise not_found()
        commands = _commands(found, request)
        found.turn += 1
        if "upload" in commands and await _take(state, request, found, is_last="finalize" in commands):
            return Delivery(state, 200, {}, [Reset()])
        await _drain(state, request, "upload" not in commands)
        if "cancel" in commands:
            found.status = "cancelled"
        if "finalize" in commands:
            return _finalize(state, request, found)
        return Delivery(state, 200, _status(found, "text/plain; charset=utf-8"), [b""])
    except GoogleApiError as error:
        # Google's clients look for the status of the upload in every answer.
        await _drain(state, request, found is None)
        status = _status(found, JSON) if found else headers(JSON)
        return Delivery(state, error.status, status, [pretty(error.body())])


def _commands(found: UploadSession, request: Request) -> set[str]:
    """What is asked of an upload.

    Raises:
        ApiError: 400, no command, one that comes too late, or bytes for another place than the next.
    """
    commands = {each.strip() for each in request.headers.get("x-goog-upload-command", "").lower().split(",")}
    if not commands <= COMMANDS:
        raise invalid("X-Goog-Upload-Command must be upload, finalize, query or cancel.")
    if found.status != "active" and commands != {"query"}:
        raise invalid("Upload has already been terminated.")
    offset = request.headers.get("x-goog-upload-offset", "")
    if "upload" in commands and offset != str(found.content.size):
        raise invalid(f"Upload offset {offset or 'is missing'}: {found.content.size} bytes have been received.")
    return commands


async def _drain(state: EmulatorState, request: Request, is_new: bool) -> None:
    """Read what is left of the body, so that the client can finish sending; `is_new` remembers the request."""
    size = 0
    with suppress(RuntimeError):  # the body has been read already
        async for piece in request.stream():
            size += len(piece)
    if is_new:
        saw(state, request, None, size)


async def _take(state: EmulatorState, request: Request, found: UploadSession, *, is_last: bool) -> bool:
    """Write a chunk as it arrives; whether the connection is to be reset now. What arrived before a break is kept.

    Raises:
        ApiError: 400, more bytes than were declared, or a chunk that is not a multiple of the granularity.
        ClientDisconnect: The client left.
    """
    turn, start = found.turn, found.content.size
    maximum = state.limits.file if found.declared is None else found.declared
    async for piece in request.stream():
        if found.turn != turn:
            raise invalid("Another request goes on with this upload.")
        if found.break_at is not None and found.content.size + len(piece) >= found.break_at:
            found.content.write(piece[: max(0, found.break_at - found.content.size)])
            found.break_at = None
            saw(state, request, None, found.content.size - start)
            return True
        if found.content.size + len(piece) > maximum:
            raise invalid(f"More bytes were sent than the {maximum} of the upload.")
        found.content.write(piece)
    size = found.content.size
    saw(state, request, None, size - start)
    if not is_last and (size - start) % GRANULARITY and size % GRANULARITY:
        raise invalid(f"The length of every chunk but the last must be a multiple of {GRANULARITY} bytes.")
    return False


def _finalize(state: EmulatorState, request: Request, found: UploadSession) -> Delivery:
    if found.declared not in {None, found.content.size}:
        raise invalid(f"The upload has {found.content.size} bytes, and {found.declared} were declared.")
    found.file = state.files.add(found.owner, found.content, found.wanted, found.scenario)
    found.status, found.final_size, found.content = "final", found.content.size, RequestContent()
    raw = pretty({"file": found.file.resource(state.now(), origin(request))})
    return Delivery(state, 200, _status(found, JSON), [raw])


def _status(found: UploadSession, kind: str) -> dict[str, str]:
    return {
        "content-type": kind,
        "x-goog-upload-status": found.status,
        "x-goog-upload-size-received": str(found.final_size or found.content.size),
        "x-goog-upload-chunk-granularity": str(GRANULARITY),
    }


async def _multipart(state: EmulatorState, request: Request) -> Delivery:
    raw = await _body(state, request)
    fields, mime_type, data = split_related(request.headers.get("content-type", ""), raw)
    return _at_once(state, request, _typed(_fields(fields), mime_type), data)


async def _raw(state: EmulatorState, request: Request) -> Delivery:
    raw = await _body(state, request)
    kind = request.headers.get("x-goog-upload-header-content-type") or request.headers.get("content-type", "")
    name = request.headers.get("x-goog-upload-file-name", "")
    return _at_once(state, request, _typed({"displayName": name} if name else {}, kind), raw)


def _at_once(state: EmulatorState, request: Request, wanted: dict[str, object], data: bytes) -> Delivery:
    owner = caller(request).owner
    state.files.check_new(owner, wanted, len(data))
    scenario = _scenario(state, request, wanted)
    file = state.files.add(owner, RequestContent(data), wanted, scenario)
    return whole(state, scenario, pretty({"file": file.resource(state.now(), origin(request))}))


def split_related(content_type: str, raw: bytes) -> tuple[bytes, str, bytes]:
    """The JSON part, the type of the second part, and its bytes.

    Raises:
        ApiError: 400, not two parts of `multipart/related`.
    """
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/related" or not isinstance(boundary, str):
        raise invalid("Multipart uploads need Content-Type: multipart/related with a boundary.")
    mark = b"--" + boundary.encode()
    pieces: list[bytes] = [piece.removesuffix(b"\r\n") for piece in (b"\r\n" + raw).split(b"\r\n" + mark)[1:]]
    if len(pieces) != 3 or not pieces[-1].startswith(b"--"):
        raise invalid("A multipart upload has two parts: the metadata and the file.")
    (_, fields), (kind, data) = (_part(piece) for piece in pieces[:2])
    return fields, kind, data


def _part(piece: bytes) -> tuple[str, bytes]:
    """Content type and body of one part."""
    head, _, body = piece.partition(b"\r\n\r\n")
    for line in head.decode("latin-1").splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-type":
            return value.strip(), body
    return "", body
