"""What operators see of models that change: facts that were learned, names that answer as another model, and ends."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from gemgate.gemini.learned_facts import LIKE, LearnedFact
from gemgate.gemini.model_catalog import Catalog
from gemgate.observability.metrics import Metrics

_MAX_SETTLED = 1024
_SHOWN = 200

_log = structlog.get_logger()


class ModelWatch:
    """Looks at which model has answered, once a day for each, and reports what it finds.

    Args:
        catalog: What is believed of models.
        metrics: Where it is counted.
    """

    def __init__(self, catalog: Catalog, metrics: Metrics) -> None:
        self._catalog = catalog
        self._metrics = metrics
        self._day = ""
        self._settled: set[tuple[str, str | None]] = set()
        catalog.learned.listeners.append(self.learned)

    def answered(self, model: str, answer: Mapping[str, Any]) -> None:
        """Google has answered for `models/x`; of a stream, `answer` is the first event."""
        version = answer.get("modelVersion")
        seen = (model, version)
        if seen in self._settled and self._day == self._catalog.day and "modelStatus" not in answer:
            return
        if self._day != self._catalog.day or len(self._settled) >= _MAX_SETTLED:
            self._settled, self._day = set(), self._catalog.day
        is_new = seen not in self._settled
        self._settled.add(seen)
        if isinstance(version, str):
            self._catalog.answered_as(model, version)
        if self._catalog.has_status(model, answer.get("modelStatus")) or is_new:
            self._report_end(model)

    def learned(self, fact: LearnedFact) -> None:
        """Google's answers have taught a fact about a model."""
        self._metrics.fact_learned(fact.model, fact.fact)
        if fact.fact == LIKE:
            _log.warning("a model answers as another one, whose facts hold now", model=fact.model, served=fact.value)
        else:
            _log.warning(
                "a refusal has taught a fact about a model: requests are adjusted",
                model=fact.model,
                fact=fact.fact,
                value=str(fact.value)[:_SHOWN],
            )

    def _report_end(self, model: str) -> None:
        name, end = model.removeprefix("models/"), self._catalog.end_of(model)
        if end.day:
            self._metrics.model_ends(name, _moment(end.day))
        if end.day or end.stage in _ENDING:
            _log.warning(
                "a model in use has an end",
                model=name,
                end=end.day or None,
                stage=end.stage or None,
                successor=end.successor or None,
                message=end.message[:_SHOWN] or None,
            )


_ENDING = frozenset({"LEGACY", "DEPRECATED", "RETIRED"})


def _moment(day: str) -> float:
    """The first second of a day such as `2026-12-01`, in Unix seconds; 0 where it cannot be read."""
    try:
        return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
