"""Uploads to Google, in one request or in many.

The address of a resumable upload is the gateway's own, and is all the credential that its chunks need: Google's
libraries send no key with them. What it holds is sealed, so that any replica can go on with the upload.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass

import httpx
import orjson
from starlette.requests import Request
from starlette.types import Send

from gemgate.api.native.exchange import Exchange
from gemgate.api.native.ownership import check_metadata, check_path, claim
from gemgate.api.native.request_headers import OF_UPLOADS, forwarded_request_headers, refuse_packed
from gemgate.api.native.responses import read_whole, reply
from gemgate.api.native.upload_copies import Copying, Wanted, begin, finish
from gemgate.api.services import Services, caller_of, origin_of
from gemgate.batch_limits import MAX_BATCH_BYTES
from gemgate.errors import ApiError
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.file_types import MAX_BYTES
from gemgate.store import Store
from gemgate.web.json_request import read_body
from gemgate.web.limits_middleware import WHOLE_BODY

LIFETIME = 7 * 86_400
"""Seconds for which an upload can be gone on with, as at Google."""

_MAX_METADATA = 1_048_576
_ADDRESSES = ("x-goog-upload-url", "x-goog-upload-control-url", "location")
_CREDENTIALS = ("authorization", "x-goog-api-key", "api-key")
_STATUS = "x-goog-upload-status"
_FINAL = "final"
_JSON_LINES = frozenset({"jsonl", "application/jsonl", "application/x-jsonlines", "application/x-ndjson"})
_MAX_NAME = 512


@dataclass(frozen=True, slots=True)
class UploadToken:
    """What the gateway must know when an upload goes on.

    Attributes:
        url: Where it goes on at Google.
        owner: `Caller.id` of the caller that began it.
        copy: What to keep of it; None for nothing.
        key_label: What the gateway's key is called that it was begun with; empty for a caller's own.
        may_replace: Whether an earlier file may have the name of this one.
    """

    url: str
    owner: str
    key_label: str = ""
    copy: Wanted | None = None
    may_replace: bool = True


async def start(exchange: Exchange) -> None:
    """Open an upload, or take one that is whole in itself (`multipart` and `raw`)."""
    request = exchange.request
    protocol = request.headers.get("x-goog-upload-protocol") or exchange.query.get("upload_protocol")
    if (protocol or exchange.query.get("uploadType", "")).lower() != "resumable":
        await _at_once(exchange)
        return
    body = await read_body(request, _MAX_METADATA)
    await check_metadata(exchange, body)
    headers = forwarded_request_headers(request.headers, packed=False, more=OF_UPLOADS)
    gemini = exchange.services.gemini
    verb = exchange.call.method.verb
    answer = await gemini.open(verb, exchange.url, key=exchange.caller.key, headers=headers, body=body)
    googles = answer.headers
    status, found, content = await read_whole(answer, _MAX_METADATA)
    copy = wanted_copy(exchange.services.store, request.headers, body)
    addresses: dict[str, str] = {}
    for name in _ADDRESSES:
        if address := googles.get(name):
            url = gemini.named_url(address)
            token = UploadToken(str(url), exchange.caller.id, answer.key_label, copy, may_take_name(body))
            addresses[name] = _address(exchange, token)
    await reply(exchange.send, status, {**found, **addresses}, content)


async def _at_once(exchange: Exchange) -> None:
    request, services = exchange.request, exchange.services
    await check_path(exchange)
    if services.access.is_shared:
        refuse_packed(request.headers)
    body: Body | httpx.ByteStream | None = None
    try:
        body = await _body_of(request)
        answer = await exchange.gemini.open(
            exchange.call.method.verb,
            exchange.url,
            key=exchange.caller.key,
            headers=_with_length(request, forwarded_request_headers(request.headers, packed=False, more=OF_UPLOADS)),
            body=body,
            first_byte_timeout=services.settings.request_timeout,
        )
    except GeminiError:
        if isinstance(body, Body):
            body.raise_read_error()
        raise
    found = await read_whole(answer, _MAX_METADATA)
    await claim(services, exchange.caller.id, found.content, answer.key_label)
    await reply(exchange.send, *found)


def _address(exchange: Exchange, token: UploadToken) -> str:
    """Where the caller goes on: here, at the path where it began."""
    sealed = exchange.services.upload_encryptor.encrypt(orjson.dumps(asdict(token))).decode()
    query = httpx.QueryParams({"upload_id": sealed, "upload_protocol": "resumable"})
    return f"{origin_of(exchange.request)}{exchange.call.path}?{query}"


async def go_on(request: Request, send: Send, services: Services) -> None:
    """A command on an upload: a chunk, its end, a question, a cancellation."""
    token = _token(request, services)
    gemini, settings = services.gemini, services.settings
    is_shared = services.access.is_shared
    if is_shared:
        refuse_packed(request.headers)
    copying = None
    if token.copy is not None:
        copying = begin(services.store, token.owner, token.copy, request.headers, keeps_googles=is_shared)
    body: Body | httpx.ByteStream | None = None
    headers = _with_length(request, forwarded_request_headers(request.headers, packed=False, more=OF_UPLOADS))
    try:
        body = await _body_of(request, copying)
        answer = await gemini.open(
            request.method,
            httpx.URL(token.url),
            key="",
            headers=headers,
            body=body,
            first_byte_timeout=settings.request_timeout,
        )
    except GeminiError as error:
        # What Google refused is no part of the file; of what broke off, some may have arrived.
        if copying is not None:
            await copying.end(keep=error.refusal is None)
        if isinstance(body, Body):
            body.raise_read_error()
        raise
    except BaseException:
        if copying is not None:
            await copying.end(keep=False)
        raise
    if copying is not None:
        await copying.end(keep=True)
    status, found, content = await read_whole(answer, _MAX_METADATA)
    if found.get(_STATUS) == _FINAL:
        found = {**found, **await _note(services, token, content)}
    await reply(send, status, found, content)


async def _note(services: Services, token: UploadToken, content: bytes) -> dict[str, str]:
    """Note whose the file of a finished upload is, and keep the copy of it; gives the headers that say so."""
    if token.copy is None and not token.may_replace:
        await claim(services, token.owner, content, token.key_label)
        return {}
    return await asyncio.shield(_keep(services, token, content))


async def _keep(services: Services, token: UploadToken, content: bytes) -> dict[str, str]:
    await claim(services, token.owner, content, token.key_label)
    return await finish(services.store, token.owner, token.copy, content)


def _token(request: Request, services: Services) -> UploadToken:
    """What the address holds.

    Raises:
        ApiError: 404 when it was not issued by the gateway, or is too old; 403 when another caller continues it; 401
            when the key that began it was withdrawn.
    """
    opened = services.upload_encryptor.decrypt(request.query_params["upload_id"].encode(), LIFETIME)
    if opened is None:
        msg = "The upload does not exist: its URL is not from this gateway, or has expired. Start a new upload."
        raise ApiError(404, msg, code="upload_not_found", headers={_STATUS: "cancelled"})
    given = orjson.loads(opened)
    copy = given["copy"]
    kept, may_replace = Wanted(**copy) if copy else None, given.get("may_replace", True)
    token = UploadToken(given["url"], given["owner"], given["key_label"], kept, may_replace)
    if any(name in request.headers for name in _CREDENTIALS) and caller_of(request).id != token.owner:
        msg = "The upload was begun with another API key."
        raise ApiError(403, msg, code="upload_not_found", headers={_STATUS: "cancelled"})
    if services.access.is_shared and not services.client_keys.has_owner(token.owner):
        msg = "The upload was begun with an API key that is no longer valid."
        raise ApiError(401, msg, code="invalid_api_key", headers={_STATUS: "cancelled"})
    return token


def wanted_copy(store: Store, headers: Mapping[str, str], metadata: bytes) -> Wanted | None:
    """What the beginning of an upload says: its headers, and `{"file": {"displayName": …}}`."""
    size = headers.get("x-goog-upload-header-content-length", "")
    if not size.isdecimal() or not 0 < int(size) <= MAX_BATCH_BYTES:
        return None
    mime_type = headers.get("x-goog-upload-header-content-type", "")
    filename = headers.get("x-goog-upload-file-name", "") or _display_name(metadata) or "upload.jsonl"
    if mime_type.lower() not in _JSON_LINES and not filename.lower().endswith(".jsonl"):
        return None
    return Wanted(store.new_id("upload_"), filename[:_MAX_NAME], mime_type, int(size))


def may_take_name(metadata: bytes) -> bool:
    """Whether the caller may have chosen the name of a file, which an earlier one may have had; Google's are new.

    Google reads looser JSON than others write, so a word is looked for, and what might hide one.
    """
    rest = metadata.lower().replace(b"displayname", b"").replace(b"display_name", b"")
    return b"name" in rest or b"\\" in rest


def _display_name(metadata: bytes) -> str:
    try:
        given = orjson.loads(metadata)
        name = given["file"].get("displayName") or given["file"].get("display_name")
    except (ValueError, TypeError, KeyError, AttributeError):
        return ""
    return name if isinstance(name, str) else ""


async def _body_of(request: Request, copying: Copying | None = None) -> "Body | httpx.ByteStream | None":
    """What is sent: None where there is nothing; a body that is here as a whole, in one write; others as they come.

    The server holds a body as a whole, before somebody reads it, if it fits into its buffer.
    """
    if request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers:
        return None
    if WHOLE_BODY not in request.scope:
        return Body(request, copying)
    content = await request.body()
    _check_size(len(content))
    if copying is not None:
        await copying.feed(content)
    return httpx.ByteStream(content)


def _with_length(request: Request, headers: dict[str, str]) -> dict[str, str]:
    length = request.headers.get("content-length", "")
    return headers | ({"content-length": length} if length.isdecimal() else {})


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise ApiError(413, f"Google takes files of at most {MAX_BYTES} bytes.", code="file_too_large")


class Body(httpx.AsyncByteStream):
    """A caller's body on its way to Google, one read at a time.

    Attributes:
        error: What reading raised: the HTTP client puts an error of its own in its place.
    """

    def __init__(self, request: Request, copying: Copying | None = None) -> None:
        self.error: Exception | None = None
        self._request = request
        self._copying = copying

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for piece in self._request.stream():
                size += len(piece)
                _check_size(size)
                if self._copying is not None:
                    await self._copying.feed(piece)
                if piece:
                    yield piece
        except Exception as error:
            self.error = error
            raise

    def raise_read_error(self) -> None:
        """Raise what reading raised, if anything: it is why the call failed."""
        if self.error is not None:
            raise self.error
