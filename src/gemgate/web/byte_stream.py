"""An answer of bytes as they are made."""

from collections.abc import AsyncGenerator, Callable, Mapping

import anyio
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gemgate.web.disconnect import cancelled_on_disconnect
from gemgate.web.error_handlers import as_api_error

_CLEANUP_SECONDS = 5.0

_log = structlog.get_logger()


class ByteStream(Response):
    """An answer of status 200, which begins with the first piece.

    What `pieces` raises before that is raised by the response and becomes an HTTP status. After it the answer stops
    without its end, so that nobody takes it for whole. `pieces` is closed as soon as the client goes. `headers` is
    asked when the answer begins.
    """

    def __init__(
        self,
        request: Request,
        pieces: AsyncGenerator[bytes, None],
        media_type: str,
        headers: Callable[[], Mapping[str, str]],
    ) -> None:
        # Not Starlette's, which would count the bytes of a body.
        self.status_code, self.background, self.raw_headers = 200, None, []
        self.media_type = media_type
        self._request = request
        self._pieces = pieces
        self._more = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  as Starlette has it
        """Send the pieces until they end, or until the client goes.

        Raises:
            ClientDisconnect: the client went before the answer began.
        """
        has_begun = False
        try:
            async with cancelled_on_disconnect(self._request):
                async for piece in self._pieces:
                    if not has_begun:
                        has_begun = True
                        await send({"type": "http.response.start", "status": 200, "headers": self._head()})
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except ClientDisconnect:
            if not has_begun:
                raise
        except Exception as error:
            if not has_begun:
                raise
            _log.warning("answer cut", reason=as_api_error(error).code)
        finally:
            with anyio.move_on_after(_CLEANUP_SECONDS, shield=True):
                await self._pieces.aclose()

    def _head(self) -> list[tuple[bytes, bytes]]:
        """Nginx holds a stream back unless it is asked not to."""
        headers = {"content-type": self.media_type or "", "x-accel-buffering": "no", **self._more()}
        self.raw_headers = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        return self.raw_headers
