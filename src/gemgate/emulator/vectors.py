"""Makes embeddings without a model: the same input gives the same vector, and similar texts give near vectors.

A text is counted by its words, pairs of words and pieces of words, each hashed into one of `BUCKETS` directions; the
vector is their weighted sum. All lanes of a direction are side by side in one large integer, so that the sum is a few
additions of integers and no loop over numbers.
"""

import hashlib
import math
import re
import struct
import zlib
from collections import Counter
from functools import lru_cache
from itertools import pairwise
from operator import mul

LANES = 3072
BUCKETS = 2048
_LANE_BYTES = 2
_LEVELS = 15
_MASK = int.from_bytes(bytes([_LEVELS, 0]) * LANES, "little")
# The lanes of a sum must stay below 2**16: a weight of 1 adds at most 15 to each.
_MAX_WEIGHT = 65535 // _LEVELS
_SCALED_WEIGHT = _MAX_WEIGHT - BUCKETS
_DECIMALS = 10**9
# Recorded vectors of gemini-embedding-001 have lengths of about 0.588 at 768 lanes and 0.389 at 256: the length of the
# first n lanes is (n / 3072) ** 0.383.
_POWER = 0.766
_ENVELOPE = [math.sqrt(((lane + 1) / LANES) ** _POWER - (lane / LANES) ** _POWER) for lane in range(LANES)]
_WORD = re.compile(r"\w+")
_PIECE = 3
_PIECE_BEYOND_ASCII = 2
_LONG_WORD = 8
_PAIR_WEIGHT = 3
_PIECE_WEIGHT = 2
_EXACT_WEIGHT = 2
_MEDIA_WEIGHT = 12


def text_features(text: str) -> Counter[int]:
    """Directions of a text with their weights. Case hardly counts, long words more than short ones."""
    words = _WORD.findall(text.casefold())
    found: Counter[int] = Counter({_bucket(f"={text}"): _EXACT_WEIGHT})
    for word, times in Counter(words).items():
        for bucket, weight in _word_features(word):
            found[bucket] += weight * times
    for first, second in pairwise(words):
        found[_bucket(f"{first} {second}")] += _PAIR_WEIGHT
    return found


def media_features(kind: str, data: bytes) -> Counter[int]:
    """Directions of a file: one for its MIME type, one for its bytes."""
    digest = hashlib.sha256(data).hexdigest()
    return Counter({_bucket(f"kind {kind}"): _MEDIA_WEIGHT // 2, _bucket(f"bytes {digest}"): _MEDIA_WEIGHT})


def setting_features(setting: str) -> Counter[int]:
    """A direction for what else decides the vector, such as a task type."""
    return Counter({_bucket(f"setting {setting}"): _EXACT_WEIGHT})


def vector(features: Counter[int], size: int, *, unit: bool) -> list[float]:
    """The first `size` of 3072 numbers with nine decimals; all 3072 have length 1, fewer only with `unit`."""
    total = features.total()
    weights = dict(features)
    if total > _MAX_WEIGHT:
        weights = {bucket: 1 + weight * _SCALED_WEIGHT // total for bucket, weight in features.items()}
    packed = sum(weight * _direction(bucket) for bucket, weight in weights.items())
    middle = _LEVELS * sum(weights.values())
    lanes = struct.unpack(f"<{LANES}H", packed.to_bytes(_LANE_BYTES * LANES, "little"))
    shaped = [(2 * lane - middle) * height for lane, height in zip(lanes, _ENVELOPE, strict=True)]
    measured = shaped[:size] if unit else shaped
    factor = _DECIMALS / math.sqrt(sum(map(mul, measured, measured)))
    return [int(number * factor) / _DECIMALS for number in shaped[:size]]


def _bucket(feature: str) -> int:
    return zlib.crc32(feature.encode("utf-8", "surrogatepass")) % BUCKETS


@lru_cache(maxsize=4096)
def _word_features(word: str) -> tuple[tuple[int, int], ...]:
    padded = f"<{word}>"
    size = _PIECE if word.isascii() else _PIECE_BEYOND_ASCII
    pieces = [(_bucket(padded[start : start + size]), _PIECE_WEIGHT) for start in range(len(padded) - size + 1)]
    return (_bucket(word), min(len(word), _LONG_WORD)), *pieces


@lru_cache(maxsize=BUCKETS)
def _direction(bucket: int) -> int:
    """Pseudo-random numbers from 0 to 15, one for each lane of two bytes."""
    return int.from_bytes(hashlib.shake_128(b"%d" % bucket).digest(_LANE_BYTES * LANES), "little") & _MASK
