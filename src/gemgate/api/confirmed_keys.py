"""Whether Google knows a caller's own Gemini key: asked once, before the caller may store anything."""

import time
from collections import OrderedDict
from collections.abc import Callable

from gemgate.auth.caller import Caller
from gemgate.gemini.errors import Failure, TransportError
from gemgate.gemini.model_list import PATH
from gemgate.upstream.client import Upstream

KEPT_SECONDS = 3600.0
"""For how long a confirmed key is believed."""

_MAX = 10_000


class ConfirmedKeys:
    """The callers whose keys Google has taken, the last 10,000 of them.

    Args:
        gemini: The way to Google.
        clock: Seconds, never going back.
    """

    def __init__(self, gemini: Upstream, clock: Callable[[], float] = time.monotonic) -> None:
        self._gemini = gemini
        self._clock = clock
        self._confirmed: OrderedDict[str, float] = OrderedDict()

    async def check(self, caller: Caller) -> None:
        """Refuse a key that Google does not take. One of the gateway's own needs no confirmation.

        Raises:
            GeminiError: Google refused it, or did not answer.
        """
        if caller.key is None:
            return
        at = self._confirmed.get(caller.id)
        if at is not None and self._clock() - at < KEPT_SECONDS:
            return
        try:
            await self._gemini.request("GET", PATH, key=caller.key, params={"pageSize": "1"})
        except TransportError as error:
            if error.failure is not Failure.INVALID_BODY:  # which follows a status that says that the key is good
                raise
        self._confirmed[caller.id] = self._clock()
        self._confirmed.move_to_end(caller.id)
        while len(self._confirmed) > _MAX:
            self._confirmed.popitem(last=False)
