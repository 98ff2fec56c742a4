"""Picks values out of a prompt: places, numbers, quoted words."""

import re
from dataclasses import dataclass, field

_WORD = re.compile(r"[a-z0-9]+")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.]*\d)")
_QUOTED = re.compile("[\"“'\u2018]([^\"”'\u2019]{1,80})[\"”'\u2019](?!\\w)")
_NAME = "[A-Z][\\w\u2019'.-]*\\w"
_PLACES = re.compile(rf"{_NAME}(?:[ ](?:de|la|del|of|do|da)?[ ]?{_NAME})*")
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
        numbers=[float(found) for found in _NUMBER.findall(text)],
        quoted=_QUOTED.findall(text),
    )


def _places(text: str) -> list[str]:
    """Capitalised names that do not begin a sentence; `Boston, MA` is one place, `Rome, Paris and Oslo` are three."""
    places: list[str] = []
    end = -1
    listed = bool(re.search(rf"{_NAME},?\s+(?:and|or)\s+{_NAME}", text))
    for found in _PLACES.finditer(text):
        name = _place(found[0], text[: found.start()].rstrip())
        if not name:
            continue
        gap = text[end : found.start()] if end >= 0 else ""
        state = name.isupper() and len(name) == 2
        if places and gap == ", " and (state or not listed):
            places[-1] += f", {name}"
        elif name not in places:
            places.append(name)
        end = found.end()
    return places


def _place(name: str, before: str) -> str:
    """The place in a run of capitalised words, or "": without words that only begin a sentence."""
    parts = re.sub("['\u2019]s$", "", name.rstrip(".'\u2019-")).split()
    if not before or before[-1] in ".!?":
        parts = parts[1:]
    while parts and parts[0] in _NOT_PLACES:
        parts = parts[1:]
    return " ".join(parts)
