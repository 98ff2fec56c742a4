"""Addresses and end users in the log, as hashes that only this gateway's operator could compare."""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable

_DIGITS = 16
_MAX = 4096
_PURPOSE = b"gemgate log: "


class IdentifierHash:
    """Turns an identifier into 16 hex digits, the same ones each time and in each replica with the same secret.

    A plain hash of an address could be looked up in a table of all addresses.

    Args:
        secret: Gives the secret, once it is needed.
    """

    def __init__(self, secret: Callable[[], str]) -> None:
        self._secret = secret
        self._key = b""
        self._known: OrderedDict[str, str] = OrderedDict()

    def __call__(self, text: str) -> str:
        """The hash of `text`."""
        found = self._known.get(text)
        if found is None:
            self._key = self._key or self._secret().encode()
            found = hmac.new(self._key, _PURPOSE + text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[
                :_DIGITS
            ]
            self._known[text] = found
            if len(self._known) > _MAX:
                self._known.popitem(last=False)
        return found
