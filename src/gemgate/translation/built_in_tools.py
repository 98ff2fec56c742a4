"""Tools that Google runs itself: OpenAI's types and Google's own names as native tools, with the options they have."""

from collections.abc import Mapping

from gemgate.errors import ApiError
from gemgate.translation.extra_body import camel, snake
from gemgate.translation.notes import Notes
from gemgate.translation.options import CachedSearch

BUILT_IN: dict[str, str] = {
    "web_search": "googleSearch",
    "web_search_preview": "googleSearch",
    "google_search": "googleSearch",
    "google_search_retrieval": "googleSearchRetrieval",
    "url_context": "urlContext",
    "code_execution": "codeExecution",
    "code_interpreter": "codeExecution",
    "google_maps": "googleMaps",
    "file_search": "fileSearch",
    "computer_use": "computerUse",
}
"""The type of a tool, and the native tool that does its work."""

OPTIONS: dict[str, frozenset[str]] = {
    "googleSearch": frozenset({"searchTypes", "timeRangeFilter"}),
    "googleSearchRetrieval": frozenset({"dynamicRetrievalConfig"}),
    "urlContext": frozenset(),
    "codeExecution": frozenset(),
    "googleMaps": frozenset({"enableWidget"}),
    "fileSearch": frozenset({"fileSearchStoreNames", "metadataFilter", "topK"}),
    "computerUse": frozenset({"environment", "excludedPredefinedFunctions"}),
}
"""The fields of each native tool in the Developer API; Vertex has more."""

_PASSED = frozenset({"functionDeclarations", "mcpServers"})


def built_in_tool(kind: str, given: Mapping[str, object], param: str, notes: Notes) -> dict[str, object]:
    """The native tool for a tool of type `kind`.

    Options may be beside the type, or in an object under the tool's own name. What Google's tool does not have is
    noted as dropped.

    Args:
        kind: OpenAI's type, or Google's name in either spelling.
        given: The fields beside the type.
        param: The caller's name of the tool.
        notes: Where it is noted.

    Raises:
        ApiError: 400 for a type without a counterpart.
    """
    # OpenAI dates its previews: web_search_preview_2025_03_11.
    native = "googleSearch" if kind.startswith("web_search") else BUILT_IN.get(snake(kind))
    if native is None:
        msg = (
            f"'{param}.type' is {kind[:80]!r}, which Gemini has no counterpart of. Known are function, custom, mcp and "
            f"{', '.join(BUILT_IN)}; other native tools go to extra_body.google.tools."
        )
        raise ApiError(400, msg, param=f"{param}.type", code="invalid_value")
    own_names = {snake(kind), snake(native)}
    options: dict[str, object] = {}
    for name, value in given.items():
        if snake(name) in own_names and isinstance(value, dict):
            _take(options, native, value, f"{param}.{name}.", notes)
        else:
            _take(options, native, {name: value}, f"{param}.", notes)
    if native == "fileSearch" and not options.get("fileSearchStoreNames"):
        msg = (
            f"'{param}' searches no store: Google's are named in 'file_search_store_names' or 'vector_store_ids', such "
            "as fileSearchStores/my-store."
        )
        raise ApiError(400, msg, param=f"{param}.file_search_store_names", code="missing_required_parameter")
    return {native: options}


def searches_live(tool: Mapping[str, object], param: str, cached_search: CachedSearch, notes: Notes) -> bool:
    """Whether a web search may ask the web; one that may not (`external_web_access`) is left out, which is noted.

    Args:
        tool: The tool.
        param: The caller's name of the tool.
        cached_search: What the operator wants of a search of a cache, which Gemini does not have.
        notes: Where it is noted.
    """
    if tool.get("external_web_access") is not False:
        return True
    if cached_search == "live":
        notes.adjust(f"{param}.external_web_access=false->true")
        return True
    notes.drop(f"{param}.type={tool.get('type')}")
    return False


def untyped_tool(given: Mapping[str, object], param: str, notes: Notes) -> dict[str, object]:
    """The native tool that `given` is, as Google's own API writes it: `{"googleSearch": {}}`, in either spelling.

    Empty for any other object.
    """
    found: dict[str, object] = {}
    others: dict[str, object] = {}
    for name, value in given.items():
        native = next(iter(camel({name: None})))
        if native in _PASSED:
            found[native] = camel(value)
        elif native in OPTIONS and (value is None or isinstance(value, dict)):
            options: dict[str, object] = {}
            found[native] = options
            _take(options, native, value or {}, f"{param}.{name}.", notes)
        else:
            others[name] = value
    if found:
        notes.drop_unknown(others, f"{param}.")
    return found


def _take(options: dict[str, object], native: str, given: Mapping[str, object], prefix: str, notes: Notes) -> None:
    for name, value in given.items():
        ((field, option),) = camel({name: value}).items()
        if value is None or field == "externalWebAccess":
            continue
        if field in OPTIONS[native]:
            options[field] = option
        elif native == "fileSearch" and field == "vectorStoreIds" and _names_stores(option):
            options.setdefault("fileSearchStoreNames", option)
        elif native == "fileSearch" and field == "maxNumResults":
            options.setdefault("topK", option)
        else:
            notes.drop(prefix + name)


def _names_stores(value: object) -> bool:
    """Whether OpenAI's ids of vector stores are names of Google's stores."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(name, str) and name.startswith("fileSearchStores/") for name in value)
    )
