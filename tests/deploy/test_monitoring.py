"""The dashboard, the alerts and the compose file speak of metrics and labels that there are."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase
from scripts.draw_dashboard import filled

from gemgate.observability.metrics import Metrics

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "docker" / "monitoring"
DASHBOARD: dict[str, Any] = orjson.loads((MONITORING / "grafana" / "dashboards" / "gemgate.json").read_bytes())
ALERTS: dict[str, Any] = yaml.safe_load((MONITORING / "alerts.yaml").read_text())
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker" / "compose.monitoring.yaml").read_text())

# Labels that Prometheus and histograms add.
_ADDED = {"job", "instance", "le"}


def known() -> dict[str, set[str]]:
    """Each series by name, with its labels."""
    found: dict[str, set[str]] = {}
    for metric in Metrics().registry._collector_to_names:
        if isinstance(metric, MetricWrapperBase):
            suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}[
                metric._type or ""
            ]
            found |= {metric._name + suffix: set(metric._labelnames) for suffix in suffixes}
    return found


KNOWN = known()


def expressions() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield f"panel {panel['title']}", target["expr"]
    for group in ALERTS["groups"]:
        for rule in group["rules"]:
            yield f"alert {rule['alert']}", rule["expr"]
    for name in ("docs/monitoring.md",):
        for number, code in enumerate(re.findall(r"```promql\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)):
            yield f"{name} {number}", code


EXPRESSIONS = dict(expressions())


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_every_metric_and_label_of_an_expression_exists(where: str) -> None:
    expression = EXPRESSIONS[where]
    names = re.findall(r"\bgemgate_\w+", expression)
    assert set(names) <= set(KNOWN)
    labels = set().union(*(KNOWN[name] for name in names)) | _ADDED
    for name, selector in re.findall(r"\b(gemgate_\w+)\{(.*?)\}", expression):
        used = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
        assert used <= KNOWN[name] | _ADDED
    for grouped in re.findall(r"\bby \((.*?)\)", expression):
        assert {label.strip() for label in grouped.split(",")} <= labels


def test_the_dashboard_shows_every_metric() -> None:
    text = " ".join(target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ()))
    shown = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in re.findall(r"\bgemgate_\w+", text)}
    all_of_them = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in KNOWN}
    assert all_of_them - shown == {"gemgate_build_info", "gemgate_keys"}


def test_panels_have_ids_and_places_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_the_dashboard_is_provisioned_with_its_source_of_data() -> None:
    grafana, prometheus = COMPOSE["services"]["grafana"], COMPOSE["services"]["prometheus"]
    mounts = dict(
        mount.split(":")[:2] for mount in [*grafana["volumes"], *prometheus["volumes"]] if mount.startswith("./")
    )
    for source in mounts:
        assert (ROOT / "docker" / source).exists()
    provider = yaml.safe_load((MONITORING / "grafana/provisioning/dashboards/gemgate.yaml").read_text())
    assert provider["providers"][0]["options"]["path"] == mounts["./monitoring/grafana/dashboards"]
    source = yaml.safe_load((MONITORING / "grafana/provisioning/datasources/prometheus.yaml").read_text())[
        "datasources"
    ][0]
    assert source["url"] == "http://prometheus:9090"
    scraped = yaml.safe_load((MONITORING / "prometheus.yaml").read_text())["scrape_configs"][0]
    assert scraped["static_configs"][0]["targets"] == ["gateway:8080"]
    assert "GF_SECURITY_ADMIN_PASSWORD" not in grafana["environment"]


def test_only_this_machine_reaches_what_is_published() -> None:
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_every_alert_says_how_urgent_it_is_and_what_it_is_about() -> None:
    rules = [rule for group in ALERTS["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]


def test_prometheus_itself_finds_nothing_wrong() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    for command, name in (("rules", "alerts.yaml"), ("config", "prometheus.yaml")):
        done = subprocess.run(
            [promtool, "check", command, name], cwd=MONITORING, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_understands_each_query_of_the_dashboard(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    queries = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    assert len(queries) > 30
    rules = [{"record": f"panel:{number}", "expr": filled(query)} for number, query in enumerate(queries)]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", "rules.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(queries)} rules found" in done.stdout


def test_every_metric_and_alert_is_on_the_page() -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    documented = dict(re.findall(r"^\| `(gemgate_\w+)` \| \w+ \| ?(.*?) ?\|", page, re.MULTILINE))
    series = {re.sub(r"_(bucket|sum|count)$", "", name): labels for name, labels in KNOWN.items()}
    assert {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in documented.items()} == series
    rules = {rule["alert"] for group in ALERTS["groups"] for rule in group["rules"]}
    assert set(re.findall(r"^\| `(Gemgate\w+)`", page, re.MULTILINE)) == rules
