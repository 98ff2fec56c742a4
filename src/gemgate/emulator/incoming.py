"""Reads requests: the JSON body, the caller, the paging."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson
from starlette.requests import Request

from gemgate.emulator import auth
from gemgate.emulator.errors import GoogleApiError, invalid
from gemgate.emulator.scenarios import HEADER
from gemgate.emulator.state import EmulatorState

MAX_PAGE_SIZE = 2**31


@dataclass(frozen=True, slots=True)
class RequestIdentity:
    """Who asks, and how.

    Attributes:
        owner: A digest of the credential: files and jobs belong to it.
        version: The version in the path.
        scenario: What asks for a scenario: the header, or a key such as `emulator-429`; else "".
    """

    owner: str
    version: str = "v1beta"
    scenario: str = ""


def caller(request: Request) -> RequestIdentity:
    """The caller of a request whose credential was checked."""
    owner = auth.owner(request.headers, request.query_params)
    scenario = request.headers.get(HEADER, "") or auth.scenario(request.headers, request.query_params)
    return RequestIdentity(owner, request.path_params["version"], scenario)


async def read(
    state: EmulatorState,
    request: Request,
    check: Callable[[Mapping[str, str], Mapping[str, str]], None] = auth.check_credential,
) -> object:
    """The JSON body, remembered, with its size in `request.state.size`.

    The credential is checked after that, so that tests see refused requests too.

    Raises:
        ApiError: 400 for what is too large or no JSON, and what `check` refuses.
    """
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > state.limits.body:
            raise too_large(state.limits.body)
    request.state.size = len(raw)
    body, broken = None, False
    try:
        body = orjson.loads(raw) if raw else None
    except orjson.JSONDecodeError:
        broken = True
    saw(state, request, body, len(raw))
    check(request.headers, request.query_params)
    if broken:
        start = raw[:50].decode(errors="replace")
        raise invalid(f"Invalid JSON payload received. Unexpected token.\n{start}\n^")
    return body


def too_large(limit: int) -> GoogleApiError:
    """A body of more bytes than are taken."""
    return invalid(f"Request payload size exceeds the limit: {limit} bytes.")


def saw(state: EmulatorState, request: Request, body: object, size: int) -> None:
    """Remember a request."""
    state.saw(request.method, request.url.path, request.query_params, request.headers, body, size)


def origin(request: Request) -> str:
    """Where the caller found the emulator, such as `http://127.0.0.1:8081`."""
    return str(request.base_url).rstrip("/")


def paging(request: Request) -> tuple[int, str]:
    """`pageSize`, 0 if it is not given, and `pageToken`.

    Raises:
        ApiError: 400, the size is not a number.
    """
    size = request.query_params.get("pageSize", "0")
    if not (size.isascii() and size.isdigit() and int(size) < MAX_PAGE_SIZE):
        raise invalid(f"Invalid value at 'page_size' (TYPE_INT32), \"{size}\"")
    return int(size), request.query_params.get("pageToken", "")
