"""What tokens cost, from the price table that comes with the package genai-prices.

The table is in the package: nothing is fetched unless `refreshed` is entered. A model that the table does not know has
no cost, which is not the same as a cost of zero.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from gemgate.gemini.resource_names import VERTEX
from gemgate.gemini.types import UsageMetadata
from gemgate.gemini.usage import Counts, by_modality
from gemgate.gemini.vertex.differences import paid_tier

_PER = 1_000_000
_PROVIDER = "google"
_HOUR = 3600
_BATCH_SHARE = 0.5
"""Of the price of a live call. Source: https://ai.google.dev/gemini-api/docs/pricing"""

_IMAGES = (
    ("imagen-4.0-fast", 0.02),
    ("imagen-4.0-ultra", 0.06),
    ("imagen-4", 0.04),
    ("imagen-3", 0.03),
)
"""US dollars an image. Source: https://ai.google.dev/gemini-api/docs/pricing"""

_SEARCH, _GROUNDED_REQUEST = 0.014, 0.035
"""US dollars a query, and a request. Source: https://ai.google.dev/gemini-api/docs/pricing"""

_STANDARD_TIERS = (None, "standard", "default")

_INPUT = {"AUDIO": "input_audio_mtok", "IMAGE": "input_image_mtok", "VIDEO": "input_video_mtok"}
_OUTPUT = {"AUDIO": "output_audio_mtok", "IMAGE": "output_image_mtok", "VIDEO": "output_video_mtok"}


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars a token of one model, for requests of one size.

    Attributes:
        input: Of the prompt; None where the table has no price.
        cached: Of what came out of a cache.
        cached_audio: Of audio that came out of a cache.
        output: Of answers and thoughts.
        inputs: Of the prompt's modalities with a price of their own.
        outputs: Of the answer's modalities with a price of their own.
    """

    input: float | None
    cached: float | None
    cached_audio: float | None
    output: float | None
    inputs: dict[str, float]
    outputs: dict[str, float]

    def cost(self, counts: Counts, meta: UsageMetadata) -> float | None:
        """US dollars, or None when something was used that has no price."""
        asked, answered = counts.prompt + counts.tool_use, counts.candidates + counts.thoughts
        cost, audio = 0.0, 0
        if counts.cached:
            if self.cached_audio is not None:
                audio = by_modality(meta.get("cacheTokensDetails")).get("AUDIO", 0)
                cost += audio * self.cached_audio
            asked -= counts.cached
            cost += (counts.cached - audio) * (self.cached or self.input or 0)
        if self.inputs:
            for detail in meta.get("promptTokensDetails") or ():
                if rate := self.inputs.get(detail.get("modality", "")):
                    count = detail.get("tokenCount", 0)
                    if detail.get("modality") == "AUDIO":
                        count -= audio
                    asked -= count
                    cost += count * rate
        if self.outputs:
            for detail in meta.get("candidatesTokensDetails") or ():
                if rate := self.outputs.get(detail.get("modality", "")):
                    answered -= detail.get("tokenCount", 0)
                    cost += detail.get("tokenCount", 0) * rate
        if (asked > 0 and self.input is None) or (answered > 0 and self.output is None):
            return None
        return cost + max(asked, 0) * (self.input or 0) + max(answered, 0) * (self.output or 0)


_UNLISTED = (
    ("gemini-decision-", Rates(0.10 / _PER, None, None, 0.0, {}, {})),
    ("gemini-3.5-transcribe", Rates(2.0 / _PER, None, None, 12.0 / _PER, {}, {})),
)
"""Models that the table lacks. Sources: apidog.com, 12 Nov 2026 (decisions: $0.10 a million input tokens, and answers
are free), and LiteLLM 1.110.2 (transcripts)."""


def cost_of(model: str, served: str | None, counts: Counts, meta: UsageMetadata) -> float | None:
    """What a request cost in US dollars; None when the table does not know.

    Args:
        model: The model that was called, without `models/`.
        served: The `modelVersion` that answered, which says what an alias such as `gemini-flash-latest` means.
        counts: Its tokens.
        meta: The usage they were taken from; `serviceTier` changes the price.
    """
    tier = meta.get("serviceTier") or (paid_tier(meta) if "trafficType" in meta else None)
    steps = rates_of(served or model, tier, int(time.time()) // _HOUR)
    if not steps and served and served != model:
        steps = rates_of(model, tier, int(time.time()) // _HOUR)
    asked = counts.prompt + counts.tool_use
    for start, rates in steps:
        if asked > start:
            return rates.cost(counts, meta)
    return None


@lru_cache(maxsize=512)
def rates_of(model: str, tier: str | None, hour: int) -> tuple[tuple[int, Rates], ...]:
    """The rates of a model by the least number of input tokens they are for, largest first; none if unknown.

    Prices change with time, so `hour` (since 1970) is a part of the question.
    """
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, info = get_snapshot().find_provider_model(_bare(model), None, _PROVIDER, None)
    except LookupError:
        name = _bare(model)
        return next((((-1, rates),) for prefix, rates in _UNLISTED if name.startswith(prefix)), ())
    moment = datetime.fromtimestamp(hour * _HOUR, UTC)
    if tier in _STANDARD_TIERS:
        prices = info.get_prices(moment)
    else:
        context = {"service_tier": str(tier).lower()}
        prices = info.get_prices(moment, context)
        if prices == info.get_prices(moment):  # the table does not know what this tier costs
            return ()
    known = {name: value for name, value in vars(prices).items() if value is not None}
    starts = {0} | {tier.start for value in known.values() for tier in getattr(value, "tiers", ())}
    return tuple((start or -1, _rates(known, start)) for start in sorted(starts, reverse=True))


def _bare(model: str) -> str:
    """The name of a model whichever of Google's APIs is asked for it: their prices are the same."""
    return model.removeprefix("models/").removeprefix(VERTEX)


def _rates(prices: dict[str, object], start: int) -> Rates:
    def rate(name: str) -> float | None:
        value = prices.get(name)
        if value is None:
            return None
        price: Any = getattr(value, "base", value)
        for tier in getattr(value, "tiers", ()):
            if start >= tier.start:
                price = tier.price
        return float(price) / _PER

    def rates(names: dict[str, str]) -> dict[str, float]:
        return {modality: found for modality, name in names.items() if (found := rate(name)) is not None}

    return Rates(
        input=rate("input_mtok"),
        cached=rate("cache_read_mtok"),
        cached_audio=rate("cache_audio_read_mtok"),
        output=rate("output_mtok"),
        inputs=rates(_INPUT),
        outputs=rates(_OUTPUT),
    )


def images_cost(model: str, number: int) -> float:
    """US dollars for images of Imagen, which is paid by the image; 0 for models without such a price."""
    name = _bare(model)
    return next((price for prefix, price in _IMAGES if name.startswith(prefix)), 0.0) * number


def searches_cost(model: str, searches: int, requests: int = 1) -> float:
    """US dollars for the web searches of some requests that all search, without the free ones of each month.

    Gemini 2.5 and older are paid by the request that searches, later models by the query.
    """
    if not searches:
        return 0.0
    is_old = _bare(model).startswith(("gemini-2", "gemini-1"))
    return _GROUNDED_REQUEST * requests if is_old else _SEARCH * searches


def batch_cost(model: str, prompt: int, cached: int, answered: int) -> float | None:
    """US dollars for the tokens of a batch, which costs half; None when the table does not know the model."""
    used = Counts(prompt=prompt, candidates=answered, cached=cached)
    cost = cost_of(model, None, used, {})
    return None if cost is None else cost * _BATCH_SHARE


def load() -> None:
    """Read the table now, which takes a fifth of a second, so that hardly a request waits for it."""
    rates_of("gemini-2.5-flash", None, int(time.time()) // _HOUR)


@contextmanager
def refreshed() -> Iterator[None]:
    """Fetch newer prices every hour, in a thread, until the block ends: from the project of genai-prices, at GitHub.

    They count from the next hour on.
    """
    from genai_prices import UpdatePrices

    with UpdatePrices():
        yield
