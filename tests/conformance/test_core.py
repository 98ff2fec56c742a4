"""A core of `make conformance`: the clients that share one environment, and the proof that two translations agree."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.environments import python_of, run
from tests.conformance.matrix import CLIENTS, CORE, FEATURES, PROGRAMS, Feature, NonconformingError, attempt, judge
from tests.conformance.meaning import meaning
from tests.conformance.responses import CORE as RESPONSES_CORE
from tests.conformance.responses import (
    CORE_COLUMNS,
    RESPONSES_CLIENTS,
    ResponsesFeature,
    attempt_responses,
    judge_responses,
)
from tests.conformance.transcriptions import (
    SPOKEN,
    TRANSCRIPTION_CLIENTS,
    TRANSCRIPTION_FEATURES,
    TranscriptionFeature,
    attempt_transcription,
    judge_transcription,
    speech_file,
)
from tests.support.stack import GOOGLE, KEY, OPENAI, Stack, stack
from tests.support.vertex_stack import vertex_stack


@pytest.fixture(scope="module")
def servers() -> Iterator[Stack]:
    with stack() as running:
        yield running


@pytest.fixture(scope="session")
def cache(request: pytest.FixtureRequest) -> Path:
    return Path(request.config.cache.mkdir("conformance"))


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("name", CORE)
def test_the_client_gets_what_it_asks_for(name: str, feature: Feature, servers: Stack, cache: Path) -> None:
    attempt(CLIENTS[name], feature, servers, cache)


@pytest.fixture(scope="module")
def vertex() -> Iterator[Stack]:
    with vertex_stack() as running:
        yield running


@pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])
def test_before_vertex_ai_openais_client_gets_what_it_asks_for(prefix: str, vertex: Stack, cache: Path) -> None:
    for feature in FEATURES:
        attempt(CLIENTS["openai, Python"], feature, vertex, cache, prefix)
    for column in CORE_COLUMNS:
        attempt_responses(RESPONSES_CLIENTS["openai, Python"], column, vertex, cache, prefix)


@pytest.mark.parametrize("column", CORE_COLUMNS)
@pytest.mark.parametrize("name", RESPONSES_CORE)
def test_the_client_of_responses_gets_what_it_asks_for(name: str, column: str, servers: Stack, cache: Path) -> None:
    attempt_responses(RESPONSES_CLIENTS[name], column, servers, cache)


@pytest.mark.parametrize(
    ("feature", "answer"),
    [
        ("tools", {"called": [["get_time", "Paris"]], "text": "clear, 3 degrees, half past twelve"}),
        ("streamed", {"called": [["get_time", "Paris"], ["get_weather", "Paris"]], "text": "clear, 3 degrees"}),
        ("tools", {"called": [], "text": "The function exec_command answered", "warnings": []}),
        ("tools", {"called": [["exec_command", ""]], "text": "The function exec_command answered", "warnings": ["x"]}),
        ("structured", {"name": "x", "participants": []}),
        ("failure", {}),
        ("failure", {"error": "Something went wrong."}),
    ],
)
def test_a_wrong_response_is_noticed(feature: ResponsesFeature, answer: Any) -> None:
    with pytest.raises(NonconformingError):
        judge_responses(feature, answer)


@pytest.mark.parametrize(
    ("feature", "answer", "paths"),
    [
        ("tools", {"called": [["get_time", "Paris"]], "text": "clear, 3 degrees, half past twelve"}, []),
        ("tools", {"called": [["get_weather", "Paris"], ["get_time", "Paris"]], "text": "I do not know"}, []),
        ("stream", {"pieces": ["You said: “Hello there”. This is the gemgate emulator"]}, ["/x:generateContent"]),
        ("stream", {"pieces": ["You said"]}, ["/x:streamGenerateContent"]),
        ("structured", {"name": "x", "participants": []}, []),
    ],
)
def test_a_wrong_answer_is_noticed(feature: Feature, answer: Any, paths: list[str]) -> None:
    with pytest.raises(NonconformingError):
        judge(feature, answer, paths)


@pytest.mark.parametrize("feature", TRANSCRIPTION_FEATURES)
def test_curl_gets_the_transcript_that_it_asks_for(
    feature: TranscriptionFeature, servers: Stack, cache: Path, tmp_path: Path
) -> None:
    speech = speech_file(servers, tmp_path)
    attempt_transcription(TRANSCRIPTION_CLIENTS["curl"], feature, speech, servers, cache)


@pytest.mark.parametrize(
    ("feature", "answer"),
    [
        ("text", {"text": "Good morning."}),
        ("streamed", {"pieces": [SPOKEN]}),
        ("streamed", {"pieces": ["Good morning, ", "and welcome"]}),
        ("subtitles", {"subtitles": SPOKEN}),
        ("subtitles", {"subtitles": "1\n00:00:00,000 --> 00:00:01,000\nGood morning\n"}),
        (
            "subtitles",
            {
                "subtitles": "1\n00:00:02,000 --> 00:00:03,000\nGood morning, and welcome on board.\n\n"
                "2\n00:00:00,000 --> 00:00:01,000\nWe leave at noon.\n"
            },
        ),
    ],
)
def test_a_wrong_transcript_is_noticed(feature: TranscriptionFeature, answer: Any) -> None:
    with pytest.raises(NonconformingError):
        judge_transcription(feature, answer)


def native_requests(kind: str, base_url: str, servers: Stack, cache: Path) -> list[dict[str, Any]]:
    """What the agent program made Google do."""
    seen = len(servers.seen.requests)
    program = [str(python_of("clients", cache)), str(PROGRAMS / "same_agent.py")]
    done = run([*program, kind, base_url, KEY])
    assert done.returncode == 0, done.stderr
    return [meaning(request.path, request.body) for request in list(servers.seen.requests)[seen:]]


def test_an_agent_means_the_same_through_googles_api_and_through_the_gateway(servers: Stack, cache: Path) -> None:
    natively = native_requests("google", servers.emulator, servers, cache)
    through_the_gateway = native_requests("openai", servers.base(OPENAI), servers, cache)
    assert len(natively) == 8
    assert through_the_gateway == natively


def test_another_meaning_is_noticed() -> None:
    part = {"functionCall": {"name": "f", "args": {"snake_case": 1}}, "thoughtSignature": "x"}
    body: Any = {"contents": [{"role": "model", "parts": [part]}]}
    unsigned: Any = {
        "contents": [{"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"snakeCase": 1}}}]}]
    }
    assert meaning("/m", body) != meaning("/m", unsigned)
