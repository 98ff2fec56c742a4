"""google-auth's credentials, of every kind, over sockets: a token endpoint and a metadata server of the emulator's."""

import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from google.auth.compute_engine import _metadata
from tests.gemini.vertex.support import soon
from tests.support.vertex_stack import service_account

from gemgate.emulator.app import create_emulator
from gemgate.emulator.server import serve_in_thread
from gemgate.emulator.vertex.tokens import IssuedTokens
from gemgate.gemini.errors import GeminiError
from gemgate.gemini.vertex.auth_transport import AuthTransport, is_metadata_server
from gemgate.gemini.vertex.credentials import CredentialsError
from gemgate.gemini.vertex.google_auth import GoogleAuthSource, google_tokens

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, IssuedTokens]]:
    app = create_emulator()
    with serve_in_thread(app=app) as url:
        yield url, app.state.emulator.tokens


@pytest.fixture(scope="module")
def private_key() -> str:
    return service_account("")["private_key"]


@pytest.fixture
def url(served: tuple[str, IssuedTokens]) -> str:
    return served[0]


@pytest.fixture
def issued(served: tuple[str, IssuedTokens]) -> Iterator[IssuedTokens]:
    served[1].asked.clear()
    yield served[1]
    served[1].is_down = False


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials of this machine, and no metadata server."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_QUOTA_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", True)
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """This machine is one of Google Cloud's."""
    monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", False)
    monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", url.removeprefix("http://"))
    monkeypatch.setenv("GCE_METADATA_IP", url.removeprefix("http://"))


def key(url: str, private_key: str, **more: str) -> dict[str, str]:
    return service_account(url, private_key=private_key, **more)


def named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, info: dict[str, Any]) -> None:
    """Name a file of credentials in the environment."""
    path = tmp_path / "credentials.json"
    path.write_bytes(orjson.dumps(info))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))


def test_a_service_accounts_key_in_a_setting_gives_a_token_and_its_project(
    url: str, issued: IssuedTokens, private_key: str
) -> None:
    token = GoogleAuthSource(orjson.dumps(key(url, private_key)).decode()).fetch()
    assert issued.is_good(token.value)
    assert 3500 < token.lifetime <= 3600
    assert (token.project, token.quota_project, dict(issued.asked)) == ("a-project", None, {"token": 1})


def test_a_file_named_in_the_environment_gives_a_token(
    url: str, issued: IssuedTokens, private_key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    named(monkeypatch, tmp_path, key(url, private_key))
    monkeypatch.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "a-payer")
    token = GoogleAuthSource().fetch()
    assert (issued.is_good(token.value), token.project, token.quota_project) == (True, "a-project", "a-payer")


def test_a_users_credentials_give_a_token_and_who_pays(
    url: str, issued: IssuedTokens, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    info = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    named(monkeypatch, tmp_path, {**info, "quota_project_id": "a-payer", "token_uri": f"{url}/token"})
    monkeypatch.setattr("google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{url}/token")
    token = GoogleAuthSource().fetch()
    assert (issued.is_good(token.value), token.quota_project) == (True, "a-payer")


@pytest.mark.usefixtures("machine")
def test_a_machine_of_google_clouds_has_a_token_even_behind_a_proxy(
    issued: IssuedTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    token = GoogleAuthSource().fetch()
    assert (issued.is_good(token.value), token.project, issued.asked["metadata"]) == (True, "emulator-project", 1)


def test_a_workload_identity_is_exchanged_and_becomes_a_service_account(
    url: str, issued: IssuedTokens, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "subject").write_text("a-token-of-the-cluster")
    account = f"{url}/v1/projects/-/serviceAccounts/gateway@a-project.iam.gserviceaccount.com:generateAccessToken"
    info = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{url}/v1/token",
        "service_account_impersonation_url": account,
        "credential_source": {"file": str(tmp_path / "subject")},
    }
    named(monkeypatch, tmp_path, info)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "a-project")
    token = GoogleAuthSource().fetch()
    assert issued.is_good(token.value)
    assert (issued.asked["sts"], issued.asked["impersonation"], token.project) == (1, 1, "a-project")


def test_credentials_that_run_a_program_are_off_unless_googles_variable_allows_them(
    url: str, issued: IssuedTokens, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o700)
    info = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{url}/v1/token",
        "credential_source": {"executable": {"command": str(program)}},
    }
    named(monkeypatch, tmp_path, info)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "a-project")
    monkeypatch.delenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", raising=False)
    with pytest.raises(CredentialsError, match="GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"):
        GoogleAuthSource().fetch()
    assert not ran.exists()
    monkeypatch.setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")
    with pytest.raises(CredentialsError):
        GoogleAuthSource().fetch()
    assert ran.exists()


def test_a_machine_without_credentials_says_what_to_do() -> None:
    with pytest.raises(
        CredentialsError, match=r"GOOGLE_APPLICATION_CREDENTIALS.*gcloud auth application-default login"
    ):
        GoogleAuthSource().fetch()


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    with pytest.raises(CredentialsError, match=r"File .*missing\.json was not found"):
        GoogleAuthSource().fetch()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not JSON"),
        ('["a"]', "is not JSON"),
        ('{"type": "external_account"}', "JSON of another kind"),
        ('{"type": "service_account", "client_email": "a@b"}', "has no `token_uri`"),
    ],
)
def test_a_setting_that_is_no_key_is_refused_at_once_without_its_text(text: str, sentence: str) -> None:
    with pytest.raises(CredentialsError, match=sentence):
        google_tokens(text)


def test_a_private_key_that_is_none_is_in_no_sentence(url: str) -> None:
    with pytest.raises(CredentialsError) as refused:
        GoogleAuthSource(orjson.dumps(key(url, "-----BEGIN PRIVATE KEY-----\nhush\n")).decode()).fetch()
    assert "hush" not in str(refused.value)


def test_an_account_that_is_gone_is_refused_in_googles_words(url: str, issued: IssuedTokens, private_key: str) -> None:
    source = GoogleAuthSource(orjson.dumps(key(url, private_key, client_email="deleted@a-project")).decode())
    with pytest.raises(CredentialsError, match=r"^Google refuses the credentials \(invalid_grant: .*not found\)$"):
        source.fetch()


def test_an_endpoint_that_nobody_listens_at_is_not_reached_and_its_address_is_not_said(private_key: str) -> None:
    source = GoogleAuthSource(orjson.dumps(key("http://user:pass@127.0.0.1:9", private_key)).decode())
    with pytest.raises(CredentialsError, match=r"cannot be reached \(\w+\)$"):
        source.fetch()


def test_without_the_extra_a_sentence_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemgate.gemini.vertex.google_auth.find_spec", lambda _name: None)
    with pytest.raises(CredentialsError, match=r"pip install 'gemgate\[vertex\]'"):
        google_tokens()


async def test_tokens_of_a_machine_live_through_an_outage_and_a_401_in_mid_life(
    machine: None, issued: IssuedTokens, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("google.auth._exponential_backoff.time", SimpleNamespace(sleep=lambda _seconds: None))
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    async with google_tokens(on_failure=said.append) as tokens:
        first = tokens.current()
        assert (issued.is_good(first), tokens.project) == (True, "emulator-project")
        issued.revoke()
        tokens._token = None  # as if time had passed: a token that came just now is not fetched again
        second = await tokens.renewed(first)
        assert (second == tokens.current(), issued.is_good(second), second == first) == (True, True, False)
        issued.is_down = True
        tokens._token = None
        with pytest.raises(GeminiError, match="401 UNAUTHENTICATED"):
            await tokens.renewed(second)
        assert len(said) == 1
        issued.is_down = False
        tokens._pause_ends = 0.0
        await soon(lambda: _has_one(tokens))
    assert "ya29" not in caplog.text
    assert not any("ya29" in sentence for sentence in said)


def _has_one(tokens: Any) -> bool:
    try:
        return bool(tokens.current())
    except GeminiError:
        return False


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        ("http://metadata.google.internal/computeMetadata/v1/", True),
        ("http://metadata.google.internal./computeMetadata/v1/", True),
        ("http://169.254.169.254", True),
        ("http://169.254.170.2/v2/credentials", True),
        ("http://[fd00:ec2::254]/latest/meta-data", True),
        ("https://oauth2.googleapis.com/token", False),
        ("https://sts.googleapis.com/v1/token", False),
        ("http://10.0.0.1/", False),
    ],
)
def test_metadata_servers_are_known_by_their_addresses(url: str, is_one: bool) -> None:
    assert is_metadata_server(url) is is_one


def test_a_token_endpoint_is_reached_by_the_environments_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def request(_session: object, _method: str, _url: str, **options: Any) -> Any:
        asked.append(options)
        raise OSError("stop here")

    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setattr("requests.Session.request", request)
    transport = AuthTransport()
    for url in ("https://oauth2.googleapis.com/token", "http://metadata.google.internal/"):
        with pytest.raises(OSError, match="stop here"):
            transport(url, timeout=120)
    proxy = "http://proxy.example:3128"
    assert [one["proxies"] for one in asked] == [{"http": proxy, "https": proxy}, {}]
    assert [(one["timeout"], one["allow_redirects"]) for one in asked] == [(10.0, False), (10.0, False)]
    assert transport.session.trust_env is False
