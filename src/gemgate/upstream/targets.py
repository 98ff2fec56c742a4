"""Which model, which group of methods and which method a call asks for: what is refused for one is not for another.

Google counts quotas by method, and lets a key be limited to methods. So a cool-down is for a key, a model and a group.
"""

import re
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from gemgate.gemini.resource_names import COLLECTION


class MethodGroup(StrEnum):
    """Methods of Google's API that share a quota, as far as anybody outside of Google can know."""

    GENERATE = "generate"
    EMBED = "embed"
    COUNT = "count"
    PREDICT = "predict"
    DECIDE = "decide"
    BATCH = "batch"
    FILES = "files"
    CACHES = "caches"
    MODELS = "models"
    STORES = "stores"
    TUNED_MODELS = "tuned_models"
    OTHER = "other"


class Target(NamedTuple):
    """What a call asks for.

    Attributes:
        model: Such as `models/gemini-2.5-flash`; empty for a call to none.
        group: The group of its method.
        method: The method itself, such as `countTokens` or `POST cachedContents`.
        is_repeatable: Whether making the call twice does no harm.
    """

    model: str
    group: MethodGroup = MethodGroup.GENERATE
    method: str = "generateContent"
    is_repeatable: bool = True


_GROUPS = {
    "generateContent": MethodGroup.GENERATE,
    "streamGenerateContent": MethodGroup.GENERATE,
    "embedContent": MethodGroup.EMBED,
    "batchEmbedContents": MethodGroup.EMBED,
    "countTokens": MethodGroup.COUNT,
    "computeTokens": MethodGroup.COUNT,
    "predict": MethodGroup.PREDICT,
    "predictLongRunning": MethodGroup.PREDICT,
    "batchGenerateContent": MethodGroup.BATCH,
    "asyncBatchEmbedContent": MethodGroup.BATCH,
}
_COLLECTIONS = {
    "models": MethodGroup.MODELS,
    "tunedModels": MethodGroup.TUNED_MODELS,
    "files": MethodGroup.FILES,
    "generatedFiles": MethodGroup.FILES,
    "cachedContents": MethodGroup.CACHES,
    "batches": MethodGroup.BATCH,
    "decisions": MethodGroup.DECIDE,
    "fileSearchStores": MethodGroup.STORES,
}
_REPEATABLE = frozenset(
    {
        "generateContent",
        "streamGenerateContent",
        "countTokens",
        "computeTokens",
        "embedContent",
        "batchEmbedContents",
        "predict",
    }
)
_MODEL_CALL = re.compile(
    r"/v1(?:beta|alpha)?/"
    r"((?:models|tunedModels|dynamic|endpoints"
    r"|vertex(?!/cachedContents|/publishers|/batchPredictionJobs)(?:/endpoints)?)/[^/:]+)(?::(\w+))?"
)


def method_call(model: str, method: str) -> Target:
    """The target of `POST …/{model}:{method}`."""
    return Target(model, _GROUPS.get(method, MethodGroup.OTHER), method, method in _REPEATABLE)


@lru_cache(maxsize=1024)
def target_of(verb: str, path: str) -> Target:
    """The target of a call by its HTTP method and its path, such as `/v1beta/models/gemini-2.5-flash:countTokens`."""
    is_read = verb in ("GET", "HEAD")
    found = _MODEL_CALL.match(path)
    if found is not None and found[2]:
        target = method_call(found[1], found[2])
        return target._replace(is_repeatable=is_read or target.is_repeatable)
    model = found[1] if found is not None else ""
    named = COLLECTION.match(path)
    collection = named[1] if named is not None else ""
    group = _COLLECTIONS.get(collection, MethodGroup.OTHER)
    if "/operations" in path and group in (MethodGroup.MODELS, MethodGroup.TUNED_MODELS):
        group = MethodGroup.OTHER
    return Target(model, group, f"{verb} {collection}", is_read or group is MethodGroup.DECIDE)
