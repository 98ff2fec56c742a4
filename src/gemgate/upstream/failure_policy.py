"""What a failure says about the key, the model and the call."""

from gemgate.gemini.errors import Failure, GeminiError, TransportError
from gemgate.upstream.cooldowns import CooldownReason
from gemgate.upstream.errors import NoUsableKeyError
from gemgate.upstream.targets import Target

_SERVER_FAULTS = frozenset({500, 502, 503, 504})
_NOT_SENT = frozenset({Failure.CONNECT_FAILED, Failure.CONNECT_TIMEOUT})
_BROKEN_OFF = _NOT_SENT | {Failure.CONNECTION_LOST, Failure.ANSWER_CUT}
_TOO_SLOW = frozenset({Failure.FIRST_BYTE_TIMEOUT, Failure.EVENT_TIMEOUT})


def cooldown_for(error: GeminiError, target: Target) -> CooldownReason | None:
    """What is to cool down because of `error`; None when neither key nor model is at fault.

    A caller must not be able to put a key out of use: a bad request never counts, nor does a file or a cache that is
    not theirs. A 401 or a 403 counts for the key only if Google's code or its own sentence says so
    (`GeminiError.meaning`); else for the model that was asked for, and for the caller (`KeyPool.cool_down`).

    Args:
        error: How the call failed.
        target: What was asked for.
    """
    if error.is_invalid_key:
        return CooldownReason.KEY_REFUSED
    if error.status == 429:
        return CooldownReason.QUOTA if error.is_daily_quota or error.lacks_quota else CooldownReason.RATE_LIMIT
    if error.status in (401, 403):
        return _forbidden(error, target.model)
    return CooldownReason.BROKEN if is_fault(error) else None


def _forbidden(error: GeminiError, model: str) -> CooldownReason | None:
    meaning = error.meaning
    if meaning.is_foreign or meaning.is_location:
        return None
    if meaning.is_refused_method:
        return CooldownReason.REFUSED
    if meaning.is_refused_key and (model or error.status == 403):
        return CooldownReason.KEY_REFUSED
    return CooldownReason.REFUSED if model else None


def is_fault(error: GeminiError) -> bool:
    """Whether Google, or the way to it, has failed; a request that took longer than it may is not counted."""
    if isinstance(error, TransportError):
        return error.failure in _BROKEN_OFF or error.failure in _TOO_SLOW
    return error.status in _SERVER_FAULTS


def is_foreign(error: GeminiError) -> bool:
    """Whether a file or a cache does not exist for this key: it may for another."""
    return error.meaning.is_foreign


def may_repeat(error: GeminiError, *, is_repeatable: bool) -> bool:
    """Whether the same call may be made again, a little later.

    Args:
        error: How it failed.
        is_repeatable: Whether making it twice does no harm; if it does, only what was surely not done is repeated.
    """
    if isinstance(error, TransportError):
        return error.failure in (_BROKEN_OFF if is_repeatable else _NOT_SENT)
    return error.status == 429 or (is_repeatable and error.status in _SERVER_FAULTS)


def lets_fall_back(error: GeminiError) -> bool:
    """Whether another model may answer what this one could not."""
    if isinstance(error, NoUsableKeyError):
        return False
    return error.status == 429 or is_fault(error) or error.is_missing_model
