from pathlib import Path

import pytest
from tests.files.support import Gateway


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)
