"""Callers' Gemini keys for the time that the gateway works at their batches: encrypted, and gone with the batch.

A gateway that holds GEMINI_API_KEY stores no key at all, only which one of several a batch was made with: a job belongs
to the Google project of its key.
"""

from collections.abc import Callable, Sequence

from gemgate.encryption import Encryptor
from gemgate.upstream.key_pool import key_digest

_HELD = b"held:"
_PURPOSE = b"gemgate batches: callers' keys"


class KeyVault:
    """Turns a Gemini key into what may be stored, and back.

    Args:
        held: The gateway's keys, or what gives those of the moment; empty when callers bring their own.
        secret_keys: What to encrypt with, the first of them, and what to decrypt with, all of them.
    """

    def __init__(self, held: Sequence[str] | Callable[[], Sequence[str]], secret_keys: Sequence[str]) -> None:
        self._held = held if callable(held) else lambda: held
        self._encryptor = Encryptor(secret_keys, _PURPOSE) if secret_keys else None

    def encrypt(self, key: str) -> bytes:
        """What may be stored.

        Raises:
            ValueError: it is not a held key, and a secret to encrypt it with is missing.
        """
        if key in self._held():
            return _HELD + _digest(key)
        if self._encryptor is None:
            msg = "a caller's key cannot be kept without a secret"
            raise ValueError(msg)
        return self._encryptor.encrypt(key.encode())

    def open(self, sealed: bytes | None) -> str | None:
        """The key; None when it cannot be read, because the secret has changed or is missing.

        A held key that was replaced since is answered with the first one there is.
        """
        if sealed is None:
            return None
        if sealed.startswith(_HELD):
            digest = sealed.removeprefix(_HELD)
            held = self._held()
            return next((key for key in held if _digest(key) == digest), held[0] if held else None)
        opened = self._encryptor.decrypt(sealed) if self._encryptor else None
        return None if opened is None else opened.decode()


def _digest(key: str) -> bytes:
    return key_digest(key)[:16].encode()
