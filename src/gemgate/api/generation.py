"""One answer of a model: the request, its media, the calls to Google, and the first model that can answer."""

import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
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
from gemgate.tasks import ItemSource, interleaved, some_at_once
from gemgate.translation.notes import served_by, status_header
from gemgate.translation.retired_models import retired_error
from gemgate.upstream.retry import DEFAULT_LIMITS, CallLimits
from gemgate.upstream.stream import CallEvents
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
        pieces_of: The endpoint's own form of a stream.
    """

    def __init__(self, call: "ModelCall[T]", translation: T, models: Sequence[str], pieces: "Pieces[T]") -> None:
        self.translation = translation
        self._answering: T | None = None
        self._call = call
        self.pieces_of = pieces
        self._models = models if "cachedContent" not in translation.body else models[:1]  # a cache is for one model

    def response_headers(self) -> dict[str, str]:
        """What was dropped and adjusted, and the model that answers, if it has begun to."""
        if self._answering is None:
            return self.translation.notes.headers()
        headers = self._answering.notes.headers() | served_by(self._answering.model)
        catalog = self._call.services.chat.catalog
        if catalog.statuses and (status := catalog.status_of(self._answering.model)):
            headers |= status_header(status)
        return headers

    async def answer(self) -> tuple[T, list[GenerateContentResponse]]:
        """The answers of one model, and the request as that model got it."""
        if len(self._models) == 1:
            if not (self._call.media or self._call.source.is_revisable or self._call.may_be_adjusted):
                del self._call.source  # nobody will translate it again
            return await self._generate(ModelAttempt(self._models[0]))
        return await self._fallback().answer(self._generate)

    async def answer_of(self, limits: CallLimits) -> tuple[T, list[GenerateContentResponse]]:
        """As `answer`, of the first model alone, within `limits` of another's fallback."""
        return await self._generate(ModelAttempt(self._models[0], limits))

    def stream(self) -> EventBatches:
        """The answer as ready bytes."""
        if len(self._models) == 1:
            self._answering = self.translation
            if self._call.source.is_revisable:
                return self._pieces(ModelAttempt(self._models[0]))  # what was changed is known with the first piece
            return self._opened(self._call, self.translation)
        return self._fallback().stream(self._pieces)

    def _opened(self, call: "ModelCall[T]", translation: T) -> EventBatches:
        if not call.may_be_adjusted:
            return self.pieces_of(call, translation)
        return AdjustedStream(self, call, translation)

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
        self.is_answered_by(translation)
        return translation, answers

    async def _pieces(self, attempt: ModelAttempt) -> AsyncGenerator[bytes, None]:
        call, translation = await self._put(attempt)
        async with aclosing(self._opened(call, translation)) as pieces:
            first = await anext(pieces)
            if not isinstance(pieces, AdjustedStream) or not pieces.is_adjusted:
                self.is_answered_by(translation)
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

    def is_answered_by(self, translation: T) -> None:
        """Google has answered, or is asked now, in this form."""
        current().uses(translation.model, translation.notes)
        self._answering = translation


class AdjustedStream(Generic[T]):
    """A streamed answer that is asked for again if Google refuses at first what its model does not take.

    After the first piece it costs a function call a piece, and holds nothing of the request.

    Attributes:
        is_adjusted: Whether the request was adjusted.
    """

    def __init__(self, generation: Generation[T], call: "ModelCall[T]", translation: T) -> None:
        self.is_adjusted = False
        self._asked: tuple[Generation[T], ModelCall[T], T] | None = (generation, call, translation)
        self._answer: AsyncGenerator[bytes, None] | None = None
        self._next: Callable[[], Awaitable[bytes]] = self._first

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    def __anext__(self) -> Awaitable[bytes]:
        return self._next()

    async def aclose(self) -> None:
        """End the answer early, and with it the call to Google."""
        self._asked = None
        if self._answer is not None:
            await self._answer.aclose()

    async def _first(self) -> bytes:
        asked, self._asked = self._asked, None
        if asked is None:
            raise StopAsyncIteration
        generation, call, translation = asked
        for left in reversed(range(MAX_LESSONS + 1)):
            answer = self._answer = generation.pieces_of(call, translation)
            try:
                first = await anext(answer)
                break
            except GeminiError as error:
                if not left:
                    raise
                translation = await call.adjusted(translation, error)
            generation.is_answered_by(translation)
            self.is_adjusted = True
        self._next = answer.__anext__
        return first


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
        """As `translated`; a heavy one beside the event loop, so that others are served meanwhile, one at a time."""
        if not self.is_heavy:
            return self.translate()
        return await self.services.heavy.run(self.caller.id, self.translate)

    def translate(self) -> T:
        """The native request, with what was found before."""
        return self.source.translate(self.model, self.media)

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

    def stream(self, translation: T) -> ItemSource[CallEvents]:
        """The events of Google's answers, each with the number of its call."""
        if self.media or self.source.is_revisable:
            return self._renewed(translation)
        return self._events(translation)

    def _events(self, translation: T) -> ItemSource[CallEvents]:
        gemini, key, limits = self.services.gemini, self.caller.key, self.limits
        streams = [
            gemini.stream(translation.model, body, key, limits=limits, number=number)
            for number, body in enumerate(translation.take_bodies())
        ]
        return streams[0] if len(streams) == 1 else interleaved(streams, MAX_AT_ONCE)

    async def _renewed(self, translation: T) -> AsyncGenerator[CallEvents, None]:
        """As `_events`; if nothing has come, what is why is changed once."""
        has_begun = False
        try:
            async with aclosing(self._events(translation)) as batches:
                async for batch in batches:
                    has_begun = True
                    yield batch
        except GeminiError as error:
            if has_begun or not await self._can_change(error):
                raise
        else:
            return
        async with aclosing(self._events(await self._changed(translation))) as batches:
            async for batch in batches:
                yield batch


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
