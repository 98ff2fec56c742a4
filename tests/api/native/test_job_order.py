"""What a caller may ask of a batch job that runs with the gateway's credentials."""

from typing import Any

import pytest

from gemgate.api.native.job_order import CallerFolder, ordered
from gemgate.errors import ApiError

MINE = CallerFolder("callers/0123456789abcdef/", "gs://a-bucket/below/callers/0123456789abcdef/")
Json = dict[str, Any]


def body(**changes: Any) -> Json:
    """What google-genai sends, with some fields changed; a None leaves one out."""
    whole: Json = {
        "displayName": "mine",
        "model": "publishers/google/models/gemini-2.5-flash",
        "inputConfig": source(f"{MINE.uri}in.jsonl"),
        "outputConfig": target(f"{MINE.uri}out/"),
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def source(*uris: Any, **more: Any) -> Json:
    return {"instancesFormat": "jsonl", "gcsSource": {"uris": list(uris)}, **more}


def target(uri: Any, **more: Any) -> Json:
    return {"predictionsFormat": "jsonl", "gcsDestination": {"outputUriPrefix": uri}, **more}


@pytest.mark.parametrize(
    "model",
    [
        "publishers/google/models/gemini-2.5-flash",
        "projects/anybodys/locations/global/publishers/google/models/gemini-2.5-flash",
        "models/gemini-2.5-flash",
        "gemini-2.5-flash",
    ],
)
def test_a_job_is_written_again_from_what_is_known_with_its_requests_elsewhere(model: str) -> None:
    requests = source(f"{MINE.uri}a.jsonl", f"{MINE.uri}b/c.jsonl")
    order = ordered(body(model=model, labels={"team": "a"}, inputConfig=requests), MINE)
    assert order.sources == (f"{MINE.key}a.jsonl", f"{MINE.key}b/c.jsonl")
    assert order.body(["gs://a-bucket/below/native/1.jsonl"]) == {
        "displayName": "mine",
        "model": "publishers/google/models/gemini-2.5-flash",
        "inputConfig": source("gs://a-bucket/below/native/1.jsonl"),
        "outputConfig": target(f"{MINE.uri}out"),
        "labels": {"team": "a"},
    }


@pytest.mark.parametrize(
    "uri",
    [
        "gs://another-bucket/callers/0123456789abcdef/in.jsonl",
        "gs://a-bucket/below/callers/fedcba9876543210/in.jsonl",
        "gs://a-bucket/below/callers/0123456789abcdef",
        "gs://a-bucket/below/callers/0123456789abcdef/",
        "gs://a-bucket/below/callers/0123456789abcdefff/in.jsonl",
        "gs://a-bucket/below/callers/0123456789abcdef/../fedcba9876543210/in.jsonl",
        "gs://a-bucket/below/callers/0123456789abcdef/./in.jsonl",
        "gs://a-bucket/below/callers/0123456789abcdef//in.jsonl",
        "gs://a-bucket/below/callers/0123456789abcdef/%2e%2e/fedcba9876543210/in.jsonl",
        "gs://a-bucket/below/callers/0123456789abcdef/*.jsonl",
        "gs://a-bucket/below/callers/0123456789abcdef/in.jsonl?x=1",
        "gs://a-bucket/below/callers/0123456789abcdef/in.jsonl#1",
        "gs://a-bucket/below/callers/0123456789abcdef/in\n.jsonl",
        "gs://a-bucket/below/callers/0123456789abcdef/ïn.jsonl",
        "gs://a-bucket/below/batches/batch_1/input.jsonl",
        "gs://a-bucket/below/media/1",
        "GS://a-bucket/below/callers/0123456789abcdef/in.jsonl",
        "https://storage.googleapis.com/a-bucket/in.jsonl",
        "",
        None,
        7,
        ["gs://a-bucket/below/callers/0123456789abcdef/in.jsonl"],
    ],
)
@pytest.mark.parametrize("place", ["inputConfig", "outputConfig"])
def test_only_objects_in_the_callers_own_folder_are_read_and_written(uri: Any, place: str) -> None:
    changed = source(f"{MINE.uri}a.jsonl", uri) if place == "inputConfig" else target(uri)
    with pytest.raises(ApiError) as refused:
        ordered(body(**{place: changed}), MINE)
    assert (refused.value.status, refused.value.code) == (400, "bucket_not_allowed")
    assert place in str(refused.value.param)
    assert MINE.uri in refused.value.message


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"serviceAccount": "admin@a-project.iam.gserviceaccount.com"}, "serviceAccount"),
        ({"service_account": "admin@a-project.iam.gserviceaccount.com"}, "service_account"),
        ({"dedicatedResources": {"machineSpec": {}}}, "dedicatedResources"),
        ({"unmanagedContainerModel": {"containerSpec": {"imageUri": "x"}}}, "unmanagedContainerModel"),
        ({"encryptionSpec": {"kmsKeyName": "x"}}, "encryptionSpec"),
        ({"modelParameters": {}}, "modelParameters"),
        ({"inputConfig": source(f"{MINE.uri}a", bigquerySource={})}, "inputConfig.bigquerySource"),
        ({"inputConfig": {"instancesFormat": "bigquery", "gcsSource": {"uris": [f"{MINE.uri}a"]}}}, "inputConfig"),
        ({"outputConfig": {"predictionsFormat": "bigquery", "gcsDestination": {}}}, "outputConfig"),
        ({"inputConfig": source()}, "inputConfig.gcsSource.uris"),
        ({"inputConfig": source(*[f"{MINE.uri}a"] * 101)}, "inputConfig.gcsSource.uris"),
        ({"inputConfig": None}, "inputConfig"),
        ({"outputConfig": None}, "outputConfig"),
        ({"model": None}, "model"),
        ({"model": "projects/a-project/locations/us-central1/models/123"}, "model"),
        ({"model": "projects/a-project/locations/us-central1/endpoints/123"}, "model"),
        ({"model": "publishers/anthropic/models/claude"}, "model"),
        ({"model": "publishers/google/models/../../x"}, "model"),
        ({"displayName": "gemgate-batch_0123"}, "displayName"),
        ({"displayName": "Gemgate-batch_0123"}, "displayName"),
        ({"displayName": None}, "displayName"),
        ({"displayName": "x" * 129}, "displayName"),
        ({"labels": {"a": 1}}, "labels"),
    ],
)
def test_what_would_lend_a_job_other_rights_or_data_is_refused_by_name(changes: Json, param: str) -> None:
    with pytest.raises(ApiError) as refused:
        ordered(body(**changes), MINE)
    assert (refused.value.status, refused.value.param) == (400, param)


@pytest.mark.parametrize("value", [None, [], "x", 1])
def test_a_body_that_is_no_object_is_refused(value: Any) -> None:
    with pytest.raises(ApiError):
        ordered(value, MINE)
