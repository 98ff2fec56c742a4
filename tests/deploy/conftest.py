"""Helm, as the program that operators run."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest
from tests.support import npm

CHART = Path(__file__).parents[2] / "docker" / "chart" / "gemgate"

Helm = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def helm(request: pytest.FixtureRequest) -> Helm:
    """Runs Helm. Skips where npm is not to be had, or its program does not run."""
    cache = request.config.cache
    if cache is None:
        pytest.skip("pytest's cache is off")
    project = npm.install(Path(__file__).parent / "helm", cache.mkdir("gemgate-helm"))
    program = project / "helm"
    if not program.exists():
        (layer,) = project.glob("node_modules/@aws-cdk/*/lib/layer.zip")
        draft = project / f"helm-{os.getpid()}"
        with ZipFile(layer) as archive:
            draft.write_bytes(archive.read("helm/helm"))
        draft.chmod(0o755)
        draft.replace(program)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return npm.run([str(program), *arguments], CHART)

    try:
        run("version")
    except OSError as error:
        pytest.skip(f"Helm's program does not run here: {error}")
    return run
