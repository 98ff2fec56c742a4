import asyncio
import time

from gemgate.observability.loop_lag import loop_lag_watched


async def test_a_stall_of_the_event_loop_is_seen_in_its_length() -> None:
    lags: asyncio.Queue[float] = asyncio.Queue()
    async with loop_lag_watched(lags.put_nowait, interval=0.01):
        time.sleep(0.2)  # noqa: ASYNC251  this is the stall
        assert 0.18 <= await lags.get() < 5


async def test_nothing_is_measured_after_the_end() -> None:
    lags: asyncio.Queue[float] = asyncio.Queue()
    async with loop_lag_watched(lags.put_nowait, interval=0.001):
        seen = [await lags.get() for _ in range(3)]
    await asyncio.sleep(0.01)
    assert lags.empty()
    assert min(seen) >= 0
