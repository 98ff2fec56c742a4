"""predictLongRunning and its operations: the videos of Veo, made by the clock and kept as files of the service.

Shapes: recorded exchanges. A video is an MP4 container with nothing to see in it, and differs with its prompt.
"""

import hashlib
import struct
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import Request

from gemgate.emulator.caches import paged
from gemgate.emulator.content import RequestContent
from gemgate.emulator.course import begin, begin_resource, whole
from gemgate.emulator.delivery import Delivery
from gemgate.emulator.errors import bad_request, invalid, not_found
from gemgate.emulator.families import ModelFamily
from gemgate.emulator.files import ORIGIN, random_id
from gemgate.emulator.incoming import caller, paging, read
from gemgate.emulator.prompt import scenario_in
from gemgate.emulator.state import EmulatorState
from gemgate.emulator.stream import pretty
from gemgate.emulator.validation import parse

MAX_SAMPLES = 4
_RESPONSE = "type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse"
_FILTERED = (
    "Videos were filtered out because they violated Google's Responsible AI practices. You will not be charged for "
    "blocked videos. Try rephrasing the prompt. If you think this was an error, send feedback."
)
_POSSIBLE: dict[str, tuple[object, ...]] = {
    "durationSeconds": (4, 6, 8),
    "aspectRatio": ("16:9", "9:16"),
    "resolution": ("720p", "1080p", "4k"),
    "sampleCount": tuple(range(1, MAX_SAMPLES + 1)),
}


@dataclass(slots=True)
class VideoOperation:
    """Videos that are being made; they are files once somebody asks after `ends`, in seconds since 1970."""

    name: str
    owner: str
    videos: list[bytes]
    filtered: int
    ends: float
    files: list[str] = field(default_factory=list)

    def resource(self, now: float) -> dict[str, object]:
        """The `VideoOperation`: nothing but its name until it is done."""
        if now < self.ends:
            return {"name": self.name}
        samples = [{"video": {"uri": f"{ORIGIN}/v1beta/{name}:download?alt=media"}} for name in self.files]
        videos: dict[str, object] = {"generatedSamples": samples} if samples else {}
        if self.filtered:
            videos |= {"raiMediaFilteredCount": self.filtered, "raiMediaFilteredReasons": [_FILTERED] * self.filtered}
        return {"name": self.name, "done": True, "response": {"@type": _RESPONSE, "generateVideoResponse": videos}}


def predict_long_running(state: EmulatorState, request: Request, model: ModelFamily, body: Any) -> Delivery:
    """POST /v1beta/models/{model}:predictLongRunning: `{"name": "models/{model}/operations/{id}"}`.

    Raises:
        ApiError: What Google would refuse, and what the scenario refuses.
    """
    canonical, found = parse("PredictLongRunningRequest", body)
    if found:
        raise bad_request(found)
    prompt, count = _prompt(canonical.get("instances") or []), _count(canonical.get("parameters") or {})
    by = caller(request)
    scenario = begin(state, by, model, "predictLongRunning", asked=scenario_in(prompt), content=canonical)
    filtered = min(count, int(scenario.number)) if scenario.name == "rai-filtered" else 0
    made = VideoOperation(
        name=f"models/{model.name}/operations/{random_id(12)}",
        owner=by.owner,
        videos=[_video(canonical, number) for number in range(count - filtered)],
        filtered=filtered,
        ends=state.now() + state.timing.pending + state.timing.running,
    )
    state.operations[made.name] = made
    return whole(state, scenario, pretty({"name": made.name}))


async def one_operation(state: EmulatorState, request: Request) -> Delivery:
    """GET /v1beta/models/{model}/operations/{id}.

    Raises:
        ApiError: 404 for an operation that this key does not have.
    """
    await read(state, request)
    by, parts = caller(request), request.path_params
    scenario = begin_resource(state, by, f"GET {request.url.path}")
    found = state.operations.get(f"models/{parts['model']}/operations/{parts['name']}")
    if found is None or found.owner != by.owner:
        raise not_found()
    return whole(state, scenario, pretty(_settled(state, found)))


async def list_operations(state: EmulatorState, request: Request) -> Delivery:
    """GET /v1beta/models/{model}/operations: those of this key, the newest first.

    Raises:
        ApiError: 400, an invalid size or token.
    """
    await read(state, request)
    by, prefix = caller(request), f"models/{request.path_params['model']}/"
    scenario = begin_resource(state, by, f"GET {request.url.path}")
    mine = [each for each in state.operations.values() if each.owner == by.owner and each.name.startswith(prefix)]
    page = paged("operations", [_settled(state, each) for each in reversed(mine)], *paging(request))
    return whole(state, scenario, pretty(page))


def _settled(state: EmulatorState, operation: VideoOperation) -> dict[str, object]:
    """The operation as it is now; what is done is kept as files from then on."""
    now = state.now()
    if now >= operation.ends and not operation.files:
        for video in operation.videos:
            name = f"files/{random_id(12)}"
            state.files.add_generated(operation.owner, name, RequestContent(video), operation.ends, "video/mp4")
            operation.files.append(name)
    return operation.resource(now)


def _prompt(instances: list[Any]) -> str:
    if len(instances) != 1:
        raise invalid("The number of instances must be 1.")
    prompt = instances[0].get("prompt", "") if isinstance(instances[0], dict) else None
    if not isinstance(prompt, str) or not (prompt.strip() or "image" in instances[0]):
        raise invalid("An instance needs a prompt or an image.")
    return prompt


def _count(parameters: object) -> int:
    """How many videos are wanted. Names that nobody knows are ignored: `parameters` is free-form JSON in the schema.

    Raises:
        ApiError: 400, a value that is not one of the possible ones.
    """
    if not isinstance(parameters, dict):
        raise invalid("The parameters must be an object.")
    for name, possible in _POSSIBLE.items():
        if name in parameters and parameters[name] not in possible:
            shown = orjson.dumps(parameters[name]).decode()
            raise invalid(f"{name} {shown} is not supported. Possible values are: {', '.join(map(str, possible))}.")
    return int(parameters.get("sampleCount", 1))


def _video(asked: dict[str, object], number: int) -> bytes:
    """Boxes `ftyp` and `mdat` of https://www.iso.org/standard/83102.html, the second with a digest of the request."""
    digest = hashlib.sha256(orjson.dumps([asked, number])).digest()
    kind = b"isom" + struct.pack(">I", 512) + b"isommp42"
    return b"".join(struct.pack(">I", len(data) + 8) + box + data for box, data in ((b"ftyp", kind), (b"mdat", digest)))
