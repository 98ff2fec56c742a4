"""Figures, and the tables made of them."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.load import Result
from benchmarks.rows import ROWS, Row

if TYPE_CHECKING:
    from benchmarks.standing import Standing

Figures = Mapping[tuple[str, str], Sequence["Figure"]]


def _at(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One run. CPU is microseconds a unit, times are milliseconds, `busy` is the gateway's share of a core.

    `gap99` is the 99th percentile of the time between two pieces of a stream, `load` the load's share of a core.
    """

    cpu: float
    rate: float
    p50: float
    p99: float
    first50: float
    gap99: float
    busy: float
    load: float
    peak: float | None

    @classmethod
    def of(cls, row: Row, result: Result, spent: float, peak: float | None) -> "Figure":
        """From what the load saw, the gateway's seconds of CPU, and its peak of memory in MB."""
        units = result.units * row.units
        return cls(
            spent / units * 1e6,
            units / result.wall,
            _at(result.latencies, 0.5) * 1e3,
            _at(result.latencies, 0.99) * 1e3,
            _at(result.firsts, 0.5) * 1e3,
            _at(result.gaps, 0.99) * 1e3,
            spent / result.wall,
            result.cpu / result.wall,
            peak,
        )


def median(figures: Sequence[Figure], name: str) -> float:
    """Of one column."""
    return statistics.median(getattr(figure, name) or 0.0 for figure in figures)


def cpu_of(figures: Figures, number: str, name: str) -> float | None:
    """The median CPU a unit; None when it was not measured."""
    found = figures.get((number, name))
    return median(found, "cpu") if found else None


def whole_table(figures: Figures) -> str:
    """Every row and contestant."""
    lines = [
        "| | load | gateway | CPU | units/s | p50 | p99 | first | busy |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in ROWS:
        for (number, name), found in figures.items():
            if number == row.number:
                lines.append(_line(row, name, found))
    return "\n" + "\n".join(lines)


def _line(row: Row, name: str, found: Sequence[Figure]) -> str:
    cpu, rate, p50, p99, first, busy = (
        median(found, column) for column in ("cpu", "rate", "p50", "p99", "first50", "busy")
    )
    extra = ""
    if row.has_gaps:
        extra = f" (gaps p99 {median(found, 'gap99'):.1f} ms)"
    if row.has_memory:
        extra = f" (peak +{median(found, 'peak'):.0f} MB)"
    return (
        f"| {row.number} | {row.name} | {name}{extra} | {cpu:,.0f} µs/{row.unit} | {rate:,.0f} | {p50:.1f} ms | "
        f"{p99:.1f} ms | {first:.1f} ms | {busy:.0%} |"
    )


_RATIOS = (
    ("1", "Portkey", 0.22),
    ("1", "LiteLLM", 1 / 40),
    ("1", "bare ASGI + aiohttp", 2.4),
    ("2", "Portkey", 0.22),
    ("3", "Portkey", 0.42),
    ("3", "LiteLLM", 1 / 12),
    ("1", "TensorZero", 2.0),
    ("2", "TensorZero", 0.95),
    ("3", "TensorZero", 1.4),
)
_OURS = {"TensorZero": "gemgate, TLS"}
"""Which of ours a peer is compared with, where it is not the one that is measured in each row."""


def targets(figures: Figures, stands: "Standing | None") -> str:
    """What is to be reached, and whether it is."""
    lines = ["| row | against | target | measured | |", "|---|---|---:|---:|---|"]
    for number, peer, maximum in _RATIOS:
        ours, theirs = cpu_of(figures, number, _OURS.get(peer, "gemgate")), cpu_of(figures, number, peer)
        if ours and theirs:
            lines.append(_target(number, peer, maximum, ours / theirs, "x"))
    paced, floor = (
        figures.get(("3", "gemgate")),
        figures.get(("3", "nginx")) or figures.get(("3", "bare ASGI + aiohttp")),
    )
    if paced and floor:
        added = median(paced, "first50") - median(floor, "first50")
        lines.append(_target("3", "added time to first token", 12.0, added, "ms"))
    for what, maximum, measured, unit in stands.targets() if stands else []:
        lines.append(_target("6", what, maximum, measured, unit))
    return "\n" + "\n".join(lines)


def _target(number: str, against: str, maximum: float, measured: float, unit: str) -> str:
    verdict = "met" if measured <= maximum else "**missed**"
    return f"| {number} | {against} | {maximum:.3g} {unit} | {measured:.3g} {unit} | {verdict} |"
