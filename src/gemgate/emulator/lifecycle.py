"""Which names Google still serves on a day, and which of them answer as another model.

Sources: https://ai.google.dev/gemini-api/docs/deprecations, and for December 2026 what was read of it in November.
Without a day the emulator serves every name it knows, each as itself, so that recordings of all years can be replayed.
"""

from datetime import date
from fnmatch import fnmatchcase

_RETIRED: tuple[tuple[str, str], ...] = (
    ("gemini-1.5-*", "2025-09-24"),
    ("imagen-3*", "2025-11-10"),
    ("text-embedding-004", "2026-01-14"),
    ("gemini-3-pro-preview", "2026-03-09"),
    ("gemini-2.0-*", "2026-06-01"),
    ("imagen-4*", "2026-08-17"),
    ("veo-3.1-*", "2026-10-22"),
    ("gemini-embedding-2-preview", "2026-11-06"),
    ("gemini-2.5-*-preview-tts", "2026-12-18"),
    ("gemini-3.1-flash-tts-preview", "2026-12-18"),
)

_REROUTED: dict[str, tuple[str, str]] = {
    "gemini-2.5-pro": ("gemini-3.8-flash", "2026-12-01"),
    "gemini-2.5-flash": ("gemini-3.5-flash-lite", "2026-12-01"),
}


def is_retired(name: str, day: str) -> bool:
    """Whether Google refuses the name on `day`; never without a day."""
    return bool(day) and any(end <= day and fnmatchcase(name, pattern) for pattern, end in _RETIRED)


def answering(name: str, day: str) -> str:
    """The model that answers to the name on `day`."""
    successor, since = _REROUTED.get(name, (name, ""))
    return successor if day and since <= day else name


def checked_day(text: str) -> str:
    """`text` as a day such as `2026-12-01`; empty stays empty.

    Raises:
        ValueError: it is not a day.
    """
    return date.fromisoformat(text).isoformat() if text else ""
