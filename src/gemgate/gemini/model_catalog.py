"""What the gateway believes of models. Nothing else asks for a model's name.

Four sources, of which each later one goes before the earlier ones: the built-in table (`model_table`), Google's own
list of models, the operator's rows (`model_overrides`), and what Google's answers have taught (`learned_facts`).
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, NamedTuple

import structlog

from gemgate.gemini.learned_facts import LIKE, LearnedFact, LearnedFacts
from gemgate.gemini.listed_facts import listed_facts
from gemgate.gemini.model_facts import ModelFacts
from gemgate.gemini.model_overrides import (
    FACT_NAMES,
    ModelFactsError,
    OverrideRow,
    read_rows,
    read_rows_file,
)
from gemgate.gemini.model_table import DATED, GUESSES, NEWEST, ROWS, TABLE_DATE, FactRow
from gemgate.gemini.refusal_lessons import REFUSED_VALUES, merged_lesson
from gemgate.gemini.resource_names import VERTEX
from gemgate.gemini.types import ModelResource
from gemgate.gemini.vertex.facts import SOURCE as VERTEX_SOURCE
from gemgate.gemini.vertex.facts import changes_of

__all__ = ["NEWEST", "Belief", "Catalog", "FactOrigin", "ModelFacts", "today"]

OriginKind = Literal["table", "google", "setting", "learned"]
FactsSource = Mapping[str, object] | Path

_MAX_KNOWN = 1024
_MAX_LISTED = 4096
_DAY = 86_400.0

_log = structlog.get_logger()


class FactOrigin(NamedTuple):
    """Where a fact comes from.

    Attributes:
        kind: The built-in table, Google's list of models, a row of `GEMGATE_MODEL_FACTS`, or an answer of Google's.
        since: The day, or the moment, from which it holds, or on which its source was read.
        source: The page, the pattern, or what taught it.
    """

    kind: OriginKind
    since: str
    source: str


@dataclass(frozen=True, slots=True)
class Belief:
    """What is believed of one model, and why.

    Attributes:
        facts: All of it.
        pattern: The pattern of the table's row.
        origins: For each fact its origin, by the name of the fact.
    """

    facts: ModelFacts
    pattern: str
    origins: Mapping[str, FactOrigin]


class ModelEnd(NamedTuple):
    """The end of a model.

    Attributes:
        day: Of its retirement, such as `2026-12-01`; empty: none is known.
        successor: The model that takes its place; empty: none is known.
        stage: Google's word for where it is in its life, such as `DEPRECATED`; empty: Google has not said.
        message: Google's sentence about it.
    """

    day: str
    successor: str
    stage: str
    message: str


class Supposition(NamedTuple):
    """A fact that is believed on trial, and what was believed before."""

    before: LearnedFact | None
    learned: LearnedFact


class _Layer(NamedTuple):
    origin: FactOrigin
    changes: Mapping[str, object]


def today() -> str:
    """The day, in UTC, as `2026-12-01`."""
    return datetime.now(UTC).date().isoformat()


class Catalog:
    """The facts of models by name. A look-up that was made before costs a look into a dict.

    Args:
        overrides: The operator's rows, or the file that holds them.
        date: The day whose rows hold, such as `2026-12-01`; empty: each day's own.
        learned: What answers have taught.
        clock: Unix seconds.
        asks_vertex: Whether names without `vertex/` are those of models in Vertex AI too.

    Attributes:
        statuses: What Google has said of the ends of models, by their names.

    Raises:
        ModelFactsError: a row of the operator's is wrong.
    """

    def __init__(
        self,
        overrides: FactsSource | None = None,
        *,
        date: str = "",
        learned: LearnedFacts | None = None,
        clock: Callable[[], float] = time.time,
        asks_vertex: bool = False,
    ) -> None:
        self._asks_vertex = asks_vertex
        self.learned = learned or LearnedFacts()
        self._path = overrides if isinstance(overrides, Path) else None
        self._stamp = _stamp(self._path)
        self._overrides = _rows_of(overrides)
        self._date = date
        self._clock = clock
        self._listed: dict[str, Mapping[str, object]] = {}
        self._known: dict[str, ModelFacts] = {}
        self._known_until = 0.0
        self._settled: set[tuple[str, str]] = set()
        self.statuses: dict[str, Mapping[str, object]] = {}
        self.day = ""

    def facts(self, model: str) -> ModelFacts:
        """The facts of `model`; `models/x` is `x`."""
        if self._clock() >= self._known_until:
            self._begin_again()
        known = self._known
        found = known.get(model)
        if found is None:
            if len(known) >= _MAX_KNOWN:
                known.clear()
            found = known[model] = self._look_up(model.removeprefix("models/"))
        return found

    def current_day(self) -> str:
        """The day whose rows hold now."""
        return self._date or today()

    def belief(self, model: str) -> Belief:
        """The facts of `model` with the origin of each."""
        name = model.removeprefix("models/")
        facts = self.facts(name)
        row = self._row(name)
        origins: dict[str, FactOrigin] = {}
        for layer in self._layers(name):
            origins |= dict.fromkeys(layer.changes, layer.origin)
        return Belief(facts, row.pattern, origins)

    @property
    def is_from_file(self) -> bool:
        """Whether the operator's rows are in a file, which `refresh` reads again."""
        return self._path is not None

    def successor_of(self, model: str) -> str | None:
        """The model that takes the place of `model`, if that is retired; else None."""
        facts = self.facts(model)
        if not (facts.successor and facts.is_retired(self.day)):
            return None
        # Vectors of two models do not compare, so that none may replace another; a preview is the same model.
        is_other = facts.purpose == "embeddings" and not model.startswith(facts.successor)
        return None if is_other else facts.successor

    def refused_values(self, model: str) -> Collection[str]:
        """The digests of the values that `model` has refused (`refused_values`)."""
        taught = self.learned.of(model.removeprefix("models/")).get(REFUSED_VALUES)
        return taught.value if taught is not None else ()

    def suppose(self, model: str, fact: str, value: object) -> Supposition:
        """Believe what a refusal says about one fact of `model`, until it is confirmed or withdrawn."""
        name = model.removeprefix("models/")
        supposition = Supposition(self.learned.of(name).get(fact), self.learned.suppose(name, fact, value, "refusal"))
        self.renew()
        return supposition

    def confirm(self, supposition: Supposition) -> None:
        """Let everybody know of it."""
        self.learned.announce(supposition.learned)

    def withdraw(self, supposition: Supposition) -> None:
        """Believe again what was believed before."""
        self.learned.withdraw(supposition.learned, supposition.before)
        self.renew()

    def take_over(self, learned: LearnedFact) -> None:
        """Believe what another process has learned."""
        self.learned.take_over(learned)
        self.renew()

    def learn(self, model: str, fact: str, value: object) -> None:
        """Believe what a refusal has taught about one fact of `model`, beside what is believed; let everybody know."""
        believed = self.refused_values(model) if fact == REFUSED_VALUES else getattr(self.facts(model), fact)
        merged = merged_lesson(fact, believed, value)
        if merged != believed and self.learned.ttl:
            self.confirm(self.suppose(model, fact, merged))

    def answered_as(self, model: str, version: str) -> bool:
        """Take note of the `modelVersion` that answered for `model`; whether it is news that this is another family."""
        if (model, version) in self._settled or not self.learned.ttl:
            return False
        if len(self._settled) >= _MAX_KNOWN:
            self._settled.clear()
        self._settled.add((model, version))
        name, served = model.removeprefix("models/"), version.removeprefix("models/")
        row = self._row(served)
        if name == served or row.pattern in GUESSES:
            return False
        known = self.learned.of(name).get(LIKE)
        believed = known.value if known else name
        if believed == served or self._row(believed).facts == row.facts:
            return False
        self.learned.announce(self.learned.suppose(name, LIKE, served, "answer"))
        self.renew()
        return True

    def has_status(self, model: str, status: object) -> bool:
        """Take note of the `modelStatus` of an answer; whether it is news."""
        name = model.removeprefix("models/")
        if not isinstance(status, Mapping) or self.statuses.get(name) == status:
            return False
        if len(self.statuses) >= _MAX_KNOWN:
            self.statuses.clear()
        self.statuses[name] = status
        return True

    def status_of(self, model: str) -> str:
        """What Google has said of the end of `models/x`, in a line; empty: nothing."""
        if model.removeprefix("models/") not in self.statuses:
            return ""
        end = self.end_of(model)
        words = (
            end.stage,
            f"retirement={end.day}" if end.day else "",
            f"successor={end.successor}" * bool(end.successor),
        )
        return "; ".join(word for word in words if word)

    def end_of(self, model: str) -> ModelEnd:
        """When `model` ends, as far as Google's answers or the facts say."""
        name = model.removeprefix("models/")
        status, facts = self.statuses.get(name, {}), self.facts(name)
        stage, retirement = str(status.get("modelStage") or ""), str(status.get("retirementTime") or "")
        message = str(status.get("message") or "")
        return ModelEnd(retirement[:10] or facts.shutdown, facts.successor, stage.removeprefix("MODEL_STAGE_"), message)

    def listed(self, models: Iterable[ModelResource]) -> None:
        """Take over what Google's list says of these models."""
        self.take_over_listed(
            {model["name"].removeprefix("models/"): facts for model in models if (facts := listed_facts(model))}
        )

    @property
    def listed_facts(self) -> Mapping[str, Mapping[str, object]]:
        """What Google's list says, by model."""
        return self._listed

    def take_over_listed(self, changed: Mapping[str, Mapping[str, object]]) -> None:
        """Believe these facts of Google's list, by model."""
        if any(self._listed.get(name) != facts for name, facts in changed.items()):
            if len(self._listed) + len(changed) > _MAX_LISTED:
                self._listed.clear()
            self._listed |= changed
            self.renew()

    def refresh(self) -> bool:
        """Read the operator's file again if it has changed; whether new rows hold now. May be called in a thread."""
        if self._path is None or (stamp := _stamp(self._path)) == self._stamp:
            return False
        self._stamp = stamp
        try:
            rows = read_rows_file(self._path)
        except ModelFactsError as error:
            _log.error("the new model facts are invalid: the previous ones stay in force", problem=str(error))
            return False
        self._overrides = rows
        self.renew()
        _log.info("model facts reloaded", rows=len(rows))
        return True

    def renew(self) -> None:
        """Look everything up again."""
        self._known = {}
        self._known_until = 0.0

    def _begin_again(self) -> None:
        now = self._clock()
        self.learned.drop_expired()
        self._settled = set()
        self.day = self.current_day()
        self._known = {}
        self._known_until = min((now // _DAY + 1) * _DAY, self.learned.next_end)

    def _look_up(self, name: str) -> ModelFacts:
        changes: dict[str, Any] = {}
        for layer in self._layers(name):
            changes |= layer.changes
        return ModelFacts(**changes, learned=frozenset(self.learned.of(name)) - {LIKE})

    def _layers(self, name: str) -> Iterator[_Layer]:
        learned = self.learned.of(name)
        row = self._row(name)
        yield _Layer(FactOrigin("table", row.since or row.date, row.source), _as_changes(row.facts))
        if self._asks_vertex or name.startswith(VERTEX):
            changes = changes_of(name.removeprefix(VERTEX), row.facts)
            yield _Layer(FactOrigin("table", TABLE_DATE, VERTEX_SOURCE), changes)
        if (like := learned.get(LIKE)) is not None:
            origin = FactOrigin("learned", _moment(like.since), f"answers come from {like.value}")
            yield _Layer(origin, _as_changes(self._row(like.value).facts))
        if (listed := self._listed.get(name)) is not None:
            yield _Layer(FactOrigin("google", self.day, "models.list"), self._believable(row, listed))
        for own in self._overrides:
            if own.fits(name, self.day):
                origin = FactOrigin("setting", own.since, f"GEMGATE_MODEL_FACTS, row {own.pattern}")
                yield _Layer(origin, (_as_changes(self._row(own.like).facts) if own.like else {}) | dict(own.changes))
        for fact, taught in learned.items():
            if fact in FACT_NAMES:
                yield _Layer(FactOrigin("learned", _moment(taught.since), "a refusal"), {fact: taught.value})

    def _row(self, name: str) -> FactRow:
        name = name.removeprefix(VERTEX)
        day = self.day or self.current_day()
        rows = (row for rows in (DATED, ROWS) for row in rows)
        return next(row for row in rows if row.since <= day and fnmatchcase(name, row.pattern))

    @staticmethod
    def _believable(row: FactRow, listed: Mapping[str, object]) -> Mapping[str, object]:
        """Of Google's list: limits of every model; what it is and whether it thinks, where the table only guesses."""
        if row.pattern in GUESSES:
            return listed
        return {name: value for name, value in listed.items() if name in _LIMITS}


_LIMITS = frozenset({"input_limit", "output_limit", "max_temperature"})


def _as_changes(facts: ModelFacts) -> dict[str, object]:
    return {name: getattr(facts, name) for name in FACT_NAMES}


def _rows_of(source: FactsSource | None) -> tuple[OverrideRow, ...]:
    if isinstance(source, Path):
        return read_rows_file(source)
    return read_rows(source or {})


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    """What changes when the file does."""
    try:
        status = path.stat() if path else None
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino) if status else None
