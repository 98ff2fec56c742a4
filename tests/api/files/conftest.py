from pathlib import Path

import pytest
from tests.api.files.support import Gateway


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)
