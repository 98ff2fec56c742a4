"""Calls of Google's Decisions API.

Not every account has it, and it takes the name of its model in one of two spellings. Google is asked once about each;
what it answers is remembered as long as other lessons are.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from copy import copy
from typing import Self, cast

from gemgate.gemini.client.event_stream import check_response
from gemgate.gemini.decisions import DECISIONS, DecisionResponse, Spelling
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.model_catalog import Catalog
from gemgate.gemini.resource_names import model_path
from gemgate.upstream.client import Upstream
from gemgate.upstream.errors import NoUsableKeyError
from gemgate.upstream.retry import DEFAULT_LIMITS, CallLimits

_MAX_ACCOUNTS = 10_000
_NOT_THERE = frozenset({404, 405, 501})
_BAD_MODEL = re.compile(r"(?:\* \w{1,60}\.model|Invalid value at 'model'[^:\n]{0,80}): [^\n]{1,200}")


class NoDecisionsError(Exception):
    """The account has no Decisions API, or not with this model.

    Attributes:
        refusal: What Google said; None where it was not asked again.
    """

    def __init__(self, refusal: GeminiError | None) -> None:
        super().__init__("The account has no Decisions API.")
        self.refusal = refusal


class Decisions:
    """Asks the Decisions API, and remembers how it takes a model.

    Facts about the gateway's own keys are the catalog's, which shares them; those about a caller's own key concern no
    other caller.

    Args:
        upstream: The way to Google.
        catalog: Where lessons are kept.
        clock: Unix seconds.
    """

    def __init__(self, upstream: Upstream, catalog: Catalog, clock: Callable[[], float] = time.time) -> None:
        self.upstream = upstream
        self._catalog = catalog
        self._clock = clock
        self._remembered: OrderedDict[tuple[str, str], tuple[Spelling, float]] = OrderedDict()

    def through(self, upstream: Upstream) -> Self:
        """The same memory, for calls by another way to Google."""
        decisions = copy(self)
        decisions.upstream = upstream
        return decisions

    def is_missing(self, model: str, account: str) -> bool:
        """Whether the API is not there: Google has said so, or Vertex AI is asked.

        Args:
            model: Its resource name.
            account: The caller with a key of its own; empty for the gateway's keys.
        """
        return not self.has(model) or self._known(model, account) == "missing"

    def has(self, model: str) -> bool:
        """Whether the API of Google's that the model is asked at has decisions at all."""
        return self.upstream.client.has_decisions(model)

    def is_known(self, model: str, account: str) -> bool:
        """Whether Google has answered for the model before, so that many calls may be made at once."""
        return self._known(model, account) is not None

    async def decide(
        self,
        model: str,
        request: Mapping[str, object],
        key: str | None,
        *,
        account: str = "",
        limits: CallLimits = DEFAULT_LIMITS,
    ) -> DecisionResponse:
        """The answers to the questions of `request`, which lacks its model.

        Raises:
            NoDecisionsError: the account has no such API.
            GeminiError: Google refused the request, or gave no answer.
        """
        known = self._known(model, account)
        if known == "missing":
            raise NoDecisionsError(None)
        spellings: list[Spelling] = ["bare", "resource"] if known != "resource" else ["resource", "bare"]
        refusals: list[GeminiError] = []
        for spelling in spellings:
            try:
                answer = await self.upstream.decide(model, {"model": _spelled(model, spelling), **request}, key, limits)
            except GeminiError as error:
                if not (says_missing(error) or _is_about_model(error)):
                    raise
                refusals.append(error)
                continue
            if known != spelling:
                self._has_worked(model, account, spelling)
            check_response(answer, DecisionResponse)
            return cast("DecisionResponse", answer)
        refused = next((each for each in refusals if says_missing(each)), None)
        if refused is None:
            raise refusals[-1]
        if not isinstance(refused, NoUsableKeyError) or isinstance(refused.__cause__, GeminiError):
            self._learn(model, account, "missing")
        raise NoDecisionsError(refused)

    def _known(self, model: str, account: str) -> Spelling | None:
        found = self._remembered.get((account, model))
        if found is not None and found[1] > self._clock():
            return found[0]
        learned = None if account else self._catalog.learned.of(model.removeprefix("models/")).get(DECISIONS)
        return learned.value if learned is not None else None

    def _has_worked(self, model: str, account: str, spelling: Spelling) -> None:
        """Remember it; the spelling that everybody expects is remembered by this process alone."""
        if spelling == "bare":
            self._remember(model, account, spelling)
        else:
            self._learn(model, account, spelling)

    def _learn(self, model: str, account: str, value: Spelling) -> None:
        if account:
            self._remember(model, account, value)
        elif self._catalog.learned.ttl:
            self._remembered.pop((account, model), None)
            self._catalog.confirm(self._catalog.suppose(model, DECISIONS, value))

    def _remember(self, model: str, account: str, value: Spelling) -> None:
        self._remembered[account, model] = (value, self._clock() + self._catalog.learned.ttl)
        self._remembered.move_to_end((account, model))
        while len(self._remembered) > _MAX_ACCOUNTS:
            self._remembered.popitem(last=False)


def says_missing(error: GeminiError) -> bool:
    """Whether a refusal says that the account has no Decisions API: of the method, and of nothing that was named."""
    if isinstance(error, NoUsableKeyError):
        cause = error.__cause__
        return not isinstance(cause, GeminiError) or says_missing(cause)
    meaning = error.meaning
    if meaning.is_foreign or meaning.is_location or meaning.is_invalid_key:
        return False
    return error.status in _NOT_THERE or (error.status == 403 and not meaning.is_refused_key)


def _is_about_model(error: GeminiError) -> bool:
    """Whether a 400 is about the spelling of the model's name."""
    if error.status != 400:
        return False
    if any(violation.get("field") == "model" for violation in error.field_violations):
        return True
    return _BAD_MODEL.fullmatch(error.message.strip().partition("\n")[0]) is not None


def _spelled(model: str, spelling: Spelling) -> str:
    return model_path(model) if spelling == "resource" else model.removeprefix("models/")
