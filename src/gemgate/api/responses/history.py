"""The items of a conversation as `systemInstruction` and `contents`, directly: not by way of chat's messages."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from gemgate.api.responses.carrier import Carried, CarrierCodec, SignedCall, from_clear
from gemgate.api.responses.items import Item
from gemgate.api.responses.kept_outputs import is_listing, with_calls
from gemgate.api.responses.mcp_items import read_mcp_call
from gemgate.api.responses.request_tools import ResponseTools
from gemgate.api.responses.tool_kinds import (
    CALL_ITEMS,
    KINDS,
    OUTPUT_ITEMS,
    call_id_of,
    called,
    output_of,
)
from gemgate.errors import ApiError
from gemgate.gemini.model_catalog import ModelFacts
from gemgate.gemini.types import Content, FunctionCall, Part
from gemgate.translation.content import ContentTranslator
from gemgate.translation.notes import Notes
from gemgate.translation.options import TrailingAssistant
from gemgate.translation.thought_signatures import NO_SIGNATURE, Signatures, call_key
from gemgate.translation.tool_results import Result, function_result
from gemgate.translation.turns import TurnBuilder
from gemgate.wire import ContentPart, TextPart, ThinkingPart

_CONTINUE = "Continue from exactly where you stopped."
_EARLIER = "(The earlier part of this conversation is not shown.)"
SUMMARY = "Summary of the conversation so far:\n\n"
"""What a summary begins with where it takes the place of a conversation."""

_NO_OUTPUT = {"error": "no output"}

_SILENT = frozenset({"additional_tools", "configuration_update", "item_reference", "mcp_list_tools"})
"""Items that are no part of the conversation, or are read elsewhere."""

_SEARCHES = frozenset({"web_search_call", "file_search_call"})


@dataclass(slots=True)
class _OpenCall:
    """A call of the last turn of the model, and its output once it is known."""

    call_id: str
    native: FunctionCall
    param: str
    result: Result | None = None


@dataclass(slots=True)
class ItemTranslator:
    """Turns the items of one request into turns.

    Attributes:
        codec: Opens the carriers of this caller.
        family: The model's family, which signatures are bound to.
        caller_id: Whose signatures may be used.
        trailing_assistant: What becomes of a last item of the model on a model that refuses it.
        use_signatures: Whether signatures are sent; the documented placeholder replaces those that are needed.
    """

    facts: ModelFacts
    notes: Notes
    content: ContentTranslator
    tools: ResponseTools
    signatures: Signatures
    codec: CarrierCodec
    family: str
    caller_id: str
    trailing_assistant: TrailingAssistant = "trim"
    use_signatures: bool = True
    turns: TurnBuilder = field(default_factory=TurnBuilder)
    system: list[Part] = field(default_factory=list)
    _signed: dict[str, SignedCall] = field(default_factory=dict)
    _carried: dict[int, Carried] = field(default_factory=dict)
    _outputs: dict[str, deque[Item]] = field(default_factory=dict)
    _open: list[_OpenCall] = field(default_factory=list)
    _has_outputs: bool = False
    _covered_code: int = 0
    _covered_mcp: int = 0

    def translate(self, items: Sequence[Item], instructions: str | None) -> tuple[list[Content], list[Part]]:
        """The turns, and the parts of the system instruction.

        Raises:
            ApiError: 400 naming the item that Gemini could not follow.
        """
        self.content.items.take(len(items), "input")
        items = with_calls(self._since_compaction(items), self.notes)
        if instructions:
            self._add_system([{"text": instructions}], "instructions")
        self._survey(items)
        for index, item in enumerate(items):
            self._add(item, index)
        self._close_calls()
        for again in (item for outputs in self._outputs.values() for item in outputs):
            self.notes.adjust(f"{again.param}->none: its call has an output already")
        self._end(items)
        return self.turns.contents, self.system

    def _since_compaction(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items without those in whose place the last compaction is: of them the instructions stay."""
        for place in range(len(items) - 1, 0, -1):
            if items[place].kind == "compaction":
                opened = self.codec.open_summary(items[place].fields.get("encrypted_content"))
                if opened is not None and opened.is_whole:
                    return [*(item for item in items[:place] if _is_instruction(item)), *items[place:]]
        return items

    def _survey(self, items: Sequence[Item]) -> None:
        """Carriers and outputs first: clients send both in an order of their own."""
        calls = set()
        for index, item in enumerate(items):
            if item.kind == "reasoning" and (carried := self._opened(item)):
                self._carried[index] = carried
                self._signed.update({call.call_id: call for call in carried.calls})
            elif item.kind in CALL_ITEMS:
                calls.add(call_id_of(item))
            elif item.kind in OUTPUT_ITEMS and not is_listing(item):
                self._outputs.setdefault(call_id_of(item), deque()).append(item)
        for call_id, outputs in self._outputs.items():
            if call_id not in calls:
                msg = f"No tool call found for function call output with call_id {call_id[:80]}."
                raise ApiError(400, msg, param=outputs[0].param, code="invalid_value")

    def _opened(self, item: Item) -> Carried | None:
        if not self.use_signatures:
            return None
        if item.kept is not None:
            return from_clear(item.kept, self.family)
        if not item.fields.get("encrypted_content"):
            return None
        return self.codec.open(item.fields["encrypted_content"], self.family)

    def _add(self, item: Item, index: int) -> None:
        kind = item.kind
        if kind == "message":
            self._add_message(item)
        elif kind in CALL_ITEMS:
            self._add_call(item)
        elif kind in OUTPUT_ITEMS:
            self._has_outputs = self._has_outputs or bool(self._open)
        elif kind == "reasoning":
            self._add_carried(index)
        elif kind == "compaction":
            self._add_summary(item)
        elif kind in _SEARCHES or kind in _SILENT:
            return  # what was found is in the text; where the model wants it back, it is in the carrier
        elif kind == "mcp_call":
            self._add_mcp_call(item, index)
        elif kind == "code_interpreter_call":
            self._add_code(item)
        elif kind == "image_generation_call":
            self._add_image(item)
        else:
            self.notes.drop(f"{item.param}.type={kind}")

    def _add_message(self, item: Item) -> None:
        role, parts = item.fields["role"], self.content.parts(item.parts, item.content_param)
        if role == "assistant":
            self._model(parts)
            if parts and (signed := self._signed_text(item)):
                self.turns.add("model", [signed])
            return
        if not parts:
            return
        self._close_calls()
        if role == "user":
            self.turns.add("user", parts)
        else:
            self._add_system(parts, f"{item.param}.role={role}")

    def _add_system(self, parts: list[Part], where: str) -> None:
        for part in parts:
            if "text" not in part:
                param = where.partition(".role=")[0]
                msg = f"'{param}' holds media, and a system or developer message can hold text only."
                raise ApiError(400, msg, param=param, code="invalid_value")
        if not self.turns.contents and self.facts.system_instruction:
            self.system.extend(parts)
            return
        self.notes.adjust(f"{where}->user")
        role = where.rpartition("=")[2] if "=" in where else "system"
        self.turns.add("user", [{"text": f"[{role} message] {part['text']}"} for part in parts])

    def _signed_text(self, item: Item) -> Part | None:
        """The empty part with the signature of a text, as it was received at its end."""
        if not self.use_signatures or not self.facts.signatures:
            return None
        texts = item.parts if isinstance(item.parts, str) else "".join(_texts(item.parts or []))
        kept = item.kept if item.kept is not None and item.kept.get("m") == self.family else {}
        signature = kept.get("s") or self.signatures.get(text_key(self.caller_id, self.family, texts))
        return {"text": "", "thoughtSignature": signature} if signature else None

    def _model(self, parts: list[Part]) -> None:
        """What the model gave; calls whose outputs have come before it are of an earlier turn."""
        if self._has_outputs:
            self._close_calls()
        self.turns.add("model", parts)

    def _add_carried(self, index: int) -> None:
        carried = self._carried.get(index)
        if carried is None or not carried.parts:
            return
        self._covered_code += sum("executableCode" in part for part in carried.parts)
        self._covered_mcp += sum("functionCall" in part for part in carried.parts)
        self._model([part.copy() for part in carried.parts])

    def _add_call(self, item: Item) -> None:
        if self._has_outputs:
            self._close_calls()
        identity = called(item)
        args = KINDS[identity.kind].read(item, self.notes)
        call_id = call_id_of(item)
        native: FunctionCall = {"name": self.tools.native_name(identity), "args": args}
        signed = self._signed.get(call_id)
        if self.facts.call_ids:
            native["id"] = (signed and signed.native_id) or call_id
        part: Part = {"functionCall": native}
        signature = signed.signature if signed else None
        if signature is None and self.use_signatures:
            signature = self.signatures.get(call_key(self.caller_id, call_id, identity.key, args))
        if signature is None and self.facts.signatures and not self._open:
            # Gemini 3 checks the first call of each step only, and accepts a documented placeholder there.
            signature = NO_SIGNATURE
        if signature:
            part["thoughtSignature"] = signature
        self._open.append(_OpenCall(call_id, native, item.param))
        self.turns.add("model", [part])

    def _close_calls(self) -> None:
        """Answer the calls of the last turn: all outputs in one turn, in the order of the calls."""
        if not self._open:
            return
        results = [self._result(call) for call in self._open]
        self.turns.respond([result.response for result in results])
        self.turns.add("user", [part for result in results for part in result.media])
        self._open, self._has_outputs = [], False

    def _result(self, call: _OpenCall) -> Result:
        if call.result is not None:
            return call.result
        name, native_id = call.native["name"], call.native.get("id")
        outputs = self._outputs.get(call.call_id)
        if not outputs:
            # Gemini refuses a call without a response; OpenAI's clients leave one out when the user interrupts.
            self.notes.adjust(f"{call.param}.output=none->error")
            return function_result(name, native_id, dict(_NO_OUTPUT), call.param, self.content)
        item = outputs.popleft()
        if isinstance(item.parts, list):
            return function_result(name, native_id, item.parts, item.content_param, self.content)
        return function_result(name, native_id, output_of(item), item.content_param, self.content)

    def _add_summary(self, item: Item) -> None:
        summary = self.codec.open_summary(item.fields.get("encrypted_content"))
        if summary is None:
            msg = (
                f"'{item.param}' was not made by this gateway for this caller, so that nobody here can read it: "
                "compact the conversation again, or send its items."
            )
            raise ApiError(400, msg, param=f"{item.param}.encrypted_content", code="invalid_value")
        self._close_calls()
        self.turns.add("user", [{"text": SUMMARY + summary.text}])

    def _add_mcp_call(self, item: Item, index: int) -> None:
        """A call that Google made, and its output, unless its own parts came in a carrier."""
        if self._covered_mcp:
            self._covered_mcp -= 1
            return
        if self._has_outputs:
            self._close_calls()
        name, args, output = read_mcp_call(item, self.notes)
        native: FunctionCall = {"name": self.tools.plan.names.to_gemini(name), "args": args}
        if self.facts.call_ids:
            native["id"] = f"mcp_{index}"
        part: Part = {"functionCall": native}
        if self.facts.signatures and not self._open:
            part["thoughtSignature"] = NO_SIGNATURE
        result = function_result(native["name"], native.get("id"), output, f"{item.param}.output", self.content)
        self._open.append(_OpenCall(native.get("id", ""), native, item.param, result))
        self.turns.add("model", [part])
        self._has_outputs = True

    def _add_code(self, item: Item) -> None:
        """Code that was run, as text, unless its own parts came in a carrier."""
        if self._covered_code:
            self._covered_code -= 1
            return
        code, texts = item.fields.get("code"), []
        if isinstance(code, str) and code:
            texts.append(f"```python\n{code}\n```")
        given = item.fields.get("outputs")
        outputs = [output for output in given if isinstance(output, dict)] if isinstance(given, list) else []
        logs = [output["logs"] for output in outputs if isinstance(output.get("logs"), str)]
        texts += [f"Output:\n```\n{each}\n```" for each in logs]
        self._model([{"text": text} for text in texts])

    def _add_image(self, item: Item) -> None:
        """An image of the model's own, which without its signature must come from the user."""
        result = item.fields.get("result")
        if not isinstance(result, str) or not result:
            return
        kind = item.fields.get("output_format")
        url = f"data:image/{kind if isinstance(kind, str) else 'png'};base64,{result}"
        self._close_calls()
        self.turns.add("user", [{"text": "Image generated earlier:"}, self.content.by_url(url, f"{item.param}.result")])

    def _end(self, items: Sequence[Item]) -> None:
        contents = self.turns.contents
        if not contents and self.system:
            self.notes.adjust("input[0].role=system->user")
            self.turns.add("user", self.system)
            self.system = []
        elif contents and contents[-1]["role"] == "model" and not self.facts.prefill:
            self._end_with_model(items)
        if not contents:
            msg = "'input' holds no content: at least one item needs text or media."
            raise ApiError(400, msg, param="input", code="invalid_value")
        if contents[0]["role"] == "model" and any("functionCall" in part for part in contents[0]["parts"]):
            # Google's answer to a conversation that begins with a call, as one that was cut does, is a 400.
            first = next((item for item in items if item.kind in CALL_ITEMS or _is_of_model(item)), items[0])
            self.notes.adjust(f"{first.param}=+user")
            contents.insert(0, {"role": "user", "parts": [{"text": _EARLIER}]})

    def _end_with_model(self, items: Sequence[Item]) -> None:
        if self.trailing_assistant == "continue":
            self.notes.adjust("input=+user")
            self.turns.add("user", [{"text": _CONTINUE}])
        elif self.trailing_assistant == "trim":
            for item in _last_of_model(items):
                self.notes.adjust(f"{item.param}->none")
            self.turns.contents.pop()
        else:
            param = _last_of_model(items)[-1].param
            msg = f"'{param}' is of the assistant, and this model needs the last item to be the user's."
            raise ApiError(400, msg, param=param, code="invalid_value")


def text_key(caller_id: str, family: str, text: str) -> bytes:
    """The key of the signature of a text."""
    return call_key(caller_id, family, "text", {"text": text})


def unsigned_keys(items: Sequence[Item], caller_id: str, signed: frozenset[str] = frozenset()) -> list[bytes]:
    """The keys of calls that came back without a carrier: what `Signatures.recall` is to find out."""
    keys, notes = [], Notes("ignore")
    for item in items:
        if item.kind in CALL_ITEMS and item.fields.get("call_id") not in signed:
            try:
                identity = called(item)
                keys.append(call_key(caller_id, call_id_of(item), identity.key, KINDS[identity.kind].read(item, notes)))
            except ApiError:
                continue  # it has its place, which is where the item is translated
    return keys


def _last_of_model(items: Sequence[Item]) -> list[Item]:
    """The items that made the last turn, which is of the model."""
    found: list[Item] = []
    for item in reversed(items):
        if _is_of_model(item):
            if _says_something(item):
                found.append(item)
        elif item.kind in CALL_ITEMS or item.kind in OUTPUT_ITEMS or (item.kind == "message" and _says_something(item)):
            break
    return found[::-1] or [items[-1]]


def _is_of_model(item: Item) -> bool:
    return item.kind == "message" and item.fields["role"] == "assistant"


def _says_something(item: Item) -> bool:
    """Whether a part comes of a message."""
    if not isinstance(item.parts, list):
        return bool(item.parts)
    return any(not isinstance(part, ThinkingPart) and getattr(part, "text", True) for part in item.parts)


def _is_instruction(item: Item) -> bool:
    return item.kind in _SILENT or (item.kind == "message" and item.fields["role"] in ("system", "developer"))


def _texts(parts: list[ContentPart]) -> list[str]:
    return [part.text for part in parts if isinstance(part, TextPart)]
