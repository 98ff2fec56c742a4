"""/v1beta/files, and requests that name a file."""

import io
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from tests.emulator.support import Emulator, inline, png, said, text
from tests.support.clock import FakeClock

from gemgate.emulator.content import IN_MEMORY, RequestContent
from gemgate.emulator.files import _INLINED, FileShelf
from gemgate.emulator.signatures import SENTINELS
from gemgate.emulator.timing import QuotaLimits, Timing, rfc3339

MODEL = "gemini-2.5-flash"
DAY = 86400


async def upload(
    emulator: Emulator, data: bytes = b"hello", kind: str = "text/plain", name: str = "", scenario: str = ""
) -> dict[str, Any]:
    headers = {
        "X-Goog-Upload-Protocol": "raw",
        "Content-Type": kind,
        "X-Goog-Upload-File-Name": name,
        "x-emulator-scenario": scenario,
    }
    response = await emulator.client.post("/upload/v1beta/files", content=data, headers=headers)
    assert response.status_code == 200, response.text
    file: dict[str, Any] = response.json()["file"]
    return file


def asking(file: dict[str, Any] | str, prompt: str = "What is it?", **more: Any) -> dict[str, Any]:
    uri = file if isinstance(file, str) else file["uri"]
    return {"contents": [{"role": "user", "parts": [{"text": prompt}, {"fileData": {"fileUri": uri, **more}}]}]}


def message(response: httpx.Response) -> str:
    found: str = response.json()["error"]["message"]
    return found


class TestMetadata:
    async def test_one_file_is_bare(self, emulator: Emulator) -> None:
        file = await upload(emulator)
        assert (await emulator.client.get(f"/v1beta/{file['name']}")).json() == file

    async def test_metadata_alone_makes_an_empty_file(self, emulator: Emulator) -> None:
        made = (await emulator.client.post("/v1beta/files", json={"file": {"displayName": "a"}})).json()["file"]
        assert made["displayName"] == "a"
        assert not {"sizeBytes", "mimeType"} & made.keys()
        assert "name" in (await emulator.client.post("/v1beta/files")).json()["file"]
        assert (await emulator.client.post("/v1beta/files", json={"x": 1})).status_code == 400

    async def test_files_are_listed_ten_at_a_time_the_newest_first(self, emulator: Emulator) -> None:
        names = [(await upload(emulator))["name"] for _ in range(12)]
        first = (await emulator.client.get("/v1beta/files")).json()
        second = (await emulator.client.get(f"/v1beta/files?pageToken={first['nextPageToken']}")).json()
        assert [file["name"] for file in [*first["files"], *second["files"]]] == names[::-1]
        assert len(first["files"]) == 10
        assert "nextPageToken" not in second
        assert len((await emulator.client.get("/v1beta/files?pageSize=500")).json()["files"]) == 12
        assert (await emulator.client.get("/v1beta/files?pageSize=x")).status_code == 400

    async def test_a_page_holds_a_hundred_at_max(self, emulator: Emulator, app: Starlette) -> None:
        for number in range(101):
            app.state.emulator.files.put(f"files/f{number}", "text/plain", b"x", key="k")
        assert len((await emulator.client.get("/v1beta/files?pageSize=500")).json()["files"]) == 100

    async def test_a_deleted_file_is_gone(self, emulator: Emulator) -> None:
        file = await upload(emulator)
        assert (await emulator.client.delete(f"/v1beta/{file['name']}")).json() == {}
        assert (await emulator.client.delete(f"/v1beta/{file['name']}")).status_code == 403
        assert (await emulator.client.get("/v1beta/files")).json() == {}

    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    async def test_missing_and_foreign_files_look_alike(self, emulator: Emulator, method: str) -> None:
        file = await upload(emulator)
        short = file["name"].removeprefix("files/")
        missing = await emulator.client.request(method, "/v1beta/files/none")
        foreign = await emulator.client.request(
            method, f"/v1beta/{file['name']}", headers={"x-goog-api-key": "another"}
        )
        assert (missing.status_code, foreign.status_code) == (403, 403)
        assert message(missing) == "You do not have permission to access the File none or it may not exist."
        assert message(foreign) == f"You do not have permission to access the File {short} or it may not exist."
        listed = await emulator.client.get("/v1beta/files", headers={"x-goog-api-key": "another"})
        assert listed.json() == {}

    async def test_a_header_may_ask_for_the_scenario_of_a_file(self, emulator: Emulator) -> None:
        headers = {"x-emulator-scenario": "404"}
        assert message(await emulator.client.get("/v1beta/files", headers=headers)) == (
            "Requested entity was not found."
        )
        headers = {"x-emulator-scenario": "flaky"}
        statuses = [(await emulator.client.get("/v1beta/files", headers=headers)).status_code for _ in range(2)]
        assert statuses == [503, 200]


class TestTimes:
    async def test_a_file_lives_48_hours(self, emulator: Emulator, clock: FakeClock) -> None:
        file = await upload(emulator, kind="application/jsonl")
        clock.now += 2 * DAY - 1
        assert (await emulator.client.get(f"/v1beta/{file['name']}")).status_code == 200
        clock.now += 1
        assert (await emulator.client.get(f"/v1beta/{file['name']}")).status_code == 403
        assert (await emulator.client.get("/v1beta/files")).json() == {}

    async def test_a_name_is_free_again_after_that(self, emulator: Emulator, clock: FakeClock) -> None:
        body = {"file": {"name": "files/mine"}}
        assert (await emulator.client.post("/v1beta/files", json=body)).status_code == 200
        assert (await emulator.client.post("/v1beta/files", json=body)).status_code == 409
        clock.now += 2 * DAY
        assert (await emulator.client.post("/v1beta/files", json=body)).status_code == 200

    async def test_a_video_is_processed_first(self, emulator: Emulator, clock: FakeClock) -> None:
        video = await upload(emulator, b"not really a video", "video/mp4")
        assert video["state"] == "PROCESSING"
        refused = await emulator.post(MODEL, asking(video))
        short = video["name"].removeprefix("files/")
        assert message(refused) == f"The File {short} is not in an ACTIVE state and usage is not allowed."
        assert refused.json()["error"]["status"] == "FAILED_PRECONDITION"
        clock.now += 1
        found = (await emulator.client.get(f"/v1beta/{video['name']}")).json()
        assert found["state"] == "ACTIVE"
        assert "a video file (video/mp4) of 18 bytes" in text(await emulator.generate(MODEL, asking(video)))

    async def test_any_file_can_be_slow_or_fail(self, emulator: Emulator, clock: FakeClock) -> None:
        slow = await upload(emulator, name="[[emulator: slow-file 5]]")
        failed = await upload(emulator, scenario="file-failed")
        assert (slow["state"], failed["state"]) == ("PROCESSING", "FAILED")
        assert failed["error"] == {"code": 13, "message": "The file could not be processed."}
        clock.now += 5
        assert (await emulator.client.get(f"/v1beta/{slow['name']}")).json()["state"] == "ACTIVE"
        assert (await emulator.post(MODEL, asking(failed))).status_code == 400

    async def test_the_length_of_a_video_is_told(self, emulator: Emulator, clock: FakeClock) -> None:
        wave = b"RIFF\x24\x3e\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\0\x3e\0\0" + bytes(
            15872
        )
        video = await upload(emulator, wave, "video/mp4")
        assert "videoMetadata" not in video
        clock.now += 1
        found = (await emulator.client.get(f"/v1beta/{video['name']}")).json()
        assert found["videoMetadata"] == {"videoDuration": "0.992s"}

    def test_times_have_nine_decimals(self) -> None:
        assert rfc3339(1_790_000_000.25) == "2026-09-21T14:13:20.250000000Z"
        assert rfc3339(1_790_000_000.25, 6) == "2026-09-21T14:13:20.250000Z"


class TestUse:
    @pytest.mark.parametrize(
        "form", ["{uri}", "{name}", "http://emulator/v1beta/{name}", "http://gateway:8080/v1/{name}"]
    )
    async def test_a_file_is_read_by_its_name_and_by_its_uri(self, emulator: Emulator, form: str) -> None:
        file = await upload(emulator, png(30, 20), "image/png")
        answer = await emulator.generate(MODEL, asking(form.format(**file)))
        assert "I see an image (image/png) of 30x20 pixels." in text(answer)
        details = answer["usageMetadata"]["promptTokensDetails"]
        assert {"modality": "IMAGE", "tokenCount": 258} in details

    async def test_a_file_is_told_as_inline_media_is(self, emulator: Emulator) -> None:
        file = await upload(emulator, b"some words", "text/csv")
        attached = await emulator.generate(MODEL, asking(file))
        parts = [{"text": "What is it?"}, inline("text/csv", b"some words")]
        assert text(attached) == text(await emulator.generate(MODEL, {"contents": [{"role": "user", "parts": parts}]}))

    async def test_the_type_of_the_request_goes_before_that_of_the_file(self, emulator: Emulator) -> None:
        file = await upload(emulator, b"some words", "application/octet-stream")
        assert "Unsupported MIME type" in await emulator.refused(MODEL, asking(file))
        assert "text/csv" in text(await emulator.generate(MODEL, asking(file, mimeType="text/csv")))

    @pytest.mark.parametrize("method", ["generateContent", "streamGenerateContent?alt=sse", "countTokens"])
    async def test_an_unknown_file_is_forbidden(self, emulator: Emulator, method: str) -> None:
        uri = "https://generativelanguage.googleapis.com/v1beta/files/none"
        refused = await emulator.refused(MODEL, asking(uri), method, 403)
        assert refused == "You do not have permission to access the File none or it may not exist."

    async def test_another_keys_file_is_forbidden(self, emulator: Emulator) -> None:
        file = await upload(emulator)
        assert (await emulator.post(MODEL, asking(file), **{"x-goog-api-key": "another"})).status_code == 403

    async def test_files_elsewhere_are_not_looked_up(self, emulator: Emulator) -> None:
        answer = await emulator.generate(MODEL, asking("https://example.com/files/none.pdf"))
        assert "a file at https://example.com/files/none.pdf" in text(answer)

    async def test_instructions_and_results_may_name_files(self, emulator: Emulator) -> None:
        file = await upload(emulator, png(30, 20), "image/png")
        part = {"fileData": {"fileUri": file["uri"]}}
        body = {
            "systemInstruction": {"parts": [{"text": "Be brief"}, part]},
            "contents": [
                {"role": "user", "parts": [{"text": "Draw"}]},
                {
                    "role": "model",
                    "parts": [
                        {
                            "functionCall": {"name": "draw"},
                            "thoughtSignature": SENTINELS[0],
                        }
                    ],
                },
                {"role": "user", "parts": [{"functionResponse": {"name": "draw", "response": {}, "parts": [part]}}]},
            ],
        }
        answer = await emulator.generate("gemini-3-flash-preview", body)
        assert "With it came an image (image/png) of 30x20 pixels." in text(answer)

    async def test_an_instruction_without_parts_holds_no_file(self, emulator: Emulator) -> None:
        file = await upload(emulator, b"some words")
        assert "text file" in text(await emulator.generate(MODEL, asking(file) | {"systemInstruction": {"parts": []}}))

    async def test_a_cache_may_hold_a_file(self, emulator: Emulator) -> None:
        file = await upload(emulator, b"word " * 2000)
        body = {"model": f"models/{MODEL}", **asking(file)}
        made = (await emulator.client.post("/v1beta/cachedContents", json=body)).json()
        assert made["usageMetadata"]["totalTokenCount"] == 2503

    def test_a_very_large_file_is_told_by_its_type(self) -> None:
        files = FileShelf(lambda: 0.0, Timing(), QuotaLimits())
        content = RequestContent()
        content.size = _INLINED + 1
        file = files.add("me", content, {"mimeType": "audio/mpeg"})
        given = {"fileUri": file.name}
        assert files.attached("me", {"fileData": given}) == {
            "fileData": {"fileUri": file.name, "mimeType": "audio/mpeg"}
        }


class TestDownload:
    @pytest.fixture
    async def generated(self, emulator: Emulator, app: Starlette, clock: FakeClock) -> str:
        """The name of a file that the service made."""
        await emulator.generate(MODEL, said("Hello"))
        app.state.emulator.files.add_generated(
            app.state.emulator.files.get(*await owned(emulator, app)).owner,
            "files/batch-made",
            RequestContent(b"0123456789"),
            clock.now,
        )
        return "files/batch-made"

    async def test_uploads_cannot_be_downloaded(self, emulator: Emulator) -> None:
        file = await upload(emulator)
        for path in (f"/v1beta/{file['name']}", f"/download/v1beta/{file['name']}"):
            refused = await emulator.client.get(f"{path}:download?alt=media")
            assert refused.status_code == 400
            assert "Only generated files can be downloaded" in message(refused)

    async def test_what_the_service_made_is_found_by_way_of_a_302(self, emulator: Emulator, generated: str) -> None:
        moved = await emulator.client.get(f"/v1beta/{generated}:download?alt=media")
        assert moved.status_code == 302
        assert moved.json() == {"error": {"code": 302, "message": "Unknown Error.", "status": "UNKNOWN"}}
        assert moved.headers["location"] == f"http://emulator/download/v1beta/{generated}:download?alt=media"
        found = await emulator.client.get(moved.headers["location"])
        assert (found.status_code, found.content) == (200, b"0123456789")
        assert found.headers["content-type"] == "application/jsonl"
        assert found.headers["content-length"] == "10"

    async def test_a_generated_file_says_where_it_can_be_downloaded(self, emulator: Emulator, generated: str) -> None:
        file = (await emulator.client.get(f"/v1beta/{generated}")).json()
        assert file["source"] == "GENERATED"
        assert file["downloadUri"] == f"http://emulator/v1beta/{generated}:download?alt=media"

    async def test_the_bytes_need_the_key_too(self, emulator: Emulator, generated: str) -> None:
        other = {"x-goog-api-key": "another"}
        refused = await emulator.client.get(f"/download/v1beta/{generated}:download?alt=media", headers=other)
        assert refused.status_code == 403

    async def test_without_alt_media_there_are_no_bytes(self, emulator: Emulator, generated: str) -> None:
        assert (await emulator.client.get(f"/v1beta/{generated}:download")).json() == {}
        assert (await emulator.client.get(f"/download/v1beta/{generated}")).status_code == 404

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ("bytes=2-4", b"234"),
            ("bytes=7-", b"789"),
            ("bytes=-2", b"89"),
            ("bytes=5-99", b"56789"),
        ],
    )
    async def test_a_download_may_be_of_a_range(
        self, emulator: Emulator, generated: str, asked: str, found: bytes
    ) -> None:
        path = f"/download/v1beta/{generated}:download?alt=media"
        response = await emulator.client.get(path, headers={"Range": asked})
        assert (response.status_code, response.content) == (206, found)
        start = 10 - len(found) if asked != "bytes=2-4" else 2
        assert response.headers["content-range"] == f"bytes {start}-{start + len(found) - 1}/10"

    async def test_a_range_that_cannot_be_met_is_refused(self, emulator: Emulator, generated: str) -> None:
        path = f"/download/v1beta/{generated}:download?alt=media"
        assert (await emulator.client.get(path, headers={"Range": "bytes=10-"})).status_code == 416
        for asked in ("bytes=-", "lines=1-2"):
            assert (await emulator.client.get(path, headers={"Range": asked})).status_code == 200

    async def test_a_download_breaks_on_demand(self, emulator: Emulator, generated: str) -> None:
        headers = {"x-emulator-scenario": "garbage"}
        half = await emulator.client.get(f"/download/v1beta/{generated}:download?alt=media", headers=headers)
        assert half.content == b"01234"


async def owned(emulator: Emulator, app: Starlette) -> tuple[str, str]:
    """The owner of the test's key, and the name of a file of theirs."""
    name = (await upload(emulator))["name"].removeprefix("files/")
    return app.state.emulator.files._files[name].owner, name


class TestContent:
    def test_lines_are_whole_wherever_the_pieces_end(self) -> None:
        long = b"x" * 300_000
        assert list(RequestContent(b"a\n\n" + long + b"\n \nb").lines()) == [b"a", long, b"b"]
        assert list(RequestContent(b"a\n").lines()) == [b"a"]

    def test_much_of_it_goes_to_the_disk(self) -> None:
        content = RequestContent(bytes(IN_MEMORY + 1))
        content.write(b"end")
        assert content.read(IN_MEMORY + 1) == b"end"
        assert not isinstance(content._file._file, io.BytesIO)
