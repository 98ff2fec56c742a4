"""What a batch has cost, once it has ended: for the metrics, and for the budget of its caller's key."""

from gemgate.api.batches.result_session import ResultSummary
from gemgate.auth.budgets import Budgets
from gemgate.auth.key_registry import ClientKeys
from gemgate.observability.metrics import Metrics
from gemgate.observability.pricing import batch_cost, searches_cost
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

    async def charge(self, row: BatchRow, summary: ResultSummary) -> None:
        """The batch has ended, with these results. Searches cost what they cost elsewhere."""
        usage, model = summary.usage, summary.served or row.model or ""
        cached = (usage.get("input_tokens_details") or {}).get("cached_tokens") or 0
        tokens = usage.get("input_tokens") or 0, cached, usage.get("output_tokens") or 0
        dollars = batch_cost(model, *tokens)
        if dollars is None:
            dollars = batch_cost(row.model or "", *tokens) or 0.0
        dollars += searches_cost(model, summary.searches, summary.searching)
        if not dollars:
            return
        key = self._keys.find_owner(row.owner)
        self._metrics.batch_cost(row.model or "", key.name if key is not None else "", dollars)
        if key is not None and key.limits.has_budget:
            await self._budgets.charge(key, dollars)
