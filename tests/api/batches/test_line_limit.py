import signal
import threading
import time

import pytest

from gemgate.api.batches import line_translation
from gemgate.api.batches.input_sessions import TranslateSession
from gemgate.api.batches.line_limit import line_limit
from gemgate.api.batches.line_translation import LineJob
from gemgate.api.batches.worker_process import Setup
from gemgate.errors import ApiError

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="POSIX")


def compute(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_what_computes_for_too_long_is_broken_off() -> None:
    with pytest.raises(ApiError) as caught, line_limit(0.05):
        compute(30)
    assert (caught.value.status, caught.value.code) == (400, "request_too_complex")
    assert "0.05 seconds" in caught.value.message


def test_nothing_is_left_of_a_limit_that_was_kept() -> None:
    before = signal.getsignal(signal.SIGVTALRM)
    with line_limit(0.05):
        pass
    compute(0.2)
    assert signal.getsignal(signal.SIGVTALRM) == before
    assert signal.getitimer(signal.ITIMER_VIRTUAL)[0] == 0


def test_in_another_thread_there_is_no_limit() -> None:
    done: list[bool] = []

    def work() -> None:
        with line_limit(0.01):
            compute(0.1)
        done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


LINE = (
    b'{"custom_id":"%s","method":"POST","url":"/v1/chat/completions","body":{"model":"gemini-2.5-flash","messages":'
    b'[{"role":"user","content":"%s"}]}}\n'
)


def test_a_line_that_takes_too_long_is_refused_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from gemgate.api.batches import input_sessions

    monkeypatch.setattr(input_sessions, "line_limit", lambda: line_limit(0.05))
    prepare = line_translation.prepare

    def slow(body: dict[str, object], *more: object) -> object:
        if "long" in str(body):
            compute(30)
        return prepare(body, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(input_sessions, "prepare", slow)
    session = TranslateSession(LineJob("batch_1", "/v1/chat/completions", 1), Setup({}).translators())
    translated = session.feed(LINE % (b"a", b"x") + LINE % (b"b", b"long") + LINE % (b"c", b"x"))
    native = translated.native
    while translated.has_more:
        translated = session.more()
        native += translated.native
    assert native.count(b"\n") == 2
    assert session.summary().refused == 1
    assert b"request_too_complex" in session.refused()
    session.close()


def test_a_call_ends_with_its_slice_of_time_and_goes_on_with_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    from gemgate.api.batches import input_sessions

    monkeypatch.setattr(input_sessions, "SLICE", -1)
    session = TranslateSession(LineJob("batch_1", "/v1/chat/completions", 1), Setup({}).translators())
    fed = session.feed(b"".join(LINE % (name, b"x") for name in (b"a", b"b", b"c")))
    assert (fed.native.count(b"\n"), fed.has_more) == (1, True)
    assert session.more().has_more
    last = session.more()
    assert (last.native.count(b"\n"), last.has_more) == (1, False)
    session.close()
