"""A pool in which lanes to Vertex AI take the places of keys: which of them serve a model depends on its location."""

from collections.abc import Callable, Sequence

from gemgate.gemini.errors import GeminiError
from gemgate.gemini.resource_names import ENDPOINTS, VERTEX
from gemgate.gemini.vertex.lanes import Lanes
from gemgate.gemini.vertex.refusals import not_there
from gemgate.upstream.clock import steady_time
from gemgate.upstream.cooldowns import Announce, CurrentCaller, announce_nothing, unknown_caller
from gemgate.upstream.errors import VERTEX_CREDENTIALS
from gemgate.upstream.key_pool import COOL_DOWN, Key, KeyPool
from gemgate.upstream.targets import MethodGroup, Target

_MAX_MODELS = 1024


class LanePool(KeyPool):
    """Lanes, and beside them the keys of GEMINI_API_KEY where both APIs are asked.

    Args:
        keys: The keys of the Developer API. With any, lanes serve only names that begin with `vertex/`.
        lanes: The ways to Vertex AI.
        default_cooldown: Seconds that a lane cools down after a 429 without a time.
        clock: Unix seconds.
        announce: Called with each cool-down.
        caller: Says who calls.
        wall: The Unix seconds by which Google's days are reckoned; `clock` unless given.
        has_bucket: Whether lanes take batches, which needs a bucket.
    """

    def __init__(
        self,
        keys: Sequence[str],
        lanes: Lanes,
        *,
        default_cooldown: float = COOL_DOWN,
        clock: Callable[[], float] = steady_time,
        announce: Announce = announce_nothing,
        caller: CurrentCaller = unknown_caller,
        wall: Callable[[], float] | None = None,
        has_bucket: bool = False,
    ) -> None:
        self._takes_batches = bool(keys) or has_bucket
        self._lanes = lanes
        self._lane_keys = {lane.name: Key(lane.name, lane.name) for lane in lanes.all}
        self._with_keys = bool(keys)
        self._serving: dict[str, list[Key]] = {}
        super().__init__(
            keys, default_cooldown=default_cooldown, clock=clock, announce=announce, caller=caller, wall=wall
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys of the Developer API; a lane holds no secret."""
        return tuple(secret for secret in super().secrets if secret not in self._lane_keys)

    def _hold(self, keys: list[Key]) -> None:
        """Lanes stay, whatever keys there are."""
        self._developer = keys
        super()._hold([*keys, *self._lane_keys.values()])

    def _keys_for(self, target: Target) -> list[Key]:
        model = target.model
        if not self._takes_batches and target.group is MethodGroup.BATCH:
            return []
        if self._with_keys and not model.startswith((VERTEX, ENDPOINTS)):
            return self._developer
        found = self._serving.get(model)
        if found is None:
            if len(self._serving) >= _MAX_MODELS:
                self._serving.clear()
            found = self._serving[model] = [self._lane_keys[lane.name] for lane in self._lanes.serving(model)]
        return found

    def exhausted(self, target: Target, keys: Sequence[Key] = ()) -> GeminiError:
        """Why `choose` gave none; batches need a key of the Developer API, or a bucket."""
        if not self._takes_batches and target.group is MethodGroup.BATCH:
            return not_there("/v1beta/batches")
        return super().exhausted(target, keys)

    def _owner_of(self, keys: Sequence[Key]) -> str:
        is_lane = bool(keys) and keys[0].secret in self._lane_keys
        return VERTEX_CREDENTIALS if is_lane else super()._owner_of(keys)
