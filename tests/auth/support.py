"""Client keys for tests: a file of entries, and the settings that name it."""

from pathlib import Path
from typing import Any

import orjson

from gemgate.auth.client_keys import digest_of

GEMINI_KEY = "AIza-the-gateways-own-key"


def key_of(name: str) -> str:
    """The key of the caller `name`."""
    return f"sk-gemgate-of-{name}"


def bearer(name: str) -> dict[str, str]:
    """The header that presents it."""
    return {"authorization": f"Bearer {key_of(name)}"}


def write_keys(path: Path, **entries: dict[str, Any]) -> Path:
    """A file with an entry for each name, whose fields (`limits`, `models`) are given; JSON is YAML."""
    keys = [
        {"name": name, "hash": f"sha256:{digest_of(key_of(name)).hex()}", **fields} for name, fields in entries.items()
    ]
    path.write_bytes(orjson.dumps({"keys": keys}))
    return path


def settings_with(path: Path) -> dict[str, Any]:
    """Fields of `Settings` for a gateway that holds a Gemini key and asks for the keys in `path`."""
    return {"gemini_api_key": GEMINI_KEY, "client_keys_file": path}
