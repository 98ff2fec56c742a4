"""Whether the process lives, and whether it takes requests."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse

from gemgate.api.services import services_of

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Is it alive?")
async def healthz() -> dict[str, str]:
    """Answers as long as the event loop turns."""
    return {"status": "ok"}


@router.get("/readyz", summary="Does it take requests?")
async def readyz(request: Request) -> JSONResponse:
    """Answers whether requests should be sent here; does not ask Google.

    With GEMGATE_REDIS_URL it says whether Redis is `up` or `down`: without Redis the gateway serves all the same.
    """
    if request.app.state.drain.begun:
        return _unready("the gateway is shutting down")
    if not await services_of(request).readiness.is_ready():
        return _unready("the store does not answer")
    redis = services_of(request).redis
    shared = {} if redis is None else {"redis": "up" if redis.is_up else "down"}
    return JSONResponse({"status": "ok", **shared})


def _unready(reason: str) -> JSONResponse:
    return JSONResponse({"status": "unavailable", "reason": reason}, status_code=503, headers={"retry-after": "1"})
