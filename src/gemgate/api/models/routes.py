"""`GET /models` and `GET /models/{model}`: the I/O around the translation.

Not for the prefix `/v1beta`, where these paths are Google's own.
"""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.models.translation import described, from_alias, model_from_gemini, resource_name
from gemgate.api.models.wire import Model, ModelListObject
from gemgate.api.services import caller_of, dialect_of, services_of
from gemgate.auth.caller import Caller
from gemgate.errors import ApiError
from gemgate.gemini.model_list import PAGE_SIZE, PATH, Listing
from gemgate.gemini.types import ModelResource
from gemgate.model_routing.aliases import bare
from gemgate.redaction import redact
from gemgate.translation.notes import Notes
from gemgate.web.disconnect import cancelled_on_disconnect
from gemgate.web.dry_run import dry_run
from gemgate.web.json_request import is_dry_run
from gemgate.web.json_response import json_response

router = APIRouter(tags=["models"])

_SHOWN = 200


@router.get("/models", summary="List the models")
async def list_models(request: Request) -> Response:
    """Answer with the operator's names and all models that Google offers, as far as this caller may use them."""
    if is_dry_run(request):
        return _dry_run(request)
    caller, listing = await _listing(request)
    aliases = services_of(request).aliases.lists
    data = [_alias(request, alias, listing) for alias in aliases if caller.may_use(alias)]
    hidden = {resource_name(alias) for alias in aliases}
    natives = [model for name, model in listing.models.items() if name not in hidden and caller.may_use(name)]
    models: ModelListObject = {"object": "list", "data": data + [_model(request, model) for model in natives]}
    return _json(models, listing)


@router.get("/models/{model:path}", summary="Describe a model")
async def retrieve_model(request: Request, model: str) -> Response:
    """Answer with one model; `x`, `models/x` and `models%2Fx` are the same.

    Raises:
        ApiError: 404 `model_not_found`, if Google does not list it for this caller.
    """
    if is_dry_run(request):
        return _dry_run(request)
    caller, listing = await _listing(request)
    alias, aliases = bare(model), services_of(request).aliases
    if (alias in aliases.lists or aliases.resolve(alias) != (alias,)) and caller.may_use(model):
        shown = _alias(request, alias, listing)
        return _json(described(shown, shown["alias_of"][0], services_of(request).chat.catalog), listing)
    native = listing.models.get(resource_name(model))
    if native is None or not caller.may_use(model):
        msg = f"The model `{redact(model)[:_SHOWN]}` does not exist or you do not have access to it."
        raise ApiError(404, msg, param="model", code="model_not_found")
    shown = described(_model(request, native), native["name"], services_of(request).chat.catalog)
    return _json(shown, listing)


@router.delete("/models/{model:path}", summary="Refused: no model can be deleted")
async def delete_model(request: Request, model: str) -> Response:
    """Refuse.

    Raises:
        ApiError: 403, always.
    """
    caller_of(request)
    msg = f"The model `{redact(model)[:_SHOWN]}` cannot be deleted: it is Google's, and not fine-tuned by you."
    raise ApiError(403, msg, type="permission_error", param="model", code="method_not_supported")


async def _listing(request: Request) -> tuple[Caller, Listing]:
    services = services_of(request)
    caller = caller_of(request)
    async with cancelled_on_disconnect(request):
        return caller, await services.models.listing(caller.id, caller.key)


def _model(request: Request, native: ModelResource) -> Model:
    catalog = services_of(request).chat.catalog
    return model_from_gemini(native, catalog, is_prefixed=dialect_of(request) == "google")


def _alias(request: Request, alias: str, listing: Listing) -> Model:
    services = services_of(request)
    models = services.aliases.resolve(alias)
    native = listing.models.get(resource_name(models[0]))
    return from_alias(alias, models, native, services.chat.catalog, is_prefixed=dialect_of(request) == "google")


def _dry_run(request: Request) -> Response:
    caller_of(request)
    client = services_of(request).gemini.client
    return dry_run(client, f"{PATH}?pageSize={PAGE_SIZE}", None, 1, Notes(), method="GET")


def _json(value: object, listing: Listing | None = None) -> Response:
    headers = {"x-gemgate-stale": "true"} if listing is not None and listing.is_stale else {}
    return json_response(value, headers)
