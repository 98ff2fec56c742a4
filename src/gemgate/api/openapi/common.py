"""What answers of several endpoints share."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict  # what pydantic reads before Python 3.12

Json = dict[str, object]
"""An object that is described by the interface it comes from; types have fields named `object`."""


class ExtraContent(TypedDict):
    """What Gemini says and OpenAI has no place for, such as `thought_signature`."""

    google: Json


class GoogleStatus(TypedDict):
    """Google's own words on an error of Google's."""

    status: str
    details: list[object]


class ErrorDetail(TypedDict):
    """What went wrong, and where: `param` names the parameter."""

    message: str
    type: str
    param: str | None
    code: str | None
    google: NotRequired[GoogleStatus]


class ErrorBody(TypedDict):
    """The body of every failure, and the event that ends a stream which fails."""

    error: ErrorDetail


class BatchInputError(TypedDict):
    """An error in the input of a batch; `line` counts from 1."""

    code: str
    line: int | None
    message: str
    param: str | None


class InputErrors(TypedDict):
    """The errors in the input of a batch."""

    object: Literal["list"]
    data: list[BatchInputError]


class DryRun(TypedDict):
    """What would be sent to Google: the first of `calls` requests."""

    object: Literal["gemgate.dry_run"]
    method: Literal["GET", "POST"]
    path: str
    body: Json | None
    calls: int
    dropped_params: list[str]
    adjusted: list[str]


class Health(TypedDict):
    """The process lives; with GEMGATE_REDIS_URL, whether Redis does."""

    status: Literal["ok"]
    redis: NotRequired[Literal["up", "down"]]


class Unready(TypedDict):
    """Why no requests should be sent here."""

    status: Literal["unavailable"]
    reason: str
