"""A wall clock that is wrong takes nothing from callers: what another replica made a moment ago is not too young."""

import subprocess
import sys

import pytest

_AT_A_REPLICA_BEHIND = """
import sys, tempfile, time
from pathlib import Path
wall, shift = time.time, [0.0]
time.time = lambda: wall() + shift[0]
from tests.security.tenants import ALICE, BOB, tenants
with tempfile.TemporaryDirectory() as directory, tenants(Path(directory)) as pair:
    address = pair.begin(7)
    shift[0] = float(sys.argv[1])
    command = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
    done = pair.there.client.post(address, content=b"content", headers=command)
    name = done.json()["file"]["name"]
    found = [pair.there.client.get(f"/v1beta/{name}", headers=caller).status_code for caller in (ALICE, BOB)]
print("outcome", done.status_code, *found)
"""


@pytest.mark.parametrize("shift", [-3600, 90])
def test_an_upload_goes_on_at_a_replica_whose_clock_is_another(shift: int) -> None:
    found = subprocess.run(
        [sys.executable, "-c", _AT_A_REPLICA_BEHIND, str(shift)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "outcome 200 200 404" in found.stdout
