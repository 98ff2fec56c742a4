"""`messages` as `systemInstruction` and `contents`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

from gemgate.api.chat.pending_calls import PendingCall, PendingCalls
from gemgate.api.chat.sent_signatures import (
    CALL_CARRIERS,
    CARRIERS,
    google_of,
    signature_of_call,
    signatures_of_message,
)
from gemgate.api.chat.wire import (
    AssistantMessage,
    FunctionMessage,
    Message,
    SystemMessage,
    ToolCall,
    ToolCallFunction,
    ToolMessage,
    UserMessage,
    unknown_fields,
)
from gemgate.errors import ApiError
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.gemini.types import Content, FunctionCall, Part
from gemgate.media.references import (
    InlineRef,
    Ref,
    inline_references,
    references,
    unique,
)
from gemgate.translation.call_arguments import parse_arguments
from gemgate.translation.content import ContentTranslator
from gemgate.translation.function_names import NameMap
from gemgate.translation.notes import Notes
from gemgate.translation.options import TrailingAssistant
from gemgate.translation.thought_signatures import NO_SIGNATURE, Signatures, call_key, is_signature
from gemgate.translation.tool_results import function_result
from gemgate.translation.turns import MEDIA_ITEMS, TurnBuilder
from gemgate.wire import ContentPart, ThinkingPart

_CONTINUE = "Continue from exactly where you stopped."
_EARLIER = "(The earlier part of this conversation is not shown.)"
_THOUGHTS = ("<thought>", "</thought>")

# Fields of our answers that clients send back. Gemini has no place for a thought without its signature, nor for
# citations; `parsed` is the official client's own copy of the content.
_ECHOES = frozenset({"reasoning_content", "annotations"})
_OWN = _ECHOES | CARRIERS | {"parsed"}
_CALL_FIELDS = frozenset(ToolCall.__annotations__) | CALL_CARRIERS
_FUNCTION_FIELDS = frozenset(ToolCallFunction.__annotations__) | CALL_CARRIERS | {"extra_content", "parsed_arguments"}


def media_of(messages: Sequence[Message]) -> list[Ref]:
    """The remote media and the files that someone must fetch or look up, in their order."""
    if all(isinstance(message.get("content"), str) for message in messages):
        return []
    return unique(ref for parts, param in _part_lists(messages) for ref in references(parts, param))


def inline_media_of(messages: Sequence[Message]) -> list[InlineRef]:
    """The media that the messages hold themselves."""
    return [ref for parts, param in _part_lists(messages) for ref in inline_references(parts, param)]


def _part_lists(messages: Sequence[Message]) -> Iterator[tuple[list[ContentPart], str]]:
    for index, message in enumerate(messages):
        content = message.get("content")
        if isinstance(content, list):
            yield content, f"messages[{index}].content"


@dataclass(slots=True)
class MessageTranslator:
    """Turns the messages of one request into turns.

    Attributes:
        caller_id: Whose signatures may be used.
        has_thought_tags: Answers of this dialect hold thoughts between tags, which come back in the history.
        trailing_assistant: What becomes of a last message of the assistant on a model that refuses it.
    """

    facts: ModelFacts
    notes: Notes
    content: ContentTranslator
    names: NameMap
    signatures: Signatures
    caller_id: str
    trailing_assistant: TrailingAssistant = "trim"
    has_thought_tags: bool = False
    turns: TurnBuilder = field(default_factory=TurnBuilder)
    system: list[Part] = field(default_factory=list)
    pending: PendingCalls = field(default_factory=PendingCalls)

    def translate(self, messages: Sequence[Message]) -> tuple[list[Content], list[Part]]:
        """The turns, and the parts of the system instruction.

        Raises:
            ApiError: 400 naming the message that Gemini could not follow.
        """
        self.content.items.take(len(messages), "messages")
        for index, message in enumerate(messages):
            if self.pending.calls and message["role"] not in {"tool", "function"}:
                self._close_calls(f"messages[{index}]")
            if not self._add_text(message):
                self._add(message, f"messages[{index}]")
        if self.pending.calls:
            self._close_calls(f"messages[{len(messages) - 1}]")
        self._end(messages)
        if self.turns.contents[0]["role"] == "model":
            self._begin(messages)
        return self.turns.contents, self.system

    def _add_text(self, message: Message) -> bool:
        """Add a message of text and of nothing else, as most of a long history are; False when there is more to it."""
        role, content = message["role"], message.get("content")
        if len(message) != 2 or not isinstance(content, str) or not content:
            return False
        if role == "user":
            self.turns.add("user", [{"text": content}])
        elif role == "assistant" and not self.has_thought_tags:
            self.turns.add("model", [{"text": content}])
        elif role == "system" and not self.turns.contents and self.facts.system_instruction:
            self.system.append({"text": content})
        else:
            return False
        return True

    def _add(self, message: Message, param: str) -> None:
        if unknown := unknown_fields(message):
            self._note_extra(unknown)
        if message["role"] == "user":
            self._drop_name(message)
            self.turns.add("user", self.content.parts(message.get("content"), f"{param}.content"))
        elif message["role"] == "assistant":
            self._drop_name(message)
            self._add_assistant(message, param)
        elif message["role"] == "system" or message["role"] == "developer":
            self._add_system(message, param)
        else:
            self._add_result(message, param)

    def _note_extra(self, extra: Mapping[str, object]) -> None:
        """What a client echoes of an answer of ours is not a parameter of its own, so it is never refused."""
        for name in sorted((_ECHOES | CARRIERS) & extra.keys()):
            if extra[name]:
                self.notes.adjust(f"messages[].{name}->{'thought_signature' if name in CARRIERS else 'none'}")
        self.notes.drop_unknown({name: value for name, value in extra.items() if name not in _OWN}, "messages[].")

    def _drop_name(self, message: SystemMessage | UserMessage | AssistantMessage) -> None:
        if message.get("name"):
            self.notes.drop("messages[].name")

    def _add_system(self, message: SystemMessage, param: str) -> None:
        self._drop_name(message)
        parts = self.content.parts(message.get("content"), f"{param}.content")
        for part in parts:
            if "text" not in part:
                msg = f"'{param}.content' holds media, and a {message['role']} message can hold text only."
                raise ApiError(400, msg, param=f"{param}.content", code="invalid_value")
        if not parts:
            return
        if not self.turns.contents and self.facts.system_instruction:
            self.system.extend(parts)
        else:
            self.notes.adjust(f"{param}.role={message['role']}->user")
            self.turns.add("user", parts)

    def _add_assistant(self, message: AssistantMessage, param: str) -> None:
        texts = self.content.parts(self._without_thoughts(message), f"{param}.content")
        if (refusal := message.get("refusal")) and not texts:
            texts = [{"text": refusal}]
        parts: list[Part] = []
        signature = None
        if google := google_of(message.get("extra_content")):
            parts += [self._own_part(part, param) for part in google.get("parts") or [] if isinstance(part, dict)]
            signature = self._checked(google.get("thought_signature"), param)
        if signature is None and not message.get("tool_calls") and not message.get("function_call"):
            signature, has_other = signatures_of_message(message, None)
            if has_other and not signature:
                self.notes.adjust(f"{param}.thought_signature->none")
        if signature:
            _sign(texts, signature)
        parts += texts
        if images := message.get("images"):
            self.content.items.take(MEDIA_ITEMS * len(images), f"{param}.images")
            parts += [part for image in images if (part := self._own_image(image, param))]
        parts += self._calls(message, param)
        self.turns.add("model", parts)

    def _without_thoughts(self, message: AssistantMessage) -> str | list[ContentPart] | None:
        content = message.get("content")
        begin, end = _THOUGHTS
        if self.has_thought_tags and isinstance(content, str) and content.startswith(begin):
            _, found, rest = content.partition(end)
            if found:
                self.notes.adjust("messages[].content=<thought>->none")
                return rest
        return content

    def _own_image(self, image: dict[str, Any], param: str) -> Part | None:
        url = (image.get("image_url") or {}).get("url")
        if not isinstance(url, str):
            return None
        part = self.content.by_url(url, f"{param}.images")
        if signature := self._checked(google_of(image.get("extra_content")).get("thought_signature"), param):
            part["thoughtSignature"] = signature
        return part

    def _own_part(self, part: dict[str, object], param: str) -> Part:
        """A native part of an earlier answer, without a signature that cannot be one."""
        if "thoughtSignature" in part and not self._checked(part["thoughtSignature"], param):
            part = {name: value for name, value in part.items() if name != "thoughtSignature"}
        return cast("Part", part)

    def _checked(self, signature: object, param: str) -> str | None:
        """`signature`, if it can be one: Google refuses a request with one that is not base64."""
        if not isinstance(signature, str) or not signature:
            return None
        if is_signature(signature):
            return signature
        self.notes.adjust(f"{param}.thought_signature->none")
        return None

    def _calls(self, message: AssistantMessage, param: str) -> list[Part]:
        calls, place = message.get("tool_calls"), "tool_calls[{}]"
        legacy = message.get("function_call")
        if legacy is not None:
            calls, place = [*(calls or ()), {"id": "", "function": legacy}], place if calls else "function_call"
        if calls:
            self.content.items.take(len(calls), f"{param}.tool_calls")
        return [
            self._call(message, call, f"{param}.{place.format(index)}", is_first=index == 0)
            for index, call in enumerate(calls or ())
        ]

    def _call(self, message: AssistantMessage, call: ToolCall, param: str, *, is_first: bool) -> Part:
        if not call.keys() <= _CALL_FIELDS:
            self._drop_rest(call, _CALL_FIELDS, "messages[].tool_calls[].")
        function: Mapping[str, object] = call.get("function") or {}
        if not function.keys() <= _FUNCTION_FIELDS:
            self._drop_rest(function, _FUNCTION_FIELDS, "messages[].tool_calls[].function.")
        name, args = _name_and_args(call, param, self.notes)
        call_id = call.get("id") or ""
        if call_id in self.pending:
            msg = f"'{param}.id' is {call_id[:80]!r}, and another call of this message has that id: ids must differ."
            raise ApiError(400, msg, param=f"{param}.id", code="invalid_value")
        native: FunctionCall = {"name": self.names.to_gemini(name), "args": args}
        native_id = call_id if self.facts.call_ids and call_id else None
        if native_id:
            native["id"] = native_id
        self.pending.add(PendingCall(call_id, name, native_id))
        part: Part = {"functionCall": native}
        if signature := self._signature(message, call, (name, args), param, is_first):
            part["thoughtSignature"] = signature
        return part

    def _drop_rest(self, given: Mapping[str, object], known: frozenset[str], prefix: str) -> None:
        self.notes.drop_unknown({name: value for name, value in given.items() if name not in known}, prefix)

    def _signature(
        self, message: AssistantMessage, call: ToolCall, made: tuple[str, dict[str, object]], param: str, is_first: bool
    ) -> str | None:
        found, is_wrong = signature_of_call(call)
        if found:
            return found
        origin, found = "stored", self.signatures.get(call_key(self.caller_id, call.get("id") or "", *made))
        if found is None and is_first:
            origin, (found, is_other) = "message", signatures_of_message(message, call.get("id"))
            is_wrong = is_wrong or is_other
        if found is None and is_first and self.facts.signatures:
            # Gemini 3 checks the first call of each step only, and accepts a documented placeholder signature there.
            origin, found = "placeholder", NO_SIGNATURE
        if is_wrong:
            self.notes.adjust(f"{param}.thought_signature->{origin if found else 'none'}")
        return found

    def _add_result(self, message: ToolMessage | FunctionMessage, param: str) -> None:
        call = self._called(message, param)
        call.result = function_result(
            self.names.to_gemini(call.name), call.native_id, message.get("content"), f"{param}.content", self.content
        )

    def _called(self, message: ToolMessage | FunctionMessage, param: str) -> PendingCall:
        if message["role"] == "function":
            path, wanted = f"{param}.name", message["name"]
            found = self.pending.by_name(wanted)
        else:
            path, wanted = f"{param}.tool_call_id", message["tool_call_id"]
            found = self.pending.by_id(wanted)
        if found is None:
            msg = (
                f"'{path}' is {wanted[:80]!r}, which answers no call of the assistant message before it "
                f"(calls that wait: {self.pending.listed()}). "
                "A tool message must follow the message that made the call."
            )
            raise ApiError(400, msg, param=path, code="invalid_value")
        if found.result is None:
            return found
        msg = f"'{path}' is {wanted[:80]!r}, and an earlier message already gave that result: send one result a call."
        raise ApiError(400, msg, param=path, code="invalid_value")

    def _close_calls(self, param: str) -> None:
        results = [call.result for call in self.pending if call.result is not None]
        if any(call.result is None for call in self.pending):
            msg = (
                "An assistant message with 'tool_calls' must be followed by a tool message for each call. "
                f"No result for: {self.pending.listed(missing=True)} (before or at {param})."
            )
            raise ApiError(400, msg, param="messages", code="invalid_value")
        self.turns.respond([result.response for result in results])
        self.turns.add("user", [part for result in results for part in result.media])
        self.pending = PendingCalls()

    def _begin(self, messages: Sequence[Message]) -> None:
        """Put a user turn before a conversation that begins with calls, as one that was cut does.

        Google's answer to it without one is 400 "Please ensure that function call turn comes immediately after a user
        turn or after a function response turn". Later calls follow a turn of the user's, or one of results, always:
        neighbours of one role are one turn.
        """
        if any("functionCall" in part for part in self.turns.contents[0]["parts"]):
            index = next((index for index, message in enumerate(messages) if message["role"] == "assistant"), 0)
            self.notes.adjust(f"messages[{index}]=+user")
            self.turns.contents.insert(0, {"role": "user", "parts": [{"text": _EARLIER}]})

    def _end(self, messages: Sequence[Message]) -> None:
        contents = self.turns.contents
        if not contents and self.system:
            self.notes.adjust("messages[0].role=system->user")
            self.turns.add("user", self.system)
            self.system = []
        elif contents and contents[-1]["role"] == "model" and not self.facts.prefill:
            self._end_with_assistant(_last_of_assistant(messages))
        if not contents:
            msg = "'messages' holds no content: at least one message needs text or media."
            raise ApiError(400, msg, param="messages", code="invalid_value")

    def _end_with_assistant(self, last: list[int]) -> None:
        if self.trailing_assistant == "continue":
            self.notes.adjust("messages=+user")
            self.turns.add("user", [{"text": _CONTINUE}])
        elif self.trailing_assistant == "trim":
            for index in last:
                self.notes.adjust(f"messages[{index}]->none")
            self.turns.contents.pop()
        else:
            param = f"messages[{last[-1]}]"
            msg = f"'{param}' is of the assistant, and this model needs the last message to be the user's."
            raise ApiError(400, msg, param=param, code="invalid_value")


def _last_of_assistant(messages: Sequence[Message]) -> list[int]:
    """The places of the messages that made the last turn, which is of the model."""
    found: list[int] = []
    for index in range(len(messages) - 1, -1, -1):
        if messages[index]["role"] == "assistant":
            if _says_something(messages[index]):
                found.append(index)
        elif _says_something(messages[index]):
            break
    return found[::-1] or [len(messages) - 1]


def _says_something(message: Message) -> bool:
    """Whether a part comes of the message."""
    if message["role"] == "tool" or message["role"] == "function":
        return True
    content = message.get("content")
    if isinstance(content, list):
        return any(not isinstance(part, ThinkingPart) and getattr(part, "text", True) for part in content)
    return bool(content or message.get("refusal") or message.get("images") or message.get("extra_content"))


def unsigned_calls(messages: Sequence[Message], caller_id: str) -> list[bytes]:
    """The keys of calls that came back without their signatures: what `Signatures.recall` is to find out."""
    keys = []
    for message in messages:
        for call in (message["role"] == "assistant" and message.get("tool_calls")) or ():
            if signature_of_call(call)[0] is None:
                with suppress(ApiError):  # it has its place, which is where the call is translated
                    keys.append(call_memory_key(call, caller_id))
    return keys


def call_memory_key(call: ToolCall, caller_id: str) -> bytes:
    """The key under which the signature of `call` is remembered.

    Raises:
        ApiError: 400, the call has no name, or arguments that are not JSON.
    """
    return call_key(caller_id, call.get("id") or "", *_name_and_args(call, "", Notes("ignore")))


def _sign(texts: list[Part], signature: str) -> None:
    # Gemini signs the end of its text; a signature must come back on the part it stood on.
    if texts:
        texts[-1]["thoughtSignature"] = signature


def _name_and_args(call: ToolCall, param: str, notes: Notes) -> tuple[str, dict[str, object]]:
    custom, function = call.get("custom"), call.get("function")
    if custom is not None:
        return custom["name"], {"input": custom.get("input", "")}
    if function is None:
        path = f"{param}.function"
        raise ApiError(400, f"Missing required parameter: '{path}'.", param=path, code="missing_required_parameter")
    path = f"{param}.function.arguments" if not param.endswith("function_call") else f"{param}.arguments"
    return function["name"], parse_arguments(function.get("arguments"), path, notes)
