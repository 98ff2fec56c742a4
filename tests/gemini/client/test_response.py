import asyncio
from collections.abc import Callable

import pytest

from gemgate.gemini.client.response import Deadline

SOON, LATE = 0.01, 60.0


async def never() -> None:
    await asyncio.Event().wait()


async def test_a_wait_that_takes_too_long_is_a_timeout_and_leaves_no_cancellation_behind() -> None:
    waits, task = Deadline(), asyncio.current_task()
    with pytest.raises(TimeoutError), waits.at(waits.now + SOON):
        await never()
    assert waits.has_expired
    assert task is not None
    assert task.cancelling() == 0


async def test_waits_that_end_in_time_share_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, timers = asyncio.get_running_loop(), list[float]()
    call_at = loop.call_at

    def counted(when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        timers.append(when)
        return call_at(when, callback)

    monkeypatch.setattr(loop, "call_at", counted)
    waits = Deadline()
    for number in range(3):
        with waits.at(waits.now + LATE + number):
            await asyncio.sleep(0)
    assert len(timers) == 1
    waits.close()


async def test_a_timer_that_rings_for_an_earlier_wait_leaves_the_later_one_its_time() -> None:
    waits = Deadline()
    with waits.at(waits.now + SOON):
        await asyncio.sleep(0)
    with waits.at(waits.now + 5 * SOON):
        await asyncio.sleep(2 * SOON)
    with pytest.raises(TimeoutError), waits.at(waits.now + SOON):
        await never()


async def test_a_wait_that_may_last_less_than_the_one_before_is_not_given_more() -> None:
    waits = Deadline()
    with waits.at(waits.now + LATE):
        await asyncio.sleep(0)
    with pytest.raises(TimeoutError), waits.at(waits.now + SOON):
        await never()


async def test_a_timer_that_rings_between_two_waits_harms_neither() -> None:
    waits = Deadline()
    with waits.at(waits.now):
        pass
    await asyncio.sleep(SOON)
    with waits.at(waits.now + LATE):
        await asyncio.sleep(0)
    waits.close()


async def test_a_cancellation_from_outside_stays_one() -> None:
    waits = Deadline()

    async def work() -> None:
        with waits.at(waits.now + LATE):
            await never()

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not waits.has_expired
    waits.close()


def test_outside_of_a_task_there_is_nothing_to_limit() -> None:
    loop = asyncio.new_event_loop()
    failures: list[RuntimeError] = []

    def enter() -> None:
        try:
            with Deadline().at(0):
                pass
        except RuntimeError as error:
            failures.append(error)
        loop.stop()

    loop.call_soon(enter)
    loop.run_forever()
    loop.close()
    assert str(failures[0]) == "there is no task to limit"
