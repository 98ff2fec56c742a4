"""Refusals in Vertex AI's words. Texts are recorded, or from public reports where that is said."""

import re

from gemgate.emulator.errors import GoogleApiError

SERVICE = "aiplatform.googleapis.com"
_TYPE = "type.googleapis.com/google.rpc."
_LOCAL = "generativelanguage.googleapis.com"
_SIGNED = re.compile(r"function call `(?:default_api:)?([^`]{1,200})` , position (\d{1,6})")
_MODELS = re.compile(r"\bmodels/([A-Za-z0-9._-]{1,128})")
_LEARN = "https://cloud.google.com/vertex-ai/generative-ai/docs/"


def _info(reason: str, **metadata: str) -> dict[str, object]:
    return {"@type": _TYPE + "ErrorInfo", "reason": reason, "domain": "googleapis.com", "metadata": metadata}


def unauthenticated(reason: str, message: str, version: str, method: str) -> GoogleApiError:
    """A 401: a missing credential, an API key on a project's path, or a token that ended."""
    service = f"google.cloud.aiplatform.{version}.PredictionService.{method[:1].upper()}{method[1:]}"
    return GoogleApiError(401, message, [_info(reason, method=service, service=SERVICE)])


MISSING = (
    "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
UNUSABLE = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
KEYS = (
    "API keys are not supported by this API. Expected OAuth2 access token or other authentication credentials that "
    "assert a principal. See https://cloud.google.com/docs/authentication"
)


def permission_denied(resource: str) -> GoogleApiError:
    """A 403: the caller's roles do not let it call the model."""
    return GoogleApiError(
        403,
        f"Permission 'aiplatform.endpoints.predict' denied on resource '//{SERVICE}/{resource}' (or it may not exist).",
        [
            {
                **_info("IAM_PERMISSION_DENIED", permission="aiplatform.endpoints.predict", resource=resource),
                "domain": SERVICE,
            }
        ],
    )


def service_disabled(project: str) -> GoogleApiError:
    """A 403: the API is not enabled for the project."""
    url = f"https://console.developers.google.com/apis/api/{SERVICE}/overview?project={project}"
    return GoogleApiError(
        403,
        f"Vertex AI API has not been used in project {project} before or it is disabled. Enable it by visiting {url} "
        "then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems "
        "and retry.",
        [
            {
                "@type": _TYPE + "Help",
                "links": [{"description": "Google developers console API activation", "url": url}],
            },
            _info("SERVICE_DISABLED", service=SERVICE, consumer=f"projects/{project}"),
        ],
    )


def model_not_found(resource: str) -> GoogleApiError:
    """A 404: no such model, or not in this location."""
    return GoogleApiError(
        404,
        f"Publisher Model `{resource}` was not found or your project does not have access to it. Please ensure you are "
        f"using a valid model version. For more information, see: {_LEARN}learn/model-versions",
    )


def exhausted() -> GoogleApiError:
    """A 429 of the shared pool: no quota is named."""
    return GoogleApiError(
        429,
        f"Resource exhausted. Please try again later. Please refer to {_LEARN}error-code-429 for more details.",
    )


def foreign_signature() -> GoogleApiError:
    """A 400: a thought signature that was not made here. The text is from public reports."""
    return GoogleApiError(
        400,
        f"Unable to submit request because Thought signature is not valid.. Learn more: {_LEARN}model-reference/gemini",
    )


def in_vertex_words(error: GoogleApiError, resource: str, project: str) -> GoogleApiError:
    """A refusal of the Developer API as Vertex AI has it."""
    if error.status == 404:
        return model_not_found(resource)
    if error.status == 429:
        return exhausted()
    if error.status == 403 and "SERVICE_DISABLED" in str(error.details):
        return service_disabled(project)
    if error.status == 401:
        return unauthenticated("ACCESS_TOKEN_EXPIRED", UNUSABLE, "v1", "generateContent")
    if error.message == "Thought signature is not valid.":
        return foreign_signature()
    if found := _SIGNED.search(error.message):
        return GoogleApiError(
            400,
            f"Unable to submit request because function call `{found[1]}` in the {found[2]}. content block is missing "
            f"a `thought_signature`. Learn more: {_LEARN}thought-signatures",
        )
    message = _MODELS.sub(r"\1", error.message).replace(
        "google.ai.generativelanguage.v1beta.", "google.cloud.aiplatform.v1."
    )
    return GoogleApiError(error.status, message.replace(_LOCAL, SERVICE), error.details, error.reason)
