"""The `/metrics` endpoint: bearer token, Prometheus or OpenMetrics format."""

import asyncio
import hmac
import time

import structlog
from anyio import to_thread
from fastapi import APIRouter
from prometheus_client.exposition import choose_encoder
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.services import Services
from gemgate.errors import ApiError
from gemgate.observability.multiprocess import of_all_workers
from gemgate.store.errors import StoreError

_BATCHES_SECONDS = 5.0
_COUNT_SECONDS = 2.0  # a scrape has ten

router = APIRouter(tags=["metrics"])

_log = structlog.get_logger()


@router.get("/metrics", summary="Metrics")
async def metrics(request: Request) -> Response:
    """Answer with the metrics in the format of Prometheus, or in OpenMetrics' where the scraper asks for it."""
    services: Services = request.app.state.services
    token = services.settings.metrics_token
    if token is not None:
        _authorise(request, token.get_secret_value())
    await _count_batches(services)
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    body = await to_thread.run_sync(lambda: encode(of_all_workers(services.metrics.registry)))
    return Response(body, headers={"content-type": content_type})


def _authorise(request: Request, token: str) -> None:
    given = request.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        msg = "The metrics are for those who present GEMGATE_METRICS_TOKEN: Authorization: Bearer YOUR_TOKEN."
        raise ApiError(401, msg, code="invalid_api_key", headers={"www-authenticate": "Bearer"})


async def _count_batches(services: Services) -> None:
    """Count the batches, but not for every one of many scrapers."""
    metrics, now = services.metrics, time.monotonic()
    if now < metrics.batches_until:
        return
    metrics.batches_until = now + _BATCHES_SECONDS
    try:
        async with asyncio.timeout(_COUNT_SECONDS):
            metrics.batches(await services.store.batches.count_by_status())
    except (SQLAlchemyError, StoreError, OSError, TimeoutError) as error:
        metrics.batches(None)
        _log.warning("the batches could not be counted", error=type(error).__name__)
