"""Uploads to Google, in one request or in many.

The address of a resumable upload is the gateway's own, and is all the credential that its chunks need: Google's
libraries send no key with them. What it holds is sealed, so that any replica can go on with the upload.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass

import httpx
import orjson
from starlette.requests import Request
from starlette.types import Send

from gemgate.api.native.exchange import Exchange
from gemgate.api.native.ownership import check_metadata, check_path, claim
from gemgate.api.native.request_body import refuse_packed
from gemgate.api.native.request_headers import OF_UPLOADS, forwarded_request_headers
from gemgate.api.native.responses import headers_of, reply, whole
from gemgate.api.native.upload_copies import (
    Copying,
    Wanted,
    begin,
    finish,
    may_take_name,
    wanted_copy,
)
from gemgate.api.services import Services, caller_of, origin_of
from gemgate.errors import ApiError
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.file_types import MAX_BYTES
from gemgate.web.json_request import read_body

LIFETIME = 7 * 86_400
"""Seconds for which an upload can be gone on with, as at Google."""

_MAX_METADATA = 1_048_576
_ADDRESSES = ("x-goog-upload-url", "x-goog-upload-control-url", "location")
_CREDENTIALS = ("authorization", "x-goog-api-key", "api-key")
_STATUS = "x-goog-upload-status"
_FINAL = "final"


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
    found, googles = headers_of(answer), answer.headers
    copy = wanted_copy(exchange.services.store, request.headers, body)
    for name in _ADDRESSES:
        if address := googles.get(name):
            url = gemini.named_url(address)
            token = UploadToken(str(url), exchange.caller.id, answer.key_label, copy, may_take_name(body))
            found[name] = _address(exchange, token)
    await reply(exchange.send, answer.status, found, await whole(answer, _MAX_METADATA))


async def _at_once(exchange: Exchange) -> None:
    request, services = exchange.request, exchange.services
    await check_path(exchange)
    if services.access.is_shared:
        refuse_packed(request.headers)
    body = Body(request)
    try:
        answer = await exchange.gemini.open(
            exchange.call.method.verb,
            exchange.url,
            key=exchange.caller.key,
            headers=_with_length(request, forwarded_request_headers(request.headers, packed=False, more=OF_UPLOADS)),
            body=body,
            first_byte_timeout=services.settings.request_timeout,
        )
    except GeminiError:
        body.raise_read_error()
        raise
    content = await whole(answer, _MAX_METADATA)
    await asyncio.shield(claim(services, exchange.caller.id, content, answer.key_label))
    await reply(exchange.send, answer.status, headers_of(answer), content)


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
    body = Body(request, copying)
    headers = _with_length(request, forwarded_request_headers(request.headers, packed=False, more=OF_UPLOADS))
    try:
        answer = await gemini.open(
            request.method,
            gemini.named_url(token.url),
            key="",
            headers=headers,
            body=body if _has_body(request) else None,
            first_byte_timeout=settings.request_timeout,
        )
    except GeminiError as error:
        # What Google refused is no part of the file; of what broke off, some may have arrived.
        if copying is not None:
            await copying.end(keep=error.refusal is None)
        body.raise_read_error()
        raise
    except BaseException:
        if copying is not None:
            await copying.end(keep=False)
        raise
    if copying is not None:
        await copying.end(keep=True)
    found = headers_of(answer)
    content = await whole(answer, _MAX_METADATA)
    if found.get(_STATUS) == _FINAL:
        found |= await asyncio.shield(_note(services, token, content))  # a file that is at Google must be somebody's
    await reply(send, answer.status, found, content)


async def _note(services: Services, token: UploadToken, content: bytes) -> dict[str, str]:
    """Note whose the file of a finished upload is, and keep the copy of it; gives the headers that say so."""
    await claim(services, token.owner, content, token.key_label)
    if token.copy is None and not token.may_replace:
        return {}
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


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


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
