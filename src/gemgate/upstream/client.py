"""Calls to Google with the gateway's keys or a caller's own, made again where that helps."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from copy import copy
from functools import lru_cache, partial
from typing import Self, TypeVar

import httpx

from gemgate.gemini.client.client import Body, GeminiClient, encode
from gemgate.gemini.client.response import GeminiResponse
from gemgate.gemini.decisions import PATH as DECISIONS_PATH
from gemgate.gemini.errors import Failure, GeminiError, TransportError
from gemgate.gemini.resource_names import model_path
from gemgate.gemini.types import GenerateContentResponse
from gemgate.upstream.cooldowns import Cooldown, CooldownReason
from gemgate.upstream.failure_policy import cooldown_for
from gemgate.upstream.key_affinity import resources_in_path, resources_made, resources_of
from gemgate.upstream.observer import Observer, Snapshot
from gemgate.upstream.retry import DEFAULT_LIMITS, Attempts, CallLimits, KeyLease, Shared
from gemgate.upstream.stream import RetryingStream
from gemgate.upstream.targets import MethodGroup, Target, method_call, target_of

T = TypeVar("T")

SIDE_CALL_SECONDS = 1.8
"""How long a call may take that an answer does not depend on."""

ANY_BATCH = method_call("", "batchGenerateContent")
"""What a key is chosen for that will create jobs."""


@lru_cache(maxsize=1024)
def _generates(model: str) -> Target:
    return method_call(model_path(model), "generateContent")


@lru_cache(maxsize=1024)
def _streams(model: str) -> Target:
    return method_call(model_path(model), "streamGenerateContent")


@lru_cache(maxsize=1024)
def _decides(model: str) -> Target:
    return Target(model_path(model), MethodGroup.DECIDE, "decisions")


class Upstream:
    """The way to Google for everybody who serves a caller. Has the methods of `GeminiClient`, and their errors.

    A `key` is the caller's own, or None for one of the gateway's. Every method raises what the last attempt raised; or,
    without having asked Google, a 429 when all keys are cooling down, a 503 when the circuit is open, and
    `NoUsableKeyError`.

    Args:
        client: The one door to Google. Code that needs one call, with one key and no second attempt, takes it.
        shared: The keys, the breakers and the options.
    """

    def __init__(self, client: GeminiClient, shared: Shared | None = None) -> None:
        self.client = client
        self.url = client.url
        self.named_url = client.named_url
        self.shared = shared or Shared()
        self.shared.pool.announce = self.shared.breakers.announce = self._announce

    def through(self, wrap: Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport]) -> Self:
        """The same keys and breakers, for calls that go through what `wrap` makes of the transport."""
        upstream = copy(self)
        upstream.client = self.client.through(wrap)
        return upstream

    def observe(self, observer: Observer) -> None:
        """Notify `observer` of what happens from now on."""
        self.shared.observers.append(observer)

    def snapshot(self) -> Snapshot:
        """How the keys and the models are."""
        return Snapshot(self.shared.pool.snapshot(), self.shared.breakers.snapshot())

    def apply(self, cooldown: Cooldown) -> None:
        """Take over what another process has found out. Observers are not notified."""
        (self.shared.pool if cooldown.key else self.shared.breakers).apply(cooldown)

    def pin_key(self, key: str | None, target: Target = ANY_BATCH, affinity: str = "") -> str:
        """One key for work that must stay with one: what is made with it belongs to its Google project.

        Args:
            key: The caller's own, which is given back; None for one of the gateway's.
            target: What it will be used for.
            affinity: Calls with the same value use the same key while it is usable (rendezvous hashing). Empty: the
                least busy key.

        Raises:
            GeminiError: every key of the gateway is cooling down, or the caller's own ends before a job does.
        """
        if key is not None:
            if target.group is MethodGroup.BATCH:
                self.client.check_lasting(key)
            return key
        pool = self.shared.pool
        chosen = pool.choose_by_affinity(target, affinity) if affinity else pool.choose(target)
        if chosen is None:
            raise self.shared.pool.exhausted(target)
        return chosen.secret

    def next_key(self, error: GeminiError, tried: Sequence[str], target: Target) -> str | None:
        """The key for work that has failed with the last of `tried`, all of them pinned keys of the gateway's.

        None where the failure is not because of the key, or no other can be used for `target`.
        """
        pool = self.shared.pool
        avoid = [key for secret in tried if (key := pool.find(secret)) is not None]
        is_because_of_key = cooldown_for(error, target) not in (None, CooldownReason.BROKEN)
        if not avoid or (not is_because_of_key and pool.is_usable(avoid[-1], target)):
            return None
        chosen = pool.choose(target, avoid)
        return None if chosen is None or chosen in avoid else chosen.secret

    def remember(self, resources: Iterable[str], key: str) -> None:
        """Calls that name `resources` (`files/…`) go out with `key`, if it is one of the gateway's."""
        if (found := self.shared.pool.find(key)) is not None:
            self.shared.affinity.learn(resources, found.label)

    def fell_back(self, asked: str, model: str, reason: str) -> None:
        """Notify the observers that `model` answers in place of another."""
        for observer in self.shared.observers:
            observer.falls_back(asked, model, reason)

    async def generate(
        self, model: str, body: Body, key: str | None, *, limits: CallLimits = DEFAULT_LIMITS
    ) -> GenerateContentResponse:
        """The answer of `generateContent`.

        Args:
            model: Its name.
            body: The native request.
            key: The caller's own key, or None.
            limits: Whether the call may wait for a quota, and since when its deadline runs.
        """
        attempts = self._attempts(_generates(model), body, key, limits)
        content = encode(body)
        del body  # it may be long, and so may the call

        return await self._made(
            attempts,
            lambda key_lease: self.client.generate(model, content, key_lease.secret, within=key_lease.within),
            lambda key_lease, answer: attempts.answered(key_lease, [answer]),
        )

    def stream(
        self, model: str, body: Body, key: str | None, *, limits: CallLimits = DEFAULT_LIMITS, number: int = 0
    ) -> RetryingStream:
        """The answer of `streamGenerateContent`, whose items have the call's `number`; else as `generate`."""
        attempts = self._attempts(_streams(model), body, key, limits)
        content = encode(body)
        return RetryingStream(attempts, partial(self.client.stream, model, content), number)

    async def decide(
        self, model: str, body: Body, key: str | None, limits: CallLimits = DEFAULT_LIMITS
    ) -> dict[str, object]:
        """The JSON object that the Decisions API answers; `model` says whose cool-downs and breaker it has."""
        attempts = self._attempts(_decides(model), body, key, limits)
        content = encode(body)

        async def send(key_lease: KeyLease) -> dict[str, object]:
            key, within = key_lease.secret, key_lease.within
            return await self.client.request("POST", DECISIONS_PATH, key=key, json=content, within=within)

        def noted(key_lease: KeyLease, _answer: dict[str, object]) -> bool:
            attempts.succeeded(key_lease)
            return True

        return await self._made(attempts, send, noted)

    async def request(
        self,
        method: str,
        path: str,
        *,
        key: str | None,
        params: Mapping[str, str] | None = None,
        json: Body | None = None,
        limits: CallLimits = DEFAULT_LIMITS,
    ) -> dict[str, object]:
        """The JSON object that any other method of the API answers; `{}` for an empty body.

        What makes something (a file, a cache, a job) is made again only if it was surely not done.
        """
        attempts = self._attempts_at(method, path, json, key, limits)
        content = None if json is None else encode(json)

        is_making = method == "POST" and not attempts.target.is_repeatable

        def noted(key_lease: KeyLease, answer: dict[str, object]) -> bool:
            attempts.succeeded(key_lease)
            if is_making and key_lease.key is not None:
                self.shared.affinity.learn(resources_made(answer), key_lease.key.label)
            return True

        return await self._made(
            attempts,
            lambda key_lease: self.client.request(
                method, path, key=key_lease.secret, params=params, json=content, within=key_lease.within
            ),
            noted,
        )

    async def request_aside(
        self,
        method: str,
        path: str,
        *,
        key: str | None,
        params: Mapping[str, str] | None = None,
        json: Body | None = None,
        seconds: float = SIDE_CALL_SECONDS,
    ) -> dict[str, object]:
        """As `request`, for a call of the gateway's own that an answer does not depend on.

        It is made once and within `seconds`, and how it ends says nothing about keys and models.
        """
        target, pool = target_of(method, path), self.shared.pool
        found = pool.find(key) if key is not None else pool.choose(target)
        if found is None and key is None:
            raise pool.exhausted(target)
        secret = found.secret if found is not None else key or ""
        key_lease = KeyLease(pool, self.shared.breakers, target, found, secret)
        for observer in self.shared.observers:
            observer.calls(target.model, found.label if found is not None else "")
        try:
            async with asyncio.timeout(seconds):
                content = None if json is None else encode(json)
                return await self.client.request(method, path, key=secret, params=params, json=content, within=seconds)
        except TimeoutError:
            raise TransportError(Failure.REQUEST_TIMEOUT) from None
        finally:
            key_lease.close()

    async def open(
        self,
        method: str,
        url: httpx.URL,
        *,
        key: str | None,
        headers: Mapping[str, str] | None = None,
        body: Body | httpx.AsyncByteStream | None = None,
        redirect: bool = False,
        first_byte_timeout: float | None = None,
    ) -> GeminiResponse:
        """As `GeminiClient.open`; a stream is sent once. The key is in use until the answer is closed."""
        known = None if isinstance(body, httpx.AsyncByteStream) else body
        attempts = self._attempts_at(method, url.path, known, key)
        attempts.is_replayable = not isinstance(body, httpx.AsyncByteStream)
        content = body if isinstance(body, httpx.AsyncByteStream) or body is None else encode(body)
        while True:
            key_lease = attempts.begin()
            try:
                answer = await self.client.open(
                    method,
                    url,
                    key=key_lease.secret,
                    headers=headers,
                    body=content,
                    redirect=redirect,
                    first_byte_timeout=first_byte_timeout,
                    within=key_lease.within,
                )
            except GeminiError as error:
                await attempts.failed(key_lease, error)
            except BaseException:
                key_lease.close()
                raise
            else:
                attempts.succeeded(key_lease)
                answer.on_close = key_lease.close
                if key_lease.key is not None:
                    answer.key_label, answer.gateway_key = key_lease.key.label, key_lease.key.hidden
                return answer

    async def _made(
        self,
        attempts: Attempts,
        send: Callable[[KeyLease], Awaitable[T]],
        is_good: Callable[[KeyLease, T], bool],
    ) -> T:
        """The first answer that is good enough to give on."""
        while True:
            key_lease = attempts.begin()
            try:
                answer = await send(key_lease)
            except GeminiError as error:
                await attempts.failed(key_lease, error)
                continue
            finally:
                key_lease.close()
            if is_good(key_lease, answer):
                return answer

    def _attempts(self, target: Target, body: Body, key: str | None, limits: CallLimits) -> Attempts:
        resources = resources_of(body) if key is None and self.shared.pool.has_choice else ()
        return Attempts(self.shared, target, key, limits=limits, resources=resources)

    def _attempts_at(
        self,
        method: str,
        path: str,
        body: Body | None,
        key: str | None,
        limits: CallLimits = DEFAULT_LIMITS,
    ) -> Attempts:
        resources: list[str] = []
        if key is None and self.shared.pool.has_choice:
            resources = resources_in_path(path)
            resources += resources_of(body) if body is not None else []
        return Attempts(self.shared, target_of(method, path), key, limits, resources)

    def _announce(self, cooldown: Cooldown) -> None:
        for observer in self.shared.observers:
            observer.cools_down(cooldown)
