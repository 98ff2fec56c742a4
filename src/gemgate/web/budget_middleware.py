"""Holds keys with a budget to it: what their requests cost is added up, and one too many is refused."""

import math
import time
from collections.abc import Awaitable
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gemgate.auth.budgets import BudgetRefusal, Budgets, refusal
from gemgate.auth.caller import credential
from gemgate.auth.client_keys import ClientKey
from gemgate.auth.key_registry import ClientKeys
from gemgate.auth.rate_limits import REFUSAL
from gemgate.errors import ApiError
from gemgate.gemini.usage import Counts
from gemgate.observability.record import current
from gemgate.web.token_estimate import BYTES_PER_TOKEN

_FREE = ("/files", "/uploads", "/upload/")
"""What is posted there asks no model."""


class BudgetMiddleware:
    """Refuses requests of a key whose budget is spent, and charges what the others cost (pure ASGI, no task).

    A gateway without such keys does not ask it. What runs when the budget is reached is finished,
    so that a key may spend as much more as its running requests cost.

    Args:
        app: What is served within the budgets.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """One request."""
        if scope["method"] == "POST" and not any(free in scope["path"] for free in _FREE):
            services = scope["app"].state.services
            key = presented(scope, services.client_keys)
            if key is not None and key.limits.has_budget:
                return self._within_budget(key, services.budgets, scope, receive, send)
        return self._app(scope, receive, send)

    async def _within_budget(
        self, key: ClientKey, budgets: Budgets, scope: Scope, receive: Receive, send: Send
    ) -> None:
        record, answered, status, is_charged = current(), 0, 0, False
        if spent := refusal(key, await budgets.spent(key), time.time()):
            record.caller = key.name
            scope[REFUSAL] = _spent(key, spent)

        async def charge() -> None:
            nonlocal is_charged
            if not is_charged:
                is_charged = True
                estimate = _estimate(scope, answered) if 0 < status < 400 else Counts()
                if dollars := record.dollars(estimate):
                    await budgets.charge(key, dollars)

        async def charging(message: Message) -> None:
            nonlocal answered, status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                body = message.get("body", b"")
                answered += 0 if body.startswith(b":") else len(body)  # a comment keeps a stream alive
                if not message.get("more_body", False) and not record.outlives_answer:
                    await charge()  # before the caller can see the end, and ask again
            await send(message)

        try:
            await self._app(scope, receive, charging)
        finally:
            await charge()


def presented(scope: Scope, keys: ClientKeys) -> ClientKey | None:
    """The entry of the key that the request presents; None when it is invalid, which the endpoint answers."""
    try:
        return keys.find(credential(Headers(scope=scope)))
    except ApiError:
        query: bytes = scope["query_string"]  # Google's API takes a key there as well
        named = dict(parse_qsl(query.decode("latin-1"))).get("key") if b"key=" in query else None
        return keys.find(named) if named else None


def _estimate(scope: Scope, answered: int) -> Counts:
    """The tokens of a request that Google gives no count for, by its bytes."""
    length = Headers(scope=scope).get("content-length", "0")
    prompt = int(length) if length.isdecimal() else 0
    return Counts(prompt=prompt // BYTES_PER_TOKEN, candidates=answered // BYTES_PER_TOKEN)


def _spent(key: ClientKey, spent: BudgetRefusal) -> ApiError:
    msg = (
        f"You exceeded your current quota: the key '{key.name}' has spent its budget of ${spent.limit:g} a "
        f"{spent.period}. The next {spent.period} (UTC) begins in {math.ceil(spent.wait / 60)} minutes."
    )
    headers = {"x-should-retry": "false", "retry-after": str(math.ceil(spent.wait))}
    return ApiError(429, msg, type="insufficient_quota", code="insufficient_quota", headers=headers)
