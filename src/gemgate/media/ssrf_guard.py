"""What the gateway may connect to when a request names a URL (server-side request forgery, CWE-918).

The rules: https to port 443 (http to port 80 only if allowed), no credentials, and a host of which *every* address is
on the public internet. The connection then goes to the very addresses that were checked, so an answer that changes
between the check and the connection (DNS rebinding) changes nothing.
"""

import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from yarl import URL

from gemgate.media.classify import LONGEST_URL, UNREADABLE
from gemgate.media.errors import MediaError

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host, for a port; raises OSError if it has none."""

INSTEAD = "Send the content itself instead, as data:<MIME type>;base64,<content>."

_LEGAL = re.compile(r"(?:[!#$&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]|%[0-9A-Fa-f]{2})+")
_HOST_NAME = re.compile(r"(?=.{1,254}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})++\.?", re.IGNORECASE)
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*", re.IGNORECASE)
_PORTS = {"https": 443, "http": 80}
_PRIVATE_NAMES = (".localhost", ".local", ".localdomain", ".internal", ".home.arpa")
_METADATA_NAMES = frozenset({"metadata.goog"})

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
# Not for the public, though one or another version of `ipaddress` calls them global: IETF protocol assignments, 6to4
# relays, the host agent of Azure's machines; ORCHID and Teredo; documentation.
_WITHHELD: tuple[IPv4Network | IPv6Network, ...] = tuple(
    ip_network(network) for network in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "2001::/23", "3fff::/20")
)


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules for one gateway.

    Attributes:
        allow_http: Whether http URLs are fetched too.
        permitted: (address, port) pairs that may be reached although they are not public, such as an object store of
            one's own; the address in canonical spelling.
    """

    allow_http: bool = False
    permitted: frozenset[tuple[str, int]] = frozenset()

    def check_url(self, url: URL) -> None:
        """Refuse what the text of `url` already shows to be out of bounds; names are left to `GuardedResolver`.

        Raises:
            MediaError: `forbidden_url`.
        """
        reason = self._objection(url)
        if reason:
            msg = f"{shown(url)} is not fetched: {reason}. {INSTEAD}"
            raise MediaError(msg, "forbidden_url")

    def allows(self, address: str, port: int) -> bool:
        """Whether a connection to this address (not a name) is in bounds."""
        return is_public(address) or (address, port) in self.permitted

    def _objection(self, url: URL) -> str | None:
        if url.scheme != "https" and not (url.scheme == "http" and self.allow_http):
            return f"its scheme must be {'https or http' if self.allow_http else 'https'}"
        if "@" in url.raw_authority:
            return "it holds credentials"
        host, port = url.raw_host or "", url.port or 0
        if port != _PORTS[url.scheme] and port not in {port for _, port in self.permitted}:
            return f"port {port} is out of bounds"
        return self._objection_to_host(host.lower(), port)

    def _objection_to_host(self, host: str, port: int) -> str | None:
        address = _literal(host)
        if address:
            return None if self.allows(address, port) else "its address is not on the public internet"
        name = host.removesuffix(".")
        if _NUMBER.fullmatch(name.rpartition(".")[2]):
            return "its host is an address in an unusual spelling"
        if name == "localhost" or name in _METADATA_NAMES or name.endswith(_PRIVATE_NAMES):
            return "its host is not on the public internet"
        return None if _HOST_NAME.fullmatch(host) else "its host is not a full domain name"


class GuardedResolver:
    """Gives the transport the addresses of a host only if all are in bounds, so that it connects to nothing else."""

    def __init__(self, guard: Guard, resolve: Resolve) -> None:
        self._guard = guard
        self._resolve = resolve

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002  # the signature is the transport's
    ) -> list[tuple[socket.AddressFamily, str]]:
        """The checked addresses of `host`, of any `family`.

        Raises:
            OSError: The name has no address, or even one that is out of bounds. The two are not distinguished: a
                stranger would learn which names there are in the network that the gateway is in.
        """
        addresses = await self._resolve(host, port)
        if not addresses or not all(self._guard.allows(address, port) for address in addresses):
            msg = "no address in bounds"
            raise OSError(msg)
        return [(socket.AF_INET6 if ":" in address else socket.AF_INET, address) for address in addresses]

    async def close(self) -> None:
        """Nothing to close."""


def is_public(address: str) -> bool:
    """Whether `address` is a unicast address of the public internet, also after unwrapping an embedded IPv4 address."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        embedded = _embedded(ip)
        if embedded is not None:
            ip = embedded
        elif ip.scope_id or ip not in _GLOBAL_UNICAST:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _WITHHELD)


def parse(text: str) -> URL:
    """`text` as a URL, byte for byte where its characters allow it (a signature in a query survives).

    Raises:
        MediaError: `invalid_image_url`.
    """
    try:
        url = URL(text, encoded=_LEGAL.fullmatch(text) is not None) if len(text) <= LONGEST_URL else URL()
        valid = bool(url.scheme and url.raw_host and url.port != 0)
    except UNREADABLE:
        valid = False
    if not valid:
        msg = f"The URL cannot be read. Write it as https://<host>/<path>. {INSTEAD}"
        raise MediaError(msg, "invalid_image_url")
    return url


def shown(url: URL) -> str:
    """`url` for a message: without credentials, query and fragment, and not too long."""
    port = f":{url.explicit_port}" if url.explicit_port else ""
    host = f"[{url.raw_host}]" if ":" in (url.raw_host or "") else url.raw_host
    text = f"{url.scheme}://{host}{port}{url.raw_path}"
    return text if len(text) <= 200 else text[:199] + "…"


def _literal(host: str) -> str | None:
    """`host` in canonical spelling if it is an address as the transport takes one without asking the resolver."""
    try:
        return str(ip_address(host))
    except ValueError:
        return None


def _embedded(ip: IPv6Address) -> IPv4Address | None:
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.sixtofour
