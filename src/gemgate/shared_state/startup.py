"""Puts together what an application shares with the others, or has for itself."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from gemgate.auth.budgets import Budgets, LocalBudgets
from gemgate.auth.rate_limits import LocalQuotas, Quotas
from gemgate.gemini.model_catalog import Catalog
from gemgate.shared_state.budgets import SharedBudgets
from gemgate.shared_state.connection import RedisConnection
from gemgate.shared_state.cooldowns import SharedCooldowns
from gemgate.shared_state.learned_facts import SharedFacts
from gemgate.shared_state.rate_limits import RedisQuotas, SharedQuotas
from gemgate.shared_state.thought_signatures import RedisSignatures
from gemgate.shared_state.write_behind import WriteBehind
from gemgate.translation.thought_signatures import Signatures
from gemgate.upstream.client import Upstream


@dataclass(frozen=True, slots=True)
class SharedState:
    """What workers and replicas have in common.

    Attributes:
        quotas: How much each key has used.
        budgets: How much money each key has spent.
        signatures: Thought signatures.
        link: The way to Redis; None when each process is for itself.
    """

    quotas: Quotas
    signatures: Signatures
    budgets: Budgets
    link: RedisConnection | None = None


@asynccontextmanager
async def common_state(
    url: str | None,
    signatures: Signatures,
    signature_ttl: float,
    upstream: Upstream,
    catalog: Catalog,
    tell: Callable[[bool], None],
) -> AsyncIterator[SharedState]:
    """What is shared by the Redis at `url`; without one, what this process has.

    Shared are the cool-downs of `upstream` and the facts that `catalog` learns, too.

    `tell` is called with whether Redis can be used.

    Raises:
        ModuleNotFoundError: the extra `redis` is not installed.
    """
    local, money = LocalQuotas(), LocalBudgets()
    if url is None:
        yield SharedState(local, signatures, money)
        return
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        link = await enter(RedisConnection(url, tell=tell).connected())
        behind = await enter(WriteBehind(link).running())
        cooldowns = SharedCooldowns(link, behind, upstream.apply)
        upstream.observe(cooldowns)
        await enter(cooldowns.followed())
        await enter(SharedFacts(link, behind, catalog, upstream.client.options.upstream).followed())
        quotas = await enter(SharedQuotas(link, RedisQuotas(link), local).renewing())
        signatures = RedisSignatures(signatures, link, behind, signature_ttl)
        yield SharedState(quotas, signatures, SharedBudgets(link, money), link)
