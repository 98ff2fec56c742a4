"""embedContent and batchEmbedContents."""

import math
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from tests.emulator.support import Emulator, inline, png

OLD = "gemini-embedding-001"
NEW = "gemini-embedding-2"
BATCH = "batchEmbedContents"


def one(text: str, model: str = OLD, **more: Any) -> dict[str, Any]:
    return {"model": f"models/{model}", "content": {"parts": [{"text": text}]}, **more}


def batch(*texts: str, model: str = OLD, **more: Any) -> dict[str, Any]:
    return {"requests": [one(text, model, **more) for text in texts]}


async def vectors(emulator: Emulator, body: Any, model: str = OLD) -> list[list[float]]:
    response = await emulator.post(model, body, BATCH)
    assert response.status_code == 200, response.text
    return [each["values"] for each in response.json()["embeddings"]]


class TestAnswers:
    async def test_vectors_come_in_the_order_of_the_requests(self, emulator: Emulator) -> None:
        one_by_one = [(await vectors(emulator, batch(text)))[0] for text in ("a", "b", "c")]
        assert await vectors(emulator, batch("a", "b", "c")) == one_by_one
        assert [len(values) for values in one_by_one] == [3072] * 3

    async def test_a_single_text_has_the_vector_that_it_has_in_a_batch(self, emulator: Emulator) -> None:
        single = (await emulator.post(OLD, one("a"), "embedContent")).json()
        assert single == {"embedding": {"values": (await vectors(emulator, batch("a")))[0]}}

    async def test_a_single_text_needs_no_model_in_its_body(self, emulator: Emulator) -> None:
        response = await emulator.post(OLD, {"content": {"parts": [{"text": "a"}]}}, "embedContent")
        assert response.status_code == 200

    async def test_answers_are_pretty_printed_json(self, emulator: Emulator) -> None:
        response = await emulator.post(OLD, batch("a"), BATCH)
        assert response.headers["content-type"] == "application/json; charset=UTF-8"
        assert response.content.startswith(b'{\n  "embeddings": [\n    {\n      "values": [\n        ')

    @pytest.mark.parametrize(
        ("model", "size", "length"),
        [(OLD, None, 1), (OLD, 768, 0.588), (OLD, 256, 0.386), (NEW, 768, 1), ("text-embedding-004", None, 1)],
    )
    async def test_only_the_old_model_leaves_reduced_vectors_short(
        self, emulator: Emulator, model: str, size: int | None, length: float
    ) -> None:
        (values,) = await vectors(emulator, batch("Ruby", model=model, outputDimensionality=size), model)
        assert len(values) == size or (768 if model == "text-embedding-004" else 3072)
        assert math.hypot(*values) == pytest.approx(length, rel=0.15)

    async def test_the_config_may_stand_in_a_message_of_its_own(self, emulator: Emulator) -> None:
        (values,) = await vectors(emulator, batch("a", embedContentConfig={"outputDimensionality": 128}))
        assert len(values) == 128

    async def test_all_parts_of_one_content_give_one_vector(self, emulator: Emulator) -> None:
        content = {"parts": [{"text": "The Ruby logo"}, inline("image/png", png())]}
        fused = {"requests": [{"model": f"models/{NEW}", "content": content}]}
        together = await vectors(emulator, fused, NEW)
        assert len(together) == 1
        assert together != await vectors(emulator, batch("The Ruby logo", model=NEW), NEW)

    async def test_files_elsewhere_are_embedded_by_their_uri(self, emulator: Emulator) -> None:
        def named(uri: str) -> dict[str, Any]:
            content = {"parts": [{"fileData": {"fileUri": uri, "mimeType": "application/pdf"}}]}
            return {"model": f"models/{NEW}", "content": content}

        first, second, third = await vectors(
            emulator, {"requests": [named("gs://b/a"), named("gs://b/b"), named("gs://b/a")]}, NEW
        )
        assert first == third != second

    async def test_uploaded_files_are_embedded_by_their_bytes(self, emulator: Emulator, app: Starlette) -> None:
        app.state.emulator.files.put("files/a", "image/png", png(), key="k")
        file = {"content": {"parts": [{"fileData": {"fileUri": "files/a"}}]}}
        same = {"content": {"parts": [inline("image/png", png())]}}
        first, second = [(await emulator.post(NEW, each, "embedContent")).json() for each in (file, same)]
        assert first == second

    async def test_only_the_new_model_tells_its_usage(self, emulator: Emulator) -> None:
        old = (await emulator.post(OLD, batch("Hello, world!"), BATCH)).json()
        assert old.keys() == {"embeddings"}
        content = {"parts": [{"text": "Hello, world!"}, inline("image/png", png())]}
        new = (await emulator.post(NEW, {"content": content}, "embedContent")).json()
        assert new["usageMetadata"] == {
            "promptTokenCount": 262,
            "promptTokenDetails": [
                {"modality": "TEXT", "tokenCount": 4},
                {"modality": "IMAGE", "tokenCount": 258},
            ],
        }

    async def test_what_is_too_long_is_cut_off(self, emulator: Emulator) -> None:
        long = batch("word " * 20_000, "hello", model=NEW)
        usage = (await emulator.post(NEW, long, BATCH)).json()["usageMetadata"]
        assert usage["promptTokenCount"] == 8192 + 2
        assert "exceeds the maximum number of tokens allowed (8192)" in await emulator.refused(
            NEW, batch("word " * 20_000, model=NEW, embedContentConfig={"autoTruncate": False}), BATCH
        )

    async def test_words_behind_the_limit_change_nothing(self, emulator: Emulator) -> None:
        long = "word " * 3_000
        first, second = await vectors(emulator, batch(f"{long}apples", f"{long}pears"))
        assert first == second

    async def test_task_type_and_title_move_vectors_of_the_old_model_only(self, emulator: Emulator) -> None:
        settings = {"taskType": "RETRIEVAL_DOCUMENT", "title": "Greetings"}
        plain, typed, titled = await vectors(
            emulator,
            {"requests": [one("Hello"), one("Hello", taskType="RETRIEVAL_DOCUMENT"), one("Hello", **settings)]},
        )
        assert plain != typed != titled
        assert await vectors(emulator, batch("Hello", model=NEW, **settings), NEW) == await vectors(
            emulator, batch("Hello", model=NEW), NEW
        )

    @pytest.mark.parametrize("settings", [{"title": ""}, {"taskType": "TASK_TYPE_UNSPECIFIED"}])
    async def test_empty_settings_move_nothing(self, emulator: Emulator, settings: dict[str, str]) -> None:
        assert await vectors(emulator, batch("Hello", **settings)) == await vectors(emulator, batch("Hello"))

    async def test_snake_case_is_taken(self, emulator: Emulator) -> None:
        (values,) = await vectors(emulator, batch("a", output_dimensionality=128, task_type="CLUSTERING"))
        assert len(values) == 128

    async def test_tokens_can_be_counted(self, emulator: Emulator) -> None:
        contents = {"contents": [{"parts": [{"text": "Hello, world!"}]}, {"parts": [{"text": "Bye!"}]}]}
        assert (await emulator.post(OLD, contents, "countTokens")).json() == {
            "totalTokens": 5,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 5}],
        }


class TestRefusals:
    async def test_more_than_a_hundred_are_refused_in_googles_words(self, emulator: Emulator) -> None:
        assert len(await vectors(emulator, batch(*["a"] * 100, outputDimensionality=128))) == 100
        message = await emulator.refused(OLD, batch(*["a"] * 101), BATCH)
        assert message == "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch\n"

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({}, "requests: requests is not specified"),
            ({"requests": []}, "requests: requests is not specified"),
            ({"requests": [{"content": {"parts": [{"text": "a"}]}}]}, "requests[0].model: model is not specified"),
            ({"requests": [one("a"), one("b") | {"model": OLD}]}, "requests[1].model: unexpected model name format"),
            ({"requests": [one("a"), one("b", NEW)]}, "requests[1].model: model must be the model of the URL"),
            ({"requests": [{"model": f"models/{OLD}"}]}, "requests[0].content: content is not specified"),
            ({"requests": [one("a") | {"content": {}}]}, "requests[0].content: content is not specified"),
            ({"requests": [one("a") | {"content": {"parts": [{}]}}]}, "content.parts[0].data: required oneof field"),
            (batch("a", ""), "EmbedContentRequest.content contains an empty Part."),
            (batch("a", outputDimensionality=127), "must be in the range [128, 3072]"),
            (batch("a", outputDimensionality=3073), "must be in the range [128, 3072]"),
            (batch("a", outputDimensionality="many"), "Invalid value at 'requests[0].output_dimensionality'"),
            (batch("a", title="T"), "title can only be set with task_type RETRIEVAL_DOCUMENT"),
            (batch("a", title="T", taskType="CLUSTERING"), "title can only be set with task_type RETRIEVAL_DOCUMENT"),
            (batch("a", taskType="SINGING"), "Invalid value at 'requests[0].task_type'"),
            (batch("a", dimensions=128), 'Unknown name "dimensions"'),
            ({"requests": [one("a") | {"content": "a"}]}, "Invalid value at 'requests[0].content'"),
        ],
    )
    async def test_a_wrong_batch_is_refused(self, emulator: Emulator, body: Any, message: str) -> None:
        assert message in await emulator.refused(OLD, body, BATCH)

    @pytest.mark.parametrize(
        ("model", "part", "message"),
        [
            (OLD, inline("image/png", png()), "embeds text only"),
            (NEW, {"functionCall": {"name": "f"}}, "embeds text and media only"),
            (NEW, {"inlineData": {"mimeType": "", "data": ""}}, "parts[0].inline_data: mime_type and data"),
            (NEW, inline("image/png", b"no picture"), "Unable to process input image"),
        ],
    )
    async def test_what_cannot_be_embedded_is_refused(
        self, emulator: Emulator, model: str, part: dict[str, Any], message: str
    ) -> None:
        assert message in await emulator.refused(model, {"content": {"parts": [part]}}, "embedContent")

    @pytest.mark.parametrize("body", [[], None, {"content": {"parts": [{"text": "a"}]}, "input": "a"}])
    async def test_a_wrong_request_for_a_single_text_is_refused(self, emulator: Emulator, body: Any) -> None:
        assert "Invalid JSON payload received." in await emulator.refused(OLD, body, "embedContent")

    @pytest.mark.parametrize("model", ["gemini-2.5-flash", "no-such-model"])
    async def test_models_without_vectors_are_not_found(self, emulator: Emulator, model: str) -> None:
        message = await emulator.refused(model, batch("a", model=model), BATCH, status=404)
        assert "or is not supported for embedContent." in message


class TestScenarios:
    async def test_one_text_of_a_batch_can_ask_for_a_failure(self, emulator: Emulator) -> None:
        response = await emulator.post(OLD, batch("fine", "Hello [[emulator: 503]]"), BATCH)
        assert response.status_code == 503

    @pytest.mark.parametrize(("name", "status"), [("429", 429), ("500", 500), ("html-502", 502)])
    async def test_a_name_or_a_header_can_ask_for_a_failure(self, emulator: Emulator, name: str, status: int) -> None:
        named = f"emulator-{name}"
        assert (await emulator.post(named, batch("a", model=named), BATCH)).status_code == status
        headed = await emulator.post(OLD, batch("a"), BATCH, **{"x-emulator-scenario": name})
        assert headed.status_code == status

    async def test_the_first_request_with_the_same_texts_can_fail(self, emulator: Emulator) -> None:
        body = batch("a", model="emulator-flaky")
        statuses = [(await emulator.post("emulator-flaky", body, BATCH)).status_code for _ in range(2)]
        assert statuses == [503, 200]

    async def test_an_answer_can_be_broken_json(self, emulator: Emulator) -> None:
        response = await emulator.post(OLD, batch("a [[emulator: garbage]]"), BATCH)
        assert response.status_code == 200
        with pytest.raises(ValueError, match="Expecting"):
            response.json()

    def test_the_connection_can_break(self, served: httpx.Client, app: Starlette) -> None:
        with pytest.raises(httpx.TransportError):
            served.post(f"/v1beta/models/{OLD}:{BATCH}", json=batch("a [[emulator: reset-mid-stream]]"))
        assert app.state.emulator.requests[0].path.endswith(BATCH)

    async def test_scenarios_about_candidates_change_nothing(self, emulator: Emulator) -> None:
        response = await emulator.post(OLD, batch("a"), BATCH, **{"x-emulator-scenario": "safety"})
        assert response.json() == (await emulator.post(OLD, batch("a"), BATCH)).json()
