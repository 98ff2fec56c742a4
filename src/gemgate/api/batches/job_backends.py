"""What runs the jobs of batches: the one seam between a batch's life and the API of Google's that answers its lines."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import NamedTuple, Protocol

from gemgate.api.batches.claimed import ClaimedBatch
from gemgate.api.batches.google_input import GoogleInput, is_inline, kind_of
from gemgate.api.batches.transfer import Transfer, results_of
from gemgate.gemini.batch_types import BatchJob as GoogleJob
from gemgate.gemini.batches import GeminiJobs
from gemgate.gemini.files import GeminiFiles

Requests = Sequence[tuple[str, Mapping[str, object]]]


class JobInput(NamedTuple):
    """The requests of a job, as it is created.

    Attributes:
        place: Where they are at Google: `files/…` or `gs://…`; empty when they are in `requests`.
        requests: Keys and native requests that go inline.
    """

    place: str = ""
    requests: Requests | None = None


class JobBackend(Protocol):
    """Creates, finds, polls, cancels and reads jobs; every method but `forget` can be called again after a crash.

    All of them raise `GeminiError` when Google refuses, `TransportError` when it gives no answer, and `StoreError` when
    an object store gives none. `key` is a Gemini key, or the name of a lane to Vertex AI.

    Attributes:
        results_gone: What is said of results that are no longer there.
    """

    results_gone: str

    async def find(self, claimed: ClaimedBatch, key: str) -> GoogleJob | None:
        """The job that was created for this batch, if there is one."""
        ...

    async def prepare(self, claimed: ClaimedBatch, key: str) -> JobInput:
        """Put the requests to where a job can read them."""
        ...

    async def create(self, claimed: ClaimedBatch, key: str, prepared: JobInput) -> GoogleJob:
        """Create the job. Google creates a second one when it is asked again."""
        ...

    async def get(self, name: str, key: str) -> GoogleJob:
        """The job of that name."""
        ...

    async def cancel(self, name: str, key: str) -> None:
        """Ask for the end of a job."""
        ...

    def results(self, job: GoogleJob, key: str) -> AsyncGenerator[bytes]:
        """The results of a job as JSON lines, in pieces; `MissingFileError` when Google has deleted them."""
        ...

    async def forget(self, claimed: ClaimedBatch, key: str) -> None:
        """Give back the room that a batch takes at Google, if it can be had; raises nothing of Google's."""
        ...


class DeveloperJobs:
    """Jobs of the Developer API: requests go inline or as a file at Google."""

    results_gone = "Google no longer has the results of this batch: it keeps them for 48 hours."

    def __init__(self, jobs: GeminiJobs, google_files: GeminiFiles, transfer: Transfer) -> None:
        self._jobs = jobs
        self._google_files = google_files
        self._transfer = transfer
        self._input = GoogleInput(google_files, transfer)

    async def find(self, claimed: ClaimedBatch, key: str) -> GoogleJob | None:
        """The job that has the batch's name."""
        return await self._jobs.find_by_display_name(claimed.row.display_name, key=key)

    async def prepare(self, claimed: ClaimedBatch, key: str) -> JobInput:
        """The requests themselves where they are few, or a file of them at Google."""
        if is_inline(claimed):
            return JobInput(requests=await self._transfer.inline_requests(claimed.job))
        return JobInput(await self._input.upload(claimed, key))

    async def create(self, claimed: ClaimedBatch, key: str, prepared: JobInput) -> GoogleJob:
        """Create the job, under the batch's name."""
        return await self._jobs.create(
            claimed.row.model or "",
            display_name=claimed.row.display_name,
            key=key,
            requests=prepared.requests,
            file_name=prepared.place,
            kind=kind_of(claimed),
        )

    async def get(self, name: str, key: str) -> GoogleJob:
        """The job that is called `batches/…`."""
        return await self._jobs.get(name, key=key)

    async def cancel(self, name: str, key: str) -> None:
        """Ask for the end of a job."""
        await self._jobs.cancel(name, key=key)

    def results(self, job: GoogleJob, key: str) -> AsyncGenerator[bytes]:
        """The results, whether they came with the job or are in a file."""
        return results_of(job, self._google_files, key)

    async def forget(self, claimed: ClaimedBatch, key: str) -> None:
        """Delete the input; it would be gone after 48 hours anyway."""
        await self._input.forget(claimed, key)
