"""Thought signatures: opaque to clients, checkable by the emulator.

Each of ours is a mark, 24 bytes of hash and a checksum, so that one that a client changed, cut or joined to another is
found out. Signatures without the mark, such as recorded ones of Google's, are taken as they are.
"""

import base64
import hashlib

from gemgate.emulator.validation import decode_base64

_MARK = b"\x12\x2bGEMU"
_HASH = 24
_CHECK = 6
_LENGTH = len(_MARK) + _HASH + _CHECK

# https://ai.google.dev/gemini-api/docs/thought-signatures: what to send when there is none.
SENTINELS = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")


def make(seed: str) -> str:
    """The signature of `seed`: 48 characters of base64, always the same."""
    body = _MARK + hashlib.sha256(seed.encode()).digest()[:_HASH]
    return base64.b64encode(body + hashlib.sha256(body).digest()[:_CHECK]).decode()


def is_acceptable(signature: str) -> bool:
    """Whether a signature that came back is one of ours, a sentinel, or somebody else's."""
    raw = decode_base64(signature)
    if not raw.startswith(_MARK):
        return True
    body, checksum = raw[: _LENGTH - _CHECK], raw[_LENGTH - _CHECK :]
    return len(raw) == _LENGTH and hashlib.sha256(body).digest()[:_CHECK] == checksum
