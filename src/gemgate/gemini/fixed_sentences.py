"""Sentences of Google's that decide about keys, models and quotas. Each must be a whole one.

An error may repeat what a caller has written: the name of a field, of a file, of a model. So nothing here is searched
for: a text, or a line or sentence of it, either is Google's sentence from its first letter to its last, or means
nothing. The placeholder of a name (`_WORD`, `_QUOTED`) has no blank, or no quote, so that it holds no sentence.
"""

import re
from collections.abc import Iterable

_WORD = r"\S{1,300}+"
_QUOTED = r"'[^'\n]{1,300}+'"
_SEE = rf"(?: See {_WORD})?"


def _any_of(*sentences: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{sentence})" for sentence in sentences), re.IGNORECASE)


_INVALID_KEY = _any_of(
    r"API key (?:not valid|not found|expired)\.(?: Please (?:pass a valid|renew the) API key\.)?",
)
_REFUSED_KEY = _any_of(
    r"Your API key was reported as leaked\.(?: Please use another API key\.)?",
    r"Method doesn't allow unregistered callers \(callers without established identity\)\. "
    r"Please use API Key or other form of API consumer identity to call this API\.",
    rf"(?:Permission denied: )?Consumer {_QUOTED} has been suspended\.",
    r"(?:Your|The) project has been (?:denied access|suspended|blocked|disabled)\.(?: Please contact support\.)?",
    rf"[\w -]{{1,60}}API has not been used in project {_WORD} before or it is disabled\."
    rf"(?: Enable it by visiting {_WORD} then retry\."
    r"(?: If you enabled this API recently, wait a few minutes for the action to propagate to our systems and"
    r" retry\.)?)?",
    rf"The provided API key has an IP address restriction\. The originating IP address of the call \({_WORD}\) violates"
    r" this restriction\.",
    rf"Requests from (?:referer|this \w{{1,20}} client application) {_WORD} are blocked\.",
    r"Request had invalid authentication credentials\.(?: Expected OAuth 2 access token, login cookie or other valid"
    rf" authentication credential\.{_SEE})?",
)
_REFUSED_METHOD = _any_of(rf"Requests to this API {_WORD} method {_WORD} are blocked\.")
_LOCATION = _any_of(
    r"User location is not supported for the API use(?: without a billing account linked)?\.",
    r"(?:This model|The Gemini API|Gemini API) is not available in your (?:country|region)\.",
)
_FOREIGN = _any_of(
    rf"You do not have permission to access the \w{{1,40}}(?: {_WORD})? or it may not exist\.",
    rf"Permission (?!'aiplatform\.endpoints\.predict'){_QUOTED} denied on resource {_QUOTED} \(or it may not exist\)\.",
    r"Cached ?Content not found \(or permission denied\)\.?",
)
# Of a 429; sentences of plain words, in which no name stands.
_NO_QUOTA = _any_of(
    rf"(?:\* )?Quota exceeded for metric: {_WORD} limit: 0(?:, model: {_WORD})?\.?",
    r"Your (?:prepayment|prepaid) (?:credits|balance) (?:are|is|have been|has been) (?:depleted|exhausted)\.?",
    r"Your credits (?:are|have been) depleted\.?",
    r"Billing (?:is |account is )?(?:not enabled|disabled|not active)(?: for this project)?\.?",
    r"(?:Please )?enable billing(?: (?:on|for) (?:your|this) project)?\.?",
    r"Your project has (?:exceeded|reached) its (?:monthly )?spend(?:ing)? (?:cap|limit)\.?",
)

# Of https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto
_KEY_REASONS = re.compile(
    r"API_KEY_\w+|SERVICE_DISABLED|SERVICE_NOT_ACTIVATED|BILLING_DISABLED|CONSUMER_\w+|USER_PROJECT_DENIED"
    r"|USER_BLOCKED_BY_ADMIN|ACCOUNT_STATE_INVALID|ACCESS_TOKEN_\w+"
)


def says_invalid_key(text: str) -> bool:
    """Whether Google says that it does not know the key."""
    return _INVALID_KEY.fullmatch(text) is not None


def says_refused_key(text: str) -> bool:
    """Whether Google says that it lets this key, or its project, do nothing."""
    return _REFUSED_KEY.fullmatch(text) is not None or says_invalid_key(text)


def says_refused_method(text: str) -> bool:
    """Whether Google says that it does not let this key use this method."""
    return _REFUSED_METHOD.fullmatch(text) is not None


def is_reason_of_method(reason: str) -> bool:
    """Whether an `ErrorInfo.reason` says that the key is limited to other methods."""
    return reason == "API_KEY_SERVICE_BLOCKED"


def is_reason_of_key(reason: str) -> bool:
    """Whether an `ErrorInfo.reason` speaks of the key, or of the project that it belongs to."""
    return _KEY_REASONS.fullmatch(reason) is not None


def says_location(text: str) -> bool:
    """Whether Google does not serve the place that the request comes from."""
    return _LOCATION.fullmatch(text) is not None


def says_foreign(text: str) -> bool:
    """Whether a file or a cache belongs to another project, or to nobody."""
    return _FOREIGN.fullmatch(text) is not None


def says_no_quota(text: str) -> bool:
    """Whether a line or a sentence of a 429 says that waiting does not help."""
    return any(_NO_QUOTA.fullmatch(sentence) for sentence in _sentences(text))


def _sentences(text: str) -> Iterable[str]:
    for line in text.split("\n"):
        yield line.strip()
        for sentence in line.split(". "):
            yield sentence.strip()
