"""The answers of `/v1/batches`.

Source: https://platform.openai.com/docs/api-reference/batch/object, and openai-python 3.54.
"""

from typing import Literal

from typing_extensions import TypedDict  # what pydantic reads before Python 3.12

from gemgate.api.openapi.common import InputErrors


class RequestCounts(TypedDict):
    """Lines of the input."""

    total: int
    completed: int
    failed: int


class CachedTokens(TypedDict):
    """Tokens of the input that a cache gave."""

    cached_tokens: int


class ReasoningTokens(TypedDict):
    """Tokens of the output that are thoughts."""

    reasoning_tokens: int


class BatchUsage(TypedDict):
    """Tokens of all lines together."""

    input_tokens: int
    input_tokens_details: CachedTokens
    output_tokens: int
    output_tokens_details: ReasoningTokens
    total_tokens: int


class Batch(TypedDict):
    """A batch; times are Unix seconds, and null for what has not happened."""

    id: str
    object: Literal["batch"]
    endpoint: str
    model: str | None
    errors: InputErrors | None
    input_file_id: str
    completion_window: str
    status: Literal[
        "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"
    ]
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    in_progress_at: int | None
    expires_at: int | None
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    request_counts: RequestCounts
    metadata: dict[str, str] | None
    usage: BatchUsage | None


class BatchList(TypedDict):
    """A page of batches; `after=last_id` gives the next one."""

    object: Literal["list"]
    data: list[Batch]
    first_id: str | None
    last_id: str | None
    has_more: bool
