"""What is printed in threads is collected whole, however often it is looked at."""

import sys
import threading

import pytest
from _pytest.capture import CaptureIO


def test_nobody_prints_while_what_was_printed_is_collected(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = threading.Thread(target=lambda: sys.stdout.write("of a thread\n"))
    value = CaptureIO.getvalue
    waited: list[bool] = []

    def slow(self: CaptureIO) -> str:
        if not waited:
            writer.start()
            writer.join(0.1)
            waited.append(writer.is_alive())
        return value(self)

    sys.stdout.write("before\n")
    monkeypatch.setattr(CaptureIO, "getvalue", slow)
    assert capsys.readouterr().out == "before\n"
    writer.join()
    assert waited == [True]
    assert capsys.readouterr().out == "of a thread\n"
