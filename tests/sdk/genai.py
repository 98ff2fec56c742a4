"""Google's own client for Python, with a gateway as its base URL."""

from collections.abc import Iterator
from contextlib import contextmanager

from google import genai
from tests.support.stack import KEY

MODEL = "gemini-2.5-flash"


@contextmanager
def genai_client(gateway: str, *, key: str = KEY, version: str = "") -> Iterator[genai.Client]:
    """A client; without a `version` it takes the one that is its own default."""
    options = genai.types.HttpOptions(base_url=gateway, timeout=120_000, api_version=version or None)
    with genai.Client(api_key=key, http_options=options) as client:
        yield client
