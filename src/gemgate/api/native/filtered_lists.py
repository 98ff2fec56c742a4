"""Lists in which a caller sees its own: pages rebuilt from Google's.

A page that is announced must hold something: google-genai's pager for Python fails on an empty one. So the next item is
looked for before a next page is promised.
"""

from typing import Any

import orjson

from gemgate.api.native.exchange import Exchange
from gemgate.api.native.ownership import object_in, visible
from gemgate.api.native.request_headers import forwarded_request_headers
from gemgate.api.native.responses import WholeAnswer, read_whole
from gemgate.errors import ApiError
from gemgate.gemini.proto_json import text
from gemgate.gemini.resource_names import without_place

PAGE = "gemgate-page:"
"""What a page token of the gateway's begins with; how many items to pass over and Google's token follow."""

_DEFAULT = 50
_MAX = 100
_MAX_PAGES = 200
_MAX_READ = 67_108_864


async def filtered(exchange: Exchange) -> WholeAnswer:
    """A page of what this caller may see.

    Raises:
        ApiError: 400, an invalid size or token.
    """
    field, size = exchange.call.method.lists, page_size(exchange)
    skip, token = _place(exchange.query.get("pageToken", ""))
    items: list[object] = []
    following = ""
    for _ in range(_MAX_PAGES):
        answer = await _page(exchange, token)
        page = object_in(answer.content)
        found = await _visible(exchange, page.get(field))
        taken = found[skip : skip + size - len(items)]
        items += taken
        if skip + len(taken) < len(found):
            following = f"{PAGE}{skip + len(taken)}:{token}"
            break
        skip, token = 0, text(page.get("nextPageToken"))
        if not token:
            break
    else:
        following = f"{PAGE}0:{token}"
    body = {field: items} | ({"nextPageToken": following} if following else {})
    return answer._replace(content=orjson.dumps(body))


def page_size(exchange: Exchange, default: int = _DEFAULT) -> int:
    """`pageSize`, from 1 to 100.

    Raises:
        ApiError: 400, it is not a number.
    """
    text = exchange.query.get("pageSize") or "0"
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ApiError(400, f"'pageSize' is {text[:40]!r}, which is not a number of items.", code="invalid_value")
    return min(int(text) or default, _MAX)


def _place(token: str) -> tuple[int, str]:
    """How many items of Google's page to pass over, and the token of that page."""
    if not token:
        return 0, ""
    skip, colon, rest = token.removeprefix(PAGE).partition(":")
    if not token.startswith(PAGE) or not colon or not (skip.isascii() and skip.isdecimal() and len(skip) < 10):
        raise ApiError(400, "'pageToken' is not from this gateway.", code="invalid_value")
    return int(skip), rest


async def _page(exchange: Exchange, token: str) -> WholeAnswer:
    query = exchange.query.set("pageSize", str(_MAX)).remove("pageToken")
    url = exchange.gemini.url(exchange.call.path, query.set("pageToken", token) if token else query)
    headers = forwarded_request_headers(exchange.request.headers, packed=False)
    return await read_whole(await exchange.gemini.open("GET", url, key=exchange.key, headers=headers), _MAX_READ)


async def _visible(exchange: Exchange, found: Any) -> list[object]:
    items = [item for item in found or () if isinstance(item, dict)]
    seen = await visible(exchange, {_name(item) for item in items})
    return [item for item in items if _name(item) in seen]


def _name(item: dict[str, object]) -> str:
    return without_place(str(item.get("name", "")))
