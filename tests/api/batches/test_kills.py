"""A gateway that is killed with SIGKILL, anywhere in the life of a batch, and another that goes on: real processes."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.api.batches.killed_gateways import Gateways, Kill, emulator_behind_gate, gateways_in, run_batch
from tests.api.batches.support import CHAT, EMBEDDINGS, Json, chat, embedding

CREATE = "POST /v1beta/models/gemini-2.5-flash:batchGenerateContent"
BAD = [chat("refused by Google", "[[emulator: 400]]"), chat("refused here", stream=True)]


@dataclass(frozen=True)
class Scenario:
    """A batch, and when its caller cancels it."""

    lines: Sequence[Json]
    endpoint: str = CHAT
    cancel_in: str = ""


SCENARIOS: Mapping[str, Scenario] = {
    "in a file": Scenario([*(chat(str(number), f"line {number}") for number in range(110)), *BAD]),
    "inline": Scenario([*(chat(str(number), f"line {number}") for number in range(3)), *BAD]),
    "embeddings": Scenario([embedding(str(number), ["one", "two"]) for number in range(12)], EMBEDDINGS),
    "cancelled": Scenario([chat("a"), *BAD], cancel_in="in_progress"),
}


SHARES = {"in a file": 6, "inline": 4, "embeddings": 3, "cancelled": 3}


IN_VERTEX = {"in a file": 6, "embeddings": 3, "cancelled": 3}
"""The same of Vertex AI, where all goes by a bucket."""


@pytest.fixture
def gateways(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Gateways]:
    """Gateways that ask the Developer API, or the API that a test has as the parameter of this fixture."""
    with gateways_in(tmp_path, in_vertex=getattr(request, "param", "") == "vertex") as made:
        yield made


def run(gateways: Gateways, name: str, *kills: Kill) -> Json:
    scenario = SCENARIOS[name]
    batch = run_batch(gateways, scenario.lines, scenario.endpoint, *kills, cancel_in=scenario.cancel_in)
    assert batch["status"] in (("completed", "cancelled") if scenario.cancel_in else ("completed",)), batch
    return batch


def test_killed_where_it_matters_most_a_gateway_loses_nothing_and_submits_once(gateways: Gateways) -> None:
    kills = [
        Kill("gateway", "during put native.jsonl"),
        Kill("google", f"before {CREATE}"),
        Kill("google", f"after {CREATE}"),
        Kill("gateway", "after create a file for batch_output"),
    ]
    batch = run(gateways, "in a file", *kills)
    assert gateways.deaths == len(kills)
    assert batch["request_counts"] == {"total": 112, "completed": 110, "failed": 2}
    assert len(gateways.jobs(batch["id"])) == 1
    assert len(gateways.asked("GET", "/files", params={"purpose": "batch_output"}).json()["data"]) == 2
    assert not [path for path in (gateways.directory / "data" / "blobs" / "batches").rglob("*") if path.is_file()]


@pytest.mark.soak
@pytest.mark.parametrize(
    ("gateways", "name", "share", "shares"),
    [
        (api, name, share, shares)
        for api, found in (("gemini", SHARES), ("vertex", IN_VERTEX))
        for name, shares in found.items()
        for share in range(shares)
    ],
    indirect=["gateways"],
)
def test_killed_anywhere_a_gateway_loses_nothing_and_submits_once(
    gateways: Gateways, name: str, share: int, shares: int
) -> None:
    """All points of a batch's life, shared out among some lives, in each of which gateways die again and again."""
    run(gateways, name)
    points = list(dict.fromkeys(gateways.replica.seen()))
    assert len(points) >= 30
    kills = points[share::shares]
    run(gateways, name, *kills)
    # A death may let the batch take another way, past a point or two.
    assert gateways.deaths >= len(kills) // 2, (gateways.deaths, kills)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(6))
def test_killed_by_chance_a_gateway_loses_nothing_and_submits_once(gateways: Gateways, seed: int) -> None:
    chance = random.Random(seed)
    name = chance.choice(list(SCENARIOS))
    run(gateways, name)
    points = list(dict.fromkeys(gateways.replica.seen()))
    run(gateways, name, *chance.sample(points, 6))
    assert gateways.deaths >= 3


@pytest.mark.soak
def test_the_command_itself_goes_on_when_its_lease_has_run_out(tmp_path: Path) -> None:
    with emulator_behind_gate() as (upstream, gate):
        gateways = Gateways(tmp_path, upstream, gate, {}, command=("-m", "gemgate", "serve", "--port", "0"))
        gateways.kills = [Kill("google", f"after {CREATE}")]
        gateways.renew()
        try:
            lines = SCENARIOS["in a file"].lines
            batch = gateways.ended(gateways.create(gateways.upload(lines), CHAT)["id"])
            assert gateways.deaths == 1
            assert batch["request_counts"] == {"total": 112, "completed": 110, "failed": 2}
            assert len(gateways.jobs(batch["id"])) == 1
        finally:
            gateways.close()
