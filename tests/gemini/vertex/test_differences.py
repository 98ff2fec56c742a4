from copy import deepcopy
from typing import Any

import orjson
import pytest

from gemgate.gemini.vertex.differences import REQUEST, TIER_HEADER, fitted, fitted_bytes, tier_of

HELLO: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
CALL = {
    "role": "model",
    "parts": [{"functionCall": {"id": "a", "name": "f", "args": {"id": 1}}, "thoughtSignature": "s"}],
}
RESULT = {"role": "user", "parts": [{"functionResponse": {"id": "a", "name": "f", "response": {"id": 1}}}]}


def test_the_table_names_each_path_once() -> None:
    assert len({difference.path for difference in REQUEST}) == len(REQUEST)


@pytest.mark.parametrize("name", ["serviceTier", "service_tier"])
@pytest.mark.parametrize(("tier", "sent"), [("flex", "flex"), ("PRIORITY", "priority"), ("standard", None)])
def test_the_tier_is_a_header(name: str, tier: str, sent: str | None) -> None:
    found = fitted({**HELLO, name: tier})
    assert found.body == HELLO
    assert found.headers == ({TIER_HEADER: sent} if sent else {})
    assert found.left_out == ()


def test_what_vertex_ai_refuses_is_left_out_and_named_and_the_rest_stays() -> None:
    body = {
        **HELLO,
        "store": False,
        "toolConfig": {"includeServerSideToolInvocations": True, "functionCallingConfig": {"mode": "AUTO"}},
        "tools": [{"functionDeclarations": [{"name": "store"}]}, {"fileSearch": {"topK": 1}}, {"googleSearch": {}}],
    }
    before = deepcopy(body)
    found = fitted(body)
    assert found.body == {
        **HELLO,
        "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
        "tools": [{"functionDeclarations": [{"name": "store"}]}, {"googleSearch": {}}],
    }
    assert set(found.left_out) == {"store", "toolConfig.includeServerSideToolInvocations", "tools.fileSearch"}
    assert body == before


def test_ids_of_calls_are_left_out_and_ids_in_arguments_stay() -> None:
    found = fitted({"contents": [*HELLO["contents"], CALL, RESULT]})
    assert found.body["contents"][1]["parts"] == [
        {"functionCall": {"name": "f", "args": {"id": 1}}, "thoughtSignature": "s"}
    ]
    assert found.body["contents"][2]["parts"] == [{"functionResponse": {"name": "f", "response": {"id": 1}}}]


def test_parts_of_server_side_tools_go_as_a_whole_and_turns_of_them_alone_too() -> None:
    tool = {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB"}, "thoughtSignature": "s"}
    mixed = {"role": "model", "parts": [tool, {"text": "x", "partMetadata": {"a": 1}}]}
    found = fitted({"contents": [*HELLO["contents"], {"role": "model", "parts": [tool]}, mixed]})
    assert found.body == {"contents": [*HELLO["contents"], {"role": "model", "parts": [{"text": "x"}]}]}


def test_a_request_without_such_fields_is_sent_as_it_was_written() -> None:
    text = 'a "store": true and "serviceTier": "flex", "id": 7'
    for body in (HELLO, {"contents": [{"parts": [{"text": text}]}]}):
        written = orjson.dumps(body)
        sent, headers = fitted_bytes(written)
        assert sent is written
        assert headers == {}


@pytest.mark.parametrize("body", [b"", b"[1]", b'{"store":', b'"store"', b'[{"store": 1}]'])
def test_bytes_that_are_no_request_pass(body: bytes) -> None:
    assert fitted_bytes(body) == (body, {})


def test_bytes_are_fitted_like_objects() -> None:
    body = {"contents": [CALL], "store": True, "serviceTier": "flex"}
    sent, headers = fitted_bytes(orjson.dumps(body))
    assert orjson.loads(sent) == fitted(body).body
    assert headers == {TIER_HEADER: "flex"}


@pytest.mark.parametrize(
    ("traffic", "tier"),
    [
        ("ON_DEMAND", "default"),
        ("ON_DEMAND_PRIORITY", "priority"),
        ("ON_DEMAND_FLEX", "flex"),
        ("PROVISIONED_THROUGHPUT", "scale"),
        ("SOMETHING_NEW", None),
    ],
)
def test_the_kind_of_traffic_is_openais_tier(traffic: str, tier: str | None) -> None:
    assert tier_of({"trafficType": traffic}) == tier
