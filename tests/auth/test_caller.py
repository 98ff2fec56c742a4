from typing import Any

import pytest
from starlette.datastructures import Headers

from gemgate.auth.caller import Caller, authenticate
from gemgate.auth.key_registry import ClientKeys
from gemgate.errors import ApiError
from gemgate.settings import Settings

GEMINI_KEY = "gemini-key-0123456789"
CLIENT_KEY = "client-key-0123456789"


def passing() -> Settings:
    return Settings(_env_file=None, gemini_api_key=())


def holding(*, gemini: str = GEMINI_KEY, clients: str = CLIENT_KEY) -> Settings:
    return Settings.model_validate({"gemini_api_key": gemini, "client_keys": clients})


def refusal(settings: Settings, **headers: str) -> ApiError:
    with pytest.raises(ApiError) as caught:
        call(settings, **headers)
    return caught.value


def call(settings: Settings, **headers: str) -> Caller:
    return authenticate(
        Headers({name.replace("_", "-"): value for name, value in headers.items()}), settings, ClientKeys.of(settings)
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {GEMINI_KEY}"},
        {"authorization": f"bearer   {GEMINI_KEY} "},
        {"x_goog_api_key": GEMINI_KEY},
        {"api_key": GEMINI_KEY},
        {"authorization": f"Bearer {GEMINI_KEY}", "x_goog_api_key": GEMINI_KEY},
    ],
)
def test_a_gateway_without_a_key_passes_the_callers_on(headers: dict[str, str]) -> None:
    assert call(passing(), **headers).key == GEMINI_KEY


def test_a_caller_is_named_without_the_key() -> None:
    caller = call(passing(), api_key=GEMINI_KEY)
    assert GEMINI_KEY not in repr(caller)
    assert caller.id in repr(caller)
    assert len(caller.id) == 16
    assert caller.id == call(passing(), x_goog_api_key=GEMINI_KEY).id
    assert caller.id != call(passing(), api_key="another").id


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer "}, {"x_goog_api_key": "  "}])
def test_a_missing_key_is_told_in_openais_words(headers: dict[str, str]) -> None:
    error = refusal(passing(), **headers)
    assert (error.status, error.type, error.code) == (401, "invalid_request_error", None)
    assert error.message.startswith("You didn't provide an API key.")
    assert error.headers["www-authenticate"] == "Bearer"


def test_a_gateway_with_a_key_takes_its_client_keys() -> None:
    settings = holding(clients=f"other, {CLIENT_KEY}")
    assert call(settings, authorization=f"Bearer {CLIENT_KEY}").key is None
    assert call(settings, authorization="Bearer other").id != call(settings, api_key=CLIENT_KEY).id


def test_a_wrong_key_is_401_and_shown_by_its_tail_only() -> None:
    error = refusal(holding(), authorization="Bearer sk-wrong-0123456789")
    assert (error.status, error.code) == (401, "invalid_api_key")
    assert "****6789" in error.message
    assert "wrong" not in error.message
    assert CLIENT_KEY not in error.message


def test_of_a_short_wrong_key_nothing_is_shown() -> None:
    assert "abc" not in refusal(holding(), api_key="abc").message


def test_a_gateway_with_a_key_asks_for_one() -> None:
    assert refusal(holding()).status == 401


def test_two_different_keys_are_refused() -> None:
    error = refusal(passing(), authorization="Bearer first-key", x_goog_api_key="second-key")
    assert (error.status, error.code) == (400, "multiple_api_keys")
    assert "first-key" not in error.message
    assert "Authorization, x-goog-api-key" in error.message


@pytest.mark.parametrize("value", ["Basic dXNlcjpwYXNz", "Bearerabc", GEMINI_KEY])
def test_another_scheme_than_bearer_is_refused(value: str) -> None:
    error = refusal(passing(), authorization=value)
    assert (error.status, error.code) == (401, "invalid_api_key")
    assert "Bearer YOUR_KEY" in error.message


@pytest.mark.parametrize("key", ["kéy", "a b", "a\tb", "a\r\nx-evil: 1", "\x7f"])
def test_characters_that_no_key_has_are_refused(key: str) -> None:
    error = refusal(passing(), x_goog_api_key=key)
    assert (error.status, error.code) == (401, "invalid_api_key")


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer whatever"}])
def test_a_local_gateway_with_a_key_and_no_client_keys_serves_everybody(headers: dict[str, Any]) -> None:
    assert call(holding(clients=""), **headers).key is None
