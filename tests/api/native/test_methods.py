"""The table of methods: everything in it is found, and no text of a caller's reaches Google otherwise."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemgate.api.native.methods import (
    METHODS,
    MatchedMethod,
    Method,
    Unknown,
    collections,
    find,
)
from gemgate.gemini.client.client import GeminiClient
from gemgate.web.error_shapes import is_google_path

VERSIONS = ["v1", "v1beta", "v1alpha"]
VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_PLAIN = re.compile(r"/[A-Za-z0-9._:/-]+")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("method", METHODS, ids=str)
def test_each_method_is_found_and_its_path_is_what_was_asked(method: Method, version: str) -> None:
    path = f"/{method.prefix}{version}/{method.template.replace('{name}', 'gemini-2.5_x')}"
    found = find(method.verb, path)
    assert isinstance(found, MatchedMethod)
    assert (found.method, found.path) == (method, path)
    assert found.names == ("gemini-2.5_x",) * method.template.count("{name}")
    assert found.template == f"/{method.prefix}{version}/{method.template}"


HOSTILE = [
    "../files/x",
    "..",
    ".",
    "...",
    "x/../../files",
    "x/..",
    "x?alt=sse",
    "x#y",
    "x y",
    "x\r\nhost: evil",
    "x\n",
    "\nx",
    "x\0",
    "x%2f..",
    "x%00",
    "größe",
    "x\u2028",
    "\uff0e\uff0e",
    "x;y",
    "x\\y",
    "x@evil.example",
    "-x",
    "x" * 201,
    "",
]


@pytest.mark.parametrize("verb", ["GET", "POST", "DELETE", "PATCH"])
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("around", ["/v1beta/models/{}", "/v1beta/models/{}:generateContent", "/v1beta/files/{}"])
def test_a_name_that_is_none_makes_no_call(around: str, name: str, verb: str) -> None:
    assert not isinstance(find(verb, around.format(name)), MatchedMethod)


@pytest.mark.parametrize(
    "path",
    [
        "/v1beta/models/x:destroy",
        "/v1beta/models/x:generateContent:generateContent",
        "/v1beta/models/x:generateContent/",
        "/v1beta/models/x/y",
        "/v1beta/models/",
        "/v1beta//models",
        "//v1beta/models",
        "/v2/models",
        "/v1beta/files:register",
        "/upload/v1beta/models",
        "/upload/upload/v1beta/files",
        "/v1beta/interactions",
    ],
)
@pytest.mark.parametrize("verb", VERBS)
def test_what_is_not_in_the_table_makes_no_call(verb: str, path: str) -> None:
    assert not isinstance(find(verb, path), MatchedMethod)


@given(st.sampled_from(VERBS), st.text(max_size=40), st.sampled_from(["/v1beta/{}", "/v1/models/{}", "/upload/v1/{}"]))
def test_any_path_that_is_found_is_plain_and_goes_to_google_as_it_is(verb: str, text: str, around: str) -> None:
    found = find(verb, around.format(text))
    if isinstance(found, MatchedMethod):
        assert _PLAIN.fullmatch(found.path)
        assert ".." not in found.path.split("/")


async def test_each_path_is_one_that_the_client_takes() -> None:
    client = GeminiClient.__new__(GeminiClient)
    from gemgate.gemini.client.client import ClientOptions

    client.options = ClientOptions()
    for method in METHODS:
        path = f"/{method.prefix}v1beta/{method.template.replace('{name}', 'x-1')}"
        assert client.url(path).path == path


def test_an_unknown_method_names_what_is_known_nearby() -> None:
    found = find("POST", "/v1beta/cachedContents/x:destroy")
    assert isinstance(found, Unknown)
    assert "PATCH /{version}/cachedContents/{name}" in found.known
    assert not any("models" in known for known in found.known)


@pytest.mark.parametrize(
    ("path", "is_shared"),
    [
        ("/v1/models", True),
        ("/v1/files/x", True),
        ("/v1/batches", True),
        ("/v1beta/models", False),
        ("/v1/cachedContents", False),
        ("/v1/models/x/operations", True),
        ("/download/v1/files/x:download", False),
    ],
)
def test_only_some_paths_below_v1_are_openais_too(path: str, is_shared: bool) -> None:
    found = find("GET", path)
    assert isinstance(found, MatchedMethod)
    assert found.is_shared is is_shared


@pytest.mark.parametrize("call", ["generateContent", "streamGenerateContent", "countTokens", "batchEmbedContents"])
def test_a_call_of_a_model_is_googles_alone(call: str) -> None:
    found = find("POST", f"/v1/models/x:{call}")
    assert isinstance(found, MatchedMethod)
    assert not found.is_shared


@pytest.mark.parametrize(
    ("path", "is_google"),
    [
        ("/v1beta/anything", True),
        ("/v1alpha", True),
        ("/upload/v1/files", True),
        ("/download/v1beta/x", True),
        ("/v1/models/x:generateContent", True),
        ("/v1/models/x", False),
        ("/v1beta/openai/files", False),
        ("/v1beta/openai", False),
        ("/v1beta/openairs", True),
        ("/v1beta/chat/completions", False),
        ("/v1/chat/completions", False),
        ("/upload/x", False),
        ("/", False),
    ],
)
def test_which_paths_are_googles_alone(path: str, is_google: bool) -> None:
    assert is_google_path("POST", path) is is_google


def test_a_colon_in_the_name_of_a_model_that_is_looked_at_is_no_call() -> None:
    assert not is_google_path("GET", "/v1/models/ft:gpt-4o:acme")
    assert is_google_path("GET", "/v1beta/models/ft:gpt-4o:acme")


def test_the_collections_are_named_once() -> None:
    assert len(set(collections())) == len(collections())
    assert "{version}/cachedContents" in collections()
