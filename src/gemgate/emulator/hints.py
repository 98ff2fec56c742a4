"""Picks values out of a prompt: places, numbers, quoted words."""

import re
from dataclasses import dataclass, field

_WORD = re.compile(r"[a-z0-9]+")
_NUMBER_RUN = re.compile(r"(?<![\w.])-?[\w.]++")
_NUMBER = re.compile(r"-?\d++(?:\.\d++)?")
_DIGIT = re.compile(r"\d")
_QUOTED = re.compile("[\"“'\u2018]([^\"”'\u2019]{1,80})[\"”'\u2019](?!\\w)")
_RUN = re.compile("[A-Z][\\w\u2019'.-]*+")
_RUN_END = "\u2019'.-"
_AND = re.compile(r",?\s++(?:and|or)\s++")
_LINKS = frozenset(f" {word}{gap}" for word in ("", "de", "la", "del", "of", "do", "da") for gap in ("", " "))
_MAX_LINK = max(map(len, _LINKS))
_QUESTIONS = "I I'm What What's Which Who How When Where Why Is Are Do Does Did Can Could Would Will Please"
_ORDERS = (
    "Tell Give Get Show Find Look Call Use Compare Check List Also And Or But The A An In On At For It My Our Your"
)
_DATES = (
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July August "
    "September October November December"
)
_NOT_PLACES = frozenset(f"{_QUESTIONS} {_ORDERS} {_DATES} Celsius Fahrenheit JSON API PDF URL".split())


@dataclass(frozen=True, slots=True)
class Hints:
    """What a prompt offers as values, in the order of the text."""

    text: str
    places: list[str] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    quoted: list[str] = field(default_factory=list)

    def with_place(self, place: str) -> "Hints":
        """The same, with one place only: for one of several parallel calls."""
        return Hints(self.text, [place], self.numbers, self.quoted)


def words(text: str) -> list[str]:
    """Lower-case words; CamelCase and snake_case are taken apart, a plural s is dropped."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower()
    return [word[:-1] if len(word) > 3 and word.endswith("s") else word for word in _WORD.findall(split)]


def read(text: str) -> Hints:
    """Read a prompt."""
    return Hints(
        text=text,
        places=_places(text),
        numbers=_numbers(text),
        quoted=_QUOTED.findall(text),
    )


def _numbers(text: str) -> list[float]:
    """Numbers that stand for themselves: `3 cm`, `-1.5`, `20C`; no part of a word, a version or a date."""
    numbers = []
    for run in _NUMBER_RUN.finditer(text):
        found = _NUMBER.match(text, run.start(), run.end())
        if found and not _DIGIT.search(text, found.end(), run.end()):
            numbers.append(float(found[0]))
    return numbers


def _names(text: str) -> list[tuple[int, int]]:
    """Where capitalised words of two letters and more begin and end."""
    runs = ((run.start(), run.start() + len(run[0].rstrip(_RUN_END))) for run in _RUN.finditer(text))
    return [(start, end) for start, end in runs if end - start > 1]


def _is_list(text: str, names: list[tuple[int, int]]) -> bool:
    """Whether an "and" or an "or" joins two names."""
    starts = {start for start, _ in names}
    return any((joined := _AND.match(text, end)) and joined.end() in starts for _, end in names)


def _linked(text: str, names: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The names, those that make one joined: `New York`, `Rio de Janeiro`."""
    linked: list[tuple[int, int]] = []
    for start, end in names:
        if linked and start - (before := linked[-1][1]) <= _MAX_LINK and text[before:start] in _LINKS:
            linked[-1] = (linked[-1][0], end)
        else:
            linked.append((start, end))
    return linked


def _places(text: str) -> list[str]:
    """Capitalised names that do not begin a sentence; `Boston, MA` is one place, `Rome, Paris and Oslo` are three."""
    places: list[list[str]] = []
    alone: set[str] = set()
    names = _names(text)
    is_list = _is_list(text, names)
    previous, placed = 0, -1
    for start, end in _linked(text, names):
        before = text[previous:start].rstrip()
        begins_sentence = before[-1] in ".!?" if before else not previous
        previous = end
        name = _place(text[start:end], begins_sentence=begins_sentence)
        if not name:
            continue
        is_state = name.isupper() and len(name) == 2
        if places and start == placed + 2 and text.startswith(", ", placed) and (is_state or not is_list):
            alone.discard(places[-1][0])
            places[-1].append(name)
        elif name not in alone:
            places.append([name])
            alone.add(name)
        placed = end
    return [", ".join(parts) for parts in places]


def _place(name: str, *, begins_sentence: bool) -> str:
    """The place in a run of capitalised words, or "": without words that only begin a sentence."""
    parts = (name[:-2] if name.endswith(("'s", "\u2019s")) else name).split()
    first = 1 if begins_sentence else 0
    while first < len(parts) and parts[first] in _NOT_PLACES:
        first += 1
    return " ".join(parts[first:])
