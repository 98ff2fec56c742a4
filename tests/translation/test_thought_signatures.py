"""Thought signatures come back whatever the client does with them."""

from typing import Any

import pytest
from tests.support.chat import FLASH_3, FLASH_25, USER, assistant_calls, chat_options, contents, tool_result, translate
from tests.support.clock import FakeClock

from gemgate.translation.thought_signatures import NO_SIGNATURE, SignatureStore, call_key


def signed(**fields: Any) -> list[dict[str, Any]]:
    message = assistant_calls(("call_1", "f", '{"x":1}'))
    function = fields.pop("function", {})
    message["tool_calls"][0].update(fields)
    message["tool_calls"][0]["function"].update(function)
    return [USER, message, tool_result(fields.get("id", "call_1"), "ok")]


@pytest.mark.parametrize(
    "spelling",
    [
        {"extra_content": {"google": {"thought_signature": "c2ln"}}},
        {"thought_signature": "c2ln"},
        {"function": {"thought_signature": "c2ln"}},
        {"provider_specific_fields": {"thought_signature": "c2ln"}},
        {"function": {"provider_specific_fields": {"thought_signature": "c2ln"}}},
        {"id": "call_1__thought__c2ln"},
    ],
)
def test_every_spelling_of_a_signature_is_read(spelling: dict[str, Any]) -> None:
    part = contents(*signed(**spelling), model=FLASH_3)[1]["parts"][0]
    assert part["thoughtSignature"] == "c2ln"


@pytest.mark.parametrize("extra", [{"google": {"thought_signature": 5}}, {"google": []}, {}])
def test_a_malformed_signature_counts_as_none(extra: dict[str, Any]) -> None:
    assert contents(*signed(extra_content=extra), model=FLASH_3)[1]["parts"][0]["thoughtSignature"] == NO_SIGNATURE


def test_a_signature_that_the_client_dropped_comes_from_the_store() -> None:
    options = chat_options()
    options.signatures.put(call_key("ann", "call_1", "f", {"x": 1}), "c3RvcmVk")
    kept = translate(options, caller_id="ann", model=FLASH_3, messages=signed())
    assert kept.body["contents"][1]["parts"][0]["thoughtSignature"] == "c3RvcmVk"
    other = translate(options, caller_id="bob", model=FLASH_3, messages=signed())
    assert other.body["contents"][1]["parts"][0]["thoughtSignature"] == NO_SIGNATURE


def test_without_any_signature_the_first_call_of_each_turn_gets_the_stand_in() -> None:
    calls = assistant_calls(("a", "f", ""), ("b", "g", ""))
    native = contents(USER, calls, tool_result("a", "1"), tool_result("b", "2"), model=FLASH_3)
    assert [part.get("thoughtSignature") for part in native[1]["parts"]] == [NO_SIGNATURE, None]


def test_models_that_demand_none_get_no_stand_in() -> None:
    assert "thoughtSignature" not in contents(*signed(), model=FLASH_25)[1]["parts"][0]


class TestSignatureStore:
    def test_a_store_of_signatures_forgets_after_its_time(self) -> None:
        clock = FakeClock()
        store = SignatureStore(10, 60.0, clock=clock)
        store.put(b"k", "s")
        clock.advance(60.0)
        assert store.get(b"k") == "s"
        clock.advance(0.1)
        assert store.get(b"k") is None
        assert len(store) == 0

    def test_a_store_of_signatures_keeps_the_newest(self) -> None:
        store = SignatureStore(2, 60.0)
        for key in (b"a", b"b", b"a", b"c"):
            store.put(key, key.decode())
        assert (store.get(b"a"), store.get(b"b"), store.get(b"c")) == ("a", None, "c")

    def test_a_key_depends_on_caller_id_name_and_arguments(self) -> None:
        keys = {
            call_key("ann", "c", "f", {"x": 1, "y": 2}),
            call_key("bob", "c", "f", {"x": 1, "y": 2}),
            call_key("ann", "d", "f", {"x": 1, "y": 2}),
            call_key("ann", "c", "g", {"x": 1, "y": 2}),
            call_key("ann", "c", "f", {"x": 1, "y": 3}),
        }
        assert len(keys) == 5
        assert call_key("ann", "c", "f", {"y": 2, "x": 1}) in keys
