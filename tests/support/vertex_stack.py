"""The gateway before the emulator as Vertex AI, with a service account's key whose tokens the emulator gives out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.support.stack import Stack, gateway

from gemgate.emulator.app import create_emulator
from gemgate.emulator.server import serve_in_thread
from gemgate.emulator.timing import Timing

PROJECT = "a-project"


def service_account(token_origin: str, **more: str) -> dict[str, str]:
    """A service account's key whose tokens come from `token_origin`."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kinds = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "1",
        "private_key": key.private_bytes(*kinds).decode(),
        "client_email": f"gateway@{PROJECT}.iam.gserviceaccount.com",
        "token_uri": f"{token_origin}/token",
        **more,
    }


@contextmanager
def vertex_stack(*, by_setting: bool = False, timing: Timing | None = None, **settings: Any) -> Iterator[Stack]:
    """An emulator, and a gateway with these `settings` before it, to which it is Vertex AI.

    The service account's key is in a file that the environment names, or in a setting.
    """
    app = create_emulator(timing=timing)
    with (
        serve_in_thread(app=app) as emulator,
        TemporaryDirectory(prefix="gemgate-credentials-") as folder,
        pytest.MonkeyPatch.context() as environment,
    ):
        path = Path(folder) / "credentials.json"
        key = orjson.dumps(service_account(emulator))
        if by_setting:
            settings = {"vertex_service_account": key.decode()} | settings
        else:
            path.write_bytes(key)
        environment.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        environment.delenv("GOOGLE_CLOUD_QUOTA_PROJECT", raising=False)
        place = {"vertex_endpoint": emulator, "vertex_storage_endpoint": f"{emulator}/storage"}
        chosen = {"google_cloud_project": PROJECT} | place | settings
        with gateway("vertex", **chosen) as origin:
            yield Stack(origin, emulator, app.state.emulator)
