"""A process that is killed at any point of a batch's life, and another that goes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.api.batches.fake_vertex_api import FakeVertexBatchApi
from tests.api.batches.support import CALLER, LEASE, Batches, chat

from gemgate.api.batches import google_input
from gemgate.store import BatchRow

pytestmark = pytest.mark.integration

MAX_POINTS = 400
LINES = [chat("a", "one"), chat("b", "fail"), chat("c", stream=True)]
IDS = {line["custom_id"] for line in LINES}


class KilledError(BaseException):
    """Not an `Exception`: nothing may catch it, as nothing catches a `kill -9`."""


class KillSwitch:
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
    def disarmed(self) -> Iterator[None]:
        """The block is another process."""
        was_armed, self.is_armed = self.is_armed, False
        yield
        self.is_armed = was_armed


def watch_touches(batches: Batches, switch: KillSwitch, monkeypatch: pytest.MonkeyPatch) -> None:
    batches.google.hook = switch.touch
    buckets = (
        [(batches.google.bucket.blobs, ("put", "delete"))] if isinstance(batches.google, FakeVertexBatchApi) else []
    )
    for owner, names in (
        *buckets,
        (batches.store.batches, ("update", "claim", "renew", "release")),
        (batches.store.blobs, ("put", "delete")),
        (batches.store.files, ("create",)),
    ):
        for name in names:
            monkeypatch.setattr(owner, name, touched(getattr(owner, name), name, switch))


def touched(real: Any, name: str, switch: KillSwitch) -> Any:
    async def method(*args: Any, **more: Any) -> Any:
        switch.touch("before", name)
        answer = await real(*args, **more)
        switch.touch("after", name)
        return answer

    return method


async def run_batch(batches: Batches, switch: KillSwitch, *, cancels: bool) -> BatchRow:
    """The row of one batch at its end; the worker is replaced when it is killed."""
    batch = await batches.create(LINES)
    worker, row = batches.worker(), batch
    switch.is_armed = True
    for turn in range(20):
        try:
            await batches.work(LEASE + 1, worker)
        except KilledError:
            worker = batches.worker()
        if cancels and turn == 1 and row.status in ("validating", "in_progress"):
            with switch.disarmed():
                await batches.service.cancel(CALLER, batch.id)
        if turn == 2:
            batches.google.run()
        row = await batches.row(batch.id)
        if row.next_poll_at is None:
            break
    switch.is_armed = False
    return row


async def killed_at_each(batches: Batches, monkeypatch: pytest.MonkeyPatch, step: int, *, cancels: bool) -> list[str]:
    """Kill the gateway at every `step`th touch of a batch, which loses nothing by it; what each touch was."""
    killed: list[str] = []
    for point in range(0, MAX_POINTS, step):
        batches.google.created.clear()
        switch = KillSwitch(point)
        with monkeypatch.context() as patch:
            watch_touches(batches, switch, patch)
            row = await run_batch(batches, switch, cancels=cancels)
        assert row.status in (("cancelled", "completed") if cancels else ("completed",)), switch.what
        if row.total:
            output, errors = await batches.results(row)
            assert set(output) | set(errors) == IDS, switch.what
        assert len(batches.google.created) <= 1, switch.what
        assert row.key_ciphertext is None
        if not switch.what:
            break
        killed.append(switch.what)
    return killed


@pytest.mark.parametrize("is_inline", [True, False])
@pytest.mark.parametrize("cancels", [True, False])
async def test_killed_anywhere_a_batch_loses_nothing_and_is_submitted_once(
    batches: Batches, monkeypatch: pytest.MonkeyPatch, cancels: bool, is_inline: bool
) -> None:
    if not is_inline:
        monkeypatch.setattr(google_input, "MAX_INLINE_BYTES", 0)
    killed = await killed_at_each(batches, monkeypatch, 3 if cancels else 2, cancels=cancels)
    assert len(killed) >= 20


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("is_inline", [True, False])
async def test_killed_around_the_creation_a_job_is_looked_for_before_it_is_made_again(
    batches: Batches, monkeypatch: pytest.MonkeyPatch, when: str, is_inline: bool
) -> None:
    if not is_inline:
        monkeypatch.setattr(google_input, "MAX_INLINE_BYTES", 0)
    batch = await batches.create(LINES)

    def kill(moment: str, what: str) -> None:
        if moment == when and what.endswith(":batchGenerateContent"):
            batches.google.hook = lambda _when, _what: None
            raise KilledError

    batches.google.hook = kill
    with pytest.raises(KilledError):
        await batches.work()
    await batches.work(LEASE - 1)
    assert len(batches.google.created) == (when == "after")
    await batches.work(2)
    row = await batches.finish(batch)
    assert row.status == "completed"
    assert len(batches.google.created) == 1
    assert "GET /v1beta/batches" in batches.google.calls
