"""What the soak saw, as a page."""

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.soak_load import KINDS

if TYPE_CHECKING:
    from benchmarks.soak import Run, Sample

REPORT = Path(__file__).parent / "SOAK.md"
_ROWS = 20


def report(run: "Run", growth: tuple[float, float], machine: str, rate: float) -> str:
    """Markdown: the verdict, the figures over time, and what became of each kind of request."""
    faults = [f"- {fault}" for fault in run.faults] or ["Nothing failed that no fault explains, and nothing grew."]
    asked = f"{run.asked:,} requests of {len(KINDS)} kinds in {run.seconds:g} s, {rate:g} begun each second"
    before, after = run.quiet
    load = (
        f"{asked}, over real sockets: one gateway with three Gemini keys and its store on disk, before the emulator, "
        "whose failures half of the kinds ask for. A quarter of the requests have a connection of their own. Other "
        "work may have run on the machine: no time is judged here."
    )
    return "\n".join(
        [
            "# A soak",
            "",
            f"`make soak` writes this page. {machine}",
            "",
            load,
            "",
            *faults,
            "",
            "| | after the warm-up | at the end | |",
            "|---|---:|---:|---|",
            f"| memory of the process under load, first and last quarter | | | x {growth[0]:.3f} |",
            f"| the same with its children, shared pages in shares | | | x {growth[1]:.3f} |",
            *(
                f"| {name}, without load | {getattr(before, name)} | {getattr(after, name)} | |"
                for name in ("tasks", "sockets", "descriptors")
            ),
            "",
            "## Over time",
            "",
            "Without load in bold.",
            "",
            "| s | requests | under way | RSS, MB | with children, MB | tasks | sockets | descriptors |",
            "|---:|---:|---:|---:|---:|---:|---:|---:|",
            *_rows(run),
            "",
            "## What became of them",
            "",
            "| request | fault | outcomes |",
            "|---|---|---|",
            *_outcomes(run),
            "",
        ]
    )


def _rows(run: "Run") -> list[str]:
    step = max(len(run.samples) // _ROWS, 1)
    shown: list[Sample] = sorted([*run.samples[::step], *run.quiet], key=lambda sample: sample.at)
    lines = []
    for sample in shown:
        mark = "**" if sample in run.quiet else ""
        lines.append(
            f"| {mark}{sample.at:.0f}{mark} | {sample.asked:,} | {sample.under_way} | {sample.rss:.1f} | "
            f"{sample.tree:.1f} | {sample.tasks} | {sample.sockets} | {sample.descriptors} |"
        )
    return lines


def _outcomes(run: "Run") -> list[str]:
    lines = []
    for kind in KINDS:
        seen = [f"{count:,} x {text}" for (name, text), count in sorted(run.outcomes.items()) if name == kind.name]
        lines.append(f"| {kind.name} | {'yes' if kind.is_fault else ''} | {'; '.join(seen)} |")
    return lines
