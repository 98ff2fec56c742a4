"""The certificates that tests' clients trust, read once."""

import os
import ssl
from functools import cache
from pathlib import Path
from typing import Any


def install() -> None:
    """From here on, contexts that trust the certificates of the same file are one.

    Each client that httpx or an SDK opens reads them, which takes 36 ms: more than most tests.
    """
    read = ssl.create_default_context

    @cache
    def shared(path: str, _written: int, _key_log: str | None) -> ssl.SSLContext:
        return read(cafile=path)

    def create_default_context(*arguments: Any, **options: Any) -> ssl.SSLContext:
        if arguments or options.keys() != {"cafile"} or not Path(options["cafile"]).is_file():
            return read(*arguments, **options)
        path = options["cafile"]
        return shared(path, Path(path).stat().st_mtime_ns, os.environ.get("SSLKEYLOGFILE"))

    ssl.create_default_context = create_default_context
