"""Methods that Vertex AI has in another form: requests and answers of the Developer API, there and back. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gemgate.gemini.errors import Failure, GeminiError, TransportError
from gemgate.gemini.model_catalog import Catalog
from gemgate.gemini.vertex.facts import embedding_row

Json = Mapping[str, Any]

MODELS_PATH = "/v1beta1/publishers/google/models"
"""Where Vertex AI lists models, whatever the project and the location."""

METHODS = (
    "generateContent",
    "streamGenerateContent",
    "countTokens",
    "computeTokens",
    "predict",
    "embedContent",
    "batchEmbedContents",
)
"""Those of models that Vertex AI has; all but `computeTokens` have their names from the Developer API."""

_COUNTED = ("contents", "systemInstruction", "tools", "generationConfig")
_METHODS_FOR = {
    "embeddings": ["embedContent", "batchEmbedContents", "countTokens"],
    "chat": ["generateContent", "countTokens"],
}


class MethodCall(NamedTuple):
    """One call of a method of Vertex AI: its name and its body."""

    method: str
    body: Json


def count_body(body: Json) -> Json:
    """The body of `countTokens`: what the Developer API has in `generateContentRequest` is at the top level."""
    whole = body.get("generateContentRequest")
    if not isinstance(whole, Mapping):
        return body
    return {name: whole[name] for name in _COUNTED if name in whole}


def embedding_calls(model: str, body: Json) -> list[MethodCall]:
    """The calls for the `requests` of one `batchEmbedContents`, in their order.

    Args:
        model: The name of the model, without a prefix.
        body: That of the Developer API.

    Raises:
        GeminiError: 400, the model takes text alone, and there is more.
    """
    row = embedding_row(model)
    requests: Sequence[Json] = body.get("requests") or ()
    if row.method == "embedContent":
        return [MethodCall("embedContent", _without_model(request)) for request in requests]
    groups = [requests[start : start + row.texts] for start in range(0, len(requests), row.texts)]
    return [MethodCall("predict", _prediction(group)) for group in groups]


def embeddings_in(answers: Sequence[Json]) -> dict[str, object]:
    """The answers of such calls as that of `batchEmbedContents`; without usage where one of them says nothing of it.

    Raises:
        TransportError: an answer holds no vectors.
    """
    embeddings: list[Json] = []
    counts: list[object] = []
    for answer in answers:
        if isinstance(one := answer.get("embedding"), Mapping):
            embeddings.append(one)
            counts.append((answer.get("usageMetadata") or {}).get("promptTokenCount"))
            continue
        for prediction in answer.get("predictions") or ():
            found = prediction.get("embeddings") if isinstance(prediction, Mapping) else None
            if not isinstance(found, Mapping):
                raise TransportError(Failure.INVALID_BODY)
            embeddings.append({"values": found.get("values")})
            counts.append((found.get("statistics") or {}).get("token_count"))
    whole: dict[str, object] = {"embeddings": embeddings}
    numbers = [int(count) for count in counts if isinstance(count, int | float)]
    if len(numbers) == len(counts):
        whole["usageMetadata"] = {"promptTokenCount": sum(numbers)}
    return whole


def models_in(answer: Json, catalog: Catalog, prefix: str = "models/") -> dict[str, object]:
    """A page of Vertex AI's list as one of `models.list`; what its entries do not say is taken from `catalog`.

    The names begin with `prefix`: with `vertex/` where the Developer API has a list too.
    """
    models = [
        _model(prefix, name.rpartition("/")[2], entry, catalog)
        for entry in answer.get("publisherModels") or ()
        if isinstance(entry, Mapping) and isinstance(name := entry.get("name"), str)
    ]
    page: dict[str, object] = {"models": models}
    if token := answer.get("nextPageToken"):
        page["nextPageToken"] = token
    return page


def _model(prefix: str, name: str, entry: Json, catalog: Catalog) -> dict[str, object]:
    facts = catalog.facts(name)
    methods = _METHODS_FOR.get(facts.purpose, [])
    if facts.purpose == "images" and facts.image_method == "predict":
        methods = ["predict"]
    elif facts.purpose in ("images", "transcription"):
        methods = _METHODS_FOR["chat"]
    model: dict[str, object] = {"name": prefix + name, "supportedGenerationMethods": methods}
    if isinstance(version := entry.get("versionId"), str):
        model["version"] = version
    if facts.thinking != "none" and "generateContent" in methods:
        model["thinking"] = True
    return model


def _without_model(request: Json) -> Json:
    return {name: value for name, value in request.items() if name != "model"}


def _prediction(requests: Sequence[Json]) -> Json:
    instances: list[Json] = []
    parameters: dict[str, object] = {}
    for request in requests:
        instance: dict[str, object] = {"content": _text_of(request)}
        for native, name in (("taskType", "task_type"), ("title", "title")):
            if native in request:
                instance[name] = request[native]
        if "outputDimensionality" in request:
            parameters["outputDimensionality"] = request["outputDimensionality"]
        instances.append(instance)
    return {"instances": instances, "parameters": parameters} if parameters else {"instances": instances}


def _text_of(request: Json) -> str:
    parts = (request.get("content") or {}).get("parts") or ()
    if any("text" not in part for part in parts):
        raise GeminiError(400, "This model embeds text alone in Vertex AI.", "INVALID_ARGUMENT")
    return "\n".join(str(part["text"]) for part in parts)
