"""One answer of a model: the request, its media, the calls to Google, and the first model that can answer."""

import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Generic, TypeVar

from gemgate.api.lessons import MAX_LESSONS, lesson_from, may_teach
from gemgate.api.request_source import ModelRequest, RequestSource
from gemgate.api.services import Services
from gemgate.auth.caller import Caller
from gemgate.errors import ApiError
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.folded_events import fold_events
from gemgate.gemini.types import GenerateContentRequest, GenerateContentResponse
from gemgate.media.references import Ref, Resolved
from gemgate.model_routing.fallback import Fallback, ModelAttempt
from gemgate.model_routing.model_name import model_name
from gemgate.observability.record import current
from gemgate.tasks import some_at_once
from gemgate.translation.notes import status_header
from gemgate.translation.retired_models import retired_error
from gemgate.upstream.retry import DEFAULT_LIMITS, CallLimits
from gemgate.upstream.stream import AnswerEvents, StreamsAtOnce
from gemgate.web.sse import EventBatches

LEARNED = "learned="
"""What the note about a request begins with that was adjusted to a refusal; the refused native name follows."""

MAX_ADJUSTED_BYTES = 4_194_304
"""Larger requests are not kept for a second translation while Google answers."""

MAX_AT_ONCE = 8
"""Calls of one request that run at a time."""


T = TypeVar("T", bound=ModelRequest)


class Generation(Generic[T]):
    """A request on its way to the first of its models that can answer.

    Args:
        call: The request.
        translation: The native request to the first model; the record of the request knows it already.
        models: All that may be asked, in their order.
        pieces: The endpoint's own form of a stream.

    Attributes:
        translation: The native request to the first model.
    """

    def __init__(self, call: "ModelCall[T]", translation: T, models: Sequence[str], pieces: "Pieces[T]") -> None:
        self.translation = translation
        self._answering: ModelCall[T] | None = None
        self._call = call
        self._pieces_of = pieces
        self._models = models if "cachedContent" not in translation.body else models[:1]  # a cache is for one model

    def response_headers(self) -> dict[str, str]:
        """What was dropped and adjusted, and the model that answers, if it has begun to."""
        sent = self._answering.sent if self._answering is not None else None
        if sent is None:
            return self.translation.notes.headers()
        headers = sent.notes.headers(served_by=sent.model)
        catalog = self._call.services.chat.catalog
        if catalog.statuses and (status := catalog.status_of(sent.model)):
            headers |= status_header(status)
        return headers

    async def answer(self) -> tuple[T, list[GenerateContentResponse]]:
        """The answers of one model, and the request as that model got it."""
        if len(self._models) == 1:
            self._call.release_source()
            return await self._generate(ModelAttempt(self._models[0]))
        return await self._fallback().answer(self._generate)

    async def answer_of(self, limits: CallLimits) -> tuple[T, list[GenerateContentResponse]]:
        """As `answer`, of the first model alone, within `limits` of another's fallback."""
        return await self._generate(ModelAttempt(self._models[0], limits))

    def stream(self) -> EventBatches:
        """The answer as ready bytes."""
        if len(self._models) > 1:
            return self._fallback().stream(self._pieces)
        call = self._answering = self._call
        call.sent = self.translation
        call.release_source()
        return self._pieces_of(call, self.translation)

    def _fallback(self) -> Fallback:
        return Fallback(self._call.services.gemini, self._call.asked, self._models)

    async def _generate(self, attempt: ModelAttempt) -> tuple[T, list[GenerateContentResponse]]:
        call, translation = await self._put(attempt)
        for _ in range(MAX_LESSONS):
            try:
                answers = await call.generate(translation)
                break
            except GeminiError as error:
                translation = await call.adjusted(translation, error)
        else:
            answers = await call.generate(translation)
        self._is_answered_by(call, translation)
        return translation, answers

    async def _pieces(self, attempt: ModelAttempt) -> AsyncGenerator[bytes, None]:
        call, translation = await self._put(attempt)
        async with aclosing(self._pieces_of(call, translation)) as pieces:
            first = await anext(pieces)
            self._is_answered_by(call, call.sent or translation)
            yield first
            async for piece in pieces:
                yield piece

    async def _put(self, attempt: ModelAttempt) -> tuple["ModelCall[T]", T]:
        """The request as this model gets it; what it names was fetched for the first one."""
        if attempt.number == 0:
            self._call.limits = attempt.limits
            return self._call, self.translation
        call = replace(self._call, model=attempt.model, limits=attempt.limits)
        return call, await call.ready()

    def _is_answered_by(self, call: "ModelCall[T]", translation: T) -> None:
        """Google has answered in this form."""
        current().uses(translation.model, translation.notes)
        call.sent, self._answering = translation, call


@dataclass(slots=True)
class ModelCall(Generic[T]):
    """One request: what it needs before it is translated, and its calls to Google.

    Attributes:
        source: What is translated.
        asked: The model as the caller named it.
        size: Bytes of the body.
        is_dry_run: Nobody is called.
        model: The model to ask.
        is_heavy: The translation may take so long that it is done beside the event loop.
        limits: How long and how often Google may be called.
        refs: What must be fetched or looked up.
        media: What was found.
        sent: The native request as Google answers it, or is asked now; None before.
    """

    services: Services
    caller: Caller
    source: RequestSource[T]
    asked: str
    size: int
    is_dry_run: bool
    model: str
    is_heavy: bool = False
    limits: CallLimits = DEFAULT_LIMITS
    refs: Sequence[Ref] = field(kw_only=True)
    media: Resolved = field(default_factory=dict)
    sent: T | None = field(default=None, init=False)

    @property
    def needs_media(self) -> bool:
        """Whether something must be fetched, looked up or uploaded before the request is translated."""
        return bool(self.refs) or self.size > self.services.media.untouched_bytes

    async def resolve_and_translate(self) -> T:
        """The native request, once what it names is there."""
        if self.needs_media:
            self.media = await self.services.media.resolve(
                self.refs,
                self.caller,
                model=model_name(self.model),
                size=self.size,
                inline=self.source.inline_media,
                is_dry_run=self.is_dry_run,
            )
        return await self.ready()

    async def ready(self) -> T:
        """As `translate`; a heavy one beside the event loop, so that others are served meanwhile, one at a time."""
        if not self.is_heavy:
            return self.source.translate(self.model, self.media)
        return await self.services.heavy.run(self.caller.id, self.translate)

    def translate(self) -> T:
        """The native request, with what was found before."""
        return self.source.translate(self.model, self.media)

    def release_source(self) -> None:
        """Forget what was translated, which may be long, where it is not translated again; no other model is left."""
        if not (self.media or self.source.is_revisable or self.may_be_adjusted):
            del self.source

    @property
    def may_be_adjusted(self) -> bool:
        """Whether the request is kept until Google answers, to be translated again if it is refused."""
        return self.size <= MAX_ADJUSTED_BYTES and self.services.settings.learned_facts_ttl > 0

    async def adjusted(self, translation: T, error: GeminiError) -> T:
        """The request as its model takes it, after a refusal that has taught one fact more.

        Raises:
            GeminiError: the refusal, if it teaches nothing about this request.
            ApiError: 400 that names the parameter, under the policy `strict`; 404 for a model that is retired.
        """
        if (retired := retired_error(error, translation.model, self.services.chat.catalog)) is not None:
            raise retired from error
        if not may_teach(error) or not self.may_be_adjusted:
            raise error
        sent = await self.ready()
        lesson = lesson_from(error, sent.model, sent.body, sent.notes, self.services.chat)
        if lesson is None:
            raise error
        catalog = self.services.chat.catalog
        supposition = catalog.suppose(sent.model, lesson.fact, lesson.value)
        try:
            adjusted = await self.ready()
        except BaseException:
            catalog.withdraw(supposition)
            raise
        if adjusted.body == sent.body and adjusted.calls == sent.calls:
            catalog.withdraw(supposition)
            raise error
        catalog.confirm(supposition)
        for note in translation.notes.adjusted:
            if note.startswith(LEARNED):
                adjusted.notes.adjust(note)
        adjusted.notes.adjust(LEARNED + lesson.native)
        return adjusted

    async def generate(self, translation: T) -> list[GenerateContentResponse]:
        """Google's whole answers. What is why there are none is changed once: files are uploaded again, for one."""
        try:
            return await self._generate(translation)
        except GeminiError as error:
            if not await self._can_change(error):
                raise
        return await self._generate(await self._changed(translation))

    async def _can_change(self, error: GeminiError) -> bool:
        """Whether another translation of the request may have an answer in place of `error`."""
        if await self.services.media.can_renew(error, self.media, self.caller):
            return True
        return hasattr(self, "source") and self.source.revise(error)

    async def _changed(self, translation: T) -> T:
        """The request as it is now; what was dropped and adjusted for it is noted on the first translation as well."""
        changed = await self.resolve_and_translate()
        translation.notes.dropped[:] = changed.notes.dropped
        translation.notes.adjusted[:] = changed.notes.adjusted
        return changed

    async def _generate(self, translation: T) -> list[GenerateContentResponse]:
        generate = self._folded if self._is_too_long(translation) else self.services.gemini.generate
        key, limits = self.caller.key, self.limits
        bodies = translation.take_bodies()
        if len(bodies) == 1:
            return [await generate(translation.model, bodies.pop(), key, limits=limits)]
        calls = [partial(generate, translation.model, body, key, limits=limits) for body in bodies]
        return await some_at_once(calls, MAX_AT_ONCE)

    def _is_too_long(self, translation: T) -> bool:
        """Whether the answer may be longer than Google gives in one piece."""
        asked = translation.body.get("generationConfig", {}).get("maxOutputTokens")
        return asked is not None and asked > self.services.chat.catalog.facts(translation.model).unary_output_limit

    async def _folded(
        self, model: str, body: GenerateContentRequest, key: str | None, *, limits: CallLimits
    ) -> GenerateContentResponse:
        """A whole answer that is asked for as a stream."""
        async with self.services.gemini.stream(model, body, key, limits=limits) as batches:
            return fold_events([event async for _, batch in batches for event in batch])

    async def begin(self, translation: T) -> tuple[T, AnswerEvents]:
        """Ask for a streamed answer, and wait for the first of it.

        What Google refuses before is changed as far as that may help: files are uploaded again, and what the model does
        not take is adjusted.

        Returns:
            The request as Google answers it, and the events of its answers.

        Raises:
            GeminiError: Google refuses, or nothing came.
            ApiError: as `adjusted`.
        """
        has_changed, lessons = False, 0
        while True:
            self.sent, events = translation, self._events(translation)
            try:
                await events.begin()
            except GeminiError as error:
                if not has_changed and await self._can_change(error):
                    has_changed, translation = True, await self.resolve_and_translate()
                elif lessons < MAX_LESSONS:
                    lessons, translation = lessons + 1, await self.adjusted(translation, error)
                else:
                    raise
            else:
                return translation, events
            current().uses(translation.model, translation.notes)

    def _events(self, translation: T) -> AnswerEvents:
        gemini, key, limits = self.services.gemini, self.caller.key, self.limits
        streams = [
            gemini.stream(translation.model, body, key, limits=limits, number=number)
            for number, body in enumerate(translation.take_bodies())
        ]
        return streams[0] if len(streams) == 1 else StreamsAtOnce(streams, MAX_AT_ONCE)


Pieces = Callable[[ModelCall[T], T], AsyncGenerator[bytes, None]]
"""The answer to a call as ready bytes, in the form of its endpoint."""


async def with_errors(pieces: EventBatches, explain: Callable[[GeminiError], ApiError]) -> AsyncGenerator[bytes, None]:
    """The pieces of an answer; an error of Google's is the one that `explain` makes of it for the caller."""
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece
    except GeminiError as error:
        raise explain(error) from error


def new_id() -> str:
    """Where Google gives none: 32 hex digits, which need not be secret."""
    return f"{random.getrandbits(128):032x}"
