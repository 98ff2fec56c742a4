"""Responses, conversations and their items are their caller's: whatever another does with their ids finds nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest
from tests.security.tenants import ALICE, BOB, MODEL, Tenants, openai_error, tenants

RESPONSES, CONVERSATIONS = "/v1/responses", "/v1/conversations"


@dataclass(frozen=True)
class Alices:
    """What Alice has: a response with its items, and a conversation with one."""

    both: Tenants
    response: str
    answer: str
    asked: str
    conversation: str
    item: str
    carrier: str

    def get(self, path: str, headers: dict[str, str] = BOB) -> httpx.Response:
        return self.both.there.client.get(path, headers=headers)

    def ask(self, headers: dict[str, str] = BOB, **fields: Any) -> httpx.Response:
        return self.both.post(RESPONSES, {"model": MODEL, "input": "x"} | fields, headers)


@pytest.fixture(scope="module")
def alices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alices]:
    with tenants(tmp_path_factory.mktemp("data")) as both:
        both.google.answer = orjson.dumps(
            {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]}
        )
        secret = {"role": "user", "content": "Alice's secret"}
        body = {"model": MODEL, "input": [secret]}
        response = both.post(RESPONSES, body, ALICE).json()
        asked = both.there.client.get(f"{RESPONSES}/{response['id']}/input_items", headers=ALICE).json()["data"][0]
        conversation = both.post(CONVERSATIONS, {"items": [secret]}, ALICE).json()["id"]
        items = both.there.client.get(f"{CONVERSATIONS}/{conversation}/items", headers=ALICE).json()["data"]
        compacted = both.post(f"{RESPONSES}/compact", body, ALICE).json()
        carrier = next(item["encrypted_content"] for item in compacted["output"] if item["type"] == "compaction")
        yield Alices(
            both, response["id"], response["output"][-1]["id"], asked["id"], conversation, items[0]["id"], carrier
        )


READS = [
    "/v1/responses/{response}",
    "/v1/responses/{response}/input_items",
    "/v1/responses/{response}/input_items?after={asked}",
    "/v1/responses/{response}?stream=true",
    "/v1/conversations/{conversation}",
    "/v1/conversations/{conversation}/items",
    "/v1/conversations/{conversation}/items/{item}",
    "/v1//responses/{response}/",
]


def filled(path: str, alices: Alices) -> str:
    return path.format(response=alices.response, asked=alices.asked, conversation=alices.conversation, item=alices.item)


@pytest.mark.parametrize("path", READS)
def test_nobody_else_reads_them(alices: Alices, path: str) -> None:
    answer = alices.get(filled(path, alices))
    assert answer.status_code == 404, answer.text
    assert "secret" not in answer.text
    assert alices.get(filled(READS[0], alices), ALICE).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/v1/responses/{response}"),
        ("POST", "/v1/responses/{response}/cancel"),
        ("DELETE", "/v1/conversations/{conversation}"),
        ("DELETE", "/v1/conversations/{conversation}/items/{item}"),
        ("POST", "/v1/conversations/{conversation}"),
        ("POST", "/v1/conversations/{conversation}/items"),
    ],
)
def test_nobody_else_changes_them(alices: Alices, method: str, path: str) -> None:
    body = {"items": [{"role": "user", "content": "x"}]} if path.endswith("items") else {"metadata": {"a": "b"}}
    answer = alices.both.there.client.request(method, filled(path, alices), json=body, headers=BOB)
    assert answer.status_code == 404, answer.text
    for path_of_hers in READS[:2] + READS[4:7]:
        assert alices.get(filled(path_of_hers, alices), ALICE).status_code == 200
    assert alices.get(filled(READS[4], alices), ALICE).json()["metadata"] == {}
    assert len(alices.get(filled(READS[5], alices), ALICE).json()["data"]) == 1


@pytest.mark.parametrize("endpoint", ["", "/input_tokens", "/compact"])
@pytest.mark.parametrize("name", ["previous", "conversation", "conversation object", "answer", "asked", "item"])
def test_nobody_else_goes_on_from_them(alices: Alices, endpoint: str, name: str) -> None:
    named: dict[str, dict[str, Any]] = {
        "previous": {"previous_response_id": alices.response},
        "conversation": {"conversation": alices.conversation},
        "conversation object": {"conversation": {"id": alices.conversation}},
        "answer": {"input": [{"type": "item_reference", "id": alices.answer}]},
        "asked": {"input": [{"id": alices.asked}]},
        "item": {"input": [{"type": "item_reference", "id": alices.item}]},
    }
    before = alices.both.asked
    body = {"model": MODEL, "input": "x"} | named[name]
    answer = alices.both.post(RESPONSES + endpoint, body, BOB)
    assert answer.status_code in (400, 404), answer.text
    assert "secret" not in answer.text
    assert alices.both.asked == before
    if name != "item":  # one of a conversation is found in that conversation only
        assert alices.both.post(RESPONSES + endpoint, body, ALICE).status_code == 200


def test_what_is_encrypted_for_one_caller_opens_for_no_other(alices: Alices) -> None:
    sent: dict[str, Any] = {
        "input": [{"type": "compaction", "id": "cmp_1", "encrypted_content": alices.carrier}, naming("and?")]
    }
    assert alices.ask(ALICE, **sent).status_code == 200
    mine = alices.both.there.google.last.content
    answer = alices.ask(**sent)
    seen = alices.both.there.google.last.content if answer.status_code == 200 else b""
    assert answer.status_code in (200, 400)
    assert seen != mine
    assert alices.carrier.encode() not in seen


def naming(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


STRANGE = ["%00", "..", "%2e%2e%2f", "a%2Fb", "%0a", "a;b", "%ff", "é", "resp_" + "a" * 5_000, "'%20OR%201=1", "%25"]


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("path", ["/v1/responses/{}", "/v1/responses/{}/input_items", "/v1/conversations/{}/items"])
def test_an_id_that_cannot_be_one_is_not_found(alices: Alices, path: str, name: str) -> None:
    answer = alices.get(path.format(name))
    assert answer.status_code in (400, 404, 405), answer.text
    assert {"message", "type", "param", "code"} <= set(openai_error(answer))


@pytest.mark.parametrize("name", ["\0", "resp_\0", "../x", "a" * 5_000, "", "\ufffd", "\u202e"])
def test_a_body_that_names_what_cannot_be_an_id_is_refused(alices: Alices, name: str) -> None:
    for fields in (
        {"previous_response_id": name},
        {"conversation": name},
        {"input": [{"type": "item_reference", "id": name}]},
    ):
        answer = alices.ask(**fields)
        assert answer.status_code in (400, 404), (fields, answer.text[:200])
        assert len(answer.text) < 2_000
    assert alices.get(f"{RESPONSES}/{alices.response}", ALICE).status_code == 200


@pytest.mark.parametrize(
    "metadata",
    [{f"k{n}": "v" for n in range(17)}, {"k" * 65: "v"}, {"k": "v" * 513}, {"k": 1}, {"k": {"a": "b"}}, [1], "text"],
)
def test_metadata_beyond_openais_size_is_refused(alices: Alices, metadata: Any) -> None:
    assert alices.ask(metadata=metadata).status_code == 400
    for path in (CONVERSATIONS, f"{CONVERSATIONS}/{alices.conversation}"):
        assert alices.both.post(path, {"metadata": metadata}, ALICE).status_code == 400


def test_an_item_that_takes_anothers_id_takes_nothing_from_it(alices: Alices) -> None:
    stolen = [{"type": "message", "id": alices.asked, "role": "user", "content": "Bob's"}]
    assert alices.ask(input=stolen).status_code == 200
    reference: dict[str, Any] = {"input": [{"type": "item_reference", "id": alices.asked}]}
    assert alices.ask(ALICE, **reference).status_code == 200
    assert b"Alice's secret" in alices.both.there.google.last.content
    assert alices.ask(**reference).status_code == 200
    assert b"Bob's" in alices.both.there.google.last.content
    assert b"secret" not in alices.both.there.google.last.content
