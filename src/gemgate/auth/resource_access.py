"""Who may name what at Google: where callers share the gateway's keys, each only what it has made itself.

Google shows a file, a cache or a job to all who have a key of its project. A gateway that holds the key lets each of
its callers use what it has made, and what is public: models, videos and pages that anybody can read. What was made
without the gateway belongs to nobody. A caller with a Gemini key of its own is kept apart by Google.
"""

from collections.abc import Collection
from functools import partial

import orjson
from anyio import to_thread
from pydantic import BaseModel

from gemgate.auth.caller import Caller
from gemgate.auth.client_keys import is_allowed
from gemgate.auth.key_registry import ClientKeys
from gemgate.auth.resource_errors import bounded, not_yours
from gemgate.errors import ApiError
from gemgate.gemini.named_resources import Named, may_name, named_in
from gemgate.model_routing.aliases import bare
from gemgate.settings import Settings
from gemgate.store.resources import Resources
from gemgate.upstream.key_affinity import KeyAffinity

TUNED = "tunedModels/"
"""What the names of models begin with that somebody has made."""

LARGE = 262_144
"""Bytes of a body from which on it is read in a thread: below it the event loop is held up for milliseconds."""

_RESULTS = "files/batch-"
"""What the names of a job's result files begin with; the id of the job follows."""


def google_host(settings: Settings) -> str:
    """The host and port of Google's API, as they would be in the address of a file."""
    return settings.origin.partition("://")[2].partition("/")[0].lower()


class ResourceAccess:
    """Decides for one gateway.

    Args:
        resources: Who has made what.
        keys: The client keys.
        affinity: Which of the gateway's keys knows what: it learns what the store knows.
        settings: Whether the gateway holds keys, and where Google is.
        aliases: The operator's names for models.

    Attributes:
        is_shared: Whether callers share the gateway's keys.
    """

    def __init__(
        self,
        resources: Resources,
        keys: ClientKeys,
        affinity: KeyAffinity,
        settings: Settings,
        aliases: Collection[str] = (),
    ) -> None:
        self.is_shared = not settings.passes_keys_through and not keys.is_open
        self._resources = resources
        self._affinity = affinity
        self._upstream = google_host(settings)
        self._aliases = frozenset(aliases)

    async def check_names(self, caller: Caller, names: Collection[str], *, param: str | None = None) -> None:
        """Refuse the first of `names` that is neither the caller's nor public. All are looked up in one query.

        Raises:
            ApiError: 404; whether there is such a thing is not revealed.
        """
        wanted = [name for name in names if not is_for_all(caller, name)]
        if not wanted or not self.is_shared:
            return
        jobs = {name: job_of(name) for name in wanted}
        owned = await self._resources.owned(caller.id, {*wanted, *jobs.values()})
        for name, label in owned.items():
            if label:
                # Known to this process from now on, which may not be the one that has made it.
                self._affinity.learn([name], label)
        for name, job in jobs.items():
            if name not in owned and job not in owned:
                raise not_yours(name, param)

    async def check_request(self, caller: Caller, request: BaseModel, raw: bytes | None = None) -> None:
        """Refuse a request of OpenAI's API that names what is not its caller's.

        Args:
            caller: Who asks.
            request: The body, as it was understood: what is translated is what is checked.
            raw: The same as bytes, which may show that it names nothing; None where there are none.

        Raises:
            ApiError: 404; 400 for more names than are looked up.
        """
        if not self.is_shared or (raw is not None and not may_name(raw)):
            return
        size = len(raw) if raw is not None else LARGE
        dumped = partial(request.model_dump, exclude_unset=True, warnings=False)
        body = dumped() if size < LARGE else await to_thread.run_sync(dumped)
        if bare(str(body.get("model"))) in self._aliases:
            del body["model"]  # the operator's name for a model is not the caller's choice
        await self.check_values(caller, body, size)

    async def check_values(self, caller: Caller, values: object, size: int) -> None:
        """Refuse parsed JSON of `size` bytes that names what is not its caller's.

        Raises:
            ApiError: 404; 400 for more names than are looked up.
        """
        if self.is_shared:
            named = await self.named(values, size)
            await self.check_names(caller, named.names)

    async def named(self, body: object, size: int) -> Named:
        """What a parsed body of `size` bytes names.

        Raises:
            ApiError: 400 for more names than are looked up.
        """
        if size < LARGE:
            named = named_in(body, self._upstream)
        else:
            named = await to_thread.run_sync(partial(named_in, body, self._upstream))
        return bounded(named)

    def named_in_line(self, line: bytes) -> Named | None:
        """What a line of a batch's input names; None if nothing.

        Raises:
            ApiError: 400 for a line that cannot be read as JSON, though it may name something.
        """
        if not may_name(line) and b"model" not in line:
            return None
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            msg = "A line of the input of the batch is not valid JSON."
            raise ApiError(400, msg, code="invalid_json") from None
        return bounded(named_in(value, self._upstream))


def job_of(name: str) -> str:
    """The job whose result file `name` would be; else the name itself."""
    return f"batches/{name.removeprefix(_RESULTS)}" if name.startswith(_RESULTS) else name


def is_for_all(caller: Caller, name: str) -> bool:
    """Whether it is a tuned model that the operator has named in the caller's list of models."""
    if not name.startswith(TUNED) or "/operations/" in name:
        return False
    patterns = [pattern for pattern in caller.models or () if pattern.startswith(TUNED)]
    return bool(patterns) and is_allowed(name, patterns)
