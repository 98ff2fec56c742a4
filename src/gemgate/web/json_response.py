"""An answer that is JSON, written already or to be written."""

from collections.abc import Mapping

import orjson
from starlette.responses import Response


class WrittenJson(Response):
    """A JSON body that is ready. Starlette's class looks for each header what it has to be encoded from."""

    media_type = "application/json"

    def __init__(self, body: bytes, headers: Mapping[str, str] | None = None) -> None:  # it has no more to set
        self.status_code = 200
        self.background = None
        self.body = body
        own = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
        if headers:
            given = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
            own = given + own
        self.raw_headers = own


def json_response(value: object, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer of 200 with `headers` beside those of every answer."""
    return WrittenJson(orjson.dumps(value), headers)
