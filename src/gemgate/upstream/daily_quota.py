"""When Google's quotas of a day begin again: at midnight in the Pacific time zone, summer time included.

Source: https://ai.google.dev/gemini-api/docs/rate-limits, on requests per day.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

GRACE = 300.0
"""Seconds after midnight in which a refusal is one of the old day: Google's clock is not ours."""


def quota_reset(now: float) -> float:
    """The end of a per-day quota that is used up at `now`; both in Unix seconds."""
    local = datetime.fromtimestamp(now, UTC).astimezone(_pacific())
    today = _midnight(local)
    return today + GRACE if now - today < GRACE else _midnight(local + timedelta(days=1))


def _midnight(local: datetime) -> float:
    """The beginning of the day of `local`; days of 23 and 25 hours are right because the zone is asked again."""
    return datetime(local.year, local.month, local.day, tzinfo=_pacific()).timestamp()


@cache
def _pacific() -> ZoneInfo:
    return ZoneInfo("America/Los_Angeles")
