"""Translate requests and answers of the Responses API in tests, whole and streamed."""

from collections.abc import Sequence
from typing import Any

import orjson
from tests.support.chat import chat_options

from gemgate.api.responses.completion import ResponseSource, new_machine, whole_response
from gemgate.api.responses.echo import ResponseHead, echo_of
from gemgate.api.responses.events import ResponseEvents, ended
from gemgate.api.responses.items import read_input
from gemgate.api.responses.request import ResponseTranslation
from gemgate.api.responses.state import ResolvedRequest
from gemgate.api.responses.wire import ResponseRequest
from gemgate.emulator.validation import violations
from gemgate.encryption import Encryptor
from gemgate.media.references import Resolved
from gemgate.translation.options import Options

Json = dict[str, Any]

FLASH_25 = "gemini-2.5-flash"
FLASH_3 = "gemini-3-flash-preview"
NEWEST = "gemini-3.7-flash"
ENCRYPTOR = Encryptor(["secret-of-tests"], b"tests of responses")
CREATED = 1_700_000_000
RESPONSE_ID = "resp_" + "0" * 48

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def request_of(**body: Any) -> ResponseRequest:
    """A request with these fields; by default the user says "Hi" to gemini-2.5-flash."""
    return ResponseRequest.model_validate({"model": FLASH_25, "input": "Hi", "store": False, **body})


def source_of(
    options: Options | None = None, *, caller_id: str = "me", encryptor: Encryptor = ENCRYPTOR, **body: Any
) -> ResponseSource:
    """What is translated."""
    request = request_of(**body)
    resolved = ResolvedRequest(request, read_input(request.input))
    return ResponseSource(resolved, options or chat_options(), encryptor, caller_id)


def translate(
    options: Options | None = None, *, caller_id: str = "me", media: Resolved | None = None, **body: Any
) -> ResponseTranslation:
    """The translation of a request with these fields; the native one must be as Google's schema allows."""
    source = source_of(options, caller_id=caller_id, **body)
    translation = source.translate(source.resolved.request.model, media or {})
    assert violations("GenerateContentRequest", translation.body) == []
    return translation


def untested(options: Options | None = None, **body: Any) -> ResponseTranslation:
    """As `translate`, without a look at Google's schema: for tests of many answers."""
    source = source_of(options, **body)
    return source.translate(source.resolved.request.model, {})


def contents(*items: Json, **body: Any) -> list[Any]:
    """The native contents of these items."""
    native: list[Any] = translate(input=list(items), **body).body["contents"]
    return native


def whole(answer: Any, *, options: Options | None = None, **body: Any) -> Json:
    """The response that this native answer makes."""
    translation = untested(options, **body)
    events = events_of(**body)
    written = orjson.dumps(whole_response(events, translation, [answer]))
    response: Json = orjson.loads(written)
    return response


def streamed(*native: Any, options: Options | None = None, **body: Any) -> list[Json]:
    """All events of the stream of these native events."""
    translation = untested(options, **body)
    events = events_of(**body)
    machine = new_machine(events, translation)
    written = b"".join(events.write(machine.feed(event)) for event in native)
    last = events.write(machine.finish())
    written += last + events.end(ended(events.head, machine, translation.context, CREATED))
    return read_events(written)


def events_of(**body: Any) -> ResponseEvents:
    """The writer of a response to a request with these fields."""
    return ResponseEvents(ResponseHead(RESPONSE_ID, CREATED, echo_of(request_of(**body), is_stored=False)))


def read_events(written: bytes) -> list[Json]:
    """The events of a stream, which ends as it should: numbers without a gap, and `[DONE]`."""
    assert written.endswith(b"data: [DONE]\n\n")
    events = []
    for block in written.split(b"\n\n")[:-2]:
        if block.startswith(b":"):
            continue
        name, data = block.split(b"\n")
        event = orjson.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + event["type"].encode()
        events.append(event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    return events


def kinds(events: Sequence[Json]) -> list[str]:
    """The types of events, without what they all begin with."""
    return [event["type"].removeprefix("response.") for event in events]


def final(events: Sequence[Json]) -> Json:
    """The response in the last event."""
    response: Json = events[-1]["response"]
    return response


def without_carriers(output: Sequence[Json]) -> list[Json]:
    """Items without what is encrypted, which differs each time."""
    return [{name: value for name, value in item.items() if name != "encrypted_content"} for item in output]


def sent_back(output: Sequence[Json], *keys_left_out: str) -> list[Json]:
    """Items as a client sends them back, without some of their fields."""
    return [{name: value for name, value in item.items() if name not in keys_left_out} for item in output]
