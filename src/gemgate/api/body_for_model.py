"""The JSON body of a request for a model: read, noted in the record, and found to be its caller's to send."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Generic, TypeVar

from pydantic import BaseModel
from starlette.requests import Request

from gemgate.api.generation import ModelCall
from gemgate.api.request_source import ModelRequest, RequestSource
from gemgate.api.services import Services, caller_of, services_of
from gemgate.auth.caller import Caller
from gemgate.media.references import Ref
from gemgate.model_routing.openai_names import gemini_name
from gemgate.observability.record import Operation, current
from gemgate.translation.request_size import LIGHT_BYTES, is_heavy
from gemgate.translation.validation import parse
from gemgate.web.heavy_work import Aside
from gemgate.web.json_request import is_dry_run, read_json_body

BodyT = TypeVar("BodyT", bound=BaseModel)
NativeT = TypeVar("NativeT", bound=ModelRequest)

_NO_NAMES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class BodyForModel(Generic[BodyT]):
    """A request that its caller may send.

    Attributes:
        body: What was read.
        asked: The model as the caller named it.
        models: All that may be asked, in their order.
        size: Bytes of the body.
        is_heavy: Work on it may take so long that it is done beside the event loop.
        is_dry_run: Nobody is to be called.
    """

    services: Services
    caller: Caller
    body: BodyT
    asked: str
    models: Sequence[str]
    size: int
    is_heavy: bool
    is_dry_run: bool

    @property
    def aside(self) -> Aside:
        """Where its work is done."""
        return self.services.heavy.aside(self.caller.id, is_heavy=self.is_heavy)

    def call(self, source: RequestSource[NativeT], refs: Sequence[Ref] = ()) -> ModelCall[NativeT]:
        """The call of its first model; `refs` must be fetched or looked up for it."""
        return ModelCall(
            self.services,
            self.caller,
            source,
            self.asked,
            self.size,
            self.is_dry_run,
            self.models[0],
            self.is_heavy,
            refs=refs,
        )


async def body_for_model(
    request: Request,
    kind: type[BodyT],
    operation: Operation,
    model_of: Callable[[BodyT], str],
    names: Mapping[str, str] = _NO_NAMES,
    *,
    is_light: bool = True,
) -> BodyForModel[BodyT]:
    """The body of `request`, if its caller may ask the model that it names, and for all that it names.

    Args:
        request: The request.
        kind: What its body is.
        operation: For the record.
        model_of: The model that a body names.
        names: Gemini's models by OpenAI's names of those with the same task.
        is_light: Long texts cost no more than few values; otherwise all of 64 KiB is worked on beside the event loop.

    Raises:
        ApiError: 400 that names the parameter at fault, 403 for the model, 404 for what is another caller's.
    """
    services, caller = services_of(request), caller_of(request)
    raw = await read_json_body(request, services.settings.max_body_bytes)
    heavy = is_heavy(raw) or (not is_light and len(raw) > LIGHT_BYTES)
    body = await services.heavy.aside(caller.id, is_heavy=heavy).run(partial(parse, kind, raw))
    asked = model_of(body)
    current().asks(operation, asked, body)
    name = gemini_name(asked, names, services.aliases)
    caller.check_model(name)
    await services.access.check_request(caller, body, raw)
    models = services.aliases.resolve(name)
    return BodyForModel(services, caller, body, asked, models, len(raw), heavy, is_dry_run(request))
