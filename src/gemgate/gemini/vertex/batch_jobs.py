"""Vertex AI's batch jobs: requests are lines of a file in a bucket, and answers are written below a prefix of it.

Source: https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.batchPredictionJobs, and
google-genai 3.6.1, `batches.py`.
"""

import re
from collections.abc import Mapping, Sequence

import httpx
import orjson

from gemgate.gemini.batch_types import BatchJob, JobCounts, Kind, state_named
from gemgate.gemini.batches import newest_job
from gemgate.gemini.errors import Failure, GeminiError, TransportError
from gemgate.gemini.proto_json import error_of_status, text, unix_seconds, whole_number
from gemgate.gemini.resource_names import ENDPOINTS, VERTEX
from gemgate.gemini.vertex.client import VertexClient
from gemgate.gemini.vertex.facts import EMBEDDING_JOB_ROWS, embedding_job_locations
from gemgate.gemini.vertex.lanes import Lane

PAGE_SIZE = 50
"""Jobs asked for at once."""

_NAME = re.compile(
    r"projects/[\w.:-]{1,120}/locations/(?P<location>[a-z][a-z0-9-]{1,39})/batchPredictionJobs/[\w-]{1,128}", re.ASCII
)


class VertexJobs:
    """Batch jobs in Vertex AI.

    Every method raises `GeminiError` when Vertex AI refuses, with status 404 for a job that is not there, and
    `TransportError` when it gives no answer.

    Args:
        client: The way to Vertex AI.
    """

    def __init__(self, client: VertexClient) -> None:
        self._client = client

    def lane_for(self, model: str, lane: str, kind: Kind = "generate") -> str:
        """The name of the lane that takes jobs of `model`: `lane` where it serves the model, else the first that does.

        It is the same for as long as the settings are, so that a job is looked for where it was created.

        Raises:
            GeminiError: 400, Vertex AI embeds nothing with this model in jobs, or not in its locations.
        """
        lanes = self._client.lanes.serving(model)
        names = [each.name for each in (lanes if kind == "generate" else _embedding_lanes(model, lanes))]
        return lane if lane in names or not names else names[0]

    async def create(self, model: str, *, display_name: str, lane: str, source: str, destination: str) -> BatchJob:
        """Create a job.

        Vertex AI creates a second one when it is asked again. After a `TransportError` it is not known whether there is
        one: look with `find_by_display_name` before the next attempt.

        Args:
            model: Answers all requests.
            display_name: Unique, so that the job can be found.
            lane: The name of the lane.
            source: `gs://…` of a file of `vertex_input_line`s, or of `vertex_embedding_line`s.
            destination: `gs://…`, below which the results are written.
        """
        way = self._client.lanes.by_name[lane]
        resource = way.resource_of(model)
        if resource.startswith(ENDPOINTS):
            message = "Batches in Vertex AI are for Google's own models: an endpoint takes none."
            raise GeminiError(400, message, "INVALID_ARGUMENT")
        body = {
            "displayName": display_name,
            "model": resource,
            "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": [source]}},
            "outputConfig": {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": destination}},
        }
        return vertex_job_from_wire(await self._client.ask("POST", _jobs_url(way), key=lane, json=body))

    async def get(self, name: str) -> BatchJob:
        """The job that is called `projects/…/locations/…/batchPredictionJobs/…`."""
        url, lane = self._place(name)
        return vertex_job_from_wire(await self._client.ask("GET", url, key=lane))

    async def find_by_display_name(self, display_name: str, *, lane: str) -> BatchJob | None:
        """The job that was created with this name on this lane; the newest, if there are several on a page."""
        way = self._client.lanes.by_name[lane]
        asked = {"filter": f"display_name={orjson.dumps(display_name).decode()}", "pageSize": str(PAGE_SIZE)}

        def jobs_in(page: Mapping[str, object]) -> list[BatchJob]:
            listed = page.get("batchPredictionJobs")
            items = listed if isinstance(listed, list) else []
            called = [item for item in items if isinstance(item, dict) and item.get("displayName") == display_name]
            return [vertex_job_from_wire(item) for item in called]

        return await newest_job(
            lambda params: self._client.ask("GET", _jobs_url(way, params), key=lane), asked, jobs_in
        )

    async def cancel(self, name: str) -> None:
        """Ask for the end of a job. It may be finished all the same: `get` says."""
        url, lane = self._place(name)
        await self._client.ask("POST", httpx.URL(f"{url}:cancel"), key=lane, json={})

    def _place(self, name: str) -> tuple[httpx.URL, str]:
        """Where a job is, and the name of the lane whose credentials are used.

        Raises:
            GeminiError: 404, the name is not one of Vertex AI's.
        """
        found = _NAME.fullmatch(name)
        if found is None:
            raise GeminiError(404, "The batch was not created in Vertex AI.", "NOT_FOUND")
        lanes = self._client.lanes
        lane = next((each for each in lanes.all if each.location == found["location"]), lanes.all[0])
        return httpx.URL(f"{lanes.origin_of(found['location'])}/v1/{name}"), lane.name


def vertex_job_from_wire(answer: object) -> BatchJob:
    """A `BatchPredictionJob`.

    Raises:
        TransportError: the name is missing.
    """
    value = _object(answer)
    name = text(value.get("name"))
    if not _NAME.fullmatch(name):
        raise TransportError(Failure.INVALID_BODY, "Vertex AI's answer does not describe a batch.")
    stats = _object(value.get("completionStats"))
    succeeded, failed, pending = (
        whole_number(stats.get(f"{what}Count")) for what in ("successful", "failed", "incomplete")
    )
    return BatchJob(
        name=name,
        state=state_named(text(value.get("state"))),
        model=text(value.get("model")),
        display_name=text(value.get("displayName")),
        counts=JobCounts(succeeded + failed + pending, succeeded, failed, pending),
        created_at=unix_seconds(value.get("createTime")),
        updated_at=unix_seconds(value.get("updateTime")),
        ended_at=unix_seconds(value.get("endTime")),
        error=error_of_status(value.get("error")),
        responses_file=text(_object(value.get("outputInfo")).get("gcsOutputDirectory")),
    )


def _embedding_lanes(model: str, lanes: Sequence[Lane]) -> list[Lane]:
    """Those of the lanes that serve `model` in which Vertex AI has batch jobs of it.

    Raises:
        GeminiError: 400, there are none; the text names the setting that helps.
    """
    name = model.removeprefix(VERTEX).removeprefix("models/")
    where = embedding_job_locations(name)
    found = [lane for lane in lanes if lane.location in where]
    if found:
        return found
    if where:
        asked = ", ".join(lane.location for lane in lanes)
        message = (
            f"Invalid value for 'model': Vertex AI runs batches of {name} in {', '.join(where)}, and this gateway asks "
            f"for it in {asked}. Ask the operator for GEMGATE_VERTEX_LOCATIONS='{name}={where[0]}', or for another of "
            "these; or send the requests to /v1/embeddings."
        )
    else:
        known = " and ".join(row.name for row in EMBEDDING_JOB_ROWS)
        message = (
            f"Invalid value for 'model': in Vertex AI, batches of embeddings are for {known}, and not for {name[:80]}. "
            "Use one of these, or send the requests to /v1/embeddings."
        )
    raise GeminiError(400, message, "FAILED_PRECONDITION")


def _jobs_url(lane: Lane, params: Mapping[str, str] | None = None) -> httpx.URL:
    return httpx.URL(f"{lane.origin}{lane.parent}/batchPredictionJobs", params=params)


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
