"""The one decoder of parts, for whole answers and for streams."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from gemgate.gemini.types import Blob, FunctionCall, Part, PartialArg


@dataclass(slots=True)
class DecodedCall:
    """A function call: `id` is None on Gemini 2.x, `signature` is on the first of parallel calls only.

    It may be a frame of a call whose arguments are streamed: `pieces` of them, and whether more frames follow.
    """

    name: str
    args: dict[str, object]
    id: str | None = None
    signature: str | None = None
    pieces: list[PartialArg] = field(default_factory=list)
    will_continue: bool = False


@dataclass(slots=True)
class Media:
    """Bytes the model made; Gemini 3 signs them."""

    blob: Blob
    signature: str | None = None


@dataclass(slots=True)
class Decoded:
    """What a list of parts holds.

    Attributes:
        texts: Answer text and thoughts in their order, as (is a thought, text); neighbours of a kind are joined.
        signature: The last signature that is on text (often on an empty one, at the end of a stream).
        calls: Function calls in their order.
        media: Inline bytes of the kinds that are wanted, if they are not thoughts.
        others: Parts without a counterpart (code execution, server-side tools, newer kinds), as they came, in order.
    """

    texts: list[tuple[bool, str]] = field(default_factory=list)
    signature: str | None = None
    calls: list[DecodedCall] = field(default_factory=list)
    media: list[Media] = field(default_factory=list)
    others: list[Part] = field(default_factory=list)


def decode(parts: Iterable[Part], media: tuple[str, ...] = ("image/", "audio/")) -> Decoded:
    """Sort `parts` by what they hold. Empty parts vanish, everything else is somewhere in the result.

    Args:
        parts: Of a whole answer or of an event.
        media: How the MIME types begin of those inline bytes that go to `media`.
    """
    decoded = Decoded()
    pieces: list[tuple[bool, list[str]]] = []
    for found in decoded_in_order(parts, media):
        if isinstance(found, DecodedCall):
            decoded.calls.append(found)
        elif isinstance(found, Media):
            decoded.media.append(found)
        elif (text := found.get("text")) is not None:
            if signature := found.get("thoughtSignature"):
                decoded.signature = signature
            if text:
                is_thought = bool(found.get("thought"))
                if not pieces or pieces[-1][0] is not is_thought:
                    pieces.append((is_thought, []))
                pieces[-1][1].append(text)
        else:
            decoded.others.append(found)
    decoded.texts = [(is_thought, "".join(texts)) for is_thought, texts in pieces]
    return decoded


def decoded_in_order(
    parts: Iterable[Part], media: tuple[str, ...] = ("image/", "audio/")
) -> Iterator[DecodedCall | Media | Part]:
    """What `parts` hold, one after the other: calls, bytes of the kinds that are wanted, texts, and other parts.

    A text is the part itself, and may be empty where it only has a signature; a part with nothing but a signature is
    given as such a text. Parts with nothing in them vanish.
    """
    for part in parts:
        if part.get("text") is not None:
            yield part
        elif (call := part.get("functionCall")) is not None:
            yield _call(call, part.get("thoughtSignature"))
        elif (blob := part.get("inlineData")) and not part.get("thought") and _is_any(blob, media):
            yield Media(blob, part.get("thoughtSignature"))
        elif part.keys() - {"thought", "thoughtSignature"}:
            yield part
        elif signature := part.get("thoughtSignature"):
            yield {"text": "", "thoughtSignature": signature}


def _call(call: FunctionCall, signature: str | None) -> DecodedCall:
    return DecodedCall(
        call.get("name") or "",
        call.get("args") or {},
        call.get("id"),
        signature,
        call.get("partialArgs") or [],
        bool(call.get("willContinue")),
    )


def _is_any(blob: Blob, kinds: tuple[str, ...]) -> bool:
    return blob.get("mimeType", "").lower().startswith(kinds)
