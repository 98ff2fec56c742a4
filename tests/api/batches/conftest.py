"""A world for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.api.batches.support import Batches, batches_in


@pytest.fixture
async def batches(tmp_path: Path) -> AsyncIterator[Batches]:
    """An empty store, an empty Google."""
    async with batches_in(tmp_path) as made:
        yield made
