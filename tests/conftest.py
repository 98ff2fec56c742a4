"""What every test may rely on."""

import gc
import os
import signal
from collections.abc import Iterator

import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from hypothesis import settings
from tests.support import certificates, lanes, output, secrets
from tests.support.lanes import no_process_and_no_listener
from tests.support.schemas import unchanged_schemas
from tests.support.secrets import no_secret_leaves

from gemgate.gemini import model_catalog
from gemgate.gemini.model_table import TABLE_DATE
from gemgate.observability import pricing

__all__ = ["no_process_and_no_listener", "no_secret_leaves", "surroundings", "unchanged_schemas"]

# What is imported stays: the collector of garbage need not look at it as it comes, nor again in each test.
gc.disable()
output.install()
secrets.install()
certificates.install()
lanes.install_guard()

# The same examples in each run, however busy the machine; what looks for new ones (`make soak`) says so.
settings.register_profile("gemgate", derandomize=True, deadline=None, database=None)
settings.load_profile("gemgate")

# A machine that is busy with other things may need longer than httpx's 5 s for an answer.
for phase in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, phase, 30.0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make test-fast` leaves out, before `-m` selects."""
    lanes.mark_integration(items)
    lanes.mark_slow(items)


def pytest_collection_finish() -> None:
    """Collect garbage from now on, and of what the tests make only."""
    gc.freeze()
    gc.enable()


def pytest_xdist_auto_num_workers() -> int:
    """For each processor two workers, with `-n auto`: half of a test's time it waits, for a socket or a deadline."""
    return 2 * (os.cpu_count() or 1)


def heed_signals() -> None:
    """SIGINT and SIGTERM do to this process, and so to its children, what they do to one that a person starts.

    A script starts what it puts into the background with SIGINT ignored, and children inherit that.
    """
    for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, default)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})


@pytest.fixture(scope="session", autouse=True)
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Gateways keep their files and batches in a directory of this run, make calls again without a pause, and call
    Google for nobody but callers.

    Of models they believe what the table says of the day on which it was written, whatever day it is.

    Prices are there: a gateway reads them beside its first answers, of which some tests take the time.
    """
    pricing.load()
    heed_signals()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEMGATE_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        patch.setenv("GEMGATE_RETRY_MAX_WAIT", "0")
        patch.setenv("GEMGATE_MODELS_REFRESH", "0")
        patch.setenv("GEMGATE_MODEL_FACTS_DATE", TABLE_DATE)
        patch.setattr(model_catalog, "today", lambda: TABLE_DATE)
        yield
