"""What holds for a line of each endpoint in a batch."""

from collections.abc import Iterable, Mapping

from gemgate.errors import ApiError


def refuse_stream(stream: object) -> None:
    """Refuse a line that asks for a stream.

    Raises:
        ApiError: 400 that names `stream`.
    """
    if stream:
        msg = "A batch has no streams. Leave 'stream' out of the request."
        raise ApiError(400, msg, param="stream", code="unsupported_value")


def without_tiers(bodies: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
    """Native requests as a batch takes them: it is a service tier of its own."""
    return [{name: value for name, value in body.items() if name != "serviceTier"} for body in bodies]
