"""Looks for known vulnerabilities of the locked dependencies, where the database of advisories can be reached.

    .venv/bin/python scripts/audit.py

pip-audit asks OSV (https://osv.dev) about each pinned version. Without a way there, which is no fault of the change at
hand, the audit says that it was skipped.
"""

import subprocess
import sys
from pathlib import Path

import httpx

DATABASE = "https://api.osv.dev/v1/query"
PATIENCE = 3.0
LOCKED = [Path(__file__).parents[1] / "requirements" / name for name in ("run.txt", "dev.txt")]


def is_reachable() -> bool:
    """Whether the database answers, and knows of an old vulnerability that it must know."""
    asked = {"package": {"name": "jinja2", "ecosystem": "PyPI"}, "version": "2.4.1"}
    try:
        answer = httpx.post(DATABASE, json=asked, timeout=PATIENCE)
        return bool(answer.is_success and answer.json().get("vulns"))
    except (httpx.HTTPError, ValueError):
        return False


def main() -> int:
    """0 when nothing is known against what is locked, or nobody can be asked."""
    if not is_reachable():
        print("audit of the dependencies skipped: api.osv.dev is unreachable")
        return 0
    options = ["--strict", "--disable-pip", "--require-hashes", "--vulnerability-service", "osv"]
    files = [word for path in LOCKED for word in ("--requirement", str(path))]
    return subprocess.run([sys.executable, "-m", "pip_audit", *options, *files], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
