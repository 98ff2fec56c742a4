"""predictLongRunning: Veo, by the clock."""

from typing import Any

import pytest
from tests.emulator.support import Emulator

VEO = "veo-3.1-lite-generate-preview"
KEY = {"x-goog-api-key": "k"}


def asked(prompt: str = "A calm ocean", **parameters: Any) -> dict[str, Any]:
    return {"instances": [{"prompt": prompt}], "parameters": parameters}


async def begin(emulator: Emulator, body: dict[str, Any], model: str = VEO) -> str:
    response = await emulator.post(model, body, "predictLongRunning")
    assert response.status_code == 200, response.text
    assert response.json().keys() == {"name"}
    name: str = response.json()["name"]
    return name


async def get(emulator: Emulator, path: str, key: str = "k") -> Any:
    return (await emulator.client.get(f"/v1beta/{path}", headers={"x-goog-api-key": key})).json()


async def pass_time(emulator: Emulator) -> None:
    await emulator.client.post("/emulator/clock", json={"advanceSeconds": 60})


async def done(emulator: Emulator, name: str) -> Any:
    await pass_time(emulator)
    return (await get(emulator, name))["response"]["generateVideoResponse"]


async def test_an_operation_is_only_a_name_until_it_is_done(emulator: Emulator) -> None:
    name = await begin(emulator, asked(durationSeconds=4))
    assert name.startswith(f"models/{VEO}/operations/")
    assert await get(emulator, name) == {"name": name}
    await pass_time(emulator)
    operation = await get(emulator, name)
    assert (operation["name"], operation["done"]) == (name, True)
    assert operation == await get(emulator, name)


async def test_a_video_is_a_generated_file_behind_a_redirect(emulator: Emulator) -> None:
    (sample,) = (await done(emulator, await begin(emulator, asked())))["generatedSamples"]
    uri = sample["video"]["uri"].removeprefix("https://generativelanguage.googleapis.com")
    first = await emulator.client.get(uri, headers=KEY)
    assert first.status_code == 302
    video = await emulator.client.get(first.headers["location"], headers=KEY)
    assert video.headers["content-type"] == "video/mp4"
    assert video.content[4:8] == b"ftyp"
    file = await get(emulator, uri.removeprefix("/v1beta/").partition(":")[0])
    assert (file["source"], file["mimeType"]) == ("GENERATED", "video/mp4")


async def test_as_many_videos_as_wanted_and_each_is_another(emulator: Emulator) -> None:
    samples = (await done(emulator, await begin(emulator, asked(sampleCount=3))))["generatedSamples"]
    assert len({sample["video"]["uri"] for sample in samples}) == 3


async def test_videos_are_filtered_on_demand(emulator: Emulator) -> None:
    some = await done(emulator, await begin(emulator, asked("A [[emulator: rai-filtered 1]]", sampleCount=2)))
    assert (len(some["generatedSamples"]), some["raiMediaFilteredCount"]) == (1, 1)
    none = await done(emulator, await begin(emulator, asked("A [[emulator: rai-filtered]]")))
    assert none.keys() == {"raiMediaFilteredCount", "raiMediaFilteredReasons"}


async def test_operations_are_listed_for_their_own_key(emulator: Emulator) -> None:
    names = [await begin(emulator, asked()) for _ in range(2)]
    page = await get(emulator, f"models/{VEO}/operations?pageSize=1")
    assert page["operations"] == [{"name": names[1]}]
    assert (await get(emulator, f"models/{VEO}/operations", "another")) == {}
    assert (await get(emulator, names[0], "another"))["error"]["code"] == 404
    assert (await get(emulator, f"models/{VEO}/operations/none"))["error"]["status"] == "NOT_FOUND"


@pytest.mark.parametrize(
    "body",
    [
        {"instances": []},
        {"instances": [{"prompt": " "}]},
        {"instances": ["text"]},
        asked(durationSeconds=5),
        asked(aspectRatio="1:1"),
        asked(sampleCount=5),
        {**asked(), "parameters": "x"},
        {**asked(), "unheard": 1},
    ],
)
async def test_what_google_refuses_is_refused(emulator: Emulator, body: dict[str, Any]) -> None:
    response = await emulator.post(VEO, body, "predictLongRunning")
    assert (response.status_code, response.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
