"""Names that the operator gives to models: `gpt-4o=gemini-2.5-flash,gemini-2.5-flash-lite; fast=gemini-2.5-flash-lite`.

Each is a list of Gemini's models, of which the first one that can answer does.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from gemgate.gemini.errors import InvalidNameError
from gemgate.gemini.resource_names import model_path, without_prefixes

ModelLists = dict[str, tuple[str, ...]]

_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}", re.ASCII)
_FORM = "an entry is NAME=MODEL or NAME=MODEL,MODEL, and entries are separated by ';'"
_MODELS = "models/"


def parse_models(text: str) -> ModelLists:
    """The lists that `text` describes; entries are separated by `;` or by line breaks.

    Raises:
        ValueError: it says which entry is wrong, and why.
    """
    lists: ModelLists = {}
    for entry in filter(None, (part.strip() for part in re.split(r"[;\n]", text))):
        alias, equals, models = entry.partition("=")
        alias = alias.strip()
        if not equals:
            raise ValueError(f"{entry[:80]!r} has no '=': {_FORM}")
        if alias in lists:
            raise ValueError(f"{alias!r} is there twice: write all its models into one entry")
        lists[alias] = tuple(model.strip() for model in models.split(","))
    return checked(lists)


def checked(lists: Mapping[str, Sequence[str]]) -> ModelLists:
    """The same lists.

    Raises:
        ValueError: a name is invalid, a list is empty, names a model twice, or names an alias instead of a model.
    """
    for alias, models in lists.items():
        if not _ALIAS.fullmatch(alias):
            raise ValueError(f"{alias[:80]!r} cannot be the name of a model: {_FORM}")
        if not any(models):
            raise ValueError(f"{alias!r} has no models: {_FORM}")
        for model in models:
            _check_model_name(alias, model, lists)
        if len(set(models)) < len(models):
            raise ValueError(f"{alias!r} names a model twice, which would be asked twice")
    return {alias: tuple(models) for alias, models in lists.items()}


def _check_model_name(alias: str, model: str, lists: Mapping[str, Sequence[str]]) -> None:
    if not model:
        raise ValueError(f"{alias!r} has a ',' too many: {_FORM}")
    try:
        model_path(model)
    except InvalidNameError as error:
        raise ValueError(f"{alias!r}: {error}") from None
    if model != alias and model in lists and lists[model][0] != model:
        raise ValueError(f"{alias!r} names {model!r}, which is an alias itself: name Gemini's models")


def written(lists: Mapping[str, Sequence[str]]) -> str:
    """The text that `parse_models` reads."""
    return "; ".join(f"{alias}={','.join(models)}" for alias, models in lists.items())


class ModelAliases:
    """What callers' names of models mean."""

    def __init__(
        self,
        lists: Mapping[str, Sequence[str]] | None = None,
        successor_of: Callable[[str], str | None] | None = None,
    ) -> None:
        """`successor_of` gives the model to ask in the place of a retired one; None: each is asked itself."""
        self.lists = checked(lists or {})
        self._successor_of = successor_of

    def resolve(self, asked: str) -> tuple[str, ...]:
        """The models to ask in turn; just `asked` unless it is an alias. `models/x` and `google/x` are `x`."""
        models = self.lists.get(bare(asked)) or (asked,)
        if self._successor_of is None:
            return models
        return tuple(dict.fromkeys(self._successor_of(bare(model)) or model for model in models))

    def first(self, asked: str) -> str:
        """The model to ask where no other one may answer."""
        return self.resolve(asked)[0]


def bare(asked: str) -> str:
    """`x` of `x`, `models/x` and `google/x`, as callers write a model."""
    return without_prefixes(asked).removeprefix(_MODELS) if "/" in asked else asked
