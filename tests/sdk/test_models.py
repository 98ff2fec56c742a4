"""The official clients' `models`: list, retrieve by each spelling of a name, and what is refused."""

from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI
from openai.types import Model
from tests.sdk.conftest import MakeClient
from tests.sdk.node_project import run
from tests.support.stack import GOOGLE, KEY, OPENAI, WRONG_KEY, Stack

BOTH = pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])
SPELLINGS = pytest.mark.parametrize("name", ["gemini-2.5-flash", "models/gemini-2.5-flash"])
IDS = {OPENAI: "gemini-2.5-flash", GOOGLE: "models/gemini-2.5-flash"}


@pytest.fixture(scope="session")
def outcomes() -> dict[str, Any]:
    return {}


@pytest.fixture
def node(project: Path, servers: Stack, outcomes: dict[str, Any], prefix: str) -> Any:
    """What `models.mjs` saw; it runs once for each prefix."""
    if prefix not in outcomes:
        (outcomes[prefix],) = run(project, "models.mjs", servers.base(prefix), KEY)
    return outcomes[prefix]


@BOTH
def test_all_pages_of_google_are_one_list(make_client: MakeClient, servers: Stack, prefix: str) -> None:
    models = make_client(prefix).models.list().data
    url = f"{servers.emulator}/v1beta/models?pageSize=1000"
    native = httpx.get(url, headers={"x-goog-api-key": KEY}, trust_env=False).json()["models"]
    bare = [model.id.removeprefix("models/") for model in models]
    assert sorted(bare) == sorted(model["name"].removeprefix("models/") for model in native)
    assert all(model.id.startswith("models/") == (prefix == GOOGLE) for model in models)
    assert {type(model.created) for model in models} == {int}


@BOTH
@SPELLINGS
def test_both_spellings_of_a_name_are_one_model(make_client: MakeClient, prefix: str, name: str) -> None:
    client = make_client(prefix)
    model = client.models.retrieve(name)
    assert model.id == IDS[prefix]
    (listed,) = [each for each in client.models.list().data if each.id == model.id]
    shown = model.model_dump()
    assert "thinking" in shown.pop("facts")  # where each fact comes from: the list would be long with them
    assert listed.model_dump() == shown


@BOTH
@pytest.mark.parametrize("slash", ["/", "%2F", "%2f"])
def test_a_slash_may_be_escaped(make_client: MakeClient, prefix: str, slash: str) -> None:
    model = make_client(prefix).get(f"/models/models{slash}gemini-2.5-flash", cast_to=Model)
    assert model.id == IDS[prefix]


def test_what_more_is_known_of_a_model_reaches_the_client(client: OpenAI) -> None:
    told: Any = client.models.retrieve("gemini-2.5-flash")
    assert told.display_name
    assert told.context_window > told.max_output_tokens > 0
    assert told.capabilities["chat"]
    assert told.capabilities["thinking"] == "budget"
    embedding: Any = client.models.retrieve("gemini-embedding-001")
    assert (embedding.capabilities["embeddings"], embedding.capabilities["chat"]) == (True, False)


@BOTH
@pytest.mark.parametrize("name", ["gemini-0-none", "models/gemini-0-none", "gemini/2.5/flash"])
def test_an_unknown_model_is_not_found(make_client: MakeClient, prefix: str, name: str) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        make_client(prefix).models.retrieve(name)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert caught.value.type == "invalid_request_error"
    assert name.removeprefix("models/") in caught.value.message


@BOTH
def test_a_wrong_key_is_an_authentication_error(make_client: MakeClient, prefix: str) -> None:
    stranger = make_client(prefix, key=WRONG_KEY)
    with pytest.raises(openai.AuthenticationError) as listing:
        stranger.models.list()
    with pytest.raises(openai.AuthenticationError) as retrieving:
        stranger.models.retrieve("gemini-2.5-flash")
    assert (listing.value.code, retrieving.value.code) == ("invalid_api_key", "invalid_api_key")


@BOTH
def test_deleting_a_model_is_refused(make_client: MakeClient, prefix: str) -> None:
    with pytest.raises(openai.PermissionDeniedError) as caught:
        make_client(prefix).models.delete("gemini-2.5-flash")
    assert caught.value.code == "method_not_supported"
    assert make_client(prefix).models.retrieve("gemini-2.5-flash").id == IDS[prefix]


@BOTH
def test_node_sees_the_models_that_python_sees(node: Any, make_client: MakeClient, prefix: str) -> None:
    assert node["list"] == [model.to_dict() for model in make_client(prefix).models.list()]
    assert [model["id"] for model in node["spellings"]] == [IDS[prefix]] * 2


@BOTH
@pytest.mark.parametrize(
    ("failure", "name", "status", "code"),
    [
        ("unknown", "NotFoundError", 404, "model_not_found"),
        ("key", "AuthenticationError", 401, "invalid_api_key"),
        ("delete", "PermissionDeniedError", 403, "method_not_supported"),
    ],
)
def test_node_throws_what_an_application_catches(node: Any, failure: str, name: str, status: int, code: str) -> None:
    error = node["errors"][failure]
    assert (error["name"], error["status"], error["code"]) == (name, status, code)
    assert error["requestID"]
