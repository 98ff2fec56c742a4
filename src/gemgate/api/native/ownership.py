"""Keeps callers apart at Google, where they share the gateway's keys, and remembers which key has made what.

Google shows a file, a cache or a job to whoever has a key of its project. A gateway that holds the key lets each of its
callers see, change and delete what they have made, and nothing else. A caller with a Gemini key of its own is kept
apart by Google.
"""

import re
from collections.abc import Collection
from typing import Any

import orjson

from gemgate.api.native.exchange import Exchange
from gemgate.api.native.methods import MatchedMethod
from gemgate.api.services import Services
from gemgate.errors import ApiError
from gemgate.gemini.client.response import GeminiResponse

_OWNED = frozenset({"files", "cachedContents", "batches", "fileSearchStores", "generatedFiles"})
_MODELS = frozenset({"models", "tunedModels", "dynamic"})
_OPERATION = re.compile(r"(?:models|tunedModels)/[^/]+/operations/[^/]+")
_FILE = re.compile(r"/files/([a-z0-9][a-z0-9-]{0,39})(?::download|\Z)", re.ASCII)
_RESULTS = "files/batch-"
"""What the names of a job's result files begin with; the id of the job follows."""

_DAY = 86_400
_LIFETIMES = {"files": 3 * _DAY, "generatedFiles": 3 * _DAY, "batches": 90 * _DAY, "models": 90 * _DAY}
"""Seconds, longer than Google keeps them."""


def is_shared(exchange: Exchange) -> bool:
    """Whether others call with the same key."""
    return exchange.caller.key is None and not exchange.services.client_keys.is_open


def is_filtered(exchange: Exchange) -> bool:
    """Whether a list has to be made anew for this caller."""
    lists = exchange.call.method.lists
    return exchange.caller.models is not None if lists in _MODELS else bool(lists) and is_shared(exchange)


def looks_inside(exchange: Exchange) -> bool:
    """Whether the answer must be read, and not only handed on."""
    method = exchange.call.method
    return exchange.caller.key is None and (method.makes or method.verb == "DELETE")


async def check_access(exchange: Exchange, body: bytes = b"") -> None:
    """Refuse a model that this caller may not use, and what another has made.

    Raises:
        ApiError: 403, in Google's words where it is about a resource.
    """
    call, caller = exchange.call, exchange.caller
    if caller.models is not None:
        for model in _models_asked(call, body):
            caller.check_model(model)
    name = resource_of(call)
    if name is None or not is_shared(exchange):
        return
    owned = await exchange.services.store.resources.owned(caller.id, {name, _job_of(name)})
    for label in filter(None, owned.values()):
        # Known to this process from now on, which may not be the one that has made it.
        exchange.gemini.shared.affinity.learn([name], label)
    if not owned:
        msg = f"You do not have permission to access {name} or it may not exist."
        raise ApiError(403, msg, code="not_your_resource")


def resource_of(call: MatchedMethod) -> str | None:
    """The resource that a call is about, if it is one that somebody has made."""
    top, names = call.method.top, call.names
    if top in _OWNED and names:
        return f"{top}/{names[0]}"
    if top in _MODELS and len(names) == 2:
        return f"{top}/{names[0]}/operations/{names[1]}"
    return None


def _job_of(name: str) -> str:
    """The job whose result file this would be."""
    return f"batches/{name.removeprefix(_RESULTS)}" if name.startswith(_RESULTS) else name


def _models_asked(call: MatchedMethod, body: bytes) -> list[str]:
    asked = [f"{call.method.top}/{call.names[0]}"] if call.method.top in _MODELS and call.names else []
    if call.method.template == "cachedContents" and isinstance(model := object_in(body).get("model"), str):
        asked.append(model)
    return [name.removeprefix("models/") for name in asked]


async def remember(exchange: Exchange, answer: GeminiResponse, content: bytes) -> None:
    """What an answer tells: what was made, what is gone."""
    method = exchange.call.method
    if method.makes:
        await claim(exchange.services, exchange.caller.id, content, answer.key_label)
    elif method.verb == "DELETE" and (name := resource_of(exchange.call)) is not None and is_shared(exchange):
        await exchange.services.store.resources.forget(exchange.caller.id, name)


async def claim(services: Services, owner: str, content: bytes, key_label: str) -> None:
    """What an answer names belongs to the owner, and to the project of the gateway's key that is called `key_label`.

    With a caller's own key, which has no label, Google sees to that.
    """
    if not key_label or not (names := names_in(object_in(content))):
        return
    services.gemini.shared.affinity.learn(names, key_label)
    if not services.client_keys.is_open:
        for name in names:
            await services.store.resources.claim(owner, name, key_label, _LIFETIMES.get(name.partition("/")[0]))


def names_in(answer: dict[str, Any]) -> list[str]:
    """What an answer says was made: its own name, that of the file in it, and the files of a finished operation."""
    made = answer.get("file") if isinstance(answer.get("file"), dict) else answer
    name = made.get("name") if isinstance(made, dict) else None
    names = [name] if isinstance(name, str) and _is_resource(name) else []
    return names + [f"files/{found}" for found in _files_in(answer.get("response"))]


def _is_resource(name: str) -> bool:
    top, _, rest = name.partition("/")
    return (top in _OWNED and "/" not in rest) or _OPERATION.fullmatch(name) is not None


def _files_in(value: Any) -> list[str]:
    """The files whose addresses stand in a value, such as the videos of an operation."""
    if isinstance(value, str):
        return _FILE.findall(value.partition("?")[0])
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [name for each in inner for name in _files_in(each)]


async def visible(exchange: Exchange, names: Collection[str]) -> set[str]:
    """Those of the resources in a list that this caller may see."""
    if exchange.call.method.lists in _MODELS:
        return {name for name in names if exchange.caller.may_use(name.removeprefix("models/"))}
    jobs = {name: _job_of(name) for name in names}
    owned = await exchange.services.store.resources.owned(exchange.caller.id, {*names, *jobs.values()})
    return {name for name, job in jobs.items() if name in owned or job in owned}


def object_in(content: bytes) -> dict[str, Any]:
    """The JSON object in a body; empty if it holds something else."""
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
