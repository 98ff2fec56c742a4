"""What a worker carries from step to step: the places of a batch's blobs, and the row that it holds."""

from dataclasses import dataclass
from typing import TypedDict, Unpack, cast

from gemgate.api.batches.life_cycle import LifeState, state_of
from gemgate.api.batches.line_translation import LineJob
from gemgate.gemini.fact_snapshot import PinnedFacts
from gemgate.store.batches import BatchChanges, BatchRows
from gemgate.store.tables import BatchRow
from gemgate.translation.options import Dialect


class Progress(TypedDict, total=False):
    """A worker's memory, in `BatchRow.progress`.

    Attributes:
        dialect: `openai` or `google`, whichever endpoint the batch was created at.
        models: Patterns of the models that its caller may use; absent when all.
        requests: Native requests.
        refused: Lines that could not be translated.
        native_bytes: The size of the native input.
        creating_at: When Google was last asked for the job: from then on it is looked for before that is done again.
        stopping_at: When Google was asked to cancel the job, in Unix seconds.
        outcome: The status that the batch will end with, once its results are written.
        failure: Why the outcome is `failed`, as in `errors.data`.
        output_file_id: The id that the output file has, or would have.
        error_file_id: The same for the error file.
        facts: What was believed of the model when the input was translated.
    """

    dialect: Dialect
    models: list[str]
    requests: int
    refused: int
    native_bytes: int
    creating_at: float
    stopping_at: int
    outcome: str
    failure: dict[str, object]
    output_file_id: str
    error_file_id: str
    facts: PinnedFacts


class LeaseLostError(Exception):
    """Another worker holds the batch now."""


class OvertakenError(Exception):
    """The caller has asked for something else meanwhile: the step is void, and the next one sees to that."""


@dataclass(frozen=True, slots=True)
class BlobNames:
    """The blobs of a batch while it is worked at."""

    batch_id: str

    @property
    def input(self) -> str:
        """A copy of the input: the caller may delete the file."""
        return f"batches/{self.batch_id}/input.jsonl"

    @property
    def native(self) -> str:
        """The input as Google takes it."""
        return f"batches/{self.batch_id}/native.jsonl"

    @property
    def refused(self) -> str:
        """What `TranslateSession.refused` gave."""
        return f"batches/{self.batch_id}/refused.jsonl"

    def all(self) -> tuple[str, str, str]:
        """Every place."""
        return self.input, self.native, self.refused


class ClaimedBatch:
    """A row under this worker's lease. Each change is a compare-and-set on the row's version.

    Attributes:
        row: The row as it was last seen.
        is_overtaken: Whether someone else has changed it since it was claimed: then it is due again at once.
    """

    def __init__(self, rows: BatchRows, row: BatchRow, worker: str) -> None:
        self.row = row
        self.is_overtaken = False
        self._rows = rows
        self._worker = worker

    @property
    def progress(self) -> Progress:
        """The memory of this batch."""
        return cast("Progress", self.row.progress or {})

    @property
    def state(self) -> LifeState:
        """Where it is."""
        return state_of(self.row)

    @property
    def places(self) -> BlobNames:
        """Its blobs."""
        return BlobNames(self.row.id)

    @property
    def job(self) -> LineJob:
        """What its lines share."""
        row, progress = self.row, self.progress
        models = tuple(progress["models"]) if "models" in progress else None
        return LineJob(row.id, row.endpoint, row.created_at, progress.get("dialect", "openai"), row.owner, models)

    def remembering(self, **news: Unpack[Progress]) -> dict[str, object]:
        """The memory with `news`, for `change(progress=…)`."""
        return {**self.progress, **news}

    async def change(self, **changes: Unpack[BatchChanges]) -> None:
        """Change the row.

        Raises:
            LeaseLostError: another worker has it.
            OvertakenError: its caller has changed its status meanwhile.
        """
        while (row := await self._rows.update(self.row.id, self.row.version, **changes)) is None:
            status = self.row.status
            await self._reload()
            if self.row.status != status:
                raise OvertakenError
        self.row = row

    async def record(self, **changes: Unpack[BatchChanges]) -> None:
        """Change columns that nobody but a worker changes, whatever the caller asks for meanwhile.

        Raises:
            LeaseLostError: another worker has it.
        """
        while (row := await self._rows.update(self.row.id, self.row.version, **changes)) is None:
            await self._reload()
        self.row = row

    async def _reload(self) -> None:
        row = await self._rows.get(self.row.owner, self.row.id)
        if row is None or row.lease_owner != self._worker:
            raise LeaseLostError
        self.is_overtaken = True
        self.row = row
