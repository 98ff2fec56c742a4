"""Processes under test: started on one core, measured with all their children, and ended."""

import os
import resource
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
GATEWAY_CORE, LOAD_CORE = CORES[0], CORES[-1]
"""The same one where there is but one."""


def allow_many_connections() -> None:
    """As many open files as the system lets us, for this process and those it starts."""
    _, maximum = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (maximum, maximum))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Process:
    """A command and its children, until `stop`; what they print goes to `log`."""

    def __init__(
        self, command: Sequence[str], log: Path, cores: set[int], environment: Mapping[str, str] | None = None
    ) -> None:
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, cores),  # noqa: PLW1509  there are no threads here
            )
        self.log = log

    @property
    def pid(self) -> int:
        """Of the command."""
        return self._process.pid

    def check(self) -> None:
        """Whether it still runs.

        Raises:
            RuntimeError: it ended, with the end of what it printed.
        """
        if self._process.poll() is not None:
            raise RuntimeError(f"ended with {self._process.returncode}: {self.log.read_text()[-800:]}")

    def wait(self, seconds: float) -> None:
        """Until it has ended."""
        self._process.wait(seconds)

    def cpu(self) -> float:
        """Seconds of CPU of the whole tree so far, user and system."""
        ticks = 0
        for pid in self._tree():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            ticks += sum(int(field) for field in fields[11:15])
        return ticks / _TICKS

    def memory(self) -> float:
        """Megabytes of the tree: each page once, shared ones in shares."""
        kilobytes = 0
        for pid in self._tree():
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:  # it has ended meanwhile
                continue
            for line in lines:
                if line.startswith("Pss:"):
                    kilobytes += int(line.split()[1])
        return kilobytes / 1024

    def peak(self) -> float:
        """Megabytes that the command itself has had resident at most."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def forget_peak(self) -> None:
        """Count `peak` from now on."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def helpers(self) -> list[str]:
        """The commands of its children and of theirs."""
        commands = []
        for pid in self._tree()[1:]:
            try:
                commands.append(Path(f"/proc/{pid}/cmdline").read_text())
            except OSError:  # it has ended meanwhile
                continue
        return commands

    def _tree(self) -> list[int]:
        parents: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                except OSError:
                    continue
                parents.setdefault(parent, []).append(int(entry.name))
        tree = [self.pid]
        for pid in tree:
            tree += parents.get(pid, [])
        return tree

    def stop(self) -> None:
        """End it, with its children."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                break
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                continue
            break
