"""predict of text embeddings: instances with a text each, and statistics in the answer."""

from typing import Any

from starlette.requests import Request

from gemgate.emulator import embed, usage
from gemgate.emulator.course import begin, whole
from gemgate.emulator.delivery import Delivery
from gemgate.emulator.errors import invalid
from gemgate.emulator.families import ModelFamily, Vector
from gemgate.emulator.incoming import caller
from gemgate.emulator.prompt import scenario_in
from gemgate.emulator.state import EmulatorState
from gemgate.emulator.stream import pretty
from gemgate.emulator.validation import Json

MAX_INSTANCES = 250
_TASKS = {
    "RETRIEVAL_QUERY",
    "RETRIEVAL_DOCUMENT",
    "SEMANTIC_SIMILARITY",
    "CLASSIFICATION",
    "CLUSTERING",
    "QUESTION_ANSWERING",
    "FACT_VERIFICATION",
    "CODE_RETRIEVAL_QUERY",
}


def predict_embeddings(state: EmulatorState, request: Request, model: ModelFamily, body: Any) -> Delivery:
    """`{"predictions": [{"embeddings": {"values", "statistics": {"token_count", "truncated"}}}, …]}`.

    Raises:
        GoogleApiError: What Vertex AI would refuse, and what the scenario refuses.
    """
    instances = body.get("instances") if isinstance(body, dict) else None
    if not isinstance(instances, list) or not instances:
        raise invalid("The number of instances must be at least 1.")
    if len(instances) > MAX_INSTANCES:
        raise invalid(f"{len(instances)} instance(s) is more than the maximum of {MAX_INSTANCES} instances.")
    parameters = body.get("parameters") or {}
    if unknown := set(parameters) - {"outputDimensionality", "autoTruncate"}:
        raise invalid(f"Invalid parameter: {min(unknown)}.")
    requests = [_request(model, instance, parameters) for instance in instances]
    asked = next(filter(None, (scenario_in(instance["content"]) for instance in instances)), "")
    scenario = begin(state, caller(request), model, "embedContent", asked=asked, content=instances)
    kind, maximum = model.family.vector or Vector(), model.family.limits[0]
    predictions = []
    for one in requests:
        embed.check_request(model, kind, one, "* PredictRequest.")
        tokens = usage.prompt_tokens({"contents": [one["content"]]}).total()
        statistics = {"truncated": tokens > maximum, "token_count": min(tokens, maximum)}
        values = embed.vector_of(kind, one, maximum)
        predictions.append({"embeddings": {"statistics": statistics, "values": values}})
    characters = sum(len(instance["content"]) for instance in instances)
    return whole(
        state, scenario, pretty({"predictions": predictions, "metadata": {"billableCharacterCount": characters}})
    )


def _request(model: ModelFamily, instance: object, parameters: Json) -> Json:
    """One instance as an `EmbedContentRequest`."""
    if not isinstance(instance, dict) or not isinstance(instance.get("content"), str) or not instance["content"]:
        raise invalid("The text content is empty.")
    if unknown := set(instance) - {"content", "task_type", "title", "taskType"}:
        raise invalid(f"Invalid instance: unknown field {min(unknown)}.")
    task = instance.get("task_type") or instance.get("taskType")
    if task and task not in _TASKS:
        raise invalid(f"Unable to submit request because the task type {task} is not supported.")
    given: Json = {name: value for name, value in parameters.items() if value is not None}
    if task:
        given["taskType"] = task
    if instance.get("title"):
        given["title"] = instance["title"]
    return {"model": f"models/{model.name}", "content": {"parts": [{"text": instance["content"]}]}, **given}
