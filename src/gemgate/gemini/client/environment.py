"""What the process's environment says about the way to a server: its proxy, and the certificates to trust."""

import os
import ssl
from functools import lru_cache
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class UnusableEnvironmentError(ValueError):
    """The proxy or the certificates that the environment names; the text is a sentence for the operator."""


def trusted_certificates() -> ssl.SSLContext:
    """Trusts the certificates that `SSL_CERT_FILE` or `SSL_CERT_DIR` names, or certifi's; read once in a process.

    Raises:
        UnusableEnvironmentError: they cannot be read.
    """
    return _certificates(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@lru_cache(maxsize=4)  # 36 ms each, and clients may share one
def _certificates(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        why = error.strerror or error
        msg = f"No certificates can be read where SSL_CERT_FILE or SSL_CERT_DIR says that they are: {why}."
        raise UnusableEnvironmentError(msg) from None


def proxy_for(upstream: str) -> str | None:
    """The proxy that the environment names for `upstream`; None for a direct connection.

    Raises:
        UnusableEnvironmentError: the proxy is of a kind that the transport does not speak.
    """
    parts = urlsplit(upstream)
    if parts.hostname in _LOOPBACK or proxy_bypass(parts.netloc):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if not proxy.startswith(("http://", "https://")):
        scheme = urlsplit(proxy).scheme
        msg = f"The environment's proxy must be an http or https one, not {scheme}: check HTTPS_PROXY and ALL_PROXY."
        raise UnusableEnvironmentError(msg)
    return proxy
