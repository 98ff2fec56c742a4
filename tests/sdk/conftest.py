"""One gateway before one emulator for all tests of a worker, and the official clients that talk to it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from openai import OpenAI
from tests.sdk.node_project import install
from tests.sdk.page import Media, make_media
from tests.support.stack import KEY, OPENAI, Stack, stack

MakeClient = Callable[..., OpenAI]


@pytest.fixture(scope="session")
def servers() -> Iterator[Stack]:
    with stack() as running:
        yield running


@pytest.fixture(scope="session")
def make_client(servers: Stack) -> Iterator[MakeClient]:
    """Clients that do not retry, by prefix; one each for the whole session."""
    clients: dict[tuple[str, str], OpenAI] = {}

    def make(prefix: str = OPENAI, *, key: str = KEY) -> OpenAI:
        if (prefix, key) not in clients:
            clients[prefix, key] = OpenAI(api_key=key, base_url=servers.base(prefix), max_retries=0, timeout=120)
        return clients[prefix, key]

    yield make
    for client in clients.values():
        client.close()


@pytest.fixture(scope="session")
def client(make_client: MakeClient) -> OpenAI:
    return make_client()


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    return make_media(Path(tmp_path_factory.mktemp("media")))


@pytest.fixture(scope="session")
def project(request: pytest.FixtureRequest) -> Path:
    """openai-node, ready to run scripts."""
    return install(request.config.cache.mkdir("openai-node"))
