"""Draws in ARCHITECTURE.md which folder of the package imports which, as the code has it.

The picture stands between `<!-- begin imports -->` and `<!-- end imports -->`. The order of the layers is that of the
import contract in pyproject.toml.
"""

import ast
import re
import tomllib
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "ARCHITECTURE.md"
PACKAGE = "gemgate"

_PART = re.compile(r"(<!-- begin imports -->\n).*?(<!-- end imports -->)", re.DOTALL)


def layers() -> list[list[str]]:
    """The layers of the import contract, top to bottom; the members of one do not import each other."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    rows: list[str] = next(row["layers"] for row in config["contracts"] if row.get("exhaustive"))
    return [re.split(r"\s*[|:]\s*", row) for row in rows]


def imports() -> dict[str, list[str]]:
    """The folders and modules below the package: for each, those that it imports, in the order of the layers."""
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=True)
    order = [name for row in layers() for name in row]
    found: dict[str, set[str]] = {name: set() for name in order}
    for module in graph.modules:
        importer = _group(module)
        for imported in graph.find_modules_directly_imported_by(module):
            if importer in found and _group(imported) in found and _group(imported) != importer:
                found[importer].add(_group(imported))
    return {name: sorted(found[name], key=order.index) for name in order}


def upward(arrows: dict[str, list[str]]) -> list[tuple[str, str]]:
    """The imports that go up, or sideways within a layer."""
    depth = {name: number for number, row in enumerate(layers()) for name in row}
    return [(name, below) for name, others in arrows.items() for below in others if depth[below] <= depth[name]]


def picture() -> str:
    """A table of the layers, top to bottom: what each folder is for, and what it imports."""
    arrows = imports()
    rows = [
        f"| `{name}` | {_purpose(name)} | {', '.join(f'`{below}`' for below in arrows[name]) or 'nothing'} |\n"
        for row in layers()
        for name in row
    ]
    return (
        f"\n```mermaid\nflowchart TD\n{_flowchart(arrows)}```\n\n"
        f"| layer, from the top | what it is for | imports |\n|---|---|---|\n{''.join(rows)}\n"
    )


def rewritten(text: str) -> str:
    """`text` of the page with the picture as it must be."""
    return _PART.sub(lambda found: f"{found[1]}{picture()}{found[2]}", text)


def _flowchart(arrows: dict[str, list[str]]) -> str:
    """The arrows that no longer way replaces: with all of them nobody could read the picture."""
    reach: dict[str, set[str]] = {}
    for name in reversed(arrows):
        reach[name] = set(arrows[name]).union(*(reach[below] for below in arrows[name]))
    lines = []
    for name, below in arrows.items():
        direct = [one for one in below if not any(one in reach[other] for other in below if other != one)]
        lines += [f"    {name} --> {one}\n" for one in direct]
    return "".join(lines)


def _group(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def _purpose(name: str) -> str:
    path = ROOT / "src" / PACKAGE / name
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(source.read_text())) or ""
    return " ".join(text.partition("\n\n")[0].split())


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text()))
