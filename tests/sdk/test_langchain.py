"""LangChain's `OpenAIEmbeddings` against the running gateway, with the documented switch and without it."""

import math
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.conformance.environments import python_of, run
from tests.sdk.conftest import MakeClient
from tests.support.stack import GOOGLE, KEY, OPENAI, Stack

MODEL = "gemini-embedding-001"
TEXTS = [f"Text number {number}" for number in range(120)]
BOTH = pytest.mark.parametrize("prefix", [OPENAI, GOOGLE])

# tiktoken would download what OpenAI's tokens are. Here each byte is one; and whoever asks for another host fails.
PROGRAM = """
import json, sys
import tiktoken
from langchain_openai import OpenAIEmbeddings

def only_this_machine(event, arguments):
    if event == "socket.getaddrinfo" and arguments[0] != "127.0.0.1":
        raise OSError(f"{arguments[0]} was asked for")

def bytes_as_tokens(name):
    ranks = {bytes([byte]): byte for byte in range(256)}
    return tiktoken.Encoding("bytes", pat_str=".", mergeable_ranks=ranks, special_tokens={})

def embed(options, texts):
    embeddings = OpenAIEmbeddings(max_retries=0, **options)
    try:
        return {"documents": embeddings.embed_documents(texts), "query": embeddings.embed_query(texts[0])}
    except Exception as error:
        return {"error": type(error).__name__, "message": str(error)}

sys.addaudithook(only_this_machine)
asked = json.loads(sys.argv[1])
seen = {"with": embed({**asked["options"], "check_embedding_ctx_length": False}, asked["texts"])}
seen["reduced"] = embed({**asked["options"], "check_embedding_ctx_length": False, "dimensions": 768}, asked["texts"])
tiktoken.encoding_for_model = bytes_as_tokens
seen["without"] = embed(asked["options"], asked["texts"])
print(json.dumps(seen))
"""


@pytest.fixture(scope="session")
def langchain(request: pytest.FixtureRequest) -> Path:
    return python_of("clients", request.config.cache.mkdir("conformance"))


@pytest.fixture(scope="session")
def outcomes() -> dict[str, Any]:
    return {}


@pytest.fixture
def seen(langchain: Path, servers: Stack, outcomes: dict[str, Any], prefix: str) -> Any:
    """What `PROGRAM` saw; it runs once for each prefix."""
    if prefix not in outcomes:
        options = {"model": MODEL, "base_url": servers.base(prefix), "api_key": KEY}
        asked = orjson.dumps({"texts": TEXTS, "options": options}).decode()
        done = run([str(langchain), "-c", PROGRAM, asked])
        assert done.returncode == 0, done.stderr
        outcomes[prefix] = orjson.loads(done.stdout)
    return outcomes[prefix]


@BOTH
@pytest.mark.parametrize(("way", "options"), [("with", {}), ("reduced", {"dimensions": 768})])
def test_with_the_switch_vectors_have_length_one(
    seen: Any, make_client: MakeClient, prefix: str, way: str, options: Any
) -> None:
    plain = make_client(prefix).embeddings.create(model=MODEL, input=TEXTS, **options)
    documents = seen[way]["documents"]
    assert documents == [item.embedding for item in plain.data]
    assert seen[way]["query"] == documents[0]
    assert {len(vector) for vector in documents} == {options.get("dimensions", 3072)}
    assert all(math.hypot(*vector) == pytest.approx(1, abs=1e-6) for vector in documents)


@BOTH
def test_without_the_switch_the_error_names_it(seen: Any, prefix: str) -> None:
    assert seen["without"]["error"] == "BadRequestError"
    assert "OpenAIEmbeddings(check_embedding_ctx_length=False)" in seen["without"]["message"]
