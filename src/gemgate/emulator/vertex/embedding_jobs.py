"""Batch jobs of embedding models: where they run, and what their lines and answers are like.

Source: docs.cloud.google.com/gemini-enterprise-agent-platform, `batch-prediction-genai-embeddings`, for locations and
requests; llumiverse PR 647 for answers and errors. Jobs of `text-embedding-…` have other lines, and are not here.
"""

import orjson

from gemgate.emulator import embed
from gemgate.emulator.errors import GoogleApiError, bad_request, invalid
from gemgate.emulator.families import ModelFamily
from gemgate.emulator.incoming import RequestIdentity
from gemgate.emulator.lines import Answerer, JobLine
from gemgate.emulator.state import EmulatorState
from gemgate.emulator.timing import rfc3339
from gemgate.emulator.validation import Json, Violation

_REGIONS = frozenset(
    {"us-central1", "us-east1", "us-east4", "us-west1", "us-west4", "europe-west1", "europe-west4"},
)
_MULTI_REGIONS = frozenset({"global", "us", "eu"})
_FIELDS = {
    "content": "content",
    "embed_content_config": "embedContentConfig",
    "embedContentConfig": "embedContentConfig",
}
_CODES = {400: 3, 403: 7, 404: 5, 429: 8, 500: 13, 503: 14}
"""Of `google.rpc.Code`, by HTTP statuses."""


def check_place(model: ModelFamily, location: str) -> None:
    """Refuse a model that has no jobs, or none in this location. The first text is Google's, the other one a guess.

    Raises:
        GoogleApiError: 400.
    """
    kind = model.family.vector
    if kind is None or not (kind.rich or model.name == "gemini-embedding-001"):
        raise invalid(f"Do not support publisher model {model.name}")
    if location not in (_MULTI_REGIONS if kind.rich else _REGIONS):
        raise invalid(f"Batch prediction of publisher model {model.name} is not supported in location {location}.")


def embedding_answerer(state: EmulatorState, project: str, model: ModelFamily) -> Answerer:
    """What answers a line: `{"key", "request", "status", "response": {"embedding", "tokenCount"}}`."""

    def answer(line: JobLine) -> Json:
        done: Json
        try:
            response = embed.respond(state, RequestIdentity(project), model, _canonical(model, line.request))
            done = {"status": "", "response": response}
        except GoogleApiError as error:
            status = {"code": _CODES.get(error.status, 2), "message": error.message}
            done = {"status": orjson.dumps(status).decode(), "response": {}}
        return {**line.echoed, **done, "processed_time": rfc3339(state.now(), 6)}

    return answer


def _canonical(model: ModelFamily, request: Json) -> Json:
    """A line's request as the Developer API has it.

    Raises:
        GoogleApiError: 400 for fields that it does not have in jobs: settings are in an object of their own.
    """
    if unknown := sorted(request.keys() - _FIELDS.keys()):
        raise bad_request(
            [
                Violation("", f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.')
                for name in unknown
            ]
        )
    return {"model": f"models/{model.name}", **{_FIELDS[name]: value for name, value in request.items()}}
