"""Whether the way to Vertex AI works with these settings, in words."""

from dataclasses import replace

from gemgate.gemini.client.client import ClientOptions, GeminiClient
from gemgate.gemini.client.environment import UnusableEnvironmentError
from gemgate.gemini.errors import GeminiError, TransportError
from gemgate.gemini.resource_names import VERTEX
from gemgate.gemini.vertex import google_auth
from gemgate.gemini.vertex.client import VertexClient
from gemgate.gemini.vertex.credentials import BearerTokens, CredentialsError
from gemgate.gemini.vertex.lanes import Lane, Lanes, host_of
from gemgate.gemini.vertex.methods import MODELS_PATH
from gemgate.redaction import redact
from gemgate.settings import Settings
from gemgate.startup.clients import bucket_of, service_account_of

MODEL = "gemini-2.5-flash"
"""The model that is asked for where the operator's table names none."""

_BODY = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}


async def check_vertex(settings: Settings, options: ClientOptions) -> list[tuple[bool, str]]:
    """Has Vertex AI count the tokens of a word in each location that is set; whether that is good, and a sentence.

    Where there is a bucket, an object is written into it and deleted.
    """
    lanes = settings.vertex_lanes
    origin = settings.vertex_endpoint or host_of(settings.google_cloud_location)
    if settings.passes_keys_through:
        return [await _check_way(replace(options, upstream=origin))]
    account = service_account_of(settings)
    try:
        tokens = None if settings.vertex_api_key else google_auth.google_tokens(service_account=account)
        client = VertexClient(replace(options, upstream=origin), lanes, tokens)
    except (UnusableEnvironmentError, CredentialsError) as error:
        return [(False, f"Vertex AI cannot be asked: {str(error).rstrip('.')}.")]
    async with client:
        if tokens is not None and (failure := _failure(tokens)):
            return [(False, f"Vertex AI cannot be asked, because {failure.rstrip('.')}.")]
        found = [await _check_lane(client, lane, _model_for(settings, lanes, lane)) for lane in lanes.all]
        if bucket := bucket_of(settings, client):
            problem = await bucket.problem()
            works = f"{settings.vertex_bucket} works: an object was written and deleted."
            found.append((problem is None, problem or works))
        return found


async def _check_way(options: ClientOptions) -> tuple[bool, str]:
    """Whether Vertex AI is reached at all, where no credentials are held that could be checked."""
    from gemgate.cli.check import explain_way

    passing = "Each caller's own access token is passed on to Vertex AI, and none can be checked."
    try:
        client = GeminiClient(options)
    except UnusableEnvironmentError as error:
        return False, f"{passing} {error}"
    async with client:
        try:
            await client.request("GET", MODELS_PATH, key="")
        except TransportError as error:
            return False, f"{passing} {explain_way(error, options.upstream)}"
        except GeminiError as error:
            if error.status >= 500 or error.status == 429:
                return (
                    False,
                    f"{passing} {options.upstream} answers {error.status}: {redact(error.message).rstrip('.')}.",
                )
            if error.status not in (401, 403):
                return False, f"{passing} {options.upstream} is not Vertex AI: it answers {error.status}."
    return True, f"{passing} {options.upstream} answers."


def _failure(tokens: BearerTokens) -> str | None:
    try:
        tokens.current()
    except GeminiError as error:
        return tokens.failure or error.message
    return None


def _model_for(settings: Settings, lanes: Lanes, lane: Lane) -> str:
    """A model that the gateway would ask for there."""
    named = [model for models in settings.models.values() for model in models]
    if settings.asks_developer_api:
        named = [model.removeprefix(VERTEX) for model in named if model.startswith(VERTEX)]
    return next((model for model in [*named, MODEL] if lane in lanes.serving(model)), MODEL)


async def _check_lane(client: VertexClient, lane: Lane, model: str) -> tuple[bool, str]:
    where = "The express mode of Vertex AI" if lane.is_express else f"Vertex AI in {lane.project}, {lane.location}"
    try:
        await client.request("POST", f"/v1beta/models/{model}:countTokens", key=lane.name, json=_BODY)
    except GeminiError as error:
        return False, f"{where}: {explain_vertex(error, lane, model)}"
    return True, f"{where}, works: {lane.origin} answers for {model}."


def explain_vertex(error: GeminiError, lane: Lane, model: str) -> str:
    """What went wrong with a call of Vertex AI, and what to do about it."""
    from gemgate.cli.check import explain_way

    if isinstance(error, TransportError):
        return explain_way(error, lane.origin)
    said = f"Google says: {redact(error.message).rstrip('.')}."
    if error.error_info_reason == "SERVICE_DISABLED":
        enable = f"gcloud services enable aiplatform.googleapis.com --project {lane.project or 'PROJECT'}"
        return f"the API is not enabled in the project: run {enable}. {said}"
    if error.status == 403:
        return f"the credentials have no permission there: grant them the role roles/aiplatform.user. {said}"
    if error.status == 401 or error.is_invalid_key:
        return f"Google does not take the {'key' if lane.is_express else 'access token'}. {said}"
    if error.status == 404:
        return (
            f"{model} is not in this location, which new models reach after `global`: choose another one for it in "
            f"GEMGATE_VERTEX_LOCATIONS or GOOGLE_CLOUD_LOCATION. {said}"
        )
    if error.status == 502:
        return f"{lane.origin} is not Vertex AI: check the location and GEMGATE_VERTEX_ENDPOINT. {said}"
    if error.status == 429:
        return f"the credentials are good, but the quota is used up. {said}"
    return f"Google refused the call ({error.status}). {said}"
