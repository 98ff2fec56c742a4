"""`POST /decisions`: the I/O around the translation."""

from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.body_for_model import BodyForModel, body_for_model
from gemgate.api.decisions.inputs import inline_media_of, media_of
from gemgate.api.decisions.translation import DecisionTranslation, decision, to_gemini
from gemgate.api.decisions.wire import OPENAI_MODELS, DecisionRequest
from gemgate.api.services import Services
from gemgate.auth.caller import Caller
from gemgate.errors import ApiError
from gemgate.gemini.decisions import PATH, DecisionResponse, usage_of
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.vertex.refusals import not_there
from gemgate.media.references import Resolved
from gemgate.model_routing.fallback import Fallback, ModelAttempt
from gemgate.model_routing.model_name import model_name
from gemgate.observability.record import current
from gemgate.translation.google_errors import error_from_gemini
from gemgate.upstream.decisions import NoDecisionsError
from gemgate.web.disconnect import cancelled_on_disconnect
from gemgate.web.dry_run import dry_run
from gemgate.web.json_response import json_response

router = APIRouter(tags=["decisions"])


@router.post("/decisions", summary="Answer closed questions")
async def create_decision(request: Request) -> Response:
    """Answer each question with probabilities, in the order of the questions.

    With `x-gemgate-dry-run: true`, answer with the native request instead, and call nobody.
    """
    asked = await body_for_model(request, DecisionRequest, "decision", _model_of, OPENAI_MODELS)
    services, record = asked.services, current()
    async with cancelled_on_disconnect(request):
        media = await _resolved(asked)
        translate = partial(to_gemini, asked.body, services.chat, media)
        first = await asked.aside.run(partial(translate, model=asked.models[0]))
        record.uses(first.model, first.notes, is_asked=not asked.is_dry_run)
        if asked.is_dry_run:
            if not services.decisions.has(first.model):
                raise _none(not_there(PATH))
            body = {"model": first.model.removeprefix("models/"), **first.body}
            return dry_run(services.gemini.client, PATH, body, 1, first.notes)

        async def decided(attempt: ModelAttempt) -> tuple[DecisionTranslation, DecisionResponse]:
            is_first = attempt.number == 0
            translation = first if is_first else await asked.aside.run(partial(translate, model=attempt.model))
            return translation, await _decided(services, asked.caller, translation, attempt)

        translation, response = await Fallback(services.gemini, asked.asked, asked.models).answer(decided)
    record.uses(translation.model, translation.notes)
    record.answered(translation.model.removeprefix("models/"), usage_of(response))
    headers = translation.notes.headers(served_by=translation.model)
    return json_response(decision(asked.body, response), headers)


def _model_of(asked: DecisionRequest) -> str:
    return asked.model


async def _resolved(asked: BodyForModel[DecisionRequest]) -> Resolved:
    """The images that it names, and what it holds and must not."""
    refs, media = media_of(asked.body), asked.services.media
    if not refs and asked.size <= media.untouched_bytes:
        return {}
    return await media.resolve(
        refs,
        asked.caller,
        model=model_name(asked.models[0]),
        size=asked.size,
        inline=partial(inline_media_of, asked.body),
        is_dry_run=asked.is_dry_run,
    )


async def _decided(
    services: Services, caller: Caller, translation: DecisionTranslation, attempt: ModelAttempt
) -> DecisionResponse:
    """Google's answer.

    Raises:
        GeminiError: Google refused the request, or gave no answer.
        ApiError: 404, the account has no Decisions API.
    """
    try:
        return await services.decisions.decide(
            translation.model, translation.body, caller.key, account=caller.account, limits=attempt.limits
        )
    except NoDecisionsError as error:
        raise _none(error.refusal) from error.refusal


def _none(refusal: GeminiError | None) -> ApiError:
    """The error for a model without a Decisions API, of which Google may have said more."""
    msg = "Google serves no Decisions API for this key, or not with this model."
    if refusal is None:
        return ApiError(404, msg, param="model", code="model_not_found")
    said = error_from_gemini(refusal)
    msg = f"{msg} Google said: {said.message}"
    return ApiError(404, msg, param="model", code="model_not_found", google=said.google)
