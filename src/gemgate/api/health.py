"""Whether the process lives, and whether it takes requests."""

from collections.abc import Mapping

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse

from gemgate.api.services import Services, services_of

_PATIENCE = 0.5
"""Seconds that a probe waits for a store that it does not depend on: orchestrators wait for one."""

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Is it alive?")
async def healthz() -> dict[str, str]:
    """Answers as long as the event loop turns."""
    return {"status": "ok"}


@router.get("/readyz", summary="Does it take requests?")
async def readyz(request: Request) -> JSONResponse:
    """Answers whether requests should be sent here; does not ask Google.

    `degraded` says what fails meanwhile, though chat is served: the `store` of files and batches, `redis`, the Gemini
    `keys`. GEMGATE_READINESS says what must not fail. With GEMGATE_REDIS_URL, `redis` is `up`, `down` or `refusing`.
    """
    if request.app.state.drain.begun:
        return _unready("the gateway is shutting down", {})
    services = services_of(request)
    needed = services.settings.readiness
    redis = {} if services.redis is None else {"redis": services.redis.state}
    degraded = {}
    if problem := await services.readiness.problem(_PATIENCE if needed == "chat" else None):
        degraded["store"] = problem
    if redis and redis["redis"] != "up":
        degraded["redis"] = f"Redis is {redis['redis']}: each process counts for itself"
    if _has_no_key(services):
        degraded["keys"] = "Google rejects all Gemini keys of the gateway"
    body = {**redis, **({"degraded": degraded} if degraded else {})}
    if needed != "chat" and "store" in degraded:
        return _unready(degraded["store"], body)
    if needed == "all" and degraded:
        return _unready(next(iter(degraded.values())), body)
    return JSONResponse({"status": "degraded" if degraded else "ok", **body})


def _has_no_key(services: Services) -> bool:
    keys = services.gemini.snapshot().keys
    return bool(keys) and all(key.cooldown is not None for key in keys)


def _unready(reason: str, body: Mapping[str, object]) -> JSONResponse:
    content = {"status": "unavailable", "reason": reason, **body}
    return JSONResponse(content, status_code=503, headers={"retry-after": "1"})
