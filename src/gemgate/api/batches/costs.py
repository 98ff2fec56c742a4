"""What a batch has cost, once it has ended: for the metrics, and for the budget of its caller's key."""

from collections.abc import Mapping
from typing import Any

from gemgate.auth.budgets import Budgets
from gemgate.auth.key_registry import ClientKeys
from gemgate.observability.metrics import Metrics
from gemgate.observability.pricing import batch_cost
from gemgate.store import BatchRow


class BatchCosts:
    """Charges batches.

    Args:
        metrics: Count what was spent.
        budgets: Add up what keys have spent.
        keys: The keys in force, one of which may be the caller's.
    """

    def __init__(self, metrics: Metrics, budgets: Budgets, keys: ClientKeys) -> None:
        self._metrics = metrics
        self._budgets = budgets
        self._keys = keys

    async def charge(self, row: BatchRow, usage: Mapping[str, Any]) -> None:
        """The batch has ended, with these tokens in OpenAI's words."""
        cached = (usage.get("input_tokens_details") or {}).get("cached_tokens") or 0
        dollars = batch_cost(row.model or "", usage.get("input_tokens") or 0, cached, usage.get("output_tokens") or 0)
        if not dollars:
            return
        key = self._keys.find_owner(row.owner)
        self._metrics.batch_cost(row.model or "", key.name if key is not None else "", dollars)
        if key is not None and key.limits.has_budget:
            await self._budgets.charge(key, dollars)
