"""What the console's pages are answered: the feed of requests, keys and models, batches and files, usage."""

from collections.abc import AsyncIterator, Generator, Iterator
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import httpx
import orjson
import pytest
from tests.support.gateway import gateway_app, settings_of
from tests.support.server import serve
from tests.support.stack import Stack, stack

from gemgate.api.console.state import batches_and_files
from gemgate.auth.key_registry import ClientKeys
from gemgate.store import BatchRow, Store

if TYPE_CHECKING:
    from gemgate.api.services import Services

GEMINI_KEYS = ("AIzaSyGatewaysFirstGeminiKey456789abcd", "AIzaSyGatewaysSecondGeminiKey56789abcd")
CLIENT_KEY = "sk-client-key-0123456789abcdef"
CHAT = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "A secret prompt"}]}
KEYS_FILE = f"""
keys:
  - name: team-a
    hash: sha256:{sha256(CLIENT_KEY.encode()).hexdigest()}
    limits:
      requests_per_minute: 60
      usd_per_day: 5
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    path = tmp_path_factory.mktemp("keys") / "keys.yaml"
    path.write_text(KEYS_FILE)
    with stack(gemini_api_key=",".join(GEMINI_KEYS), client_keys_file=path) as servers:
        yield servers


@pytest.fixture(scope="module")
def caller(running: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=running.gateway, headers={"authorization": f"Bearer {CLIENT_KEY}"}, timeout=30
    ) as client:
        yield client


def events(caller: httpx.Client) -> Generator[dict[str, Any]]:
    """The feed, until it is closed."""
    with caller.stream("GET", "/console/api/requests") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("data: "):
                assert "A secret prompt" not in line
                for secret in (*GEMINI_KEYS, CLIENT_KEY):
                    assert secret not in line
                yield orjson.loads(line.removeprefix("data: "))


def test_the_feed_has_the_last_requests_and_each_that_ends(caller: httpx.Client) -> None:
    caller.post("/v1/chat/completions", json=CHAT | {"user": "x"}, headers={"x-request-id": "before"})
    feed = events(caller)
    first = next(feed)
    assert len(first["processes"]) == 1
    row = next(row for row in first["rows"] if row["request_id"] == "before")
    assert (row["caller"], row["model"], row["served"]) == ("team-a", "gemini-2.5-flash", "gemini-2.5-flash")
    assert (row["status"], row["outcome"], row["stream"], row["dropped"]) == (200, "completed", False, ["user"])
    assert row["cost_usd"] > 0
    assert "bodies" not in row
    caller.post("/v1/chat/completions", json=CHAT | {"stream": True}, headers={"x-request-id": "after"})
    second = next(feed)
    assert [row["request_id"] for row in second["rows"]] == ["after"]
    assert second["rows"][0]["first_token_ms"] > 0
    feed.close()


def test_keys_models_and_limits_are_shown_by_their_names(caller: httpx.Client) -> None:
    caller.post("/v1/chat/completions", json=CHAT)
    shown = caller.get("/console/api/keys").json()
    (state,) = shown["keys"].values()
    assert len(state["keys"]) == 2
    assert {key["in_flight"] for key in state["keys"]} == {0}
    (client,) = next(iter(shown["clients"].values()))
    assert client["name"] == "team-a"
    assert client["requests"]["limit"] == 60
    assert 0 < client["requests"]["remaining"] < 60
    assert (client["usd_per_day"], client["usd_per_month"]) == (5, None)
    assert 0 < client["spent_day"] < 1


def test_a_look_at_a_limit_takes_nothing_of_it(running: Stack) -> None:
    with httpx.Client(base_url=running.gateway) as page:

        def remaining() -> int:
            (client,) = next(iter(page.get("/console/api/keys").json()["clients"].values()))
            found: int = client["requests"]["remaining"]
            return found

        looks = [remaining() for _ in range(6)]
    assert looks == sorted(looks)


def test_a_cool_down_is_shown_with_its_time(running: Stack) -> None:
    with (
        stack(gemini_api_key=GEMINI_KEYS[0], retries=0, cool_down=30) as servers,
        httpx.Client(base_url=servers.gateway, timeout=30) as caller,
    ):
        asked = CHAT | {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "x"}]}
        caller.post("/v1/chat/completions", json=asked | {"model": "emulator-429"})
        (state,) = caller.get("/console/api/keys").json()["keys"].values()
        (key,) = state["keys"]
        (cooldown,) = key["models"]
        assert cooldown["reason"] in ("rate_limit", "quota")
        assert cooldown["left"] > 0
        assert GEMINI_KEYS[0] not in orjson.dumps(state).decode()


async def test_batches_and_files_of_all_callers_are_shown_without_their_content(tmp_path: Path) -> None:
    keys = ClientKeys([CLIENT_KEY])
    (known,) = keys
    async with Store.open(data_dir=tmp_path) as store:
        for number, owner in enumerate((known.owner, "0123456789abcdef")):
            file = await store.files.save(owner, pieces(b"A secret prompt"), filename="in.jsonl", purpose="batch")
            errors: list[dict[str, object]] = [{"code": "invalid_json", "message": "A secret prompt"}]
            row = BatchRow(
                id=f"batch_{number}",
                owner=owner,
                endpoint="/v1/chat/completions",
                input_file_id=file.id,
                completion_window="24h",
                status="in_progress",
                display_name=f"batch_{number}",
                created_at=number,
                total=10,
                completed=4,
                failed=number,
                errors=errors if number else None,
                key_ciphertext=b"secret",
            )
            await store.batches.create(row)
        shown = await batches_and_files(cast("Services", SimpleNamespace(store=store, client_keys=keys)))
    newest, oldest = cast("list[dict[str, Any]]", shown["batches"])
    assert (newest["caller"], newest["failed"], newest["errors"]) == ("01234567…", 1, ["invalid_json"])
    assert (oldest["caller"], oldest["total"], oldest["completed"]) == (known.name, 10, 4)
    assert shown["files"] == {"batch": {"number": 2, "bytes": 30}}
    assert not [secret for secret in ("A secret prompt", "ciphertext", "in.jsonl") if secret in repr(shown)]


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content


def test_the_store_is_shown_empty_too(caller: httpx.Client) -> None:
    shown = caller.get("/console/api/store").json()
    assert (shown["batches"], shown["files"]) == ([], {})
    assert shown["others"]["responses"] == {"number": 0, "bytes": 0}


def test_usage_counts_what_the_feed_shows(caller: httpx.Client) -> None:
    caller.post("/v1/chat/completions", json=CHAT)
    shown = caller.get("/console/api/usage").json()
    (rows,) = shown["usage"].values()
    mine = [row for row in rows if row["caller"] == "team-a" and row["model"] == "gemini-2.5-flash"]
    assert sum(row["requests"] for row in mine) >= 1
    assert sum(row["cost"] for row in mine) > 0


def test_bodies_are_shown_where_the_log_has_them() -> None:
    with stack(log_bodies=True) as servers, httpx.Client(base_url=servers.gateway, timeout=30) as caller:
        caller.headers["authorization"] = "Bearer demo"
        caller.post("/v1/chat/completions", json=CHAT)
        with caller.stream("GET", "/console/api/requests") as answer:
            line = next(line for line in answer.iter_lines() if line.startswith("data: "))
        (row,) = orjson.loads(line.removeprefix("data: "))["rows"]
        assert row["bodies"]["request_body"]["messages"] == CHAT["messages"]
        assert row["bodies"]["response_body"]["object"] == "chat.completion"


def test_an_open_page_does_not_keep_the_gateway_from_stopping(tmp_path: Path) -> None:
    app, settings = gateway_app(data_dir=tmp_path), settings_of(data_dir=tmp_path)
    with httpx.Client(timeout=60) as watcher:
        with serve(app, settings, timeout_graceful_shutdown=120) as origin:  # it has thirty seconds to stop
            answer = watcher.send(watcher.build_request("GET", f"{origin}/console/api/requests"), stream=True)
            lines = answer.iter_lines()
            assert next(lines).startswith("data: ")
        with pytest.raises(httpx.TransportError):
            next(line for line in lines if line.startswith("data: "))
        answer.close()
