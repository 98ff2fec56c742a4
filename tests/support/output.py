"""What tests and the servers in their threads print."""

from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any

from _pytest.capture import CaptureIO, EncodedFile, FDCapture, FDCaptureBinary, SysCapture, SysCaptureBinary

_one_at_a_time = RLock()


def install() -> None:
    """From here on, pytest collects what was printed while no thread prints.

    Python's text files are not for several threads. A server that wrote to its log in the moment in which pytest read
    and emptied the file of the output was seen to end the interpreter (CPython 3.11.7, a segmentation fault).
    """
    for written in (EncodedFile, CaptureIO):
        for name in ("write", "writelines", "flush", "read", "seek", "truncate"):
            setattr(written, name, _guarded(getattr(written, name)))
    for collected in (FDCapture, FDCaptureBinary, SysCapture, SysCaptureBinary):
        collected.snap = _guarded(collected.snap)  # type: ignore[method-assign]


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def guarded(*arguments: Any, **options: Any) -> Any:
        with _one_at_a_time:
            return method(*arguments, **options)

    return guarded
