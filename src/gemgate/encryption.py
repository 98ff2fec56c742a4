"""Encryption under the operator's secrets, for what leaves a process and must come back unread and unchanged."""

import os
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pybase64 import urlsafe_b64decode, urlsafe_b64encode

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

_FILE_NAME = "secret.key"
_SECRET_BYTES = 32


class Encryptor:
    """Encrypts for one purpose: what another purpose sealed does not open.

    Args:
        secret_keys: What to encrypt with, the first of them, and what to decrypt with, all of them; at least one.
        purpose: Names the purpose; it never changes.
    """

    def __init__(self, secret_keys: Sequence[str], purpose: bytes) -> None:
        self._secret_keys = tuple(secret_keys)
        self._purpose = purpose

    @cached_property
    def _fernet(self) -> "MultiFernet":
        """Made when something is sealed or opened, which most gateways are never asked for: the package takes 6 MB."""
        from cryptography.fernet import Fernet, MultiFernet

        return MultiFernet([Fernet(_derived(secret, self._purpose)) for secret in self._secret_keys])

    def encrypt(self, data: bytes) -> bytes:
        """Text that is safe in a URL."""
        return self._fernet.encrypt(data)

    def decrypt(self, sealed: bytes, lifetime: int | None = None) -> bytes | None:
        """The data; None when it was sealed with another secret, for another purpose, or too long ago (seconds).

        The clock of the process that sealed it may be ahead by as much as the lifetime.
        """
        from cryptography.fernet import InvalidToken

        try:
            data = self._fernet.decrypt(sealed)  # given a lifetime, it would refuse a clock that is 60 s ahead
        except InvalidToken:
            return None
        return data if lifetime is None or abs(time.time() - _sealed_at(sealed)) <= lifetime else None


def _sealed_at(sealed: bytes) -> int:
    """Unix seconds, as in a token that was authenticated (https://github.com/fernet/spec: version, then timestamp)."""
    return int.from_bytes(urlsafe_b64decode(sealed[:12])[1:9], "big")


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
    with suppress(OSError):  # another's file, which it lets us read
        path.chmod(0o600)
    return path.read_text().strip()


def _derived(secret: str, purpose: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return urlsafe_b64encode(HKDF(SHA256(), 32, salt=None, info=purpose).derive(secret.encode()))
