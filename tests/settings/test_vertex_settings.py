from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.gateway import settings_of

from gemgate.settings import Settings
from gemgate.settings.error_texts import problems

VERTEX: dict[str, Any] = {"upstream": "vertex", "google_cloud_project": "my-project"}
CALLERS: dict[str, Any] = VERTEX | {"vertex_credentials": "callers"}
KEYS = "sk-client-0123456789"


def problem(**fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        settings_of(**fields)
    (sentence,) = problems(caught.value)
    return sentence


def test_without_a_word_of_it_the_developer_api_is_asked_alone() -> None:
    settings = settings_of()
    assert (settings.asks_developer_api, settings.asks_vertex) == (True, False)
    assert settings.origin == "https://generativelanguage.googleapis.com"
    assert settings.passes_keys_through


def test_vertex_ai_alone_holds_credentials_and_passes_no_key_through() -> None:
    settings = settings_of(**VERTEX, google_cloud_location="eu")
    assert (settings.asks_developer_api, settings.asks_vertex) == (False, True)
    assert settings.origin == "https://aiplatform.eu.rep.googleapis.com"
    assert not settings.passes_keys_through
    assert settings.needs_no_key


@pytest.mark.parametrize("text", ["a-bucket/below", "gs://a-bucket/below/"])
def test_a_bucket_is_named_with_its_scheme_or_without(text: str) -> None:
    assert settings_of(**VERTEX, vertex_bucket=text).vertex_bucket == "gs://a-bucket/below"


@pytest.mark.parametrize(
    "text", ["gemini,vertex", "vertex, gemini", "vertex,https://generativelanguage.googleapis.com/"]
)
def test_both_are_asked_in_either_order(text: str) -> None:
    settings = settings_of(**VERTEX | {"upstream": text}, gemini_api_key="AIza-key")
    assert (settings.asks_developer_api, settings.asks_vertex) == (True, True)
    assert settings.upstream == "https://generativelanguage.googleapis.com,vertex"
    assert settings.origin == "https://generativelanguage.googleapis.com"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"upstream": "vertex"}, "set GOOGLE_CLOUD_PROJECT, or GEMGATE_VERTEX_API_KEY"),
        ({"upstream": "vertex,vertex"}, "write 'gemini,vertex' for both"),
        ({"upstream": "http://a,http://b"}, "write 'gemini,vertex' for both"),
        ({"upstream": "vertx"}, "is not an http(s) URL"),
        (VERTEX | {"upstream": "gemini,vertex"}, "GEMINI_API_KEY is missing"),
        (VERTEX | {"google_cloud_project": "a/b"}, "GOOGLE_CLOUD_PROJECT: 'a/b' is not the id of a project"),
        (VERTEX | {"google_cloud_location": "../x"}, "GOOGLE_CLOUD_LOCATION: '../x' is not a location"),
        (VERTEX | {"vertex_locations": "gemini-*"}, "GEMGATE_VERTEX_LOCATIONS: 'gemini-*' is no entry"),
        (VERTEX | {"vertex_endpoint": "localhost"}, "GEMGATE_VERTEX_ENDPOINT: 'localhost' is not an http(s) URL"),
        (VERTEX | {"vertex_bucket": "s3://bucket"}, "GEMGATE_VERTEX_BUCKET: 's3://bucket' is not a bucket"),
        (VERTEX | {"vertex_bucket": "gs://bucket/../x"}, "is not a bucket of Cloud Storage"),
        (VERTEX | {"vertex_bucket": "a-bucket", "vertex_api_key": "AQ.key"}, "leave GEMGATE_VERTEX_API_KEY out"),
        (VERTEX | {"vertex_bucket": "a-bucket", "vertex_credentials": "callers"}, "GEMGATE_VERTEX_BUCKET has no place"),
        (VERTEX | {"vertex_storage_endpoint": "localhost"}, "'localhost' is not an http(s) URL"),
        (VERTEX | {"vertex_api_key": '"AQ.key"'}, "holds a quotation mark"),
        (VERTEX | {"host": "0.0.0.0"}, "the gateway holds credentials for Vertex AI"),
        (CALLERS | {"client_keys": KEYS}, "leave out GEMGATE_VERTEX_CREDENTIALS"),
        (CALLERS | {"vertex_api_key": "AQ.key"}, "GEMGATE_VERTEX_API_KEY has no place"),
        (CALLERS | {"vertex_service_account": "{}"}, "GEMGATE_VERTEX_SERVICE_ACCOUNT has no place"),
        (CALLERS | {"upstream": "gemini,vertex", "gemini_api_key": "AIza-key"}, "GEMGATE_UPSTREAM=gemini,vertex"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(fields: dict[str, Any], said: str) -> None:
    assert said.lower() in problem(**fields).lower()


def test_a_gateway_for_others_with_client_keys_may_hold_credentials() -> None:
    assert settings_of(**VERTEX, host="0.0.0.0", client_keys=KEYS).asks_for_client_keys


def test_a_gateway_for_others_whose_callers_bring_tokens_needs_no_client_keys() -> None:
    settings = settings_of(**CALLERS, host="0.0.0.0")
    assert settings.passes_keys_through
    assert not settings.needs_no_key
    assert settings.share_of_places is not None


def test_workers_read_the_same_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given = settings_of(**VERTEX, vertex_locations="gemini-2.5-*=eu,us; imagen-*=us-central1", client_keys=KEYS)
    for name, text in given.as_environment().items():
        monkeypatch.setenv(name, text)
    assert Settings(_env_file=None) == given
