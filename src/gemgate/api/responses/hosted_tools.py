"""Tools that Google runs itself, in the words of the Responses API and in Google's own."""

from typing import Any

from gemgate.api.responses.wire import Json
from gemgate.errors import ApiError, missing_field
from gemgate.translation.built_in_tools import BUILT_IN, OPTIONS, built_in_tool, untyped_tool
from gemgate.translation.extra_body import camel, snake
from gemgate.translation.notes import Notes

GOOGLES = ""
"""The kind of a tool without a type, in the form of Google's API: `{"googleSearch": {}}`."""

NATIVE = {"code_interpreter": "codeExecution", "file_search": "fileSearch", "web_search": "googleSearch"}
"""OpenAI's kinds, and the native tools that do their work."""

_SEARCHES = ("web_search", "web_search_preview")
_DATES = "_20"  # OpenAI dates some of its types: web_search_2025_08_26
_PASSED = ("functionDeclarations", "mcpServers")
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "external_web_access": (True,),
    "search_context_size": ("medium",),
    "container": ({"type": "auto"},),
    "allowed_callers": (["direct"],),
}
"""Values of options that say what is so in any case."""


def hosted_kind(kind: str) -> str:
    """The kind of a tool of this type, without a date; Google's own types have their snake_case names."""
    base = kind.partition(_DATES)[0]
    return "web_search" if base in _SEARCHES else snake(base)


def native_name(kind: str) -> str | None:
    """The native tool that does the work of a tool of this kind."""
    return NATIVE.get(kind) or BUILT_IN.get(kind)


def is_googles(tool: Json) -> bool:
    """Whether a tool without a type is one of Google's, by the name of its only field."""
    named = camel(dict.fromkeys(tool))
    return any(name in OPTIONS or name in _PASSED for name in named)


def native_tool(kind: str, tool: dict[str, object], param: str, notes: Notes) -> Json:
    """The native tool for a tool of one of Google's kinds; empty for other kinds.

    Raises:
        ApiError: 400 for a search of files that names no store, 404 for a store that is not Google's.
    """
    if kind == GOOGLES:
        return untyped_tool(tool, param, notes)
    if native_name(kind) is None:
        return {}
    given = {name: value for name, value in tool.items() if not _says_nothing(name, value)}
    if kind == "file_search":
        _check_stores(given, param)
    named = tool.get("type")
    return built_in_tool(named.partition(_DATES)[0] if isinstance(named, str) else kind, given, param, notes)


def _says_nothing(name: str, value: Any) -> bool:
    return name in ("type", "namespace") or value in (None, {}, []) or value in _DEFAULTS.get(name, ())


def _check_stores(given: Json, param: str) -> None:
    named = [options for options in (given, given.get("file_search")) if isinstance(options, dict)]
    spelled = {name for options in named for name in camel(dict.fromkeys(options))}
    ids = given.get("vector_store_ids")
    if "fileSearchStoreNames" in spelled:
        return
    if not isinstance(ids, list) or not ids:
        raise missing_field(f"{param}.vector_store_ids")
    for index, name in enumerate(ids):
        if not isinstance(name, str) or not name.startswith("fileSearchStores/"):
            where = f"{param}.vector_store_ids[{index}]"
            msg = f"Vector store with id '{str(name)[:80]}' not found: name one of Google's, 'fileSearchStores/…'."
            raise ApiError(404, msg, param=where, code="invalid_value")
