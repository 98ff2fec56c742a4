"""A Redis that Sentinels watch: they say which server is the master now."""

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from redis.asyncio import Redis

SCHEMES = ("redis+sentinel", "rediss+sentinel")
_PORT = 26379
_FORM = "redis+sentinel://:password@host:26379,host:26379/name-of-the-master/0"


def is_sentinel(url: str) -> bool:
    """Whether a URL names Sentinels."""
    return url.partition("://")[0] in SCHEMES


def sentinel_client(url: str, options: dict[str, Any]) -> "tuple[Redis, list[Redis]]":
    """The master and the Sentinels that know it, all to be closed.

    The form is `redis+sentinel://user:password@host:port,host:port/name/db`.

    Args:
        url: With the credentials of the master; `rediss+sentinel` is TLS to both.
        options: Of connections.

    Raises:
        ValueError: the URL has another form.
    """
    from redis.asyncio.sentinel import Sentinel

    hosts, name, more = _parsed(url)
    kind: Any = Sentinel  # redis-py gives it no types
    sentinel = kind(hosts, sentinel_kwargs=_of_sentinels(options, more), **options, **more)
    return sentinel.master_for(name), list(sentinel.sentinels)


def _of_sentinels(options: dict[str, object], more: dict[str, object]) -> dict[str, object]:
    return {**options, **({"ssl": True} if "ssl" in more else {})}


def _parsed(url: str) -> tuple[list[tuple[str, int]], str, dict[str, object]]:
    scheme, _, rest = url.partition("://")
    place, _, path = rest.partition("/")
    credentials, _, addresses = place.rpartition("@")
    name, _, database = path.partition("/")
    if not addresses or not name or (database and not database.isdecimal()):
        raise ValueError(f"Sentinels are written as {_FORM}")
    user, _, password = credentials.partition(":")
    more: dict[str, object] = {"db": int(database or 0)}
    if user:
        more["username"] = unquote(user)
    if password:
        more["password"] = unquote(password)
    if scheme.startswith("rediss"):
        more["ssl"] = True
    return [_address(address) for address in addresses.split(",")], unquote(name), more


def _address(text: str) -> tuple[str, int]:
    found = urlsplit(f"//{text}")
    if not found.hostname:
        raise ValueError(f"Sentinels are written as {_FORM}")
    return found.hostname, found.port or _PORT
