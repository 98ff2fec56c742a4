"""Several calls at once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from gemgate import tasks
from gemgate.tasks import all_of, in_background, merged


async def value(number: int) -> int:
    await asyncio.sleep(0)
    return number


async def test_results_come_in_the_order_of_the_calls() -> None:
    assert await all_of([value(number) for number in range(5)]) == [0, 1, 2, 3, 4]
    assert await all_of([value(7)]) == [7]


async def test_a_failure_cancels_the_others_and_is_raised_itself() -> None:
    cancelled = asyncio.Event()

    async def waits() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return 0

    async def fails() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await all_of([waits(), fails()])
    assert cancelled.is_set()


class Source:
    """Items, then an end, a failure, or silence; tells whether it was closed."""

    def __init__(self, *items: str, failure: Exception | None = None, hangs: bool = False) -> None:
        self.items = items
        self.failure = failure
        self.hangs = hangs
        self.closed = False

    async def run(self) -> AsyncGenerator[str, None]:
        try:
            for item in self.items:
                yield item
            if self.hangs:
                await asyncio.Event().wait()
            if self.failure:
                raise self.failure
        finally:
            self.closed = True


async def test_merged_items_keep_the_order_and_the_number_of_their_source() -> None:
    sources = [Source("a", "b"), Source("x"), Source()]
    items = [item async for item in merged([source.run() for source in sources])]
    assert [item for item in items if item[0] == 0] == [(0, "a"), (0, "b")]
    assert (1, "x") in items
    assert len(items) == 3
    assert all(source.closed for source in sources[:2])


async def test_a_failure_of_one_source_ends_all() -> None:
    sources = [Source("a", hangs=True), Source(failure=ValueError("no"))]
    with pytest.raises(ValueError, match="no"):
        [item async for item in merged([source.run() for source in sources])]
    assert all(source.closed for source in sources)


async def test_leaving_early_closes_every_source() -> None:
    sources = [Source("a", hangs=True), Source("x", "y", "z", hangs=True)]
    async with aclosing(merged([source.run() for source in sources])) as items:
        assert await anext(items) == (0, "a")
    assert all(source.closed for source in sources)


async def test_work_in_the_background_ends_with_its_block_though_it_swallows_a_cancellation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tasks, "_AGAIN_SECONDS", 0.001)
    swallowed = 0

    async def work() -> None:
        nonlocal swallowed
        while swallowed < 2:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
        await asyncio.sleep(60)

    async with asyncio.timeout(10), in_background(work()):
        await asyncio.sleep(0)
    assert swallowed == 2


async def test_work_that_ends_by_itself_is_not_waited_for() -> None:
    before, is_done = asyncio.all_tasks(), False

    async def work() -> None:
        nonlocal is_done
        is_done = True

    async with asyncio.timeout(10):
        async with in_background(work()):
            await asyncio.sleep(0)
            assert is_done
        assert asyncio.all_tasks() == before
