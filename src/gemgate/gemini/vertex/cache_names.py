"""Names of caches in requests to Vertex AI, where they are whole ones with a project and a location."""

import re

import orjson

from gemgate.gemini.errors import GeminiError

_PARENT = re.compile(r"/v1/(projects/[^/]+/locations/[^/]+)/")
_CACHE = re.compile(
    r"(?P<place>projects/[^/]{1,120}/locations/[^/]{1,60}/)?(?:cachedContents/)?(?P<id>[\w.-]{1,200})", re.ASCII
)
_PUBLISHER_MODEL = re.compile(
    r"(?:(?P<place>projects/[^/]{1,120}/locations/[^/]{1,60}/)?publishers/google/)?(?:models/)?(?P<id>[\w.-]{1,200})",
    re.ASCII,
)


def whole_names(body: bytes, path: str, *, is_own: bool) -> bytes:
    """`body` with the whole names that Vertex AI has for the cache in it, and for the model of a cache to be made.

    Args:
        body: The request.
        path: Where it goes, below a project and a location.
        is_own: Whether a caller's own token goes along: then whole names stay, as Google decides on them.

    Raises:
        GeminiError: 400, what is given for a cache does not name one.
    """
    found = _PARENT.match(path)
    try:
        given = orjson.loads(body) if found is not None else None
    except orjson.JSONDecodeError:
        return body
    if found is None or not isinstance(given, dict):
        return body
    changed = dict(given)
    for field in ("cachedContent", "cached_content"):
        if not (name := given.get(field)):
            continue
        cache = _CACHE.fullmatch(name) if isinstance(name, str) else None
        if cache is None:
            raise GeminiError(
                400, f"'{field}' is not the name of a cache, such as cachedContents/1.", "INVALID_ARGUMENT"
            )
        if not (is_own and cache["place"]):
            changed[field] = f"{found[1]}/cachedContents/{cache['id']}"
    if path.endswith("/cachedContents") and isinstance(model := given.get("model"), str):
        named = _PUBLISHER_MODEL.fullmatch(model)
        if named is not None and not (is_own and named["place"]):
            changed["model"] = f"{found[1]}/publishers/google/models/{named['id']}"
    return body if changed == given else orjson.dumps(changed)
