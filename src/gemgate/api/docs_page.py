"""`/docs`: Swagger UI over the OpenAPI document, with nothing of another host.

The scripts are those of the package `fastapi-swagger`, which ships each release of Swagger UI. People type keys into
this page: its policy lets it load, call and be framed by nothing but this gateway.
"""

from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from gemgate.errors import ApiError

router = APIRouter(include_in_schema=False)

# Swagger UI writes styles into its elements.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src "
    "'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of the page."""

_SECURITY = {
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>gemgate</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" href="docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """window.ui = SwaggerUIBundle({
  url: new URL("openapi.json", document.baseURI).href,
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  validatorUrl: null,
});
"""
_TYPES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}


@router.get("/docs")
async def docs() -> Response:
    """Answer with the page."""
    return Response(_PAGE, media_type="text/html", headers=_SECURITY)


@router.get("/docs/start.js")
async def start() -> Response:
    """Answer with what shows the document: a script of its own, because the policy allows none within the page."""
    return Response(_START, media_type="text/javascript", headers=_SECURITY)


@router.get("/docs/{name}")
async def script(request: Request, name: str) -> Response:
    """Answer with one of Swagger UI's files."""
    media_type = _TYPES.get(name)
    if media_type is None:
        raise ApiError(404, f"Invalid URL ({request.method} {request.url.path})")
    return FileResponse(_directory() / name, media_type=media_type, headers=_SECURITY)


def _directory() -> Path:
    """Where the package keeps the files. It is not imported: it would only set up a page of its own."""
    found = find_spec("fastapi_swagger")
    if found is None or not found.submodule_search_locations:
        raise ApiError(404, "The package fastapi-swagger is not installed: pip install fastapi-swagger")
    return Path(found.submodule_search_locations[0]) / "resources"
