"""Two gateways on one PostgreSQL and one S3 bucket: when the one that holds a batch is killed, the other goes on."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from tests.api.batches.killed_gateways import (
    BUSY,
    PATIENCE,
    Gate,
    Gateways,
    Kill,
    Replica,
    emulator_behind_gate,
    run_batch,
)
from tests.api.batches.support import CHAT, EMBEDDINGS, chat, embedding
from tests.support.servers import S3, Postgres, postgres, s3

__all__ = ["postgres", "s3"]

CREATE = "POST /v1beta/models/gemini-2.5-flash:batchGenerateContent"
POINTS = [
    f"{when} {what}"
    for what in (
        "GET /v1beta/files/id",
        "POST /upload/v1beta/files",
        CREATE,
        "GET /v1beta/batches/id",
        "GET /v1beta/files/id:download",
        "GET /download/v1beta/files/id:download",
        "DELETE /v1beta/files/id",
    )
    for when in ("before", "after", "during")
]
LINES = [*(chat(str(number), f"line {number}") for number in range(110)), chat("bad", stream=True)]


class TwoGateways(Gateways):
    """Two gateways at once. Callers go to one of them until it dies, and then to the other."""

    def __init__(self, directory: Path, upstream: str, gate: Gate, environment: dict[str, str]) -> None:
        super().__init__(directory, upstream, gate, environment)
        self.database = environment["GEMGATE_DATABASE_URL"]
        self.pair: list[Replica] = []
        self.killed: list[Replica] = []
        self.frozen: Replica | None = None

    def renew(self) -> None:
        """Fill the places of the dead, and let the first of `kills` be the end of whoever holds the batch then."""
        for replica in self.killed:
            replica.close()
            self.pair.remove(replica)
        self.killed.clear()
        while len(self.pair) < 2:
            place = self.directory / f"replica-{self.deaths}-{len(self.pair)}"
            place.mkdir()
            self.pair.append(Replica(place, self.upstream, self.environment))
        self._replica = self.pair[0]
        self.gate.arm(self.at_google(), self.kill_holder)

    def holder(self) -> Replica:
        """The gateway that holds the lease of the batch."""
        with psycopg.connect(self.database) as connection:
            query = "SELECT lease_owner FROM batches WHERE lease_owner IS NOT NULL"
            ((name,),) = connection.execute(query).fetchall()
        (replica,) = [replica for replica in self.pair if replica.process.pid == int(name.split("-")[-2])]
        return replica

    def is_busy(self) -> bool:
        """Whether there is anything left to do for a batch."""
        with psycopg.connect(self.database) as connection:
            return connection.execute(BUSY).fetchone() is not None

    def kill_holder(self) -> None:
        """As `kill -9`."""
        replica = self.holder()
        replica.kill()
        self.killed.append(replica)
        self.deaths += 1

    def freeze_holder(self) -> None:
        """Let it stand still, as a machine that is suspended does."""
        self.frozen = self.holder()
        self.frozen.process.send_signal(signal.SIGSTOP)
        (self._replica,) = [replica for replica in self.pair if replica is not self.frozen]

    def _replace_killed(self) -> None:
        """The gateway that the caller spoke to is dead: nobody starts it again, the other one answers.

        Or it stands still, and callers go to the other one already.
        """
        if self.frozen is not None:
            return
        assert self.replica.process.wait(PATIENCE) == -signal.SIGKILL
        (self._replica,) = [replica for replica in self.pair if replica not in self.killed]

    def use(self, replica: Replica) -> None:
        """Let callers go to this one."""
        self._replica = replica

    def close(self) -> None:
        """Make sure that no gateway runs."""
        for replica in self.pair:
            replica.close()


@contextmanager
def two_gateways(directory: Path, postgres: Postgres, s3: S3) -> Iterator[TwoGateways]:
    environment = {
        "GEMGATE_DATABASE_URL": postgres.new_database(),
        "GEMGATE_BLOBS_URL": f"s3://{s3.new_bucket()}/gemgate",
        "GEMGATE_SECRET": "the same for both",
        **{name.upper(): value for name, value in s3.options.items()},
    }
    with emulator_behind_gate() as (upstream, gate):
        made = TwoGateways(directory, upstream, gate, environment)
        try:
            yield made
        finally:
            made.close()


@pytest.fixture
def gateways(tmp_path: Path, postgres: Postgres, s3: S3) -> Iterator[TwoGateways]:
    with two_gateways(tmp_path, postgres, s3) as made:
        yield made


def test_the_other_gateway_finishes_what_a_killed_one_has_begun(gateways: TwoGateways) -> None:
    batch = run_batch(gateways, LINES, CHAT, Kill("google", f"after {CREATE}"))
    assert gateways.deaths == 1
    assert batch["status"] == "completed"
    assert batch["request_counts"] == {"total": 111, "completed": 110, "failed": 1}
    assert len(gateways.jobs(batch["id"])) == 1


@pytest.mark.soak
@pytest.mark.parametrize("share", range(6))
def test_whenever_one_gateway_is_killed_the_other_one_goes_on(gateways: TwoGateways, share: int) -> None:
    for what in POINTS[share::6]:
        batch = run_batch(gateways, LINES, CHAT, Kill("google", what))
        assert batch["status"] == "completed"
    assert gateways.deaths == len(POINTS[share::6])


@pytest.mark.soak
def test_two_gateways_share_many_batches(gateways: TwoGateways) -> None:
    gateways.renew()
    files = [gateways.upload([embedding(f"{batch}-{line}") for line in range(20)]) for batch in range(12)]
    batches = [gateways.create(file_id, EMBEDDINGS) for file_id in files]
    for number, batch in enumerate(batches):
        ended = gateways.ended(batch["id"])
        assert ended["request_counts"] == {"total": 20, "completed": 20, "failed": 0}
        assert {line["custom_id"] for line in gateways.lines(ended["output_file_id"])} == {
            f"{number}-{line}" for line in range(20)
        }
        assert len(gateways.jobs(batch["id"])) == 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.soak
def test_a_gateway_that_was_frozen_and_wakes_up_spoils_nothing(gateways: TwoGateways, when: str) -> None:
    """A lease that runs out while its holder stands still: what the holder does later is refused."""
    gateways.renew()
    file_id = gateways.upload(LINES)
    gateways.patience = 5.0  # a question may be on its way to the one that freezes
    gateways.gate.arm([f"{when} {CREATE}"], gateways.freeze_holder)
    first, second = gateways.pair
    batch = gateways.create(file_id, CHAT)
    try:
        ended = gateways.ended(batch["id"])
    finally:
        assert gateways.frozen is not None
        gateways.frozen.process.send_signal(signal.SIGCONT)
    assert ended["status"] == "completed"
    for replica in (first, second):
        gateways.use(replica)
        assert gateways.ended(batch["id"]) == ended
    assert len(gateways.jobs(batch["id"])) == 1
