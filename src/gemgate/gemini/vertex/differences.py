"""How a request to Vertex AI differs from one to the Developer API: one table, and what follows from it.

Everything above speaks the Developer API's wire. A request that holds a field of this table is changed at the door;
translators read the same table as facts of the model, so that they leave such fields out, and say so, beforehand.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, NamedTuple

import orjson

from gemgate.gemini.types import UsageMetadata

Json = Mapping[str, Any]


class Difference(NamedTuple):
    """A field of a native request that Vertex AI does not take.

    Attributes:
        path: Its place, such as `toolConfig.includeServerSideToolInvocations`; lists on the way are looked into.
        becomes: What is done with it: it is left out, the object that holds it is left out, or it is a header.
        source: Where that is known from.
    """

    path: str
    becomes: Literal["left out", "left out with its holder", "a header"]
    source: str


_SDK = "google-genai 3.6.1, its converters for Vertex AI"
_IDS = 'refused as `Unknown name "id"` until July 2026 at least (LiteLLM PR 28324, vercel/ai 15891, req_llm PR 414)'

REQUEST = (
    Difference("store", "left out", _SDK),
    Difference("serviceTier", "a header", "docs.cloud.google.com: priority pay-as-you-go"),
    Difference("toolConfig.includeServerSideToolInvocations", "left out", f"{_SDK}; vercel/ai 14655"),
    Difference("contents.parts.toolCall", "left out with its holder", _SDK),
    Difference("contents.parts.toolResponse", "left out with its holder", _SDK),
    Difference("contents.parts.partMetadata", "left out", _SDK),
    Difference("contents.parts.functionCall.id", "left out", _IDS),
    Difference("contents.parts.functionResponse.id", "left out", _IDS),
    Difference("tools.fileSearch", "left out", _SDK),
    Difference("tools.mcpServers", "left out", _SDK),
)
"""The table of differences of `generateContent` and `streamGenerateContent`."""

_UNASKED = "toolConfig.includeServerSideToolInvocations"
"""Set by translators where functions and built-in tools meet, which Vertex AI lets them unasked (recorded)."""

KNOWN_TO_TRANSLATORS = tuple(
    difference.path
    for difference in REQUEST
    if difference.becomes == "left out" and not difference.path.startswith("contents.") and difference.path != _UNASKED
)
"""What translators leave out themselves, and say so; the rest comes from native requests alone."""

TIER_HEADER = "x-vertex-ai-llm-shared-request-type"
"""Asks for the tier `flex` or `priority`, in the location `global` alone."""

_TIERS = frozenset({"flex", "priority"})
_TRAFFIC = {
    "ON_DEMAND": "default",
    "ON_DEMAND_OFFPEAK": "default",
    "ON_DEMAND_PRIORITY": "priority",
    "ON_DEMAND_FLEX": "flex",
    "PROVISIONED_THROUGHPUT": "scale",
}


def tier_of(usage: UsageMetadata) -> str | None:
    """OpenAI's word for the tier that has served a request, by `trafficType`; None where that says nothing."""
    return _TRAFFIC.get(str(usage.get("trafficType", "")))


def paid_tier(usage: UsageMetadata) -> str | None:
    """The tier of `trafficType` that has a price of its own; None for all others."""
    tier = tier_of(usage)
    return tier if tier in _TIERS else None


class Fitted(NamedTuple):
    """A request as Vertex AI takes it.

    Attributes:
        body: The native request; the same object where nothing was changed.
        headers: What is a header there.
        left_out: The paths of what was left out.
    """

    body: Json
    headers: dict[str, str]
    left_out: tuple[str, ...]


def fitted(body: Json) -> Fitted:
    """`body` without what Vertex AI does not take; what is given is not changed."""
    headers: dict[str, str] = {}
    left_out: list[str] = []
    for steps, difference in _STEPS:
        changed = _without(body, steps, with_holder=difference.becomes == "left out with its holder")
        if changed is body:
            continue
        if difference.becomes == "a header":
            tier = str(body.get("serviceTier", body.get("service_tier"))).lower()
            headers |= {TIER_HEADER: tier} if tier in _TIERS else {}
        else:
            left_out.append(difference.path)
        body = changed
    return Fitted(body, headers, tuple(left_out))


def without(body: Json, path: str) -> Json:
    """`body` without the field at `path`; the same object where it has none."""
    changed: Json = _without(body, _steps(path), with_holder=False)
    return changed


def fitted_bytes(body: bytes) -> tuple[bytes, dict[str, str]]:
    """The same of a request that is written already, and the headers; one without such names is not read."""
    if _NAMES.search(body) is None and not (b'"id"' in body and _CALLS.search(body)):
        return body, {}
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body, {}
    if not isinstance(given, dict):
        return body, {}
    found = fitted(given)
    return (body, {}) if found.body is given else (orjson.dumps(found.body), found.headers)


def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


@cache
def _steps(path: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, _snake(name)) for name in path.split("."))


_STEPS = tuple((_steps(difference.path), difference) for difference in REQUEST)
_LAST = sorted({name for steps, _ in _STEPS for name in steps[-1]} - {"id"})
_NAMES = re.compile(rb'"(?:' + "|".join(_LAST).encode() + rb')"\s*:')
_CALLS = re.compile(rb'"function_?(?:Call|Response|call|response)"\s*:')


def _without(node: Any, steps: tuple[tuple[str, str], ...], *, with_holder: bool) -> Any:
    """`node` without the field at `steps`, and without objects and lists that hold nothing more; a changed copy."""
    if isinstance(node, list):
        items = [_without(item, steps, with_holder=with_holder) for item in node]
        if all(new is old for new, old in zip(items, node, strict=True)):
            return node
        return [new for new, old in zip(items, node, strict=True) if new or new is old]
    name = next((name for name in steps[0] if isinstance(node, dict) and name in node), None)
    if name is None:
        return node
    others = {key: value for key, value in node.items() if key != name}
    if len(steps) == 1:
        return {} if with_holder else others
    inner = _without(node[name], steps[1:], with_holder=with_holder)
    if inner is node[name]:
        return node
    if not inner:
        return {} if name == "parts" else others
    return {**node, name: inner}
