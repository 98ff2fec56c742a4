"""Keeps web pages away from a gateway that asks for no key: it serves everybody who reaches it, and a browser does.

A page may send requests to a loopback address without asking (cross-site request forgery), and read the answers once
its own name leads there (DNS rebinding). The browser says both: in `Origin` and `Sec-Fetch-Site`, and in `Host`.
Source: https://www.w3.org/TR/fetch-metadata/.
"""

import ipaddress
from collections.abc import Awaitable, Mapping
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from gemgate.errors import ApiError
from gemgate.settings import LOOPBACK_HOSTS, UNIX, Settings
from gemgate.web.error_handlers import answer

ANY = "*"

LINKS = "/v1/images/content/"
"""What the addresses of images begin with: they are secrets themselves, and pages may show what they lead to."""

_PROBES = frozenset({"/healthz", "/readyz"})
OURS = frozenset({"same-origin", "none"})
"""What `Sec-Fetch-Site` says of a request that no other site has caused."""

SHOWN = 100


def guards_pages(settings: Settings) -> bool:
    """Whether requests of web pages have to be looked at: where no key is asked for, or hosts are named."""
    return settings.needs_no_key or bool(settings.allowed_hosts)


class PageGuard:
    """Refuses, with a 403, a request for another host's name and one that a page of another origin sends.

    A link from another site may open a page in the browser's own window: that alone sends nothing, and reads nothing.

    Args:
        app: What is guarded.
        settings: Names the hosts, and the origins that may call.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._origins = {origin.lower() for origin in settings.cors_origins}
        if settings.public_url:
            public = urlsplit(settings.public_url.lower())
            self._origins.add(f"{public.scheme}://{public.netloc}")
        self._takes_any_host = ANY in settings.allowed_hosts
        self._hosts = _names(settings)
        self._takes_any_address = bool({"0.0.0.0", "::"} & set(settings.hosts))  # noqa: S104  compared, not bound

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """One request; no coroutine of its own, because it does nothing afterwards."""
        if scope["type"] == "http" and not _is_open(scope["path"]) and (error := self._error(scope)) is not None:
            return answer(error)(scope, receive, send)
        return self._app(scope, receive, send)

    def _error(self, scope: Scope) -> ApiError | None:
        server = scope.get("server")
        if server is not None and server[1] is None:
            return None  # no browser speaks over a Unix domain socket
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host")
        if host is not None and not self._is_ours(name_of(host)):
            return _foreign_host(host)
        origin = headers.get(b"origin")
        if ANY in self._origins or (origin is not None and origin.lower() in self._origins):
            return None
        if origin is not None and not is_same(origin, host):
            return _foreign_page(f"the origin {origin[:SHOWN]!r}")
        site = headers.get(b"sec-fetch-site", "none")
        if site.lower() not in OURS and not is_navigation(scope["method"], headers):
            return _foreign_page("another site")
        return None

    def _is_ours(self, name: str) -> bool:
        if self._takes_any_host or name in self._hosts or name.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or self._takes_any_address


def _is_open(path: str) -> bool:
    return path in _PROBES or path.startswith(LINKS)


def _names(settings: Settings) -> frozenset[str]:
    """The names of the gateway: of the loopback, where it listens, and what the operator says."""
    named = [*LOOPBACK_HOSTS, *(host for host in settings.hosts if not host.startswith(UNIX)), *settings.allowed_hosts]
    if settings.public_url:
        named.append(urlsplit(settings.public_url).netloc)
    return frozenset(map(name_of, named))


def name_of(host: str) -> str:
    """A host without its port, its brackets, and the dot at its end: `[::1]:8080` is `::1`."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    if host.count(":") == 1:
        host = host.partition(":")[0]
    return host.removesuffix(".")


def is_same(origin: str, host: str | None) -> bool:
    """Whether a page of `origin` was served under `host`, whatever scheme a proxy has made of it."""
    scheme, separator, authority = origin.lower().partition("://")
    if host is None or not separator:
        return False
    port = {"http": ":80", "https": ":443"}.get(scheme, "")
    return authority.removesuffix(port) == host.strip().lower().removesuffix(port)


def is_navigation(method: str, headers: Mapping[bytes, str]) -> bool:
    """Whether a browser opens it in a window of its own, which sends nothing and lets nobody read it."""
    return (
        method in ("GET", "HEAD")
        and headers.get(b"sec-fetch-mode") == "navigate"
        and headers.get(b"sec-fetch-dest") == "document"
    )


def _foreign_host(host: str) -> ApiError:
    msg = (
        f"The Host {host[:SHOWN]!r} is no name of this gateway's, which asks for no key and so answers to its own "
        "names alone. If callers reach it by this one, its operator adds it to GEMGATE_ALLOWED_HOSTS."
    )
    return ApiError(403, msg, code="host_not_allowed")


def _foreign_page(whose: str) -> ApiError:
    msg = (
        f"A web page of {whose} may not call this gateway, which asks for no key. If it shall, the gateway's operator "
        "adds its origin to GEMGATE_CORS_ORIGINS."
    )
    return ApiError(403, msg, code="origin_not_allowed")
