import asyncio

from gemgate.web.turns import Turns


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_callers_come_in_rotation_however_much_one_of_them_does() -> None:
    turns = Turns()
    order: list[str] = []

    async def work(caller: str, name: str) -> None:
        async with turns.of(caller):
            await asyncio.sleep(0)
            order.append(name)

    async with asyncio.TaskGroup() as group, turns.of("first"):
        for name in ("b1", "b2", "b3", "b4"):
            group.create_task(work("bob", name))
        for name in ("a1", "a2"):
            group.create_task(work("alice", name))
        await settle()
    assert order == ["b1", "a1", "b2", "a2", "b3", "b4"]


async def test_who_leaves_while_waiting_or_when_it_is_given_takes_nobodys_turn() -> None:
    turns = Turns()
    done: list[str] = []

    async def work(caller: str) -> None:
        async with turns.of(caller):
            done.append(caller)

    async with turns.of("first"):
        waiting = [asyncio.create_task(work(caller)) for caller in ("gone", "given", "last")]
        await settle()
        waiting[0].cancel()
        await settle()
    waiting[1].cancel()  # it has its turn, and does not know it yet
    await asyncio.gather(*waiting, return_exceptions=True)
    assert done == ["last"]
    async with asyncio.timeout(5), turns.of("next"):
        pass
