"""The operator's own rows of model facts: what `GEMGATE_MODEL_FACTS` says, inline or in a file.

    {"gemini-9-*": {"thinking": "budget", "budget": [128, 32768]},
     "gemini-2.5-pro": {"since": "2026-12-01", "like": "gemini-3.8-flash"}}

A row holds from the day `since` on. `like` gives the facts of another model first, and the others change them. Several
rows of one pattern are a list. Later rows go before earlier ones.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from gemgate.gemini.model_facts import LEVELS, ModelFacts

FACT_NAMES = tuple(field.name for field in fields(ModelFacts) if field.name != "learned")
"""The facts that a row may state; `learned` is about other facts."""

_ROW_KEYS = ("since", "like")
_DAYS = frozenset({"shutdown"})
_MAX_FILE = 1_048_576
_SHOWN = 80


class ModelFactsError(ValueError):
    """Rows of model facts that cannot be used: the text names the row and the reason."""


@dataclass(frozen=True, slots=True)
class OverrideRow:
    """One row of the operator's.

    Attributes:
        pattern: Of names, as of `fnmatch`.
        changes: Facts by their names.
        since: The day from which it holds; empty: it always does.
        like: The model whose facts these models have; empty: their own.
    """

    pattern: str
    changes: Mapping[str, object]
    since: str = ""
    like: str = ""

    def fits(self, name: str, day: str) -> bool:
        """Whether the row describes the model `name` on `day`."""
        return self.since <= day and fnmatchcase(name, self.pattern)


def read_rows(given: object) -> tuple[OverrideRow, ...]:
    """The rows of a mapping from patterns to facts.

    Raises:
        ModelFactsError: a row is wrong.
    """
    if not isinstance(given, Mapping):
        raise ModelFactsError(f"model facts are an object of patterns of names, not {_kind(given)}")
    return tuple(
        _row(pattern, facts) for pattern, value in given.items() for facts in (value if _is_list(value) else [value])
    )


def read_rows_file(path: Path) -> tuple[OverrideRow, ...]:
    """The rows of a YAML file (so JSON will do).

    Raises:
        ModelFactsError: the file cannot be read, or is not YAML, or holds a row that is wrong.
    """
    import yaml

    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise ModelFactsError(f"{path} cannot be read: {error.strerror}") from None
    if len(raw) > _MAX_FILE:
        raise ModelFactsError(f"{path} is larger than {_MAX_FILE} bytes")
    try:
        given = yaml.safe_load(raw)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise ModelFactsError(f"{path}{where}: this is neither JSON nor YAML") from None
    try:
        return read_rows({} if given is None else given)
    except ModelFactsError as error:
        raise ModelFactsError(f"{path}: {error}") from None


def checked_fact(name: str, value: Any) -> object:
    """`value` as the fact `name` holds it: lists as tuples, days as text.

    Raises:
        ModelFactsError: it cannot be that fact.
    """
    if isinstance(value, date):
        value = value.isoformat()
    if _is_list(value):
        value = tuple(value)
    try:
        fact = _adapters()[name].validate_python(value)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        raise ModelFactsError(f"{name!r} cannot be {value!r:.{_SHOWN}}: {reason}") from None
    if name in _DAYS and fact:
        _day(name, fact)
    if name == "levels":
        return _levels(fact)
    if name == "budget" and not 0 <= fact[0] <= fact[1]:
        raise ModelFactsError(f"'budget' is the least and the largest number of tokens, not {list(fact)}")
    return fact


def _row(pattern: object, facts: object) -> OverrideRow:
    where = f"row {pattern!r:.{_SHOWN}}"
    if not isinstance(pattern, str) or not pattern:
        raise ModelFactsError(f"{where}: a pattern of names is a text, such as gemini-9-*")
    if not isinstance(facts, Mapping):
        raise ModelFactsError(f"{where}: facts are an object, not {_kind(facts)}")
    if unknown := [str(name) for name in facts if name not in FACT_NAMES and name not in _ROW_KEYS]:
        choice = ", ".join((*_ROW_KEYS, *FACT_NAMES))
        raise ModelFactsError(f"{where}: unknown {', '.join(unknown)}; known are {choice}")
    try:
        changes = {name: checked_fact(name, value) for name, value in facts.items() if name not in _ROW_KEYS}
        since, like = facts.get("since", ""), facts.get("like", "")
        since = _day("since", since.isoformat() if isinstance(since, date) else since) if since else ""
    except ModelFactsError as error:
        raise ModelFactsError(f"{where}: {error}") from None
    if not isinstance(like, str):
        raise ModelFactsError(f"{where}: 'like' is the name of a model, not {_kind(like)}")
    return OverrideRow(pattern, changes, since, like)


def _day(name: str, value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise ModelFactsError(f"{name!r} is a day such as 2026-12-01, not {value!r:.{_SHOWN}}") from None


def _levels(levels: tuple[str, ...]) -> tuple[str, ...]:
    if not levels:
        raise ModelFactsError("'levels' is empty; a model that cannot be set has 'thinking': 'none'")
    return tuple(sorted(set(levels), key=LEVELS.index))


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _kind(value: object) -> str:
    return f"{type(value).__name__} {value!r:.{_SHOWN}}"


@cache
def _adapters() -> dict[str, TypeAdapter[Any]]:
    return dict(_made())


def _made() -> Iterator[tuple[str, TypeAdapter[Any]]]:
    for field in fields(ModelFacts):
        if field.name not in FACT_NAMES:
            continue
        kind: Any = field.type
        yield field.name, TypeAdapter(kind, config=ConfigDict(strict=True))
