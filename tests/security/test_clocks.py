"""A wall clock that is wrong takes nothing from callers: neither a replica's, nor one that is set back.

The clock of a process is moved, so that it is one of its own: all that a wrong clock may do is tried in the same one.
"""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration

_WITH_A_WRONG_CLOCK = """
import sys, tempfile, threading, time
from pathlib import Path
wall, shift = time.time, [0.0]
time.time = lambda: wall() + shift[0]
import httpx
from tests.api.native.support import GENERATE, running_gateway
from tests.security.tenants import ALICE, BOB, tenants
from tests.support.google import quota

def upload(pair, moved):
    address = pair.begin(7)
    shift[0] = moved
    command = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
    done = pair.there.client.post(address, content=b"content", headers=command)
    name = done.json()["file"]["name"]
    found = [pair.there.client.get(f"/v1beta/{name}", headers=caller).status_code for caller in (ALICE, BOB)]
    shift[0] = 0.0
    outcome.append(f"upload {int(moved)}: {done.status_code}, {found}")

def cool_down():
    refusals = [quota("1s")]
    good = httpx.Response(200, json={"candidates": []})
    with running_gateway(lambda _: refusals.pop() if refusals else good, gemini_api_key=("the-only-key",)) as running:
        ask = lambda: running.client.post(GENERATE, json={"contents": []})
        first = ask()
        shift[0] = -3600.0
        second = ask()
        threading.Event().wait(1.2)
        third = ask()
    statuses = [answer.status_code for answer in (first, second, third)]
    outcome.append(f"cool-down: {statuses}, {second.headers['retry-after']}")

outcome = []
with tempfile.TemporaryDirectory() as directory, tenants(Path(directory)) as pair:
    upload(pair, -3600.0)
    upload(pair, 90.0)
cool_down()
print("", *outcome, sep="\\n")  # now that no server writes a line of its log in between
"""


@pytest.fixture(scope="module")
def outcome() -> str:
    """How uploads and a cool-down end in a process whose wall clock is moved meanwhile."""
    arguments = [sys.executable, "-c", _WITH_A_WRONG_CLOCK]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=240, check=True).stdout


@pytest.mark.parametrize("shift", [-3600, 90])
def test_an_upload_goes_on_at_a_replica_whose_clock_is_another(outcome: str, shift: int) -> None:
    assert f"upload {shift}: 200, [200, 404]" in outcome


def test_a_wall_clock_that_is_set_back_makes_no_cool_down_longer(outcome: str) -> None:
    assert "cool-down: [429, 429, 200], 1" in outcome
