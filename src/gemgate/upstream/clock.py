"""A clock that nobody can set: for how long something lasts within this process."""

import time

_STARTED = time.time() - time.monotonic()


def steady_time() -> float:
    """Unix seconds as the process knew them when it started, counted on by the monotonic clock.

    A wall clock that is set back by an hour makes no cool-down an hour longer. A time sent to other processes is
    converted (`shared_state/cooldowns.py`); when Google's day ends is asked of the wall clock.
    """
    return _STARTED + time.monotonic()
