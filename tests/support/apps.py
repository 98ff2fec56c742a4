"""Small applications with the gateway's own shell around one endpoint."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from gemgate.web import error_handlers as handlers
from gemgate.web.telemetry_middleware import TelemetryMiddleware

Endpoint = Callable[[Request], Awaitable[Response]]


def app_with(endpoint: Endpoint) -> FastAPI:
    """Error handlers and telemetry as `create_app` installs them, and `endpoint` at `/` for GET and POST."""
    app = FastAPI()
    app.add_middleware(TelemetryMiddleware)
    handlers.install(app)
    app.add_route("/", endpoint, methods=["GET", "POST"])
    return app
