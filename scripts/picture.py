"""What the drawn pictures of the documentation have in common: their colours, boxes, arrows and texts, as SVG.

A picture has a background of its own, so that it can be read on a light and on a dark page; it is dark where the
reader's system is. It names no font of another host.
"""

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

WIDTH = 920

_COLOURS = {
    # class: (property, light, dark)
    ".page": ("fill", "#f7f8fc", "#1b1e2b"),
    ".box": ("fill", "#ffffff", "#282c3f"),
    ".edge": ("stroke", "#9fa8da", "#5c6694"),
    ".good": ("fill", "#e3f3e6", "#1f3d2a"),
    ".wait": ("fill", "#fff1d9", "#453414"),
    ".bad": ("fill", "#fde4e1", "#4a2320"),
    ".name": ("fill", "#1a237e", "#d5dbff"),
    ".text": ("fill", "#37474f", "#c3c9d6"),
    ".line": ("stroke", "#4f5db5", "#8f9bea"),
    ".tip": ("fill", "#4f5db5", "#8f9bea"),
    ".ours": ("fill", "#3f51b5", "#8f9bea"),
    ".peer": ("fill", "#b0772f", "#d9a760"),
    ".base": ("fill", "#90a4ae", "#6b7f8a"),
    ".tiny": ("fill", "#37474f", "#c3c9d6"),
    ".big": ("fill", "#2e7d32", "#81c995"),
    ".axis": ("stroke", "#c5cae9", "#4a5280"),
    ".series0": ("stroke", "#3f51b5", "#8f9bea"),
    ".series1": ("stroke", "#d9822b", "#e8a65a"),
    ".series2": ("stroke", "#2e8b57", "#6cc598"),
    ".series3": ("stroke", "#b03a5b", "#e07f9c"),
}

_FONT = "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif"


class Picture:
    """An SVG under way, 920 units wide.

    Args:
        title: What it shows, for those who do not see it.
        height: In the units of its width.
    """

    def __init__(self, title: str, height: int) -> None:
        self._title = title
        self._height = height
        self._parts: list[str] = []

    def box(self, at: tuple[float, float, float, float], kind: str = "box", lines: Sequence[str] = ()) -> None:
        """A box at x, y with a width and a height; the first of its lines is its name."""
        x, y, width, height = at
        self._parts.append(
            f'<rect class="{kind} edge" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="10"/>'
        )
        middle = y + height / 2 - (len(lines) - 1) * 9 + 5
        for number, line in enumerate(lines):
            self.text((x + width / 2, middle + 18 * number), line, "text" if number else "name", "middle")

    def bar(self, at: tuple[float, float, float, float], kind: str) -> None:
        """A bar of a chart at x, y with a width and a height."""
        x, y, width, height = at
        self._parts.append(f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:.1f}" height="{height:g}"/>')

    def arrow(self, *points: tuple[float, float]) -> None:
        """A line through these points, with a tip at its end."""
        path = "L".join(f"{x:g} {y:g}" for x, y in points)
        self._parts.append(f'<path class="line" d="M{path}" marker-end="url(#tip)"/>')

    def curve(self, points: Sequence[tuple[float, float]], kind: str) -> None:
        """A thin line through these points."""
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self._parts.append(f'<path class="curve {kind}" d="M{path}"/>')

    def text(self, at: tuple[float, float], text: str, kind: str = "text", anchor: str = "start") -> None:
        """A line of text."""
        x, y = at
        self._parts.append(f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>')

    def svg(self) -> str:
        """The whole picture."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self._height}" role="img" '
            f'aria-label={quoteattr(self._title)} font-family="{_FONT}" font-size="14">\n'
            f"<title>{escape(self._title)}</title>\n<style>\n{_style()}</style>\n"
            '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9" '
            'markerUnits="userSpaceOnUse" orient="auto"><path class="tip" d="M0 0 10 5 0 10z"/></marker></defs>\n'
            f'<rect class="page" width="{WIDTH}" height="{self._height}" rx="12"/>\n'
            + "\n".join(self._parts)
            + "\n</svg>\n"
        )


def _style() -> str:
    shapes = "rect.edge{stroke-width:1.5}\n.line{fill:none;stroke-width:1.8}\n.curve{fill:none;stroke-width:1.4}\n"
    sizes = (
        ".name{font-size:16px;font-weight:600}\n.small{font-size:13px}\n.tiny{font-size:11px}\n.big{font-size:24px}\n"
    )
    light = "".join(f"{name}{{{what}:{light}}}\n" for name, (what, light, _) in _COLOURS.items())
    dark = "".join(f"{name}{{{what}:{dark}}}\n" for name, (what, _, dark) in _COLOURS.items())
    return f"{shapes}{sizes}{light}@media (prefers-color-scheme:dark){{\n{dark}}}\n"
