"""`POST /decisions`: the I/O around the translation."""

from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.decisions.inputs import inline_media_of, media_of
from gemgate.api.decisions.translation import DecisionTranslation, decision, to_gemini
from gemgate.api.decisions.wire import OPENAI_MODELS, DecisionRequest
from gemgate.api.services import Services, caller_of, services_of
from gemgate.auth.caller import Caller
from gemgate.errors import ApiError
from gemgate.gemini.decisions import PATH, DecisionResponse, usage_of
from gemgate.media.references import Resolved
from gemgate.model_routing.fallback import Fallback, ModelAttempt
from gemgate.model_routing.model_name import model_name
from gemgate.model_routing.openai_names import gemini_name
from gemgate.observability.record import current
from gemgate.translation.google_errors import error_from_gemini
from gemgate.translation.notes import served_by
from gemgate.translation.request_size import is_heavy
from gemgate.translation.validation import parse
from gemgate.upstream.decisions import NoDecisionsError
from gemgate.web.disconnect import cancelled_on_disconnect
from gemgate.web.dry_run import dry_run
from gemgate.web.json_request import is_dry_run, read_json_body
from gemgate.web.json_response import json_response

router = APIRouter(tags=["decisions"])


@router.post("/decisions", summary="Answer closed questions")
async def create_decision(request: Request) -> Response:
    """Answer each question with probabilities, in the order of the questions.

    With `x-gemgate-dry-run: true`, answer with the native request instead, and call nobody.
    """
    services = services_of(request)
    caller = caller_of(request)
    raw = await read_json_body(request, services.settings.max_body_bytes)
    aside = services.heavy.aside(caller.id, is_heavy=is_heavy(raw))
    asked = await aside.run(partial(parse, DecisionRequest, raw))
    record = current()
    record.asks("decision", asked.model, asked)
    name = gemini_name(asked.model, OPENAI_MODELS, services.aliases)
    caller.check_model(name)
    await services.access.check_request(caller, asked, raw)
    models = services.aliases.resolve(name)
    is_dry = is_dry_run(request)
    async with cancelled_on_disconnect(request):
        media = await _resolved(services, caller, asked, model_name(models[0]), len(raw), is_dry=is_dry)
        translate = partial(to_gemini, asked, services.chat, media)
        first = await aside.run(partial(translate, model=models[0]))
        record.uses(first.model, first.notes, is_asked=not is_dry)
        if is_dry:
            body = {"model": first.model.removeprefix("models/"), **first.body}
            return dry_run(PATH, body, 1, first.notes)

        async def decided(attempt: ModelAttempt) -> tuple[DecisionTranslation, DecisionResponse]:
            is_first = attempt.number == 0
            translation = first if is_first else await aside.run(partial(translate, model=attempt.model))
            return translation, await _decided(services, caller, translation, attempt)

        translation, response = await Fallback(services.gemini, asked.model, models).answer(decided)
    record.uses(translation.model, translation.notes)
    record.answered(translation.model.removeprefix("models/"), usage_of(response))
    headers = translation.notes.headers() | served_by(translation.model)
    return json_response(decision(asked, response), headers)


async def _resolved(
    services: Services, caller: Caller, asked: DecisionRequest, model: str, size: int, *, is_dry: bool
) -> Resolved:
    """The images that it names, and what it holds and must not."""
    refs = media_of(asked)
    if not refs and size <= services.media.untouched_bytes:
        return {}
    inline = partial(inline_media_of, asked)
    return await services.media.resolve(refs, caller, model=model, size=size, inline=inline, is_dry_run=is_dry)


async def _decided(
    services: Services, caller: Caller, translation: DecisionTranslation, attempt: ModelAttempt
) -> DecisionResponse:
    """Google's answer.

    Raises:
        GeminiError: Google refused the request, or gave no answer.
        ApiError: 404, the account has no Decisions API.
    """
    account = caller.id if caller.key is not None else ""
    try:
        return await services.decisions.decide(
            translation.model, translation.body, caller.key, account=account, limits=attempt.limits
        )
    except NoDecisionsError as error:
        msg = "Google serves no Decisions API for this key, or not with this model."
        google = error_from_gemini(error.refusal).google if error.refusal is not None else None
        if error.refusal is not None:
            msg = f"{msg} Google said: {error_from_gemini(error.refusal).message}"
        raise ApiError(404, msg, param="model", code="model_not_found", google=google) from error.refusal
