"""What a catalog believes at one moment, for work that another process does, or that goes on days later."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import NamedTuple, TypedDict

from gemgate.gemini.learned_facts import LearnedFact, LearnedFacts
from gemgate.gemini.model_catalog import Catalog, FactsSource
from gemgate.gemini.model_overrides import FACT_NAMES

_FOREVER = float("inf")


class FactSnapshot(NamedTuple):
    """What is believed of all models besides the table and the operator's rows, for another process.

    Attributes:
        day: The day whose rows hold; empty: each day's own.
        taken: When this was, in Unix seconds: nothing is forgotten after it.
        learned: What answers have taught.
        listed: What Google's list of models says, by model.
    """

    day: str = ""
    taken: float | None = None
    learned: tuple[LearnedFact, ...] = ()
    listed: Mapping[str, Mapping[str, object]] = {}

    @classmethod
    def of(cls, catalog: Catalog) -> "FactSnapshot":
        """The snapshot of a catalog."""
        return cls(catalog.current_day(), time.time(), catalog.learned.all(), catalog.listed_facts)


class PinnedFacts(TypedDict):
    """What was believed of one model when a request was translated, as JSON: its answer is read by the same facts.

    Attributes:
        model: Its name, without `models/`.
        facts: All facts, by their names.
        learned: Those of them that answers had taught, and the values that the model had refused.
    """

    model: str
    facts: dict[str, object]
    learned: dict[str, object]


def pinned(catalog: Catalog, model: str) -> PinnedFacts:
    """What `catalog` believes of `model` now."""
    name = model.removeprefix("models/")
    facts = asdict(catalog.facts(name))
    learned = {fact: taught.value for fact, taught in catalog.learned.of(name).items()}
    return {"model": name, "facts": {fact: facts[fact] for fact in FACT_NAMES}, "learned": learned}


def catalog_of_snapshot(
    source: FactsSource, date: str, snapshot: FactSnapshot, *, asks_vertex: bool = False
) -> Catalog:
    """A catalog that believes what the one of the snapshot did; `asks_vertex` is as of `Catalog`."""
    taken = snapshot.taken
    clock = time.time if taken is None else lambda: taken
    learned = LearnedFacts(clock=clock)
    catalog = Catalog(source, date=snapshot.day or date, learned=learned, clock=clock, asks_vertex=asks_vertex)
    for fact in snapshot.learned:
        catalog.take_over(fact)
    catalog.take_over_listed(snapshot.listed)
    return catalog


def catalog_of_pinned(date: str, pins: PinnedFacts) -> Catalog:
    """A catalog that believes of one model what was pinned, whatever has been learned or set since.

    Raises:
        ModelFactsError: another release has written the facts, and they are not to be understood.
    """
    name = pins["model"]
    catalog = Catalog({name: {fact: value for fact, value in pins["facts"].items() if fact in FACT_NAMES}}, date=date)
    facts = catalog.facts(name)
    for fact, value in pins["learned"].items():
        believed = getattr(facts, fact) if fact in FACT_NAMES else value
        believed = tuple(believed) if isinstance(believed, list) else believed
        catalog.take_over(LearnedFact(name, fact, believed, 0.0, _FOREVER, "refusal"))
    return catalog
