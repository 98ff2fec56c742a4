"""Facts that Google's own answers have taught this gateway, each for one model, and for a while."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

DAY = 86_400.0

LIKE = "like"
"""The fact that a name answers as another model, whose facts it has from then on."""

MAX_MODELS = 256
_MAX_FACTS = 64

Teacher = Literal["refusal", "answer"]


@dataclass(frozen=True, slots=True)
class LearnedFact:
    """One fact about one model.

    Attributes:
        model: Its name, without `models/`.
        fact: A field of `ModelFacts`, or `like`.
        value: What is believed from now on.
        since: When it was learned, in Unix seconds.
        until: When it is forgotten.
        teacher: What taught it: a refusal, or the `modelVersion` of an answer.
    """

    model: str
    fact: str
    value: Any
    since: float
    until: float
    teacher: Teacher


class LearnedFacts:
    """What was learned about models, in the memory of this process.

    Args:
        ttl: Seconds after which a fact is forgotten, so that a model that has changed again is asked again.
        clock: Unix seconds.

    Attributes:
        listeners: Called with each fact that is learned here; not with those taken over from other processes.
        next_end: When the first of them is forgotten, in Unix seconds.
    """

    def __init__(self, ttl: float = DAY, clock: Callable[[], float] = time.time) -> None:
        self.ttl = ttl
        self.listeners: list[Callable[[LearnedFact], None]] = []
        self.next_end = float("inf")
        self._clock = clock
        self._known: OrderedDict[str, dict[str, LearnedFact]] = OrderedDict()

    def suppose(self, model: str, fact: str, value: object, teacher: Teacher) -> LearnedFact:
        """Believe it from now on, in this process alone."""
        now = self._clock()
        learned = LearnedFact(model, fact, value, now, now + self.ttl, teacher)
        self.take_over(learned)
        return learned

    def announce(self, learned: LearnedFact) -> None:
        """Let the listeners know of it."""
        for listener in self.listeners:
            listener(learned)

    def take_over(self, learned: LearnedFact) -> None:
        """Believe what another process has learned; the model that taught nothing for longest makes room."""
        if learned.until <= self._clock():
            return
        facts = self._known.setdefault(learned.model, {})
        self._known.move_to_end(learned.model)
        if len(facts) < _MAX_FACTS or learned.fact in facts:
            facts[learned.fact] = learned
        self.next_end = min(self.next_end, learned.until)
        if len(self._known) > MAX_MODELS:
            self._known.popitem(last=False)

    def withdraw(self, learned: LearnedFact, before: LearnedFact | None) -> None:
        """Believe again what was believed before."""
        facts = self._known.get(learned.model, {})
        facts.pop(learned.fact, None)
        if before is not None:
            facts[learned.fact] = before
        if not facts:
            self._known.pop(learned.model, None)

    def of(self, model: str) -> Mapping[str, LearnedFact]:
        """What was learned of `model` and is not forgotten, by the name of the fact."""
        facts = self._known.get(model)
        if not facts:
            return {}
        now = self._clock()
        return {name: learned for name, learned in facts.items() if learned.until > now}

    def all(self) -> tuple[LearnedFact, ...]:
        """What was learned of all models and is not forgotten."""
        return tuple(learned for model in self._known for learned in self.of(model).values())

    def drop_expired(self) -> None:
        """Forget what has reached its end."""
        now = self._clock()
        for model, facts in list(self._known.items()):
            kept = {name: learned for name, learned in facts.items() if learned.until > now}
            if kept:
                self._known[model] = kept
            else:
                del self._known[model]
        ends = [learned.until for facts in self._known.values() for learned in facts.values()]
        self.next_end = min(ends, default=float("inf"))
