"""Draws what the Grafana dashboard shows: each panel's own queries, answered by Prometheus, of a gateway under load.

It needs Debian's `prometheus`: `python -m scripts.draw_dashboard` runs a gateway before the emulator for two minutes
and writes `docs/assets/dashboard.svg`. The frame is ours, and not Grafana's; queries, titles, units and places are the
dashboard's.
"""

import asyncio
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import httpx
import orjson
from scripts.picture import WIDTH, Picture
from tests.support.raw_upstream import unused_port
from tests.support.stack import stack

from gemgate.auth.client_keys import digest_of

ROOT = Path(__file__).parents[1]
DASHBOARD = ROOT / "docker" / "monitoring" / "grafana" / "dashboards" / "gemgate.json"
PICTURE = ROOT / "docs" / "assets" / "dashboard.svg"
WINDOW = {"$__rate_interval": "15s", "$model": ".*", "$caller": ".*"}
"""What Grafana would put in the place of its variables."""

SECONDS = 120
BELOW = 73
"""Panels from here on are left out: one host's memory, and what a demo has none of."""

_CALLERS = {
    "web-app": "sk-web-app-0123456789",
    "nightly-report": "sk-report-0123456789",
    "support": "sk-support-0123456789",
}
_MODELS = ("gemini-3.8-flash", "gemini-2.5-flash", "gemini-3.5-flash-lite")
_SCENARIOS = {"": 100, "flaky 1": 4, "slow-stream 0.05": 20, "429 2": 1, "500": 1}
"""What the emulator is asked for, and how often."""
_LINE = 17
"""Units of the picture for one of the dashboard's."""

_MOST_LINES = 4
_LEGEND = 36


class Series(NamedTuple):
    """One line of a panel: Unix seconds and values."""

    name: str
    points: Sequence[tuple[float, float]]


def main() -> int:
    """Run, ask, draw."""
    prometheus = shutil.which("prometheus")
    if prometheus is None:
        print("prometheus is not installed (Debian: apt-get install prometheus)")
        return 1
    dashboard = orjson.loads(DASHBOARD.read_bytes())
    with TemporaryDirectory(prefix="gemgate-dashboard-") as name:
        directory = Path(name)
        keys = directory / "keys.json"
        entries = [{"name": name, "hash": f"sha256:{digest_of(key).hex()}"} for name, key in _CALLERS.items()]
        keys.write_bytes(orjson.dumps({"keys": entries}))
        gemini = "AIza-the-first-key,AIza-the-second-key"
        with (
            stack(gemini_api_key=gemini, client_keys_file=keys) as servers,
            scraping(prometheus, servers.gateway, directory) as source,
        ):
            begun = time.time()
            asyncio.run(load(servers.gateway))
            shown = panels(dashboard, source, begun + 20)
    PICTURE.write_text(drawn(shown))
    print(PICTURE.name, PICTURE.stat().st_size)
    return 0


@contextmanager
def scraping(command: str, gateway: str, directory: Path) -> Iterator[str]:
    """A Prometheus that looks at the gateway each second; gives its origin."""
    host = gateway.removeprefix("http://")
    target = {"job_name": "gemgate", "static_configs": [{"targets": [host]}]}
    config = directory / "prometheus.json"
    config.write_bytes(orjson.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [target]}))
    origin = f"127.0.0.1:{unused_port()}"
    options = [f"--config.file={config}", f"--storage.tsdb.path={directory / 'data'}", f"--web.listen-address={origin}"]
    with subprocess.Popen([command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"http://{origin}"
        finally:
            process.terminate()


async def load(gateway: str) -> None:
    """Twelve callers, one after the other at first, for `SECONDS`."""
    until = time.monotonic() + SECONDS
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=gateway, timeout=60, limits=limits) as client:
        await asyncio.gather(*(caller(client, number, until) for number in range(12)))


async def caller(client: httpx.AsyncClient, number: int, until: float) -> None:
    """One of them; each has pauses of its own, and some come late."""
    chance = random.Random(number)
    key = list(_CALLERS.values())[number % len(_CALLERS)]
    await asyncio.sleep(number * 3)
    while time.monotonic() < until:
        (scenario,) = chance.choices(list(_SCENARIOS), list(_SCENARIOS.values()))
        text = f"{chance.random()} Tell me about the sea." + (f" [[emulator: {scenario}]]" if scenario else "")
        body: dict[str, Any] = {"model": chance.choice(_MODELS), "messages": [{"role": "user", "content": text}]}
        body |= {"stream": chance.random() < 0.7, "logit_bias": {"1": 1}} if chance.random() < 0.8 else {"seed": 1}
        headers = {"authorization": f"Bearer {key}"}
        await client.post("/v1/chat/completions", json=body, headers=headers)
        await asyncio.sleep(chance.uniform(0.05, 0.6))


def panels(dashboard: Mapping[str, Any], source: str, since: float) -> list[tuple[Mapping[str, Any], list[Series]]]:
    """The panels, and what Prometheus answers to their queries."""
    shown = [panel for panel in dashboard["panels"] if panel["gridPos"]["y"] < BELOW]
    with httpx.Client(base_url=source, timeout=30) as client:
        return [(each, [*series(client, each.get("targets", ()), since)]) for each in shown]


def series(client: httpx.Client, targets: Sequence[Mapping[str, str]], since: float) -> Iterator[Series]:
    """What Prometheus answers to the queries of a panel, as its legend names it."""
    for target in targets:
        given: dict[str, str | float] = {"start": since, "end": time.time(), "step": 2, "query": filled(target["expr"])}
        for found in client.get("/api/v1/query_range", params=given).raise_for_status().json()["data"]["result"]:
            name = target.get("legendFormat") or ""
            for label, value in found["metric"].items():
                name = name.replace(f"{{{{{label}}}}}", value)
            points = [(float(at), float(value)) for at, value in found["values"] if value not in ("NaN", "+Inf")]
            if points:
                yield Series(name, points)


def filled(expression: str) -> str:
    """A query without Grafana's variables."""
    for variable, value in WINDOW.items():
        expression = expression.replace(variable, value)
    return expression


def drawn(shown: Sequence[tuple[Mapping[str, Any], list[Series]]]) -> str:
    """The picture."""
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel, _ in shown)
    picture = Picture(
        "The dashboard: requests, latency, tokens, cost and Google, of a gateway under load", bottom * _LINE + 24
    )
    column = (WIDTH - 24) / 24
    for panel, lines in shown:
        place = panel["gridPos"]
        at = (12 + place["x"] * column, 12 + place["y"] * _LINE, place["w"] * column - 6, place["h"] * _LINE - 6)
        if panel["type"] == "row":
            picture.text((at[0] + 4, at[1] + 12), panel["title"], "name")
            continue
        picture.box(at)
        picture.text((at[0] + 10, at[1] + 17), panel["title"], "text small")
        unit = panel["fieldConfig"]["defaults"]["unit"]
        if panel["type"] == "stat":
            last = lines[0].points[-1][1] if lines else 0.0
            picture.text((at[0] + at[2] / 2, at[1] + at[3] / 2 + 16), worded(last, unit), "big", "middle")
        else:
            _plot(picture, at, lines, unit)
    return picture.svg()


def _plot(picture: Picture, at: tuple[float, float, float, float], lines: Sequence[Series], unit: str) -> None:
    x, y, width, height = at
    chosen = sorted(lines, key=lambda each: -max(value for _, value in each.points))[:_MOST_LINES]
    if not chosen:
        picture.text((x + width / 2, y + height / 2), "none", "text small", "middle")
        return
    most = max(value for each in chosen for _, value in each.points) or 1.0
    first, last = (limit(at for each in chosen for at, _ in each.points) for limit in (min, max))
    left, right, top, floor = x + 52, x + width - 10, y + 28, y + height - 42
    columns = 1 if len(chosen) <= 2 else 2
    picture.text((left - 6, top + 8), worded(most, unit), "tiny", "end")
    picture.text((left - 6, floor), worded(0.0, unit), "tiny", "end")
    picture.curve([(left, floor), (right, floor)], "axis")
    for number, each in enumerate(chosen):
        scale = (right - left) / max(last - first, 1.0)
        points = [(left + (when - first) * scale, floor - (floor - top) * value / most) for when, value in each.points]
        picture.curve(points, f"series{number}")
        corner = (x + 12 + (number % columns) * width / 2, floor + 15 + 14 * (number // columns))
        picture.curve([(corner[0], corner[1] - 4), (corner[0] + 10, corner[1] - 4)], f"series{number}")
        picture.text((corner[0] + 14, corner[1]), each.name[: _LEGEND // columns], "tiny")


def worded(value: float, unit: str) -> str:
    """A value with its unit, as short as it can be."""
    if unit == "percentunit":
        return f"{value:.1%}"
    if unit == "s":
        return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"
    if unit == "currencyUSD":
        return f"${value:.3g}"
    short = f"{value / 1000:.3g} K" if value >= 1000 else f"{value:.3g}"
    return f"{short}/s" if unit == "reqps" else short


if __name__ == "__main__":
    sys.exit(main())
