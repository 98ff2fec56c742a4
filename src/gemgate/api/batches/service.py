"""What callers can do with batches; the work itself is done elsewhere, by `worker`."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from gemgate.api.batches.input_check import Inspector
from gemgate.api.batches.key_vault import KeyVault
from gemgate.api.batches.life_cycle import BATCH_LIFE, LifeEvent, move, state_of
from gemgate.api.batches.wire import BatchRequest
from gemgate.auth.caller import Caller
from gemgate.batch_limits import FINAL
from gemgate.errors import ApiError
from gemgate.store.batches import BatchRows
from gemgate.store.errors import UnknownCursorError
from gemgate.store.files import Files
from gemgate.store.ids import new_id
from gemgate.store.paging import Page
from gemgate.store.tables import BatchRow
from gemgate.translation.options import Dialect

Hold = Callable[[str | None], str]
"""The caller's own key as it is, or one of the gateway's. Raises `GeminiError` when all of those rest."""


@dataclass(frozen=True, slots=True)
class BatchService:
    """Takes batches in, and reports what became of them.

    Attributes:
        rows: The batches.
        files: The callers' files.
        vault: Seals callers' keys.
        inspect: Validates an input while it is uploaded.
        wake: Called when there is something for the worker to do.
        pin_key: Gives the one key that a batch is made with: a job belongs to the Google project of its key.
        window: Seconds until a batch expires.
        clock: Unix seconds.
    """

    rows: BatchRows
    files: Files
    vault: KeyVault
    inspect: Inspector
    wake: Callable[[], None]
    pin_key: Hold
    window: int = 86_400
    clock: Callable[[], float] = time.time

    async def create(self, caller: Caller, request: BatchRequest, dialect: Dialect) -> BatchRow:
        """A new batch, which is about to be validated.

        Raises:
            ApiError: 400 when the caller has no such file, or one for another purpose.
        """
        file = await self.files.get(caller.id, request.input_file_id)
        if file is None:
            msg = f"No such file: '{request.input_file_id[:80]}'. Upload the input with purpose 'batch' first."
            if request.input_file_id.startswith("files/"):
                msg += (
                    " Of what Google's client uploads, the gateway keeps .jsonl files whose first line has a custom_id."
                )
            raise ApiError(400, msg, param="input_file_id", code="file_not_found")
        if file.purpose != "batch":
            msg = f"The file '{file.id}' has the purpose '{file.purpose}', and the input of a batch has 'batch'."
            raise ApiError(400, msg, param="input_file_id", code="invalid_file_purpose")
        now = self.clock()
        batch_id = new_id("batch_", now)
        row = BatchRow(
            id=batch_id,
            owner=caller.id,
            endpoint=request.endpoint,
            input_file_id=request.input_file_id,
            completion_window=request.completion_window,
            status="validating",
            display_name=f"gemgate-{batch_id}",
            created_at=int(now),
            meta=request.metadata,
            expires_at=int(now) + self.window,
            output_expires_after=request.output_expires_after.seconds if request.output_expires_after else None,
            progress={"dialect": dialect}
            if caller.models is None
            else {"dialect": dialect, "models": list(caller.models)},
            key_ciphertext=self.vault.encrypt(self.pin_key(caller.key)),
            next_poll_at=now,
        )
        created = await self.rows.create(row)
        self.wake()
        return created

    async def get(self, caller: Caller, batch_id: str) -> BatchRow:
        """The batch. A worker that has lost its caller's key gets it from here.

        Raises:
            ApiError: 404 when the caller has no such batch.
        """
        row = await self.rows.get(caller.id, batch_id)
        if row is None:
            raise ApiError(404, f"No batch found with id '{batch_id[:80]}'.", param="batch_id")
        if row.status not in FINAL and self.vault.open(row.key_ciphertext) is None:
            sealed = self.vault.encrypt(self.pin_key(caller.key))
            if renewed := await self.rows.update(row.id, row.version, key_ciphertext=sealed, next_poll_at=self.clock()):
                row = renewed
                self.wake()
        return row

    async def list(self, caller: Caller, after: str | None, limit: int) -> Page[BatchRow]:
        """The caller's batches, newest first.

        Raises:
            ApiError: 400 when `after` is not the id of a batch.
        """
        try:
            return await self.rows.list(caller.id, after=after, limit=limit)
        except UnknownCursorError:
            msg = f"'after' is {(after or '')[:80]!r}, which is not a batch id."
            raise ApiError(400, msg, param="after", code="invalid_value") from None

    async def cancel(self, caller: Caller, batch_id: str) -> BatchRow:
        """The batch, which is about to be cancelled, or was already.

        Raises:
            ApiError: 404 when the caller has no such batch, 400 when it has ended or is about to.
        """
        while True:
            row = await self.get(caller, batch_id)
            if row.status in ("cancelling", "cancelled"):
                return row
            if LifeEvent.CANCEL_ASKED not in BATCH_LIFE[state_of(row)]:
                raise ApiError(400, f"Cannot cancel a batch with status '{row.status}'.", code="batch_not_cancellable")
            changes = move(row, LifeEvent.CANCEL_ASKED, self.clock())
            changed = await self.rows.update(row.id, row.version, **changes)
            if changed:
                self.wake()
                return changed
