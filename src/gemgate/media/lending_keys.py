"""Which key uploads a file that is needed for one answer, and which one after it."""

from gemgate.gemini.errors import GeminiError
from gemgate.upstream.client import Upstream
from gemgate.upstream.targets import Target


class LendingKeys:
    """The keys that a file is uploaded with, one after another: only the key that uploads it shows it to a model.

    Args:
        upstream: Holds the gateway's keys.
        own: The caller's key, which no other follows; None for the gateway's.
        target: What the file is for.
    """

    def __init__(self, upstream: Upstream, own: str | None, target: Target) -> None:
        self._upstream = upstream
        self._own = own
        self._target = target
        self._tried: list[str] = []
        self._key: str | None = None

    @property
    def key(self) -> str:
        """The key to upload with.

        Raises:
            GeminiError: every key of the gateway cools down.
        """
        if self._key is None:
            self._key = self._upstream.pin_key(self._own, self._target)
            self._tried.append(self._key)
        return self._key

    def moves_on(self, error: GeminiError) -> bool:
        """Whether `error` is because of the key, and there is another that can be used; it is the next one."""
        if self._own is not None or self._key is None:
            return False
        following = self._upstream.next_key(error, self._tried, self._target)
        if following is None:
            return False
        self._key = following
        self._tried.append(following)
        return True
