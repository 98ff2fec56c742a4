"""`POST /moderations`: the I/O around the translation."""

from dataclasses import dataclass, replace
from functools import partial
from typing import NoReturn

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gemgate.api.body_for_model import body_for_model
from gemgate.api.generation import MAX_AT_ONCE, Generation, ModelCall, new_id
from gemgate.api.moderations.answer import Result, moderation, result_of_answer, result_of_decision
from gemgate.api.moderations.inputs import inline_media_of, media_of
from gemgate.api.moderations.request import ModerationTranslation, to_gemini
from gemgate.api.moderations.wire import DEFAULT_MODEL, OPENAI_MODELS, ModerationRequest
from gemgate.api.request_source import FixedSource
from gemgate.errors import ApiError
from gemgate.gemini.client.client import GeminiClient
from gemgate.gemini.decisions import PATH, DecisionResponse, usage_of
from gemgate.gemini.errors import GeminiError
from gemgate.media.references import InlineRef, Resolved
from gemgate.model_routing.fallback import Fallback, ModelAttempt
from gemgate.model_routing.model_name import model_name
from gemgate.observability.record import current
from gemgate.tasks import some_at_once
from gemgate.translation.google_errors import error_in_words
from gemgate.translation.options import Options
from gemgate.upstream.decisions import NoDecisionsError
from gemgate.upstream.retry import CallLimits
from gemgate.web.disconnect import cancelled_on_disconnect
from gemgate.web.dry_run import dry_run
from gemgate.web.json_response import json_response

router = APIRouter(tags=["moderations"])

_PARAMS = {"messages": "input"}


@dataclass(frozen=True, slots=True)
class ModerationSource(FixedSource):
    """A request for judgement, and how it is translated."""

    asked: ModerationRequest
    options: Options

    def inline_media(self) -> list[InlineRef]:
        """The images that it holds itself."""
        return inline_media_of(self.asked)

    def translate(self, model: str, media: Resolved) -> ModerationTranslation:
        """The native requests to `model`."""
        return to_gemini(self.asked, self.options, media, model=model)


@router.post("/moderations", summary="Judge content")
async def create_moderation(request: Request) -> Response:
    """Answer with a result for each input: categories of harm, their scores, and whether any is flagged.

    With `x-gemgate-dry-run: true`, answer with the first native request instead, and call nobody.
    """
    asked = await body_for_model(request, ModerationRequest, "moderation", _model_of, OPENAI_MODELS)
    call = asked.call(ModerationSource(asked.body, asked.services.chat), media_of(asked.body))
    judge = _Judge(call)
    async with cancelled_on_disconnect(request):
        translation = await judge.translated(asked.models[0])
        current().uses(translation.model, translation.notes, is_asked=not asked.is_dry_run)
        if asked.is_dry_run:
            return _shown(asked.services.gemini.client, translation)
        judge.first = translation
        results = await Fallback(asked.services.gemini, asked.asked, asked.models).answer(judge.results)
    body = moderation(results, model=asked.asked, moderation_id=new_id())
    current().response_id = str(body["id"])
    return json_response(body, judge.headers)


def _shown(client: GeminiClient, translation: ModerationTranslation) -> Response:
    if not translation.decisions:
        path = f"/v1beta/{translation.model}:generateContent"
        return dry_run(client, path, translation.body, translation.calls, translation.notes)
    body = {"model": translation.model.removeprefix("models/"), **translation.decisions[0]}
    return dry_run(client, PATH, body, translation.calls, translation.notes)


@dataclass(slots=True)
class _Judge:
    """A request on its way to the first of its models that can judge.

    Attributes:
        call: The request, as its first model gets it.
        first: Its translation for that model, until it was used.
        answered: The translation that was answered.
    """

    call: ModelCall[ModerationTranslation]
    first: ModerationTranslation | None = None
    answered: ModerationTranslation | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Of the response: what was dropped and adjusted, and the model that has judged."""
        if self.answered is None:
            return {}
        return self.answered.notes.headers(served_by=self.answered.model)

    async def translated(self, model: str) -> ModerationTranslation:
        """The request as `model` gets it, or the general model where the account has no Decisions API."""
        decisions = self.call.services.decisions
        if decisions.is_missing(model_name(model), self.call.caller.account):
            model = self.call.services.settings.moderation_model
        self.call = replace(self.call, model=model)
        return await self.call.resolve_and_translate()

    async def results(self, attempt: ModelAttempt) -> list[Result]:
        """The result for each input.

        Raises:
            GeminiError: Google does not judge.
            ApiError: its judgement cannot be read, or the request cannot be sent to this model.
        """
        translation, self.first = self.first, None
        if translation is None:
            translation = await self.translated(attempt.model)
        try:
            if translation.decisions:
                try:
                    return await self._decided(translation, attempt.limits)
                except NoDecisionsError:
                    self.call = replace(self.call, model=self.call.services.settings.moderation_model)
                    translation = await self.call.ready()
            return await self._prompted(translation, attempt.limits)
        except GeminiError as error:
            self._refuse(error)

    async def _decided(self, translation: ModerationTranslation, limits: CallLimits) -> list[Result]:
        services, caller = self.call.services, self.call.caller
        ask = partial(services.decisions.decide, key=caller.key, account=caller.account, limits=limits)
        decide = partial(ask, translation.model)
        # The first one finds out, for all of them, whether the account has the API.
        alone = 0 if services.decisions.is_known(translation.model, caller.account) else 1
        responses: list[DecisionResponse] = [await decide(each) for each in translation.decisions[:alone]]
        if others := [partial(decide, each) for each in translation.decisions[alone:]]:
            responses += await some_at_once(others, MAX_AT_ONCE)
        for response in responses:
            current().answered(translation.model.removeprefix("models/"), usage_of(response))
        self._is_answered_by(translation)
        threshold = services.settings.moderation_threshold
        pairs = zip(responses, translation.inputs, strict=True)
        return [result_of_decision(response, judged, threshold) for response, judged in pairs]

    async def _prompted(self, translation: ModerationTranslation, limits: CallLimits) -> list[Result]:
        generation = Generation(self.call, translation, (translation.model,), _no_stream)
        translation, answers = await generation.answer_of(limits)
        for answer in answers:
            current().answered(answer.get("modelVersion"), answer.get("usageMetadata"))
        self._is_answered_by(translation)
        threshold = self.call.services.settings.moderation_threshold
        pairs = zip(answers, translation.inputs, strict=True)
        return [result_of_answer(answer, judged, threshold) for answer, judged in pairs]

    def _is_answered_by(self, translation: ModerationTranslation) -> None:
        current().uses(translation.model, translation.notes)
        self.answered = translation

    def _refuse(self, error: GeminiError) -> NoReturn:
        """Google's error in the words of this endpoint; another model may be asked in spite of it.

        Raises:
            ApiError: always.
        """
        raise error_in_words(error, _PARAMS) from error


def _no_stream(*_: object) -> NoReturn:
    msg = "A judgement has no stream."
    raise ApiError(400, msg, param="stream", code="unsupported_value")


def _model_of(asked: ModerationRequest) -> str:
    return asked.model or DEFAULT_MODEL
