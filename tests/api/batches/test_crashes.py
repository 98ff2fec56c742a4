"""A process that is killed at any point of a batch's life, and another that goes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.api.batches.support import CALLER, LEASE, World, chat

from gemgate.api.batches import google_input
from gemgate.store import BatchRow

MAX_POINTS = 400
LINES = [chat("a", "one"), chat("b", "fail"), chat("c", stream=True)]
IDS = {line["custom_id"] for line in LINES}


class KilledError(BaseException):
    """Not an `Exception`: nothing may catch it, as nothing catches a `kill -9`."""


class Killer:
    """Kills at the n-th touch of the outer world: before it happens, or after it has, so that the answer is lost."""

    def __init__(self, point: int) -> None:
        self.left = point
        self.is_armed = False
        self.what = ""

    def touch(self, when: str, what: str) -> None:
        """One touch."""
        self.left -= self.is_armed
        if self.left < 0 and self.is_armed:
            self.is_armed = False
            self.what = f"{when} {what}"
            raise KilledError

    @contextmanager
    def spared(self) -> Iterator[None]:
        """The block is another process."""
        was_armed, self.is_armed = self.is_armed, False
        yield
        self.is_armed = was_armed


def bugged(there: World, killer: Killer, monkeypatch: pytest.MonkeyPatch) -> None:
    there.google.hook = killer.touch
    for owner, names in (
        (there.store.batches, ("update", "claim", "renew", "release")),
        (there.store.blobs, ("put", "delete")),
        (there.store.files, ("create",)),
    ):
        for name in names:
            monkeypatch.setattr(owner, name, touched(getattr(owner, name), name, killer))


def touched(real: Any, name: str, killer: Killer) -> Any:
    async def method(*args: Any, **more: Any) -> Any:
        killer.touch("before", name)
        answer = await real(*args, **more)
        killer.touch("after", name)
        return answer

    return method


async def lived(there: World, killer: Killer, *, cancels: bool) -> BatchRow:
    """One batch's life: the worker is replaced when it is killed."""
    batch = await there.create(LINES)
    worker, row = there.worker(), batch
    killer.is_armed = True
    for turn in range(20):
        try:
            await there.work(LEASE + 1, worker)
        except KilledError:
            worker = there.worker()
        if cancels and turn == 1 and row.status in ("validating", "in_progress"):
            with killer.spared():
                await there.service.cancel(CALLER, batch.id)
        if turn == 2:
            there.google.run()
        row = await there.row(batch.id)
        if row.next_poll_at is None:
            break
    killer.is_armed = False
    return row


@pytest.mark.parametrize("is_inline", [True, False])
@pytest.mark.parametrize("cancels", [True, False])
async def test_killed_anywhere_a_batch_loses_nothing_and_is_submitted_once(
    there: World, monkeypatch: pytest.MonkeyPatch, cancels: bool, is_inline: bool
) -> None:
    if not is_inline:
        monkeypatch.setattr(google_input, "MAX_INLINE_BYTES", 0)
    killed: list[str] = []
    for point in range(0, MAX_POINTS, 3 if cancels else 2):
        there.google.created.clear()
        killer = Killer(point)
        with monkeypatch.context() as patch:
            bugged(there, killer, patch)
            row = await lived(there, killer, cancels=cancels)
        assert row.status in (("cancelled", "completed") if cancels else ("completed",)), killer.what
        if row.total:
            output, errors = await there.results(row)
            assert set(output) | set(errors) == IDS, killer.what
        assert len(there.google.created) <= 1, killer.what
        assert row.key_ciphertext is None
        if not killer.what:
            break
        killed.append(killer.what)
    assert len(killed) >= 20


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("is_inline", [True, False])
async def test_killed_around_the_creation_a_job_is_looked_for_before_it_is_made_again(
    there: World, monkeypatch: pytest.MonkeyPatch, when: str, is_inline: bool
) -> None:
    if not is_inline:
        monkeypatch.setattr(google_input, "MAX_INLINE_BYTES", 0)
    batch = await there.create(LINES)

    def kill(moment: str, what: str) -> None:
        if moment == when and what.endswith(":batchGenerateContent"):
            there.google.hook = lambda _when, _what: None
            raise KilledError

    there.google.hook = kill
    with pytest.raises(KilledError):
        await there.work()
    await there.work(LEASE - 1)
    assert len(there.google.created) == (when == "after")
    await there.work(2)
    row = await there.finish(batch)
    assert row.status == "completed"
    assert len(there.google.created) == 1
    assert "GET /v1beta/batches" in there.google.calls
