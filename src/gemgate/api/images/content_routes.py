"""`GET /images/content/…`: images that were answered as a URL. No key is asked for: the address is one."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.images.image_links import SHOWN_TYPES, no_such_image
from gemgate.api.services import services_of
from gemgate.store.errors import BlobMissingError
from gemgate.web.file_response import content_response

router = APIRouter(tags=["images"])

_POLICY = "default-src 'none'; sandbox"


@router.get("/images/content/{token}/{name}", summary="Download an image that was answered as a URL")
async def image_content(request: Request, token: str, name: str) -> Response:  # noqa: ARG001  clients look at its ending
    """Answer with the bytes; with a `Range` of them, if one is asked for."""
    services = services_of(request)
    row = await services.image_links.found(token)
    try:
        response = await content_response(request, services.store, row)
    except BlobMissingError:
        raise no_such_image() from None
    if row.mime_type in SHOWN_TYPES:
        response.headers["content-disposition"] = "inline"
    response.headers["content-security-policy"] = _POLICY
    return response
