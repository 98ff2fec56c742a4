"""Who may open the console: this machine's own browser, or one that has presented the token.

A token is presented once, in a form. What the browser then keeps is a cookie that no script can read and that no other
site can have sent; whatever acts also needs a value which only a page of the console can know. Nothing is kept about
sessions, so that each worker and replica knows them all: a cookie holds its end, signed with a key made of the token.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from gemgate.errors import ApiError
from gemgate.settings import LOOPBACK_HOSTS, Settings
from gemgate.web.page_guard import OURS, SHOWN, is_navigation, is_same, name_of

COOKIE = "gemgate_console"
CSRF_HEADER = "x-csrf-token"
SESSION_SECONDS = 43_200

FORWARDED = frozenset({b"forwarded", b"via", b"x-real-ip", b"cf-connecting-ip", b"true-client-ip", b"x-client-ip"})
"""Headers that proxies add, beside those that begin with `x-forwarded-`."""


class ConsoleAccess:
    """Decides about each request for the console.

    Args:
        settings: Say whether there is a token, and how the gateway is reached.
        clock: Unix seconds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        token = settings.console_token
        self._token = None if token is None else _digest(token.get_secret_value().encode())
        self._key = _digest(b"gemgate console" + (self._token or b""))
        self._clock = clock
        self._path = f"{settings.root_path}/console"
        self._is_https = urlsplit(settings.public_url or "").scheme == "https"

    @property
    def asks_for_token(self) -> bool:
        """Whether a browser must present one."""
        return self._token is not None

    def check_origin(self, request: Request) -> None:
        """Refuse pages of other sites; and, without a token, whatever may have come over a proxy or a foreign name.

        Raises:
            ApiError: 403.
        """
        headers = dict(request.scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        origin = headers.get(b"origin")
        site = headers.get(b"sec-fetch-site", b"none").decode("latin-1").lower()
        is_foreign = origin is not None and not is_same(origin.decode("latin-1"), host)
        texts = {name: value.decode("latin-1") for name, value in headers.items()}
        if is_foreign or (site not in OURS and not is_navigation(request.method, texts)):
            raise ApiError(403, "A page of another site may not use the console.", code="origin_not_allowed")
        if self._token is None:
            _check_private(request, headers, host)

    def is_open_to(self, request: Request) -> bool:
        """Whether the browser has presented the token, or needs none."""
        return self._token is None or self._is_valid(request.cookies.get(COOKIE, ""))

    def check(self, request: Request) -> None:
        """Refuse a request that may not see what the console shows; and, if it acts, one that no console has sent.

        Raises:
            ApiError: 401 without a session, 403 from elsewhere.
        """
        self.check_origin(request)
        if not self.is_open_to(request):
            raise ApiError(401, "Present GEMGATE_CONSOLE_TOKEN at /console first.", code="console_session_required")
        if request.method not in ("GET", "HEAD"):
            given = request.headers.get(CSRF_HEADER, "")
            if not hmac.compare_digest(given.encode(), self.csrf_token(request).encode()):
                raise ApiError(403, f"{CSRF_HEADER} is missing or wrong: reload the page.", code="csrf_token_invalid")

    def csrf_token(self, request: Request) -> str:
        """What a page of this session sends along when it acts."""
        return self._signed(f"csrf {request.cookies.get(COOKIE, '')}")

    def log_in(self, request: Request, token: str, response: Response) -> bool:
        """Give the browser a session on `response`, if `token` is the right one; says whether it is."""
        if self._token is None or not hmac.compare_digest(_digest(token.encode()), self._token):
            return False
        session = f"{int(self._clock()) + SESSION_SECONDS}.{secrets.token_urlsafe(16)}"
        forwarded = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
        response.set_cookie(
            COOKIE,
            f"{session}.{self._signed(session)}",
            max_age=SESSION_SECONDS,
            path=self._path,
            httponly=True,
            samesite="strict",
            secure=self._is_https or forwarded == "https" or request.url.scheme == "https",
        )
        return True

    def log_out(self, response: Response) -> None:
        """Take the session from the browser."""
        response.delete_cookie(COOKIE, path=self._path, httponly=True, samesite="strict")

    def _is_valid(self, cookie: str) -> bool:
        session, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signed(session).encode()):
            return False
        return int(session.partition(".")[0]) > self._clock()

    def _signed(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), "sha256").hexdigest()


def _check_private(request: Request, headers: Mapping[bytes, bytes], host: str) -> None:
    """Browsers of this machine speak HTTP/1.1, name the loopback, and have nobody to forward for them."""
    is_forwarded = any(name in FORWARDED or name.startswith(b"x-forwarded-") for name in headers)
    if is_forwarded or request.scope.get("http_version") != "1.1":
        msg = "Behind a proxy the console needs a token: set GEMGATE_CONSOLE_TOKEN."
        raise ApiError(403, msg, code="console_token_required")
    if not _is_loopback(name_of(host)):
        msg = f"The console answers to names of the loopback alone, not to {host[:SHOWN]!r}: set GEMGATE_CONSOLE_TOKEN."
        raise ApiError(403, msg, code="host_not_allowed")


def _is_loopback(name: str) -> bool:
    if name in LOOPBACK_HOSTS or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()
