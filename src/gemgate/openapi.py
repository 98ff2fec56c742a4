"""The OpenAPI document: what FastAPI makes of the routes, with every reference resolvable."""

from typing import Any

from fastapi import FastAPI

_LOCAL = "#/$defs/"
_SHARED = "#/components/schemas/"


def install(app: FastAPI) -> None:
    """Makes `app.openapi` give the document with the definitions of request bodies among its components."""
    made = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = made()
            shared = described.setdefault("components", {}).setdefault("schemas", {})
            described["paths"] = _hoisted(described["paths"], shared)
        return app.openapi_schema or {}

    app.openapi = document  # type: ignore[method-assign]


def _hoisted(value: Any, shared: dict[str, Any]) -> Any:
    """`value` without `$defs`, which go to `shared`: a reference counts from the root of the document."""
    if isinstance(value, list):
        return [_hoisted(item, shared) for item in value]
    if isinstance(value, str) and value.startswith(_LOCAL):
        return _SHARED + value.removeprefix(_LOCAL)
    if not isinstance(value, dict):
        return value
    for name, definition in value.get("$defs", {}).items():
        shared.setdefault(name, _hoisted(definition, shared))
    return {key: _hoisted(item, shared) for key, item in value.items() if key != "$defs"}
