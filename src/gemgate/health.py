"""Whether the process lives, and whether it takes requests."""

from fastapi import APIRouter

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Answers as long as the event loop turns."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz() -> dict[str, str]:
    """Answers once the application has started, because no request is served before; calls nobody."""
    return {"status": "ok"}
