"""Keeps callers apart at Google, where they share the gateway's keys, and remembers which key has made what.

`gemgate.auth.resource_access` says whose something is; here is what a native call names, makes and deletes.
"""

import asyncio
import re
from collections.abc import Callable, Collection, Iterable
from functools import reduce

import orjson
import structlog
from anyio import to_thread

from gemgate.api.native.batch_lines import check_lines
from gemgate.api.native.exchange import Exchange
from gemgate.api.native.methods import MatchedMethod
from gemgate.api.native.request_body import parsed, parsed_unambiguously
from gemgate.api.native.request_headers import refuse_packed, refuse_unreadable
from gemgate.api.native.vertex_paths import VertexMethod, as_named_elsewhere
from gemgate.api.services import Services
from gemgate.auth.caller import Caller
from gemgate.auth.resource_access import LARGE, TUNED, is_for_all, job_of
from gemgate.errors import SERVER_ERROR, ApiError
from gemgate.gemini.client.response import GeminiResponse
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.named_resources import Named, may_name
from gemgate.gemini.resource_names import VERTEX, without_place
from gemgate.model_routing.model_name import model_name
from gemgate.redaction import redact, traceback_of

_OWNED = frozenset({"files", "cachedContents", "batches", "fileSearchStores", "generatedFiles", "batchPredictionJobs"})
_MODELS = frozenset({"models", "tunedModels", "dynamic"})
_LISTS_OF_MODELS = frozenset({"models", "publisherModels"})
_OPERATION = re.compile(r"(?:models|tunedModels)/[^/]+/operations/[^/]+")
_FILE = re.compile(r"/files/([a-z0-9][a-z0-9-]{0,39})(?::download|\Z)", re.ASCII)
_BATCHING = frozenset(
    {"batchGenerateContent", "asyncBatchEmbedContent", "updateGenerateContentBatch", "updateEmbedContentBatch"}
)
"""Methods whose body may name a file of requests."""

_WITH_FILES = _BATCHING | {"importFile"}

_log = structlog.get_logger()

_DAY = 86_400
_LIFETIMES = {
    "files": 3 * _DAY,
    "generatedFiles": 3 * _DAY,
    "batches": 90 * _DAY,
    "batchPredictionJobs": 90 * _DAY,
    "models": 90 * _DAY,
}
"""Seconds, longer than Google keeps them."""


def is_shared(exchange: Exchange) -> bool:
    """Whether others call with the same key."""
    return exchange.services.access.is_shared


def is_filtered(exchange: Exchange) -> bool:
    """Whether a list has to be rebuilt for this caller."""
    lists = exchange.call.method.lists
    if lists in _LISTS_OF_MODELS:
        return exchange.caller.models is not None
    return bool(lists) and is_shared(exchange)


def looks_inside(exchange: Exchange) -> bool:
    """Whether the answer must be read, and not only handed on."""
    method = exchange.call.method
    return exchange.caller.key is None and (method.makes or method.verb == "DELETE")


async def check_access(exchange: Exchange, body: bytes = b"") -> None:
    """Refuse a model that this caller may not use, and what another has made: in the path, or in a body of JSON.

    Raises:
        ApiError: 403 for a model, 404 for a resource, 409 for the name of another's, 415 and 400 for a body that cannot
            be read.
    """
    await check_path(exchange)
    if body and is_shared(exchange):
        refuse_unreadable(exchange.request.headers)
        await _check_body(exchange, body)


async def check_path(exchange: Exchange) -> None:
    """The same for what is in the path alone.

    Raises:
        ApiError: 403 for a model, 404 for a resource.
    """
    call, caller = exchange.call, exchange.caller
    top, names = call.method.top, call.names
    if top in _MODELS and names:
        caller.check_model(names[0] if top == "models" else f"{top}/{names[0]}")
    if not is_shared(exchange):
        return
    if (name := resource_of(call)) is not None:
        await exchange.services.access.check_names(caller, [name])
    elif top == "tunedModels" and names:
        await exchange.services.access.check_names(caller, [f"tunedModels/{names[0]}"])


async def check_metadata(exchange: Exchange, body: bytes) -> None:
    """Refuse what the beginning of an upload names. Google takes it in looser JSON than others write, and so do we.

    Raises:
        ApiError: as `check_access`.
    """
    await check_path(exchange)
    if not is_shared(exchange):
        return
    refuse_packed(exchange.request.headers)
    if may_name(body) or b"name" in body:
        try:
            orjson.loads(body)
        except orjson.JSONDecodeError:
            if not may_name(body):
                return
        await _check_body(exchange, body)


async def _check_body(exchange: Exchange, body: bytes) -> None:
    call, caller, access = exchange.call.method, exchange.caller, exchange.services.access
    await _off_the_loop(parsed, body)
    is_creating = call.verb != "GET" and call.top in _OWNED and "/" not in call.template and ":" not in call.template
    must_be_read = caller.models is not None or is_creating or call.call in _WITH_FILES
    if not must_be_read and not may_name(body):
        return
    value = await _off_the_loop(parsed_unambiguously, body)
    if is_creating and isinstance(exchange.call, VertexMethod):
        value = as_named_elsewhere(value)
    named = await access.named(value, len(body))
    if call.decides:
        _check_decider(caller, value)
    else:
        _check_models(caller, named)
    if is_creating and (chosen := _chosen(call.top, value)):
        if await exchange.services.store.resources.of_others(caller.id, [chosen]):
            raise _taken(chosen)
        named.names.discard(chosen)
    await access.check_names(caller, named.names)
    if call.call in _BATCHING:
        for name in sorted(named.inputs):
            await check_lines(exchange, name)


async def _off_the_loop(read: Callable[[bytes], object], body: bytes) -> object:
    return read(body) if len(body) < LARGE else await to_thread.run_sync(read, body)


def _check_models(caller: Caller, named: Named) -> None:
    """Refuse models in a body that the caller may not use, and what is not the name of one.

    Raises:
        ApiError: 403; 400 for what is not a name.
    """
    if caller.models is None:
        return
    for model in sorted(named.models):
        caller.check_model(model_name(model).removeprefix("models/"))


def _check_decider(caller: Caller, value: object) -> None:
    """The same for decisions: their one model is at the top, and what a question calls `model` is an option of it.

    Raises:
        ApiError: 403; 400 for what is not a name, or no model at all.
    """
    if caller.models is None:
        return
    model = value.get("model") if isinstance(value, dict) else None
    if not isinstance(model, str) or not model:
        msg = f"Missing required parameter: 'model'. The key '{caller.name}' may use some models only."
        raise ApiError(400, msg, param="model", code="missing_required_parameter")
    caller.check_model(model_name(model).removeprefix("models/"))


def _chosen(top: str, value: object) -> str | None:
    """The name that a caller wants for what is made."""
    made = value.get("file", value) if isinstance(value, dict) else None
    name = made.get("name") if isinstance(made, dict) else None
    if not isinstance(name, str) or not name:
        return None
    return name if name.startswith(f"{top}/") else f"{top}/{name}" if "/" not in name else None


def _taken(name: str) -> ApiError:
    msg = f"The name {redact(name)[:80]} is taken. Choose another, or leave the choice to Google."
    return ApiError(409, msg, code="already_exists")


def resource_of(call: MatchedMethod) -> str | None:
    """The resource that a call is about, if it is one that somebody has made."""
    top, names = call.method.top, call.names
    if top in _OWNED and names:
        return f"{top}/{names[0]}"
    if top in _MODELS and len(names) == 2:
        return f"{top}/{names[0]}/operations/{names[1]}"
    return None


async def remember(exchange: Exchange, answer: GeminiResponse, content: bytes) -> None:
    """What an answer says: what was made, what is gone.

    Raises:
        ApiError: what was made cannot be the caller's.
    """
    method = exchange.call.method
    if method.makes:
        is_new = method.verb != "GET"
        await claim(exchange.services, exchange.caller.id, content, answer.key_label, is_new=is_new)
    elif method.verb == "DELETE" and (name := resource_of(exchange.call)) is not None and is_shared(exchange):
        await exchange.services.store.resources.forget(exchange.caller.id, name)


async def claim(services: Services, owner: str, content: bytes, key_label: str, *, is_new: bool = True) -> None:
    """What an answer names belongs to the owner, and to the project of the gateway's key that is called `key_label`.

    With a caller's own key, which has no label, Google sees to that. What another owns stays the other's. What was
    `is_new` and cannot be the owner's is deleted at Google: it would be nobody's.

    Raises:
        ApiError: 409 for a name that another owns, 503 when the store does not note it.
    """
    if not key_label or not (names := names_in(object_in(content))):
        return
    if not services.access.is_shared:
        services.gemini.shared.affinity.learn(names, key_label)
        return
    # To its end, whoever goes: what is at Google must be somebody's.
    await asyncio.shield(_claim(services, owner, names, key_label, is_new=is_new))


async def _claim(services: Services, owner: str, names: list[str], key_label: str, *, is_new: bool) -> None:
    resources = services.store.resources
    try:
        claimed = await resources.claim(owner, {name: _lifetime(name) for name in names}, key_label)
        others = await resources.of_others(owner, set(names) - claimed) if claimed < set(names) else {}
    except Exception as error:
        _log.error("what was made at Google is not noted", names=names, exception=traceback_of(error))
        if is_new:
            await _delete(services, names, key_label)
        msg = "The gateway could not note whose this is, so that it was not kept. Please retry."
        raise ApiError(503, msg, type=SERVER_ERROR, code="store_unavailable", headers={"retry-after": "1"}) from error
    services.gemini.shared.affinity.learn(claimed, key_label)
    if others and is_new:
        # With the same key it would be the other's own.
        await _delete(services, [name for name, label in others.items() if label != key_label], key_label)
        raise _taken(min(others))


def _lifetime(name: str) -> int | None:
    return _LIFETIMES.get(name.partition("/")[0])


async def _delete(services: Services, names: Iterable[str], key_label: str) -> None:
    """Take back what was made, as far as Google lets it be deleted."""
    key = services.gemini.shared.pool.named(key_label)
    for name in names:
        if key is None or name.partition("/")[0] not in _OWNED:
            continue
        is_lane = key.secret == key.label
        url = services.gemini.url(f"/v1beta/{VERTEX if is_lane else ''}{name}")
        try:
            answer = await services.gemini.client.open("DELETE", url, key=key.secret)
            await answer.aclose()
        except GeminiError as error:
            _log.warning("what was made stays at Google", name=name, reason=error.reason)


def names_in(answer: dict[str, object]) -> list[str]:
    """What an answer says was made: its own name, that of the file in it, and the files of a finished operation."""
    made = answer.get("file") if isinstance(answer.get("file"), dict) else answer
    name = made.get("name") if isinstance(made, dict) else None
    if isinstance(name, str) and name.startswith("projects/"):
        name = without_place(name)
    names = [name] if isinstance(name, str) and _is_resource(name) else []
    return names + [f"files/{found}" for found in _files_in(answer.get("response"))]


def _is_resource(name: str) -> bool:
    top, _, rest = name.partition("/")
    return (top in _OWNED and "/" not in rest) or _OPERATION.fullmatch(name) is not None


def _files_in(value: object) -> list[str]:
    """The files whose addresses are in a value, such as the videos of an operation."""
    if isinstance(value, str):
        return _FILE.findall(value.partition("?")[0])
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [name for each in inner for name in _files_in(each)]


async def visible(exchange: Exchange, names: Collection[str]) -> set[str]:
    """Those of the resources in a list that this caller may see."""
    if exchange.call.method.lists in _MODELS | _LISTS_OF_MODELS:
        caller, prefixes = exchange.caller, ("publishers/google/", "models/")
        bare = {name: reduce(str.removeprefix, prefixes, name) for name in names}
        return {name for name in names if caller.may_use(bare[name]) and _is_public(exchange, name)}
    jobs = {name: job_of(name) for name in names}
    owned = await exchange.services.store.resources.owned(exchange.caller.id, {*names, *jobs.values()})
    return {name for name, job in jobs.items() if name in owned or job in owned}


def _is_public(exchange: Exchange, model: str) -> bool:
    return not is_shared(exchange) or not model.startswith(TUNED) or is_for_all(exchange.caller, model)


def object_in(content: bytes) -> dict[str, object]:
    """The JSON object in a body; empty if it holds something else."""
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
