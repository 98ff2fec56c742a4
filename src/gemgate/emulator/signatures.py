"""Thought signatures: opaque to clients, checkable by the emulator.

Each of ours is a mark, 24 bytes of hash and a checksum, so that one that a client changed, cut or joined to another is
found out. Signatures without the mark, such as recorded ones of Google's, are taken as they are.
"""

import base64
import hashlib

from gemgate.emulator.validation import decode_base64

_MARK = b"\x12\x2bGEMU"
_VERTEX_MARK = b"\x12\x2bVEMU"
_HASH = 24
_CHECK = 6
_LENGTH = len(_MARK) + _HASH + _CHECK

# https://ai.google.dev/gemini-api/docs/thought-signatures: what to send when there is none.
SENTINELS = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")


def make(seed: str) -> str:
    """The signature of `seed`: 48 characters of base64, always the same."""
    return _marked(hashlib.sha256(seed.encode()).digest()[:_HASH], _MARK)


def to_vertex(signature: str) -> str:
    """A signature of ours as Vertex AI would have made it; the Developer API refuses it."""
    return _marked(decode_base64(signature)[len(_MARK) : _LENGTH - _CHECK], _VERTEX_MARK)


def from_vertex(signature: str) -> str | None:
    """The signature that `to_vertex` was given; itself if it is a recorded one or the sentinel, None if it is foreign.

    Raises:
        ValueError: It is not base64.
    """
    if signature in SENTINELS:
        return signature if signature == SENTINELS[0] else None
    raw = decode_base64(signature)
    if raw == SENTINELS[1].encode():
        return None
    if raw.startswith(_VERTEX_MARK):
        body = raw[len(_MARK) : _LENGTH - _CHECK]
        return _marked(body, _MARK) if raw == decode_base64(_marked(body, _VERTEX_MARK)) else None
    return None if raw.startswith(_MARK) else signature


def _marked(digest: bytes, mark: bytes) -> str:
    body = mark + digest
    return base64.b64encode(body + hashlib.sha256(body).digest()[:_CHECK]).decode()


def is_acceptable(signature: str) -> bool:
    """Whether a signature that came back is one of ours, a sentinel, or somebody else's."""
    raw = decode_base64(signature)
    if raw.startswith(_VERTEX_MARK):
        return False
    if not raw.startswith(_MARK):
        return True
    body, checksum = raw[: _LENGTH - _CHECK], raw[_LENGTH - _CHECK :]
    return len(raw) == _LENGTH and hashlib.sha256(body).digest()[:_CHECK] == checksum
