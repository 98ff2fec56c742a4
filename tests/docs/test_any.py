"""How often the package says `Any`. mypy looks away there, so that few places that take JSON apart have it."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "gemgate"
EMULATOR = "emulator"

MOST_IN_THE_PRODUCT = 150
MOST_IN_THE_EMULATOR = 125


def unchecked(tree: ast.AST) -> Iterator[ast.Name]:
    """Each `Any` of a module but that of its import; also in types within quotes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "Any":
            yield node
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "Any" in node.value:
            try:
                quoted = ast.parse(node.value, mode="eval").body
            except (SyntaxError, ValueError):
                continue
            if isinstance(quoted, ast.Subscript | ast.BinOp | ast.Name):
                yield from unchecked(quoted)


def counts() -> Counter[str]:
    """How many there are in each module."""
    modules = sorted(PACKAGE.rglob("*.py"))
    return Counter(
        {str(path.relative_to(PACKAGE)): len(list(unchecked(ast.parse(path.read_text())))) for path in modules}
    )


def test_few_types_are_any() -> None:
    found = counts()
    emulator = sum(number for name, number in found.items() if name.startswith(EMULATOR))
    most = found.most_common(10)
    assert found.total() - emulator <= MOST_IN_THE_PRODUCT, most
    assert emulator <= MOST_IN_THE_EMULATOR, most


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("from typing import Any", 0),
        ("def f(x: Any, y: dict[str, Any]) -> None: ...", 2),
        ("x: 'dict[str, Any]'", 1),
        ("x = cast('Any', y)", 1),
        ("'''Any other failure.'''", 0),
    ],
)
def test_each_any_is_counted_and_no_word_of_a_text(text: str, number: int) -> None:
    assert len(list(unchecked(ast.parse(text)))) == number
