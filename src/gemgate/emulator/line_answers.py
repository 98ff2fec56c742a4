"""What a line of a batch job is answered: by the code that answers live requests."""

from typing import Any

from gemgate.emulator import embed, generate
from gemgate.emulator.errors import GoogleApiError, invalid
from gemgate.emulator.families import ModelFamily
from gemgate.emulator.incoming import RequestIdentity
from gemgate.emulator.lines import Answerer, JobLine
from gemgate.emulator.state import EmulatorState

# google.rpc.Code, by the name in `error.status`.
CODES = {
    "CANCELLED": 1,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "UNAUTHENTICATED": 16,
}


def answerer(state: EmulatorState, by: RequestIdentity, model: ModelFamily, kind: str, *, in_file: bool) -> Answerer:
    """What answers a line of a job: `{"response"}` or `{"error"}` with what is echoed.

    `error.code` is a `google.rpc.Code` in an inline result, as the schema has it, and an HTTP status in a file, as
    Google's guide shows it.
    """
    respond = embed.respond if kind == "EmbedContentBatch" else generate.respond

    def answer(line: JobLine) -> dict[str, Any]:
        try:
            result: dict[str, Any] = {"response": respond(state, by, model, _with_model(line.request, model))}
        except GoogleApiError as error:
            code = error.status if in_file else CODES.get(error.name, 2)
            result = {"error": {"code": code, "message": error.message}}
        return result | line.echoed

    return answer


def _with_model(request: dict[str, object], model: ModelFamily) -> dict[str, object]:
    """The request with the model of the job.

    Raises:
        ApiError: 400, it names another one.
    """
    check_model(request, model)
    return {**request, "model": f"models/{model.name}"}


def check_model(request: dict[str, object], model: ModelFamily) -> None:
    """Whether a request is for the model of its job, or for none.

    Raises:
        ApiError: 400, for another one.
    """
    if (named := request.get("model")) and named != f"models/{model.name}":
        raise invalid(f"All requests of a batch must be for one model: models/{model.name}, not {named}.")
