"""Jobs of batches in Vertex AI, whose requests and answers are objects in the operator's bucket."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import structlog

from gemgate.api.batches.claimed import ClaimedBatch
from gemgate.api.batches.google_input import kind_of
from gemgate.api.batches.job_backends import JobInput
from gemgate.api.batches.transfer import Transfer
from gemgate.gemini.batch_types import BatchJob as GoogleJob
from gemgate.gemini.batch_types import JobState
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.file_types import MissingFileError
from gemgate.gemini.vertex.batch_jobs import VertexJobs
from gemgate.media.bucket import OperatorBucket
from gemgate.store.errors import BlobMissingError, StoreError

_log = structlog.get_logger()

_FOLDER = "batches"


class BucketJobs:
    """Jobs of Vertex AI. All that a batch has in the bucket is in a folder of its own, which goes with its end.

    Args:
        jobs: The way to Vertex AI.
        bucket: The operator's bucket.
        transfer: Gives the native input.
    """

    results_gone = "The results of this batch are no longer in the bucket of GEMGATE_VERTEX_BUCKET."

    def __init__(self, jobs: VertexJobs, bucket: OperatorBucket, transfer: Transfer) -> None:
        self._jobs = jobs
        self._bucket = bucket
        self._transfer = transfer

    async def find(self, claimed: ClaimedBatch, key: str) -> GoogleJob | None:
        """The job that has the batch's name."""
        return await self._jobs.find_by_display_name(claimed.row.display_name, lane=self._lane(claimed, key))

    async def prepare(self, claimed: ClaimedBatch, key: str) -> JobInput:
        """Write the native input into the bucket, unless it is there, or no lane would take the job."""
        self._lane(claimed, key)
        place = f"{_folder(claimed)}/input.jsonl"
        if await self._bucket.size(place) != claimed.progress.get("native_bytes", 0):
            async with aclosing(self._transfer.native_from(claimed.job, 0)) as pieces:
                await self._bucket.put(place, pieces)
        return JobInput(self._bucket.uri(place))

    async def create(self, claimed: ClaimedBatch, key: str, prepared: JobInput) -> GoogleJob:
        """Create the job, under the batch's name."""
        return await self._jobs.create(
            claimed.row.model or "",
            display_name=claimed.row.display_name,
            lane=self._lane(claimed, key),
            source=prepared.place,
            destination=self._bucket.uri(f"{_folder(claimed)}/output"),
        )

    async def get(self, name: str, key: str) -> GoogleJob:  # noqa: ARG002  the name says where the job is
        """The job that is called `projects/…/locations/…/batchPredictionJobs/…`."""
        return await self._jobs.get(name)

    async def cancel(self, name: str, key: str) -> None:  # noqa: ARG002  the name says where the job is
        """Ask for the end of a job."""
        await self._jobs.cancel(name)

    async def results(self, job: GoogleJob, key: str) -> AsyncGenerator[bytes]:  # noqa: ARG002  the bucket is one for all
        """The lines of all files that the job has written; their order says nothing."""
        if not job.responses_file:
            return
        folder = self._bucket.key(job.responses_file)
        keys = await self._bucket.keys_below(folder) if folder else []
        keys = [key for key in keys if key.endswith(".jsonl")]
        if not keys and job.state is JobState.SUCCEEDED:
            raise MissingFileError(404, self.results_gone, "NOT_FOUND")
        try:
            async with aclosing(self._bucket.joined(keys)) as pieces:
                async for piece in pieces:
                    yield piece
        except BlobMissingError as error:
            raise MissingFileError(404, self.results_gone, "NOT_FOUND") from error

    async def forget(self, claimed: ClaimedBatch, key: str) -> None:  # noqa: ARG002  the bucket is one for all lanes
        """Delete the folder of the batch; the bucket's lifecycle rule does it otherwise."""
        try:
            await self._bucket.delete_below(_folder(claimed))
        except (GeminiError, StoreError) as error:
            _log.info("objects of a batch stay in the bucket", batch=claimed.row.id, error=type(error).__name__)

    def _lane(self, claimed: ClaimedBatch, key: str) -> str:
        return self._jobs.lane_for(claimed.row.model or "", key, kind_of(claimed))


def _folder(claimed: ClaimedBatch) -> str:
    return f"{_FOLDER}/{claimed.row.id}"
