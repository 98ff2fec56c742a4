"""The chart and the manifests: linted by Helm, and held against the schemas of Kubernetes."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.deploy.conftest import CHART, Helm

from gemgate.settings import Settings, variable

kubernetes_validate = pytest.importorskip("kubernetes_validate")

ROOT = Path(__file__).parents[2]
MANIFESTS = sorted((ROOT / "docker" / "kubernetes").glob("*.yaml"))
VERSIONS = ("1.30", "1.37")
SETTINGS = {variable(name) for name in Settings.model_fields}
DEFAULTS = Settings(_env_file=None, gemini_api_key=())

VARIANTS = {
    "as it is": (),
    "keys of the gateway": ("--set", "secret.geminiApiKey=g,secret.clientKeys=c,secret.metricsToken=m"),
    "one replica with a volume": ("--set", "state=volume,volume.storageClass=fast"),
    "shared state": ("--set", "state=shared,existingSecret=mine,autoscaling.enabled=false,replicaCount=3"),
    "scaled by streams": ("--set", "autoscaling.targetOpenStreams=100"),
    "with values of its own": (
        "--set-json",
        'extraEnv=[{"name":"GEMGATE_REDIS_URL","valueFrom":{"secretKeyRef":{"name":"redis","key":"url"}}}]',
        "--set-json",
        'envFrom=[{"secretRef":{"name":"keys"}}]',
        "--set-json",
        'extraContainers=[{"name":"proxy","image":"proxy:1"}]',
        "--set-json",
        'initContainers=[{"name":"wait","image":"wait:1"}]',
    ),
    "Vertex AI": (
        "--set",
        "vertex.project=p-123,vertex.serviceAccount=g@p-123.iam.gserviceaccount.com,secret.clientKeys=c",
    ),
    "Vertex AI with a file": ("--set", "vertex.project=p-123,vertex.credentialsSecret=google,secret.clientKeys=c"),
    "with an ingress": ("--set", "ingress.enabled=true,ingress.className=nginx,ingress.hosts[0]=ai.example.com"),
}


def documents(text: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(text) if document]


def rendered(helm: Helm, *arguments: str) -> list[dict[str, Any]]:
    done = helm("template", "my", ".", *arguments)
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


def of_kind(found: list[dict[str, Any]], kind: str) -> Any:
    (document,) = [document for document in found if document["kind"] == kind]
    return document


def check(found: list[dict[str, Any]]) -> None:
    assert found
    for document in found:
        for version in VERSIONS:
            kubernetes_validate.validate(document, version, strict=True)


def test_the_chart_has_nothing_that_helm_would_correct(helm: Helm) -> None:
    done = helm("lint", "--strict", ".")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_the_chart_makes_is_what_kubernetes_takes(helm: Helm, variant: str) -> None:
    check(rendered(helm, *VARIANTS[variant]))


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_is_what_kubernetes_takes(manifest: Path) -> None:
    check(documents(manifest.read_text()))


def test_the_chart_has_probes_scaling_and_a_budget(helm: Helm) -> None:
    found = rendered(helm)
    (container,) = of_kind(found, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == container["startupProbe"]["httpGet"]["path"] == "/readyz"
    scaler = of_kind(found, "HorizontalPodAutoscaler")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 10)
    assert "replicas" not in of_kind(found, "Deployment")["spec"]
    assert of_kind(found, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_containers_and_environments_of_the_operators_own_are_in_the_pod(helm: Helm) -> None:
    pod = of_kind(rendered(helm, *VARIANTS["with values of its own"]), "Deployment")["spec"]["template"]["spec"]
    gateway, proxy = pod["containers"]
    assert (proxy["name"], pod["initContainers"][0]["name"]) == ("proxy", "wait")
    assert gateway["envFrom"] == [{"secretRef": {"name": "keys"}}]
    assert {"name": "redis", "key": "url"} in [
        each["valueFrom"]["secretKeyRef"] for each in gateway["env"] if "valueFrom" in each
    ]


def environment(helm: Helm, values: str) -> dict[str, str]:
    (container,) = of_kind(rendered(helm, "--set", values), "Deployment")["spec"]["template"]["spec"]["containers"]
    found = {each["name"]: each["value"] for each in container["env"]}
    return {
        name: value for name, value in found.items() if name.startswith(("GOOGLE_", "GEMGATE_UP", "GEMGATE_VERTEX"))
    }


def test_vertex_ai_is_asked_in_a_project_as_a_google_service_account(helm: Helm) -> None:
    found = rendered(helm, *VARIANTS["Vertex AI"])
    account = of_kind(found, "ServiceAccount")["metadata"]
    assert account["annotations"] == {"iam.gke.io/gcp-service-account": "g@p-123.iam.gserviceaccount.com"}
    assert of_kind(found, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == account["name"]
    values = "vertex.project=p-123,vertex.location=eu,vertex.locations=imagen-*=us-central1,secret.clientKeys=c"
    assert environment(helm, values) == {
        "GEMGATE_UPSTREAM": "vertex",
        "GOOGLE_CLOUD_PROJECT": "p-123",
        "GOOGLE_CLOUD_LOCATION": "eu",
        "GEMGATE_VERTEX_LOCATIONS": "imagen-*=us-central1",
    }
    assert environment(helm, values + ",secret.geminiApiKey=g")["GEMGATE_UPSTREAM"] == "gemini,vertex"
    assert environment(helm, values + ",env.GOOGLE_CLOUD_LOCATION=us")["GOOGLE_CLOUD_LOCATION"] == "us"
    assert (
        environment(helm, "vertex.project=p-123,vertex.callersTokens=true")["GEMGATE_VERTEX_CREDENTIALS"] == "callers"
    )
    assert environment(helm, "replicaCount=2") == {}


def test_a_credentials_file_is_where_the_gateway_looks_for_it(helm: Helm) -> None:
    pod = of_kind(rendered(helm, *VARIANTS["Vertex AI with a file"]), "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    settings = {each["name"]: each["value"] for each in container["env"]}
    (mount,) = [each for each in container["volumeMounts"] if each["name"] == "google"]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "google"]
    assert settings["GOOGLE_APPLICATION_CREDENTIALS"] == f"{mount['mountPath']}/credentials.json"
    assert (mount["readOnly"], volume["secret"]["secretName"]) == (True, "google")


def test_openshift_gives_users_and_groups_itself(helm: Helm) -> None:
    numbers = {"runAsUser", "runAsGroup", "fsGroup"}

    def context(*arguments: str) -> dict[str, Any]:
        pod: dict[str, Any] = of_kind(rendered(helm, *arguments), "Deployment")["spec"]["template"]["spec"]
        return pod["securityContext"]  # type: ignore[no-any-return]

    assert numbers <= context().keys()
    openshift = context("--api-versions", "security.openshift.io/v1")
    assert not numbers & openshift.keys()
    assert openshift["runAsNonRoot"] is True
    assert context("--set", "podSecurityContext.fsGroup=7")["fsGroup"] == 7
    for path in MANIFESTS:
        assert not [name for name in numbers if name in path.read_text()]


def test_one_volume_has_one_replica(helm: Helm) -> None:
    found = rendered(helm, "--set", "state=volume")
    deployment = of_kind(found, "Deployment")["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    assert {document["kind"] for document in found}.isdisjoint({"HorizontalPodAutoscaler", "PodDisruptionBudget"})


def test_the_monitor_of_the_operator_presents_the_token(helm: Helm) -> None:
    found = rendered(helm, "--set", "serviceMonitor.enabled=true,secret.metricsToken=m")
    (endpoint,) = of_kind(found, "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["path"] == "/metrics"
    named = endpoint["authorization"]["credentials"]
    assert of_kind(found, "Secret")["stringData"][named["key"]] == "m"
    assert of_kind(found, "Secret")["metadata"]["name"] == named["name"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ("secret.geminiApiKey=g", "anyone who reaches the service could spend the key"),
        ("state=shared", "needs GEMGATE_DATABASE_URL"),
        ("vertex.project=p", "anyone who reaches the service could spend the project's credentials"),
        ("vertex.location=eu", "set vertex.project"),
        ("vertex.project=p,vertex.callersTokens=true,vertex.credentialsSecret=s", "leave serviceAccount and"),
        ("vertex.region=eu", "'region' not allowed"),
        ("stat=volume", "'stat' not allowed"),
        ("state=disk", "/state"),
    ],
)
def test_values_that_cannot_be_are_refused(helm: Helm, values: str, sentence: str) -> None:
    done = helm("template", "my", ".", "--set", values)
    assert done.returncode != 0
    assert sentence in done.stderr


def pods() -> list[dict[str, Any]]:
    found = [document for manifest in MANIFESTS for document in documents(manifest.read_text())]
    return [document["spec"] for document in found if document["kind"] == "Pod"] + [
        document["spec"]["template"]["spec"] for document in found if document["kind"] == "Deployment"
    ]


def gateways(pod: dict[str, Any]) -> list[dict[str, Any]]:
    containers = [*pod.get("initContainers", ()), *pod["containers"]]
    return [container for container in containers if container["name"] == "gemgate"]


def test_running_answers_have_the_time_that_the_gateway_gives_them(helm: Helm) -> None:
    pod = of_kind(rendered(helm), "Deployment")["spec"]["template"]["spec"]
    for found in (pod, *pods()):
        (gateway,) = gateways(found)
        settings = {each["name"]: each["value"] for each in gateway["env"]}
        delay = float(settings.get("GEMGATE_SHUTDOWN_DELAY", DEFAULTS.shutdown_delay))
        assert found["terminationGracePeriodSeconds"] > delay + DEFAULTS.shutdown_timeout
        assert (delay > 0) == ("readinessProbe" in gateway)  # where a service has to notice


def test_the_gateway_runs_without_privileges(helm: Helm) -> None:
    pod = of_kind(rendered(helm), "Deployment")["spec"]["template"]["spec"]
    for found in (pod, *pods()):
        for gateway in gateways(found):
            context = found.get("securityContext", {}) | gateway["securityContext"]
            assert context["runAsNonRoot"]
            assert context["readOnlyRootFilesystem"]
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert {mount["mountPath"] for mount in gateway["volumeMounts"]} == {"/data", "/tmp"}


def test_versions_agree_with_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert str(chart["appVersion"]) == version
    images = {gateway["image"] for pod in pods() for gateway in gateways(pod)}
    assert images == {f"gemgate:{version}"}


def test_settings_that_are_written_about_exist() -> None:
    text = "".join(path.read_text() for path in [*CHART.rglob("*"), *MANIFESTS] if path.is_file())
    names = set(re.findall(r"\b(?:GEMGATE|GEMINI)_[A-Z][A-Z_]*[A-Z]\b", text))
    assert names
    assert names <= SETTINGS
