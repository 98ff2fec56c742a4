"""Callers before Vertex AI with access tokens of their own: each is passed on as it is, and mixed with nothing else."""

from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from tests.api.native.support import CLIENT_KEY, RunningGateway, running_gateway
from tests.support.google import detail, failure, json_for
from tests.support.vertex import PROJECT, TOKEN, FakeTokens, holding

pytestmark = pytest.mark.integration

ALICE = "ya29.a0-alices-own-token-0123456789"
BOB = "ya29.c.bobs-own-token-0123456789"
EXPIRED = "ya29.a0-an-expired-token-0123456789"
POWERLESS = "ya29.a0-a-token-without-roles-0123456789"
VERTEX: dict[str, Any] = {"upstream": "vertex", "google_cloud_project": PROJECT}
MODEL = "gemini-2.5-flash"
HELLO = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]}
NATIVE = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
ELSEWHERE = f"/v1/projects/alices-project/locations/europe-west4/publishers/google/models/{MODEL}:generateContent"
JOBS = "/v1/projects/alices-project/locations/europe-west4/batchPredictionJobs"
ASKED: list[tuple[str, dict[str, Any]]] = [
    (ELSEWHERE, NATIVE),
    (f"/v1beta1/publishers/google/models/{MODEL}:generateContent", NATIVE),
    (f"/v1beta/models/{MODEL}:generateContent", NATIVE),
    ("/v1/chat/completions", CHAT),
    ("/v1/chat/completions", {**CHAT, "stream": True}),
    ("/v1beta/openai/chat/completions", CHAT),
    ("/v1/responses", {"model": MODEL, "input": "Hello"}),
    ("/v1/embeddings", {"model": "gemini-embedding-001", "input": "Hello"}),
]


def google(request: httpx.Request) -> httpx.Response:
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    if token == EXPIRED:
        info = detail("ErrorInfo", reason="ACCESS_TOKEN_EXPIRED", domain="googleapis.com")
        return failure(401, "Request had invalid authentication credentials.", info, reason="UNAUTHENTICATED")
    if token == POWERLESS:
        info = detail("ErrorInfo", reason="IAM_PERMISSION_DENIED", domain="aiplatform.googleapis.com")
        return failure(403, "Permission 'aiplatform.endpoints.predict' denied.", info, reason="PERMISSION_DENIED")
    if request.url.path.endswith(":predict"):
        return httpx.Response(200, json={"predictions": [{"embeddings": {"values": [0.1]}}]})
    if request.url.path.endswith("/models"):
        return httpx.Response(200, json={"publisherModels": [{"name": f"publishers/google/models/{MODEL}"}]})
    return json_for(request, HELLO)


@pytest.fixture(scope="module")
def gateway() -> Iterator[RunningGateway]:
    """A gateway without credentials."""
    with running_gateway(google, **VERTEX, vertex_credentials="callers") as running:
        yield running


@pytest.fixture(scope="module")
def held() -> FakeTokens:
    return FakeTokens(TOKEN, "ya29.another-of-the-gateways", quota_project="the-operators")


@pytest.fixture(scope="module")
def local(held: FakeTokens) -> Iterator[RunningGateway]:
    """A gateway with credentials, which asks for no client key and serves its own machine."""
    with holding(held), running_gateway(google, **VERTEX) as running:
        yield running


def ask(running: RunningGateway, path: str, body: Any, token: str, **headers: str) -> httpx.Response:
    return running.client.post(path, json=body, headers={"authorization": f"Bearer {token}", **headers})


@pytest.mark.parametrize(("path", "body"), ASKED)
@pytest.mark.parametrize("kind", ["gateway", "local"])
def test_a_token_goes_to_google_as_it_is_and_alone(
    request: pytest.FixtureRequest, kind: str, path: str, body: dict[str, Any]
) -> None:
    running: RunningGateway = request.getfixturevalue(kind)
    assert ask(running, path, body, ALICE).status_code == 200
    sent = running.google.last
    assert sent.headers["authorization"] == f"Bearer {ALICE}"
    assert not {"x-goog-api-key", "x-goog-user-project", "api-key"} & set(sent.headers)
    if path == ELSEWHERE:
        assert str(sent.url) == f"https://europe-west4-aiplatform.googleapis.com{ELSEWHERE}"
    else:
        assert sent.url.path.startswith(f"/v1/projects/{PROJECT}/locations/global/")


@pytest.mark.parametrize("kind", ["gateway", "local"])
def test_a_batch_job_of_a_token_is_googles_to_judge_wherever_it_reads_and_writes(
    request: pytest.FixtureRequest, kind: str
) -> None:
    running: RunningGateway = request.getfixturevalue(kind)
    body = {
        "displayName": "gemgate-of-alice",
        "model": "projects/alices-project/locations/europe-west4/models/1",
        "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://alices/in.jsonl"]}},
        "outputConfig": {"predictionsFormat": "bigquery", "bigqueryDestination": {"outputUri": "bq://alices"}},
        "serviceAccount": "runner@alices-project.iam.gserviceaccount.com",
    }
    asked = [("POST", JOBS), ("GET", JOBS), ("GET", f"{JOBS}/1"), ("POST", f"{JOBS}/1:cancel"), ("DELETE", f"{JOBS}/1")]
    for verb, path in asked:
        content = orjson.dumps(body) if path == JOBS and verb == "POST" else b""
        headers = {"authorization": f"Bearer {ALICE}", "content-type": "application/json"}
        assert running.client.request(verb, path, content=content, headers=headers).status_code == 200
        sent = running.google.last
        assert (sent.method, str(sent.url)) == (verb, f"https://europe-west4-aiplatform.googleapis.com{path}")
        assert sent.headers["authorization"] == f"Bearer {ALICE}"
        assert sent.content == content


def test_who_pays_for_the_quota_goes_along(gateway: RunningGateway) -> None:
    for path, body in ASKED:
        assert ask(gateway, path, body, ALICE, **{"x-goog-user-project": "alices-quota"}).status_code == 200
        assert gateway.google.last.headers["x-goog-user-project"] == "alices-quota"
    seen = len(gateway.google.requests)
    answer = ask(gateway, *ASKED[3], ALICE, **{"x-goog-user-project": "a/b"})
    assert (answer.status_code, len(gateway.google.requests)) == (400, seen)


def test_a_list_of_models_is_asked_for_with_the_token(gateway: RunningGateway) -> None:
    listed = gateway.client.get("/v1/models", headers={"authorization": f"Bearer {BOB}"})
    assert [model["id"] for model in listed.json()["data"]] == [MODEL]
    assert gateway.google.last.headers["authorization"] == f"Bearer {BOB}"


@pytest.mark.parametrize(("token", "status"), [(EXPIRED, 401), (POWERLESS, 403)])
@pytest.mark.parametrize(("path", "body"), [ASKED[0], ASKED[3]])
@pytest.mark.parametrize("kind", ["gateway", "local"])
def test_a_token_that_google_refuses_costs_nobody_else_anything(
    request: pytest.FixtureRequest, held: FakeTokens, kind: str, token: str, status: int, path: str, body: Any
) -> None:
    running: RunningGateway = request.getfixturevalue(kind)
    seen = len(running.google.requests)
    for _ in range(3):
        assert ask(running, path, body, token).status_code == status
    sent = [call.headers["authorization"] for call in running.google.requests[seen:]]
    assert sent == [f"Bearer {token}"] * 3, "the gateway's credentials never take the place of a caller's"
    assert ask(running, path, body, BOB).status_code == 200
    assert held.stale == []


def test_the_gateways_credentials_serve_those_without_a_token(local: RunningGateway) -> None:
    for token in (EXPIRED, POWERLESS):
        ask(local, "/v1/chat/completions", CHAT, token)
    for headers in ({}, {"authorization": "Bearer not-needed"}):
        assert local.client.post("/v1/chat/completions", json=CHAT, headers=headers).status_code == 200
        assert local.google.last.headers["authorization"] == f"Bearer {TOKEN}"
        assert local.google.last.headers["x-goog-user-project"] == "the-operators"


@pytest.mark.parametrize("token", [f"{PROJECT}/global", "global", "in=other/global", "AIza-a-key"])
def test_nothing_that_is_presented_is_taken_for_a_lane(gateway: RunningGateway, token: str) -> None:
    assert ask(gateway, "/v1/chat/completions", CHAT, token).status_code == 200
    sent = gateway.google.last
    assert sent.headers["authorization"] == f"Bearer {token}"
    assert sent.url.path.startswith(f"/v1/projects/{PROJECT}/locations/global/")


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({}, "", 401),
        ({"authorization": f"Basic {ALICE}"}, "", 401),
        ({"authorization": f"Bearer {ALICE} in=other-project/global"}, "", 401),
        ({"authorization": f"Bearer {ALICE}", "x-goog-api-key": BOB}, "", 400),
        ({"authorization": f"Bearer {ALICE}"}, f"?access_token={BOB}", 400),
    ],
    ids=["none", "another scheme", "more than a token", "two", "in the query"],
)
def test_without_one_token_nothing_is_sent(
    gateway: RunningGateway, headers: dict[str, str], query: str, status: int
) -> None:
    seen = len(gateway.google.requests)
    for path, body in ASKED[:2]:
        answer = gateway.client.post(path + query, json=body, headers=headers)
        assert answer.status_code == status
        assert not any(token in answer.text for token in (ALICE, BOB))
    assert len(gateway.google.requests) == seen


def test_what_is_kept_is_found_with_the_same_token_alone(gateway: RunningGateway) -> None:
    made = ask(gateway, "/v1/responses", {"model": MODEL, "input": "Hello"}, ALICE).json()["id"]
    upload = {"file": ("a.txt", b"alices", "text/plain")}
    mine, other = {"authorization": f"Bearer {ALICE}"}, {"authorization": f"Bearer {BOB}"}
    file = gateway.client.post("/v1/files", files=upload, data={"purpose": "user_data"}, headers=mine).json()["id"]
    for path in (f"/v1/responses/{made}", f"/v1/files/{file}"):
        assert gateway.client.get(path, headers=mine).status_code == 200
        assert gateway.client.get(path, headers=other).status_code == 404


def test_a_token_that_google_does_not_know_stores_nothing(gateway: RunningGateway) -> None:
    headers, upload = {"authorization": f"Bearer {EXPIRED}"}, {"file": ("a.txt", b"x", "text/plain")}
    answer = gateway.client.post("/v1/files", files=upload, data={"purpose": "user_data"}, headers=headers)
    assert answer.status_code == 401


def test_no_token_is_in_the_log(gateway: RunningGateway, capfd: pytest.CaptureFixture[str]) -> None:
    for token in (ALICE, EXPIRED, POWERLESS):
        for path, body in ASKED[:4]:
            ask(gateway, path, body, token)
    written = "".join(capfd.readouterr())
    assert "chat/completions" in written
    assert not any(token in written for token in (ALICE, EXPIRED, POWERLESS))


def test_with_client_keys_a_token_is_no_credential() -> None:
    with holding(FakeTokens(TOKEN)), running_gateway(google, **VERTEX, client_keys=CLIENT_KEY) as running:
        for path, body in ASKED:
            assert ask(running, path, body, ALICE).status_code == 401
        assert running.google.requests == []
        assert ask(running, "/v1/chat/completions", CHAT, CLIENT_KEY).status_code == 200
        assert running.google.last.headers["authorization"] == f"Bearer {TOKEN}"
