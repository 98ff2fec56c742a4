"""Answers in the clothes that Google gives them: headers, pretty-printed JSON, HTML from the front end."""

from starlette.requests import Request

from gemgate.emulator.delivery import Delivery, Piece
from gemgate.emulator.errors import GoogleApiError
from gemgate.emulator.state import EmulatorState
from gemgate.emulator.stream import pretty

JSON = "application/json; charset=UTF-8"
EVENTS = "text/event-stream"
_PAGE = (
    "<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n  <title>Error {code}</title>\n"
    "  <p><b>{code}.</b> <ins>That is an error.</ins>\n  <p>{why}\n</html>\n"
)


def headers(content_type: str, tier: str = "standard") -> dict[str, str]:
    """The headers of every answer."""
    return {
        "content-type": content_type,
        "vary": "Origin, X-Origin, Referer",
        "server-timing": "gfet4t7; dur=1",
        "x-gemini-service-tier": tier,
    }


def json_reply(state: EmulatorState, body: dict[str, object], tier: str = "standard") -> Delivery:
    """A 200 with one JSON object."""
    raw: list[Piece] = [pretty(body)]
    return Delivery(state, 200, headers(JSON, tier), raw)


def is_stream(request: Request) -> bool:
    """Whether the request is for `streamGenerateContent`."""
    return request.url.path.endswith(":streamGenerateContent")


def error_reply(state: EmulatorState, error: GoogleApiError, request: Request) -> Delivery:
    """A refusal: plain JSON with the type of the stream that was asked for, or a list of one without `alt=sse`."""
    events = is_stream(request) and request.query_params.get("alt") == "sse"
    raw = pretty(error.body())
    if is_stream(request) and not events:
        raw = b"[" + raw.rstrip() + b"\n]\n"
    return Delivery(state, error.status, headers(EVENTS if events else JSON), [raw])


def html_reply(state: EmulatorState, status: int) -> Delivery:
    """What Google's front end says when nothing behind it answers."""
    why = (
        "The requested URL was not found on this server."
        if status == 404
        else "The server encountered a temporary error."
    )
    page = _PAGE.format(code=status, why=why).encode()
    return Delivery(
        state, status, {"content-type": "text/html; charset=UTF-8", "referrer-policy": "no-referrer"}, [page]
    )
