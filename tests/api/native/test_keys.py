"""Which key crosses which side, wherever the caller puts theirs; and who is refused."""

from typing import Any

import httpx
import orjson
import pytest
from tests.api.native.support import (
    CLIENT_KEY,
    GENERATE,
    HELD_KEY,
    OTHER_CLIENT_KEY,
    OWN_KEY,
    error_of,
    running_gateway,
)

from gemgate.auth.client_keys import digest_of

SHARED: dict[str, Any] = {"gemini_api_key": (HELD_KEY,), "client_keys": (CLIENT_KEY, OTHER_CLIENT_KEY)}
SECRETS = (HELD_KEY, CLIENT_KEY, OTHER_CLIENT_KEY, OWN_KEY)


def placed(place: str, key: str) -> dict[str, Any]:
    """What `httpx` is told, to put a key there."""
    if place == "query":
        return {"params": {"key": key, "alt": "json"}}
    values = {"x-goog-api-key": key, "authorization": f"Bearer {key}", "api-key": key}
    return {"headers": {place: values[place]}}


def shown(request: httpx.Request) -> bytes:
    """All of a request but the header that is for the key."""
    others = [pair for pair in request.headers.raw if pair[0].lower() != b"x-goog-api-key"]
    return str(request.url).encode() + repr(others).encode()


@pytest.mark.parametrize("place", ["x-goog-api-key", "authorization", "api-key", "query"])
@pytest.mark.parametrize(("settings", "presented", "sent"), [({}, OWN_KEY, OWN_KEY), (SHARED, CLIENT_KEY, HELD_KEY)])
def test_google_gets_one_key_in_its_header_and_none_elsewhere(
    settings: dict[str, Any], presented: str, sent: str, place: str
) -> None:
    with running_gateway(**settings) as running:
        answer = running.client.post(GENERATE, json={}, **placed(place, presented))
        assert answer.status_code == 200
        assert running.google.last.headers.get_list("x-goog-api-key") == [sent]
        assert "authorization" not in running.google.last.headers
        assert not [key for key in SECRETS if key.encode() in shown(running.google.last)]
        assert not [key for key in SECRETS if key in repr(answer.headers)]


@pytest.mark.parametrize("place", ["x-goog-api-key", "authorization", "query"])
def test_a_stranger_is_refused_and_google_is_not_asked(place: str) -> None:
    with running_gateway(**SHARED) as running:
        answer = running.client.post(GENERATE, json={}, **placed(place, OWN_KEY))
        error = error_of(answer)
        assert (answer.status_code, error["status"]) == (401, "UNAUTHENTICATED")
        assert error["details"][0]["reason"] == "INVALID_API_KEY"
        assert OWN_KEY not in answer.text
        assert not running.google.requests


def test_a_caller_without_a_key_is_told_so_in_googles_shape() -> None:
    with running_gateway() as running:
        error = error_of(running.client.get("/v1beta/models"))
        assert (error["code"], error["status"]) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    ("headers", "params"),
    [
        ({"x-goog-api-key": OWN_KEY}, {"key": "AIza-another"}),
        ({"x-goog-api-key": OWN_KEY, "authorization": "Bearer AIza-another"}, {}),
        ({}, [("key", OWN_KEY), ("key", "AIza-another")]),
    ],
)
def test_two_keys_that_differ_are_refused(headers: dict[str, str], params: Any) -> None:
    with running_gateway() as running:
        error = error_of(running.client.post(GENERATE, json={}, headers=headers, params=params))
        assert error["details"][0]["reason"] == "MULTIPLE_API_KEYS"
        assert not running.google.requests


def test_the_same_key_twice_is_one() -> None:
    with running_gateway() as running:
        answer = running.client.post(GENERATE, json={}, headers={"x-goog-api-key": OWN_KEY}, params={"key": OWN_KEY})
        assert answer.status_code == 200


@pytest.mark.parametrize("name", ["access_token", "oauth_token", "bearer_token"])
def test_a_token_is_refused_and_goes_nowhere(name: str) -> None:
    with running_gateway() as running:
        answer = running.client.get("/v1beta/models", params={name: "ya29.secret", "key": OWN_KEY})
        assert error_of(answer)["details"][0]["reason"] == "UNSUPPORTED_CREDENTIAL"
        assert "ya29" not in answer.text
        assert not running.google.requests


def test_the_gateways_key_in_an_error_of_googles_does_not_reach_the_caller() -> None:
    body = orjson.dumps({"error": {"code": 403, "message": f"Consumer api_key:{HELD_KEY} is suspended", "status": "X"}})
    with running_gateway(lambda _: httpx.Response(403, content=body), **SHARED) as running:
        answer = running.client.post(GENERATE, json={}, headers={"x-goog-api-key": CLIENT_KEY})
        assert answer.status_code in (403, 503)
        assert HELD_KEY not in answer.text + repr(answer.headers)


def test_the_key_of_a_query_is_in_no_log_line(capsys: pytest.CaptureFixture[str]) -> None:
    with running_gateway() as running:
        running.client.get("/v1beta/models", params={"key": OWN_KEY})
        running.client.get("/v1beta/nothing", params={"key": OWN_KEY})
    logged = capsys.readouterr()
    assert "/v1beta/models" in logged.out + logged.err
    assert OWN_KEY not in logged.out + logged.err


def test_a_model_that_the_key_may_not_use_is_refused(tmp_path: Any) -> None:
    entry = {"name": "one", "hash": f"sha256:{digest_of(CLIENT_KEY).hex()}", "models": ["gemini-2.5-*"]}
    path = tmp_path / "keys.yaml"
    path.write_bytes(orjson.dumps({"keys": [entry]}))
    models = [{"name": "models/gemini-2.5-flash"}, {"name": "models/gemini-9"}]
    headers = {"x-goog-api-key": CLIENT_KEY}

    with running_gateway(
        lambda _: httpx.Response(200, json={"models": models}), gemini_api_key=(HELD_KEY,), client_keys_file=path
    ) as running:
        for path_ in ("/v1beta/models/gemini-9:generateContent", "/v1beta/tunedModels/x:generateContent"):
            assert error_of(running.client.post(path_, json={}, headers=headers))["code"] == 403
        assert error_of(running.client.get("/v1beta/models/gemini-9", headers=headers))["code"] == 403
        cache = {"model": "models/gemini-9", "contents": []}
        assert error_of(running.client.post("/v1beta/cachedContents", json=cache, headers=headers))["code"] == 403
        assert not running.google.requests
        assert running.client.post(GENERATE, json={}, headers=headers).status_code == 200
        page = running.client.get("/v1beta/models", headers=headers).json()
        assert page == {"models": models[:1]}


@pytest.mark.parametrize("place", ["x-goog-api-key", "query"])
def test_the_limits_of_a_key_hold_wherever_it_stands(tmp_path: Any, place: str) -> None:
    entry = {"name": "one", "hash": f"sha256:{digest_of(CLIENT_KEY).hex()}", "limits": {"requests_per_minute": 1}}
    path = tmp_path / "keys.yaml"
    path.write_bytes(orjson.dumps({"keys": [entry]}))
    keys: dict[str, Any] = {"gemini_api_key": (HELD_KEY,), "client_keys_file": path}
    with running_gateway(**keys) as running:
        assert running.client.post(GENERATE, json={}, **placed(place, CLIENT_KEY)).status_code == 200
        refused = running.client.post(GENERATE, json={}, **placed(place, CLIENT_KEY))
        error = error_of(refused)
        assert (error["code"], error["status"]) == (429, "RESOURCE_EXHAUSTED")
        delays = [detail["retryDelay"] for detail in error["details"] if "retryDelay" in detail]
        assert delays == [f"{refused.headers['retry-after']}s"]
        assert len(running.google.requests) == 1


def test_tokens_of_native_calls_count_against_the_limit_of_a_key(tmp_path: Any) -> None:
    entry = {"name": "one", "hash": f"sha256:{digest_of(CLIENT_KEY).hex()}", "limits": {"tokens_per_minute": 1000}}
    path = tmp_path / "keys.yaml"
    path.write_bytes(orjson.dumps({"keys": [entry]}))
    keys: dict[str, Any] = {"gemini_api_key": (HELD_KEY,), "client_keys_file": path}
    usage = orjson.dumps({"usageMetadata": {"promptTokenCount": 500, "totalTokenCount": 5000}})
    with running_gateway(lambda _: httpx.Response(200, content=usage), **keys) as running:
        assert running.client.post(GENERATE, json={}, **placed("x-goog-api-key", CLIENT_KEY)).status_code == 200
        assert running.client.post(GENERATE, json={}, **placed("x-goog-api-key", CLIENT_KEY)).status_code == 429
