"""google-auth's calls, made as the environment says how servers are reached. Only with google-auth is this imported."""

import os
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

import requests
from google.auth.exceptions import TransportError
from google.auth.transport.requests import Request

from gemgate.gemini.client.environment import UnusableEnvironmentError, proxy_for

CALL_SECONDS = 10.0
"""What one call may wait for a connection, and for each part of its answer."""

_METADATA_HOSTS = frozenset({"metadata.google.internal", "metadata", "fd00:ec2::254"})
_METADATA_VARIABLES = ("GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP")


class AuthTransport(Request):
    """google-auth's calls: by the environment's proxy, but never to a metadata server, and without redirects.

    Trusts the certificates of `SSL_CERT_FILE` or `SSL_CERT_DIR`, as all calls of the gateway do. Reads no `.netrc`.
    """

    def __init__(self) -> None:
        session = requests.Session()
        session.trust_env = False
        session.verify = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR") or True
        super().__init__(session)

    def __call__(  # the names are google-auth's
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = CALL_SECONDS,
        **kwargs: object,
    ) -> object:
        """The answer of `url`.

        Raises:
            TransportError: no answer came.
        """
        try:
            proxy = None if is_metadata_server(url) else proxy_for(url)
        except UnusableEnvironmentError as error:
            raise TransportError(str(error)) from None
        kwargs["proxies"] = {"http": proxy, "https": proxy} if proxy else {}
        kwargs["allow_redirects"] = False
        seconds = min(timeout or CALL_SECONDS, CALL_SECONDS)
        call: Callable[..., object] = super().__call__
        return call(url, method=method, body=body, headers=headers, timeout=seconds, **kwargs)


def is_metadata_server(url: str) -> bool:
    """Whether `url` is of a server that a cloud offers to its machines, which no proxy can reach for them."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if host in _METADATA_HOSTS or parts.netloc in {os.environ.get(name) for name in _METADATA_VARIABLES}:
        return True
    try:
        return ip_address(host).is_link_local
    except ValueError:
        return False
