"""Width and height from the first bytes of an image."""

import struct

_PNG = b"\x89PNG\r\n\x1a\n"
_START, _SCAN, _END = 0xD8, 0xDA, 0xD9
_NO_FRAME = frozenset({0xC4, 0xC8, 0xCC})
"""Markers in the SOF range that are not start-of-frame: DHT, JPG, DAC."""


def dimensions(head: bytes) -> tuple[int, int] | None:
    """Pixels across and down; None when the bytes are neither a PNG or JPEG, or end too early to say."""
    if head.startswith(_PNG) and head[12:16] == b"IHDR" and len(head) >= 24:
        width, height = struct.unpack(">II", head[16:24])
        return width, height
    return _jpeg(head) if head.startswith(b"\xff\xd8\xff") else None


def _jpeg(head: bytes) -> tuple[int, int] | None:
    """Go from segment to segment up to the frame (ISO/IEC 10918-1, B.1.1.3 and B.2.2)."""
    at = 2
    while at + 9 <= len(head):
        marker = head[at + 1]
        if head[at] != 0xFF or marker in (_START, _SCAN, _END):
            return None
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return None
