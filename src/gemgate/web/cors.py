"""Calls from web pages of other origins (CORS), where the operator allows them."""

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

EXPOSED = (
    "x-request-id",
    "x-gemgate-dropped-params",
    "x-gemgate-adjusted",
    "x-gemgate-model",
    "x-gemgate-model-status",
    "x-gemgate-stale",
    "x-gemini-service-tier",
    "x-google-status",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "x-ratelimit-limit-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "x-gemgate-copy",
    "x-goog-upload-chunk-granularity",
    "x-goog-upload-control-url",
    "x-goog-upload-header-content-type",
    "x-goog-upload-size-received",
    "x-goog-upload-status",
    "x-goog-upload-url",
)
"""What a page may read of an answer, beside the few headers that every page may."""

_PREFLIGHT_SECONDS = 600


def install(app: FastAPI, origins: Sequence[str]) -> None:
    """Lets pages of `origins` call `app`; `*` is all of them.

    Credentials are those that the page puts into a header itself: cookies are neither used nor allowed. It is
    outside of all other middleware, so that a page can read errors too; preflights, which carry no key, end here.
    """
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["*"],
        expose_headers=EXPOSED,
        allow_private_network=True,
        max_age=_PREFLIGHT_SECONDS,
    )
