"""Answers as Vertex AI has them: no index, no ids in calls, a traffic type, the time, and signatures of its own."""

from collections.abc import Mapping
from datetime import UTC, datetime

from gemgate.emulator import signatures
from gemgate.emulator.validation import Json

SHARED_HEADER = "x-vertex-ai-llm-shared-request-type"
_TRAFFIC = {"priority": "ON_DEMAND_PRIORITY", "flex": "ON_DEMAND_FLEX"}
_INVOCATIONS = ("toolCall", "toolResponse")
_BLOCKED = (
    "The prompt could not be submitted. This prompt contains sensitive words that violate Google's Responsible AI "
    "practices."
)


def traffic_type(headers: Mapping[str, str], location: str) -> str:
    """`usageMetadata.trafficType`: other lanes than the usual one are there at the global endpoint only."""
    asked = _TRAFFIC.get(headers.get(SHARED_HEADER, "").lower(), "")
    return asked if asked and location == "global" else "ON_DEMAND"


def dressed(response: Json, traffic: str, now: float) -> Json:
    """A `GenerateContentResponse`, or an event of a stream, in Vertex AI's form."""
    result = dict(response)
    if "candidates" in response:
        result["candidates"] = [_candidate(candidate) for candidate in response["candidates"]]
    if "promptFeedback" in response:
        result["promptFeedback"] = {**response["promptFeedback"], "blockReasonMessage": _BLOCKED}
    usage = {name: value for name, value in response.get("usageMetadata", {}).items() if name != "serviceTier"}
    is_last = (
        any("finishReason" in candidate for candidate in response.get("candidates", ())) or "promptFeedback" in response
    )
    result["usageMetadata"] = {**(usage if is_last else {}), "trafficType": traffic}
    result["createTime"] = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return result


def _candidate(candidate: Json) -> Json:
    rest = {name: value for name, value in candidate.items() if name != "index"}
    content = rest.get("content")
    if content and "parts" in content:
        parts = [_part(part) for part in content["parts"] if not any(name in part for name in _INVOCATIONS)]
        rest["content"] = {**content, "parts": parts}
    return rest


def _part(part: Json) -> Json:
    result = dict(part)
    if "functionCall" in result:
        result["functionCall"] = {name: value for name, value in result["functionCall"].items() if name != "id"}
    if "thoughtSignature" in result:
        result["thoughtSignature"] = signatures.to_vertex(result["thoughtSignature"])
    return result
