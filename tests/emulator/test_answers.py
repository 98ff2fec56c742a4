import base64
import io
import struct
import wave
from typing import Any

import pytest
from tests.emulator.support import Emulator, config, inline, parts, png, said, text

MODEL = "gemini-2.5-flash"


def wav(seconds: float) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(struct.pack("<h", 0) * int(8000 * seconds))
    return out.getvalue()


async def test_an_answer_quotes_the_last_user_text_and_says_who_speaks(emulator: Emulator) -> None:
    answer = text(await emulator.generate(MODEL, said("Explain tides")))
    assert "You said: “Explain tides”." in answer
    assert "gemgate emulator answering as gemini-2.5-flash" in answer


async def test_a_long_text_is_quoted_in_part(emulator: Emulator) -> None:
    assert "x" * 400 + "…”" in text(await emulator.generate(MODEL, said("x" * 2000)))


async def test_the_system_instruction_and_the_turns_are_seen(emulator: Emulator) -> None:
    body = {
        "contents": [
            {"role": "user", "parts": [{"text": "One"}]},
            {"role": "model", "parts": [{"text": "Two"}]},
            {"role": "user", "parts": [{"text": "Three"}]},
        ],
        "systemInstruction": {"parts": [{"text": "Be brief"}]},
    }
    answer = text(await emulator.generate(MODEL, body))
    assert "I keep to the instruction “Be brief”." in answer
    assert "You said: “Three”." in answer
    assert "Our conversation has 3 turns so far." in answer


async def test_the_same_request_gives_the_same_bytes(emulator: Emulator) -> None:
    first = await emulator.post(MODEL, said("Same"))
    second = await emulator.post(MODEL, said("Same"))
    other = await emulator.post(MODEL, said("Other"))
    assert first.content == second.content
    assert first.json()["responseId"] != other.json()["responseId"]
    assert len(first.json()["responseId"]) == 23


@pytest.mark.parametrize(
    ("part", "words", "modality"),
    [
        (inline("image/png", png()), "I see an image (image/png) of 64x48 pixels.", "IMAGE"),
        (inline("image/heic", b"any"), "I see an image (image/heic) of 3 bytes.", "IMAGE"),
        (inline("audio/wav", wav(2.5)), "I see an audio file (audio/wav) of 2.5 seconds.", "AUDIO"),
        (inline("audio/mp3", b"broken"), "I see an audio file (audio/mp3) of 6 bytes.", "AUDIO"),
        (inline("video/mp4", b"broken"), "I see a video file (video/mp4) of 6 bytes.", "VIDEO"),
        (
            inline("application/pdf", b"%PDF-1.4 /Type /Pages /Type /Page /Type/Page"),
            "I see a PDF document (application/pdf) of 44 bytes, 2 pages.",
            "DOCUMENT",
        ),
        (inline("text/csv", b"a,b\n1,2"), "I see a text file (text/csv) of 7 characters, beginning “a,b 1,2”.", "TEXT"),
        (inline("text/plain", b" "), "I see a text file (text/plain) of 1 character.", "TEXT"),
        (
            {"fileData": {"fileUri": "https://example.com/a.pdf"}},
            "I see a file at https://example.com/a.pdf.",
            "DOCUMENT",
        ),
        (
            {"fileData": {"fileUri": "gs://b/a.png", "mimeType": "image/png"}},
            "I see a image/png at gs://b/a.png.",
            "IMAGE",
        ),
    ],
)
async def test_media_are_named_with_type_and_size(
    emulator: Emulator, part: dict[str, Any], words: str, modality: str
) -> None:
    answer = await emulator.generate(MODEL, {"contents": [{"role": "user", "parts": [part]}]})
    assert words in text(answer)
    assert modality in {each["modality"] for each in answer["usageMetadata"]["promptTokensDetails"]}


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (inline("image/png", b"no image"), "Unable to process input image."),
        (inline("image/svg+xml", b"<svg/>"), "Unsupported MIME type: image/svg+xml"),
        (inline("application/octet-stream", b"\0"), "Unsupported MIME type: application/octet-stream"),
        ({"fileData": {"fileUri": "data:,x", "mimeType": "image/png"}}, "Invalid or unsupported file uri: data:,x"),
    ],
)
async def test_media_that_cannot_be_read_are_refused(emulator: Emulator, part: dict[str, Any], message: str) -> None:
    assert message in await emulator.refused(MODEL, {"contents": [{"parts": [part]}]})


async def test_stop_sequences_cut_the_text_and_are_left_out(emulator: Emulator) -> None:
    answer = await emulator.generate(MODEL, said("A STOP B", generationConfig={"stopSequences": ["STOP"]}))
    assert text(answer) == "You said: “A "
    assert answer["candidates"][0]["finishReason"] == "STOP"


async def test_the_token_limit_cuts_the_text(emulator: Emulator) -> None:
    settings = {"maxOutputTokens": 5, "thinkingConfig": {"thinkingBudget": 0}}
    answer = await emulator.generate(MODEL, said("Tell me", generationConfig=settings))
    assert answer["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert answer["usageMetadata"]["candidatesTokenCount"] == 5
    assert text(answer) == "You said: “Tell me"


async def test_thoughts_count_against_the_token_limit(emulator: Emulator) -> None:
    answer = await emulator.generate(MODEL, config(maxOutputTokens=20))
    assert answer["candidates"][0]["content"] == {"role": "model"}
    assert answer["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert answer["usageMetadata"]["thoughtsTokenCount"] == 20
    assert "candidatesTokenCount" not in answer["usageMetadata"]


async def test_thoughts_come_only_if_asked_for(emulator: Emulator) -> None:
    hidden = await emulator.generate(MODEL, said("Hello"))
    shown = await emulator.generate(MODEL, config(thinkingConfig={"includeThoughts": True}))
    off = await emulator.generate(MODEL, config(thinkingConfig={"includeThoughts": True, "thinkingBudget": 0}))
    assert [part.get("thought") for part in parts(hidden)] == [None]
    assert hidden["usageMetadata"]["thoughtsTokenCount"] == 48
    assert [part.get("thought") for part in parts(shown)] == [True, None]
    assert [part.get("thought") for part in parts(off)] == [None]
    assert "thoughtsTokenCount" not in off["usageMetadata"]


@pytest.mark.parametrize(
    ("model", "thinking", "tokens"),
    [
        ("gemini-2.0-flash", {}, 0),
        ("gemini-2.5-flash-lite", {}, 0),
        ("gemini-2.5-flash-lite", {"thinkingBudget": 512}, 96),
        ("gemini-2.5-flash", {"thinkingBudget": -1}, 48),
        ("gemini-3-flash-preview", {}, 96),
        ("gemini-3-flash-preview", {"thinkingLevel": "LOW"}, 24),
        ("gemini-3-flash-preview", {"thinkingLevel": "MINIMAL"}, 0),
        ("gemini-3.1-flash-lite", {}, 0),
        ("gemini-3.5-flash", {}, 48),
    ],
)
async def test_models_think_as_much_as_they_are_told(
    emulator: Emulator, model: str, thinking: dict[str, Any], tokens: int
) -> None:
    answer = await emulator.generate(model, config(thinkingConfig=thinking) if thinking else said("Hello"))
    assert answer["usageMetadata"].get("thoughtsTokenCount", 0) == tokens


async def test_several_candidates_differ_and_are_numbered(emulator: Emulator) -> None:
    answer = await emulator.generate(MODEL, config(candidateCount=3))
    assert [each["index"] for each in answer["candidates"]] == [0, 1, 2]
    assert len({text(answer, number) for number in range(3)}) == 3
    assert "candidatesTokenCount" not in answer["usageMetadata"]


async def test_gemini_20_numbers_from_the_second_candidate_on(emulator: Emulator) -> None:
    answer = await emulator.generate("gemini-2.0-flash", config(candidateCount=2))
    assert [each.get("index") for each in answer["candidates"]] == [None, 1]
    assert "avgLogprobs" in answer["candidates"][0]
    assert answer["usageMetadata"]["candidatesTokensDetails"][0]["modality"] == "TEXT"


async def test_log_probabilities_cover_the_text(emulator: Emulator) -> None:
    answer = await emulator.generate(MODEL, config(responseLogprobs=True, logprobs=2))
    result = answer["candidates"][0]["logprobsResult"]
    assert "".join(each["token"] for each in result["chosenCandidates"]) == text(answer)
    assert len(result["topCandidates"]) == len(result["chosenCandidates"])
    assert all(len(each["candidates"]) == 2 for each in result["topCandidates"])
    assert answer["candidates"][0]["avgLogprobs"] < 0


async def test_alternatives_come_only_if_asked_for(emulator: Emulator) -> None:
    answer = await emulator.generate(MODEL, config(responseLogprobs=True))
    assert "topCandidates" not in answer["candidates"][0]["logprobsResult"]


async def test_an_alias_answers_as_the_model_behind_it(emulator: Emulator) -> None:
    assert (await emulator.generate("gemini-flash-latest", said("Hi")))["modelVersion"] == "gemini-3.8-flash"
    retired = await emulator.generate("gemini-2.5-pro-preview-03-25", said("Hi"))
    assert retired["modelVersion"] == "models/gemini-2.5-pro"


@pytest.mark.parametrize(("asked", "served"), [("flex", "flex"), ("priority", "priority"), ("unspecified", "standard")])
async def test_the_service_tier_is_told_in_usage_and_header(emulator: Emulator, asked: str, served: str) -> None:
    response = await emulator.post(MODEL, said("Hi", serviceTier=asked))
    assert response.json()["usageMetadata"]["serviceTier"] == served
    assert response.headers["x-gemini-service-tier"] == served


async def test_whole_answers_are_pretty_printed_json(emulator: Emulator) -> None:
    response = await emulator.post(MODEL, said("Hi"))
    assert response.headers["content-type"] == "application/json; charset=UTF-8"
    assert response.content.startswith(b'{\n  "candidates": [\n')


async def test_gemini_3_signs_its_text(emulator: Emulator) -> None:
    (part,) = parts(await emulator.generate("gemini-3-flash-preview", said("Hi")))
    assert set(part) == {"text", "thoughtSignature"}


async def test_speech_is_headerless_pcm_as_long_as_the_text_takes(emulator: Emulator) -> None:
    voice = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Puck"}}}
    settings = {"responseModalities": ["AUDIO"], "speechConfig": voice}
    answer = await emulator.generate("gemini-2.5-flash-preview-tts", said("x" * 30, generationConfig=settings))
    (part,) = parts(answer)
    assert part["inlineData"]["mimeType"] == "audio/L16;codec=pcm;rate=24000"
    assert len(base64.b64decode(part["inlineData"]["data"])) == 2 * 24000 * 2
    assert answer["usageMetadata"]["candidatesTokensDetails"][0]["modality"] == "AUDIO"


class TestBuiltins:
    async def test_search_cites_byte_ranges(self, emulator: Emulator) -> None:
        answer = await emulator.generate(MODEL, said("Météo à Paris?", tools=[{"googleSearch": {}}]))
        raw = text(answer).encode()
        metadata = answer["candidates"][0]["groundingMetadata"]
        assert metadata["webSearchQueries"] == ["Météo à Paris?"]
        assert len(metadata["groundingChunks"]) == 2
        assert "startIndex" not in metadata["groundingSupports"][0]["segment"]
        assert len(raw) > len(text(answer))
        for support in metadata["groundingSupports"]:
            segment = support["segment"]
            assert raw[segment.get("startIndex", 0) : segment["endIndex"]].decode() == segment["text"]
        assert answer["usageMetadata"]["toolUsePromptTokenCount"] == 60

    async def test_search_beside_functions_shows_its_calls_on_gemini_3(self, emulator: Emulator) -> None:
        body = said("News?", tools=[{"googleSearch": {}}], toolConfig={"includeServerSideToolInvocations": True})
        first, second, third = parts(await emulator.generate("gemini-3-flash-preview", body))
        assert first["toolCall"]["toolType"] == "GOOGLE_SEARCH_WEB"
        assert second["toolResponse"]["id"] == first["toolCall"]["id"]
        assert "thoughtSignature" in first
        assert "thoughtSignature" in second
        assert "thoughtSignature" in third

    async def test_code_is_shown_with_its_output(self, emulator: Emulator) -> None:
        body = said("Add 2 and 3.5", tools=[{"codeExecution": {}}])
        code, output, said_part = parts(await emulator.generate(MODEL, body))
        assert code == {"executableCode": {"language": "PYTHON", "code": "print(sum([2, 3.5]))\n"}}
        assert output == {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "5.5\n"}}
        assert "text" in said_part

    async def test_gemini_3_numbers_its_code(self, emulator: Emulator) -> None:
        body = said("Run something", tools=[{"codeExecution": {}}])
        code, output, _ = parts(await emulator.generate("gemini-3-flash-preview", body))
        assert code["executableCode"]["id"] == output["codeExecutionResult"]["id"]
        assert code["executableCode"]["code"] == "print(sum([1, 1]))\n"
        assert "thoughtSignature" in code
        assert "thoughtSignature" not in output

    async def test_a_call_at_an_mcp_server_has_its_output_beside_it(self, emulator: Emulator) -> None:
        server = {"name": "docs", "streamableHttpTransport": {"url": "https://mcp.example/mcp"}}
        body = said("Find it", tools=[{"mcpServers": [server]}])
        call, output, said_part = parts(await emulator.generate(MODEL, body))
        assert call["functionCall"] == {"name": "search", "args": {"query": "Find it"}}
        assert output["functionResponse"]["response"] == {"result": "docs found “Find it”."}
        assert "text" in said_part

    async def test_pages_of_the_prompt_are_fetched(self, emulator: Emulator) -> None:
        body = said("Read https://example.com/a and (https://example.org/b).", tools=[{"urlContext": {}}])
        answer = await emulator.generate(MODEL, body)
        metadata = answer["candidates"][0]["urlContextMetadata"]["urlMetadata"]
        assert [each["retrievedUrl"] for each in metadata] == ["https://example.com/a", "https://example.org/b"]
        assert {each["urlRetrievalStatus"] for each in metadata} == {"URL_RETRIEVAL_STATUS_SUCCESS"}

    async def test_without_an_address_nothing_is_fetched(self, emulator: Emulator) -> None:
        answer = await emulator.generate(MODEL, said("Read it", tools=[{"urlContext": {}}]))
        assert "urlContextMetadata" not in answer["candidates"][0]

    async def test_maps_name_places(self, emulator: Emulator) -> None:
        answer = await emulator.generate(MODEL, said("Cafés?", tools=[{"googleMaps": {}}]))
        assert "maps" in answer["candidates"][0]["groundingMetadata"]["groundingChunks"][0]

    async def test_a_search_of_files_names_the_store(self, emulator: Emulator) -> None:
        body = said("Search", tools=[{"fileSearch": {"fileSearchStoreNames": ["fileSearchStores/a"]}}])
        (chunk,) = (await emulator.generate(MODEL, body))["candidates"][0]["groundingMetadata"]["groundingChunks"]
        assert chunk["retrievedContext"]["fileSearchStore"] == "fileSearchStores/a"

    async def test_other_tools_leave_no_trace(self, emulator: Emulator) -> None:
        body = said("Click", tools=[{"computerUse": {"environment": "ENVIRONMENT_BROWSER"}}])
        assert set((await emulator.generate(MODEL, body))["candidates"][0]) == {"content", "finishReason", "index"}
