"""Writes the generated parts of the documentation: the tables, the figures, the examples, the pictures.

A part stands between `<!-- begin generated: NAME -->` and `<!-- end generated -->`.
"""

import json
import re
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gemgate.api.batches.life_cycle import BATCH_LIFE, LifeEvent
from gemgate.api.batches.wire import PARAMETERS as BATCHES
from gemgate.api.console.parameters import TABLES as OF_JSON
from gemgate.api.files.wire import COMPLETE, FILES, UPLOADS
from gemgate.api.openapi.document import HEADERS
from gemgate.api.responses.support import EVENTS, ITEMS, TOOLS
from gemgate.api.transcriptions.wire import TRANSCRIPTIONS, TRANSLATIONS
from gemgate.settings import Settings, variable
from gemgate.translation.parameters import ParameterSupport

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"

sys.path.insert(0, str(ROOT))  # the packages of tests and scripts are those of the clone

_PART = re.compile(r"(<!-- begin generated: (\S+) -->\n).*?(<!-- end generated -->)", re.DOTALL)

_FATES: dict[str, Mapping[str, ParameterSupport]] = {
    **OF_JSON,
    "audio/transcriptions": TRANSCRIPTIONS,
    "audio/translations": TRANSLATIONS,
    "files": FILES,
    "uploads": UPLOADS,
    "uploads/{id}/complete": COMPLETE,
    "batches": BATCHES,
}

_CHAPTERS = {
    "chat": "Chat",
    "stream": "Streams",
    "tools": "Tools",
    "structured": "Structured output",
    "reasoning": "Reasoning",
    "media": "Media in and out",
    "images": "Images",
    "audio": "Speech and transcripts",
    "embeddings": "Embeddings",
    "models": "Models",
    "responses": "Responses",
    "completions": "Legacy completions",
    "moderations": "Moderations",
    "decisions": "Decisions",
    "batch": "Lines of batches",
    "errors": "Errors",
}
"""The chapters of the golden exchanges, by the first word of a file's name."""

_IN_FULL = (
    "chat-plain",
    "chat-sampling",
    "chat-web-search",
    "stream-text",
    "stream-tool-calls",
    "tools-call",
    "tools-results",
    "structured-json-schema",
    "reasoning-level-with-thoughts",
    "media-image",
    "images-generation",
    "audio-speech",
    "audio-transcript",
    "embeddings-base64",
    "models-retrieve",
    "responses-tool-call",
    "responses-stream",
    "batch-line",
    "errors-quota-of-a-minute",
)
"""The golden exchanges that the page shows as wholes; of the others it says what they teach."""

_MAX_NUMBERS = 8
_MAX_DATA = 60

_LEGEND = """Support for each parameter: *mapped* to a native field; *handled* by the gateway
itself; *dropped*, because Gemini has no counterpart, and named in `x-gemgate-dropped-params` (a 400 with
`GEMGATE_UNSUPPORTED_PARAMS=strict`, without the header with `ignore`); or *rejected*, with a 400 that names it.
"""


def rewritten(text: str) -> str:
    """`text` with its generated parts as they must be."""
    return _PART.sub(lambda found: f"{found[1]}{_generated(found[2])}{found[3]}", text)


def pages() -> list[Path]:
    """The pages that have generated parts."""
    return [page for page in (*sorted(DOCS.glob("*.md")), ROOT / "ARCHITECTURE.md") if _PART.search(page.read_text())]


def _generated(name: str) -> str:
    others: dict[str, Callable[[], str]] = {
        "settings": _settings,
        "figures": _figures,
        "batch-figures": _batch_figures,
        "exchanges": _exchanges,
        "spellings": _spellings,
        "headers": _headers,
        "batch-life": _batch_life,
        "signed": _signed,
        "embedding-spellings": lambda: _spelled("EMBEDDING_SPELLINGS"),
        "image-spellings": lambda: _spelled("IMAGE_SPELLINGS"),
        "response-spellings": lambda: _spelled("RESPONSE_SPELLINGS"),
        "response-items": lambda: _kinds("item of the input", ITEMS),
        "response-tools": lambda: _kinds("tool", TOOLS),
        "response-events": _events,
    }
    return others[name]() if name in others else _fates(name)


def _fates(path: str) -> str:
    rows = "".join(f"| `{name}` | {support.kind} | {support.text} |\n" for name, support in _FATES[path].items())
    return f"\n`POST /v1/{path}`. {_LEGEND}\n| parameter | support | native field, or reason |\n|---|---|---|\n{rows}\n"


def _kinds(title: str, fates: Mapping[str, ParameterSupport]) -> str:
    rows = "".join(f"| `{name}` | {support.kind} | {support.text} |\n" for name, support in fates.items())
    return f"\n| {title} | support | at Gemini, or reason |\n|---|---|---|\n{rows}\n"


def _events() -> str:
    rows = "".join(f"| `{name}` | {sent} | {text} |\n" for name, (sent, text) in EVENTS.items())
    return f"\n| event | | when, or why not |\n|---|---|---|\n{rows}\n"


def _headers() -> str:
    rows = "".join(f"| `{name}` | {text} |\n" for name, text in HEADERS.items())
    return f"\n| header | |\n|---|---|\n{rows}\n"


def _batch_life() -> str:
    """The table of states as a picture; an event that ends every state in the same way is left to the text."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for state, following in BATCH_LIFE.items():
        for event, after in following.items():
            if event is not LifeEvent.GIVEN_UP:
                arrows.setdefault((state, after), []).append(event.value)
    drawn = "".join(f"    {start} --> {end}: {', or '.join(events)}\n" for (start, end), events in arrows.items())
    ends = "".join(f"    {state} --> [*]\n" for state, following in BATCH_LIFE.items() if not following)
    return f"\n```mermaid\nstateDiagram-v2\n    [*] --> {next(iter(BATCH_LIFE))}\n{drawn}{ends}```\n\n"


def _settings() -> str:
    rows = [
        f"| `{variable(name)}` | {_default(field.get_default(call_default_factory=True))} | {field.description} |\n"
        for name, field in Settings.model_fields.items()
    ]
    return "\n| variable | default | |\n|---|---|---|\n" + "".join(rows) + "\n"


def _figures() -> str:
    """The charts, and the targets of the report."""
    from scripts import draw_charts

    report = draw_charts.REPORT.read_text()
    shown = {
        "performance-cpu.svg": draw_charts.words(draw_charts.cpu(report)),
        "performance-memory.svg": draw_charts.words(draw_charts.standing(report)),
    }
    images = "\n\n".join(f"![{words}](assets/{name})" for name, words in shown.items())
    return f"\n{images}\n\n{_of_report('row', 'against')}\n"


def _batch_figures() -> str:
    return f"\n{_of_report('batches')}\n"


def _of_report(*first: str) -> str:
    """The table of the report whose head begins so."""
    report = (ROOT / "benchmarks" / "REPORT.md").read_text().partition("## Figures\n")[2]
    found = re.search(rf"^\| {re.escape(' | '.join(first))} \|.*\n(?:\|.*\n?)+", report, re.MULTILINE)
    assert found, first
    return found[0]


def _exchanges() -> str:
    from tests.exchanges.exchange import Exchange, load

    chapters: dict[str, list[Exchange]] = {title: [] for title in _CHAPTERS.values()}
    for exchange in load():
        chapters[_CHAPTERS[exchange.name.partition("-")[0]]].append(exchange)
    parts = []
    for title, exchanges in chapters.items():
        parts.append(f"\n## {title}\n\n| file | |\n|---|---|\n")
        for exchange in exchanges:
            name = f"[`{exchange.name}`](#{exchange.name})" if exchange.name in _IN_FULL else f"`{exchange.name}`"
            parts.append(f"| {name} | {_escaped(exchange.data['teaches'])} |\n")
        for exchange in exchanges:
            if exchange.name in _IN_FULL:
                parts.append(f"\n### {exchange.name}\n\n{_escaped(exchange.data['teaches'])}\n")
                parts += _blocks(exchange.data)
    return "".join(parts) + "\n"


def _spellings() -> str:
    from tests.faults.spellings import PREFIXES

    return _spelled("SPELLINGS").rstrip("\n") + (
        f"\n| {', '.join(f'`{prefix}`' for prefix in PREFIXES)} before the name of a model | the name |\n\n"
    )


def _spelled(name: str) -> str:
    from tests.faults import spellings

    rows = [
        f"| `{json.dumps(_shortened(spelling.written), ensure_ascii=False)}` | {spelling.means} |\n"
        for spelling in getattr(spellings, name)
    ]
    return "\n| written | read as |\n|---|---|\n" + "".join(rows) + "\n"


def _signed() -> str:
    """The fields of messages in which thought signatures are read."""
    from tests.faults.spellings import SIGNATURE, SIGNED

    rows = [f"| `{json.dumps(message).replace(SIGNATURE, '…')}` |\n" for message in SIGNED]
    return "\n| a message of the assistant with |\n|---|\n" + "".join(rows) + "\n"


def _blocks(data: dict[str, Any]) -> Iterator[str]:
    from tests.exchanges.exchange import written

    parts = [("The client asks", data["openai_request"])]
    for number, call in enumerate(data["native"], 1):
        which = f" ({number} of {len(data['native'])})" if len(data["native"]) > 1 else ""
        parts += [(f"The gateway asks Google{which}", call["request"]), (f"Google answers{which}", call["response"])]
    for title, part in [*parts, ("The gateway answers", data["openai_response"])]:
        yield f"\n{title}:\n\n```json\n{written(_shortened(part))}```\n"


def _shortened(value: Any) -> Any:
    """The value with the middle of its data left out: base64, and the numbers of vectors."""
    if isinstance(value, dict):
        return {name: _shortened(item) for name, item in value.items()}
    if isinstance(value, list) and len(value) > _MAX_NUMBERS and all(isinstance(item, float) for item in value):
        return [*value[:3], f"… {len(value) - 3} more"]
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    is_data = isinstance(value, str) and len(value) > _MAX_DATA and not set(" \n") & set(value)
    return f"{value[:40]}… ({len(value)} characters)" if is_data and "://" not in value else value


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;")


def _default(value: object) -> str:
    return "" if value in (None, (), {}) else f"`{value}`"


def main() -> int:
    """Write the pages, the pictures, and the examples of the console, which are golden exchanges too."""
    from scripts import draw_charts, draw_states

    draw_states.main()
    draw_charts.main()
    runpy.run_path(str(ROOT / "scripts" / "write_console_examples.py"), run_name="examples")["main"]()
    for page in pages():
        page.write_text(rewritten(page.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
