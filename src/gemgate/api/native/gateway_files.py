"""Files that the gateway keeps itself, on Google's paths: results of batches, and copies of inputs."""

from collections.abc import Mapping
from typing import Any

import orjson

from gemgate.api.native.exchange import Exchange
from gemgate.api.native.file_resource import file_resource
from gemgate.api.native.filtered_lists import page_size
from gemgate.api.native.passthrough import download, plain, read
from gemgate.api.native.responses import reply
from gemgate.api.services import origin_of
from gemgate.errors import ApiError
from gemgate.store import BlobMissingError, FileRow, UnknownCursorError
from gemgate.store.ids import second_of
from gemgate.web.file_response import content_response

_JSON = {"content-type": "application/json; charset=UTF-8"}
_PAGE = 10

_OWN_PAGES = "gemgate-files:"
"""What a page token of the gateway's own begins with; the id of the file before the page follows."""


async def get(exchange: Exchange) -> None:
    """A file of the gateway's, or else Google's answer."""
    row = await _own(exchange)
    if row is None:
        await plain(exchange)
    else:
        await _reply(exchange, file_resource(row, origin_of(exchange.request)))


async def fetch(exchange: Exchange) -> None:
    """The bytes of a file of the gateway's, or of its copy of one of Google's; else Google's answer."""
    name = f"files/{exchange.call.names[0]}"
    row = await exchange.services.store.files.get(exchange.caller.id, name)
    if row is None:
        await download(exchange)
        return
    try:
        response = await content_response(exchange.request, exchange.services.store, row)
    except BlobMissingError:
        raise _gone(name) from None
    await response(exchange.request.scope, exchange.request.receive, exchange.send)


async def delete(exchange: Exchange) -> None:
    """Delete a file of the gateway's; or one of Google's, and its copy with it."""
    files, name = exchange.services.store.files, f"files/{exchange.call.names[0]}"
    if await _own(exchange) is not None:
        await files.delete(exchange.caller.id, name)
        await _reply(exchange, {})
        return
    answer = await read(exchange)
    await files.delete(exchange.caller.id, name)
    await reply(exchange.send, *answer)


async def listed(exchange: Exchange) -> None:
    """Google's files, page by page as it lists them, and then the gateway's own."""
    token = exchange.query.get("pageToken", "")
    if token.startswith(_OWN_PAGES):
        await _reply(exchange, await _page(exchange, token.removeprefix(_OWN_PAGES)))
        return
    status, headers, content = await read(exchange)
    found = await exchange.services.store.files.list(exchange.caller.id, limit=1, copies=False)
    if found.rows:
        content = _led_on(content)
    await reply(exchange.send, status, headers, content)


def _led_on(content: bytes) -> bytes:
    """Google's last page, with the token of the gateway's first one; any other page as it is."""
    try:
        page = orjson.loads(content or b"{}")
    except orjson.JSONDecodeError:
        return content
    if not isinstance(page, dict) or page.get("nextPageToken"):
        return content
    return orjson.dumps(page | {"nextPageToken": _OWN_PAGES})


async def _page(exchange: Exchange, after: str) -> dict[str, Any]:
    """The gateway's own files that follow the id `after`, the newest first."""
    limit = page_size(exchange, _PAGE)
    files = exchange.services.store.files
    try:
        page = await files.list(exchange.caller.id, after=after or None, limit=limit, copies=False)
    except UnknownCursorError:
        raise ApiError(400, "'pageToken' is not from this gateway.", code="invalid_value") from None
    more = {"nextPageToken": _OWN_PAGES + page.rows[-1].id} if page.has_more else {}
    return {"files": [file_resource(row, origin_of(exchange.request)) for row in page.rows]} | more


async def _own(exchange: Exchange) -> FileRow | None:
    """The file, if its name is an id of the gateway's.

    Raises:
        ApiError: 404 when it is one, and the file does not exist.
    """
    (name,) = exchange.call.names
    if second_of(name) is None:
        return None
    row = await exchange.services.store.files.get(exchange.caller.id, name)
    if row is None:
        raise _gone(f"files/{name}")
    return row


def _gone(name: str) -> ApiError:
    return ApiError(404, f"The gateway has no file {name}, or it is another caller's.", code="file_not_found")


async def _reply(exchange: Exchange, value: Mapping[str, object]) -> None:
    await reply(exchange.send, 200, _JSON, orjson.dumps(value))
