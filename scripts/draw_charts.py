"""Draws the charts of the page on performance from `benchmarks/REPORT.md`: `docs/assets/performance-*.svg`.

`python -m scripts.draw_charts` writes them, as does `scripts/write_docs.py`. Bars are linear, and each
group has a scale of its own.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.picture import WIDTH, Picture

ROOT = Path(__file__).parents[1]
ASSETS = ROOT / "docs" / "assets"
REPORT = ROOT / "benchmarks" / "REPORT.md"

_OURS = "gemgate"
_BASE = ("bare ASGI + aiohttp", "nginx")
"""They pass bytes on and translate nothing."""

_LINE = 20
_MARGIN = 24


class Bar(NamedTuple):
    """One gateway's figure; `value` is None where it was not measured, and `shown` says so."""

    gateway: str
    value: float | None
    shown: str


class Group(NamedTuple):
    """The figures of one load."""

    title: str
    bars: Sequence[Bar]


def tables(report: str) -> Iterator[list[list[str]]]:
    """Each table of the figures, as rows of cells; the first row is its head."""
    figures = report.partition("## Figures\n")[2]
    for found in re.findall(r"(?:^\|.*\|\n?)+", figures, re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in found.splitlines()]
        yield [row for row in rows if not set("".join(row)) <= set("-:")]


def cpu(report: str) -> list[Group]:
    """The CPU time of a unit of work: a group for each load."""
    head, *rows = next(table for table in tables(report) if table[0][1:4] == ["load", "gateway", "CPU"])
    groups: dict[str, list[Bar]] = {}
    for row in rows:
        cells = dict(zip(head, row, strict=True))
        number, _, unit = cells["CPU"].partition(" µs/")
        name = cells["gateway"].partition(" (")[0]
        title = f"{cells['load']}: µs of CPU for each {unit}"
        groups.setdefault(title, []).append(Bar(name, float(number.replace(",", "")), number))
    return [Group(title, bars) for title, bars in groups.items()]


def standing(report: str) -> list[Group]:
    """What a gateway takes before and between requests: a group for each column."""
    head, *rows = next(table for table in tables(report) if table[0][:2] == ["gateway", "first answer"])
    titles = {"first answer": "from the start to the first answer", "idle": "memory, idle"}
    groups = []
    for column, title in enumerate(head[1:], 1):
        bars = [Bar(row[0], _number(row[column]), row[column]) for row in rows]
        groups.append(Group(titles.get(title, f"memory, {title}"), bars))
    return groups


def words(groups: Sequence[Group]) -> str:
    """The first group in words, for those who do not see the chart."""
    title, bars = groups[0]
    return f"{title}. {', '.join(f'{bar.gateway} {bar.shown}' for bar in bars)}".replace("[", "(").replace("]", ")")


def chart(groups: Sequence[Group], columns: int, title: str) -> str:
    """The groups beside and below each other."""
    rows = [groups[start : start + columns] for start in range(0, len(groups), columns)]
    heights = [max(len(group.bars) for group in row) * _LINE + 52 for row in rows]
    picture = Picture(f"{title}: {words(groups)}", sum(heights) + _MARGIN)
    width = (WIDTH - _MARGIN) / columns
    y = float(_MARGIN)
    for row, height in zip(rows, heights, strict=True):
        for number, group in enumerate(row):
            _draw(picture, group, (_MARGIN + number * width, y), width - _MARGIN)
        y += height
    return picture.svg()


def _draw(picture: Picture, group: Group, at: tuple[float, float], width: float) -> None:
    x, y = at
    names = max(len(bar.gateway) for bar in group.bars) * 7.6 + 10
    room = width - names - max(len(bar.shown) for bar in group.bars if bar.value) * 8.2 - 12
    most = max(bar.value or 0.0 for bar in group.bars) or 1.0
    picture.text((x, y + 12), group.title, "name small")
    for number, bar in enumerate(group.bars):
        line = y + 24 + number * _LINE
        length = max(room * (bar.value or 0.0) / most, 1.0 if bar.value else 0.0)
        kind = "ours" if bar.gateway.startswith(_OURS) else "base" if bar.gateway in _BASE else "peer"
        picture.text((x + names - 8, line + 12), bar.gateway, anchor="end")
        picture.bar((x + names, line + 2, length, _LINE - 7), kind)
        picture.text((x + names + length + 6, line + 12), bar.shown)


def _number(shown: str) -> float | None:
    found = re.match(r"[\d.,]+", shown)
    return float(found[0].replace(",", "")) if found else None


def pictures() -> Mapping[str, str]:
    """Each file of the assets, and what is in it."""
    report = REPORT.read_text()
    return {
        "performance-cpu.svg": chart(cpu(report), 2, "CPU"),
        "performance-memory.svg": chart(standing(report), 3, "At rest"),
    }


def main() -> None:
    """Write the charts."""
    for name, svg in pictures().items():
        (ASSETS / name).write_text(svg)


if __name__ == "__main__":
    main()
