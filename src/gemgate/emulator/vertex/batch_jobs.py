"""Vertex AI's batch jobs: `…/batchPredictionJobs`, whose requests and answers are objects in a bucket.

Source: https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.batchPredictionJobs; the form of
lines is of https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/batch-prediction-from-cloud-storage.
"""

import asyncio
import re
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

import orjson
from starlette.requests import Request

from gemgate.emulator import families, generate
from gemgate.emulator.caches import paged
from gemgate.emulator.content import RequestContent
from gemgate.emulator.course import begin_resource, whole
from gemgate.emulator.delivery import Delivery, Reset
from gemgate.emulator.errors import GoogleApiError, invalid, overloaded
from gemgate.emulator.families import ModelFamily
from gemgate.emulator.incoming import RequestIdentity, paging, read
from gemgate.emulator.jobs import EmulatedJob, Order
from gemgate.emulator.lines import Answerer, JobLine, from_file
from gemgate.emulator.prompt import scenario_in
from gemgate.emulator.replies import html_reply, json_reply
from gemgate.emulator.scenarios import JOB_PREFIX, Scenario, parse
from gemgate.emulator.state import EmulatorState
from gemgate.emulator.stream import pretty
from gemgate.emulator.timing import rfc3339
from gemgate.emulator.validation import Json
from gemgate.emulator.vertex import words
from gemgate.emulator.vertex.access import check_token
from gemgate.emulator.vertex.body import as_developer, with_objects
from gemgate.emulator.vertex.caches import number_of
from gemgate.emulator.vertex.dress import dressed
from gemgate.emulator.vertex.embedding_jobs import check_place, embedding_answerer

_MODEL = re.compile(r"(?:projects/[^/]{1,80}/locations/[^/]{1,40}/)?publishers/google/models/([\w.-]{1,128})")
_FILTER = re.compile(r'display_name="([^"\\]{1,128})"')
_MARK = re.compile(rb"\[\[\s{0,9}emulator:\s{0,9}(batch-[^\]]{1,200})\]\]", re.IGNORECASE)
_FORMS = {"instancesFormat": "jsonl", "predictionsFormat": "jsonl"}


@dataclass(frozen=True, slots=True)
class PredictionJob:
    """A job, and what it was created with."""

    job: EmulatedJob
    name: str
    body: Json
    folder: str

    def resource(self, now: float) -> dict[str, object]:
        """The `BatchPredictionJob`."""
        job, state = self.job, self.job.state(now)
        done, is_over = job.done(now), state not in {"PENDING", "RUNNING"}
        failed = sum(job.results.failed[:done])
        shown: dict[str, object] = {
            "name": self.name,
            **{key: self.body[key] for key in ("displayName", "model", "inputConfig", "outputConfig")},
            "state": f"JOB_STATE_{state}",
            "createTime": rfc3339(job.created, 6),
            "updateTime": rfc3339(job.ends if is_over else job.created, 6),
        }
        if is_over:
            shown["endTime"] = rfc3339(job.ends, 6)
            counts = {
                "successfulCount": done - failed,
                "failedCount": failed,
                "incompleteCount": job.order.count - done,
            }
            shown["completionStats"] = {key: str(count) for key, count in counts.items() if count}
        if is_over and done:
            shown["outputInfo"] = {"gcsOutputDirectory": self.folder}
        if state in {"FAILED", "EXPIRED"}:
            shown["error"] = {"code": 3, "message": job.results.problem or "The batch prediction job did not succeed."}
        return shown


async def create_job(state: EmulatorState, request: Request) -> Delivery:
    """POST …/batchPredictionJobs.

    Raises:
        GoogleApiError: What Vertex AI would refuse, and what the scenario refuses.
    """
    body = await read(state, request, partial(check_token, state, request))
    given = body if isinstance(body, dict) else {}
    project, location = request.path_params["project"], request.path_params["location"]
    for place, form in (("inputConfig", "instancesFormat"), ("outputConfig", "predictionsFormat")):
        config = given.get(place)
        if not isinstance(config, dict) or config.get(form) != _FORMS[form] or not given.get("displayName"):
            raise invalid(f"Invalid value at '{place}.{form}', or a required field is missing.")
    found = _MODEL.fullmatch(str(given.get("model")))
    model = families.find(found[1], method="generateContent", day=state.day) if found else None
    if model is None:
        raise words.model_not_found(f"projects/{project}/locations/{location}/{given.get('model')}")
    if model.family.vector is not None:
        check_place(model, location)
    content = _content(state, given["inputConfig"])
    lines = list(content.lines())
    marked = next((mark[1].decode() for line in lines if (mark := _MARK.search(line))), "")
    scenario = parse(marked) if marked else Scenario()
    scenario = scenario if scenario.name.startswith(JOB_PREFIX) else Scenario()
    if scenario.name == "batch-refused" and state.attempt(f"refused {given['displayName']}") <= scenario.number:
        raise overloaded()
    prefix = str(given["outputConfig"].get("gcsDestination", {}).get("outputUriPrefix", "")).rstrip("/")
    folder = f"{prefix}/prediction-model-{rfc3339(state.now(), 3)}"
    order = Order(
        owner=project,
        kind="GenerateContentBatch",
        model=model.name,
        display_name=given["displayName"],
        priority=0,
        lines=partial(from_file, content, "input", ("key", "request") if model.family.vector else ("request",)),
        count=len(lines),
        answer=_answerer(state, project, model, location),
        in_file=True,
        scenario=scenario,
        deliver=partial(_deliver, state, f"{folder}/predictions.jsonl"),
    )
    job = state.jobs.create(order)
    number = str(10**18 + len(state.predictions))
    name = f"projects/{number_of(project)}/locations/{location}/batchPredictionJobs/{number}"
    made = state.predictions[name] = PredictionJob(job, name, given, folder)
    if scenario.name == "batch-lost" and state.attempt(f"lost {order.display_name}") <= scenario.number:
        return Delivery(state, 200, {}, [Reset()])
    own = begin_resource(state, RequestIdentity(project), f"batch {name}", scenario_in(order.display_name))
    return whole(state, own, pretty(made.resource(state.now())))


def _content(state: EmulatorState, config: Json) -> RequestContent:
    """The requests, of one object or of several.

    Raises:
        GoogleApiError: 400, an object is missing.
    """
    whole = RequestContent()
    for uri in config.get("gcsSource", {}).get("uris") or [""]:
        found = state.objects.get(str(uri).removeprefix("gs://"))
        if found is None:
            raise invalid(f"Failed to read the input of the job: {uri} does not exist.")
        for line in found[0].lines():
            whole.write(line + b"\n")
    return whole


def _deliver(state: EmulatorState, uri: str, content: RequestContent) -> None:
    state.objects[uri.removeprefix("gs://")] = content, state.now()


def _answerer(state: EmulatorState, project: str, model: ModelFamily, location: str) -> Answerer:
    if model.family.vector is not None:
        return embedding_answerer(state, project, model)
    resource = f"projects/{project}/locations/{location}/publishers/google/models/{model.name}"

    def answer(line: JobLine) -> Json:
        try:
            request = as_developer("generateContent", model.name, with_objects(line.request, state.objects))
            response = generate.respond(state, RequestIdentity(project), model, request)
            done = {"status": "", "response": dressed(response, "ON_DEMAND", state.now())}
        except GoogleApiError as error:
            said = words.in_vertex_words(error, resource, project)
            text = orjson.dumps(said.body()).decode()
            done = {"status": f"{HTTPStatus(said.status).phrase}: {text}", "response": {}}
        return {**line.echoed, **done, "processed_time": rfc3339(state.now(), 6)}

    return answer


async def list_jobs(state: EmulatorState, request: Request) -> Delivery:
    """GET …/batchPredictionJobs: the newest first; of filters, only one of the display name is known."""
    await read(state, request, partial(check_token, state, request))
    params, query = request.path_params, request.query_params.get("filter", "")
    wanted = _FILTER.fullmatch(query)
    if query and wanted is None:
        raise invalid(f"Invalid filter: {query}.")
    parent = f"projects/{number_of(params['project'])}/locations/{params['location']}/"
    found = [made for name, made in reversed(state.predictions.items()) if name.startswith(parent)]
    found = [made for made in found if wanted is None or made.body["displayName"] == wanted[1]]
    for made in found:
        state.jobs.settle(made.job, 0)
    shown = [made.resource(state.now()) for made in found]
    return json_reply(state, paged("batchPredictionJobs", shown, *paging(request)))


async def one_job(state: EmulatorState, request: Request) -> Delivery:
    """GET and DELETE …/batchPredictionJobs/{id}, and POST …/batchPredictionJobs/{id}:cancel.

    Raises:
        GoogleApiError: 404 for a job that is not there.
    """
    await read(state, request, partial(check_token, state, request))
    params = request.path_params
    number, colon, method = params["number"].partition(":")
    if (request.method == "POST") != bool(colon) or method not in ("", "cancel"):
        return html_reply(state, 404)
    project = number_of(params["project"])
    name = f"projects/{project}/locations/{params['location']}/batchPredictionJobs/{number}"
    made = state.predictions.get(name)
    if made is None:
        raise GoogleApiError(404, f"The BatchPredictionJob {name} does not exist.")
    if request.method == "DELETE":
        del state.predictions[name]
        return json_reply(state, {})
    if method == "cancel":
        await asyncio.to_thread(state.jobs.cancel, made.job)
        return json_reply(state, {})
    await asyncio.to_thread(state.jobs.settle, made.job)
    made.job.polls += 1
    scenario = made.job.order.scenario
    if scenario.name == "batch-flaky" and made.job.polls <= scenario.number:
        raise overloaded()
    state.jobs.step(made.job)
    return json_reply(state, made.resource(state.now()))
