"""When a call is made again, with which key, after which pause; and what the caller is told at the end."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from tests.support.clock import FakeClock
from tests.support.google import FakeGoogle, bad_key, daily, detail, failure, overloaded, quota
from tests.upstream.support import BODY, EMPTY, HELLO, MALFORMED, MODEL, Json, Seen, upstream

from gemgate.gemini.errors import Failure, GeminiError, TransportError
from gemgate.upstream.retry import CallLimits

ONE, TWO, OWN = "key-one", "key-two", "callers-own-key"
GOOD = httpx.Response(200, json=HELLO)
REFUSED = httpx.ConnectError("refused")
LOST = httpx.RemoteProtocolError("closed without an answer")
CACHE = "/v1beta/cachedContents"


async def failing(google: FakeGoogle, *keys: str, key: str | None = None, **more: Any) -> GeminiError:
    async with upstream(google, *keys, **more) as way:
        with pytest.raises(GeminiError) as caught:
            await way.generate(MODEL, BODY, key)
    return caught.value


@pytest.mark.parametrize(
    ("answer", "calls"),
    [
        pytest.param(failure(500), 3, id="500"),
        pytest.param(failure(502), 3, id="502"),
        pytest.param(overloaded(), 3, id="503"),
        pytest.param(failure(504), 3, id="504"),
        pytest.param(httpx.Response(502, text="<html>Bad gateway</html>"), 3, id="502 as a page"),
        pytest.param(REFUSED, 3, id="no connection"),
        pytest.param(httpx.ConnectTimeout("late"), 3, id="no connection in time"),
        pytest.param(LOST, 3, id="lost before an answer"),
        pytest.param(quota("2s"), 3, id="429"),
        pytest.param(failure(400), 1, id="400"),
        pytest.param(failure(401), 1, id="401"),
        pytest.param(failure(403), 1, id="403"),
        pytest.param(failure(404), 1, id="404"),
        pytest.param(failure(499), 1, id="499"),
        pytest.param(failure(501), 1, id="501"),
        pytest.param(daily(), 1, id="429 of a day"),
        pytest.param(httpx.Response(200, text="no JSON"), 1, id="200 that is no answer"),
        pytest.param(httpx.Response(302, headers={"location": "/"}), 1, id="a redirect"),
    ],
)
@pytest.mark.parametrize("key", [None, OWN], ids=["gateway's key", "own key"])
async def test_what_is_tried_again(answer: Any, calls: int, key: str | None) -> None:
    google = FakeGoogle(answer)
    await failing(google, ONE, key=key)
    assert google.keys == [key or ONE] * calls


async def test_the_same_bytes_are_sent_each_time() -> None:
    google = FakeGoogle(overloaded(), REFUSED, GOOD)
    body = {"contents": [{"role": "user", "parts": [{"text": "Grüße"}]}], "generationConfig": {"seed": 1}}
    async with upstream(google, ONE, TWO) as way:
        assert await way.generate(MODEL, body, None) == HELLO
    assert len(google.requests) == 3
    assert {request.content for request in google.requests} == {orjson.dumps(body)}
    assert {str(request.url) for request in google.requests} == {
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent"
    }
    kept = [{name: text for name, text in sent.headers.items() if name != "x-goog-api-key"} for sent in google.requests]
    assert kept[0] == kept[1] == kept[2]


class TestPauses:
    @pytest.mark.parametrize(("jitter", "pauses"), [(1.0, [0.5, 1, 2, 4, 5]), (0.5, [0.25, 0.5, 1, 2, 4]), (0, [])])
    async def test_pauses_double_with_full_jitter_up_to_the_longest(self, jitter: float, pauses: list[float]) -> None:
        clock = FakeClock()
        await failing(FakeGoogle(overloaded()), ONE, clock=clock, random=jitter, retries=5)
        assert clock.slept == pauses

    async def test_pauses_follow_google_where_it_names_a_time(self) -> None:
        clock = FakeClock()
        answer = failure(503, "busy", detail("RetryInfo", retryDelay="3s"))
        await failing(FakeGoogle(answer), ONE, clock=clock, random=0)
        assert clock.slept == [3, 3]

    async def test_a_pause_that_google_wants_too_long_is_told_instead(self) -> None:
        clock = FakeClock()
        answer = failure(503, "busy", detail("RetryInfo", retryDelay="30s"))
        error = await failing(google := FakeGoogle(answer), ONE, clock=clock)
        assert (len(google.requests), clock.slept, error.retry_delay) == (1, [], 30)

    async def test_a_pause_for_a_quota_is_a_little_longer_than_google_says(self) -> None:
        clock = FakeClock()
        async with upstream(FakeGoogle(quota("4s"), GOOD), ONE, clock=clock, random=0.5) as way:
            await way.generate(MODEL, BODY, None)
        assert clock.slept == [4.5]

    async def test_a_pause_for_a_quota_of_the_callers_own_key_is_the_same(self) -> None:
        clock = FakeClock()
        async with upstream(FakeGoogle(quota("4s"), GOOD), clock=clock, random=0.5) as way:
            await way.generate(MODEL, BODY, OWN)
        assert clock.slept == [4.5]

    async def test_no_pause_is_made_for_a_quota_when_another_model_may_answer(self) -> None:
        clock = FakeClock()
        async with upstream(FakeGoogle(quota("2s")), ONE, clock=clock) as way:
            for key in (None, OWN):
                with pytest.raises(GeminiError):
                    await way.generate(MODEL, BODY, key, limits=CallLimits(waits_for_quota=False))
        assert clock.slept == []

    async def test_a_pause_ends_with_the_caller(self) -> None:
        waiting = asyncio.Event()

        async def sleep(_seconds: float) -> None:
            waiting.set()
            await asyncio.Event().wait()

        google, clock = FakeGoogle(overloaded(), GOOD), FakeClock()
        clock.sleep = sleep  # type: ignore[assignment, method-assign]
        async with upstream(google, ONE, clock=clock) as way:
            task = asyncio.create_task(way.generate(MODEL, BODY, None))
            await waiting.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert way.snapshot().keys[0].in_flight == 0
        assert len(google.requests) == 1


class TestBounds:
    @pytest.mark.parametrize("retries", [0, 1, 4])
    async def test_retries_are_bounded_in_number(self, retries: int) -> None:
        google = FakeGoogle(overloaded())
        error = await failing(google, ONE, retries=retries)
        assert len(google.requests) == retries + 1
        assert error.is_final is (retries > 0)

    async def test_retries_are_bounded_by_the_time_of_the_request(self) -> None:
        clock = FakeClock()

        def slow(_request: httpx.Request) -> httpx.Response:
            clock.now += 40
            return overloaded()

        google = FakeGoogle(slow)
        error = await failing(google, ONE, clock=clock, retries=9, deadline=100)
        assert len(google.requests) == 3
        assert error.is_final

    async def test_a_later_attempt_has_what_is_left_of_the_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = FakeClock()
        given: list[float | None] = []

        def slow(_request: httpx.Request) -> httpx.Response:
            clock.now += 40
            return overloaded()

        async with upstream(FakeGoogle(slow), ONE, clock=clock, retries=2, deadline=100, random=0) as way:
            generate = way.client.generate

            async def noted(*args: Any, within: float | None) -> Any:
                given.append(within)
                return await generate(*args, within=within)

            monkeypatch.setattr(way.client, "generate", noted)
            with pytest.raises(GeminiError):
                await way.generate(MODEL, BODY, None)
        assert given == [None, 60, 20]

    async def test_the_time_counts_from_the_beginning_of_the_request_when_another_model_was_asked_before(self) -> None:
        clock, given = FakeClock(), []
        async with upstream(FakeGoogle(overloaded()), ONE, clock=clock, deadline=100, random=0) as way:
            generate = way.client.generate

            async def noted(*args: Any, within: float | None) -> Any:
                given.append(within)
                return await generate(*args, within=within)

            way.client.generate = noted  # type: ignore[assignment, method-assign]
            with pytest.raises(GeminiError):
                await way.generate(MODEL, BODY, None, limits=CallLimits(deadline_started_at=clock.now - 90))
            with pytest.raises(GeminiError):
                await way.generate(MODEL, BODY, None, limits=CallLimits(deadline_started_at=clock.now - 101))
        assert given == [10, 10, 10, -1]

    async def test_what_time_may_mend_is_not_called_final(self) -> None:
        assert not (await failing(FakeGoogle(quota("2s")), ONE)).is_final
        assert not (await failing(FakeGoogle(failure(400)), ONE)).is_final


class TestOtherKeys:
    async def test_another_key_goes_first_and_at_once_when_one_has_used_up_its_quota(self) -> None:
        google, clock = FakeGoogle(GOOD), FakeClock()
        google.by_key[ONE] = [quota("2s")]
        async with upstream(google, ONE, TWO, clock=clock, retries=0) as way:
            await way.generate(MODEL, BODY, None)
        assert (google.keys, clock.slept) == ([ONE, TWO], [])

    @pytest.mark.parametrize("refusal", [bad_key(), failure(403), failure(401), daily()])
    async def test_another_key_goes_first_when_one_is_refused(self, refusal: httpx.Response) -> None:
        google, clock = FakeGoogle(GOOD), FakeClock()
        google.by_key[ONE] = [refusal]
        async with upstream(google, ONE, TWO, clock=clock, retries=0) as way:
            await way.generate(MODEL, BODY, None)
        assert (google.keys, clock.slept) == ([ONE, TWO], [])

    async def test_another_key_is_taken_after_a_pause_when_google_fails(self) -> None:
        google, clock = FakeGoogle(overloaded(), overloaded(), GOOD), FakeClock()
        async with upstream(google, ONE, TWO, clock=clock) as way:
            await way.generate(MODEL, BODY, None)
        assert sorted(google.keys[:2]) == [ONE, TWO]
        assert clock.slept == [0.5, 1]

    async def test_another_key_is_never_taken_for_a_bad_request(self) -> None:
        google = FakeGoogle(failure(400, "Request contains an invalid argument."))
        await failing(google, ONE, TWO)
        assert google.keys == [ONE]

    async def test_the_gateways_keys_are_never_used_for_a_callers_own(self) -> None:
        google = FakeGoogle(bad_key())
        error = await failing(google, ONE, TWO, key=OWN)
        assert (google.keys, error.is_invalid_key) == ([OWN], True)

    async def test_a_key_that_must_be_used_stands_alone_and_cools_down_like_the_others(self) -> None:
        google, clock = FakeGoogle(quota("48s")), FakeClock()
        async with upstream(google, ONE, TWO, clock=clock) as way:
            held = way.pin_key(None)
            for _ in range(2):
                with pytest.raises(GeminiError) as caught:
                    await way.generate(MODEL, BODY, held)
        assert google.keys == [held]
        assert caught.value.available_in == 48


async def test_an_own_key_without_quota_is_told_when_there_is_some_again() -> None:
    assert (await failing(FakeGoogle(daily()), key=OWN)).available_in == 12 * 3600
    assert (await failing(FakeGoogle(quota(None, "")), key=OWN, retries=0)).available_in == 10


class TestCallsThatMakeSomething:
    @pytest.mark.parametrize(
        ("answer", "calls"),
        [(overloaded(), 1), (failure(500), 1), (LOST, 1), (REFUSED, 3), (quota("1s"), 3)],
        ids=["503", "500", "lost", "no connection", "429"],
    )
    async def test_a_call_that_makes_something_is_made_again_only_if_it_was_surely_not_made(
        self, answer: Any, calls: int
    ) -> None:
        google = FakeGoogle(answer)
        async with upstream(google, ONE) as way:
            with pytest.raises(GeminiError):
                await way.request("POST", CACHE, key=None, json={"model": MODEL})
        assert len(google.requests) == calls

    @pytest.mark.parametrize(
        ("method", "path", "calls"),
        [
            ("GET", "/v1beta/models", 3),
            ("POST", "/v1beta/models/gemini-embedding-001:batchEmbedContents", 3),
            ("POST", "/v1beta/models/gemini-2.5-flash:countTokens", 3),
            ("POST", "/v1beta/models/imagen-4.0-generate-001:predict", 3),
            ("POST", "/v1beta/models/veo-3.0:predictLongRunning", 1),
            ("POST", "/v1beta/models/gemini-2.5-flash:batchGenerateContent", 1),
            ("POST", "/v1beta/batches/abc:cancel", 1),
            ("DELETE", "/v1beta/files/abc", 1),
            ("PATCH", "/v1beta/cachedContents/abc", 1),
        ],
    )
    async def test_calls_that_make_something_are_known_by_their_path(self, method: str, path: str, calls: int) -> None:
        google = FakeGoogle(overloaded())
        async with upstream(google, ONE) as way:
            with pytest.raises(GeminiError):
                await way.request(method, path, key=None, json=None if method == "GET" else {})
        assert len(google.requests) == calls


class TestEmptyAnswers:
    @pytest.mark.parametrize("answer", [EMPTY, MALFORMED, {"candidates": [{"finishReason": "STOP"}]}, {}])
    async def test_an_empty_answer_is_asked_for_once_more(self, answer: Json) -> None:
        google = FakeGoogle(httpx.Response(200, json=answer), GOOD)
        async with upstream(google, ONE, retries=0) as way:
            assert await way.generate(MODEL, BODY, None) == HELLO
        assert len(google.requests) == 2
        assert google.requests[0].content == google.requests[1].content

    async def test_an_empty_answer_is_given_on_the_second_time(self) -> None:
        google = FakeGoogle(httpx.Response(200, json=MALFORMED))
        async with upstream(google, ONE) as way:
            assert await way.generate(MODEL, BODY, None) == MALFORMED
        assert len(google.requests) == 2

    async def test_an_empty_answer_is_given_on_if_the_operator_wants_that(self) -> None:
        google = FakeGoogle(httpx.Response(200, json=EMPTY))
        async with upstream(google, ONE, retry_empty=False) as way:
            assert await way.generate(MODEL, BODY, None) == EMPTY
        assert len(google.requests) == 1

    @pytest.mark.parametrize(
        "answer",
        [
            {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}},
            {"candidates": [{"finishReason": "SAFETY"}]},
            {"candidates": [{"content": {"parts": []}, "finishReason": "MAX_TOKENS"}]},
            {
                "candidates": [
                    {"content": {"parts": [{"text": "", "thoughtSignature": "c2ln"}]}, "finishReason": "STOP"}
                ]
            },
            {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}}]}, "finishReason": "STOP"}]},
            {"candidates": [{"content": {}, "finishReason": "STOP"}, HELLO["candidates"][0]]},
        ],
        ids=["blocked", "safety", "length", "signature", "call", "one of two"],
    )
    async def test_an_answer_that_is_empty_for_another_reason_is_an_answer(self, answer: Json) -> None:
        google = FakeGoogle(httpx.Response(200, json=answer))
        async with upstream(google, ONE) as way:
            assert await way.generate(MODEL, BODY, None) == answer
        assert len(google.requests) == 1

    async def test_an_answer_with_a_thought_only_is_asked_for_once_more(self) -> None:
        thought = {"candidates": [{"content": {"parts": [{"text": "Hm", "thought": True}]}, "finishReason": "STOP"}]}
        google = FakeGoogle(httpx.Response(200, json=thought), GOOD)
        async with upstream(google, ONE) as way:
            assert await way.generate(MODEL, BODY, None) == HELLO

    async def test_asking_again_for_an_empty_answer_is_no_retry_of_a_failure(self) -> None:
        google = FakeGoogle(httpx.Response(200, json=EMPTY), overloaded(), overloaded(), GOOD)
        async with upstream(google, ONE, retries=2) as way:
            assert await way.generate(MODEL, BODY, None) == HELLO


class TestOpen:
    async def test_an_open_call_counts_until_its_answer_is_closed(self) -> None:
        google = FakeGoogle(overloaded(), GOOD)
        async with upstream(google, ONE) as way:
            answer = await way.open("GET", way.url("/v1beta/models"), key=None)
            assert way.snapshot().keys[0].in_flight == 1
            assert await answer.json_object() == HELLO
            assert way.snapshot().keys[0].in_flight == 0
            await answer.aclose()
            assert way.snapshot().keys[0].in_flight == 0
        assert len(google.requests) == 2

    async def test_an_open_call_sends_a_stream_once(self) -> None:
        class Body(httpx.AsyncByteStream):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                yield b"abc"

        google = FakeGoogle(quota("1s"), GOOD)
        async with upstream(google, ONE, TWO) as way:
            with pytest.raises(GeminiError):
                await way.open(
                    "POST", way.url("/upload/v1beta/files"), key=None, headers={"content-length": "3"}, body=Body()
                )
            assert [key.in_flight for key in way.snapshot().keys] == [0, 0]
        assert [request.content for request in google.requests] == [b"abc"]

    async def test_an_open_call_gives_the_key_back_when_it_is_broken_off(self) -> None:
        def broken_off(_request: httpx.Request) -> httpx.Response:
            raise KeyboardInterrupt

        async with upstream(FakeGoogle(broken_off), ONE) as way:
            with pytest.raises(KeyboardInterrupt):
                await way.open("GET", way.url("/v1beta/models"), key=None)
            assert way.snapshot().keys[0].in_flight == 0

    async def test_an_open_call_knows_the_addresses_of_the_client(self) -> None:
        async with upstream(FakeGoogle(GOOD), ONE) as way:
            address = way.named_url("/v1beta/files/abc")
            assert address == way.url("/v1beta/files/abc")


async def test_observers_are_told_of_each_retry() -> None:
    google, seen = FakeGoogle(overloaded(), httpx.Response(200, json=MALFORMED), REFUSED, GOOD), Seen()
    google.by_key[ONE] = [quota("48s")]
    async with upstream(google, ONE, TWO, retries=3) as way:
        way.observe(seen)
        await way.generate(MODEL, BODY, None)
    reasons = ["429", "503", "malformed_function_call", Failure.CONNECT_FAILED.value]
    assert seen.retried == [(MODEL, reason) for reason in reasons]


async def test_a_body_that_is_no_json_is_refused_before_anything_is_sent() -> None:
    google = FakeGoogle(GOOD)
    async with upstream(google, ONE) as way:
        with pytest.raises(GeminiError, match="cannot be written as JSON"):
            await way.generate(MODEL, {"contents": object()}, None)
    assert google.requests == []


async def test_a_break_in_the_middle_of_a_buffered_answer_is_tried_again() -> None:
    class Broken(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b'{"candi'
            raise httpx.ReadError("broken")

    calls: list[int] = []

    async def google(request: httpx.Request) -> httpx.Response:
        calls.append(1)
        return httpx.Response(200, stream=Broken()) if len(calls) == 1 else GOOD

    async with upstream(google, ONE) as way:  # type: ignore[arg-type]  # any handler will do
        assert await way.generate(MODEL, BODY, None) == HELLO
    assert len(calls) == 2


async def test_a_call_that_took_too_long_is_not_made_again() -> None:
    error = await failing(google := FakeGoogle(httpx.ReadTimeout("late")), ONE)
    assert isinstance(error, TransportError)
    assert error.failure is Failure.FIRST_BYTE_TIMEOUT
    assert len(google.requests) == 1
