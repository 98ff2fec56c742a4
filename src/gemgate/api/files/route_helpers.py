"""What the routes of this slice ask of the application."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gemgate.store import Store
from gemgate.translation.options import FileOptions


def store_of(request: Request) -> Store:
    """Where the application keeps files."""
    store: Store = request.app.state.services.store
    return store


def options_of(request: Request) -> FileOptions:
    """How the application takes files in."""
    options: FileOptions = request.app.state.services.files
    return options


def json_response(value: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(value), headers=headers, media_type="application/json")
