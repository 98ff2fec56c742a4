"""What the figures were taken on."""

import os
import platform
from pathlib import Path

from gemgate import __version__


def describe() -> str:
    """One paragraph."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1_048_576
    return (
        f"gemgate {__version__}, Python {platform.python_version()} ({platform.python_compiler()}), "
        f"{platform.system()} {platform.release()} on {platform.machine()}: {model}, {os.cpu_count()} cores, "
        f"{memory:.0f} GB. Load average at the start: {os.getloadavg()[0]:.2f}."
    )
