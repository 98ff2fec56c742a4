from typing import Any

import pytest
from starlette.applications import Starlette
from tests.emulator.support import WEATHER, Emulator, calls, functions, said, text
from tests.support.clock import FakeClock

from gemgate.emulator.caches import EXAMPLE

MODEL = "gemini-2.5-flash"
LONG = {"role": "user", "parts": [{"text": "Something worth caching. " * 300}]}


async def make(emulator: Emulator, **more: Any) -> dict[str, Any]:
    body = {"model": f"models/{MODEL}", "contents": [LONG], **more}
    response = await emulator.client.post("/v1beta/cachedContents", json=body)
    assert response.status_code == 200, response.text
    made: dict[str, Any] = response.json()
    return made


async def test_a_cache_comes_back_without_its_contents(emulator: Emulator) -> None:
    made = await make(emulator, displayName="mine", ttl="300s")
    assert made == {
        "name": made["name"],
        "model": "models/gemini-2.5-flash",
        "createTime": "2026-09-21T14:13:20.000000Z",
        "updateTime": "2026-09-21T14:13:20.000000Z",
        "expireTime": "2026-09-21T14:18:20.000000Z",
        "displayName": "mine",
        "usageMetadata": {"totalTokenCount": 1875},
    }
    assert (await emulator.client.get(f"/v1beta/{made['name']}")).json() == made


async def test_a_cache_lives_an_hour_unless_told_otherwise(emulator: Emulator, clock: FakeClock) -> None:
    made = await make(emulator)
    assert made["expireTime"] == "2026-09-21T15:13:20.000000Z"
    clock.now += 3599
    assert (await emulator.client.get(f"/v1beta/{made['name']}")).status_code == 200
    clock.now += 1
    gone = await emulator.client.get(f"/v1beta/{made['name']}")
    assert gone.status_code == 403
    assert gone.json()["error"]["message"] == "CachedContent not found (or permission denied)"


async def test_the_expiry_can_be_a_moment_and_be_moved(emulator: Emulator, clock: FakeClock) -> None:
    made = await make(emulator, expireTime="2030-01-01T00:00:00.123456789Z")
    assert made["expireTime"] == "2030-01-01T00:00:00.123456Z"
    clock.now += 10
    moved = await emulator.client.patch(f"/v1beta/{made['name']}?updateMask=ttl", json={"ttl": "600s"})
    assert moved.json()["expireTime"] == "2026-09-21T14:23:30.000000Z"
    assert moved.json()["updateTime"] == "2026-09-21T14:13:30.000000Z"


async def test_nothing_else_can_be_changed(emulator: Emulator) -> None:
    made = await make(emulator)
    refused = await emulator.client.patch(f"/v1beta/{made['name']}", json={"displayName": "other"})
    assert "Only the expiration" in refused.json()["error"]["message"]


async def test_deleting_twice_is_refused(emulator: Emulator) -> None:
    made = await make(emulator)
    assert (await emulator.client.delete(f"/v1beta/{made['name']}")).json() == {}
    assert (await emulator.client.delete(f"/v1beta/{made['name']}")).status_code == 403


async def test_caches_are_listed_in_pages_the_newest_first(emulator: Emulator) -> None:
    names = [(await make(emulator, displayName=str(number)))["name"] for number in range(2)]
    first = (await emulator.client.get("/v1beta/cachedContents?pageSize=2")).json()
    second = (await emulator.client.get(f"/v1beta/cachedContents?pageToken={first['nextPageToken']}")).json()
    assert [each["name"] for each in first["cachedContents"]] == names[::-1]
    assert [each["name"] for each in second["cachedContents"]] == [EXAMPLE]
    assert "nextPageToken" not in second


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"model": ""}, 400, "model must be specified"),
        ({"model": MODEL}, 400, "unexpected model name format"),
        ({"model": "models/none"}, 404, "not supported for createCachedContent"),
        ({"model": "models/gemini-embedding-001"}, 404, "not supported for createCachedContent"),
        ({"displayName": "x" * 129}, 400, "display_name"),
        ({"contents": [{"parts": [{"text": "short"}]}]}, 400, "total_token_count=2, min_total_token_count=1024"),
        ({"nonsense": 1}, 400, 'Unknown name "nonsense"'),
        ({"expireTime": "2026-13-01T00:00:00Z"}, 400, "expire_time"),
    ],
)
async def test_caches_google_would_not_make(
    emulator: Emulator, change: dict[str, Any], status: int, message: str
) -> None:
    body = {"model": f"models/{MODEL}", "contents": [LONG], **change}
    response = await emulator.client.post("/v1beta/cachedContents", json=body)
    assert response.status_code == status
    assert message in response.json()["error"]["message"]


async def test_a_request_with_a_cache_counts_and_uses_what_is_in_it(emulator: Emulator) -> None:
    made = await make(emulator, tools=functions(WEATHER), systemInstruction={"parts": [{"text": "Be brief"}]})
    answer = await emulator.generate(MODEL, said("weather in Oslo", cachedContent=made["name"]))
    usage = answer["usageMetadata"]
    assert [call["name"] for call in calls(answer)] == ["get_weather"]
    assert usage["cachedContentTokenCount"] == made["usageMetadata"]["totalTokenCount"]
    assert usage["promptTokenCount"] == usage["cachedContentTokenCount"] + 4
    assert usage["cacheTokensDetails"] == [{"modality": "TEXT", "tokenCount": usage["cachedContentTokenCount"]}]


async def test_the_example_of_the_documentation_is_there(emulator: Emulator) -> None:
    answer = await emulator.generate("gemini-2.5-pro", said("What is cached?", cachedContent=EXAMPLE))
    assert "What is cached?" in text(answer)
    assert answer["usageMetadata"]["cachedContentTokenCount"] > 1024


@pytest.mark.parametrize(
    ("model", "more", "status", "message"),
    [
        ("gemini-2.5-pro", {"tools": functions(WEATHER)}, 400, "setting system_instruction, tools or tool_config"),
        ("gemini-2.5-pro", {"systemInstruction": {"parts": [{"text": "x"}]}}, 400, "setting system_instruction"),
        (MODEL, {}, 400, "Model used by GenerateContent request (models/gemini-2.5-flash)"),
        ("gemini-2.5-pro", {"cachedContent": "cachedContents/none"}, 403, "CachedContent not found"),
    ],
)
async def test_requests_that_do_not_fit_their_cache(
    emulator: Emulator, model: str, more: dict[str, Any], status: int, message: str
) -> None:
    body = said("Hi") | {"cachedContent": EXAMPLE} | more
    assert message in await emulator.refused(model, body, status=status)


async def test_tokens_of_a_cache_are_counted(emulator: Emulator) -> None:
    whole = said("Hi") | {"model": "models/gemini-2.5-pro", "cachedContent": EXAMPLE}
    response = await emulator.post("gemini-2.5-pro", {"generateContentRequest": whole}, "countTokens")
    assert response.json()["cachedContentTokenCount"] + 1 == response.json()["totalTokens"]


def test_tests_can_place_a_cache(app: Starlette) -> None:
    app.state.emulator.caches.put("cachedContents/mine", {"model": "models/gemini-2.5-pro", "contents": [LONG]})
    assert app.state.emulator.caches.get("cachedContents/mine").tokens > 1024
