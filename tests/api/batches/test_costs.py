"""What a batch costs, once it has ended."""

from typing import Any

import pytest

from gemgate.api.batches.costs import BatchCosts
from gemgate.api.batches.result_session import ResultSummary
from gemgate.auth.budgets import LocalBudgets, Spent
from gemgate.auth.client_keys import ClientKey, Limits
from gemgate.auth.key_registry import ClientKeys
from gemgate.observability.metrics import Metrics
from gemgate.observability.pricing import images_cost
from gemgate.store import BatchRow

KEY = ClientKey("web", (), "owner-of-web", Limits(usd_per_day=1.0))
USAGE = {"input_tokens": 1_000_000, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 1_000_000}


class Keys(ClientKeys):
    """One key."""

    def __iter__(self) -> Any:
        return iter((KEY,))


def row(model: str, owner: str = "owner-of-web") -> BatchRow:
    given: dict[str, Any] = {"endpoint": "e", "input_file_id": "f", "completion_window": "24h", "status": "completed"}
    return BatchRow(id="batch_1", owner=owner, model=model, display_name="b", created_at=1, **given)


async def charged(batch: BatchRow, usage: Any = None, **more: Any) -> tuple[float, float | None]:
    metrics, budgets = Metrics(), LocalBudgets()
    metrics.models_known(["models/gemini-2.5-flash"])
    await BatchCosts(metrics, budgets, Keys()).charge(batch, ResultSummary(1, 0, usage or USAGE, **more))
    spent: Spent = await budgets.spent(KEY)
    caller = "web" if batch.owner == KEY.owner else ""
    labels = {"model": "gemini-2.5-flash", "caller": caller}
    return spent.day, metrics.registry.get_sample_value("gemgate_cost_usd_total", labels)


async def test_a_batch_costs_half_and_counts_for_the_budget_of_its_caller() -> None:
    # A million tokens of gemini-2.5-flash cost 0.30 $ in and 2.50 $ out.
    spent, counted = await charged(row("models/gemini-2.5-flash"))
    assert spent == pytest.approx(1.4)
    assert counted == pytest.approx(1.4)


@pytest.mark.parametrize(
    ("served", "dollars"),
    [("", 1.4 + 2 * 0.035), ("gemini-2.5-flash", 1.4 + 2 * 0.035), ("gemini-3.5-flash", 5 * 0.014)],
)
async def test_searches_of_a_batch_cost_what_they_cost_elsewhere(served: str, dollars: float) -> None:
    tokens = USAGE if served != "gemini-3.5-flash" else {"input_tokens": 0, "output_tokens": 0}
    spent, _ = await charged(row("models/gemini-2.5-flash"), tokens, served=served, searches=5, searching=2)
    assert spent == pytest.approx(dollars)


async def test_a_batch_of_a_caller_without_a_key_is_counted_alone() -> None:
    spent, counted = await charged(row("gemini-2.5-flash", owner="another"))
    assert spent == 0.0
    assert counted == pytest.approx(1.4)


@pytest.mark.parametrize("model", ["", "gemini-of-tomorrow"])
async def test_a_batch_of_a_model_without_a_price_costs_nothing(model: str) -> None:
    assert (await charged(row(model)))[0] == 0.0


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("models/imagen-4.0-generate-001", 0.04),
        ("imagen-4.0-fast-generate-001", 0.02),
        ("imagen-4.0-ultra-generate-001", 0.06),
        ("gemini-2.5-flash-image", 0.0),
    ],
)
def test_images_of_imagen_have_a_price_each(model: str, price: float) -> None:
    assert images_cost(model, 3) == pytest.approx(3 * price)
