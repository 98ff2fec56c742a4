"""Proves that the import contracts refuse what they are for: plants a wrong import in a copy of the package, and looks.

Fails when import-linter keeps all contracts in spite of it. `make check` runs it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]

PLANTED = {
    "gemini imports auth": ("gemini/resource_names.py", "from gemgate.auth import client_keys\n"),
    "upstream imports api": ("upstream/cooldowns.py", "from gemgate.api import services\n"),
    "store imports errors": ("store/ids.py", "from gemgate.errors import ApiError\n"),
    "translation imports aiohttp": ("translation/notes.py", "import aiohttp\n"),
    "an endpoint imports another": ("api/models/wire.py", "from gemgate.api.images import wire as other\n"),
    "the product imports the emulator": ("app.py", "from gemgate.emulator import app as other\n"),
    "a folder without a layer": ("unplaced/__init__.py", '"""Nobody said where this belongs."""\n'),
}
"""What is planted: the module of the package that it is added to, and its text."""


def is_kept(folder: Path) -> bool:
    """Whether the contracts are kept by the package in `folder`."""
    linter = Path(sys.executable).with_name("lint-imports")
    environment = os.environ | {"PYTHONPATH": str(folder / "src")}
    command = [str(linter), "--no-cache"]
    return subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True).returncode == 0


def copy_with(folder: Path, module: str, text: str) -> None:
    """A copy of the package in `folder`, with `text` at the end of `module`."""
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    path = folder / "src" / "gemgate" / module
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write(f"\n{text}")


def main() -> int:
    """Say which wrong imports pass; they are a failure, and so is a clean copy that does not pass."""
    failed = []
    cases = {"nothing is planted": ("__init__.py", "")} | PLANTED
    for name, (module, text) in cases.items():
        with tempfile.TemporaryDirectory() as folder:
            copy_with(Path(folder), module, text)
            if is_kept(Path(folder)) is bool(text):
                failed.append(name)
    for name in failed:
        print(f"import contracts: not as it should be where {name}")
    print(f"import contracts: {len(cases) - len(failed)} of {len(cases)} planted cases are judged rightly")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
