"""What is built and shipped around the code: wheel, source archive, image, compose files, names of settings."""

import os
import re
import shlex
import signal
import subprocess
import sys
import tarfile
import time
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx
import orjson
import pytest
from packaging.requirements import Requirement
from tests.support.raw_upstream import unused_port

from gemgate.cli import main as cli
from gemgate.emulator.app import create_emulator
from gemgate.emulator.server import serve_in_thread
from gemgate.settings import ClientSettings, Settings, variable

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = ("docker/compose.yaml", "docker/compose.emulator.yaml")
MAX_SECONDS = 30.0

SETTINGS = {variable(name) for name in Settings.model_fields}
KNOWN = SETTINGS | {variable(name) for name in ClientSettings.model_fields}


def instructions(keyword: str) -> list[str]:
    """The arguments of each such instruction of the Dockerfile, continued lines joined."""
    joined = re.sub(r"\\\n\s*", " ", DOCKERFILE)
    return [found.strip() for found in re.findall(rf"^\s*{keyword} (.*)$", joined, re.MULTILINE)]


def command(keyword: str) -> list[str]:
    """The one such instruction in exec form; JSON that does not parse would be shell form."""
    (text,) = instructions(keyword)
    words: list[str] = orjson.loads(text[text.index("[") :])
    return words


def copied() -> list[str]:
    """What the Dockerfile copies from the context."""
    from_context = [shlex.split(line)[:-1] for line in instructions("COPY") if not line.startswith("--from")]
    return [source for sources in from_context for source in sources]


def environment() -> dict[str, str]:
    """What the image sets."""
    return dict(word.split("=", 1) for line in instructions("ENV") for word in shlex.split(line))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive."""
    if find_spec("hatchling") is None:
        pytest.skip("the build backend, hatchling, is not installed")
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=MAX_SECONDS,
    )
    return folder


def wheel_names(folder: Path) -> set[str]:
    (wheel,) = folder.glob("gemgate-*.whl")
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def archive_names(folder: Path) -> set[str]:
    (archive,) = folder.glob("gemgate-*.tar.gz")
    with tarfile.open(archive) as members:
        return {name.partition("/")[2] for name in members.getnames()}


def test_the_wheel_holds_every_module_and_all_data(built: Path) -> None:
    sources = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = wheel_names(built)
    assert {name for name in packed if not name.partition("/")[0].endswith(".dist-info")} == sources
    assert {"gemgate/py.typed", "gemgate/emulator/native_schema.json"} <= packed


def test_the_wheel_carries_the_licence_and_the_command(built: Path) -> None:
    info = f"gemgate-{PROJECT['version']}.dist-info"
    (wheel,) = built.glob("*.whl")
    with ZipFile(wheel) as archive:
        assert archive.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
        assert b"gemgate = gemgate.cli.main:app" in archive.read(f"{info}/entry_points.txt")
        assert b"License-Expression: Apache-2.0" in archive.read(f"{info}/METADATA")


def wheel_of(folder: Path) -> Path:
    (wheel,) = folder.glob("gemgate-*.whl")
    return wheel


def test_what_the_wheel_holds_runs_without_the_sources(built: Path, tmp_path: Path) -> None:
    with ZipFile(wheel_of(built)) as archive:
        archive.extractall(tmp_path)
    env = {**os.environ, "PYTHONPATH": str(tmp_path), "GEMGATE_UPSTREAM": "http://127.0.0.1:1"}
    where = [sys.executable, "-c", "import gemgate; print(gemgate.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=env, check=True, capture_output=True, timeout=MAX_SECONDS)
    assert Path(found.stdout.decode().strip()).is_relative_to(tmp_path)
    check = [sys.executable, "-m", "gemgate", "check"]
    done = subprocess.run(check, cwd=tmp_path, env=env, check=False, capture_output=True, timeout=MAX_SECONDS)
    assert done.returncode == 1
    assert b"http://127.0.0.1:1 cannot be reached" in done.stdout
    assert b"Traceback" not in done.stderr


@pytest.mark.soak
def test_the_wheel_installs_into_an_empty_environment_and_serves(built: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "v")], check=True, timeout=120)
    bin_ = tmp_path / "v" / "bin"
    install = [str(bin_ / "python"), "-m", "pip", "install", "--quiet", str(wheel_of(built))]
    subprocess.run(install, cwd=tmp_path, check=True, timeout=600)
    env = {name: value for name, value in os.environ.items() if name not in SETTINGS} | {"GEMGATE_PORT": "0"}
    gemgate = str(bin_ / "gemgate")
    helped = subprocess.run([gemgate, "--help"], cwd=tmp_path, env=env, check=True, capture_output=True, timeout=60)
    assert b"serve" in helped.stdout
    emulator = subprocess.run([gemgate, "emulate"], cwd=tmp_path, env=env, check=False, capture_output=True, timeout=60)
    assert emulator.returncode == 1
    assert b"pip install 'gemgate[emulator]'" in emulator.stderr
    app = create_emulator()
    with serve_in_thread(app=app) as google:
        env["GEMGATE_UPSTREAM"] = google
        checked = subprocess.run([gemgate, "check"], cwd=tmp_path, env=env, check=True, capture_output=True, timeout=60)
        assert f"{google} answers." in checked.stdout.decode()
        with subprocess.Popen([gemgate, "serve"], cwd=tmp_path, env=env, stdout=subprocess.PIPE) as gateway:
            try:
                assert gateway.stdout
                url = gateway.stdout.readline().decode().rsplit(maxsplit=1)[-1]
                body = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hello"}]}
                answer = httpx.post(f"{url}/chat/completions", json=body, headers={"api-key": "k"}, timeout=30)
                assert answer.json()["choices"][0]["message"]["content"]
            finally:
                gateway.send_signal(signal.SIGTERM)
                assert gateway.wait(MAX_SECONDS) == 0


@pytest.mark.soak
def test_the_wheel_runs_with_uvx(built: Path, tmp_path: Path) -> None:
    if find_spec("uv") is None:
        pytest.skip("uv is not installed; `make lock` installs it")
    uvx = Path(sys.executable).with_name("uvx")
    run = [str(uvx), "--from", str(wheel_of(built)), "gemgate", "--help"]
    done = subprocess.run(run, cwd=tmp_path, check=True, capture_output=True, timeout=600)
    assert b"serve" in done.stdout


def test_the_source_archive_builds_the_same_wheel(built: Path, tmp_path: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    safely: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # since 3.11.4
    with tarfile.open(archive) as members:
        members.extractall(tmp_path, **safely)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path / "dist")],
        cwd=tmp_path / f"gemgate-{PROJECT['version']}",
        check=True,
        capture_output=True,
        timeout=MAX_SECONDS,
    )
    assert wheel_names(tmp_path / "dist") == wheel_names(built)


def test_the_source_archive_holds_nothing_that_git_ignores(built: Path) -> None:
    names = archive_names(built)
    command = Path(cli.__file__).relative_to(ROOT).as_posix()
    assert {"LICENSE", "README.md", "SECURITY.md", "pyproject.toml", command} <= names
    unwanted = re.compile(r"(^|/)(\.env|\.venv|node_modules|__pycache__|\.coverage.*)(/|$)")
    assert not [name for name in names if unwanted.search(name)]


@pytest.mark.parametrize("lock", ["run.txt", "dev.txt"])
def test_the_lock_file_has_every_dependency_with_hashes(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text()
    locked = set(re.findall(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==\S+.*\\\n    --hash=sha256:", text, re.MULTILINE))
    wanted = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["emulator"]
    assert {Requirement(each).name for each in wanted} <= locked


@pytest.mark.parametrize(
    "lock", [*(ROOT / "requirements").glob("*.txt"), ROOT / "docker" / "build.txt"], ids=lambda lock: lock.name
)
def test_a_lock_file_names_no_host(lock: Path) -> None:
    assert not re.search(r"https?:|^--(?!hash)|file:", lock.read_text(), re.MULTILINE)


def test_the_image_builds_with_the_backend_of_the_project() -> None:
    (backend,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    wanted = Requirement(backend)
    found = re.search(rf"^{wanted.name}==(\S+)", (ROOT / "docker/build.txt").read_text(), re.MULTILINE)
    assert found
    assert wanted.specifier.contains(found[1])


def test_the_image_gets_a_bill_of_materials_from_a_locked_tool() -> None:
    (made,) = [line for line in instructions("RUN") if "cyclonedx_py" in line]
    assert made.endswith("--output-file /opt/gemgate/sbom.cdx.json /opt/gemgate/bin/python")
    assert re.search(r"^cyclonedx-bom==", (ROOT / "docker/build.txt").read_text(), re.MULTILINE)


def test_what_the_image_copies_exists_and_is_not_ignored() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied()) == allowed
    assert [source for source in copied() if not (ROOT / source).exists()] == []


def test_the_image_has_what_the_project_needs_to_build() -> None:
    assert {PROJECT["readme"], *PROJECT["license-files"], "pyproject.toml", "src"} <= set(copied())


def test_the_image_bears_the_version_of_the_project() -> None:
    assert f"VERSION={PROJECT['version']}" in instructions("ARG")


def test_the_image_does_not_run_as_root() -> None:
    (user,) = instructions("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


def gemgate_environment() -> dict[str, str]:
    return {name: value for name, value in environment().items() if name.startswith("GEMGATE_")}


def test_the_settings_of_the_image_are_sound_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    for name, value in gemgate_environment().items():
        monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)
    assert (settings.host, str(settings.port)) == ("0.0.0.0", *instructions("EXPOSE"))
    assert [str(settings.data_dir)] == command("VOLUME")


def test_what_the_image_runs_gets_healthy_and_ends_well_on_sigterm(tmp_path: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    own = {"GEMGATE_HOST": "127.0.0.1", "GEMGATE_PORT": str(unused_port()), "GEMGATE_DATA_DIR": str(tmp_path)}
    env = {**inherited, **gemgate_environment(), **own}
    program, *arguments = command("ENTRYPOINT") + command("CMD")
    assert program == PROJECT["name"]
    assert program in PROJECT["scripts"]
    _, *check = command("HEALTHCHECK")
    with subprocess.Popen([sys.executable, "-m", program, *arguments], cwd=tmp_path, env=env) as gateway:
        try:
            deadline = time.monotonic() + MAX_SECONDS
            while not is_healthy(check, env):
                assert gateway.poll() is None
                assert time.monotonic() < deadline
            gateway.send_signal(signal.SIGTERM)
            assert gateway.wait(MAX_SECONDS) == 0
            assert not is_healthy(check, env)
        finally:
            gateway.kill()


def is_healthy(check: list[str], env: dict[str, str]) -> bool:
    done = subprocess.run([sys.executable, *check], env=env, check=False, capture_output=True, timeout=MAX_SECONDS)
    return done.returncode == 0


@pytest.mark.parametrize("path", COMPOSE)
def test_a_compose_file_builds_from_folders_with_a_dockerfile(path: str) -> None:
    yaml = pytest.importorskip("yaml")
    services = yaml.safe_load((ROOT / path).read_text())["services"]
    assert services.keys() == {"app", "gateway"}
    for service in services.values():
        assert ((ROOT / path).parent / service["build"] / "Dockerfile").is_file()


def test_the_sidecar_holds_the_key_on_a_loopback_that_only_the_application_shares() -> None:
    yaml = pytest.importorskip("yaml")
    services = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]
    gateway, app = services["gateway"], services["app"]
    assert gateway["environment"]["GEMGATE_HOST"] == "127.0.0.1"
    assert "ports" not in gateway
    assert app["network_mode"] == "service:gateway"
    assert app["environment"]["OPENAI_BASE_URL"] == f"http://127.0.0.1:{environment()['GEMGATE_PORT']}/v1"


def prose_and_configuration() -> list[Path]:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "docker").rglob("*")]
    others = [ROOT / "Dockerfile", ROOT / ".env.example", ROOT / "Makefile"]
    return [path for path in [*pages, *others] if path.is_file()]


def test_every_setting_that_is_written_about_exists() -> None:
    unknown = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in prose_and_configuration()
        for name in re.findall(r"\bGEMGATE_[A-Z][A-Z_]*[A-Z]\b", path.read_text())
        if name not in KNOWN
    }
    assert unknown == set()


def test_the_example_environment_lists_every_setting() -> None:
    listed = re.findall(r"^#? ?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(SETTINGS)
