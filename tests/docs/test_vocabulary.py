"""The documentation keeps to one vocabulary: no old term or sentence is left, and the glossary has the new terms."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from gemgate.observability.metrics import Metrics
from gemgate.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", ".env.example")), *DOCS]
OPERATING = sorted(
    path for path in (ROOT / "docker").rglob("*") if path.suffix in {".md", ".yaml", ".json", ".txt", ".tpl"}
)
GLOSSARY = ROOT / "docs" / "glossary.md"

TERMS = {
    "stand-in": "fallback, or placeholder signature",
    "no other can stand in": "no other key can be used",
    "gemgate_rests_total": "gemgate_cooldowns_total",
    "gemgate_rest_until_timestamp_seconds": "gemgate_cooldown_until_timestamp_seconds",
    "GemgateAllKeysRest": "GemgateAllKeysCoolingDown",
    "made anew": "recreate",
    "is left alone": "the circuit is open",
    "tables of fates": "parameter support",
    "has one fate": "parameter support",
}
"""Old terms, and what is said instead."""

SENTENCES = (
    "are all it needs",
    "says in a sentence what is wrong",
    "are changed and restored",
    "a refusal is an error with Google's reason",
    "bytes pass untouched",
    "by [what Google says]",
    "What others do was read",
    "carried in the call's id",
    "is always said in a header",
    "is read over",
    "reads over it",
    "put together, is the buffered answer",
    "The first bytes decide the type",
    "The end of a stream is the end of Google's answer",
    "When the caller goes",
    "what has begun is never begun again",
    "what rests",
    "never costs a key",
    "nine attempts do not come of three",
    "Nothing waits for ever",
    "Bytes that are no HTTP",
    "makes the gateway think",
    "Who reads slowly",
    "a 404 that names what there is",
    "is nobody's",
    "It holds no key either",
    "Who changes keys",
    "a row without bytes",
    "are no load for it",
    "rests until its caller",
    "tells each bad line",
    "What happens is told",
    "Who starts workers",
    "whatever failed",
    "report a hole",
    "The end is the end",
    "The emulator disagrees",
    "mends what the linter",
    "before it is mended",
    "tells nothing about a key",
    "They stand in `docs/examples/`,",
)
"""Sentences, or parts of them, that were rewritten."""

FAULTS = (
    r"\b(?:told|tells?|mends?|mended|rests|rested|resting|anew|whoever)\b",
    r"\b(?:is|are) (?:none|no)\b(?! longer\b)",
    r"(?:^|[.:] |\| |- |\*\*)(?:Who|What|Whatever) [a-z]",
)
"""Verbs for other verbs, negated complements, and relative clauses as subjects."""


def prose(page: Path) -> str:
    """The text in one line, without blocks of code and without the rules themselves, which quote what they forbid."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return " ".join(re.sub(r"“[^”]*”", "", text).split())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_old_term_or_sentence_is_left(page: Path) -> None:
    text = prose(page).lower()
    assert [phrase for phrase in (*TERMS, *SENTENCES) if " ".join(phrase.split()).lower() in text] == []


@pytest.mark.parametrize("page", [*PAGES, *OPERATING], ids=lambda page: str(page.relative_to(ROOT)))
def test_no_old_public_name_is_left(page: Path) -> None:
    text = page.read_text()
    assert [name for name in TERMS if name.lower().startswith("gemgate") and name in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_sentences_are_plain(page: Path) -> None:
    lines = page.read_text() if page.suffix != ".md" else prose(page)
    assert [found[0] for fault in FAULTS for found in re.finditer(fault, lines, re.MULTILINE)] == []


@pytest.mark.parametrize(
    ("text", "is_plain"),
    [
        ("Who reads slowly is waited for.", False),
        ("It ends. What is left rests.", False),
        ("Bytes that are no HTTP", False),
        ("The key is none.", False),
        ("The header tells which.", False),
        ("a hash that is no longer used", True),
        ("Slow readers get back-pressure.", True),
    ],
)
def test_the_faults_are_recognised(text: str, is_plain: bool) -> None:
    assert any(re.search(fault, text, re.MULTILINE) for fault in FAULTS) is not is_plain


def test_the_descriptions_of_settings_and_metrics_are_plain() -> None:
    texts = [field.description or "" for field in Settings.model_fields.values()]
    texts += [metric.documentation for metric in Metrics().registry.collect() if metric.name.startswith("gemgate_")]
    assert len(texts) > 70
    assert [text for text in texts if any(re.search(fault, text) for fault in FAULTS)] == []


def test_the_glossary_is_a_page_of_the_site_and_short() -> None:
    assert 40 <= len(GLOSSARY.read_text().splitlines()) <= 60
    sections = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    assert any("glossary.md" in page.values() for section in sections for pages in section.values() for page in pages)


def test_the_glossary_has_each_term_once_in_order() -> None:
    limits = re.findall(r"^\| ([^|]+?) \| [^|]+ \|$", GLOSSARY.read_text(), re.MULTILINE)
    found = [term for term in limits if term not in ("term", "---")]
    assert len(set(found)) == len(found) > 30
    assert found == sorted(found, key=str.lower)
    wanted = {"caller", "client key", "Gemini key", "cool-down", "circuit breaker", "fallback", "alias", "lease"}
    wanted |= {"parameter support", "dialect", "key lease", "affinity", "thought signature", "turn", "part", "upstream"}
    wanted |= {"candidate, choice", "event, chunk", "emulator", "dry run", "pass-through", "store", "blob"}
    assert wanted <= set(found)


@pytest.mark.parametrize(
    "page", [path for path in PAGES if path.suffix == ".md"], ids=lambda page: str(page.relative_to(ROOT))
)
def test_no_blank_line_splits_a_table(page: Path) -> None:
    assert re.findall(r"^\|.*\|\n\n\|.*\|\n(?!\|-)", page.read_text(), re.MULTILINE) == []


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"], ids=lambda page: page.name
)
def test_lines_of_prose_are_wrapped(page: Path) -> None:
    lines = page.read_text().splitlines()
    assert [line for line in lines if len(line) > 132 and not line.startswith(("|", "!["))] == []


@pytest.mark.parametrize(
    "page", [path for path in PAGES if path.suffix == ".md"], ids=lambda page: str(page.relative_to(ROOT))
)
def test_no_paragraph_ends_in_mid_sentence(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    paragraphs = [part.strip() for part in text.split("\n\n")]
    assert [part[-60:] for part in paragraphs if part.endswith(",")] == []


def docstrings(module: Path) -> list[str]:
    """All docstrings of a module, its own among them."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, kinds)]
    return [text for node in nodes if (text := ast.get_docstring(node))]


def test_docstrings_use_the_verbs_of_the_field() -> None:
    """A remainder is a rest; a key cools down, a fault is fixed, a fact is reported, a thing is where it is."""
    fault = re.compile(
        r"\b(?:told|tells|mends?|mended|rests|rested|resting|anew|whoever|stands|stood)\b", re.IGNORECASE
    )
    texts = {path: docstrings(path) for path in sorted((ROOT / "src").rglob("*.py"))}
    assert sum(map(len, texts.values())) > 1_000
    found = {path.name: [text for text in each if fault.search(text)] for path, each in texts.items()}
    assert {name: each for name, each in found.items() if each} == {}
