"""The request of `POST /v1/batches`, and the object that all methods answer with.

What becomes of each field of the request is in `PARAMETERS`.

Source: https://platform.openai.com/docs/api-reference/batch, and openai-python 3.54.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from gemgate.store.tables import BatchRow
from gemgate.translation.parameters import ParameterSupport, handled, mapped
from gemgate.wire import Wire

Key = Annotated[str, StringConstraints(max_length=64)]
Value = Annotated[str, StringConstraints(max_length=512)]


class OutputExpiresAfter(Wire):
    """How long the output file lives: `seconds`, an hour to 30 days, after it was made."""

    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(ge=3600, le=2_592_000)]


class BatchRequest(Wire):
    """A file of requests, and where each of them goes."""

    input_file_id: Annotated[str, Field(min_length=1)]
    endpoint: Literal["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/moderations", "/v1/responses"]
    completion_window: Literal["24h"]
    metadata: Annotated[dict[Key, Value], Field(max_length=16, fail_fast=True)] | None = None
    output_expires_after: OutputExpiresAfter | None = None


def batch_object(row: BatchRow) -> dict[str, object]:
    """A row as OpenAI's `batch`."""
    return {
        "id": row.id,
        "object": "batch",
        "endpoint": row.endpoint,
        "model": row.model,
        "errors": {"object": "list", "data": row.errors} if row.errors else None,
        "input_file_id": row.input_file_id,
        "completion_window": row.completion_window,
        "status": row.status,
        "output_file_id": row.output_file_id,
        "error_file_id": row.error_file_id,
        "created_at": row.created_at,
        "in_progress_at": row.in_progress_at,
        "expires_at": row.expires_at,
        "finalizing_at": row.finalizing_at,
        "completed_at": row.completed_at,
        "failed_at": row.failed_at,
        "expired_at": row.expired_at,
        "cancelling_at": row.cancelling_at,
        "cancelled_at": row.cancelled_at,
        "request_counts": {"total": row.total, "completed": row.completed, "failed": row.failed},
        "metadata": row.meta,
        "usage": row.usage,
    }


def batch_list(rows: Sequence[BatchRow], *, has_more: bool) -> dict[str, object]:
    """A page of batches."""
    return {
        "object": "list",
        "data": [batch_object(row) for row in rows],
        "first_id": rows[0].id if rows else None,
        "last_id": rows[-1].id if rows else None,
        "has_more": has_more,
    }


PARAMETERS: dict[str, ParameterSupport] = {
    "input_file_id": mapped("each line is translated like a live request; the lines become one job at Google"),
    "endpoint": mapped("`batchGenerateContent` or `asyncBatchEmbedContent`"),
    "completion_window": handled("`24h`; what is not done by then is cancelled at Google, and the batch is `expired`"),
    "metadata": handled("kept with the batch"),
    "output_expires_after": handled("the output file and the error file are deleted then"),
}
