"""The WebSocket of `/v1/responses`: what it remembers, how it fails, who may open one, and how it ends."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from tests.support.answers import native
from tests.support.gateway import gateway_app, settings_of
from tests.support.google import FakeGoogle, quota, sse
from tests.support.responses import FLASH_25, WEATHER, kinds
from tests.support.server import serve
from tests.support.websocket import KEY, PATIENCE, Socket, websocket
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from gemgate.api.responses import connection as connection_module
from gemgate.auth.client_keys import digest_of

HELLO = native({"text": "Hello"}, finishReason="STOP")
CALL = native({"functionCall": {"name": "get_weather", "args": {"city": "Rome"}}}, finishReason="STOP")
CUT = sse(native({"text": "Hel"}))


@contextmanager
def gateway(tmp_path: Path, *answers: Any, **settings: Any) -> Iterator[tuple[FakeGoogle, str]]:
    google = FakeGoogle(*(answers or (HELLO,)))
    chosen = {"data_dir": tmp_path, "retries": 0} | settings
    with serve(gateway_app(google, **chosen), settings_of(**chosen)) as origin:
        yield google, origin


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeGoogle, str]]:
    with gateway(tmp_path_factory.mktemp("data")) as served:
        yield served


@pytest.fixture
def google(running: tuple[FakeGoogle, str]) -> FakeGoogle:
    """Says hello to everything, unless a test says otherwise."""
    running[0].answers = [HELLO]
    running[0].requests.clear()
    return running[0]


@pytest.fixture
def origin(running: tuple[FakeGoogle, str], google: FakeGoogle) -> str:
    return running[1]


def said(google: FakeGoogle) -> list[Any]:
    """The contents of the last call, each as its role and its parts."""
    return [(content["role"], content["parts"]) for content in google.bodies[-1]["contents"]]


def end(events: list[Any]) -> Any:
    assert events[-1]["type"] == "response.completed", events[-1]
    return events[-1]["response"]


def code_of(events: list[Any]) -> Any:
    assert events[-1]["type"] == "error", events[-1]
    return events[-1]["error"]["code"]


def status_of(refused: pytest.ExceptionInfo[InvalidStatus]) -> int:
    return refused.value.response.status_code


def test_each_message_is_answered_with_the_events_of_a_stream(google: FakeGoogle, origin: str) -> None:
    with websocket(origin) as socket:
        events = socket.create()
    assert kinds(events) == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.done",
        "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert google.methods == ["streamGenerateContent"]


def test_what_is_sent_ahead_costs_no_call_and_comes_before_what_follows_it(google: FakeGoogle, origin: str) -> None:
    google.answers = [CALL, HELLO]
    with websocket(origin) as socket:
        ahead = end(socket.create([{"role": "developer", "content": "Be brief"}], generate=False, tools=[WEATHER]))
        assert ahead["output"] == []
        assert google.requests == []
        called = end(socket.create("Weather?", previous_response_id=ahead["id"], tools=[WEATHER], stream=True))
        assert google.bodies[0]["systemInstruction"] == {"parts": [{"text": "Be brief"}]}
        assert said(google) == [("user", [{"text": "Weather?"}])]
        call = next(item for item in called["output"] if item["type"] == "function_call")
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "clear"}
        end(socket.create([output], previous_response_id=called["id"], tools=[WEATHER]))
    assert [role for role, _ in said(google)] == ["user", "model", "user"]
    assert said(google)[2][1][0]["functionResponse"]["response"] == {"result": "clear"}
    assert google.bodies[1]["systemInstruction"] == {"parts": [{"text": "Be brief"}]}


def test_a_response_that_is_not_stored_is_known_to_its_own_connection_alone(google: FakeGoogle, origin: str) -> None:
    with websocket(origin) as socket:
        first = end(socket.create("One"))
        second = end(socket.create("Two", previous_response_id=first["id"]))
        with websocket(origin) as other:
            assert code_of(other.create("Three", previous_response_id=second["id"])) == "previous_response_not_found"
            end(other.create("Three"))
        assert code_of(socket.create("Three", previous_response_id=first["id"])) == "previous_response_not_found"
        end(socket.create("Three", previous_response_id=second["id"]))
        texts = [part["text"] for _, parts in said(google) for part in parts]
        assert texts == ["One", "Hello", "Two", "Hello", "Three"]
    with websocket(origin) as again:
        assert code_of(again.create("Four", previous_response_id=second["id"])) == "previous_response_not_found"


@pytest.mark.parametrize("store", [True, False])
def test_a_stored_response_is_gone_on_from_over_another_connection(
    google: FakeGoogle, origin: str, store: bool
) -> None:
    with websocket(origin) as socket:
        first = end(socket.create("One", store=True))
    with websocket(origin) as again:
        second = end(again.create("Two", previous_response_id=first["id"], store=store))
        end(again.create("Three", previous_response_id=second["id"]))
    assert [part["text"] for _, parts in said(google) for part in parts] == ["One", "Hello", "Two", "Hello", "Three"]


def test_a_refused_turn_forgets_what_it_went_on_from(google: FakeGoogle, origin: str) -> None:
    orphan = {"type": "function_call_output", "call_id": "call_unknown", "output": "x"}
    with websocket(origin) as socket:
        first = end(socket.create("One"))
        refused = socket.create([orphan], previous_response_id=first["id"])
        assert (refused[0]["status"], refused[0]["error"]["param"]) == (400, "input[0]")
        assert code_of(socket.create("Two", previous_response_id=first["id"])) == "previous_response_not_found"
        end(socket.create("Two"))
    assert len(google.requests) == 2


def test_a_turn_that_breaks_off_forgets_what_it_went_on_from(google: FakeGoogle, origin: str) -> None:
    google.answers = [HELLO, CUT, HELLO]
    with websocket(origin) as socket:
        first = end(socket.create("One"))
        socket.send("Two", previous_response_id=first["id"])
        events = socket.events()
        assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
        assert code_of(socket.create("Two", previous_response_id=first["id"])) == "previous_response_not_found"


def test_a_failure_of_another_turn_forgets_nothing(origin: str) -> None:
    with websocket(origin) as socket:
        first = end(socket.create("One"))
        assert code_of(socket.create("Two", previous_response_id="resp_unknown")) == "previous_response_not_found"
        assert socket.create("Two", temperature=3)[0]["error"]["param"] == "temperature"
        end(socket.create("Two", previous_response_id=first["id"]))


def test_messages_that_come_meanwhile_wait_for_their_turn(google: FakeGoogle, origin: str) -> None:
    with websocket(origin) as socket:
        for text in "ABC":
            socket.send(text)
        ids = [end(socket.events())["id"] for _ in range(3)]
    assert len(set(ids)) == 3
    assert [body["contents"][0]["parts"][0]["text"] for body in google.bodies] == ["A", "B", "C"]
    assert google.max_at_once == 1


@pytest.mark.parametrize(
    ("message", "param", "code"),
    [
        ("{", None, "invalid_json"),
        ("[]", None, "invalid_type"),
        ("{}", "type", "missing_required_parameter"),
        ('{"type": "response.cancel"}', "type", "invalid_value"),
        ('{"type": ["response.create"]}', "type", "invalid_value"),
        ('{"type": "response.create"}', "model", "missing_required_parameter"),
        ('{"type": "response.create", "model": "gemini-2.5-flash"}', "input", "missing_required_parameter"),
        ('{"type": "response.create", "background": true}', "background", "unsupported_parameter"),
        ('{"type": "response.create", "x": ' + "[" * 400 + "]" * 400 + "}", None, "json_too_deep"),
        ('{"type": "response.create", "x": ' + "[" * 199 + "]" * 199 + "}", "model", "missing_required_parameter"),
    ],
)
def test_a_wrong_message_is_refused_and_the_connection_stays_open(
    origin: str, message: str, param: str | None, code: str
) -> None:
    with websocket(origin) as socket:
        socket.connection.send(message)
        refused = socket.event()
        assert (refused["type"], refused["status"]) == ("error", 400)
        assert (refused["param"], refused["code"]) == (param, code)
        assert refused["error"].items() >= {"param": param, "code": code, "type": "invalid_request_error"}.items()
        end(socket.create())


def test_a_response_is_not_steered(origin: str) -> None:
    with websocket(origin) as socket:
        socket.connection.send('{"type": "response.steer", "response_id": "resp_1", "input": "x"}')
        refused = socket.event()
        assert (refused["type"], refused["error"]["code"]) == ("response.steer.failed", "steering_not_supported")


def test_an_early_failure_says_when_to_come_back(tmp_path: Path) -> None:
    with gateway(tmp_path, quota("2.5s")) as (_, origin), websocket(origin) as socket:
        failed = socket.create()[0]
    assert (failed["status"], failed["error"]["code"]) == (429, "rate_limit_exceeded")
    assert "retry-after" in failed["headers"]


def test_the_limits_of_a_key_hold_for_each_message(tmp_path: Path) -> None:
    keys = tmp_path / "keys.yaml"
    digest = digest_of("caller-key").hex()
    keys.write_text(f"keys: [{{name: app, hash: 'sha256:{digest}', limits: {{requests_per_minute: 2}}}}]")
    settings = {"gemini_api_key": "g", "client_keys_file": keys}
    with gateway(tmp_path, **settings) as (google, origin), websocket(origin) as socket:
        end(socket.create())
        assert code_of(socket.create()) == "rate_limit_exceeded"
    assert len(google.requests) == 1


def test_a_wrong_key_opens_no_websocket(tmp_path: Path) -> None:
    with gateway(tmp_path, gemini_api_key="g", client_keys="right") as (_, origin):
        with pytest.raises(InvalidStatus) as refused, websocket(origin):
            pass
        assert status_of(refused) == 401
        assert b"invalid_api_key" in refused.value.response.body


def test_a_web_page_of_another_site_opens_no_websocket(tmp_path: Path) -> None:
    with gateway(tmp_path, gemini_api_key="g") as (_, origin):
        for headers in ({"origin": "https://evil.test"}, {"sec_fetch_site": "cross-site"}):
            with pytest.raises(InvalidStatus) as refused, websocket(origin, **headers):
                pass
            assert status_of(refused) == 403
        with websocket(origin, origin=origin) as socket:
            end(socket.create())


def test_where_there_are_no_websockets_clients_are_sent_to_http(tmp_path: Path) -> None:
    served = gateway(tmp_path, responses_websocket=False)
    with served as (_, origin), pytest.raises(InvalidStatus) as refused, websocket(origin):
        pass
    assert status_of(refused) == 426


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/healthz", "/v1/responses/resp_1"])
def test_no_other_path_is_a_websocket(origin: str, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused, websocket(origin, path):
        pass
    assert status_of(refused) in (200, 404, 405)


@pytest.mark.parametrize(
    "path", ["/v1beta/openai/responses", "/v1beta/responses", "/v1/responses/", "/v1//responses?x=1"]
)
def test_every_path_of_responses_is_a_websocket(origin: str, path: str) -> None:
    with websocket(origin, path) as socket:
        end(socket.create())


def test_one_caller_has_so_many_websockets(tmp_path: Path) -> None:
    with gateway(tmp_path, websockets_per_caller=2) as (_, origin), websocket(origin) as first:
        with websocket(origin) as second:
            end(second.create())
            with pytest.raises(InvalidStatus) as refused, websocket(origin):
                pass
            assert status_of(refused) == 429
            with websocket(origin, authorization="Bearer another-key") as other:
                end(other.create())
        end(first.create())
        with websocket(origin) as third:
            end(third.create())


def test_a_message_that_is_too_long_ends_the_connection(tmp_path: Path) -> None:
    with gateway(tmp_path, max_body_bytes=10_000) as (google, origin), websocket(origin) as socket:
        socket.send("x" * 20_000)
        with pytest.raises(ConnectionClosedError) as closed:
            socket.event()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    assert google.requests == []


def test_a_long_message_that_comes_too_slowly_ends_the_connection(tmp_path: Path) -> None:
    begun = b"\x81\xff" + (200_000).to_bytes(8) + b"mask" + b"x" * 100_000
    with gateway(tmp_path, body_timeout=0.3) as (_, origin), websocket(origin) as socket:
        socket.connection.socket.sendall(begun)
        closes(socket, 1008)


def test_a_message_of_endlessly_many_pieces_ends_the_connection(origin: str) -> None:
    with websocket(origin) as socket:
        with contextlib.suppress(OSError):  # it may be closed before all is sent
            socket.connection.socket.sendall(b"\x01\x80mask" + b"\x00\x80mask" * 150_000)
        closes(socket, 1008)


def test_a_conversation_that_is_too_long_is_not_remembered(tmp_path: Path) -> None:
    with gateway(tmp_path, max_body_bytes=10_000) as (_, origin), websocket(origin) as socket:
        first = end(socket.create("x" * 6_000))
        second = end(socket.create("y" * 6_000, previous_response_id=first["id"]))
        assert code_of(socket.create("z", previous_response_id=second["id"])) == "previous_response_not_found"


def test_a_websocket_is_closed_when_it_has_been_open_for_long_enough(tmp_path: Path) -> None:
    with gateway(tmp_path, websocket_lifetime=0.5) as (_, origin), websocket(origin) as socket:
        assert code_of(socket.events()) == "websocket_connection_limit_reached"
        closes(socket, 1000)


def test_an_idle_websocket_is_closed(tmp_path: Path) -> None:
    with gateway(tmp_path, websocket_idle_timeout=0.5) as (_, origin), websocket(origin) as socket:
        end(socket.create())
        closes(socket, 1000)


def closes(socket: Socket, code: int) -> None:
    with pytest.raises(ConnectionClosed) as closed:
        socket.event()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


class Held:
    """A stream of Google's that says one thing, and then waits."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.cancelled = threading.Event()
        self.goes_on = threading.Event()

    async def __call__(self, _: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=self._events(), headers={"content-type": "text/event-stream"})

    async def _events(self) -> Any:
        yield sse(native({"text": "Hel"})).content
        self.began.set()
        try:
            await asyncio.to_thread(self.goes_on.wait, PATIENCE)
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled.set()
            self.goes_on.set()  # the thread that waits would hold up the end of the loop
            raise
        yield sse(native({"text": "lo"}, finishReason="STOP")).content


def test_a_client_that_goes_ends_the_call_to_google(google: FakeGoogle, origin: str) -> None:
    held = Held()
    google.answers = [held]
    with websocket(origin) as socket:
        socket.send()
        assert held.began.wait(PATIENCE)
    assert held.cancelled.wait(PATIENCE)
    held.goes_on.set()


class Endless:
    """A stream of Google's that says much, and never ends."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    async def __call__(self, _: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=self._events(), headers={"content-type": "text/event-stream"})

    async def _events(self) -> Any:
        piece = sse(native({"text": "x" * 100_000})).content
        try:
            while True:
                yield piece
                await asyncio.sleep(0)
        finally:
            self.ended.set()


def test_a_client_that_does_not_read_is_disconnected_and_the_call_to_google_ends(tmp_path: Path) -> None:
    endless = Endless()
    with gateway(tmp_path, endless, send_timeout=0.3) as (_, origin), websocket(origin) as socket:
        socket.send()
        assert endless.ended.wait(PATIENCE)
        with pytest.raises(ConnectionClosedError) as closed:
            socket.events()
    assert closed.value.rcvd is None  # nobody would read a frame that closes


def test_all_websockets_together_remember_so_much_and_the_oldest_is_forgotten_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert connection_module.MAX_REMEMBERED == 256 * 1024 * 1024
    monkeypatch.setattr(connection_module, "MAX_REMEMBERED", 250)
    connections = connection_module.ResponseConnections(max_per_caller=9, max_bytes=200)
    first, second, third = (connection_module.ResponseConnection() for _ in range(3))
    for number, each in enumerate((first, second, third)):
        connections.remember(each, f"resp_{number}", (b"x" * 100,))
    assert [each.response_id for each in (first, second, third)] == ["", "resp_1", "resp_2"]
    connections.remember(second, "resp_3", (b"x" * 100,))  # again the newest
    connections.remember(first, "resp_4", (b"x" * 60, b"x" * 60))
    assert [each.response_id for each in (first, second, third)] == ["resp_4", "resp_3", ""]
    connections.closed(first)
    connections.remember(third, "resp_5", (b"x" * 150,))
    assert [each.response_id for each in (second, third)] == ["resp_3", "resp_5"]


def test_an_answer_that_has_begun_is_finished_at_a_shutdown(tmp_path: Path) -> None:
    held = Held()
    done: list[Any] = []
    opened = threading.Event()

    def talk(origin: str) -> None:
        with websocket(origin) as socket, websocket(origin) as idle:
            socket.send()
            assert held.began.wait(PATIENCE)
            opened.set()
            closes(idle, 1012)
            held.goes_on.set()
            done.extend(socket.events())
            closes(socket, 1012)
            done.append("closed")

    with gateway(tmp_path, held) as (_, origin):
        client = threading.Thread(target=talk, args=(origin,))
        client.start()
        assert opened.wait(PATIENCE)
    client.join(PATIENCE)
    assert done[-2]["response"]["output"][0]["content"][0]["text"] == "Hello"
    assert done[-1] == "closed"


@pytest.mark.parametrize("over", ["HTTP", "WebSocket"])
def test_an_answer_that_a_shutdown_cuts_off_is_kept_as_failed(tmp_path: Path, over: str) -> None:
    held = Held()
    settings = {"data_dir": tmp_path, "retries": 0}
    seen: list[Any] = []
    begun = threading.Event()

    def talk(origin: str) -> None:
        if over == "WebSocket":
            with websocket(origin) as socket:
                socket.send(store=True)
                seen.append(socket.event())
                begun.set()
                seen.extend(socket.events())
            return
        body = {"model": FLASH_25, "input": "Hi", "stream": True}
        with httpx.stream("POST", f"{origin}/v1/responses", json=body, headers=KEY, timeout=PATIENCE) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: {"):
                    seen.append(orjson.loads(line.removeprefix("data: ")))
                    begun.set()

    served = serve(gateway_app(FakeGoogle(held), **settings), settings_of(**settings), timeout_graceful_shutdown=1)
    with served as origin:
        client = threading.Thread(target=talk, args=(origin,))
        client.start()
        assert begun.wait(PATIENCE)
    client.join(PATIENCE)
    assert [event["type"] for event in seen[-2:]] == ["error", "response.failed"]
    assert seen[-1]["response"]["error"]["message"].startswith("The gateway is shutting down")
    with serve(gateway_app(FakeGoogle(HELLO), **settings), settings_of(**settings)) as origin:
        kept = httpx.get(f"{origin}/v1/responses/{seen[0]['response']['id']}", headers=KEY, timeout=PATIENCE).json()
    assert kept == seen[-1]["response"]
    assert (kept["status"], kept["output"][0]["content"][0]["text"]) == ("failed", "Hel")
