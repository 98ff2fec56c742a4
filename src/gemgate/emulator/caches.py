"""`cachedContents` in memory: create, get, list, patch, delete, expire."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from gemgate.emulator.errors import (
    GoogleApiError,
    cache_not_found,
    invalid,
    model_not_found,
)
from gemgate.emulator.families import find
from gemgate.emulator.usage import prompt_tokens

# It is there from the start, because documentation names it.
EXAMPLE = "cachedContents/0000aaaa1111bbbb2222cccc3333dddd4444eeee"
EXAMPLE_MODEL = "models/gemini-2.5-pro"
LEAST_TOKENS = 1024
DEFAULT_TTL = timedelta(hours=1)
DEFAULT_PAGE = 50
MAX_PAGE = 1000
_ID_LENGTH = 40
_NAME_LENGTH = 128


@dataclass(slots=True)
class Cache:
    """One cache: the body it was made of, and its times."""

    name: str
    body: dict[str, object]
    created: datetime
    updated: datetime
    expires: datetime
    tokens: int

    def resource(self) -> dict[str, object]:
        """The `CachedContent` message: the contents never come back."""
        return {
            "name": self.name,
            "model": self.body["model"],
            "createTime": _rfc3339(self.created),
            "updateTime": _rfc3339(self.updated),
            "expireTime": _rfc3339(self.expires),
            "displayName": self.body.get("displayName", ""),
            "usageMetadata": {"totalTokenCount": self.tokens},
        }


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _parsed(text: str) -> datetime:
    """A timestamp with up to nine decimals, of which six are kept."""
    whole, dot, rest = text.partition(".")
    if dot:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        text = f"{whole}.{rest[: min(6, digits)]}{rest[digits:]}"
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise invalid(f"Invalid value at 'cached_content.expire_time' (TYPE_TIMESTAMP), \"{text}\"") from None


class Caches:
    """The caches of one emulator; `clock` gives seconds since 1970."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._caches: dict[str, Cache] = {}
        self._made = 0
        text = "The gemgate emulator keeps this example cache. " * 200
        body: dict[str, object] = {"model": EXAMPLE_MODEL, "contents": [{"role": "user", "parts": [{"text": text}]}]}
        start = self._now()
        self._caches[EXAMPLE] = Cache(EXAMPLE, body, start, start, datetime.max.replace(tzinfo=UTC), _count(body))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def create(self, body: dict[str, Any], place: str = "") -> Cache:
        """Make a cache of a canonical `CachedContent`; in Vertex AI, its id is a number behind `place`.

        Raises:
            ApiError: 400 without a model or below the least size, 404 for an unknown model.
        """
        model = body.get("model", "")
        if not model:
            raise invalid("* CreateCachedContentRequest.cached_content.model: model must be specified.\n")
        if not model.startswith("models/"):
            raise invalid("* CreateCachedContentRequest.model: unexpected model name format\n")
        found = find(model.removeprefix("models/"))
        if found is None or "createCachedContent" not in found.family.methods:
            raise model_not_found(model.removeprefix("models/"), "v1beta", "createCachedContent")
        if len(body.get("displayName", "")) > _NAME_LENGTH:
            raise invalid("* CreateCachedContentRequest.cached_content.display_name: at most 128 characters.\n")
        tokens = _count(body)
        if tokens < LEAST_TOKENS:
            raise invalid(
                f"Cached content is too small. total_token_count={tokens}, min_total_token_count={LEAST_TOKENS}"
            )
        self._made += 1
        seed = orjson.dumps([self._made, body], option=orjson.OPT_SORT_KEYS)
        digits = hashlib.sha256(seed).hexdigest()[:_ID_LENGTH]
        name = f"cachedContents/{place}{int(digits[:15], 16)}" if place else f"cachedContents/{digits}"
        now = self._now()
        cache = Cache(name, body, now, now, self._expiry(body, now), tokens)
        self._caches[name] = cache
        return cache

    def _expiry(self, body: dict[str, Any], now: datetime) -> datetime:
        if "expireTime" in body:
            return _parsed(body["expireTime"])
        if "ttl" in body:
            return now + timedelta(seconds=float(body["ttl"].removesuffix("s")))
        return now + DEFAULT_TTL

    def get(self, name: str) -> Cache:
        """The live cache of that name.

        Raises:
            ApiError: 403, unknown or expired: Google does not distinguish the two.
        """
        cache = self._caches.get(name)
        if cache is None or cache.expires <= self._now():
            raise cache_not_found()
        return cache

    def patch(self, name: str, body: dict[str, object]) -> Cache:
        """Move the expiry of a cache.

        Raises:
            ApiError: 403 unknown, 400 for anything but `ttl` and `expireTime`.
        """
        cache = self.get(name)
        if set(body) - {"ttl", "expireTime", "name", "model"}:
            raise invalid("Only the expiration of a CachedContent (ttl or expire_time) can be updated.")
        cache.updated = self._now()
        cache.expires = self._expiry(body, cache.updated)
        return cache

    def delete(self, name: str) -> None:
        """Remove a cache.

        Raises:
            ApiError: 403, unknown or expired.
        """
        self.get(name)
        del self._caches[name]

    def page(self, size: int, token: str) -> dict[str, object]:
        """A page of live caches, the newest first, with `nextPageToken` if there are more."""
        alive = [cache for cache in self.alive("cachedContents/") if "." not in cache.name]
        return paged("cachedContents", [cache.resource() for cache in alive], size, token)

    def alive(self, prefix: str) -> list[Cache]:
        """Live caches whose names begin so, the newest first; those of Vertex AI have dots in theirs."""
        now = self._now()
        return [
            cache for cache in reversed(self._caches.values()) if cache.expires > now and cache.name.startswith(prefix)
        ]

    def put(self, name: str, body: dict[str, object]) -> None:
        """Place a cache under a name of the caller's choice, for tests."""
        now = self._now()
        self._caches[name] = Cache(name, body, now, now, now + DEFAULT_TTL, _count(body))

    def for_request(self, name: str, model: str, body: dict[str, object]) -> Cache:
        """The cache that a generate request names.

        Raises:
            ApiError: 403 unknown, 400 if the request repeats what the cache holds or is for another model.
        """
        cache = self.get(name)
        if any(body.get(key) for key in ("systemInstruction", "tools", "toolConfig")):
            raise invalid(
                "CachedContent can not be used with GenerateContent request setting system_instruction, tools or "
                "tool_config.\n\nProposed fix: move those values to CachedContent from GenerateContent request."
            )
        if cache.body["model"] != f"models/{model}":
            raise invalid(
                f"Model used by GenerateContent request (models/{model}) and CachedContent ({cache.body['model']}) has "
                "to be the same."
            )
        return cache


def _count(body: dict[str, object]) -> int:
    return prompt_tokens(body).total()


def paged(
    key: str,
    resources: list[dict[str, object]],
    size: int,
    token: str,
    *,
    default: int = DEFAULT_PAGE,
    maximum: int = MAX_PAGE,
) -> dict[str, object]:
    """A page of resources under `key`; the token is the place where the next page begins.

    `size` 0 means `default`; more than `maximum` is taken as `maximum`.

    Raises:
        ApiError: 400, a token that no page gave out.
    """
    if (token and not token.isascii()) or (token and not token.isdigit()):
        raise GoogleApiError(400, "Invalid page token.")
    start = int(token or 0)
    end = start + (min(size, maximum) if size > 0 else default)
    page: dict[str, object] = {key: resources[start:end]} if resources[start:end] else {}
    return page | ({"nextPageToken": str(end)} if end < len(resources) else {})
