"""What a conversation holds is no way around the rules: who may name what, and how much a request may be."""

from pathlib import Path
from typing import Any

import pytest
from tests.security.tenants import ALICE, BOB, FILE, MODEL, Tenants, openai_error, tenants

URI = f"https://generativelanguage.googleapis.com/v1beta/{FILE}"
RESPONSES, CONVERSATIONS = "/v1/responses", "/v1/conversations"


def naming(uri: str, kind: str = "input_file", field: str = "file_url") -> dict[str, Any]:
    return {"role": "user", "content": [{"type": kind, field: uri}]}


def conversation(both: Tenants, *items: Any, headers: dict[str, str] = BOB) -> str:
    made = both.post(CONVERSATIONS, {"items": list(items)}, headers)
    assert made.status_code == 200, made.text
    name: str = made.json()["id"]
    return name


@pytest.mark.parametrize(
    "item", [naming(URI), naming(URI, "input_image", "image_url"), naming(URI.replace("/files", "/%66iles"))]
)
def test_a_conversation_names_nothing_that_is_anothers(tmp_path: Path, item: Any) -> None:
    with tenants(tmp_path) as both:
        created = conversation(both, item)
        added = conversation(both)
        assert both.post(f"{CONVERSATIONS}/{added}/items", {"items": [item]}, BOB).status_code == 200
        before = both.asked
        for name in (created, added):
            for path in (RESPONSES, f"{RESPONSES}/input_tokens", f"{RESPONSES}/compact"):
                answer = both.post(path, {"model": MODEL, "input": "x", "conversation": name}, BOB)
                assert (answer.status_code, openai_error(answer)["code"]) == (404, "not_your_resource"), path
        assert both.asked == before


def test_a_caller_goes_on_with_what_it_has_made_itself(tmp_path: Path) -> None:
    with tenants(tmp_path) as both:
        body = {"model": MODEL, "input": "x", "conversation": conversation(both, naming(URI), headers=ALICE)}
        assert both.post(RESPONSES, body, ALICE).status_code == 200


def test_a_small_request_brings_no_more_than_the_largest_could_send(tmp_path: Path) -> None:
    """A few bytes that name a long conversation would hold all of it in memory."""
    large = {"role": "user", "content": "x" * 60_000}
    with tenants(tmp_path, max_body_bytes=100_000) as both:
        name = conversation(both, large)
        asked = {"model": MODEL, "input": "x"}
        assert both.post(RESPONSES, {**asked, "conversation": name, "store": False}, BOB).status_code == 200
        assert both.post(f"{CONVERSATIONS}/{name}/items", {"items": [large]}, BOB).status_code == 200
        before = both.asked
        error = openai_error(answer := both.post(RESPONSES, {**asked, "conversation": name}, BOB))
        assert (answer.status_code, error["code"], error["param"]) == (413, "request_too_large", "conversation")
        assert "100000" in error["message"]

        first = both.post(RESPONSES, {**asked, "input": [large]}, BOB).json()["id"]
        second = both.post(RESPONSES, {**asked, "previous_response_id": first}, BOB)
        assert second.status_code == 200, second.text
        third = {**asked, "input": [large], "previous_response_id": second.json()["id"]}
        longer = both.post(RESPONSES, third, BOB)
        assert longer.status_code == 200, longer.text
        error = openai_error(
            answer := both.post(RESPONSES, {**asked, "previous_response_id": longer.json()["id"]}, BOB)
        )
        assert (answer.status_code, error["param"]) == (413, "previous_response_id")
        assert both.asked == before + 3


def test_a_page_of_large_items_is_shorter(tmp_path: Path) -> None:
    large = {"role": "user", "content": "x" * 60_000}
    with tenants(tmp_path, max_body_bytes=100_000) as both:
        name = conversation(both, large)
        for _ in range(2):
            assert both.post(f"{CONVERSATIONS}/{name}/items", {"items": [large]}, BOB).status_code == 200
        seen: list[str] = []
        after: dict[str, str] = {}
        for _ in range(3):
            page = both.there.client.get(f"{CONVERSATIONS}/{name}/items", params=after, headers=BOB).json()
            seen += [item["id"] for item in page["data"]]
            after = {"after": page["last_id"]}
            assert page["has_more"] is (len(seen) < 3)
        assert len(set(seen)) == 3
