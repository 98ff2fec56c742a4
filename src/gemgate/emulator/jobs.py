"""Batch jobs: how far each is by the clock, and its results, which a thread works out from the start."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from gemgate.emulator.content import RequestContent
from gemgate.emulator.files import FileShelf, random_id
from gemgate.emulator.lines import (
    Answerer,
    BrokenInput,
    JobLine,
    shuffled,
)
from gemgate.emulator.scenarios import Scenario
from gemgate.emulator.timing import LIFE_SECONDS, Timing, rfc3339

TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main."
WAIT_SECONDS = 2.0
"""How long a question about a job that is over by the clock waits for the thread before the answer is RUNNING."""

_ID_LENGTH = 36
_ERRORS = {
    "FAILED": {"code": 13, "message": "The batch job failed."},
    "CANCELLED": {"code": 1, "message": "The operation was cancelled."},
    "EXPIRED": {"code": 4, "message": "The batch job expired before it was completed."},
}


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done.

    Attributes:
        kind: `GenerateContentBatch` or `EmbedContentBatch`.
        lines: The requests; called once.
        count: How many they are.
        answer: What answers one.
        in_file: Whether they come from a file, and the results go into one.
        deliver: Puts the file of results to its place; None: to the files of the owner.
    """

    owner: str
    kind: str
    model: str
    display_name: str
    priority: int
    lines: Callable[[], Iterator[JobLine]]
    count: int
    answer: Answerer
    in_file: bool
    scenario: Scenario
    deliver: Callable[[RequestContent], None] | None = None


@dataclass(slots=True)
class Results:
    """What the thread has worked out so far, in the order in which it got done."""

    inline: list[dict[str, object]] = field(default_factory=list)
    content: RequestContent = field(default_factory=RequestContent)
    ends: list[int] = field(default_factory=list)
    failed: list[bool] = field(default_factory=list)
    problem: str = ""
    finished: threading.Event = field(default_factory=threading.Event)

    def add(self, result: dict[str, object], *, in_file: bool) -> None:
        """Keep a result."""
        if in_file:
            self.content.write(orjson.dumps(result, option=orjson.OPT_APPEND_NEWLINE))
            self.ends.append(self.content.size)
        else:
            self.inline.append(result)
        self.failed.append("error" in result or bool(result.get("status")))


@dataclass(slots=True)
class EmulatedJob:
    """One job; times are seconds since 1970. It is over at `ends`, with `ending`."""

    id: str
    order: Order
    created: float
    starts: float
    ends: float
    ending: str
    done_at_end: int
    results: Results = field(default_factory=Results)
    polls: int = 0
    filed: bool = False
    is_stopped: bool = False

    @property
    def name(self) -> str:
        """`batches/…`."""
        return f"batches/{self.id}"

    def work(self) -> None:
        """Answer all lines: what the thread does."""
        lines = self.order.lines()
        try:
            for line in shuffled(lines) if self.order.in_file else lines:
                if self.is_stopped:
                    break
                self.results.add(self.order.answer(line), in_file=self.order.in_file)
                # The event loop may be in this process: let go of the interpreter's lock.
                time.sleep(0)
            if not self.order.count:
                self.results.problem = "The input file has no requests."
        except BrokenInput as problem:
            self.results.problem, self.done_at_end = str(problem), 0
        finally:
            self.results.finished.set()

    def step(self, now: float) -> None:
        """Go one phase on, because somebody asked."""
        if now < self.starts:
            self.starts = now
        elif now < self.ends and self.ending == "SUCCEEDED":
            self.ends = now

    def cancel(self, now: float) -> None:
        """Stop; what is done by now remains. A job that is over stays as it is."""
        if now < self.ends:
            self.done_at_end = self.done(now)
            self.ends, self.ending, self.is_stopped = now, "CANCELLED", True
            self.starts = min(self.starts, now)

    def done(self, now: float) -> int:
        """How many lines are answered by now."""
        if now < self.starts:
            return 0
        if now >= self.ends:
            return min(self.done_at_end, len(self.results.failed))
        part = (now - self.starts) / (self.ends - self.starts) if self.ending == "SUCCEEDED" else 0
        return min(int(part * self.order.count), len(self.results.failed))

    def state(self, now: float) -> str:
        """PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED or EXPIRED."""
        if now < self.starts:
            return "PENDING"
        if now < self.ends or not self.results.finished.is_set():
            return "RUNNING"
        return "FAILED" if self.results.problem and self.ending == "SUCCEEDED" else self.ending

    def operation(self, now: float, *, with_results: bool = True) -> dict[str, object]:
        """The `Operation` as recorded: the results are in it twice. `with_results=False` leaves inline ones out."""
        state = self.state(now)
        is_over = state not in {"PENDING", "RUNNING"}
        # Google writes the time of the change, and no later one, while it goes on.
        changed = self.ends if is_over else self.created
        output, response = self._output(now, with_results=with_results) if is_over else ({}, {})
        metadata = {
            "@type": TYPE + self.order.kind,
            "model": f"models/{self.order.model}",
            "displayName": self.order.display_name,
            "output": output,
            "createTime": rfc3339(self.created),
            "endTime": rfc3339(self.ends) if is_over else "",
            "updateTime": rfc3339(changed),
            "batchStats": self._stats(now),
            "state": f"BATCH_STATE_{state}",
            "priority": str(self.order.priority) if self.order.priority else "",
            "name": self.name,
        }
        found: dict[str, object] = {
            "name": self.name,
            "metadata": {key: value for key, value in metadata.items() if value},
        }
        if state == "SUCCEEDED":
            found |= {"done": True, "response": {"@type": f"{TYPE}{self.order.kind}Output", **response}}
        elif is_over:
            problem = {"code": 3, "message": self.results.problem} if self.results.problem else _ERRORS[state]
            found |= {"done": True, "error": problem}
        return found

    def _stats(self, now: float) -> dict[str, str]:
        done = self.done(now)
        failed = sum(self.results.failed[:done])
        counts = {
            "requestCount": self.order.count,
            "successfulRequestCount": done - failed,
            "failedRequestCount": failed,
            "pendingRequestCount": self.order.count - done,
        }
        return {key: str(count) for key, count in counts.items() if count}

    def _output(self, now: float, *, with_results: bool) -> tuple[dict[str, Any], dict[str, Any]]:
        """`metadata.output` and the fields of `response`. For embeddings Google's client and schema differ in them."""
        done = self.done(now)
        if not done or self.ending not in {"SUCCEEDED", "CANCELLED"}:
            return {}, {}
        if self.order.in_file:
            named = {"responsesFile": f"files/batch-{self.id}"}
            return named, named
        if not with_results:
            return {}, {}
        results = self.results.inline[:done]
        if self.order.scenario.name == "batch-shuffle":
            results = results[::-1]
        listed = {"inlinedResponses": {"inlinedResponses": results}}
        if self.order.kind == "EmbedContentBatch":
            return {"inlinedEmbedContentResponses": listed["inlinedResponses"]}, listed
        return listed, listed

    def file(self) -> RequestContent:
        """The results file of a job that is over."""
        done = min(self.done_at_end, len(self.results.ends))
        if done == len(self.results.ends):
            return self.results.content
        return RequestContent(self.results.content.read(0, self.results.ends[done - 1]))


class Jobs:
    """The jobs of one emulator; `clock` gives seconds since 1970."""

    def __init__(self, clock: Callable[[], float], timing: Timing, files: FileShelf) -> None:
        self._clock = clock
        self._timing = timing
        self._files = files
        self._jobs: dict[str, EmulatedJob] = {}

    def create(self, order: Order) -> EmulatedJob:
        """Take a job on, and begin to work on it."""
        job = self._planned(order, self._clock())
        self._jobs[job.id] = job
        threading.Thread(target=job.work, daemon=True).start()
        return job

    def _planned(self, order: Order, now: float) -> EmulatedJob:
        scenario = order.scenario
        running = scenario.number if scenario.name == "batch-slow" else self._timing.running
        starts = now + self._timing.pending
        job = EmulatedJob(random_id(_ID_LENGTH), order, now, starts, starts + running, "SUCCEEDED", order.count)
        limit = now + (scenario.number if scenario.name == "batch-expire" else LIFE_SECONDS)
        if scenario.name == "batch-expire" or job.ends > limit:
            job.starts, job.ends, job.ending, job.done_at_end = min(starts, limit), limit, "EXPIRED", 0
        elif scenario.name == "batch-fail":
            job.ending, job.done_at_end = "FAILED", 0
        elif scenario.name == "batch-cancel":
            job.ending, job.done_at_end = "CANCELLED", min(order.count, int(scenario.number))
        return job

    def find(self, owner: str, name: str) -> EmulatedJob | None:
        """The job of that name, without `batches/`, if it belongs to the key."""
        job = self._jobs.get(name)
        return job if job and job.order.owner == owner else None

    def settle(self, job: EmulatedJob, seconds: float = WAIT_SECONDS) -> None:
        """Give the thread some time to finish, if its job is to be over, and file the results of one that is."""
        if self._timing.step_on_poll or self._clock() >= job.ends:
            job.results.finished.wait(seconds)
        self._file(job)

    def step(self, job: EmulatedJob) -> None:
        """Go one phase on because of a question, if the emulator is set to."""
        if self._timing.step_on_poll:
            job.step(self._clock())
            self._file(job)

    def cancel(self, job: EmulatedJob) -> None:
        """Stop a job."""
        job.results.finished.wait(WAIT_SECONDS)
        job.cancel(self._clock())
        self._file(job)

    def _file(self, job: EmulatedJob) -> None:
        now = self._clock()
        if job.order.in_file and not job.filed and job.state(now) in {"SUCCEEDED", "CANCELLED"} and job.done(now):
            job.filed = True
            if job.order.deliver is not None:
                job.order.deliver(job.file())
                return
            self._files.add_generated(job.order.owner, f"files/batch-{job.id}", job.file(), job.ends)

    def delete(self, job: EmulatedJob) -> None:
        """Forget a job. It is not cancelled by that."""
        del self._jobs[job.id]

    def listed(self, owner: str) -> list[dict[str, object]]:
        """The jobs of a key, the newest first, without inline results."""
        now = self._clock()
        found = [job for job in reversed(self._jobs.values()) if job.order.owner == owner]
        for job in found:
            self.settle(job, 0)
        return [job.operation(now, with_results=False) for job in found]
