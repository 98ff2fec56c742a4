"""One caller tries to take the gateway's Gemini keys, or a model, from the others: by words, by 403s and by failures.

Google is a function that repeats what it is sent, as Google does with the names of fields.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import orjson
import pytest
from tests.api.native.support import CLIENT_KEY, GENERATE, OTHER_CLIENT_KEY, RunningGateway, running_gateway
from tests.support.google import bad_key, detail, failure

KEYS = tuple(f"AIzaSyTheGatewaysKeyNumber{number}OfThirtyNine" for number in ("One", "Two", "Six"))
THIRD_CLIENT_KEY = "sk-gemgate-the-third-of-the-client-keys-33"
CALLERS: dict[str, Any] = {"gemini_api_key": KEYS, "client_keys": (CLIENT_KEY, OTHER_CLIENT_KEY, THIRD_CLIENT_KEY)}
ALICE, BOB, CAROL = CLIENT_KEY, OTHER_CLIENT_KEY, THIRD_CLIENT_KEY
HELLO = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]}
GOOD = httpx.Response(200, json=HELLO)
FAILURES = 6

WORDS = [
    "API key expired",
    "API key not valid",
    "API key expired. Please renew the API key.",
    "API key not valid. Please pass a valid API key.",
    "Your API key was reported as leaked.",
    "Consumer 'number:1' has been suspended.",
    "Method doesn't allow unregistered callers",
    "project has been denied access",
    "api key project suspended",
    "limit: 0",
    "enable billing",
    "Your prepayment credits are depleted.",
    "Please retry in 86400s.",
]


def native(running: RunningGateway, key: str, body: Any = None) -> httpx.Response:
    return running.client.post(GENERATE, json=body or {"contents": []}, headers={"x-goog-api-key": key})


def chat(running: RunningGateway, key: str, **more: Any) -> httpx.Response:
    body = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hi"}], **more}
    return running.client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"})


def in_a_field(running: RunningGateway, words: str) -> httpx.Response:
    return native(running, BOB, {"contents": [], words: 1})


def in_extra_body(running: RunningGateway, words: str) -> httpx.Response:
    return chat(running, BOB, extra_body={"google": {"generation_config": {words: 1}}})


def in_the_text(running: RunningGateway, words: str) -> httpx.Response:
    return chat(running, BOB, messages=[{"role": "user", "content": words}])


def repeating(status: int) -> Callable[[httpx.Request], httpx.Response]:
    """Google, which answers whatever holds more than "Hi" with an error that repeats all of it."""

    def answer(request: httpx.Request) -> httpx.Response:
        said = [words for words in WORDS if orjson.dumps(words)[1:-1] in request.content]
        if not said:
            return GOOD
        name = max(said, key=len)
        violations = [{"field": name, "description": name}]
        message = f'Invalid JSON payload received. Unknown name "{name}": Cannot find field. {name}\n{name}'
        return failure(status, message, detail("BadRequest", fieldViolations=violations), reason="INVALID_ARGUMENT")

    return answer


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("door", [in_a_field, in_extra_body, in_the_text])
@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_words_of_a_caller_that_google_repeats_take_no_key_from_others(
    gateways: dict[int, RunningGateway], words: str, door: Callable[[RunningGateway, str], httpx.Response], status: int
) -> None:
    running = gateways[status]
    for _ in range(2):
        assert 400 <= door(running, words).status_code < 500
    for ask in (native, chat):
        answer = ask(running, ALICE)
        assert (answer.status_code, words in answer.text) == (200, False)


@pytest.fixture(scope="module")
def gateways() -> Iterator[dict[int, RunningGateway]]:
    """A gateway before a Google of each status."""
    with (
        running_gateway(repeating(400), **CALLERS) as bad,
        running_gateway(repeating(401), **CALLERS) as unknown,
        running_gateway(repeating(403), **CALLERS) as forbidden,
        running_gateway(repeating(404), **CALLERS) as missing,
    ):
        yield {400: bad, 401: unknown, 403: forbidden, 404: missing}


def by_caller(refusal: httpx.Response) -> Callable[[httpx.Request], httpx.Response]:
    """Google, which refuses what holds `bob`, and answers all else."""
    return lambda request: refusal if b"bob" in request.content else GOOD


BOBS = {"contents": [{"role": "user", "parts": [{"text": "bob"}]}]}


@pytest.mark.parametrize(
    "refusal",
    [
        failure(403, "The caller does not have permission", reason="PERMISSION_DENIED"),
        failure(403, "Permission denied for tunedModels/bobs", reason="PERMISSION_DENIED"),
        failure(401, "API keys are not supported by this API.", detail("ErrorInfo", reason="CREDENTIALS_MISSING")),
    ],
    ids=["generic", "of a model", "a method without keys"],
)
def test_a_403_that_one_caller_has_earned_leaves_key_and_model_to_others(refusal: httpx.Response) -> None:
    with running_gateway(by_caller(refusal), **CALLERS) as running:
        for _ in range(3):
            assert native(running, BOB, BOBS).status_code in (401, 403)
        assert len(running.google.requests) == len(KEYS)  # and it is not asked for Bob again and again
        assert native(running, ALICE).status_code == 200
        assert chat(running, CAROL).status_code == 200


def test_a_403_of_several_callers_in_a_row_holds_for_all() -> None:
    refusal = failure(403, "Not for bob's eyes.", reason="PERMISSION_DENIED")
    with running_gateway(lambda _: refusal, **CALLERS) as running:
        assert native(running, BOB).status_code == 403
        assert native(running, ALICE).status_code == 403
        asked = len(running.google.requests)
        answer = chat(running, CAROL)
        assert (answer.status_code, "bob" in answer.text) == (403, False)
        assert len(running.google.requests) == asked


def test_a_403_of_the_only_caller_holds_for_that_one() -> None:
    refusal = failure(403, "The caller does not have permission", reason="PERMISSION_DENIED")
    with running_gateway(lambda _: refusal, gemini_api_key=KEYS[:1]) as running:
        assert [native(running, "any").status_code for _ in range(3)] == [403] * 3
        assert len(running.google.requests) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        bad_key(),
        failure(400, "API key expired. Please renew the API key."),
        failure(403, "Your API key was reported as leaked. Please use another API key."),
        failure(403, "bob's words", detail("ErrorInfo", reason="CONSUMER_SUSPENDED", metadata={"of": "bob's words"})),
    ],
    ids=["invalid", "expired", "leaked", "suspended"],
)
def test_keys_that_google_does_reject_are_left_alone_and_nobodys_words_are_told(refusal: httpx.Response) -> None:
    with running_gateway(lambda _: refusal, **CALLERS) as running:
        native(running, BOB)
        asked = len(running.google.requests)
        for answer in (native(running, ALICE), chat(running, CAROL)):
            assert answer.status_code == 503
            assert answer.json()["error"]["message"] == "Google rejects the gateway's own Gemini API keys."
            assert "bob" not in answer.text
        assert asked == len(running.google.requests) == len(KEYS)


def test_googles_sentence_is_judged_before_the_key_is_hidden_in_it() -> None:
    refusal = failure(400, "API key not valid. Please pass a valid API key.")
    with running_gateway(lambda _: refusal, gemini_api_key=("valid",), client_keys=(ALICE,)) as running:
        assert [native(running, ALICE).status_code for _ in range(2)] == [503, 503]
        assert len(running.google.requests) == 1


@contextmanager
def failing(**settings: Any) -> Iterator[RunningGateway]:
    """A gateway before a Google that fails over what holds `bob`."""
    answer = by_caller(failure(500, "An internal error has occurred.", reason="INTERNAL"))
    with running_gateway(answer, breaker_failures=FAILURES, **settings) as running:
        yield running


@pytest.mark.parametrize("calls_before", [0, 1, 30])
def test_failures_that_one_caller_has_earned_close_the_model_to_that_one_only(calls_before: int) -> None:
    with failing(**CALLERS) as running:
        for _ in range(calls_before):
            assert native(running, ALICE).status_code == 200
        statuses = [native(running, BOB, BOBS).status_code for _ in range(3 * FAILURES)]
        assert statuses == [500] * FAILURES + [503] * 2 * FAILURES
        assert native(running, ALICE).status_code == 200
        assert chat(running, CAROL).status_code == 200
        assert native(running, BOB).status_code == 503


def test_failures_with_a_callers_own_key_are_that_keys() -> None:
    alice, bob = "AIzaSyAlicesOwnKeyOfThirtyNineCharacte", "AIzaSyBobsOwnKeyOfThirtyNineCharacters"
    with failing() as running:
        assert [native(running, bob, BOBS).status_code for _ in range(FAILURES + 2)] == [500] * FAILURES + [503] * 2
        assert native(running, alice).status_code == 200
        assert chat(running, alice).status_code == 200


def test_failures_with_many_keys_of_ones_own_close_no_model() -> None:
    with failing() as running:
        for number in range(FAILURES):
            for _ in range(FAILURES):
                native(running, f"AIzaSyOneOfManyKeysThatBobHasGot-{number:06}", BOBS)
        assert native(running, "AIzaSyAlicesOwnKeyOfThirtyNineCharacte").status_code == 200


def test_failures_of_several_callers_close_the_model_to_all() -> None:
    with failing(**CALLERS) as running:
        for number in range(FAILURES):
            assert native(running, (ALICE, BOB)[number % 2], BOBS).status_code == 500
        assert native(running, CAROL).status_code == 503
        assert len(running.google.requests) == FAILURES


def test_failures_of_the_only_caller_close_the_model() -> None:
    with failing(gemini_api_key=KEYS[:1]) as running:
        assert [native(running, "any", BOBS).status_code for _ in range(FAILURES + 2)] == [500] * FAILURES + [503] * 2
