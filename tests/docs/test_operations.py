"""The pages of the operator name what there is: every alert and header, and settings, metrics and codes that exist."""

import re
from pathlib import Path

import yaml
from tests.support.package import arguments_in, strings_in

from gemgate.api.console.access import FORWARDED
from gemgate.observability.metrics import Metrics
from gemgate.settings import Settings, variable
from gemgate.web.cors import EXPOSED

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()
SYMPTOMS = (ROOT / "docs" / "symptoms.md").read_text()
HEADERS = (ROOT / "docs" / "headers.md").read_text().partition("## Of answers")[2]
OF_REQUESTS = (ROOT / "docs" / "headers.md").read_text().partition("## Of requests")[2].partition("## Of answers")[0]
ASKED = {"x-gemgate-dry-run"}
"""The headers of requests."""

ERRORS = (ROOT / "docs" / "errors.md").read_text()


def test_every_alert_belongs_to_a_failure() -> None:
    groups = yaml.safe_load((ROOT / "docker" / "monitoring" / "alerts.yaml").read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"]}
    assert set(re.findall(r"`(Gemgate\w+)`", PAGE)) == alerts


def test_every_header_of_the_gateways_is_explained() -> None:
    explained = set(re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| (`.*?) \|", HEADERS, re.MULTILINE))))
    assert set(EXPOSED) <= explained
    assert {name for name in strings_in("gemgate") if re.fullmatch(r"x-gemgate-[a-z-]+", name)} <= explained | ASKED


def test_every_header_that_the_gateway_reads_is_explained() -> None:
    explained = set(re.findall(r"`([a-z-]+)[:`… ]", OF_REQUESTS))
    uploads = {name for name in explained if name == "x-goog-upload-"}
    folders = [ROOT / "src" / "gemgate" / name for name in ("api", "auth", "observability", "server", "web")]
    source = "".join(module.read_text() for folder in folders for module in sorted(folder.rglob("*.py")))
    read = set(re.findall(r'headers\.get\(b?"([a-z-]+)"', source))
    assert {"x-gemgate-dry-run", "sec-fetch-site", "if-range"} <= read
    of_google = {"content-disposition", "retry-after"}  # read from answers
    assert sorted(name for name in read - explained - of_google if not name.startswith(tuple(uploads))) == []
    assert {name.decode() for name in FORWARDED} <= explained


def test_the_reasons_not_to_use_it_are_a_part_of_a_page_to_which_the_beginning_leads() -> None:
    link = "why.md#when-not-to-use-it"
    assert "\n## When not to use it\n" in (ROOT / "docs" / "why.md").read_text()
    assert all(link in (ROOT / page).read_text() for page in ("README.md", "docs/index.md", "docs/comparison.md"))


def test_it_names_no_metric_setting_or_code_that_there_is_not() -> None:
    metrics = set(Metrics().registry._names_to_collectors)
    assert set(re.findall(r"gemgate_[a-z_]+", PAGE)) <= metrics
    settings = {variable(name) for name in Settings.model_fields}
    assert set(re.findall(r"`(GEMGATE_\w+|GEMINI_\w+)", PAGE + SYMPTOMS)) <= settings
    assert set(re.findall(r"[45]\d\d `([a-z_]+)`", PAGE + SYMPTOMS)) <= set(re.findall(r"`([a-z_]+)`", ERRORS))


def test_it_says_what_the_log_says() -> None:
    said = strings_in("gemgate")
    events = re.findall(r"in the log `([^`]+)`", PAGE)
    assert len(events) >= 6
    assert [event for event in events if not any(text.startswith(event) for text in said)] == []


def test_every_code_is_explained() -> None:
    codes = arguments_in("gemgate", "code", without="gemgate.emulator")
    assert len(codes) > 40
    assert sorted(codes - set(re.findall(r"`([a-z_]+)`", ERRORS))) == []


def test_every_file_of_attacks_is_a_row_of_the_threat_model() -> None:
    model = (ROOT / "docs" / "security.md").read_text().partition("## Threat model")[2].partition("\n## ")[0]
    attacks = {path.name for path in (ROOT / "tests" / "security").glob("test_*.py")}
    assert set(re.findall(r"`(test_\w+\.py)`", model)) == attacks
