"""Metrics of several workers: each keeps its values in files of one directory, and whichever is asked reads them all.

The command makes the directory and names it in `PROMETHEUS_MULTIPROC_DIR`, which prometheus-client reads when it is
imported: nothing here may import it earlier. Other servers that start workers can do the same.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_LIVE = re.compile(r"gauge_live[a-z]*_(\d+)\.db")


@contextmanager
def shared_by_workers(workers: int) -> Iterator[None]:
    """The environment in which `workers` processes have their metrics in common; to be entered before they start."""
    os.environ.pop(VARIABLE, None)
    if workers == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="gemgate-metrics-", ignore_cleanup_errors=True) as directory:
        os.environ[VARIABLE] = directory
        try:
            yield
        finally:
            del os.environ[VARIABLE]


def shared_directory() -> Path | None:
    """The directory that the workers have in common, and nobody else can read; None for a process on its own."""
    found = os.environ.get(VARIABLE)
    return Path(found) if found else None


def of_all_workers(registry: "CollectorRegistry") -> "CollectorRegistry":
    """What is to be shown: `registry`, or the values of all workers where there are several."""
    from prometheus_client import CollectorRegistry, values
    from prometheus_client.multiprocess import MultiProcessCollector

    if values.ValueClass is values.MutexValue:
        return registry
    directory = Path(os.environ[VARIABLE])
    _forget_the_dead(directory)
    shared = CollectorRegistry()
    MultiProcessCollector(shared, str(directory))  # type: ignore[no-untyped-call]
    return shared


def _forget_the_dead(directory: Path) -> None:
    """Take out what workers held that are no more: their counters stay, their open streams do not."""
    from prometheus_client.multiprocess import mark_process_dead

    for path in directory.glob("gauge_live*.db"):
        found = _LIVE.fullmatch(path.name)
        if found and not _is_alive(int(found[1])):
            mark_process_dead(int(found[1]), str(directory))  # type: ignore[no-untyped-call]


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
