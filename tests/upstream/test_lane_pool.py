from tests.support.clock import FakeClock

from gemgate.gemini.errors import GeminiError
from gemgate.gemini.vertex.lanes import Lanes, parse_locations
from gemgate.upstream.client import ANY_BATCH
from gemgate.upstream.cooldowns import CooldownReason
from gemgate.upstream.key_pool import Key
from gemgate.upstream.lane_pool import LanePool
from gemgate.upstream.targets import Target, target_of

TABLE = parse_locations("gemini-2.5-*=europe-west4,us-east5")
LANES = Lanes("my-project", "global", TABLE)
QUOTA = GeminiError(429, "no", "RESOURCE_EXHAUSTED")


def chosen(pool: LanePool, model: str) -> str:
    key = pool.choose(Target(model))
    assert key is not None
    return key.label


def key_of(pool: LanePool, label: str) -> Key:
    key = pool.named(label)
    assert key is not None
    return key


def test_a_model_is_asked_for_where_it_is_in_turns() -> None:
    pool = LanePool((), LANES)
    assert {chosen(pool, "models/gemini-2.5-pro") for _ in range(4)} == {
        "my-project/europe-west4",
        "my-project/us-east5",
    }
    assert {chosen(pool, "models/gemini-4-argon") for _ in range(4)} == {"my-project/global"}


def test_lanes_take_batches_where_there_is_a_bucket_alone() -> None:
    assert LanePool((), LANES).choose(ANY_BATCH) is None
    assert "GEMGATE_VERTEX_BUCKET" in LanePool((), LANES).exhausted(ANY_BATCH).message
    found = LanePool((), LANES, has_bucket=True).choose(ANY_BATCH)
    assert found is not None
    assert found.label == "my-project/global"


def test_a_location_that_cools_down_leaves_the_calls_to_the_other_one() -> None:
    pool = LanePool((), LANES, clock=FakeClock())
    target = Target("models/gemini-2.5-pro")
    pool.cool_down(key_of(pool, "my-project/us-east5"), target, CooldownReason.RATE_LIMIT, QUOTA)
    assert {chosen(pool, target.model) for _ in range(3)} == {"my-project/europe-west4"}
    pool.cool_down(key_of(pool, "my-project/europe-west4"), target, CooldownReason.RATE_LIMIT, QUOTA)
    assert pool.choose(target) is None
    shortage = pool.exhausted(target)
    assert shortage.status == 429
    assert "credentials for Vertex AI" in shortage.message
    assert chosen(pool, "models/gemini-4-argon") == "my-project/global"


def test_with_keys_beside_them_lanes_serve_names_of_vertex_ai_alone() -> None:
    pool = LanePool(("AIza-one",), LANES)
    key = pool.find("AIza-one")
    assert key is not None
    assert chosen(pool, "vertex/gemini-2.5-pro").startswith("my-project/")
    assert chosen(pool, "vertex/endpoints/12") == "my-project/global"
    for target in (Target("models/gemini-2.5-pro"), target_of("GET", "/v1beta/files/x"), ANY_BATCH):
        assert {pool.choose(target) for _ in range(3)} == {key}
    assert pool.choose_by_affinity(Target("vertex/gemini-4-argon"), "a") is pool.named("my-project/global")


def test_keys_are_replaced_and_lanes_stay() -> None:
    pool = LanePool(("AIza-one",), LANES)
    pool.replace(("AIza-two",))
    assert pool.secrets == ("AIza-two",)
    assert pool.find("AIza-one") is None
    assert chosen(pool, "vertex/gemini-4-argon") == "my-project/global"
    assert len(pool) == 4


def test_batches_without_a_key_are_refused_with_the_way_out() -> None:
    pool = LanePool((), LANES)
    assert pool.choose(ANY_BATCH) is None
    refusal = pool.exhausted(ANY_BATCH)
    assert refusal.status == 400
    assert "Developer API" in refusal.message
