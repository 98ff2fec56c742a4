"""What is Google's, what is OpenAI's, what is nobody's; and that no text in a path changes where it leads."""

import orjson
import pytest
from tests.api.native.support import GENERATE, OWN_KEY, UPSTREAM, error_of, own, running_gateway

GOOGLE_CLIENT = {"x-goog-api-client": "google-genai-sdk/3.6 gl-python/3.11"}

HOSTILE = [
    "/v1beta/models/../files/x",
    "/v1beta/models/..%2ffiles",
    "/v1beta/models/%2e%2e/files",
    "/v1beta/models/x%2f..%2f..%2ffiles:generateContent",
    "/v1beta/models/x%3falt=sse:generateContent",
    "/v1beta/models/x%23y",
    "/v1beta/models/x%0d%0ahost:%20evil.example",
    "/v1beta/models/x%0a",
    "/v1beta/models/x%00",
    "/v1beta/models/x%252f",
    "/v1beta/models/gr%c3%b6%c3%9fe",
    "/v1beta/models/%ff%fe",
    "/v1beta/models/%ef%bc%8e%ef%bc%8e",
    "/v1beta/models/x@evil.example",
    "/v1beta/models/x:destroy",
    "/v1beta/files/..",
    "/v1beta/files/x/../../models",
    "/upload/v1beta/../files",
    "/download/v1beta/files/..%2fx:download",
    "/v1beta/unheard/of",
    "/v1beta/files:register",
    "/v1alpha",
    "/upload/v1beta/models",
]


@pytest.mark.parametrize("verb", ["GET", "POST", "DELETE"])
def test_no_hostile_path_reaches_google(verb: str) -> None:
    with running_gateway() as running:
        for target in HOSTILE:
            status, body = running.raw(verb, target)
            assert status == 404, target
            assert orjson.loads(body)["error"]["status"] == "NOT_FOUND"
        assert not running.google.requests


def test_a_refused_path_names_what_there_is() -> None:
    with running_gateway() as running:
        error = error_of(running.client.get("/v1beta/unheard"))
        assert "{version}/cachedContents" in error["message"]
        nearby = error_of(running.client.post("/v1beta/batches/x:stop", headers=own()))
        assert "POST /{version}/batches/{name}:cancel" in nearby["message"]


def test_an_escaped_colon_is_a_colon() -> None:
    with running_gateway() as running:
        status, _ = running.raw("POST", GENERATE.replace(":", "%3A"))
        assert status == 200
        assert str(running.google.last.url) == UPSTREAM + GENERATE


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ("alt=json", "alt=json"),
        ("pageSize=2&pageToken=a%2Fb%3D", "pageSize=2&pageToken=a%2Fb%3D"),
        (f"key={OWN_KEY}&alt=json", "alt=json"),
        ("filter=%26key%3Dy", "filter=%26key%3Dy"),
    ],
)
def test_the_query_goes_along_without_the_key(query: str, sent: str) -> None:
    with running_gateway() as running:
        status, _ = running.raw("GET", f"/v1beta/models?{query}")
        assert status == 200
        assert running.google.last.url.query.decode() == sent


@pytest.mark.parametrize("path", ["/v1/models", "/v1/files", "/v1/batches"])
def test_below_v1_the_client_decides_whose_path_it_is(path: str) -> None:
    with running_gateway() as running:
        running.client.get(path, headers=own(**GOOGLE_CLIENT))
        running.client.get(path, params={"key": OWN_KEY})
        assert [request.url.path for request in running.google.requests] == [path, path]
        openai = running.client.get(path, headers={"authorization": f"Bearer {OWN_KEY}"})
        assert openai.json()["object"] == "list"


def test_a_call_of_a_model_below_v1_needs_no_sign() -> None:
    with running_gateway() as running:
        path = "/v1/models/gemini-2.5-flash:generateContent"
        assert running.client.post(path, json={}, headers=own()).status_code == 200
        assert running.google.last.url.path == path


@pytest.mark.parametrize("path", ["/v1beta/chat/completions", "/v1beta/openai/chat/completions"])
def test_openais_paths_below_v1beta_stay_openais(path: str) -> None:
    with running_gateway() as running:
        told = running.client.post(path, json={}, headers=own()).json()["error"]
        assert told["param"] == "model"
        wrong = running.client.get(path)
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
        assert wrong.json()["error"]["code"] == "method_not_supported"


def test_an_unknown_path_below_googles_compatible_endpoint_is_openais_error() -> None:
    with running_gateway() as running:
        assert "Invalid URL" in running.client.get("/v1beta/openai/nothing").json()["error"]["message"]
        with_sign = running.client.get("/v1/nothing", headers=GOOGLE_CLIENT)
        assert "Invalid URL" in with_sign.json()["error"]["message"]
