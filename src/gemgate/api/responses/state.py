"""What a request refers to of earlier ones, and what is kept of it for later ones."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from gemgate.api.responses.items import Item, read_input
from gemgate.api.responses.kept_streams import KeptStreams
from gemgate.api.responses.kept_turn import InputTurn
from gemgate.api.responses.wire import Json, ResponseRequest
from gemgate.auth.caller import Caller
from gemgate.encryption import Encryptor
from gemgate.errors import ApiError, missing_field
from gemgate.web.heavy_work import Aside

if TYPE_CHECKING:
    from gemgate.api.responses.background import BackgroundResponses
    from gemgate.api.responses.connection import ResponseConnections

_SEND_ALL = (
    "No responses are kept here (in a batch, or where GEMGATE_RESPONSES_STORE is off): send the items of the "
    "conversation in 'input', with 'store': false."
)


class Said(NamedTuple):
    """What was said up to the response that a request goes on from, where that is known already; and its bytes."""

    items: list[Item]
    size: int


@dataclass(slots=True)
class ResolvedRequest:
    """A request with everything that it refers to.

    Attributes:
        request: As it came.
        items: The whole conversation: what came before, and the input. References are replaced by what they name.
        own: Those of the input alone.
        is_stored: Whether the response is kept.
        turn: The input as it is kept; None where it is not.
        kept_bytes: How large the JSON is of what came from the store, which the body does not show.
    """

    request: ResponseRequest
    items: list[Item]
    own: Sequence[Item] = ()
    is_stored: bool = False
    turn: InputTurn | None = None
    kept_bytes: int = 0


class ResponseStore(Protocol):
    """Where responses, their items and conversations are kept."""

    async def resolve(
        self,
        request: ResponseRequest,
        caller: Caller,
        aside: Aside,
        said: Said | None = None,
        *,
        is_kept: bool = True,
    ) -> ResolvedRequest:
        """The request with what `previous_response_id`, `conversation` and item references name.

        Args:
            request: As it came.
            caller: Who sends it.
            aside: How its items are read.
            said: What `previous_response_id` means, where that is known already.
            is_kept: Whether anything may be kept of it, for which there must be room.

        Raises:
            ApiError: 400 or 404, it names something that is not there, or not the caller's.
        """
        ...

    async def keep(
        self, resolved: ResolvedRequest, caller: Caller, response: dict[str, object], kept: Mapping[str, Json]
    ) -> None:
        """Keep a response that has ended, before its caller can know its end; `kept` is what belongs to its items.

        Where that fails, `response` says from then on that it is not stored.
        """
        ...


@dataclass(slots=True)
class StatelessStore:
    """Keeps nothing: every request brings its whole conversation."""

    async def resolve(
        self,
        request: ResponseRequest,
        caller: Caller,  # noqa: ARG002  as the protocol has it
        aside: Aside,
        said: Said | None = None,
        *,
        is_kept: bool = True,  # noqa: ARG002
    ) -> ResolvedRequest:
        """The request as it is; references to reasoning are left out, because it may come back without.

        Raises:
            ApiError: 400 or 404, it refers to something that was kept nowhere.
        """
        size = said.size if said else 0
        return await aside.with_kept(size).run(partial(stateless, request, said))

    async def keep(
        self, resolved: ResolvedRequest, caller: Caller, response: dict[str, object], kept: Mapping[str, Json]
    ) -> None:
        """Nothing is kept."""


def stateless(request: ResponseRequest, said: Said | None = None) -> ResolvedRequest:
    """A request that brings its whole conversation, or as much of it as was not `said` before.

    Raises:
        ApiError: 400 or 404, it refers to something that was kept nowhere.
    """
    for name in ("previous_response_id", "conversation") if said is None else ():
        if getattr(request, name) is not None:
            code = "previous_response_not_found" if name == "previous_response_id" else "unsupported_parameter"
            raise ApiError(400, f"'{name}' cannot be followed. {_SEND_ALL}", param=name, code=code)
    if request.background:
        msg = f"'background' needs a response that is kept. {_SEND_ALL}"
        raise ApiError(400, msg, param="background", code="unsupported_parameter")
    before, size = said or Said([], 0)
    if request.input is None and request.prompt is None and said is None:
        raise missing_field("input")
    known = {item.fields.get("id") for item in before}
    own = [item for item in read_input(request.input) if not _is_left_out(item, known)]
    return ResolvedRequest(request, [*before, *own], own, kept_bytes=size)


@dataclass(frozen=True, slots=True)
class ResponseServices:
    """What the endpoint of responses needs of the application.

    Attributes:
        store: Where responses are kept.
        encryptor: For what leaves the gateway in `encrypted_content`.
        connections: The WebSockets of this process.
        background: Responses that are generated beside their callers; None where none are kept.
        streams: Those whose responses are kept even where they fail.
    """

    store: ResponseStore
    encryptor: Encryptor
    connections: "ResponseConnections"
    background: "BackgroundResponses | None" = None
    streams: KeptStreams = field(default_factory=KeptStreams)


def _is_left_out(item: Item, known: Collection[str | None]) -> bool:
    """Whether an item says nothing that is not there: a reference to what was said, or to reasoning.

    Raises:
        ApiError: 404, it refers to another kind of item, which would be missing.
    """
    if item.kind != "item_reference":
        return False
    item_id = item.text_field("id")
    if item_id.startswith("rs_") or item_id in known:
        return True
    msg = f"Item with id '{item_id[:80]}' not found. Items are not persisted. {_SEND_ALL}"
    raise ApiError(404, msg, param=f"{item.param}.id")
