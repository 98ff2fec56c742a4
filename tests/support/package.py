"""The package asked about itself: which constants its modules hold, wherever these are."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from importlib.util import find_spec


def _nodes(name: str, without: str) -> Iterator[ast.AST]:
    """The syntax of a package's modules, none of which is imported for it but packages."""
    package = importlib.import_module(name)
    for found in pkgutil.walk_packages(package.__path__, f"{name}."):
        if without and f"{found.name}.".startswith(f"{without}."):
            continue
        spec = find_spec(found.name)
        assert spec is not None
        assert spec.loader is not None
        source = spec.loader.get_source(found.name)  # type: ignore[attr-defined]
        yield from ast.walk(ast.parse(source))


def strings_in(name: str, *, without: str = "") -> set[str]:
    """All strings of a package's modules; of an f-string its fixed parts.

    Args:
        name: The package, such as `gemgate`.
        without: A subpackage that is left out with all that is below it.
    """
    return {
        node.value for node in _nodes(name, without) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def arguments_in(name: str, keyword: str, *, without: str = "") -> set[str]:
    """All strings that calls in a package's modules give for the argument `keyword`; see `strings_in`."""
    given = (
        argument.value
        for node in _nodes(name, without)
        if isinstance(node, ast.Call)
        for argument in node.keywords
        if argument.arg == keyword
    )
    return {
        node.value
        for value in given
        for node in ([value.body, value.orelse] if isinstance(value, ast.IfExp) else [value])
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
