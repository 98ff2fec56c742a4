"""How the keys, the models, the client keys and the store are, as the console shows it."""

import time
from itertools import islice

from gemgate.api.services import Services
from gemgate.auth.client_keys import ClientKey
from gemgate.auth.rate_limits import BucketStatus
from gemgate.store import BatchRow
from gemgate.store.overview import overview
from gemgate.upstream.clock import steady_time
from gemgate.upstream.cooldowns import Cooldown

_MOST = 500
_BATCHES = 100
_SHOWN_ERRORS = 5


def keys_and_models(services: Services) -> dict[str, object]:
    """The gateway's Gemini keys by their labels, the models that have failed, and what answers have taught."""
    snapshot, now = services.gemini.snapshot(), steady_time()
    keys = [
        {
            "label": key.label,
            "in_flight": key.in_flight,
            "cooldown": _cooldown(key.cooldown, now) if key.cooldown is not None else None,
            "models": [_cooldown(each, now) for each in key.models],
        }
        for key in snapshot.keys
    ]
    breakers = [
        {"model": each.model, "methods": each.methods, "state": each.state, "left": max(0.0, each.until - now)}
        for each in snapshot.breakers
    ]
    facts = [
        {
            "model": fact.model,
            "fact": fact.fact,
            "value": fact.value,
            "teacher": fact.teacher,
            "left": fact.until - time.time(),
        }
        for fact in services.chat.catalog.learned.all()
    ]
    return {"keys": keys, "breakers": breakers, "facts": facts}


def _cooldown(cooldown: Cooldown, now: float) -> dict[str, object]:
    return {
        "model": cooldown.model,
        "methods": cooldown.methods,
        "reason": cooldown.kind,
        "caller": cooldown.caller,
        "left": max(0.0, cooldown.until - now),
    }


async def client_keys(services: Services) -> list[dict[str, object]]:
    """Each client key by its name: what it may use, and what is left of that."""
    return [await _client_key(services, key) for key in islice(services.client_keys, _MOST)]


async def _client_key(services: Services, key: ClientKey) -> dict[str, object]:
    limits = key.limits
    shown: dict[str, object] = {"name": key.name, "models": key.models}
    if limits.requests_per_minute or limits.tokens_per_minute:
        status = await services.quotas.look(key)
        shown |= {"requests": _bucket(status.requests), "tokens": _bucket(status.tokens)}
    if limits.has_budget:
        spent = await services.budgets.spent(key)
        shown |= {"spent_day": spent.day, "usd_per_day": limits.usd_per_day}
        shown |= {"spent_month": spent.month, "usd_per_month": limits.usd_per_month}
    return shown | {"concurrent": limits.concurrent_requests}


def _bucket(bucket: BucketStatus | None) -> dict[str, object] | None:
    return None if bucket is None else {"limit": bucket.limit, "remaining": bucket.remaining}


async def batches_and_files(services: Services) -> dict[str, object]:
    """The newest batches of all callers, and what the store holds.

    Raises:
        StoreError: the store failed.
    """
    found = await overview(services.store.database, _BATCHES)
    return {
        "batches": [_batch(services, row) for row in found.batches],
        "files": {purpose: held._asdict() for purpose, held in found.files.items()},
        "others": {name: held._asdict() for name, held in found.others.items()},
    }


def _batch(services: Services, row: BatchRow) -> dict[str, object]:
    key = services.client_keys.find_owner(row.owner)
    errors = [str(error.get("code") or error.get("message", ""))[:200] for error in row.errors or []]
    return {
        "id": row.id,
        "caller": key.name if key is not None else f"{row.owner[:8]}…",
        "endpoint": row.endpoint,
        "model": row.model,
        "status": row.status,
        "total": row.total,
        "completed": row.completed,
        "failed": row.failed,
        "created_at": row.created_at,
        "errors": errors[:_SHOWN_ERRORS],
    }
