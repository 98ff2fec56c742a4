"""A request by way of Vertex AI takes about as many calls of functions as one by the Developer API."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from benchmarks.vertex import TITLES

pytestmark = pytest.mark.integration

MOST = 1.15
"""Small ones of C's for the most part: the CPU time, which a busy machine spoils, is in docs/performance.md."""


def test_vertex_ai_calls_few_functions_more() -> None:
    command = [sys.executable, "-m", "benchmarks.vertex", "calls"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, check=True, timeout=120)
    ratios = orjson.loads(done.stdout)
    assert set(ratios) == set(TITLES)
    assert {title: ratio for title, ratio in ratios.items() if ratio > MOST} == {}
