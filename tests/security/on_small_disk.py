"""The command `gemgate`, whose data directory is a file system of its own, of the size that `DISK_BYTES` says.

Nobody else sees the mount: it is in a namespace of the process. The exit status is `REFUSED` where that is not allowed.
"""

import ctypes
import os
import sys
from pathlib import Path

REFUSED = 77
_NEWNS, _NEWUSER = 0x00020000, 0x10000000
_PRIVATE = (1 << 18) | 16384  # MS_PRIVATE, MS_REC


def mount(directory: str, size: str) -> bool:
    """Whether `directory` is now a file system of `size` bytes."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_NEWNS) != 0:
        if libc.unshare(_NEWNS | _NEWUSER) != 0:
            return False
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    if libc.mount(None, b"/", None, _PRIVATE, None) != 0:
        return False
    return bool(libc.mount(b"tmpfs", directory.encode(), b"tmpfs", 0, f"size={size}".encode()) == 0)


if __name__ == "__main__":
    if not mount(os.environ["GEMGATE_DATA_DIR"], os.environ["DISK_BYTES"]):
        sys.exit(REFUSED)
    if sys.argv[1:] != ["probe"]:
        from gemgate.cli.main import app

        app()
