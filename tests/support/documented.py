"""The OpenAPI document as a strict judge: what it does not name may not be there."""

from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

_NAME = "urn:document"


def _closed(value: Any) -> Any:
    """The schema, with objects that may have no fields but those it names."""
    if isinstance(value, list):
        return [_closed(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {name: _closed(inner) for name, inner in value.items()}
    if isinstance(made.get("$ref"), str):
        made["$ref"] = _NAME + made["$ref"]
    if "properties" in made and made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


class Documented:
    """Holds values against a document whose objects are closed."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = _closed(document)
        self._registry: Registry[Any] = Registry().with_resource(_NAME, DRAFT202012.create_resource(self.document))

    def conform(self, schema: dict[str, Any], value: Any) -> None:
        """Raises jsonschema.ValidationError when `value` is not as `schema`, a part of `document`, says."""
        Draft202012Validator(schema, registry=self._registry).validate(value)

    def is_a(self, name: str, value: Any) -> None:
        """Raises jsonschema.ValidationError when `value` is no such component."""
        self.conform(self.document["components"]["schemas"][name], value)

    def resolved(self, shown: dict[str, Any]) -> dict[str, Any]:
        """What a reference leads to; anything else is itself."""
        while "$ref" in shown:
            shown = self._registry.resolver().lookup(shown["$ref"]).contents
        return shown
