"""What was dropped and what was changed on the way to Gemini: nothing is lost in silence."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gemgate.errors import ApiError
from gemgate.translation.options import Policy

MODEL_HEADER = "x-gemgate-model"
"""Names the model that has answered, which need not be the one that was asked for."""

STATUS_HEADER = "x-gemgate-model-status"
"""Google's word for where the model is in its life, the day of its end, and its successor."""

_MAX_HEADER = 2048
_MAX_NOTE = 2 * _MAX_HEADER  # a note names what the caller sent, which may be long
_MAX_NOTES = 256  # more than the header holds


@dataclass(slots=True)
class Notes:
    """The notes of one request.

    Attributes:
        policy: What a parameter without a counterpart is: a header, a 400, or nothing.
        dropped: Names of parameters that Gemini did not get.
        adjusted: Changes, such as `reasoning_effort=none->low`.
        explicit: Native fields that the caller has set, such as `thinking_config.thinkingBudget` or `tools`: nobody
            else may change them.
    """

    policy: Policy = "warn"
    dropped: list[str] = field(default_factory=list)
    adjusted: list[str] = field(default_factory=list)
    explicit: frozenset[str] = frozenset()

    def drop(self, param: str) -> None:
        """Note that `param` has no counterpart.

        Raises:
            ApiError: 400 `unsupported_parameter`, if the policy is `strict`.
        """
        if self.policy == "strict":
            name = param[:_MAX_NOTE]
            msg = f"Gemini has no counterpart of '{name}'. Leave it out, or set GEMGATE_UNSUPPORTED_PARAMS=warn."
            raise ApiError(400, msg, param=name, code="unsupported_parameter")
        if len(self.dropped) < _MAX_NOTES and (note := param[:_MAX_NOTE]) not in self.dropped:
            self.dropped.append(note)

    def adjust(self, change: str) -> None:
        """Note a change that keeps the meaning as far as Gemini allows."""
        if len(self.adjusted) < _MAX_NOTES and (note := change[:_MAX_NOTE]) not in self.adjusted:
            self.adjusted.append(note)

    def drop_unknown(self, extra: Mapping[str, object] | None, prefix: str = "") -> None:
        """Note fields that the wire model does not know; `null` counts as absent."""
        for name, value in (extra or {}).items():
            if value is not None:
                self.drop(prefix + name)

    def headers(self, *, served_by: str = "") -> dict[str, str]:
        """The response headers; under the policy `ignore`, none but that of the model.

        Args:
            served_by: The model that answers, `models/x`, which is named as `x`; empty while none does.
        """
        headers = {}
        if self.dropped and self.policy != "ignore":
            headers["x-gemgate-dropped-params"] = _header(self.dropped, ",")
        if self.adjusted and self.policy != "ignore":
            headers["x-gemgate-adjusted"] = _header(self.adjusted, "; ")
        if served_by:
            headers[MODEL_HEADER] = served_by.removeprefix("models/")
        return headers


def status_header(line: str) -> dict[str, str]:
    """The response header that says what Google has said of the model's end; none for an empty line."""
    return {STATUS_HEADER: _header([line], "")} if line else {}


def _header(items: list[str], separator: str) -> str:
    text = separator.join(items)[: _MAX_HEADER + 1]
    ascii_text = "".join(char if " " <= char <= "~" else "?" for char in text)
    return ascii_text if len(ascii_text) <= _MAX_HEADER else ascii_text[: _MAX_HEADER - 3] + "..."
