"""How long one line of a batch may take."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from gemgate.errors import ApiError

LINE_SECONDS = 10.0
"""CPU time of one line; the largest that the limits of a request allow take a second or two."""

_HAS_TIMER = hasattr(signal, "setitimer")


@contextmanager
def line_limit(seconds: float = LINE_SECONDS) -> Iterator[None]:
    """Break off the block once it has used so much CPU time, where the system can (POSIX, in the main thread).

    Raises:
        ApiError: 400, it took longer.
    """
    if not _HAS_TIMER or threading.current_thread() is not threading.main_thread():
        yield
        return
    is_over = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        if not is_over:
            msg = f"The line took more than {seconds:g} seconds of computing, which no request may. Simplify it."
            raise ApiError(400, msg, code="request_too_complex")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        is_over = True
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
