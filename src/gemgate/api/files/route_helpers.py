"""What the routes of this slice ask of the application."""

from starlette.requests import Request

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
