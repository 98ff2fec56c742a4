"""The time between SIGTERM and the end of taking requests, in which balancers learn that this process is going."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import structlog

STATE = "drain"
"""The name under which the lifespan hands it to the server."""

_log = structlog.get_logger()


class Drain:
    """Hears SIGTERM before the server does, which gets it `delay` seconds later: the process still serves meanwhile.

    Ctrl-C is left to the server, and a second SIGTERM ends the delay.

    Attributes:
        begun: Whether SIGTERM has come.
    """

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self.begun = False

    @contextmanager
    def handle_sigterm(self) -> Iterator[None]:
        """For the length of the block, which is entered in the server's loop.

        Outside of the main thread signals cannot be handled: there the server alone decides.
        """
        servers = signal.getsignal(signal.SIGTERM)
        if servers is None or threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()

        def hear(_number: int, _frame: FrameType | None) -> None:
            if self.begun or not self._delay:
                self.begun = True
                hand_on()
            else:
                self.begun = True
                loop.call_soon_threadsafe(wait)

        def wait() -> None:
            _log.info("SIGTERM: not ready any more, but serving during the shutdown delay", seconds=self._delay)
            loop.call_later(self._delay, hand_on)

        def hand_on() -> None:
            if signal.getsignal(signal.SIGTERM) is hear:
                signal.signal(signal.SIGTERM, servers)
                signal.raise_signal(signal.SIGTERM)

        signal.signal(signal.SIGTERM, hear)
        try:
            yield
        finally:
            if signal.getsignal(signal.SIGTERM) is hear:
                signal.signal(signal.SIGTERM, servers)
