"""A world for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.api.batches.support import World, world


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[World]:
    """An empty store, an empty Google."""
    async with world(tmp_path) as made:
        yield made
