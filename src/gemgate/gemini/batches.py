"""Google's batch jobs: many requests for one model at half the price, answered within a day or so.

Source: https://ai.google.dev/api/batch-api, and recorded exchanges.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial

from gemgate.gemini.batch_types import (
    METHODS,
    BatchJob,
    Json,
    Kind,
    file_body,
    inline_body,
    job_from_wire,
    job_path,
)
from gemgate.gemini.client.client import GeminiClient
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.file_types import file_path
from gemgate.gemini.proto_json import text
from gemgate.gemini.resource_names import model_path

PATH = "/v1beta/batches"
PAGE_SIZE = 50
"""Jobs asked for at once; each may come with all its results."""

_TURN = 65_536
"""Bytes written as JSON before other tasks have their turn."""

Requests = Iterable[tuple[str, Mapping[str, object]]]


class GeminiJobs:
    """Batch jobs at Google.

    Every method raises `GeminiError` when Google refuses, with status 404 for a job that is not there,
    `TransportError` when it gives no answer, and `InvalidNameError` for an invalid name.

    Args:
        gemini: The way to Google.
    """

    def __init__(self, gemini: GeminiClient) -> None:
        self._gemini = gemini

    async def create(
        self,
        model: str,
        *,
        display_name: str,
        key: str,
        requests: Requests | None = None,
        file_name: str = "",
        kind: Kind = "generate",
    ) -> BatchJob:
        """Create a job, either of `requests` or of an uploaded file.

        Google creates a second one when it is asked again. After a `TransportError` it is not known whether there is
        one: look with `find_by_display_name` before the next attempt.

        Args:
            model: Answers all requests.
            display_name: Unique, so that the job can be found.
            key: The Gemini key.
            requests: Keys and native requests, less than `MAX_INLINE_BYTES` in all.
            file_name: `files/…` of `input_line`s.
            kind: Whether the requests are for `generateContent` or for `embedContent`.

        Raises:
            ValueError: neither `requests` nor `file_name` is given, or both are.
        """
        if (requests is None) == (not file_name):
            raise ValueError("a job takes either requests or the name of a file")
        path = model_path(model)
        if requests is None:
            file_path(file_name)
            body: Json | bytes = file_body(display_name, file_name)
        else:
            body = await _written(display_name, path, requests)
        return job_from_wire(await self._gemini.request("POST", f"/v1beta/{path}:{METHODS[kind]}", key=key, json=body))

    async def get(self, name: str, *, key: str) -> BatchJob:
        """The job that is called `batches/…`, with its results if they are inline."""
        return job_from_wire(await self._gemini.request("GET", job_path(name), key=key))

    async def find_by_display_name(self, display_name: str, *, key: str) -> BatchJob | None:
        """The job that was created with this name; the newest, if there are several on a page of Google's list.

        Google has no way to ask for a name: all pages are read until one holds it.
        """

        def jobs_in(page: Mapping[str, object]) -> list[BatchJob]:
            operations = page.get("operations")
            operations = operations if isinstance(operations, list) else []
            return [job_from_wire(item) for item in operations if _display_name(item) == display_name]

        fetch = partial(self._gemini.request, "GET", PATH, key=key)
        return await newest_job(lambda params: fetch(params=params), {"pageSize": str(PAGE_SIZE)}, jobs_in)

    async def cancel(self, name: str, *, key: str) -> None:
        """Ask for the end of a job. Google may finish it all the same: `get` says."""
        await self._gemini.request("POST", f"{job_path(name)}:cancel", key=key, json={})

    async def delete(self, name: str, *, key: str) -> None:
        """Delete the record of a job, which does not cancel it."""
        await self._gemini.request("DELETE", job_path(name), key=key)


async def newest_job(
    fetch: Callable[[dict[str, str]], Awaitable[Mapping[str, object]]],
    params: dict[str, str],
    jobs_in: Callable[[Mapping[str, object]], list[BatchJob]],
) -> BatchJob | None:
    """The newest job of the first page of a list that holds one.

    Args:
        fetch: Gives a page for its query.
        params: The query for the first page.
        jobs_in: The jobs of a page that are looked for.
    """
    seen = {""}
    while True:
        page = await fetch(params)
        if found := jobs_in(page):
            return max(found, key=lambda job: job.created_at or 0)
        token = text(page.get("nextPageToken"))
        if token in seen:
            return None
        seen.add(token)
        params = {**params, "pageToken": token}


async def _written(display_name: str, model: str, requests: Requests) -> bytes:
    """The body with the requests in it; other tasks run in between.

    Raises:
        GeminiError: a request cannot be written as JSON.
    """
    pieces, since = [], 0
    try:
        for piece in inline_body(display_name, model, requests):
            pieces.append(piece)
            since += len(piece)
            if since > _TURN:
                since = 0
                await asyncio.sleep(0)
    except TypeError as error:
        message = f"A request of the batch cannot be written as JSON: {error}"
        raise GeminiError(400, message, "INVALID_ARGUMENT") from error
    return b"".join(pieces)


def _display_name(operation: object) -> object:
    metadata = operation.get("metadata") if isinstance(operation, dict) else None
    return metadata.get("displayName") if isinstance(metadata, dict) else None
