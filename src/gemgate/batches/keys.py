"""Callers' Gemini keys for the time that the gateway works at their batches: encrypted, and gone with the batch.

A gateway that holds GEMINI_API_KEY stores no key at all, only which one of several a batch was made with: a job belongs
to the Google project of its key.
"""

import hashlib
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pybase64 import urlsafe_b64encode

_HELD = b"held:"
_INFO = b"gemgate batches: callers' keys"
_FILE_NAME = "secret.key"
_SECRET_BYTES = 32


class KeyVault:
    """Turns a Gemini key into what may be stored, and back.

    Args:
        held: The keys in GEMINI_API_KEY; empty when callers bring their own.
        secret_keys: What to encrypt with, the first of them, and what to decrypt with, all of them.
    """

    def __init__(self, held: Sequence[str], secret_keys: Sequence[str]) -> None:
        self._held = list(held)
        fernets = [Fernet(_derived(secret)) for secret in secret_keys]
        self._fernet = MultiFernet(fernets) if fernets else None

    def seal(self, key: str) -> bytes:
        """What may be stored.

        Raises:
            ValueError: it is not a held key, and there is no secret to encrypt it with.
        """
        if key in self._held:
            return _HELD + _digest(key)
        if self._fernet is None:
            msg = "a caller's key cannot be kept without a secret"
            raise ValueError(msg)
        return self._fernet.encrypt(key.encode())

    def open(self, sealed: bytes | None) -> str | None:
        """The key; None when it cannot be read, because the secret is another one now, or there is none.

        A held key that was replaced since is answered with the first one there is.
        """
        if sealed is None:
            return None
        if sealed.startswith(_HELD):
            digest = sealed.removeprefix(_HELD)
            return next((key for key in self._held if _digest(key) == digest), self._held[0] if self._held else None)
        if self._fernet is None:
            return None
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            return None


def secret_of(data_dir: Path) -> str:
    """The random secret in a file of `data_dir`, which is made if it is missing; only its owner may read it."""
    path = data_dir / _FILE_NAME
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        # Written whole before it has its name: two processes that start together agree on one of theirs.
        draft = path.with_name(f"{_FILE_NAME}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(_SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()


def _derived(secret: str) -> bytes:
    return urlsafe_b64encode(HKDF(SHA256(), 32, salt=None, info=_INFO).derive(secret.encode()))


def _digest(key: str) -> bytes:
    return hashlib.sha256(b"gemgate key\0" + key.encode()).hexdigest()[:16].encode()
