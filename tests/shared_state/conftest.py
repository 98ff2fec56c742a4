"""A Redis for the tests of what is shared."""

from tests.support.redis import redis_server

__all__ = ["redis_server"]
