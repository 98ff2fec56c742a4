"""Keeps an access token fresh, away from the requests that use it.

A token is refreshed at three quarters of its life. One refresh runs at a time, in a thread of its own, for a bounded
time; after a failure the next one waits, longer each time, and the old token is used to its end. Two clocks are read:
the monotonic one says when a token has ended, since nobody sets it; either says when to refresh, since a machine that
slept counts no monotonic time. Nothing is locked, so that a cancelled request leaves nothing locked.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from gemgate.gemini.errors import GeminiError
from gemgate.gemini.vertex.credentials import AccessToken, CredentialsError, TokenSource

REFRESH_AT = 0.75
"""The part of its life after which a token is refreshed."""

REFRESH_SECONDS = 20.0
"""What one refresh may take, the look-up of the credentials included."""

LOOK_SECONDS = 30.0
"""How often the clocks are read while there is nothing to do: a machine may have slept."""

FIRST_PAUSE_SECONDS = 1.0
LAST_PAUSE_SECONDS = 30.0
"""Between two refreshes that fail; the pause doubles from the first to the last."""

JUST_FETCHED_SECONDS = 10.0
"""A token that is refused at this age is refused for another reason than its end, and a new one changes nothing."""

MAX_LIFETIME = 43_200.0
"""No token of Google's lasts longer than twelve hours; a clock that was set during the fetch may say so."""

_MAX_HUNG = 4


@dataclass(frozen=True, slots=True)
class _HeldToken:
    value: str = field(repr=False)
    fetched: float
    ends: float
    due: float
    wall_due: float


def _ignore(_sentence: str) -> None:
    """Reports nothing."""


class RefreshedTokens:
    """Access tokens of one `TokenSource`; see `BearerTokens` for how they are used.

    Args:
        source: Where tokens come from.
        on_failure: Called with a sentence for the operator after each refresh that fails.
        timeout: Seconds that a refresh may take.
        monotonic: Seconds that never go back.
        wall: Unix seconds, which may be set.
        sleep: Waits between two looks at the clocks.

    Attributes:
        project: The Google Cloud project that the credentials name.
        quota_project: The project that pays for the quota.
        failure: Why the last refresh failed, a sentence for the operator; None after one that went well.
    """

    def __init__(
        self,
        source: TokenSource,
        on_failure: Callable[[str], None] = _ignore,
        *,
        timeout: float = REFRESH_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.project: str | None = None
        self.quota_project: str | None = None
        self._source = source
        self._on_failure = on_failure
        self._timeout = timeout
        self._monotonic = monotonic
        self._wall = wall
        self._sleep = sleep
        self._token: _HeldToken | None = None
        self._running: asyncio.Task[str] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._failures = 0
        self.failure: str | None = None
        self._pause_ends = -1.0
        self._threads: list[threading.Thread] = []

    async def __aenter__(self) -> Self:
        first = self._refresh_task()
        try:
            await asyncio.wait((first,))
        finally:
            first.cancel()  # no more than a formality, but for a start that was given up
        self._keeping = asyncio.create_task(self._keep_fresh())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = [task for task in (self._keeping, self._running) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._keeping = None

    def current(self) -> str:
        """The token that is valid now.

        Raises:
            GeminiError: nothing valid is held; the status is 401.
        """
        token, now = self._token, self._monotonic()
        if token is None or self._is_due(token, now):
            self._refresh_soon(now)
        if token is None or now >= token.ends:
            raise _no_token()
        return token.value

    async def renewed(self, stale: str) -> str:
        """A token in place of `stale`.

        Raises:
            GeminiError: nothing valid is held; the status is 401.
        """
        token, now = self._token, self._monotonic()
        if token is not None and token.value != stale and now < token.ends:
            return token.value
        if self._running is None:
            if token is not None and token.value == stale and now - token.fetched < JUST_FETCHED_SECONDS:
                raise _refused_token()
            if now < self._pause_ends:
                raise _no_token()
        task = self._refresh_task()
        await asyncio.wait((task,))  # cancels nothing when this waiter is cancelled
        if task.cancelled() or task.exception() is not None:
            raise _no_token()
        if task.result() == stale:
            raise _refused_token()
        return task.result()

    async def _keep_fresh(self) -> None:
        while True:
            await self._sleep(self._until_look())
            token, now = self._token, self._monotonic()
            if now >= self._pause_ends and (token is None or self._is_due(token, now)):
                await asyncio.wait((self._refresh_task(),))

    def _until_look(self) -> float:
        """Seconds until the clocks are worth a look."""
        now = self._monotonic()
        due = self._token.due if self._token is not None else now
        return min(LOOK_SECONDS, max(due - now, self._pause_ends - now, FIRST_PAUSE_SECONDS))

    def _is_due(self, token: _HeldToken, now: float) -> bool:
        return now >= token.due or self._wall() >= token.wall_due

    def _refresh_soon(self, now: float) -> None:
        if self._keeping is not None and self._running is None and now >= self._pause_ends:
            _ = self._refresh_task()

    def _refresh_task(self) -> asyncio.Task[str]:
        """The refresh that is on its way, or a new one."""
        if self._running is None:
            self._running = asyncio.create_task(self._refresh(), context=Context())  # of no request
            self._running.add_done_callback(self._done)
        return self._running

    def _done(self, task: asyncio.Task[str]) -> None:
        self._running = None
        if not task.cancelled():
            task.exception()  # it is in `failure`; nobody may wait for the task

    async def _refresh(self) -> str:
        """Fetch a token and hold it.

        Raises:
            CredentialsError: nothing came; the next refresh has to pause.
        """
        try:
            async with asyncio.timeout(self._timeout):
                fetched = await self._in_thread(self._source.fetch)
            return self._hold(fetched)
        except TimeoutError:
            raise self._failed(f"fetching an access token took longer than {self._timeout:g} seconds") from None
        except CredentialsError as error:
            raise self._failed(str(error)) from None

    def _hold(self, fetched: AccessToken) -> str:
        """Make `fetched` the token that is used, and give its value.

        Raises:
            CredentialsError: it has ended.
        """
        if fetched.lifetime <= 0:
            raise CredentialsError("the access token had ended when it came: is this machine's clock right?")
        now, wall, lifetime = self._monotonic(), self._wall(), min(fetched.lifetime, MAX_LIFETIME)
        part = lifetime * REFRESH_AT
        self._token = _HeldToken(fetched.value, now, now + lifetime, now + part, wall + part)
        self.project, self.quota_project = fetched.project, fetched.quota_project
        self.failure, self._failures, self._pause_ends = None, 0, now
        return fetched.value

    def _failed(self, why: str) -> CredentialsError:
        pause = min(FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures, 16), LAST_PAUSE_SECONDS)
        self._failures += 1
        self._pause_ends = self._monotonic() + pause
        self.failure = why
        self._on_failure(why)
        return CredentialsError(why)

    async def _in_thread(self, fetch: Callable[[], AccessToken]) -> AccessToken:
        """The result of `fetch`, in a thread of its own: a full pool delays no refresh, and a hung one no exit."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        if len(self._threads) >= _MAX_HUNG:
            raise CredentialsError("earlier refreshes of the access token still wait for an answer")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[AccessToken] = loop.create_future()

        def settle(fetched: AccessToken | None, failure: CredentialsError | None) -> None:
            if future.done():
                return
            if fetched is not None:
                future.set_result(fetched)
            else:
                future.set_exception(failure or CredentialsError("no access token came"))

        def run() -> None:
            fetched: AccessToken | None = None
            failure: CredentialsError | None = None
            try:
                fetched = fetch()
            except CredentialsError as error:
                failure = error
            except Exception as error:  # noqa: BLE001  of google-auth, whose text may hold what it was given
                failure = CredentialsError(f"fetching an access token failed ({type(error).__name__})")
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, fetched, failure)

        thread = threading.Thread(target=run, name="access-token", daemon=True)
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError:
            raise CredentialsError("the system gives no thread to fetch an access token in") from None
        return await future


def _no_token() -> GeminiError:
    """Callers see it: the reason may name files and hosts, so it is in the log and in `gemgate check`."""
    message = "The gateway has no Google access token; its log and `gemgate check` say why."
    return GeminiError(401, message, "UNAUTHENTICATED")


def _refused_token() -> GeminiError:
    message = (
        "Google refuses the access token that the gateway fetched just now: "
        "check that the service account exists, and that its keys are not revoked."
    )
    return GeminiError(401, message, "UNAUTHENTICATED")
