""":batchGenerateContent and :asyncBatchEmbedContent, and /v1beta/batches: list, get, cancel, delete."""

import asyncio
import re
from collections.abc import Iterable
from functools import partial
from typing import Any

import orjson
from starlette.requests import Request

from gemgate.emulator import scenarios
from gemgate.emulator.caches import paged
from gemgate.emulator.course import begin_resource, whole
from gemgate.emulator.delivery import Delivery, Reset
from gemgate.emulator.errors import (
    bad_request,
    file_not_active,
    invalid,
    not_found,
    overloaded,
)
from gemgate.emulator.families import SCENARIO_PREFIX, ModelFamily
from gemgate.emulator.files import UploadedFile
from gemgate.emulator.incoming import (
    RequestIdentity,
    caller,
    paging,
    read,
    too_large,
)
from gemgate.emulator.jobs import EmulatedJob, Order
from gemgate.emulator.line_answers import answerer, check_model
from gemgate.emulator.lines import from_file, from_inline
from gemgate.emulator.prompt import scenario_in
from gemgate.emulator.replies import html_reply
from gemgate.emulator.scenarios import JOB_PREFIX, Scenario
from gemgate.emulator.state import EmulatorState
from gemgate.emulator.stream import pretty
from gemgate.emulator.validation import parse

_CANCEL = ":cancel"
_MARK = re.compile(rb"\[\[\s{0,9}emulator:\s{0,9}(batch-[^\]]{1,200})\]\]", re.IGNORECASE)
# A model of this name asks for these of the request that makes the job; of the others, for each line of it.
_OF_THE_CONNECTION = frozenset({"reset-before-headers", "reset-mid-stream", "garbage", "html-502", "slow-start"})


def batch_generate_content(state: EmulatorState, request: Request, model: ModelFamily, body: object) -> Delivery:
    """POST /v1beta/models/{model}:batchGenerateContent: the operation that represents the job.

    Raises:
        ApiError: What Google would refuse, and what the scenario refuses.
    """
    return _create(state, request, model, body, "BatchGenerateContentRequest", "GenerateContentBatch")


def async_batch_embed_content(state: EmulatorState, request: Request, model: ModelFamily, body: object) -> Delivery:
    """POST /v1beta/models/{model}:asyncBatchEmbedContent: the operation that represents the job.

    Raises:
        ApiError: What Google would refuse, and what the scenario refuses.
    """
    return _create(state, request, model, body, "AsyncBatchEmbedContentRequest", "EmbedContentBatch")


def _create(state: EmulatorState, request: Request, model: ModelFamily, body: Any, message: str, kind: str) -> Delivery:
    canonical, found = parse(message, body)
    if found:
        raise bad_request(found)
    by, batch = caller(request), canonical["batch"]
    requests, file = _input(state, request, batch, message)
    check_model(batch, model)
    for each in requests:
        check_model(each["request"], model)
    texts: Iterable[bytes] = file.content.lines() if file else (orjson.dumps(each) for each in requests)
    count, marked = _surveyed(texts)
    own, of_job = _scenarios(state, by, model, batch["displayName"], marked)
    if of_job.name == "batch-refused" and state.attempt(f"refused {batch['displayName']}") <= of_job.number:
        raise overloaded()
    order = Order(
        owner=by.owner,
        kind=kind,
        model=model.name,
        display_name=batch["displayName"],
        priority=batch.get("priority", 0),
        lines=partial(from_file, file.content) if file else partial(from_inline, requests),
        count=count,
        answer=answerer(state, RequestIdentity(by.owner, by.version), model, kind, in_file=file is not None),
        in_file=file is not None,
        scenario=of_job,
    )
    job = state.jobs.create(order)
    if of_job.name == "batch-lost" and state.attempt(f"lost {order.display_name}") <= of_job.number:
        return Delivery(state, 200, {}, [Reset()])
    return whole(state, own, pretty(job.operation(state.now())))


def _input(
    state: EmulatorState, request: Request, batch: dict[str, Any], message: str
) -> tuple[list[dict[str, Any]], UploadedFile | None]:
    """The inlined requests or the file of a job.

    Raises:
        ApiError: 400 for neither, for none and for too many bytes; 403 for a file that this key does not have.
    """
    given, place = batch["inputConfig"], f"* {message}.batch.input_config"
    if name := given.get("fileName"):
        file = state.files.get(caller(request).owner, name)
        if file.state(state.now()) != "ACTIVE":
            raise file_not_active(file.id)
        return [], file
    if "requests" not in given:
        raise invalid(f"{place}.source: required oneof field 'source' must have one initialized field\n")
    requests = given["requests"].get("requests") or []
    if not requests:
        raise invalid(f"{place}.requests.requests: requests is not specified\n")
    if request.state.size > state.limits.inline_batch:
        raise too_large(state.limits.inline_batch)
    return requests, None


def _surveyed(lines: Iterable[bytes]) -> tuple[int, str]:
    """How many lines there are, and the first scenario for the job that one of them asks for."""
    count, marked = 0, ""
    for line in lines:
        count += 1
        if not marked and (found := _MARK.search(line)):
            marked = found[1].decode().strip()
    return count, marked


def _scenarios(
    state: EmulatorState, by: RequestIdentity, model: ModelFamily, display_name: str, marked: str
) -> tuple[Scenario, Scenario]:
    """The scenario of the request that makes a job, and that of the job itself.

    The first of these counts: the header, the display name, the name of the model, the lines.

    Raises:
        ApiError: What the scenario refuses.
    """
    found = begin_resource(state, by, f"batch {display_name}", scenario_in(display_name))
    if found == Scenario() and model.name.startswith(SCENARIO_PREFIX):
        found = scenarios.find("", model.name, "")
        if found.name not in _OF_THE_CONNECTION and not found.name.startswith(JOB_PREFIX):
            found = Scenario()
    if found == Scenario() and marked:
        found = scenarios.parse(marked)
    return (Scenario(), found) if found.name.startswith(JOB_PREFIX) else (found, Scenario())


async def list_batches(state: EmulatorState, request: Request) -> Delivery:
    """GET /v1beta/batches: the operations without inline results, the newest first. `filter` is not looked at.

    Raises:
        ApiError: 400, an invalid size or token.
    """
    await read(state, request)
    by = caller(request)
    scenario = begin_resource(state, by, "list batches")
    return whole(state, scenario, pretty(paged("operations", state.jobs.listed(by.owner), *paging(request))))


async def one_batch(state: EmulatorState, request: Request) -> Delivery:
    """GET and DELETE /v1beta/batches/{id}, and POST /v1beta/batches/{id}:cancel.

    Raises:
        ApiError: 404 for a job that this key does not have.
    """
    name = request.path_params["name"]
    is_cancel = request.method == "POST"
    if is_cancel != name.endswith(_CANCEL):
        return html_reply(state, 404)
    await read(state, request)
    by = caller(request)
    scenario = begin_resource(state, by, f"{request.method} {request.url.path}")
    job = state.jobs.find(by.owner, name.removesuffix(_CANCEL))
    if job is None:
        raise not_found()
    if request.method == "DELETE":
        state.jobs.delete(job)
        return whole(state, scenario, pretty({}))
    if is_cancel:
        await asyncio.to_thread(state.jobs.cancel, job)
        return whole(state, scenario, pretty({}))
    await asyncio.to_thread(state.jobs.settle, job)
    return whole(state, scenario, pretty(_asked(state, job)))


def _asked(state: EmulatorState, job: EmulatedJob) -> dict[str, object]:
    """The operation, one phase further if the emulator is set to go on with each question.

    Raises:
        ApiError: 503, what the scenario refuses.
    """
    job.polls += 1
    if job.order.scenario.name == "batch-flaky" and job.polls <= job.order.scenario.number:
        raise overloaded()
    state.jobs.step(job)
    return job.operation(state.now())
