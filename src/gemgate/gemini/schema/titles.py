"""Titles of a converted schema, which pydantic writes for each property.

A reporter measured that with them gemini-2.5-flash answers MALFORMED_FUNCTION_CALL to a certain tool every time, and
never without them (fastmcp #3860). The title of the whole stays: it is in recorded requests.
"""

_LISTS = ("anyOf", "oneOf", "prefixItems")
_MAPS = ("properties", "$defs")
_SCHEMAS = ("items", "additionalProperties")


def without_titles(schema: dict[str, object]) -> tuple[dict[str, object], list[str]]:
    """`schema` without titles, and a line for each that said more than a name: a description, where that was missing.

    `schema` is not changed; a property that is called `title` stays.
    """
    changes: list[str] = []
    return _stripped(schema, "", "", changes), changes


def _stripped(schema: dict[str, object], name: str, path: str, changes: list[str]) -> dict[str, object]:
    out: dict[str, object] = {}
    for key, value in schema.items():
        if key == "title" and isinstance(value, str) and path:
            if not _repeats(value, name):
                if "description" not in schema and "$ref" not in schema:
                    out["description"] = value
                    changes.append(f"{path}: title moved to the description")
                else:
                    changes.append(f"{path}: title dropped")
        elif key in _MAPS and isinstance(value, dict):
            out[key] = {
                inner: _stripped(item, inner, f"{_below(path)}{key}.{inner[:64]}", changes)
                for inner, item in value.items()
            }
        elif key in _LISTS and isinstance(value, list):
            out[key] = [
                _stripped(item, name, f"{_below(path)}{key}[{index}]", changes) for index, item in enumerate(value)
            ]
        elif key in _SCHEMAS and isinstance(value, dict):
            out[key] = _stripped(value, name, f"{_below(path)}{key}", changes)
        else:
            out[key] = value
    return out


def _below(path: str) -> str:
    return f"{path}." if path else ""


def _repeats(title: str, name: str) -> bool:
    """Whether a title is the name in other letters: `User Id` for `user_id`."""
    return _letters(title) == _letters(name) or not _letters(title)


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())
