"""What happens between the gateway and Google, for metrics, logs, and other processes."""

from typing import NamedTuple

from gemgate.upstream.circuit_breaker import BreakerSnapshot
from gemgate.upstream.cooldowns import Cooldown
from gemgate.upstream.key_pool import KeySnapshot


class Observer:
    """Notified of what happens, at once and in the event loop: nothing here may block, wait or raise.

    `model` is a resource name such as `models/gemini-2.5-flash`, and was chosen by a caller: bound it before it becomes
    the label of a metric.
    """

    def calls(self, model: str, key: str) -> None:
        """A call is made with the key of this label; empty for a caller's own. `model` is empty if it asks none."""

    def cools_down(self, cooldown: Cooldown) -> None:
        """A key or a model cools down; with `until` 0, works again before its time."""

    def retries(self, model: str, reason: str) -> None:
        """A call is made again. `reason`: a status such as `503`, a `Failure`, `empty` or `malformed_function_call`."""

    def falls_back(self, asked: str, model: str, reason: str) -> None:
        """`model` answers in place of the one before it in the list of `asked`; `reason` as above."""


class Snapshot(NamedTuple):
    """The state of one process at one moment."""

    keys: tuple[KeySnapshot, ...]
    breakers: tuple[BreakerSnapshot, ...]
