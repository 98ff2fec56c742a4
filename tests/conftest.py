"""What every test may rely on."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from tests.support import secrets
from tests.support.schemas import unchanged_schemas
from tests.support.secrets import no_secret_leaves

from gemgate.observability import pricing

__all__ = ["no_secret_leaves", "surroundings", "unchanged_schemas"]

secrets.install()

# The same examples in each run, however busy the machine; what looks for new ones (`make soak`) says so.
settings.register_profile("gemgate", derandomize=True, deadline=None, database=None)
settings.load_profile("gemgate")


@pytest.fixture(scope="session", autouse=True)
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Gateways keep their files and batches in a directory of this run, and make calls again without a pause.

    Prices are there: a gateway reads them beside its first answers, of which some tests take the time.
    """
    pricing.load()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEMGATE_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        patch.setenv("GEMGATE_RETRY_MAX_WAIT", "0")
        yield
