"""Another model where the first one cannot answer, as long as nothing was given on."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import NamedTuple, TypeVar

import structlog

from gemgate.errors import ApiError
from gemgate.gemini.errors import GeminiError, TransportError
from gemgate.upstream.client import Upstream
from gemgate.upstream.failure_policy import lets_fall_back
from gemgate.upstream.retry import DEFAULT_LIMITS, CallLimits

T = TypeVar("T")
Failed = GeminiError | ApiError

_log = structlog.get_logger()


class ModelAttempt(NamedTuple):
    """One model to try. Only the last one waits for a used-up quota; all later ones share the deadline of the first.

    Attributes:
        model: Its name.
        limits: How long and how often Google may be called.
        number: How many were tried before.
    """

    model: str
    limits: CallLimits = DEFAULT_LIMITS
    number: int = 0


class Fallback:
    """The models of one request, in their order.

    Args:
        upstream: Whose observers are notified.
        asked: What the caller named.
        models: The models that it means.
    """

    def __init__(self, upstream: Upstream, asked: str, models: Sequence[str]) -> None:
        self._upstream = upstream
        self._asked = asked
        self._attempts = [ModelAttempt(models[0])] if len(models) == 1 else _attempts(models, upstream.shared.clock())
        self._failure: Failed | None = None

    async def answer(self, attempt: Callable[[ModelAttempt], Awaitable[T]]) -> T:
        """What the first model answers that can.

        Raises:
            GeminiError: none can; what the one says that is wanted most, unless that does not exist.
            ApiError: the same, put into OpenAI's words already.
        """
        for number, each in enumerate(self._attempts):
            try:
                return await attempt(each)
            except (GeminiError, ApiError) as error:
                self._go_on(number, error)
        raise AssertionError("the last attempt ends with an answer or an error")

    async def stream(self, attempt: Callable[[ModelAttempt], AsyncGenerator[T, None]]) -> AsyncGenerator[T, None]:
        """The same for a stream: the first model that gives anything gives all of it.

        Raises:
            GeminiError: none can; or the one that had begun has failed.
            ApiError: the same, put into OpenAI's words already.
        """
        for number, each in enumerate(self._attempts):
            has_begun = False
            try:
                async with aclosing(attempt(each)) as items:
                    async for item in items:
                        has_begun = True
                        yield item
            except (GeminiError, ApiError) as error:
                if has_begun:
                    raise
                self._go_on(number, error)
            else:
                return

    def _go_on(self, number: int, error: Failed) -> None:
        """Returns if it is the next model's turn.

        Raises:
            GeminiError: it is not.
            ApiError: it is not.
        """
        said = _googles(error)
        if said is None or not lets_fall_back(said):
            # An error of a fallback does not answer a request that was meant for another model.
            raise self._failure or error
        wanted = _googles(self._failure) if self._failure else None
        if wanted is None or (wanted.is_missing_model and not said.is_missing_model):
            self._failure = error
        if number == len(self._attempts) - 1:
            raise self._failure or error
        model = self._attempts[number + 1].model
        reason = str(said.reason if isinstance(said, TransportError) else said.status)
        _log.warning(
            "another model is asked", asked=self._asked, failed=self._attempts[number].model, model=model, reason=reason
        )
        self._upstream.fell_back(self._asked, model, reason)


def _attempts(models: Sequence[str], now: float) -> list[ModelAttempt]:
    last = len(models) - 1
    return [
        ModelAttempt(model, CallLimits(number == last, now if number else 0.0), number)
        for number, model in enumerate(models)
    ]


def _googles(error: Failed) -> GeminiError | None:
    """What Google said, where it was put into other words since."""
    cause = error if isinstance(error, GeminiError) else error.__cause__
    return cause if isinstance(cause, GeminiError) else None
