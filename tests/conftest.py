"""What every test may rely on."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Gateways keep their files and batches in a directory of this run, and not beside the sources."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEMGATE_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        yield
