"""Times in which something is not to be asked: what one worker finds out, and may share with others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gemgate.upstream.targets import MethodGroup


class CooldownReason(StrEnum):
    """Why something cools down."""

    RATE_LIMIT = "rate_limit"
    """A quota of a minute is used up, or Google did not say which."""

    QUOTA = "quota"
    """A quota of a day is used up, or there is none at all."""

    REFUSED = "refused"
    """Google does not let this key use this model, or this method."""

    KEY_REFUSED = "key_refused"
    """Google does not let this key do anything."""

    BROKEN = "broken"
    """The model fails with every key."""


@dataclass(frozen=True, slots=True)
class Cooldown:
    """A time in which a key, a model, or a key for a model is not to be used. Can be written as JSON.

    Attributes:
        key: The label of the key (`label_of`); empty for every key.
        model: Such as `models/gemini-2.5-flash`; empty for every model.
        kind: Why.
        until: The end, in Unix seconds.
        failures: How many such cool-downs there were in a row; each may be longer than the one before.
        failure: The refusal that began it, as of `errors.failure_of`.
        caller: Whose calls it is for, as of `CurrentCaller` (for a caller's own key, its label); None for everybody's.
        methods: The group of methods it is for (`MethodGroup`), or the one method, for every model; of a cool-down of
            the whole key without a meaning.
    """

    key: str
    model: str
    kind: CooldownReason
    until: float
    failures: int = 1
    failure: Mapping[str, Any] = field(default_factory=dict)
    caller: str | None = None
    methods: str = MethodGroup.GENERATE


Announce = Callable[[Cooldown], None]
"""Called with each cool-down that this process begins, and its end where it ends early (`until` is 0). Must not block:
code that shares cool-downs with other processes sends it in a task of its own, and hands in what it hears with
`KeyPool.apply` and `Breakers.apply`, which announce nothing."""


def announce_nothing(_cooldown: Cooldown) -> None:
    """For a process that shares nothing."""


CurrentCaller = Callable[[], str]
"""The name of the caller that the call is made for; empty when that is not known, as in the background."""


def unknown_caller() -> str:
    """For a process that does not distinguish callers."""
    return ""
