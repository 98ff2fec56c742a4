import pytest

from gemgate.gemini.errors import GeminiError, InvalidNameError
from gemgate.gemini.vertex.lanes import Lanes, checked_location, checked_project, host_of, parse_locations

PROJECT = "my-project"


def url(model: str, location: str = "global", method: str = "generateContent", **options: object) -> str:
    lane = Lanes(PROJECT, location, **options).all[0]  # type: ignore[arg-type]
    return str(lane.model_url(model, method))


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "https://aiplatform.googleapis.com"),
        ("us", "https://aiplatform.us.rep.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
        ("us-central1", "https://us-central1-aiplatform.googleapis.com"),
        ("northamerica-northeast1", "https://northamerica-northeast1-aiplatform.googleapis.com"),
    ],
)
def test_each_kind_of_location_has_its_own_form_of_host(location: str, host: str) -> None:
    assert host_of(location) == host
    assert url("gemini-2.5-flash", location).startswith(f"{host}/v1/projects/{PROJECT}/locations/{location}/")


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "models/gemini-2.5-flash", "vertex/gemini-2.5-flash"])
def test_a_publisher_model_has_one_url_however_it_is_named(model: str) -> None:
    below = f"/v1/projects/{PROJECT}/locations/global/publishers/google/models/gemini-2.5-flash:countTokens"
    assert url(model, method="countTokens") == f"https://aiplatform.googleapis.com{below}"


@pytest.mark.parametrize("model", ["endpoints/1234", "vertex/endpoints/1234"])
def test_a_tuned_model_is_an_endpoint_of_the_project(model: str) -> None:
    below = f"/v1/projects/{PROJECT}/locations/us-east5/endpoints/1234:generateContent"
    assert url(model, "us-east5") == f"https://us-east5-aiplatform.googleapis.com{below}"


@pytest.mark.parametrize(
    "model",
    [
        "../x",
        "a/b",
        "vertex/../x",
        "endpoints/..",
        "projects/o/locations/x/endpoints/1",
        "x:y",
        "x?a",
        "x#",
        "",
    ],
)
def test_no_name_changes_the_path(model: str) -> None:
    with pytest.raises(InvalidNameError):
        url(model)


@pytest.mark.parametrize("model", ["tunedModels/mine", "dynamic/x"])
def test_kinds_of_models_that_are_not_there_are_a_missing_model(model: str) -> None:
    with pytest.raises(GeminiError) as caught:
        url(model)
    assert caught.value.is_missing_model


def test_an_endpoint_takes_the_place_of_every_host() -> None:
    lanes = Lanes(PROJECT, "eu", {"imagen-*": ("us-central1",)}, endpoint="http://127.0.0.1:9")
    assert {lane.origin for lane in lanes.all} == {"http://127.0.0.1:9"}
    assert [lane.name for lane in lanes.all] == ["my-project/eu", "my-project/us-central1"]


def test_the_express_mode_has_a_lane_for_each_key_and_no_project() -> None:
    lanes = Lanes("", "global", {}, ["AQ.one", "AQ.two", "AQ.one"])
    assert [lane.name for lane in lanes.all] == ["express-1", "express-2"]
    found = lanes.all[1].model_url("gemini-2.5-flash", "generateContent")
    assert (
        str(found) == "https://aiplatform.googleapis.com/v1/publishers/google/models/gemini-2.5-flash:generateContent"
    )
    assert "AQ." not in repr(lanes.all)
    with pytest.raises(GeminiError, match="express mode"):
        lanes.all[0].model_url("endpoints/1", "generateContent")


def test_the_first_pattern_that_fits_a_model_says_where_it_is() -> None:
    table = parse_locations("gemini-2.5-*=europe-west4,us-east5; gemini-*=eu\nimagen-*=us-central1")
    lanes = Lanes(PROJECT, "global", table)
    served = {model: [lane.location for lane in lanes.serving(model)] for model in ("gemini-2.5-pro", "x", "")}
    assert served == {"gemini-2.5-pro": ["europe-west4", "us-east5"], "x": ["global"], "": ["global"]}
    assert [lane.location for lane in lanes.serving("vertex/gemini-4-argon")] == ["eu"]
    assert [lane.location for lane in lanes.serving("models/imagen-4")] == ["us-central1"]


@pytest.mark.parametrize("text", ["x", "=eu", "a=", "a=eu,", "a=EU", "a=eu;a=us", "a=../x", "a b=eu", "a=eu/x"])
def test_a_table_of_locations_that_is_wrong_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"location|entry"):
        parse_locations(text)


@pytest.mark.parametrize("project", ["my-project-123", "example.com:my-project", "123456789012"])
def test_ids_and_numbers_of_projects_are_taken(project: str) -> None:
    assert checked_project(project) == project


@pytest.mark.parametrize("text", ["", "My-Project", "a/b", "..", "a b", "x" * 70, "projects/p"])
def test_what_is_no_project_and_no_location_never_gets_into_a_path(text: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        checked_project(text)
    with pytest.raises(ValueError, match="is not"):
        checked_location(text)
